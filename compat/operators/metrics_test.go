package operators

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// compareMetrics compares /metrics of the members that have it: families with type and help, their labels, and the
// values that must be the same.
func compareMetrics(t *testing.T, both [2]*fleet) {
	for id := firstProm; id <= observer; id++ {
		compare(t, both, id, "/metrics", func(f *fleet) []string { return families(f.fetch(f.prom[id-1], "/metrics")) })
	}
}

// families gives the lines of the Prometheus text that must be the same.
func families(text string) (lines []string) {
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		name, rest, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(line, "# HELP "), "# TYPE "), " ")
		if own(name) {
			continue
		}
		if strings.HasPrefix(line, "# ") {
			lines = append(lines, line)
			continue
		}
		name = regexp.MustCompile(`,\}$`).ReplaceAllString(name, "}") // Java's library leaves a comma
		lines = append(lines, figure(name, rest))
	}
	return lines
}

// figure is what must be the same of one.
func figure(name, value string) string {
	switch {
	case slices.Contains(sameFigures(), name):
		return fmt.Sprintf("%s = %s", name, strings.TrimSuffix(value, ".0"))
	case counts(name) && numberPattern.FindString(value) == value && strings.Trim(value, "0.") != "":
		return name + " is filled"
	}
	return name
}
