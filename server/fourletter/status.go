package fourletter

import (
	"zk/server/figures"
	"zk/server/metrics/javatext"
)

// stat is srvr, and with the connections stat. Source: StatCommand, ServerStats.toString.
func (r *reply) stat(withClients bool) {
	r.line("Zookeeper version: ", r.srv.Version())
	if r.srv.ReadOnly() {
		r.line("READ-ONLY mode; serving only read-only clients")
	}
	if withClients {
		r.line("Clients:")
		for _, c := range r.srv.Connections() {
			r.connection(&c, true)
		}
		r.line()
	}
	s := r.srv.Stats()
	r.text("Latency min/avg/max: ")
	r.integer(s.LatencyMin)
	r.text("/")
	r.buf = javatext.AppendDouble(r.buf, s.LatencyAvg)
	r.text("/")
	r.integer(s.LatencyMax)
	r.endLine()
	r.pair("Received: ", s.Received)
	r.pair("Sent: ", s.Sent)
	r.pair("Connections: ", s.Connections)
	r.pair("Outstanding: ", s.Outstanding)
	r.line("Zxid: ", s.Zxid.String())
	r.line("Mode: ", s.Mode)
	r.pair("Node count: ", s.NodeCount)
	if s.Mode != figures.ModeLeader {
		return
	}
	r.text("Proposal sizes last/min/max: ")
	r.integer(s.Proposals.Last)
	r.text("/")
	r.integer(s.Proposals.Min)
	r.text("/")
	r.integer(s.Proposals.Max)
	r.endLine()
}

func (r *reply) cons() {
	for _, c := range r.srv.Connections() {
		r.connection(&c, false)
	}
	r.line()
}

// connection is one line of stat (brief) or cons. Source: ServerCnxn.dumpConnectionInfo.
func (r *reply) connection(c *figures.Conn, brief bool) {
	r.text(" ")
	r.buf = figures.AppendRemote(r.buf, c.Remote)
	r.text("[")
	r.hex(int64(c.InterestOps))
	r.text("](queued=")
	r.integer(c.Queued)
	r.text(",recved=")
	r.integer(c.Received)
	r.text(",sent=")
	r.integer(c.Sent)
	if !brief && c.Session != 0 {
		r.connectionSession(c)
	}
	r.line(")")
}

func (r *reply) connectionSession(c *figures.Conn) {
	r.text(",sid=0x")
	r.hex(int64(c.Session))
	r.text(",lop=")
	r.text(c.LastOp)
	r.text(",est=")
	r.integer(c.Established.UnixMilli())
	r.text(",to=")
	r.integer(c.TimeoutMillis)
	if c.LastCxid >= 0 {
		r.text(",lcxid=0x")
		r.hex(c.LastCxid)
	}
	r.text(",lzxid=0x")
	r.hex(int64(c.LastZxid))
	r.text(",lresp=")
	r.integer(c.LastResponseMillis)
	r.text(",llat=")
	r.integer(c.LastLatency)
	r.text(",minlat=")
	r.integer(c.MinLatency)
	r.text(",avglat=")
	r.integer(c.AvgLatency)
	r.text(",maxlat=")
	r.integer(c.MaxLatency)
}

// conf shows the settings in effect. Source: ZooKeeperServer.dumpConf.
func (r *reply) conf() {
	c := r.srv.Conf()
	r.pair("clientPort=", int64(c.ClientPort))
	r.pair("secureClientPort=", int64(c.SecureClientPort))
	r.line("dataDir=", c.DataDir)
	r.pair("dataDirSize=", c.DataDirBytes)
	r.line("dataLogDir=", c.DataLogDir)
	r.pair("dataLogSize=", c.DataLogDirBytes)
	r.pair("tickTime=", c.TickTimeMillis)
	r.pair("maxClientCnxns=", c.MaxClientCnxns)
	r.pair("minSessionTimeout=", c.MinSessionTimeoutMillis)
	r.pair("maxSessionTimeout=", c.MaxSessionTimeoutMillis)
	r.pair("clientPortListenBacklog=", int64(c.ListenBacklog))
	r.pair("serverId=", c.ServerID)
	if c.Quorum != nil {
		r.quorumConf(c.Quorum)
	}
}

// quorumConf ends without a newline when there is a membership. Source: QuorumZooKeeperServer.dumpConf.
func (r *reply) quorumConf(q *figures.QuorumConf) {
	r.pair("initLimit=", q.InitLimit)
	r.pair("syncLimit=", q.SyncLimit)
	r.pair("electionAlg=", int64(q.ElectionAlg))
	r.line("electionPort=", q.ElectionPort)
	r.line("quorumPort=", q.QuorumPort)
	peerType := int64(0)
	if q.Observer {
		peerType = 1
	}
	r.pair("peerType=", peerType)
	if q.Membership != "" {
		r.line("membership: ")
		r.text(q.Membership)
	}
}

func (r *reply) dirs() {
	dataBytes, logBytes := r.srv.DirSizes()
	r.pair("datadir_size: ", dataBytes)
	r.pair("logdir_size: ", logBytes)
}

func (r *reply) envi() {
	r.line("Environment:")
	for _, e := range r.srv.Environment() {
		r.line(e.Key, "=", e.Value)
	}
}

// hash shows zxids without "0x" and digests as signed numbers. Source: DigestCommand.
func (r *reply) hash() {
	for _, d := range r.srv.Digests() {
		r.hex(int64(d.Zxid))
		r.pair(": ", d.Value)
	}
}

func (r *reply) mntr() {
	r.line("zk_version\t", r.srv.Version())
	r.line("zk_server_state\t", r.srv.Stats().Mode)
	for _, e := range r.srv.MonitorHead() {
		r.line("zk_", e.Key, "\t", e.Value)
	}
	r.buf = r.srv.AppendMonitor(r.buf)
}
