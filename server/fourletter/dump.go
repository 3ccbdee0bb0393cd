package fourletter

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"zk/jute"
	"zk/server/figures"
	"zk/server/metrics/javatext"
)

// dump shows sessions, ephemeral nodes and connections. Source: DumpCommand, ExpiryQueue.dump,
// LearnerSessionTracker.dumpSessions, DataTree.dumpEphemerals.
func (r *reply) dump() {
	r.line("SessionTracker dump:")
	r.sessions(r.srv.Sessions())
	r.line("ephemeral nodes dump:")
	r.ephemerals()
	r.line("Connections dump:")
	r.connectionBuckets()
}

func (r *reply) sessions(s figures.Sessions) {
	if s.Local != nil {
		r.text("Local ")
		r.sessionBuckets(s.Local)
	}
	if s.Tracked != nil {
		if s.Local != nil {
			r.text("Global ")
		}
		r.sessionBuckets(s.Tracked)
		return
	}
	r.text("Global Sessions(")
	r.integer(int64(len(s.Global)))
	r.line("):")
	for _, g := range s.Global {
		r.text("0x")
		r.hex(int64(g.ID))
		r.text("\t")
		r.integer(int64(g.TimeoutMillis))
		r.line("ms")
	}
}

func (r *reply) sessionBuckets(s *figures.SessionBuckets) {
	r.text("Session ")
	r.bucketsHead(len(s.Buckets), s.Count)
	for _, b := range s.Buckets {
		r.bucketHead(len(b.IDs), b.At)
		for _, id := range b.IDs {
			r.text("\t0x")
			r.hex(int64(id))
			r.endLine()
		}
	}
}

func (r *reply) connectionBuckets() {
	buckets := r.srv.ConnectionBuckets()
	conns := 0
	for _, b := range buckets {
		conns += len(b.Conns)
	}
	r.text("Connections ")
	r.bucketsHead(len(buckets), conns)
	for _, b := range buckets {
		r.bucketHead(len(b.Conns), b.At)
		for _, c := range b.Conns {
			r.text("\tip: ")
			r.buf = appendRemote(r.buf, c.Remote)
			r.text(" sessionId: 0x")
			r.hex(int64(c.Session))
			r.endLine()
		}
	}
}

func (r *reply) bucketsHead(buckets, entries int) {
	r.text("Sets (")
	r.integer(int64(buckets))
	r.text(")/(")
	r.integer(int64(entries))
	r.line("):")
}

func (r *reply) bucketHead(entries int, at time.Time) {
	r.integer(int64(entries))
	r.text(" expire at ")
	r.buf = javatext.AppendDate(r.buf, at)
	r.line(":")
}

func (r *reply) ephemerals() {
	bySession := r.srv.Ephemerals()
	r.text("Sessions with Ephemerals (")
	r.integer(int64(len(bySession)))
	r.line("):")
	for _, id := range slices.SortedFunc(maps.Keys(bySession), compareSessions) {
		r.text("0x")
		r.hex(int64(id))
		r.line(":")
		paths := bySession[id]
		slices.Sort(paths)
		for _, path := range paths {
			r.line("\t", path)
		}
	}
}

// compareSessions orders ids as they are printed, unsigned.
func compareSessions(a, b jute.SessionID) int { return cmp.Compare(uint64(a), uint64(b)) }

// watch is a pair of the data watch table.
type watch struct {
	path    string
	session jute.SessionID
}

// watches collects the pairs, because the table has them in no order. They share their paths with it.
func (r *reply) watches() []watch {
	var all []watch
	r.srv.EachWatch(func(path string, session jute.SessionID) {
		all = append(all, watch{path: path, session: session})
	})
	return all
}

// watchesBySession is wchc. Source: WatchManager.dumpWatches.
func (r *reply) watchesBySession() {
	all := r.watches()
	slices.SortFunc(all, func(a, b watch) int {
		return cmp.Or(compareSessions(a.session, b.session), cmp.Compare(a.path, b.path))
	})
	for i, w := range all {
		if i == 0 || all[i-1].session != w.session {
			r.text("0x")
			r.hex(int64(w.session))
			r.endLine()
		}
		r.line("\t", w.path)
	}
	r.line()
}

// watchesByPath is wchp. Source: WatchManager.dumpWatches.
func (r *reply) watchesByPath() {
	all := r.watches()
	slices.SortFunc(all, func(a, b watch) int {
		return cmp.Or(cmp.Compare(a.path, b.path), compareSessions(a.session, b.session))
	})
	for i, w := range all {
		if i == 0 || all[i-1].path != w.path {
			r.line(w.path)
		}
		r.text("\t0x")
		r.hex(int64(w.session))
		r.endLine()
	}
	r.line()
}

// watchSummary is wchs. Source: WatchManager.toString.
func (r *reply) watchSummary() {
	s := r.srv.WatchSummary()
	r.integer(int64(s.Watchers))
	r.text(" connections watching ")
	r.integer(int64(s.Paths))
	r.line(" paths")
	r.pair("Total watches:", int64(s.Watches))
}

// appendRemote appends an address as Java's InetSocketAddress prints one whose name was never looked
// up: a slash before it, IPv6 in brackets and with all eight groups. "null" stands for a closed socket.
func appendRemote(dst []byte, a netip.AddrPort) []byte {
	if !a.IsValid() {
		return append(dst, "null"...)
	}
	dst = append(dst, '/')
	ip := a.Addr().Unmap()
	if ip.Is4() {
		dst = ip.AppendTo(dst)
	} else {
		groups := ip.As16()
		dst = append(dst, '[')
		for i := 0; i < len(groups); i += 2 {
			if i > 0 {
				dst = append(dst, ':')
			}
			dst = strconv.AppendUint(dst, uint64(groups[i])<<8|uint64(groups[i+1]), 16)
		}
		if zone := ip.Zone(); zone != "" {
			dst = append(append(dst, '%'), zone...)
		}
		dst = append(dst, ']')
	}
	dst = append(dst, ':')
	return strconv.AppendUint(dst, uint64(a.Port()), 10)
}
