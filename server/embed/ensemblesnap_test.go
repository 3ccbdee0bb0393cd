package embed_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"zk/jute"
	"zk/persistence/crashdisk"
	"zk/persistence/nodestore"
)

// heard is a logger that tells when a message came.
type heard struct {
	slog.Handler
	message string
	came    *atomic.Bool
}

func (h heard) Enabled(context.Context, slog.Level) bool { return true }

func (h heard) Handle(_ context.Context, r slog.Record) error {
	if r.Message == h.message {
		h.came.Store(true)
	}
	return nil
}

// TestEnsembleSnap wipes a follower when the others' logs don't go back to the beginning any more: it gets the
// whole tree, and what is written meanwhile.
func TestEnsembleSnap(t *testing.T) {
	g := newGroup(t, 3, 0, "snapCount=2")
	purged := make([]atomic.Bool, len(g.rigs))
	for i, r := range g.rigs {
		r.deps.StateOptions.FlushTxns = 100
		r.deps.NodeLimits = nodestore.Limits{FreezeTxns: 50, FreezeBytes: 1 << 20, FreezeAge: 5 * time.Millisecond}
		r.deps.Logger = slog.New(heard{slog.DiscardHandler, "log purged", &purged[i]})
		r.open()
	}
	leader, _ := g.leader()
	g.awaitServing(leader)
	c := g.rigs[leader].connect()
	c.ok(jute.OpCreate, create("/ephemeral", "e", jute.FlagEphemeral))
	c.ok(jute.OpCreate, create("/large", strings.Repeat("x", 500_000), 0))
	c.ok(jute.OpCreate, create("/changed", "", 0))
	for n := 0; !purged[leader].Load(); n++ {
		if n > 200 {
			t.Fatal("the log is not purged")
		}
		for range 50 {
			c.send(jute.OpSetData, setData("/changed", strings.Repeat("d", 16000), -1))
		}
		for range 50 {
			if rep, err := c.recv(); err != nil || rep.Err != jute.CodeOk {
				t.Fatal(rep.Err, err)
			}
		}
	}
	wiped := (leader + 1) % 3
	before := g.rigs[leader].node.Metrics().SnapCount.Value() // of a server that came late at the start
	g.awaitServing(wiped)
	g.rigs[wiped].close()
	c.ok(jute.OpCreate, create("/meanwhile", "", 0))
	next := g.rig(wiped, crashdisk.New(), nil)
	next.cfg = g.rigs[wiped].cfg
	g.rigs[wiped] = next
	next.open()
	for n := 0; !g.serving(wiped); n++ { // goes on while the tree is on its way
		c.ok(jute.OpSetData, setData("/meanwhile", fmt.Sprint(n), -1))
	}
	c.ok(jute.OpCreate, create("/after", "", 0))
	g.same()
	if n := g.rigs[leader].node.Metrics().SnapCount.Value() - before; n < 1 {
		t.Errorf("%d trees were sent", n)
	}
	g.crash(wiped)
	g.rigs[wiped].open()
	g.same()
}
