package harness

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func need(t *testing.T) {
	t.Helper()
	if os.Getenv(EnableEnv) == "" {
		t.Skipf("makes namespaces and mounts disks: switched on by %s=1", EnableEnv)
	}
}

// TestNetwork cuts one direction between two servers, and looks for what is left of the network at the end.
func TestNetwork(t *testing.T) {
	need(t)
	var n *Network
	t.Run("network", func(t *testing.T) {
		var err error
		if n, err = NewNetwork(t, 3); err != nil {
			t.Skip(err)
		}
		const pause = 100 * time.Millisecond
		for _, pair := range [][2]int{{1, 2}, {2, 1}, {3, 1}} {
			if err := n.reach(pair[0], pair[1], time.Minute); err != nil {
				t.Fatal(pair, err)
			}
		}
		if err := n.Cut(3, 1); err != nil {
			t.Fatal(err)
		}
		// What is sent there is lost, and so is the answer to what comes from there.
		for _, pair := range [][2]int{{3, 1}, {1, 3}} {
			var timeout net.Error
			if err := n.reach(pair[0], pair[1], pause); !errors.As(err, &timeout) || !timeout.Timeout() {
				t.Fatal(pair, err)
			}
		}
		if err := n.reach(2, 1, time.Minute); err != nil {
			t.Fatal("a server that is not cut off: ", err)
		}
		if err := n.Heal(); err != nil {
			t.Fatal(err)
		}
		if err := n.reach(3, 1, time.Minute); err != nil {
			t.Fatal(err)
		}
	})
	if n == nil {
		t.Skip("no network")
	}
	left, err := filepath.Glob(filepath.Join(netnsDir, n.name+"*"))
	if err != nil {
		t.Fatal(err)
	}
	links, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range links {
		if strings.HasPrefix(l.Name, n.link) {
			left = append(left, l.Name)
		}
	}
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestDisk makes a disk fail: what was synced is there when it works again, what was not is lost.
func TestDisk(t *testing.T) {
	need(t)
	d, err := NewDisk(t, 32<<20)
	if err != nil {
		t.Skip(err)
	}
	path := filepath.Join(d.Dir, "file")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("synced"); err != nil {
		t.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(" or not"); err != nil {
		t.Fatal(err)
	}
	if err := d.Fail(); err != nil {
		t.Fatal(err)
	}
	if err := f.Sync(); !errors.Is(err, syscall.EIO) {
		t.Errorf("a sync gives %v", err)
	}
	if _, err := f.WriteString("more"); !errors.Is(err, syscall.EIO) {
		t.Errorf("a write gives %v", err)
	}
	_ = f.Close()
	if err := d.Replace(); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "synced" {
		t.Errorf("%q, %v", b, err)
	}
	remove, err := FillDisk(d.Dir, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(d.Dir, "large"), make([]byte, 2<<20), 0o644); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a write on a full disk gives %v", err)
	}
	if err := remove(); err != nil {
		t.Fatal(err)
	}
}
