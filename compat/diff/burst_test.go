package diff

import (
	"fmt"
	"slices"
	"strings"

	"zk/jute"
)

// sending is what one client sends in a burst: requests that concern nothing but what is below its home.
type sending struct {
	slot string
	rs   []req
}

// burst lets several clients send at the same time, in writes of cut bytes that take turns, so that
// frames arrive in pieces and many at once. How the clients' transactions mix is not promised; the order
// of each client's replies and events is. So the zxid of a change gets the name of the request that made it,
// the zxids of replies need only grow, and events of another client's home make a list of
// their own. A ping on every connection is the barrier after it.
func (p *player) burst(cut int, sendings ...sending) {
	sendings = slices.DeleteFunc(sendings, func(t sending) bool { return p.live[t.slot] == nil || len(t.rs) == 0 })
	if len(sendings) == 0 {
		return
	}
	p.drain()
	p.bursts++
	bytes := map[string][]byte{}
	xids := map[string][]int32{}
	for _, t := range sendings {
		for _, r := range t.rs {
			c := p.live[t.slot]
			b := c.frame(r)
			xids[t.slot] = append(xids[t.slot], c.xid)
			bytes[t.slot] = append(bytes[t.slot], b...)
		}
	}
	for left := true; left; {
		left = false
		for _, t := range sendings {
			b := bytes[t.slot]
			n := min(cut, len(b))
			if n > 0 {
				p.live[t.slot].write(b[:n])
				bytes[t.slot] = b[n:]
				left = true
			}
		}
	}
	frames := map[string][][]byte{}
	for _, t := range sendings {
		frames[t.slot] = p.live[t.slot].replies(len(t.rs))
	}
	p.each(func(slot string, c *conn) {
		r := ping()
		c.write(c.frame(r))
		frames[slot] = append(frames[slot], c.replies(1)...)
	})
	for _, t := range sendings {
		p.nameZxids(t, xids[t.slot], frames[t.slot])
	}
	for _, slot := range slots {
		if p.live[slot] != nil {
			p.recordBurst(slot, sendings, frames[slot])
		}
	}
}

// replies reads frames up to the n-th reply. There are fewer if the connection ends.
func (c *conn) replies(n int) [][]byte {
	var out [][]byte
	for n > 0 {
		b, err := c.raw.ReadFrame(stepTimeout)
		if err != nil {
			c.s.stop("%s: in a burst: %s", c.name, errKind(err))
		}
		out = append(out, b)
		if xid, _ := headerOf(b); xid != jute.XidNotification {
			n--
		}
	}
	return out
}

func headerOf(b []byte) (xid int32, zxid jute.Zxid) {
	d := jute.NewDecoder(b, 0)
	var h jute.ReplyHeader
	h.Decode(&d)
	return h.Xid, h.Zxid
}

// nameZxids names the zxids that a client's writes took.
func (p *player) nameZxids(t sending, xids []int32, frames [][]byte) {
	for _, b := range frames {
		xid, zxid := headerOf(b)
		if i := slices.Index(xids, xid); i >= 0 && takesZxid(t.rs[i].op) {
			p.s.named[zxid] = fmt.Sprintf("%s/%d.%d", p.live[t.slot].name, p.bursts, i)
		}
	}
}

func takesZxid(op jute.OpCode) bool {
	switch op {
	case jute.OpCreate, jute.OpCreate2, jute.OpDelete, jute.OpSetData, jute.OpMulti:
		return true
	}
	return false
}

// recordBurst records what one client got.
func (p *player) recordBurst(slot string, sendings []sending, frames [][]byte) {
	c := p.live[slot]
	did := c.name + ": burst"
	for _, t := range sendings {
		if t.slot == slot {
			for _, r := range t.rs {
				did += " | " + r.text
			}
		}
	}
	var got []string
	var last jute.Zxid
	others := map[string][]string{}
	for _, b := range frames {
		op := jute.OpCode(0)
		xid, _ := headerOf(b)
		if i := slices.IndexFunc(c.pending, func(q pendingReq) bool { return q.xid == xid }); i >= 0 {
			op = c.pending[i].op
		}
		res := &result{s: p.s}
		text, isReply := c.decode(b, res)
		switch {
		case op == jute.OpPing:
			continue
		case isReply:
			if res.zxid < last {
				got = append(got, "the zxid goes back")
			}
			last = res.zxid
			text = hideZxid(text)
			p.cover.reply(op, res)
			got = append(got, text)
			continue
		}
		p.cover.events(res)
		owner := slot
		for _, t := range sendings {
			if path := res.events[0].path; strings.HasPrefix(path, p.s.p(home(t.slot))) {
				owner = t.slot
			}
		}
		if owner == slot {
			got = append(got, text)
		} else {
			others[owner] = append(others[owner], text)
		}
	}
	p.s.record(did, got...)
	for _, owner := range slots {
		if len(others[owner]) > 0 {
			p.s.record(fmt.Sprintf("%s: events of %s's writes", c.name, owner), others[owner]...)
		}
	}
}
