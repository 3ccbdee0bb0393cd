package x500

import (
	"encoding/hex"
	"strings"
)

// Valid reports whether Java's new X500Principal(name) takes a name: components "type=value" between commas or
// semicolons, joined by plus signs within one. It follows X500Name, RDN, AVA and AVAKeyword of Java 17 with all
// they accept and refuse, as ACLs with such names are refused or kept accordingly.
func Valid(name string) bool {
	if name == "" {
		return true
	}
	for component := range split(name, ",;", escapedComma) {
		for assertion := range split(component, "+", escapedPlus) {
			if !validAssertion(assertion) {
				return false
			}
		}
	}
	return true
}

// split cuts at separators that are neither escaped nor behind exactly one quote.
func split(s, separators string, escaped func(s string, at, from int) bool) func(func(string) bool) {
	return func(yield func(string) bool) {
		start, from, quotes := 0, 0, 0
		for {
			i := strings.IndexAny(s[from:], separators)
			if i < 0 {
				break
			}
			at := from + i
			quotes += countQuotes(s[from:at])
			if quotes != 1 && !escaped(s, at, from) {
				if !yield(s[start:at]) {
					return
				}
				start, quotes = at+1, 0
			}
			from = at + 1
		}
		yield(s[start:])
	}
}

// countQuotes counts the double quotes without a backslash before them.
func countQuotes(s string) (n int) {
	for i, c := range []byte(s) {
		if c == '"' && (i == 0 || s[i-1] != '\\') {
			n++
		}
	}
	return n
}

// escapedComma is X500Name.escaped, which counts all backslashes since the last separator when there are two
// or more before this one.
func escapedComma(s string, at, from int) bool {
	if at == 0 || s[at-1] != '\\' {
		return false
	}
	if at == 1 || s[at-2] != '\\' {
		return true
	}
	return strings.Count(s[min(from, at):at], `\`)%2 != 0
}

// escapedPlus is the rule of RDN: a plus sign at the start is none, too.
func escapedPlus(s string, at, _ int) bool { return at == 0 || s[at-1] == '\\' }

const (
	escapable   = ",=\n+<>#;\\\"" // may follow a backslash, outside of quotes a blank too
	mustEscape  = ",+<>;\""       // may not stand alone
	valueEnders = ",+;"
)

// validAssertion judges one "type=value".
func validAssertion(s string) bool {
	keyword, value, ok := strings.Cut(s, "=")
	if !ok || !validType(keyword) {
		return false
	}
	value = strings.TrimLeft(value, " \n")
	switch {
	case value == "":
		return true
	case value[0] == '#':
		return validHex(value[1:])
	case value[0] == '"':
		return validQuoted(value[1:])
	}
	return validText(value)
}

// validType takes the keywords of Java and object identifiers.
func validType(s string) bool {
	s = strings.ToUpper(trimJava(s))
	switch s {
	case "CN", "C", "L", "S", "ST", "O", "OU", "T", "IP", "STREET", "DC", "DNQUALIFIER", "DNQ", "SURNAME", "GIVENNAME", "INITIALS",
		"GENERATION", "EMAIL", "EMAILADDRESS", "UID", "SERIALNUMBER":
		return true
	}
	return validOID(strings.TrimPrefix(s, "OID."))
}

// validOID follows ObjectIdentifier: two or more numbers, the first up to 2, the second up to 39 below 0 and 1.
func validOID(s string) bool {
	if len(s) > 4096 {
		return false
	}
	parts := strings.Split(s, ".")
	for i, p := range parts {
		if p == "" || strings.Trim(p, "0123456789") != "" {
			return false
		}
		p = strings.TrimLeft(p, "0")
		switch {
		case i == 0 && (len(p) > 1 || p > "2"):
			return false
		case i == 1 && strings.TrimLeft(parts[0], "0") != "2" && (len(p) > 2 || len(p) == 2 && p > "39"):
			return false
		}
	}
	return len(parts) > 1
}

// trimJava is String.trim.
func trimJava(s string) string {
	return strings.TrimFunc(s, func(r rune) bool { return r <= ' ' })
}

// validHex judges a value in hexadecimal digits, which is one BER value. Java means to allow blanks behind it,
// and does not.
func validHex(s string) bool {
	if i := strings.IndexAny(s, valueEnders); i >= 0 {
		s = s[:i]
	}
	der, err := hex.DecodeString(s)
	return err == nil && validBER(der)
}

// validQuoted judges what follows the first quote.
func validQuoted(s string) bool {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			return strings.Trim(s[i+1:], " \n") == ""
		case '\\':
			n := escapeLength(s[i+1:], escapable)
			if n == 0 {
				return false
			}
			i += n
		}
	}
	return false
}

// validText judges a value that is neither quoted nor hexadecimal.
func validText(s string) bool {
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\':
			n := escapeLength(s[i+1:], escapable+" ")
			if n == 0 {
				return false
			}
			i += n
		case i > 0 && strings.IndexByte(valueEnders, s[i]) >= 0:
			return true // Java looks no further
		case strings.IndexByte(mustEscape, s[i]) >= 0:
			return false
		}
	}
	return true
}

// escapeLength is the length of what follows a backslash: two hexadecimal digits or one of signs; 0 when it is
// wrong.
func escapeLength(s, signs string) int {
	isHex := func(c byte) bool { return strings.IndexByte("0123456789abcdefABCDEF", c) >= 0 }
	switch {
	case s == "":
		return 0
	case isHex(s[0]):
		if len(s) < 2 || !isHex(s[1]) {
			return 0
		}
		return 2
	case strings.IndexByte(signs, s[0]) >= 0:
		return 1
	}
	return 0
}

// validBER judges the frame of one value: a tag of one byte, a definite length, and so many bytes.
func validBER(b []byte) bool {
	if len(b) < 2 || b[0]&0x1f == 0x1f {
		return false
	}
	length, rest := int(b[1]), b[2:]
	if length >= 0x80 {
		n := length & 0x7f
		if n == 0 || n > 4 || n > len(rest) {
			return false
		}
		length = 0
		for _, b := range rest[:n] {
			length = length<<8 | int(b)
		}
		rest = rest[n:]
	}
	return length == len(rest)
}
