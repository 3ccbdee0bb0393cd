package admin

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"zk/server/figures"
)

// command is a row of the table.
type command struct {
	names   []string // the primary one first
	serving bool     // needs a server that serves
	post    bool     // only by POST; else only by GET and HEAD
	list    bool     // its answer may be long
	// access judges the caller; nil lets everybody in.
	access func(*Handler, *http.Request) (refusal, bool)
	run    func(*call)
}

func (c *command) method() string {
	if c.post {
		return http.MethodPost
	}
	return http.MethodGet
}

// commands is the table, in order of the primary names. Source: Commands.
func commands() []command {
	closed := (*Handler).admit
	proven := (*Handler).authorize
	return []command{
		{names: []string{"configuration", "conf", "config"}, serving: true, access: closed, run: (*call).configuration},
		{names: []string{"connection_stat_reset", "crst"}, serving: true, run: func(c *call) { c.server().ResetConnections() }},
		{names: []string{"connections", "cons"}, serving: true, list: true, access: closed, run: (*call).connections},
		{names: []string{"dirs"}, serving: true, run: (*call).dirs},
		{names: []string{"dump"}, serving: true, list: true, access: closed, run: (*call).dump},
		{names: []string{"environment", "env", "envi"}, access: closed, run: func(c *call) { c.pairs(c.server().Environment()) }},
		{names: []string{"get_trace_mask", "gtmk"}, run: func(c *call) { c.putInteger("tracemask", c.server().TraceMask()) }},
		{names: []string{"hash"}, serving: true, run: (*call).hash},
		{names: []string{"initial_configuration", "icfg"}, serving: true, access: closed, run: (*call).initialConfiguration},
		{names: []string{"is_read_only", "isro"}, serving: true, run: func(c *call) { c.putBoolean("read_only", c.server().ReadOnly()) }},
		{names: []string{"last_snapshot", "lsnp"}, serving: true, run: (*call).lastSnapshot},
		{names: []string{"leader", "lead"}, serving: true, run: (*call).leader},
		{names: []string{"monitor", "mntr"}, run: (*call).monitor},
		{names: []string{"observer_connection_stat_reset", "orst"}, serving: true, run: func(*call) {}},
		{names: []string{"observers", "obsr"}, serving: true, run: (*call).observers},
		{names: []string{"restore", "rest"}, serving: true, post: true, access: proven, run: (*call).restore},
		{names: []string{"ruok"}, serving: true, run: func(*call) {}},
		{names: []string{"server_stats", "srvr"}, serving: true, run: (*call).serverStats},
		{names: []string{"set_trace_mask", "stmk"}, run: (*call).setTraceMask},
		{names: []string{"snapshot", "snap"}, serving: true, access: proven, run: (*call).snapshot},
		{names: []string{"stat_reset", "srst"}, serving: true, run: func(c *call) { c.server().ResetStats() }},
		{names: []string{"stats", "stat"}, serving: true, list: true, access: closed, run: (*call).stats},
		{names: []string{"system_properties", "sysp"}, access: closed, run: func(c *call) { c.pairs(c.server().SystemProperties()) }},
		{names: []string{"voting_view"}, serving: true, run: (*call).votingView},
		{names: []string{"watch_summary", "wchs"}, serving: true, run: (*call).watchSummary},
		{names: []string{"watches", "wchc"}, serving: true, list: true, access: closed, run: (*call).watchesBySession},
		{names: []string{"watches_by_path", "wchp"}, serving: true, list: true, access: closed, run: (*call).watchesByPath},
		{names: []string{"zabstate"}, run: (*call).zabState},
	}
}

func (c *call) server() Server { return c.h.opt.Server }

// pairs writes a member for each.
func (c *call) pairs(list []figures.KeyValue) {
	for _, e := range list {
		c.putText(e.Key, e.Value)
	}
}

// configuration. Source: ZooKeeperServerConf.toMap.
func (c *call) configuration() {
	v := c.server().Conf()
	c.putInteger("client_port", int64(v.ClientPort))
	c.putText("data_dir", v.DataDir)
	c.putText("data_log_dir", v.DataLogDir)
	c.putInteger("tick_time", v.TickTimeMillis)
	c.putInteger("max_client_cnxns", v.MaxClientCnxns)
	c.putInteger("min_session_timeout", v.MinSessionTimeoutMillis)
	c.putInteger("max_session_timeout", v.MaxSessionTimeoutMillis)
	c.putInteger("server_id", v.ServerID)
	c.putInteger("client_port_listen_backlog", int64(v.ListenBacklog))
}

