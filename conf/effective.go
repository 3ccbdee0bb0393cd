package conf

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// masked stands for a value that is never shown.
const masked = "***"

// keepText keeps the file for those who ask the running server for it (Java: getInitialConfig), with the
// values of secret keys masked.
func (l *loader) keepText(text []byte, entries []Entry) {
	lines := strings.SplitAfter(string(text), "\n")
	for _, e := range entries {
		k := l.table.find(e.Key)
		if k == nil || !k.secret || e.Line < 1 || e.Line > len(lines) {
			continue
		}
		at := e.Line - 1
		for continues(lines[at]) && at+1 < len(lines) {
			lines[at] = ""
			at++
		}
		lines[at] = e.Key + "=" + masked + "\n"
	}
	l.cfg.Text = strings.Join(lines, "")
}

// continues reports if a line of a properties file goes on in the next one.
func continues(line string) bool {
	line = strings.TrimRight(line, "\r\n")
	return (len(line)-len(strings.TrimRight(line, `\`)))%2 == 1
}

// Effective lists the settings in effect that have a Java system property, by its name, in order; the
// Source of each is empty. Secret ones are left out.
func (c *Config) Effective() []Property {
	var list []Property
	for _, s := range sections() {
		for i := range s.keys {
			k := &s.keys[i]
			if _, family := k.pattern(); family || len(k.props) == 0 || k.secret || k.field == nil {
				continue
			}
			list = append(list, Property{Name: k.props[0], Value: k.format(k.field(c))})
		}
	}
	slices.SortFunc(list, func(a, b Property) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// format writes a field as its key would be written.
func (k *key) format(field any) string {
	switch p := field.(type) {
	case *int:
		return strconv.Itoa(*p)
	case *int64:
		if k.unit == "KiB" && *p > 0 {
			return strconv.FormatInt(*p/1024, 10)
		}
		return strconv.FormatInt(*p, 10)
	case *time.Duration:
		return strconv.FormatInt(int64(*p/k.scale()), 10)
	case *float64:
		return strconv.FormatFloat(*p, 'g', -1, 64)
	case *bool:
		off, on := "false", "true"
		switch k.kind {
		case kindYes, kindNo:
			off, on = "no", "yes"
		case kindSwitch:
			off, on = "off", "on"
		}
		if *p {
			return on
		}
		return off
	case *string:
		return *p
	case *[]string:
		return strings.Join(*p, ",")
	}
	panic("conf: key " + k.name + " has a field of another type")
}
