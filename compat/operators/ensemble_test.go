package operators

import (
	"slices"
	"strings"
	"testing"
)

// TestSameAsJava compares two ensembles before and after a change of their leaders.
func TestSameAsJava(t *testing.T) {
	both := startBoth(t)
	eachFleet(t, both, (*fleet).drive)
	t.Run("first leader", func(t *testing.T) { compareAll(t, both) })
	eachFleet(t, both, (*fleet).change)
	t.Run("second leader", func(t *testing.T) { compareAll(t, both) })
	t.Run("set back", func(t *testing.T) { compareReset(t, both) })
}

// compareReset sets the figures back, and looks at what that leaves.
func compareReset(t *testing.T, both [2]*fleet) {
	for id := 1; id <= observer; id++ {
		for _, f := range both {
			f.word(id, "srst")
		}
		compareWord(t, both, id, "srvr")
		compare(t, both, id, "mntr after srst", func(f *fleet) []string {
			figures := f.figures(f.word(id, "mntr"))
			return slices.DeleteFunc(figures, func(l string) bool { return !strings.Contains(l, " = ") }) // a ping may count somewhere
		})
		for _, f := range both {
			if text := f.word(id, "crst"); text != "Connection stats reset.\n" {
				t.Errorf("server %d (%s): crst: %q", id, f.kind, text)
			}
		}
	}
}

func compareAll(t *testing.T, both [2]*fleet) {
	compareWords(t, both)
	compareCommands(t, both)
	compareMetrics(t, both)
}
