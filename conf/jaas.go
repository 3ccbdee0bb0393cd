package conf

import (
	"fmt"
	"slices"
	"strings"
)

// JAAS is a login configuration file of Java: its sections by name, each a list of modules.
//
// The syntax is that of the JDK's ConfigFile, whose words are those of StreamTokenizer:
//
//	name { class flag key=value key="value" ...; ... };
type JAAS map[string][]LoginModule

// LoginModule is one module of a section.
type LoginModule struct {
	Class   string
	Flag    string // REQUIRED, REQUISITE, SUFFICIENT or OPTIONAL
	Options map[string]string
	Line    int
}

// ParseJAAS reads the text of a login configuration file. ${name} in the value of an option is replaced by
// the Java system property that property gives. The error is an *Error without its file, and never shows
// the value of an option.
func ParseJAAS(text []byte, property func(name string) (string, bool)) (JAAS, error) {
	p := jaasParser{words: jaasWords{text: []rune(string(text))}, property: property}
	p.next()
	sections := JAAS{}
	nameless := false // a section whose name is no word, which nobody can ask for
	for p.kind != jaasEnd {
		name, named := p.word, p.kind == jaasWord || p.kind == jaasString || p.kind == jaasOtherString
		at := p.words.start
		modules, err := p.section()
		if err != nil {
			return nil, err
		}
		if _, twice := sections[name]; named && twice || !named && nameless {
			return nil, p.errorAt(at, "section "+shorten(name)+" is there twice")
		}
		if named {
			sections[name] = modules
		} else {
			nameless = true
		}
	}
	return sections, nil
}

// jaasParser has read one word ahead.
type jaasParser struct {
	words    jaasWords
	property func(string) (string, bool)
	kind     rune
	word     string
}

func (p *jaasParser) next() { p.kind, p.word = p.words.next() }

func (p *jaasParser) errorAt(at int, want string) error {
	return &Error{Line: 1 + countRune(p.words.text[:at], '\n'), Want: want}
}

func countRune(text []rune, r rune) (n int) {
	for _, c := range text {
		if c == r {
			n++
		}
	}
	return n
}

// mark takes one of the marks { } = ;.
func (p *jaasParser) mark(r rune) error {
	if p.kind != r {
		return p.errorAt(p.words.start, fmt.Sprintf("%q is missing before this", r))
	}
	p.next()
	return nil
}

// text takes a word or a quoted text; what names it in the message.
func (p *jaasParser) text(what string) (string, error) {
	if p.kind != jaasWord && p.kind != jaasString {
		return "", p.errorAt(p.words.start, what+" is missing here; one that does not start with a letter must be in double quotes")
	}
	word := p.word
	p.next()
	return word, nil
}

// section reads from the word behind a section's name to the word behind its end.
func (p *jaasParser) section() (modules []LoginModule, err error) {
	p.next() // the name, whatever it is
	if err := p.mark('{'); err != nil {
		return nil, err
	}
	for p.kind != '}' {
		m, err := p.module()
		if err != nil {
			return nil, err
		}
		modules = append(modules, m)
	}
	p.next()
	return modules, p.mark(';')
}

func (p *jaasParser) module() (m LoginModule, err error) {
	m = LoginModule{Line: 1 + countRune(p.words.text[:p.words.start], '\n'), Options: map[string]string{}}
	if m.Class, err = p.text("the class of a module"); err != nil {
		return m, err
	}
	at := p.words.start
	if m.Flag, err = p.text("required, requisite, sufficient or optional"); err != nil {
		return m, err
	}
	m.Flag = strings.ToUpper(m.Flag)
	if !slices.Contains([]string{"REQUIRED", "REQUISITE", "SUFFICIENT", "OPTIONAL"}, m.Flag) {
		return m, p.errorAt(at, "must be required, requisite, sufficient or optional")
	}
	for p.kind != ';' {
		if err := p.option(m.Options); err != nil {
			return m, err
		}
	}
	p.next()
	return m, nil
}

func (p *jaasParser) option(options map[string]string) error {
	key, err := p.text("the name of an option, or ';',")
	if err != nil {
		return err
	}
	if err := p.mark('='); err != nil {
		return err
	}
	at := p.words.start
	value, err := p.text("the value of option " + shorten(key))
	if err != nil {
		return err
	}
	expanded, missing := expandProperties(value, p.property)
	switch {
	case missing != "":
		return p.errorAt(at, "the value of option "+shorten(key)+" needs the property "+shorten(missing)+", which is not set")
	case expanded == "" && value != "":
		return p.errorAt(at, "the value of option "+shorten(key)+" comes to nothing when its properties are filled in")
	}
	options[key] = expanded
	return nil
}

// expandProperties replaces ${name} by the property's value, and ${/} by a slash; ${{...}} and what does not
// end stay as they are. missing is a property that is not set. (The JDK's PropertyExpander.)
func expandProperties(text string, property func(string) (string, bool)) (expanded, missing string) {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(text, "${")
		b.WriteString(before)
		if !found {
			return b.String(), ""
		}
		end := strings.IndexByte(after, '}')
		if strings.HasPrefix(after, "{") {
			// What closes it must not be the end of the text, or the rest stays as it is; to the same effect.
			if end = strings.Index(after, "}}"); end >= 0 {
				end++
			}
		}
		if end < 0 {
			b.WriteString("${" + after)
			return b.String(), ""
		}
		name := after[:end]
		text = after[end+1:]
		if strings.HasPrefix(name, "{") {
			b.WriteString("${" + name + "}")
			continue
		}
		value, ok := "/", true
		if name != "/" {
			value, ok = property(name)
		}
		if !ok {
			return "", name
		}
		b.WriteString(value)
	}
}
