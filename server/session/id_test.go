package session

import (
	"encoding/hex"
	"math"
	"testing"

	"zk/jute"
)

func constant(v uint64) func() uint64 { return func() uint64 { return v } }

func TestIDLayout(t *testing.T) {
	const ms = 0x19_1234_5678_9a // 40 bits of it stay
	g := NewIDGenerator(1, ms, constant(0))
	if id := g.Next(ms); id != 0x01_123456789a_0001 {
		t.Errorf("id %#x", int64(id))
	}
	if id := g.Next(ms + 5); id != 0x01_123456789f_0001 {
		t.Errorf("the clock is not followed: %#x", int64(id))
	}
	if id := NewIDGenerator(0xfe, ms, constant(0)).Next(ms); uint64(id)>>56 != 0xfe {
		t.Errorf("server id in %#x", int64(id))
	}
}

func TestIDsGrow(t *testing.T) {
	state := uint64(1)
	g := NewIDGenerator(1, 1000, func() uint64 { state = state*6364136223846793005 + 1442695040888963407; return state >> 20 })
	last := jute.SessionID(0)
	for i := range 10_000 {
		id := g.Next(1000 + int64(i%7)) // a clock that is set back again and again
		if id <= last {
			t.Fatalf("id %#x after %#x", int64(id), int64(last))
		}
		last = id
	}
	after := NewIDGenerator(1, 1000, constant(0)) // restart, clock behind the ids
	after.Observe(last)
	after.Observe(last - 1)
	after.Observe(last + 2<<56) // another server's
	if id := after.Next(1000); id != last+1 {
		t.Errorf("id %#x after a restart, want %#x", int64(id), int64(last+1))
	}
}

func TestIDsForbidden(t *testing.T) {
	// The step to 2^56 wraps to the id a container's owner mark, or 0, would be.
	for _, server := range []uint8{0, 0x80} {
		g := NewIDGenerator(server, 0, constant(math.MaxUint64))
		g.last = idBits - 0xffff
		if id := g.Next(0); uint64(id)&idBits == 0 {
			t.Errorf("server %d: id %#x", server, uint64(id))
		}
	}
}

func TestObserveOfAnOverflowedClock(t *testing.T) {
	g := NewIDGenerator(1, 5, constant(0))
	g.Observe(jute.SessionID(1<<56 | idBits))
	if id := g.Next(5); id != 1<<56|5<<16+1 {
		t.Errorf("id %#x", int64(id))
	}
}

// TestJavaPasswd has passwords computed with java.util.Random on OpenJDK.
func TestJavaPasswd(t *testing.T) {
	for id, want := range map[uint64]string{
		1:                  "054cc74a37327db215e702e20c73f005",
		0x100001818580000:  "9a61d9fe1f1ccc22089fc0a8002fe709",
		0x2000012345670003: "38c39ad2dc7b5a75ace0bc1e52915f48",
		0x7fffffffffffffff: "20f62cb5648dc2d771471c8a2486a9ee",
		0x8000000000000000: "f22acd4a97e69d6d20a49bb638eadb38",
		0xffffffffffffffff: "20f62cb5648dc2d771471c8a2486a9ee",
	} {
		p := JavaPasswords()
		got := p.Make(jute.SessionID(id))
		if hex.EncodeToString(got[:]) != want || !p.Check(jute.SessionID(id), got[:]) {
			t.Errorf("id %#x: %x, want %s", id, got, want)
		}
	}
}

func TestPasswordCheck(t *testing.T) {
	secret := []byte("a secret")
	p := NewPasswords(secret)
	secret[0] = 'b'
	good := p.Make(7)
	same, other := NewPasswords([]byte("a secret")).Make(7), NewPasswords(secret).Make(7)
	if good != same || good == other || good == JavaPasswords().Make(7) || good == p.Make(8) {
		t.Error("passwords don't depend on id and secret alone")
	}
	bad := good
	bad[15] ^= 1
	zero := p.Make(0)
	for name, c := range map[string]struct {
		id     jute.SessionID
		passwd []byte
		want   bool
	}{
		"good": {7, good[:], true}, "one bit": {7, bad[:], false}, "other id": {8, good[:], false},
		"null": {7, nil, false}, "short": {7, good[:15], false}, "long": {7, append(good[:], 0), false},
		"id 0": {0, zero[:], false},
	} {
		if p.Check(c.id, c.passwd) != c.want {
			t.Errorf("%s: %v", name, !c.want)
		}
	}
}
