// Package x500 has the names in certificates in the text form of Java's X500Principal, as the scheme x509 keeps
// them in ACLs: Name writes one, Valid judges one that a client sends. It is pure, and knows nothing of
// certificates but their encoded names. The rules are those of Java 17 (X500Name, RDN, AVA, AVAKeyword), whose
// answers are recorded in testdata.
package x500

import (
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// attribute is one "type=value" of a name, as it is encoded.
type attribute struct {
	Type  asn1.ObjectIdentifier
	Value asn1.RawValue
}

// keywordOf gives the short name of an attribute type that RFC 2253 has one for, "" for others.
func keywordOf(t asn1.ObjectIdentifier) string {
	switch t.String() {
	case "2.5.4.3":
		return "CN"
	case "2.5.4.6":
		return "C"
	case "2.5.4.7":
		return "L"
	case "2.5.4.8":
		return "ST"
	case "2.5.4.9":
		return "STREET"
	case "2.5.4.10":
		return "O"
	case "2.5.4.11":
		return "OU"
	case "0.9.2342.19200300.100.1.1":
		return "UID"
	case "0.9.2342.19200300.100.1.25":
		return "DC"
	}
	return ""
}

// Name is a certificate's subject as Java's X500Principal.getName() writes it: RFC 2253, the last component
// first. der is Certificate.RawSubject.
func Name(der []byte) (string, error) {
	var components []asn1.RawValue
	if rest, err := asn1.Unmarshal(der, &components); err != nil || len(rest) > 0 {
		return "", errors.New("x500: a name that can't be read")
	}
	parts := make([]string, len(components))
	for i, set := range components {
		var words []string
		for rest := set.Bytes; len(rest) > 0; {
			var a attribute
			var err error
			if rest, err = asn1.Unmarshal(rest, &a); err != nil {
				return "", fmt.Errorf("x500: a name that can't be read: %w", err)
			}
			words = append(words, a.text())
		}
		parts[len(parts)-1-i] = strings.Join(words, "+")
	}
	return strings.Join(parts, ","), nil
}

// text follows AVA.toRFC2253String of Java: types without a short name, and values that are no text, are shown
// as the hexadecimal bytes of their encoding.
func (a *attribute) text() string {
	keyword := keywordOf(a.Type)
	if keyword == "" || !isText(a.Value) {
		if keyword == "" {
			keyword = a.Type.String()
		}
		return keyword + "=#" + hex.EncodeToString(a.Value.FullBytes)
	}
	// Java takes the bytes of every kind of text for UTF-8.
	return keyword + "=" + escape(javaUTF8(a.Value.Bytes))
}

func isText(v asn1.RawValue) bool {
	if v.Class != asn1.ClassUniversal || v.IsCompound {
		return false
	}
	switch v.Tag {
	case asn1.TagPrintableString, asn1.TagT61String, asn1.TagIA5String, asn1.TagGeneralString, asn1.TagBMPString, asn1.TagUTF8String:
		return true
	}
	return false
}

// javaUTF8 decodes as new String(bytes, UTF_8) does, with one U+FFFD for each longest start of a sequence that
// does not go on.
func javaUTF8(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	var text strings.Builder
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			n = broken(b)
		}
		text.WriteRune(r)
		b = b[n:]
	}
	return text.String()
}

// broken is how many of the bytes, which don't begin with a whole sequence, begin one together.
func broken(b []byte) int {
	need, low, high := 0, byte(0x80), byte(0xbf)
	switch c := b[0]; {
	case c >= 0xc2 && c < 0xe0:
		need = 1
	case c >= 0xe0 && c < 0xf0:
		need = 2
		if c == 0xe0 {
			low = 0xa0
		}
	case c >= 0xf0 && c < 0xf5:
		need = 3
		if c == 0xf0 {
			low = 0x90
		}
		if c == 0xf4 {
			high = 0x8f
		}
	}
	n := 1
	for ; n <= need && n < len(b) && b[n] >= low && b[n] <= high; n++ {
		low, high = 0x80, 0xbf
	}
	return n
}

// escape puts a backslash before the signs of RFC 2253, and before blanks and carriage returns at both ends.
func escape(value string) string {
	const signs = `,=+<>#;"\`
	var b strings.Builder
	for _, r := range value {
		switch {
		case r == 0:
			b.WriteString(`\00`)
			continue
		case strings.ContainsRune(signs, r):
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	const blanks = " \r"
	escaped := b.String()
	inner := strings.TrimLeft(escaped, blanks)
	lead := escaped[:len(escaped)-len(inner)]
	trimmed := strings.TrimRight(inner, blanks)
	trail := inner[len(trimmed):]
	return each(lead) + trimmed + each(trail)
}

// each puts a backslash before each letter.
func each(s string) string {
	var b strings.Builder
	for _, r := range s {
		b.WriteByte('\\')
		b.WriteRune(r)
	}
	return b.String()
}
