package conf

import (
	"fmt"
	"unicode/utf16"
)

// Entry is one key and value of a properties file.
type Entry struct {
	Key   string
	Value string
	Line  int // where the entry begins, counted from 1
	// NonASCII is set when the entry holds bytes above 127. They are read as ISO-8859-1, as Java
	// reads them; a file written in UTF-8 means something else.
	NonASCII bool
}

// parseProperties reads the text as java.util.Properties.load(InputStream) does: bytes are ISO-8859-1,
// '\n', '\r' and "\r\n" end a line, '#' and '!' begin a comment line, an odd number of backslashes at
// the end continues a line (without the next line's leading white space), '=', ':' or white space ends
// a key, backslash escapes. Entries come in file order, duplicates included. Besides, and unlike Java's,
// each remembers its line. The only error is a malformed \uXXXX.
func parseProperties(text []byte) ([]Entry, error) {
	r := lineReader{text: text, line: 1}
	var entries []Entry
	for {
		logical, line, ok := r.next()
		if !ok {
			return entries, nil
		}
		e, err := splitEntry(logical)
		if err != nil {
			return nil, &Error{Line: line, Key: e.Key, Value: e.Value, Want: err.Error()}
		}
		e.Line = line
		entries = append(entries, e)
	}
}

// lineReader joins natural lines to logical ones and drops comments and blank lines
// (java.util.Properties.LineReader).
type lineReader struct {
	text []byte
	pos  int
	line int // of text[pos]
}

// next returns the next logical line, with its escapes still in it but without the backslashes that
// continue lines, and the number of the natural line it begins on. ok is false at the end.
func (r *lineReader) next() (logical []byte, line int, ok bool) {
	for r.pos < len(r.text) {
		line = r.line
		natural, continued := r.natural()
		natural = trimLeft(natural)
		if len(natural) > 0 && (natural[0] == '#' || natural[0] == '!') {
			continue
		}
		if !continued {
			if len(natural) == 0 {
				continue
			}
			return natural, line, true
		}
		logical = append(logical[:0], natural[:len(natural)-1]...)
		for continued && r.pos < len(r.text) {
			// Java looks for comments as long as nothing has been gathered, so a lone backslash
			// does not protect a comment sign on the line after it.
			natural, continued = r.natural()
			natural = trimLeft(natural)
			if len(logical) == 0 && len(natural) > 0 && (natural[0] == '#' || natural[0] == '!') {
				natural, continued = nil, true
				continue
			}
			if len(logical) == 0 && len(natural) == 0 {
				continued = true
				continue
			}
			if continued {
				natural = natural[:len(natural)-1]
			}
			logical = append(logical, natural...)
		}
		if len(logical) > 0 {
			return logical, line, true
		}
	}
	return nil, 0, false
}

// natural returns the text up to the next line end and moves behind it; continued says that it ends
// with an odd number of backslashes.
func (r *lineReader) natural() (text []byte, continued bool) {
	start := r.pos
	for r.pos < len(r.text) && r.text[r.pos] != '\n' && r.text[r.pos] != '\r' {
		r.pos++
	}
	text = r.text[start:r.pos]
	if r.pos < len(r.text) {
		if r.text[r.pos] == '\r' && r.pos+1 < len(r.text) && r.text[r.pos+1] == '\n' {
			r.pos++
		}
		r.pos++
		r.line++
	}
	backslashes := 0
	for i := len(text) - 1; i >= 0 && text[i] == '\\'; i-- {
		backslashes++
	}
	return text, backslashes%2 == 1
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\f' }

func trimLeft(b []byte) []byte {
	for len(b) > 0 && isBlank(b[0]) {
		b = b[1:]
	}
	return b
}

// splitEntry cuts a logical line into key and value and undoes the escapes. Both are trimmed as
// String.trim does, which ZooKeeper adds to what Properties gives.
func splitEntry(logical []byte) (Entry, error) {
	keyEnd := 0
	for keyEnd < len(logical) {
		c := logical[keyEnd]
		if c == '=' || c == ':' || isBlank(c) {
			break
		}
		if c == '\\' {
			keyEnd++
		}
		keyEnd++
	}
	keyEnd = min(keyEnd, len(logical))
	rest := trimLeft(logical[keyEnd:])
	if len(rest) > 0 && (rest[0] == '=' || rest[0] == ':') {
		rest = trimLeft(rest[1:])
	}
	var e Entry
	for _, c := range logical {
		if c > 127 {
			e.NonASCII = true
		}
	}
	key, err := unescape(logical[:keyEnd])
	if err != nil {
		return Entry{Key: string(logical[:keyEnd])}, err
	}
	e.Key = trimJava(key)
	value, err := unescape(rest)
	if err != nil {
		return Entry{Key: e.Key, Value: string(rest)}, err
	}
	e.Value = trimJava(value)
	return e, nil
}

// unescape turns the bytes of a key or value into a string (Properties.loadConvert). It works on
// UTF-16 units, as Java does, so that two \uXXXX can form one character.
func unescape(b []byte) (string, error) {
	units := make([]uint16, 0, len(b))
	for i := 0; i < len(b); i++ {
		c := b[i]
		if c != '\\' || i+1 == len(b) {
			units = append(units, uint16(c))
			continue
		}
		i++
		switch c = b[i]; c {
		case 't':
			units = append(units, '\t')
		case 'n':
			units = append(units, '\n')
		case 'r':
			units = append(units, '\r')
		case 'f':
			units = append(units, '\f')
		case 'u':
			u, ok := hex4(b[i+1:])
			if !ok {
				return "", fmt.Errorf(`\u followed by four hexadecimal digits`)
			}
			units = append(units, u)
			i += 4
		default:
			units = append(units, uint16(c))
		}
	}
	return string(utf16.Decode(units)), nil
}

func hex4(b []byte) (uint16, bool) {
	if len(b) < 4 {
		return 0, false
	}
	var u uint16
	for _, c := range b[:4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		u = u<<4 | uint16(c)
	}
	return u, true
}

// trimJava is String.trim: it removes all characters up to the space from both ends.
func trimJava(s string) string {
	start, end := 0, len(s)
	for start < end && s[start] <= ' ' {
		start++
	}
	for start < end && s[end-1] <= ' ' {
		end--
	}
	return s[start:end]
}
