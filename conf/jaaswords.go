package conf

// Kinds of words in a JAAS file besides the marks, which stand for themselves.
const (
	jaasEnd         rune = -1 - iota // of the text
	jaasWord                         // letters, digits and . - _ $ *
	jaasString                       // in double quotes
	jaasOtherString                  // in single quotes: an error but as the name of a section
	jaasNumber                       // what starts like a number: an error but there, too
)

// jaasWords cuts a text into words as Java's StreamTokenizer does with the settings of ConfigFile: // and /
// begin a comment to the end of the line, a quoted text ends with its line at the latest.
type jaasWords struct {
	text  []rune
	i     int // of the next rune to read
	start int // where the last word began
}

// at is the next rune, or jaasEnd.
func (w *jaasWords) at() rune {
	if w.i >= len(w.text) {
		return jaasEnd
	}
	return w.text[w.i]
}

func (w *jaasWords) read() rune {
	r := w.at()
	if w.i < len(w.text) {
		w.i++
	}
	return r
}

// next gives the next word, with its text if it is a word or quoted.
func (w *jaasWords) next() (kind rune, word string) {
	for {
		for w.at() >= 0 && w.at() <= ' ' {
			w.i++
		}
		if w.at() != '/' {
			break
		}
		w.comment()
	}
	w.start = w.i
	r := w.at()
	switch {
	case r == jaasEnd:
		return jaasEnd, ""
	case r == '-' || r == '.' || isDigit(r):
		return w.number(), ""
	case isJaasLetter(r):
		for isJaasLetter(w.at()) || isDigit(w.at()) || w.at() == '.' {
			w.i++
		}
		return jaasWord, string(w.text[w.start:w.i])
	case r == '"':
		return jaasString, w.quoted()
	case r == '\'':
		return jaasOtherString, w.quoted()
	}
	w.i++
	return r, ""
}

// comment passes over a comment.
func (w *jaasWords) comment() {
	w.i++
	if w.read() != '*' { // a slash that ends its line makes a comment of the next one, in Java too
		for w.at() != jaasEnd && w.at() != '\n' && w.at() != '\r' {
			w.i++
		}
		return
	}
	for before := rune(0); ; {
		r := w.read()
		if r == '/' && before == '*' || r == jaasEnd {
			return
		}
		if r == '\r' || r == '\n' {
			if again := w.read(); r == '\r' && again == '\n' {
				r = w.read()
			} else {
				r = again
			}
		}
		before = r
	}
}

// number passes over what Java takes for a number. A minus alone is a mark.
func (w *jaasWords) number() rune {
	if w.at() == '-' {
		if w.i++; w.at() != '.' && !isDigit(w.at()) {
			return '-'
		}
	}
	for dot := false; isDigit(w.at()) || w.at() == '.' && !dot; w.i++ {
		dot = dot || w.at() == '.'
	}
	return jaasNumber
}

// quoted reads a quoted text with Java's escapes. It ends with the line, if no quote does it earlier.
func (w *jaasWords) quoted() string {
	quote := w.read()
	var text []rune
	for {
		r := w.at()
		if r == jaasEnd || r == '\n' || r == '\r' {
			return string(text)
		}
		w.i++
		switch r {
		case quote:
			return string(text)
		case '\\':
			text = append(text, w.escape())
		default:
			text = append(text, r)
		}
	}
}

// escape reads what follows a backslash.
func (w *jaasWords) escape() rune {
	first := w.read()
	switch first {
	case 'a':
		return '\a'
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case 'v':
		return '\v'
	case jaasEnd:
		return '\uffff' // what becomes of Java's -1
	}
	if first < '0' || first > '7' {
		return first
	}
	digits := 2
	if first <= '3' {
		digits = 3
	}
	value := first - '0'
	for n := 1; n < digits && w.at() >= '0' && w.at() <= '7'; n++ {
		value = value<<3 + w.read() - '0'
	}
	return value
}

func isDigit(r rune) bool { return r >= '0' && r <= '9' }

func isJaasLetter(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '$' || r == '_' || r == '-' || r == '*' || r >= 160
}
