package conf

import (
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

//go:embed default.cfg
var defaultText string

// fileBytesMax bounds a configuration file, a dynamic file and myid. Real ones have a few kilobytes.
const fileBytesMax = 1 << 20

// Options are what a configuration depends on besides its file.
type Options struct {
	// Properties are Java's system properties, the strongest last: SERVER_JVMFLAGS, JVMFLAGS, then the
	// command line. A line in the file beats a property.
	Properties []Property
	// SystemProperty gives the properties that every Java program has (user.home, user.dir ...), for
	// ${name} in a JAAS file and its default place. nil: there are none.
	SystemProperty func(name string) (value string, ok bool)
	// ReadFile reads the configuration file, the files it names and myid. nil: the real files,
	// up to 1 MiB.
	ReadFile func(name string) ([]byte, error)
}

// Load reads a zoo.cfg with the files it names and checks it. Everything that is wrong comes back as
// Errors; a file that can't be read as a wrapped error of the os package. (Java:
// QuorumPeerConfig.parse.)
func Load(path string, opts Options) (*Config, error) {
	opts = opts.complete()
	text, err := opts.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("conf: reading the configuration: %w", err)
	}
	return Parse(path, text, opts)
}

// Parse is Load for a text that has been read already; path stands for it in messages.
func Parse(path string, text []byte, opts Options) (*Config, error) {
	l := newLoader(path, opts.complete())
	entries, err := parseProperties(text)
	if err != nil {
		var e *Error
		if errors.As(err, &e) {
			e.File = path
			return nil, Errors{e}
		}
		return nil, err
	}
	l.keepText(text, entries)
	return l.load(entries)
}

// Default returns the settings of a server without a configuration file: standalone on port 2181, all
// four-letter words, metrics on port 7000 and the AdminServer on 8080 (a busy port of these two is a
// warning only), data in dir, or in ./zk-data when dir is "".
func Default(dir string, opts Options) (*Config, error) {
	l := newLoader("(embedded)", opts.complete())
	entries, err := parseProperties([]byte(defaultText))
	if err != nil {
		return nil, err
	}
	for i := range entries {
		if entries[i].Key == "dataDir" && dir != "" {
			entries[i].Value = dir
		}
	}
	l.keepText([]byte(defaultText), entries)
	c, err := l.load(entries)
	if err != nil {
		return nil, err
	}
	c.Metrics.BestEffort, c.Admin.BestEffort = true, true
	return c, nil
}

// LoadArgs reads Java's argument form "port datadir [ticktime] [maxcnxns]", in which connections per
// address are not limited unless the fourth argument says so (ServerConfig.parse).
func LoadArgs(args []string, opts Options) (*Config, error) {
	if len(args) < 2 || len(args) > 4 {
		return nil, Errors{{File: commandLine, Want: fmt.Sprintf("must be: port datadir [ticktime] [maxcnxns]; %d arguments were given", len(args))}}
	}
	names := [...]string{"clientPort", "dataDir", "tickTime", "maxClientCnxns"}
	entries := []Entry{{Key: "maxClientCnxns", Value: "0"}}
	for i, a := range args {
		entries = append(entries, Entry{Key: names[i], Value: a})
	}
	l := newLoader(commandLine, opts.complete())
	c, err := l.load(entries)
	if err != nil {
		return nil, err
	}
	c.Path = ""
	return c, nil
}

// commandLine stands for the place of a setting that no file holds.
const commandLine = "command line"

func (o Options) complete() Options {
	if o.ReadFile == nil {
		o.ReadFile = readFile
	}
	return o
}

// readFile is os.ReadFile with a bound, so that a device or a wrong file can't fill the memory.
func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, fileBytesMax+1))
	if err != nil {
		return nil, err
	}
	if len(text) > fileBytesMax {
		return nil, fmt.Errorf("%s has more than %d bytes; is it a configuration file?", name, fileBytesMax)
	}
	return text, nil
}

// setting is one value on its way into Config.
type setting struct {
	name  string // as written
	value string
	file  string // file or origin of the property
	line  int
}

