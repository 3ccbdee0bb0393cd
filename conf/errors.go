package conf

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Error is one thing that is wrong with a configuration: where it stands, and what would be right.
type Error struct {
	File  string // as given to Load; or where a property came from; "command line"
	Line  int    // in File, from 1; 0 when there is none
	Key   string // as written; "" when something is missing altogether
	Value string // "" too when it is a secret
	Want  string // what would be right
}

// Error returns "conf: file:line: key=value: what would be right" without the parts that are empty.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("conf: ")
	if e.File != "" {
		b.WriteString(e.File)
		if e.Line > 0 {
			fmt.Fprintf(&b, ":%d", e.Line)
		}
		b.WriteString(": ")
	}
	if e.Key != "" {
		b.WriteString(shorten(e.Key))
		if e.Value != "" {
			b.WriteString("=" + shorten(e.Value))
		}
		b.WriteString(": ")
	}
	b.WriteString(e.Want)
	return b.String()
}

// Errors are all that is wrong with a configuration, in the order of the file.
type Errors []*Error

// Error returns the messages, one on each line.
func (es Errors) Error() string {
	lines := make([]string, len(es))
	for i, e := range es {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap lets errors.As find the first *Error.
func (es Errors) Unwrap() []error {
	errs := make([]error, len(es))
	for i, e := range es {
		errs[i] = e
	}
	return errs
}

// sorted orders by line; errors without a line come last.
func (es Errors) sorted() Errors {
	slices.SortStableFunc(es, func(a, b *Error) int {
		if a.Line == 0 || b.Line == 0 {
			return cmp.Compare(b.Line, a.Line)
		}
		return cmp.Compare(a.Line, b.Line)
	})
	return es
}

// shorten keeps a value from the outside printable and short.
func shorten(value string) string {
	const most = 120
	if r := []rune(value); len(r) > most {
		value = string(r[:most]) + "..."
	}
	if q := fmt.Sprintf("%q", value); q[1:len(q)-1] != value || strings.TrimSpace(value) != value {
		return q
	}
	return value
}