func (c *call) dirs() {
	data, log := c.server().DirSizes()
	c.putInteger("datadir_size", data)
	c.putInteger("logdir_size", log)
}

// hash. Source: DataTree.ZxidDigest.
func (c *call) hash() {
	c.putArray("digests", func() {
		for _, d := range c.server().Digests() {
			c.item()
			c.object(func() {
				c.putInteger("zxid", int64(d.Zxid))
				c.putInteger("digest", d.Value)
				c.putInteger("digest_version", digestVersion)
			})
		}
	})
}

// digestVersion is the way in which digests are computed. Source: DigestCalculator.
const digestVersion = 2

// initialConfiguration is null without a file.
func (c *call) initialConfiguration() {
	c.member("initial_configuration")
	if text := c.server().InitialConfiguration(); text != "" {
		c.text(text)
	} else {
		c.null()
	}
}

func (c *call) lastSnapshot() {
	zxid, at := c.server().LastSnapshot()
	seconds := int64(-1)
	if zxid >= 0 {
		seconds = at.Unix()
	}
	c.putText("zxid", strconv.FormatUint(uint64(zxid), 16))
	c.putInteger("timestamp", seconds)
}

// monitor has the figures of mntr.
func (c *call) monitor() {
	s := c.server()
	c.putText("version", s.Version())
	c.putText("server_state", s.Stats().Mode)
	c.pairs(s.MonitorHead())
	for line := range strings.Lines(string(s.AppendMonitor(nil))) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		c.member(strings.TrimPrefix(key, "zk_"))
		if _, err := strconv.ParseFloat(value, 64); err != nil || strings.ContainsAny(value, "NI") { // NaN, Infinity
			c.text(value)
		} else {
			c.buf = append(c.buf, value...)
		}
	}
}

func (c *call) serverStats() {
	s := c.server()
	v := s.Stats()
	data, log := s.DirSizes()
	c.putText("version", s.Version())
	c.putBoolean("read_only", s.ReadOnly())
	c.putObject("server_stats", func() {
		c.putInteger("packets_sent", v.Sent)
		c.putInteger("packets_received", v.Received)
		c.putInteger("fsync_threshold_exceed_count", v.FsyncThresholdExceeded)
		c.sizes("client_response_stats", v.Responses)
		c.putInteger("data_dir_size", data)
		c.putInteger("log_dir_size", log)
		c.putBoolean("provider_null", false)
		c.putInteger("last_processed_zxid", int64(v.Zxid))
		c.putInteger("outstanding_requests", v.Outstanding)
		c.putText("server_state", v.Mode)
		c.putDouble("avg_latency", v.LatencyAvg)
		c.putInteger("max_latency", v.LatencyMax)
		c.putInteger("min_latency", v.LatencyMin)
		c.putInteger("num_alive_client_connections", v.Connections)
		c.putInteger("uptime", v.UptimeMillis)
		c.putInteger("auth_failed_count", v.AuthFailed)
		c.putInteger("non_mtlsremote_conn_count", v.NonMTLSRemote)
		c.putInteger("non_mtlslocal_conn_count", v.NonMTLSLocal)
	})
	c.sizes("client_response", v.Responses)
	if v.Mode == figures.ModeLeader {
		c.sizes("proposal_stats", v.Proposals)
	}
	c.putInteger("node_count", v.NodeCount)
}

func (c *call) sizes(name string, s figures.Sizes) {
	c.putObject(name, func() {
		c.putInteger("last_buffer_size", s.Last)
		c.putInteger("min_buffer_size", s.Min)
		c.putInteger("max_buffer_size", s.Max)
	})
}

func (c *call) setTraceMask() {
	const wrong = "setTraceMask requires long traceMask argument"
	values := c.query["traceMask"]
	if len(values) == 0 {
		c.putError(wrong)
		return
	}
	mask, err := strconv.ParseInt(values[0], 10, 64)
	if err != nil {
		c.putError(wrong + ", got " + values[0])
		return
	}
	c.server().SetTraceMask(mask)
	c.putInteger("tracemask", mask)
}

func (c *call) watchSummary() {
	v := c.server().WatchSummary()
	c.putInteger("num_connections", int64(v.Watchers))
	c.putInteger("num_paths", int64(v.Paths))
	c.putInteger("num_total_watches", int64(v.Watches))
}

// parameter is the first value of an argument.
func (c *call) parameter(name, unset string) string {
	return append(slices.Clip(c.query[name]), unset)[0]
}
