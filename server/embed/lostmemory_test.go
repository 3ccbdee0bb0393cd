package embed_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"zk/jute"
	"zk/persistence/crashdisk"
)

const lostFile = "/data/zk-lost-memory"

func exists(t *testing.T, fs vfs.FS, path string) bool {
	t.Helper()
	_, err := fs.Stat(path)
	return err == nil
}

// TestLostMemory damages, wipes and gives up the data of a follower: each time it comes back with everything from
// the leader, and says so until then.
func TestLostMemory(t *testing.T) {
	g := startGroup(t, 3, 0)
	leader, _ := g.leader()
	c := g.rigs[leader].connect()
	c.ok(jute.OpCreate, create("/ephemeral", "e", jute.FlagEphemeral))
	c.fill("/base", 300)
	i := (leader + 1) % 3
	for n, lose := range []func(r *rig){
		func(r *rig) { // damaged
			names, err := r.fs.List("/data/zk-log")
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range names {
				if strings.HasPrefix(name, "MANIFEST") {
					putFile(t, r.fs, "/data/zk-log/"+name, []byte("this is no manifest, nor was it ever one"))
				}
			}
		},
		func(r *rig) { // missing
			if err := errors.Join(r.fs.RemoveAll("/data/zk-state-1"), r.fs.RemoveAll("/data/zk-state-2")); err != nil {
				t.Fatal(err)
			}
		},
		func(r *rig) { r.cfg.Rejoin = true },
		func(r *rig) { r.fs = crashdisk.New(); r.deps.FS = r.fs }, // wiped
	} {
		g.awaitServing(i)
		r := g.rigs[i]
		r.close()
		lose(r)
		c.ok(jute.OpCreate, create(fmt.Sprint("/lost", n), "", 0))
		r.open()
		r.cfg.Rejoin = false
		g.awaitServing(i)
		await(t, "the memory to be back", func() bool { return !exists(t, r.fs, lostFile) })
		c.ok(jute.OpCreate, create(fmt.Sprint("/back", n), "", 0))
		g.same()
	}
	// Its vote counts again.
	other := 3 - leader - i
	g.rigs[other].close()
	c.ok(jute.OpCreate, create("/with-its-vote", "", 0))
	g.rigs[other].open()
	g.same()
}
