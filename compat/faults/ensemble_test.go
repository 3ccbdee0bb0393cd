package faults

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"zk/compat/control"
)

// roundFaults is how many faults a round has; what clients don't know of their writes would be too much to judge
// otherwise.
const roundFaults = 6

// TestThree lets every fault happen to three voters and an observer.
func TestThree(t *testing.T) {
	r := newRig(t, seed(t, 1), 3, 1, true)
	r.all(slices.Concat(processes(), partitions(), diskFaults()))
}

// TestFive lets the faults happen to five voters that three don't have.
func TestFive(t *testing.T) {
	r := newRig(t, seed(t, 2), 5, 0, false)
	r.all(slices.Concat(slices.DeleteFunc(partitions(), func(f fault) bool { return f.voters < 5 }), processes()[:1]))
}

// all lets faults happen once each, in some order.
func (r *rig) all(faults []fault) {
	faults = r.possible(faults)
	r.rng.Shuffle(len(faults), func(i, j int) { faults[i], faults[j] = faults[j], faults[i] })
	for part := range slices.Chunk(faults, roundFaults) {
		d := r.startRound()
		for _, f := range part {
			d.happen(f)
		}
		d.finish()
	}
	r.t.Logf("%d times a server had lost its memory and got it back", r.rejoin)
}

// TestSoak lets faults happen at random until SOAK_MINUTES are over, to three voters, to three and an observer, and
// to five and an observer.
func TestSoak(t *testing.T) {
	end := time.Now().Add(control.Soak(t))
	first := seed(t, uint64(time.Now().UnixNano()))
	shapes := [][2]int{{3, 1}, {5, 1}, {3, 0}}
	for seed := first; time.Now().Before(end) && !t.Failed(); seed++ {
		shape := shapes[seed%uint64(len(shapes))]
		t.Run("ensemble", func(t *testing.T) {
			t.Logf("%d voters, %d observers: %s=%d begins here", shape[0], shape[1], seedEnv, seed)
			r := newRig(t, seed, shape[0], shape[1], true)
			faults := r.possible(slices.Concat(processes(), partitions(), diskFaults()))
			for range 5 {
				if !time.Now().Before(end) || t.Failed() {
					return
				}
				r.random(faults)
			}
		})
	}
}

// random is a round of faults drawn at random.
func (r *rig) random(faults []fault) {
	d := r.startRound()
	for range roundFaults {
		d.happen(pick(r.rng, faults))
	}
	d.finish()
}

func pick(rng *rand.Rand, faults []fault) fault { return faults[rng.IntN(len(faults))] }
