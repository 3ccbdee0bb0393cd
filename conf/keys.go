package conf

import (
	"math"
	"strings"
)

// Verdict says what this server does with a key.
type Verdict int

const (
	// Must keys mean what they mean in Java.
	Must Verdict = iota
	// Own keys are this server's; Java does not know them, and is not disturbed by them.
	Own
	// Map keys are accepted and translated to what this server has in their place.
	Map
	// Ignore keys are accepted, noted once and have no effect.
	Ignore
	// Later keys are read and kept for a part that this version does not have; noted when set.
	Later
	// Refuse keys ask for something without which running would be unsafe, or that is not there.
	Refuse
)

func (v Verdict) String() string {
	return [...]string{"as in Java", "this server only", "mapped", "no effect", "not yet", "refused"}[v]
}

// kind is the syntax of a value, as the Java code that reads the key has it.
type kind int

const (
	kindText    kind = iota // anything
	kindPath                // a file or folder
	kindHost                // an address or host name, without a port
	kindInt                 // Integer.parseInt: decimal
	kindPropInt             // Integer.decode: also 0x... and octal 0...
	kindHex                 // Long.parseLong(s, 16)
	kindSize                // bytes, with an optional suffix k, m or g
	kindFloat               // Double.parseDouble
	kindBool                // true or false in any case, all else is an error
	kindProp                // Boolean.parseBoolean: true in any case, all else false
	kindYes                 // only "no" turns it off
	kindNo                  // only "yes" turns it on
	kindTrue                // only "false" turns it off
	kindSwitch              // on or off
	kindList                // separated by commas, each trimmed
	kindChoice              // one of choices
)

// outside says what happens to a number or choice that is out of bounds.
type outside int

const (
	isError   outside = iota // the start fails
	toBound                  // warn and take the nearest bound, as Java does
	toDefault                // warn and take the default, as Java does
)

// key is one row of the table that parsing, checks, Help and Markdown come from.
type key struct {
	name    string   // in zoo.cfg; a pattern ends in ".N" or ".<n>"
	props   []string // Java system properties read for it, the main one first; nil: none
	aliases []string // names the admin guide advertises although Java does not read them
	onlyD   bool     // Java reads it from -D only; here zoo.cfg works as well

	kind     kind
	choices  []string // of kindChoice, lower case
	def      string   // default, parsed like a written value; "" leaves the zero value
	defText  string   // printed in place of def where that says too little
	unit     string   // "ms", "s", "h", "KiB" scale the value; others are only printed
	min, max float64  // both 0: no bounds but the type's
	outside  outside

	verdict Verdict
	secret  bool   // the value is never printed
	doc     string // one sentence
	// refuse returns what is wrong with a value that is refused, or "".
	refuse func(value string) string
	// field returns a pointer to where the value goes; nil: it only stays in Config.Raw.
	field func(*Config) any
}

// section is a group of rows under one heading.
type section struct {
	title string
	about string
	keys  []key
}

// sections returns the whole table. A key's default stands here and nowhere else.
func sections() []section {
	return []section{
		{"Ports and clients", "", clientKeys()},
		{"Data", "", dataKeys()},
		{"Purge", "", purgeKeys()},
		{"Time", "", timeKeys()},
		{"Limits and throttling", "", append(limitKeys(), throttleKeys()...)},
		{"Tree and sessions", "", treeKeys()},
		{"Operators' interfaces", "", operatorKeys()},
		{"Authentication", "", authKeys()},
		{"Ensemble", "Read and checked always; only more than one server gives them an effect.",
			append(ensembleKeys(), electionKeys()...)},
		{"TLS and Kerberos", "", append(tlsKeys(), kerberosKeys()...)},
		{"Java internals", "What these tune does not exist here.", javaKeys()},
	}
}

// pattern reports if the row stands for a family of keys, and the family's prefix with its dot.
func (k *key) pattern() (prefix string, ok bool) {
	if i := strings.LastIndexByte(k.name, '.'); strings.HasSuffix(k.name, ".N") || strings.HasSuffix(k.name, ".<n>") {
		return k.name[:i+1], true
	}
	return "", false
}

// bounded reports if the row has bounds of its own, and which.
func (k *key) bounded() (low, high float64, ok bool) {
	if k.min == 0 && k.max == 0 {
		return math.Inf(-1), math.Inf(1), false
	}
	return k.min, k.max, true
}

// table finds rows by every name they have.
type table struct {
	keys     []*key          // in the order of sections
	byName   map[string]*key // zoo.cfg names and aliases
	byProp   map[string]*key // system properties, those of aliases included
	families []*key          // patterns
}

func newTable() *table {
	t := &table{byName: map[string]*key{}, byProp: map[string]*key{}}
	for _, s := range sections() {
		for i := range s.keys {
			k := &s.keys[i]
			t.keys = append(t.keys, k)
			if _, ok := k.pattern(); ok {
				t.families = append(t.families, k)
				continue
			}
			t.byName[k.name] = k
			for _, a := range k.aliases {
				t.byName[a] = k
				t.byProp["zookeeper."+a] = k
			}
			for _, p := range k.props {
				t.byProp[p] = k
			}
		}
	}
	return t
}

// find returns the row of a zoo.cfg key, nil when it is unknown.
func (t *table) find(name string) *key {
	if k := t.byName[name]; k != nil {
		return k
	}
	for _, k := range t.families {
		if prefix, _ := k.pattern(); strings.HasPrefix(name, prefix) && len(name) > len(prefix) {
			return k
		}
	}
	return nil
}

// findProp returns the row of a system property, nil when nothing reads it.
func (t *table) findProp(name string) *key {
	if k := t.byProp[name]; k != nil {
		return k
	}
	short, ok := strings.CutPrefix(name, "zookeeper.")
	if !ok {
		return nil
	}
	for _, k := range t.families {
		prefix, _ := k.pattern()
		if len(k.props) > 0 && strings.HasPrefix(short, prefix) && len(short) > len(prefix) {
			return k
		}
	}
	return nil
}

// nearest returns the known key most like an unknown one, "" when none is near: at most one edit for
// every four letters, letter case not counted.
func (t *table) nearest(name string) string {
	name = strings.ToLower(strings.TrimPrefix(name, "zookeeper."))
	best, bestDistance := "", max(1, len(name)/4)+1
	for _, k := range t.keys {
		if _, ok := k.pattern(); ok {
			continue
		}
		if d := editDistance(name, strings.ToLower(k.name), bestDistance); d < bestDistance {
			best, bestDistance = k.name, d
		}
	}
	return best
}

// editDistance counts the insertions, deletions, changes and swaps of neighbours between two strings;
// limit or more is returned as limit.
func editDistance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	older, old, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range old {
		old[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(old[j]+1, row[j-1]+1, old[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], older[j-2]+1)
			}
		}
		older, old, row = old, row, older
	}
	return min(old[len(b)], limit)
}

// prop returns the system property that Java makes of a zoo.cfg key it does not know itself.
func prop(name string) []string { return []string{"zookeeper." + name} }

// refuseAlways refuses every value but the empty one.
func refuseAlways(why string) func(string) string {
	return func(value string) string {
		if value == "" {
			return ""
		}
		return why
	}
}

// refuseTrue refuses what Java reads as true.
func refuseTrue(why string) func(string) string {
	return func(value string) string {
		if strings.EqualFold(value, "true") {
			return why
		}
		return ""
	}
}
