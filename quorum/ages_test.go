package quorum

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"zk/jute"
)

// TestAges: many transactions of a millisecond are one run; what has fallen out of the ring has no age.
func TestAges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a ages
		now := time.Now().UnixMilli()
		first := jute.NewZxid(3, 1)
		for i := range 1000 {
			a.add(first+jute.Zxid(i), now-100+int64(i/10)) // ten a millisecond
		}
		a.add(first, now) // a repetition
		type told struct {
			millis int64
			n      int
		}
		ask := func(after, upTo jute.Zxid) (list []told) {
			a.tell(func(millis int64, n int) { list = append(list, told{millis, n}) }, after, upTo)
			return list
		}
		for _, c := range []struct {
			after, upTo jute.Zxid
			want        []told
		}{
			{first - 1, first, []told{{100, 1}}},
			{0, first, []told{{100, 1}}},
			{first - 1, first + 9, []told{{100, 10}}},
			{first + 4, first + 24, []told{{98, 5}, {99, 10}, {100, 5}}},
			{first + 989, first + 5000, []told{{1, 10}}},
			{first + 999, first + 5000, nil},
			{first + 5, first + 5, nil},
		} {
			if got := ask(c.after, c.upTo); !slices.Equal(got, c.want) {
				t.Errorf("(%v, %v]: %v, want %v", c.after, c.upTo, got, c.want)
			}
		}
		for i := range agesMax {
			a.add(first+jute.Zxid(1000+i), now+int64(i))
		}
		n := 0
		for _, v := range ask(0, first+5000) {
			n += v.n
		}
		if n != agesMax {
			t.Errorf("%d have an age, want %d", n, agesMax)
		}
		if got := ask(0, first+999); got != nil {
			t.Errorf("what has fallen out: %v", got)
		}
		a.tell(nil, 0, first)
	})
}

func TestProposedAt(t *testing.T) {
	h := jute.TxnHeader{ClientID: 1, Cxid: 2, Zxid: 3, Time: 1234567890123, Type: jute.OpCreate}
	b := h.Append(nil)
	if got := proposedAt(b); got != h.Time {
		t.Errorf("%d, want %d", got, h.Time)
	}
	if got := proposedAt(b[:27]); got != 0 {
		t.Errorf("%d of what is too short", got)
	}
}
