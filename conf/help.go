package conf

import (
	"fmt"
	"strings"
)

// Help returns the table of keys as text for a terminal: each key with its default and unit, what this
// server does with it if that is not what Java does, and its system property where that has another
// name than "zookeeper." and the key.
func Help() string {
	var b strings.Builder
	b.WriteString("Keys of zoo.cfg. Keys marked -D are Java system properties too (-Dzookeeper.<key>=value, or as named).\n")
	for _, s := range sections() {
		b.WriteString("\n" + s.title + "\n")
		if s.about != "" {
			b.WriteString("  " + s.about + "\n")
		}
		for i := range s.keys {
			k := &s.keys[i]
			fmt.Fprintf(&b, "  %s", k.name)
			if d := k.defaultWithUnit(); d != "" {
				fmt.Fprintf(&b, " (%s)", d)
			}
			if k.verdict != Must {
				fmt.Fprintf(&b, " [%s]", k.verdict)
			}
			switch p := k.properties(); {
			case p == "zookeeper."+k.name:
				b.WriteString(" -D")
			case p != "":
				b.WriteString(" -D" + p)
			}
			b.WriteString("\n      " + k.doc + "\n")
			if len(k.aliases) > 0 {
				b.WriteString("      Also: " + strings.Join(k.aliases, ", ") + "\n")
			}
		}
	}
	return b.String()
}

// Markdown returns the table of keys for the README.
func Markdown() string {
	var b strings.Builder
	for i, s := range sections() {
		if i > 0 {
			b.WriteString("\n")
		}
		b.WriteString("### " + s.title + "\n\n")
		if s.about != "" {
			b.WriteString(s.about + "\n\n")
		}
		b.WriteString("| key | default | values | property | here | meaning |\n|---|---|---|---|---|---|\n")
		for j := range s.keys {
			k := &s.keys[j]
			name := "`" + k.name + "`"
			for _, a := range k.aliases {
				name += ", `" + a + "`"
			}
			property := k.properties()
			switch {
			case property == "zookeeper."+k.name:
				property = "yes"
			case property != "":
				property = "`" + property + "`"
			}
			cells := []string{name, k.defaultWithUnit(), k.valuesText(), property, k.verdict.String(), k.doc}
			for c, cell := range cells {
				cells[c] = strings.NewReplacer("|", `\|`, "*", `\*`).Replace(cell)
			}
			b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
		}
	}
	return b.String()
}

// properties are the system properties of the row; in a family the suffix stands for itself.
func (k *key) properties() string {
	if prefix, ok := k.pattern(); ok && len(k.props) > 0 {
		return "zookeeper." + prefix + strings.TrimPrefix(k.name, prefix)
	}
	return strings.Join(k.props, ", ")
}

func (k *key) defaultWithUnit() string {
	d := k.defaultText()
	if d != "" && d == k.def && k.unit != "" && d != "-1" {
		d += " " + k.unit
	}
	return d
}

// valuesText says in a few words what a value may be.
func (k *key) valuesText() string {
	switch k.kind {
	case kindText:
		return "text"
	case kindList:
		return "list"
	case kindHost:
		return "address"
	case kindPath:
		return "path"
	}
	low, high, ok := k.bounded()
	switch {
	case k.kind == kindSize:
		return "bytes, or with k, m or g"
	case k.kind == kindInt || k.kind == kindPropInt:
		switch {
		case !ok:
			return "number"
		case low == high:
			return formatNumber(low)
		case high >= maxInt32:
			return formatNumber(low) + " or more"
		}
		return formatNumber(low) + " to " + formatNumber(high)
	}
	return strings.TrimPrefix(k.want(), "must be ")
}
