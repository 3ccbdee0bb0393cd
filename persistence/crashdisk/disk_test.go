package crashdisk

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Copies and what waits for them in vfs.MemFS, each in a goroutine: with vfs.NewCrashableMem in place of New
// this hangs.
func TestCopiesAndOperations(t *testing.T) {
	d := New()
	const rounds = 3000
	create := func(name string) {
		f, err := d.Create(name, vfs.WriteCategoryUnspecified)
		if err == nil {
			err = f.Close()
		}
		if err != nil {
			t.Error(err)
		}
	}
	create("linked")
	create("0")
	operations := []func(i int){
		func(int) { d.CrashClone(vfs.CrashCloneCfg{}) },
		func(int) {
			if c, err := d.Lock("lock"); err != nil {
				t.Error(err)
			} else if err := c.Close(); err != nil {
				t.Error(err)
			}
		},
		func(i int) {
			if f, err := d.ReuseForWrite(string(rune('0'+i%2)), string(rune('0'+(i+1)%2)), vfs.WriteCategoryUnspecified); err != nil {
				t.Error(err)
			} else if err := f.Close(); err != nil {
				t.Error(err)
			}
		},
		func(int) {
			if err := d.Link("linked", "again"); err != nil {
				t.Error(err)
			} else if err := d.Remove("again"); err != nil {
				t.Error(err)
			}
		},
		func(int) { create("new") },
	}
	done := make(chan struct{})
	for _, op := range operations {
		go func() {
			defer func() { done <- struct{}{} }()
			for i := range rounds {
				op(i)
			}
		}()
	}
	for range operations {
		<-done
	}
}

func TestCrashClone(t *testing.T) {
	d := New()
	f, err := d.Create("file", vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte("data")); err != nil {
		t.Fatal(err)
	}
	if after := d.CrashClone(vfs.CrashCloneCfg{}); after.String() == d.String() {
		t.Fatal("what was not synced is there after a crash")
	}
}
