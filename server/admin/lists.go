package admin

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	"zk/jute"
	"zk/server/figures"
)

func (c *call) connections() { c.connectionLists(false) }

func (c *call) stats() {
	c.serverStats()
	c.connectionLists(true)
}

// connectionLists writes plain and TLS connections.
func (c *call) connectionLists(brief bool) {
	all := c.server().Connections()
	for _, secure := range []bool{false, true} {
		name := "connections"
		if secure {
			name = "secure_connections"
		}
		c.putArray(name, func() {
			for i := range all {
				if all[i].Secure == secure {
					c.item()
					c.connection(&all[i], brief)
				}
			}
		})
	}
}

// connection writes one. Source: ServerCnxn.getConnectionInfo.
func (c *call) connection(v *figures.Conn, brief bool) {
	c.object(func() {
		c.member("remote_socket_address")
		c.address(v.Remote)
		c.putInteger("interest_ops", int64(v.InterestOps))
		c.putInteger("outstanding_requests", v.Queued)
		c.putInteger("packets_received", v.Received)
		c.putInteger("packets_sent", v.Sent)
		if brief {
			return
		}
		c.putInteger("session_id", int64(v.Session))
		c.putText("last_operation", v.LastOp)
		c.putInteger("established", v.Established.UnixMilli())
		c.putInteger("session_timeout", v.TimeoutMillis)
		c.putInteger("last_cxid", v.LastCxid)
		c.putInteger("last_zxid", int64(v.LastZxid))
		c.putInteger("last_response_time", v.LastResponseMillis)
		c.putInteger("last_latency", v.LastLatency)
		c.putInteger("min_latency", v.MinLatency)
		c.putInteger("avg_latency", v.AvgLatency)
		c.putInteger("max_latency", v.MaxLatency)
	})
}

// address writes what the words write, without the slash before it.
func (c *call) address(a netip.AddrPort) {
	if !a.IsValid() {
		c.null()
		return
	}
	c.text(strings.TrimPrefix(string(figures.AppendRemote(nil, a)), "/"))
}

// dump. Source: ZooKeeperServer.getSessionExpiryMap and getEphemerals.
func (c *call) dump() {
	sessions := c.server().Sessions()
	c.putObject("expiry_time_to_session_ids", func() {
		if sessions.Tracked == nil {
			return
		}
		for _, b := range sessions.Tracked.Buckets {
			c.memberInteger(b.AtMillis)
			c.sessions(b.IDs)
		}
	})
	ephemerals := c.server().Ephemerals()
	c.putObject("session_id_to_ephemeral_paths", func() {
		for _, id := range slices.SortedFunc(maps.Keys(ephemerals), figures.CompareSessions) {
			c.memberInteger(int64(id))
			c.paths(ephemerals[id])
		}
	})
}

func (c *call) sessions(ids []jute.SessionID) {
	c.array(func() {
		for _, id := range ids {
			c.item()
			c.integer(int64(id))
		}
	})
}

// paths writes them in order.
func (c *call) paths(paths []string) {
	figures.SortPaths(c.server(), paths)
	c.array(func() {
		for _, p := range paths {
			c.item()
			c.text(p)
		}
	})
}

// watchesBySession. Source: WatchesReport.toMap.
func (c *call) watchesBySession() {
	all := figures.WatchesBySession(c.server())
	c.putObject("session_id_to_watched_paths", func() {
		for _, w := range all {
			c.memberInteger(int64(w.Session))
			c.paths(w.Paths)
		}
	})
}

// watchesByPath. Source: WatchesPathReport.toMap.
func (c *call) watchesByPath() {
	all := figures.WatchesByPath(c.server())
	c.putObject("path_to_session_ids", func() {
		for len(all) > 0 {
			n := 1
			for n < len(all) && all[n].Path == all[0].Path {
				n++
			}
			c.member(all[0].Path)
			c.array(func() {
				for _, w := range all[:n] {
					c.item()
					c.integer(int64(w.Session))
				}
			})
			all = all[n:]
		}
	})
}
