package fourletter

import (
	"maps"
	"slices"
	"time"

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
			r.buf = figures.AppendRemote(r.buf, c.Remote)
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
	for _, id := range slices.SortedFunc(maps.Keys(bySession), figures.CompareSessions) {
		r.text("0x")
		r.hex(int64(id))
		r.line(":")
		paths := bySession[id]
		figures.SortPaths(r.srv, paths)
		for _, path := range paths {
			r.line("\t", path)
		}
	}
}

// watchesBySession is wchc. Source: WatchManager.dumpWatches.
func (r *reply) watchesBySession() {
	for _, w := range figures.WatchesBySession(r.srv) {
		r.text("0x")
		r.hex(int64(w.Session))
		r.endLine()
		for _, path := range w.Paths {
			r.line("\t", path)
		}
	}
	r.line()
}

// watchesByPath is wchp. Source: WatchManager.dumpWatches.
func (r *reply) watchesByPath() {
	all := figures.WatchesByPath(r.srv)
	for i, w := range all {
		if i == 0 || all[i-1].Path != w.Path {
			r.line(w.Path)
		}
		r.text("\t0x")
		r.hex(int64(w.Session))
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
