package crash

import (
	"math/rand/v2"
	"testing"
	"time"

	"zk/compat/control"
	"zk/compat/harness"
)

// settings are what every server of these tests has: nodes that no cleaner takes away meanwhile.
func settings(lines ...string) harness.Options {
	return harness.Options{
		Config: append([]string{"extendedTypesEnabled=true", "4lw.commands.whitelist=*", "maxClientCnxns=0"}, lines...),
		Props:  []string{"znode.container.checkIntervalMs=86400000"}, Ready: harness.ReadyFourLetter,
	}
}

// TestKill kills the server in the middle of a load.
func TestKill(t *testing.T) {
	control.Need(t)
	killRounds(t, 1, 12, 0)
}

// TestKillSoak is the long form: at least 200 rounds.
func TestKillSoak(t *testing.T) {
	control.Need(t)
	killRounds(t, uint64(time.Now().UnixNano()), 200, control.Soak(t))
}

func killRounds(t *testing.T, seed uint64, rounds int, least time.Duration) {
	t.Log("seed", seed)
	s := harness.StartOurs(t, settings())
	l := newLoad(t, s.Addr, 4, seed)
	rng := rand.New(rand.NewPCG(seed, 99))
	end := time.Now().Add(least)
	for i := 0; i < rounds || time.Now().Before(end); i++ {
		l.start()
		l.awaitProgress(t, 100+rng.IntN(1200))
		s.Kill()
		l.halt(t)
		if i%5 == 4 {
			checkOffline(t, s.Dir+"/data")
		}
		if err := s.Restart(); err != nil {
			t.Fatalf("round %d: %v", i, err)
		}
		l.check(t)
	}
	t.Log(l.acknowledged(), "writes acknowledged")
	s.Kill()
	checkOffline(t, s.Dir+"/data")
}