// loader collects one Config with all that is wrong with it.
type loader struct {
	opts    Options
	path    string
	table   *table
	cfg     *Config
	set     map[*key]setting // written rows that are no patterns
	family  map[*key][]setting
	errs    Errors
	hasMyID bool // Config.ServerID comes from a myid file
}

func newLoader(path string, opts Options) *loader {
	return &loader{
		opts: opts, path: path, table: newTable(),
		cfg: &Config{Path: path, Raw: map[string]string{}, AuthProviders: map[string]string{}},
		set: map[*key]setting{}, family: map[*key][]setting{},
	}
}

// load does the steps in their order: gather what is written, defaults, values, then what depends on
// several keys or on other files.
func (l *loader) load(entries []Entry) (*Config, error) {
	l.gatherFile(entries)
	l.gatherProperties()
	for _, k := range l.table.keys {
		k.storeDefault(l.cfg)
	}
	for _, k := range l.table.keys {
		if s, ok := l.set[k]; ok {
			l.assign(k, s)
		}
	}
	l.resolve()
	if len(l.errs) > 0 {
		return nil, l.errs.sorted()
	}
	return l.cfg, nil
}

// gatherFile takes the last of each key of the file, and warns of keys that nothing reads.
func (l *loader) gatherFile(entries []Entry) {
	last := make(map[string]int, len(entries))
	for i, e := range entries {
		if j, ok := last[e.Key]; ok && entries[j].Value != e.Value && entries[j].Line > 0 {
			l.warn(e.Key, e.Line, fmt.Sprintf("replaces the different value in line %d", entries[j].Line))
		}
		last[e.Key] = i
	}
	for i, e := range entries {
		if last[e.Key] != i {
			continue
		}
		l.cfg.Raw[e.Key] = e.Value
		if e.NonASCII {
			l.warn(e.Key, e.Line, `the line has letters beyond ASCII, which are read as ISO-8859-1, as in Java; write them as \uXXXX`)
		}
		s := setting{name: e.Key, value: e.Value, file: l.path, line: e.Line}
		k := l.table.find(e.Key)
		if k == nil {
			l.unknown(e)
			continue
		}
		if _, ok := k.pattern(); ok {
			l.family[k] = append(l.family[k], s)
			continue
		}
		if other, ok := l.set[k]; ok {
			// The key itself and an advertised name of it: the key is what Java reads.
			if e.Key != k.name {
				s, other = other, s
			}
			l.warn(other.name, other.line, "is another name of "+k.name+", which is set too and wins")
		}
		l.set[k] = s
	}
}

// unknown warns of a key that nothing reads. Java makes a system property of it without a word.
func (l *loader) unknown(e Entry) {
	text := "unknown key, without effect"
	if short, ok := strings.CutPrefix(e.Key, "zookeeper."); ok && l.table.find(short) != nil {
		text += "; in a file the name is " + short
	} else if near := l.table.nearest(e.Key); near != "" {
		text += "; did you mean " + near + "?"
	}
	l.warn(e.Key, e.Line, text)
}

// gatherProperties adds the system properties that the file does not set.
func (l *loader) gatherProperties() {
	last := make(map[string]Property, len(l.opts.Properties))
	order := make([]string, 0, len(l.opts.Properties))
	for _, p := range l.opts.Properties {
		if _, ok := last[p.Name]; !ok {
			order = append(order, p.Name)
		}
		last[p.Name] = p
	}
	for _, name := range order {
		p := last[name]
		k := l.table.findProp(name)
		if k == nil {
			l.unknownProperty(p)
			continue
		}
		s := setting{name: "-D" + name, value: trimJava(p.Value), file: p.Source}
		if prefix, ok := k.pattern(); ok {
			l.addFamilyProperty(k, s, strings.TrimPrefix(name, "zookeeper."), prefix)
			continue
		}
		if other, ok := l.set[k]; ok {
			if other.file == l.path && !strings.HasPrefix(other.name, "-D") {
				if other.value != s.value {
					l.noteOn(s.name, 0, fmt.Sprintf("the line %s in %s wins", other.name, l.path))
				}
				continue
			}
			if other.name == "-D"+k.props[0] {
				continue // of two names of one property the main one wins
			}
		}
		l.set[k] = s
	}
}

