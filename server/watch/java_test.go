package watch

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"
)

// lineWatcher notes events as the recording has them.
type lineWatcher struct{ got []string }

func (w *lineWatcher) Deliver(ev *Event) {
	w.got = append(w.got, fmt.Sprintf("%d %s", ev.Type, ev.Path))
}

// TestAgainstJava replays random calls that were made to the DataTree of Java ZooKeeper 3.9.5, and
// compares what came out: a line is the call, the tree's result, the events of the watchers u, v and w, the
// watch count and what wchs says. Calls that failed there for want of a node are left out here.
func TestAgainstJava(t *testing.T) {
	file, err := os.Open("testdata/java_watches.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	table, watchers := New(), map[string]*lineWatcher{"u": {}, "v": {}, "w": {}}
	lines := 0
	for scan := bufio.NewScanner(file); scan.Scan(); lines++ {
		call, want, _ := strings.Cut(scan.Text(), "|")
		result, _, _ := strings.Cut(want, "|")
		got := replay(t, table, watchers, strings.Fields(call), result)
		for _, name := range []string{"u", "v", "w"} {
			got += "|" + strings.Join(watchers[name].got, ",")
			watchers[name].got = nil
		}
		s := table.Summary()
		got += fmt.Sprintf("|%d|%d connections watching %d paths Total watches:%d", table.Count(), s.Watchers, s.Paths, s.Watches)
		if got != strings.TrimSpace(want) {
			t.Fatalf("line %d, %s:\n got %s\nwant %s", lines+1, call, got, want)
		}
	}
	if lines == 0 {
		t.Error("nothing was replayed")
	}
}

// replay makes one call and returns its result; java is the result there.
func replay(t *testing.T, table *Table, watchers map[string]*lineWatcher, call []string, java string) string {
	path, number := call[1], int32(0)
	if len(call) == 4 {
		if _, err := fmt.Sscan(call[3], &number); err != nil {
			t.Fatal(err)
		}
	}
	switch call[0] {
	case "add":
		if java != "none" {
			table.Add(path, watchers[call[2]], Kind(number))
		}
	case "remove":
		return fmt.Sprint(table.Remove(path, watchers[call[2]], number))
	case "has":
		return fmt.Sprint(table.Has(path, watchers[call[2]], number))
	case "close":
		table.RemoveWatcher(watchers[call[2]])
	default:
		if java != "ok" {
			return java
		}
		switch call[0] {
		case "create":
			table.NodeCreated(path, 1, nil, nil)
		case "delete":
			table.NodeDeleted(path, 1, nil, nil)
		case "set":
			table.NodeDataChanged(path, 1, nil)
		}
	}
	return java
}
