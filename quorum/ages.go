package quorum

import (
	"encoding/binary"
	"time"

	"zk/jute"
)

// agesMax bounds the runs that ages keeps: at one a millisecond they reach back a quarter of a second, and as
// long as it takes to propose in 256 different ones.
const agesMax = 256

// ages knows when the recent transactions of a term were proposed, by the leader's clock: that stands in their
// headers. Those of one millisecond are kept as one run, so that remembering them costs a comparison. What is no
// longer there has no age. It belongs to the term's lock.
type ages struct {
	runs     [agesMax]ageRun // a ring
	first, n int
	base     jute.Zxid // the transaction before the first run's
}

// ageRun are transactions up to last, behind those of the run before.
type ageRun struct {
	last   jute.Zxid
	millis int64 // since 1970
}

// add notes the next transaction.
func (a *ages) add(z jute.Zxid, millis int64) {
	if a.n == 0 {
		a.base = z - 1
	} else if r := a.run(a.n - 1); z <= r.last || r.millis == millis {
		r.last = max(r.last, z) // a leader may repeat what is here
		return
	}
	if a.n == agesMax {
		a.base = a.runs[a.first].last
		a.first = (a.first + 1) % agesMax
		a.n--
	}
	a.n++
	*a.run(a.n - 1) = ageRun{z, millis}
}

func (a *ages) run(i int) *ageRun { return &a.runs[(a.first+i)%agesMax] }

// tell tells a hook, if there is one, how old the transactions in (after, upTo] are, in milliseconds, newest first,
// with the number of those of one age.
func (a *ages) tell(hook func(millis int64, n int), after, upTo jute.Zxid) {
	if hook == nil || upTo <= after || a.n == 0 {
		return
	}
	now := time.Now().UnixMilli()
	for i := a.n - 1; i >= 0; i-- {
		r, from := a.run(i), a.base
		if i > 0 {
			from = a.run(i - 1).last
		}
		if r.last <= after {
			return
		}
		if n := int(min(r.last, upTo) - max(from, after)); n > 0 {
			hook(now-r.millis, n)
		}
	}
}

// proposedAt reads the time out of a transaction's header; 0 from what is too short to have one.
func proposedAt(txn []byte) int64 {
	const at = 8 + 4 + 8 // client, cxid, zxid (jute.TxnHeader)
	if len(txn) < at+8 {
		return 0
	}
	return int64(binary.BigEndian.Uint64(txn[at:]))
}
