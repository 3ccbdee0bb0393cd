package admin

import (
	"net"
	"strconv"

	"zk/server/figures"
)

// The commands about the ensemble. Source: the classes of Commands that ask QuorumPeer, and MultipleAddresses
// for what an address looks like.

// leader names the leader.
func (c *call) leader() {
	q := c.server().Quorum()
	if q == nil {
		c.putError("server is not initialized")
		return
	}
	c.putBoolean("is_leader", q.Mode == figures.ModeLeader)
	c.putInteger("leader_id", q.Leader)
	ip := ""
	if m := q.Member(q.Leader); m != nil && len(m.QuorumAddresses) > 0 {
		ip, _, _ = net.SplitHostPort(m.QuorumAddresses[0])
	}
	c.putText("leader_ip", ip)
}

// observers lists those of a leader.
func (c *call) observers() {
	var list []figures.Learner
	synced := 0
	if q := c.server().Quorum(); q != nil {
		_, _, synced = q.Synced()
		for _, l := range q.Learners {
			if l.Observer {
				list = append(list, l)
			}
		}
	}
	c.putInteger("synced_observers", int64(synced))
	c.putArray("observers", func() {
		for i := range list {
			l := &list[i]
			c.item()
			c.object(func() {
				c.putText("remote_socket_address", "/"+l.Remote)
				c.putInteger("sid", l.ID)
				c.putInteger("established", l.Established.UnixMilli())
				c.putInteger("queued_packets", l.QueuedPackets)
				c.putInteger("queued_packets_size", l.QueuedBytes)
				c.putInteger("packets_received", l.PacketsReceived)
				c.putInteger("packets_sent", l.PacketsSent)
				c.putInteger("requests", l.Requests)
				c.putInteger("last_zxid", int64(l.LastZxid))
			})
		}
	})
}

// votingView lists the voters.
func (c *call) votingView() {
	q := c.server().Quorum()
	c.putObject("current_config", func() {
		if q == nil {
			return
		}
		for i := range q.Members {
			m := &q.Members[i]
			if m.Observer {
				continue
			}
			c.putObject(strconv.FormatInt(m.ID, 10), func() {
				c.putTexts("server_addresses", m.QuorumAddresses)
				c.putTexts("election_addresses", m.ElectionAddresses)
				c.putText("client_address", m.ClientAddress)
				c.putText("learner_type", "participant")
			})
		}
	})
}

// zabState is about this server. It is empty while there is no leader, and standalone.
func (c *call) zabState() {
	q := c.server().Quorum()
	if q == nil || q.Me() == nil || !c.server().Serving() {
		c.putBoolean("voting", false)
		c.putText("zabstate", "")
		return
	}
	me := q.Me()
	c.putInteger("myid", q.ServerID)
	c.putBoolean("is_leader", q.Mode == figures.ModeLeader)
	c.putAddresses("quorum_address", me.QuorumAddresses)
	c.putAddresses("election_address", me.ElectionAddresses)
	c.putText("client_address", me.ClientAddress)
	c.putBoolean("voting", !me.Observer)
	c.putText("last_zxid", q.LastZxid.String())
	c.putInteger("zab_epoch", int64(q.LastZxid.Epoch()))
	c.putInteger("zab_counter", int64(q.LastZxid.Counter()))
	c.putText("zabstate", q.ZabState)
}

// putAddresses writes addresses of one server as Java shows them. Whether they can be reached is not tried.
func (c *call) putAddresses(name string, list []string) {
	hosts, wildcards := make([]string, 0, len(list)), make([]string, 0, len(list))
	var ports []int64
	for _, a := range list {
		host, port, _ := net.SplitHostPort(a) // made by JoinHostPort
		hosts = append(hosts, host)
		wildcards = append(wildcards, net.JoinHostPort("0.0.0.0", port))
		n, _ := strconv.ParseInt(port, 10, 32)
		ports = append(ports, n)
	}
	first := append(list[:len(list):len(list)], "")[0]
	c.putObject(name, func() {
		c.putBoolean("empty", len(list) == 0)
		c.putTexts("all_addresses", list)
		c.putTexts("wildcard_addresses", wildcards)
		c.putArray("all_ports", func() {
			for _, p := range ports {
				c.item()
				c.integer(p)
			}
		})
		c.putTexts("all_host_strings", hosts)
		c.putText("reachable_address", first)
		c.putTexts("all_reachable_addresses", list)
		c.putTexts("all_reachable_addresses_or_all", list)
		c.putText("reachable_or_one", first)
		c.putText("one", first)
	})
}

func (c *call) putTexts(name string, list []string) {
	c.putArray(name, func() {
		for _, s := range list {
			c.item()
			c.text(s)
		}
	})
}
