package history

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"zk/jute"
)

// Rules say what the servers have promised.
type Rules struct {
	// Ensemble is set when a client may read from a server that is behind: only a read behind a sync is of what is
	// there now, the others are of the moment that their zxid says.
	Ensemble bool
	// Lingering are times in which a leader that has been replaced may have answered a sync, since it did not know
	// yet. ZooKeeper promises nothing else.
	Lingering []Span
}

// Span is a part of the time of a history.
type Span struct{ From, To int64 }

// current reports whether an operation must see what was there between its call and its return.
func (rules Rules) current(r *Record) bool {
	if !rules.Ensemble || r.write() || r.kind == end {
		return true
	}
	return r.synced && !slices.ContainsFunc(rules.Lingering, func(s Span) bool { return r.call <= s.To && s.From <= r.ret })
}

// Judge gives what is wrong with a history; queue is what the queue holds at the end.
func Judge(h *History, w World, queue []string, rules Rules) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var wrong []string
	for client, stream := range h.streams {
		wrong = append(wrong, checkStream(client, stream)...)
	}
	wrong = append(wrong, checkZxids(h.records, rules)...)
	wrong = append(wrong, checkMoments(h.records)...)
	wrong = append(wrong, checkQueue(h.records, queue)...)
	wrong = append(wrong, checkMoney(h.records)...)
	if len(wrong) > 0 {
		return wrong // where there is no order, a search for one takes for ever
	}
	return linear(h.records, w, queue, rules)
}

// shown gives the versions that a reply shows, by path.
func shown(r *Record) map[string]int32 {
	v := map[string]int32{}
	if r.code == jute.CodeOk && (r.kind == get || r.kind == set || r.kind == transfer || r.kind == audit) {
		for _, c := range r.cells {
			v[c.path] = c.version
		}
	}
	return v
}

// checkStream checks what came to one session, in its order.
func checkStream(client int, stream []item) (wrong []string) {
	report := func(format string, args ...any) {
		wrong = append(wrong, fmt.Sprintf("client %d: ", client)+fmt.Sprintf(format, args...))
	}
	var zxid jute.Zxid
	versions := map[string]int32{}
	armed := map[string]int32{}
	for _, i := range stream {
		if i.reply == nil {
			at, ok := armed[i.event]
			if !ok {
				report("event of %s, which it does not watch", i.event)
			}
			delete(armed, i.event)
			versions[i.event] = max(versions[i.event], at+1)
			continue
		}
		r := i.reply
		if r.zxid < zxid {
			report("zxid goes back from %v to %v: %v", zxid, r.zxid, r)
		}
		zxid = max(zxid, r.zxid)
		if r.mzxid > r.zxid || r.kind == set && r.code == jute.CodeOk && r.mzxid != r.zxid {
			report("mzxid is not that of the reply's time: %v", r)
		}
		for path, version := range shown(r) {
			if version < versions[path] {
				report("%s goes back from version %d to %d: %v", path, versions[path], version, r)
			}
			versions[path] = version
			if at, ok := armed[path]; ok && at != version {
				report("version %d of %s before the event, watched since %d: %v", version, path, at, r)
				delete(armed, path)
			}
			if r.watch {
				armed[path] = version
			}
		}
	}
	return wrong
}

// checkZxids checks that zxids agree with the order in time of all operations on all objects.
func checkZxids(records []*Record, rules Rules) (wrong []string) {
	type moment struct {
		at    int64
		begin bool
		r     *Record
	}
	var list []moment
	by := map[jute.Zxid]*Record{}
	for _, r := range records {
		if !r.Known() || r.kind == end || !rules.current(r) {
			continue
		}
		if r.write() {
			if other := by[r.zxid]; other != nil {
				wrong = append(wrong, fmt.Sprintf("two writes with one zxid: %v and %v", r, other))
			}
			by[r.zxid] = r
			list = append(list, moment{r.ret, false, r})
		}
		list = append(list, moment{r.call, true, r})
	}
	slices.SortStableFunc(list, func(a, b moment) int {
		if a.at == b.at && a.begin != b.begin { // touching operations are concurrent
			if a.begin {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.at, b.at)
	})
	var last *Record
	for _, m := range list {
		switch {
		case !m.begin:
			if last == nil || m.r.zxid > last.zxid {
				last = m.r
			}
		case last == nil:
		case m.r.zxid < last.zxid, m.r.write() && m.r.zxid == last.zxid:
			wrong = append(wrong, fmt.Sprintf("begun after %v was answered, but before it in zxids: %v", last, m.r))
		}
	}
	return wrong
}

// checkQueue checks the sequential nodes against what is there at the end.
func checkQueue(records []*Record, queue []string) (wrong []string) {
	there := map[string]bool{}
	for _, name := range queue {
		there[name] = true
	}
	var done []*Record
	maybe := 0
	for _, r := range records {
		switch {
		case r.kind != append_:
		case !r.Known():
			maybe++
		case r.code == jute.CodeOk:
			done = append(done, r)
		default:
			wrong = append(wrong, fmt.Sprintf("a sequential create failed: %v", r))
		}
	}
	slices.SortFunc(done, func(a, b *Record) int { return cmp.Compare(a.zxid, b.zxid) })
	last := -1
	for _, r := range done {
		name := r.name[len(r.path)+1:]
		n, err := strconv.Atoi(name[len("n-"):])
		if err != nil || n <= last {
			wrong = append(wrong, fmt.Sprintf("number %d after %d: %v", n, last, r))
		}
		last = n
		if !there[name] {
			wrong = append(wrong, fmt.Sprintf("acknowledged, and not there at the end: %v", r))
		}
	}
	if extra := len(queue) - len(done); extra > maybe {
		wrong = append(wrong, fmt.Sprintf("%d nodes of the queue come from nowhere: %d acknowledged, %d perhaps", extra-maybe, len(done), maybe))
	}
	return wrong
}

// checkMoney checks that each look at all accounts finds all the money.
func checkMoney(records []*Record) (wrong []string) {
	for _, r := range records {
		if r.kind != audit || r.code != jute.CodeOk {
			continue
		}
		sum := 0
		for _, c := range r.cells {
			n, err := strconv.Atoi(c.value)
			if err != nil {
				wrong = append(wrong, fmt.Sprintf("no number: %v", r))
			}
			sum += n
		}
		if sum != accounts*balance {
			wrong = append(wrong, fmt.Sprintf("%d in all, there is %d: %v", sum, accounts*balance, r))
		}
	}
	return wrong
}