// addFamilyProperty adds a property of a pattern row, unless the file has the same key.
func (l *loader) addFamilyProperty(k *key, s setting, name, prefix string) {
	for _, other := range l.family[k] {
		if other.name == name {
			return
		}
	}
	s.name = "-Dzookeeper." + prefix + strings.TrimPrefix(name, prefix)
	l.family[k] = append(l.family[k], s)
}

// unknownProperty notes a property that nothing reads; one of ours that looks misspelled is warned of.
func (l *loader) unknownProperty(p Property) {
	name := "-D" + p.Name
	short, ours := strings.CutPrefix(p.Name, "zookeeper.")
	if k := l.table.find(short); ours && k != nil {
		l.noteOn(name, 0, short+" is read from the configuration file only, as in Java; the property has no effect")
		return
	}
	if near := l.table.nearest(short); ours && near != "" {
		l.warn(name, 0, "unknown property, without effect; did you mean -D"+l.table.byName[near].propName()+"?")
		return
	}
	l.noteOn(name, 0, "unknown property, without effect")
}

// propName is the row's main property, or its key where it has none.
func (k *key) propName() string {
	if len(k.props) > 0 {
		return k.props[0]
	}
	return k.name
}

// assign checks a written value and stores it.
func (l *loader) assign(k *key, s setting) {
	if k.refuse != nil {
		if why := k.refuse(s.value); why != "" {
			l.fail(k, s, why)
			return
		}
	}
	fromFile := !strings.HasPrefix(s.name, "-D")
	switch {
	case k.verdict == Ignore:
		l.noteOn(s.name, s.line, "has no effect in this server")
		return
	case k.verdict == Later:
		l.noteOn(s.name, s.line, "is kept, but has no effect in this version")
	case k.onlyD && fromFile:
		l.noteOn(s.name, s.line, "is taken from the file; Java would read it only as -D"+k.props[0])
	case fromFile && s.name != k.name:
		l.noteOn(s.name, s.line, "is taken as "+k.name+", the name that Java reads")
	}
	v, problem, bad := k.parse(s.value)
	if bad {
		l.fail(k, s, k.want())
		return
	}
	if problem != "" {
		l.warn(s.name, s.line, shorten(s.value)+" "+problem)
	}
	k.store(l.cfg, v)
}

// fail adds an error about a setting.
func (l *loader) fail(k *key, s setting, want string) {
	e := &Error{File: s.file, Line: s.line, Key: s.name, Value: s.value, Want: want}
	if k != nil && k.secret {
		e.Value = ""
	}
	l.errs = append(l.errs, e)
}

// failKey adds an error about a key by its name, with the place where it was set, if it was.
func (l *loader) failKey(name, want string) {
	k := l.table.byName[name]
	if s, ok := l.set[k]; ok {
		l.fail(k, s, want)
		return
	}
	l.errs = append(l.errs, &Error{File: l.path, Key: name, Want: want})
}

// warnKey is warn about a key by its name, with the line where it was set, if it was.
func (l *loader) warnKey(name, text string) {
	l.warn(name, l.set[l.table.byName[name]].line, text)
}

func (l *loader) warn(name string, line int, text string) {
	l.cfg.Warnings = append(l.cfg.Warnings, Note{Key: name, Line: line, Text: text})
}

func (l *loader) noteOn(name string, line int, text string) {
	l.cfg.Notes = append(l.cfg.Notes, Note{Key: name, Line: line, Text: text})
}

// isSet reports if a key was written anywhere.
func (l *loader) isSet(name string) bool {
	_, ok := l.set[l.table.byName[name]]
	return ok
}

// myIDPath is where the server's id stands.
func myIDPath(dataDir string) string { return filepath.Join(dataDir, "myid") }
