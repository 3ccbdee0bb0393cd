package digestmd5

import (
	"fmt"
	"slices"
	"strings"
)

// TokenBytesMax bounds a token from a client; ChallengeBytesMax one from a server. (RFC 2831: "must be
// less than", the JDK: at most.)
const (
	TokenBytesMax     = 4096
	ChallengeBytesMax = 2048
)

// directives are the values of a token by the index of their names in the list that parse was given.
// A value is nil when the directive is not there, and empty when it is there without a value.
type directives [][]byte

// parse takes a token apart: name=value or name="value", separated by commas or white space. Names are
// told apart without regard to case, those that are not in names are passed over, and one of names may
// come once. No value aliases token.
func parse(token []byte, names []string) (directives, error) {
	found := make(directives, len(names))
	for i := skipSpace(token, 0); i < len(token); {
		if token[i] == ',' { // an empty element
			i = skipSpace(token, i+1)
			continue
		}
		name, next, err := parseName(token, i)
		if err != nil {
			return nil, err
		}
		value := []byte{}
		if name.valued {
			if value, next, err = parseValue(token, next); err != nil {
				return nil, err
			}
		}
		if err := found.set(names, name.text, value); err != nil {
			return nil, err
		}
		i = next
	}
	return found, nil
}

// name is a directive's name; valued says that '=' followed.
type name struct {
	text   string
	valued bool
}

// parseName reads a name and its '=', up to where the value begins. A name that ends the token has no
// '=', which the JDK lets pass.
func parseName(token []byte, i int) (name, int, error) {
	start := i
	for ; i < len(token) && token[i] != '=' && token[i] != ',' && !isSpace(token[i]); i++ {
	}
	n := name{text: string(token[start:i])}
	if i == len(token) {
		return n, i, nil
	}
	if token[i] == ',' {
		return n, i, refused("a comma in a directive's name")
	}
	i = skipSpace(token, i)
	switch {
	case i == len(token) || token[i] != '=':
		return n, i, refused("no '=' after a directive's name")
	case n.text == "":
		return n, i, refused("a directive without a name")
	}
	n.valued = true
	if i = skipSpace(token, i+1); i == len(token) {
		return n, i, refused("a directive without a value")
	}
	return n, i, nil
}

// parseValue reads a value, quoted or not, and the separator behind it.
func parseValue(token []byte, i int) (value []byte, next int, err error) {
	value = []byte{}
	if token[i] == '"' {
		for i++; ; i++ {
			if i < len(token) && token[i] == '\\' {
				i++ // and what follows stands for itself
			} else if i < len(token) && token[i] == '"' {
				break
			}
			if i >= len(token) {
				return nil, i, refused("a quote that does not end")
			}
			value = append(value, token[i])
		}
		if i++; i < len(token) && token[i] != ',' && !isSpace(token[i]) {
			return nil, i, refused("text behind a quote")
		}
	} else {
		for ; i < len(token) && token[i] != ',' && !isSpace(token[i]); i++ {
			value = append(value, token[i])
		}
	}
	if i < len(token) {
		i = skipSpace(token, i+1)
	}
	return value, i, nil
}

func (d directives) set(names []string, name string, value []byte) error {
	i := slices.IndexFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
	if i < 0 {
		return nil
	}
	if d[i] != nil {
		return refused("directive %s twice", names[i])
	}
	d[i] = value
	return nil
}

// isSpace reports linear white space, byte by byte as the JDK looks at it.
func isSpace(b byte) bool { return b == ' ' || b == '\t' || b == '\r' || b == '\n' }

func skipSpace(b []byte, i int) int {
	for i < len(b) && isSpace(b[i]) {
		i++
	}
	return i
}

// appendQuoted appends text as a quoted string.
func appendQuoted(b []byte, text string) []byte {
	b = append(b, '"')
	for i := range len(text) {
		c := text[i]
		if c == '"' || c == '\\' || c == 127 || c < ' ' && c != '\r' && c != '\n' && c != '\t' {
			b = append(b, '\\')
		}
		b = append(b, c)
	}
	return append(b, '"')
}

// Error says why an exchange failed.
type Error struct {
	reason string
	// Abort is set where the JDK does not fail the exchange but throws what ZooKeeper does not catch, for a
	// number that is none or a user without a name. The connection is then closed without an answer.
	Abort bool
}

func (e *Error) Error() string { return "digestmd5: " + e.reason }

func refused(format string, args ...any) error { return &Error{reason: fmt.Sprintf(format, args...)} }
