package shell

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// option is an option of a command, "-name".
type option struct {
	name string
	arg  bool   // a value follows
	help string // shown by commands whose usage lists their options
}

// parsed is a command line taken apart.
type parsed struct {
	args   []string // the command's name, then what is not an option
	values map[string]string
}

func (p *parsed) has(name string) bool {
	_, ok := p.values[name]
	return ok
}

// parser reads options as commons-cli's DefaultParser does with short options only.
type parser struct {
	options []option
	// exclusive lets only one of the options be given; required asks for one.
	exclusive, required bool

	out     parsed
	current *option // waits for its value
	chosen  string  // of exclusive options
}

// optionError is an error of commons-cli, which zkCli.sh prints with the class.
func optionError(class, format string, args ...any) error {
	return fail("org.apache.commons.cli." + class + "Exception: " + fmt.Sprintf(format, args...))
}

// parse takes words apart; words[0] is the command's name.
func (p *parser) parse(words []string) (*parsed, error) {
	p.out.values = make(map[string]string)
	for i, w := range words {
		if w == "--" {
			p.out.args = append(p.out.args, words[i+1:]...)
			break
		}
		if err := p.word(w); err != nil {
			return nil, err
		}
	}
	if err := p.missing(); err != nil {
		return nil, err
	}
	if p.required && p.chosen == "" {
		var all []string
		for _, o := range p.options {
			all = append(all, "-"+o.name+" "+o.help)
		}
		return nil, optionError("MissingOption", "Missing required option: [%s]", strings.Join(all, ", "))
	}
	return &p.out, nil
}

func (p *parser) word(w string) error {
	switch {
	case p.current != nil && p.isArgument(w):
		p.value(w)
		return nil
	case strings.HasPrefix(w, "--"):
		return optionError("UnrecognizedOption", "Unrecognized option: %s", w)
	case strings.HasPrefix(w, "-") && w != "-":
		return p.option(w)
	}
	p.out.args = append(p.out.args, w)
	return nil
}

// isArgument reports if a word can be an option's value: options can't, negative numbers can.
func (p *parser) isArgument(w string) bool {
	if !strings.HasPrefix(w, "-") || len(w) == 1 || isNegativeNumber(w) {
		return true
	}
	name, _, _ := strings.Cut(w[1:], "=")
	return p.find(name) == nil && (name == "" || p.find(name[:1]) == nil)
}

func isNegativeNumber(w string) bool {
	return negativeNumber().MatchString(w)
}

func negativeNumber() *regexp.Regexp { return regexp.MustCompile(`^-[0-9]+(\.[0-9]*)?$`) }

// option reads a word that begins with one '-': -name, -name=value, -n=value or a cluster -abc.
func (p *parser) option(w string) error {
	name := w[1:]
	if o := p.find(name); o != nil {
		return p.handle(o)
	}
	if name, value, ok := strings.Cut(name, "="); ok {
		o := p.find(name)
		if o == nil || !o.arg {
			return optionError("UnrecognizedOption", "Unrecognized option: %s", w)
		}
		if err := p.handle(o); err != nil {
			return err
		}
		p.value(value)
		return nil
	}
	for i := 1; i < len(w); i++ {
		o := p.find(w[i : i+1])
		if o == nil {
			return optionError("UnrecognizedOption", "Unrecognized option: %s", w)
		}
		if err := p.handle(o); err != nil {
			return err
		}
		if p.current != nil && i+1 < len(w) {
			p.value(w[i+1:])
			break
		}
	}
	return nil
}

// handle notes an option that was given.
func (p *parser) handle(o *option) error {
	if err := p.missing(); err != nil {
		return err
	}
	if p.exclusive {
		if p.chosen != "" && p.chosen != o.name {
			return optionError("AlreadySelected", "The option '%s' was specified but an option from this group "+
				"has already been selected: '%s'", o.name, p.chosen)
		}
		p.chosen = o.name
	}
	if o.arg {
		p.current = o
	} else {
		p.out.values[o.name] = ""
	}
	return nil
}

// value gives the option that waits its value; the first value given counts.
func (p *parser) value(v string) {
	if len(v) > 1 && v[0] == '"' && v[len(v)-1] == '"' && !strings.Contains(v[1:len(v)-1], `"`) {
		v = v[1 : len(v)-1]
	}
	if !p.out.has(p.current.name) {
		p.out.values[p.current.name] = v
	}
	p.current = nil
}

func (p *parser) missing() error {
	if p.current == nil {
		return nil
	}
	return optionError("MissingArgument", "Missing argument for option: %s", p.current.name)
}

func (p *parser) find(name string) *option {
	i := slices.IndexFunc(p.options, func(o option) bool { return o.name == name })
	if i < 0 {
		return nil
	}
	return &p.options[i]
}

// optionHelp lists options as commons-cli's HelpFormatter does.
func optionHelp(options []option) string {
	sorted := slices.SortedFunc(slices.Values(options), func(a, b option) int {
		return strings.Compare(strings.ToLower(a.name), strings.ToLower(b.name))
	})
	width := 0
	var heads []string
	for _, o := range sorted {
		head := " -" + o.name
		if o.arg {
			head += " <arg>"
		}
		heads = append(heads, head)
		width = max(width, len(head))
	}
	var b strings.Builder
	for i, o := range sorted {
		fmt.Fprintf(&b, "%-*s   %s\n", width, heads[i], o.help)
	}
	return b.String()
}

// splitLine takes a line apart as zkCli.sh does: words at white space, quotes of both kinds around a
// word, no escapes. A quote without its partner is passed over.
func splitLine(line string) []string {
	var words []string
	for _, m := range wordPattern().FindAllStringSubmatch(line, -1) {
		w := m[1]
		if len(w) > 1 && (w[0] == '"' || w[0] == '\'') && w[len(w)-1] == w[0] {
			w = w[1 : len(w)-1]
		}
		words = append(words, w)
	}
	return words
}

// wordPattern is ZooKeeperMain's ARGS_PATTERN.
func wordPattern() *regexp.Regexp {
	return regexp.MustCompile(`\s*([^"']\S*|"[^"]*"|'[^']*')\s*`)
}
