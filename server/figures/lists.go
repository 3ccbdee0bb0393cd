package figures

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"zk/jute"
)

// CompareSessions orders ids as they are printed in hex, unsigned.
func CompareSessions(a, b jute.SessionID) int { return cmp.Compare(uint64(a), uint64(b)) }

// restSteps is a number of comparisons, or of watches looked at, that take some 100 us.
const restSteps = 2048

// sortInSteps sorts a list of any length, with rests.
func sortInSteps[T any](s Server, list []T, compare func(a, b T) int) {
	n := 0
	slices.SortFunc(list, func(a, b T) int {
		if n++; n%restSteps == 0 {
			s.Rest()
		}
		return compare(a, b)
	})
}

// SortPaths puts paths in order. There may be millions: it rests now and then.
func SortPaths(s Server, paths []string) { sortInSteps(s, paths, strings.Compare) }

// Watch is a pair of the data watch table.
type Watch struct {
	Path    string
	Session jute.SessionID
}

// watches collects the pairs, because the table has them in no order. They share their paths with it.
func watches(s Server) []Watch {
	var all []Watch
	s.EachWatch(func(path string, session jute.SessionID) {
		if all = append(all, Watch{Path: path, Session: session}); len(all)%restSteps == 0 {
			s.Rest()
		}
	})
	return all
}

// SessionWatches are the paths on which a session has data watches.
type SessionWatches struct {
	Session jute.SessionID
	Paths   []string
}

// WatchesBySession lists the data watches by session, then path. A session all of whose watches have
// fired is in it without a path, as in Java.
func WatchesBySession(s Server) []SessionWatches {
	paths := map[jute.SessionID][]string{}
	s.EachWatcher(func(session jute.SessionID) { paths[session] = nil })
	for _, w := range watches(s) {
		paths[w.Session] = append(paths[w.Session], w.Path)
	}
	all := make([]SessionWatches, 0, len(paths))
	for _, session := range slices.SortedFunc(maps.Keys(paths), CompareSessions) {
		SortPaths(s, paths[session])
		all = append(all, SessionWatches{Session: session, Paths: paths[session]})
	}
	return all
}

// WatchesByPath lists the data watches by path, then session.
func WatchesByPath(s Server) []Watch {
	all := watches(s)
	sortInSteps(s, all, func(a, b Watch) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), CompareSessions(a.Session, b.Session))
	})
	return all
}

// AppendRemote appends an address as Java's InetSocketAddress prints one whose name was never looked
// up: a slash before it, IPv6 in brackets and with all eight groups. "null" stands for a closed socket.
func AppendRemote(dst []byte, a netip.AddrPort) []byte {
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
