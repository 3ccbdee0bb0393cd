package diff

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"zk/compat/harness"
)

// fourLetterWords are all words a server knows.
func fourLetterWords() []string {
	return []string{
		"ruok", "isro", "gtmk", "srvr", "stat", "conf", "cons", "crst", "srst", "dump", "envi", "dirs", "hash", "mntr", "wchs", "wchc", "wchp",
	}
}

func fourLetterCases() []testCase {
	return []testCase{
		{"word/plain", func(s *script) {
			s.word("ruok", nil)
			s.word("isro", nil)
			s.word("gtmk", nil)
			s.word("crst", nil)
			s.word("srst", nil)
			s.word("dirs", numbers)
			s.word("wchs", nil)
			s.word("wchc", nil)
			s.word("wchp", nil)
		}},
		{"word/srvr", func(s *script) {
			s.word("srvr", srvrNormal)
			c := s.conn("a")
			c.ok(create(s.p("/x"), 0))
			s.word("srvr", srvrNormal)
			s.word("stat", statNormal)
			c.end()
			s.word("srvr", srvrNormal)
		}},
		{"word/conf", func(s *script) { s.word("conf", confNormal) }},
		{"word/envi", func(s *script) { s.word("envi", keysOnly("=", enviAllowed)) }},
		{"word/mntr", wordMntr},
		{"word/cons", wordCons},
		{"word/watches", wordWatches},
		{"word/dump", wordDump},
		{"word/hash", wordHash},
		{"word/transport", wordTransport},
		{"word/trace-mask", wordTraceMask},
		{"word/ipv6", wordIPv6},
		{"word/counters", wordCounters},
	}
}

// whitelistCase runs with the whitelist "ruok, hash ,nosuch,,conf" and without the digest feature.
func whitelistCase() testCase {
	return testCase{"word/whitelist", func(s *script) {
		for _, w := range fourLetterWords() {
			switch w {
			case "srvr": // the zxid and the nodes depend on the cases before
				s.word(w, func(out string) string {
					return numbers(regexp.MustCompile(`0x[0-9a-f]+`).ReplaceAllString(srvrNormal(out), "N"))
				})
			case "conf":
				s.word(w, confNormal)
			case "hash": // so does the number of lines; without the digest feature all are 0
				s.word(w, func(out string) string { return clipText(out, len("80: 0\n")) })
			default:
				s.word(w, nil)
			}
		}
		s.word("nosuch"[:4], nil)
	}}
}

func clipText(s string, n int) string { return s[:min(len(s), n)] }

var (
	numberPattern  = regexp.MustCompile(`-?[0-9]+(\.[0-9]+)?`)
	sessionPattern = regexp.MustCompile(`0x[0-9a-f]{12,}`)
	opsPattern     = regexp.MustCompile(`\[[0-9]+\]`)
	queuedPattern  = regexp.MustCompile(`queued=[0-9]+`)
	portPattern    = regexp.MustCompile(`:[0-9]+\[`)
	datePattern    = regexp.MustCompile(`[A-Z][a-z]{2} [A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d \S+ \d{4}`)
)

// numbers hides every number.
func numbers(out string) string { return numberPattern.ReplaceAllString(out, "N") }

// sessionNames writes the ids of the script's sessions by name.
func (s *script) sessionNames(out string) string {
	return sessionPattern.ReplaceAllStringFunc(out, func(hex string) string {
		var id uint64
		_, _ = fmt.Sscanf(hex, "0x%x", &id)
		if name, ok := s.sessions[int64(id)]; ok {
			return "<" + name + ">"
		}
		return "<?>"
	})
}

// eachLine rewrites a reply line by line.
func eachLine(out string, f func(string) string) string {
	lines := strings.Split(out, "\n")
	for i, l := range lines {
		lines[i] = f(l)
	}
	return strings.Join(lines, "\n")
}

// srvrNormal keeps the layout, the zxid, the mode and the node count. The traffic figures depend on how
// often the runner asked.
func srvrNormal(out string) string {
	return eachLine(out, func(l string) string {
		switch key, _, _ := strings.Cut(l, ": "); key {
		case "Zookeeper version":
			if regexp.MustCompile(`^Zookeeper version: 3\.9\.5-.+, built on \d{4}-\d\d-\d\d \d\d:\d\d UTC$`).MatchString(l) {
				return "Zookeeper version: 3.9.5 as usual"
			}
		case "Latency min/avg/max", "Received", "Sent", "Connections":
			return numbers(l)
		}
		return l
	})
}

func statNormal(out string) string {
	head, clients, _ := strings.Cut(srvrNormal(out), "Clients:\n")
	clients, tail, _ := strings.Cut(clients, "\n\n")
	lines := strings.Split(portPattern.ReplaceAllString(clients, ":PORT["), "\n")
	for i, l := range lines {
		lines[i] = strings.Replace(l, "[5]", "[1]", 1) // what was sent is still being written, a matter of the microsecond
		if strings.Contains(l, "[0]") {
			lines[i] = " the connection of stat itself: " + numberless(l)
		}
	}
	slices.Sort(lines)
	return head + "Clients:\n" + strings.Join(lines, "\n") + "\n\n" + tail
}

func numberless(l string) string { return strings.Join(numberPattern.Split(l, -1), "") }

// confNormal hides what depends on the machine.
func confNormal(out string) string {
	return eachLine(out, func(l string) string {
		key, value, _ := strings.Cut(l, "=")
		switch key {
		case "clientPort", "dataDirSize", "dataLogSize":
			return key + "=" + numbers(value)
		case "dataDir", "dataLogDir":
			return key + "=.../" + value[strings.LastIndexByte(value, '/')+1:]
		}
		return l
	})
}

// keysOnly keeps the keys of "key<sep>value" lines, apart from the allowed ones.
func keysOnly(sep string, allowed func(string) bool) func(string) string {
	return func(out string) string {
		return eachLine(out, func(l string) string {
			key, _, found := strings.Cut(l, sep)
			if !found || allowed(key) {
				return l
			}
			return key
		})
	}
}

func enviAllowed(string) bool { return false }

// mntrServer are the families of mntr whose values must agree on a quiet server.
var mntrServer = []string{
	"zk_server_state", "zk_znode_count", "zk_watch_count", "zk_ephemerals_count", "zk_approximate_data_size", "zk_global_sessions", "zk_local_sessions",
	"zk_outstanding_requests", "zk_connection_drop_probability", "zk_outstanding_tls_handshake", "zk_uptime",
}

func wordMntr(s *script) {
	c := s.conn("a")
	c.ok(create(s.p("/e"), 1), get(s.p("/e"), true), children(s.root, true), addWatch(s.root, 1))
	out, err := harness.FourLetter(s.addr, "mntr")
	if err != nil {
		s.stop("mntr: %v", err)
	}
	var keys, values []string
	for line := range strings.Lines(out) {
		key, value, found := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if !found {
			s.record("mntr: a line without a tab", line)
			continue
		}
		if strings.HasPrefix(key, "zk_jvm_") || strings.HasPrefix(key, "zk_process_") || strings.HasPrefix(key, "zk_disk_") ||
			strings.HasSuffix(key, "_apply_stop_time_ms") || key == "zk_ephemerals_refused_count" {
			continue
		}
		keys = append(keys, key)
		if slices.Contains(mntrServer, key) && key != "zk_uptime" {
			values = append(values, key+"="+value)
		}
	}
	slices.Sort(keys)
	slices.Sort(values)
	s.record("mntr: values", values...)
	s.record("mntr: keys", keys...)
	s.record("mntr: version", fmt.Sprint(strings.Contains(out, "zk_version\t3.9.5-")))
	c.end()
}

// pause lets a server finish the books on what it has sent, which Java keeps behind the reply.
func pause() { time.Sleep(50 * time.Millisecond) }

func wordCons(s *script) {
	c, d := s.conn("a"), s.conn("b")
	c.ok(create(s.p("/x"), 0), get(s.p("/x"), false), exists("/", false), set(s.p("/x"), "yy", -1))
	d.ok(ping())
	hide := regexp.MustCompile(`(est|lresp|llat|minlat|avglat|maxlat)=[0-9]+`)
	norm := func(out string) string {
		out = hide.ReplaceAllString(portPattern.ReplaceAllString(s.sessionNames(out), ":PORT["), "$1=N")
		lines := strings.Split(out, "\n")
		for i, l := range lines {
			if l != "" && !strings.Contains(l, "sid=") {
				lines[i] = " the connection of cons itself: " + numberless(l)
			}
			// A matter of the microsecond: the answer is written before the books are.
			lines[i] = queuedPattern.ReplaceAllString(opsPattern.ReplaceAllString(lines[i], "[OPS]"), "queued=N")
		}
		slices.Sort(lines)
		return strings.Join(lines, "\n")
	}
	pause()
	s.word("cons", norm)
	// What was sent is counted a moment after it was sent.
	sent := regexp.MustCompile(`sent=[0-9]+`)
	unsent := func(out string) string { return sent.ReplaceAllString(norm(out), "sent=N") }
	last := []req{
		exists("/", false), get("/", false), children("/", false), children2("/", false), getACL("/"), setACL(s.p("/x"), open(), -1), create(s.p("/y"), 1), create2(s.p("/z"), 0),
		createContainer(s.p("/c")), del(s.p("/z"), -1), set(s.p("/x"), "", -1), syncPath("/"), multi(), multiRead(), s.setWatches(0, watchLists{}), s.setWatches2(0, watchLists{}),
		addWatch("/", 0), checkWatches("/", 3), removeWatches("/", 3), whoAmI(), ephemerals(null), allChildren("/"), reconfig(null, null, null, -1), ping(), digestAuth("a:b"),
		sasl([]byte{}), get("/nosuch", false), create(s.p("/x"), 0), exists("/", false).withXid(-77),
	}
	for _, r := range last {
		c.look(r)
		s.word("cons", unsent)
	}
	pause()
	s.word("cons", norm)
	s.word("crst", nil)
	s.word("cons", norm)
	c.end()
	d.end()
}

func wordWatches(s *script) {
	c, d := s.conn("a"), s.conn("b")
	n := s.p("/n")
	c.ok(create(n, 0), get(n, true), children(n, true), addWatch(s.root, 1))
	d.look(exists(n, true), exists(s.p("/no"), true), addWatch(n, 0), children("/", true))
	s.word("wchs", nil)
	s.word("wchc", s.watchesNormal)
	s.word("wchp", s.watchesNormal)
	c.end()
	s.word("wchs", nil)
	s.word("wchc", s.watchesNormal)
	s.word("wchp", s.watchesNormal)
	d.end()
}

func wordDump(s *script) {
	s.word("dump", s.dumpNormal)
	c, d := s.conn("a"), s.conn("b")
	c.ok(create(s.p("/e2"), 1), create(s.p("/e1"), 1))
	s.word("dump", s.dumpNormal)
	d.ok(create(s.p("/e3"), 1))
	s.word("dump", s.dumpNormal)
	c.end()
	d.end()
	s.word("dump", s.dumpNormal)
}

// watchesNormal sorts wchc or wchp: blocks are a line and the tabbed lines under it; neither order is promised.
func (s *script) watchesNormal(out string) string {
	var blocks []string
	for line := range strings.Lines(s.sessionNames(out)) {
		if strings.HasPrefix(line, "\t") && len(blocks) > 0 {
			blocks[len(blocks)-1] += line
			continue
		}
		blocks = append(blocks, line)
	}
	for i, b := range blocks {
		lines := strings.SplitAfter(b, "\n")
		slices.Sort(lines[1:])
		blocks[i] = strings.Join(lines, "")
	}
	slices.Sort(blocks)
	return strings.Join(blocks, "")
}

// dumpNormal keeps layout and content; how sessions and connections fall into buckets is a matter of the
// millisecond.
func (s *script) dumpNormal(out string) string {
	section := ""
	var lines []string
	for line := range strings.Lines(datePattern.ReplaceAllString(s.sessionNames(out), "DATE")) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case !strings.HasPrefix(line, "\t") && strings.Contains(line, " expire at "):
			continue
		case strings.HasPrefix(line, "\t"):
			lines = append(lines, section+" | "+regexp.MustCompile(`127\.0\.0\.1:\d+`).ReplaceAllString(line, "ADDR"))
			continue
		}
		section = line
		if strings.Contains(line, "Session Sets") || strings.Contains(line, "Connections Sets") {
			section = regexp.MustCompile(`\(\d+\)/`).ReplaceAllString(line, "(N)/")
		}
		lines = append(lines, section)
	}
	// The word's own connection comes and goes.
	lines = slices.DeleteFunc(lines, func(l string) bool { return strings.Contains(l, "sessionId: 0x0") })
	// Sessions with ephemerals come in any order.
	heads := slices.DeleteFunc(slices.Clone(lines), func(l string) bool { return strings.Contains(l, "<") })
	slices.Sort(lines)
	return strings.Join(heads, "\n") + "\n" + strings.Join(lines, "\n")
}

func wordHash(s *script) {
	c := s.conn("a")
	for i := range 300 {
		c.ok(create(s.p(fmt.Sprintf("/n%03d", i)), 0))
	}
	// The digests hold times; the zxids are the same.
	s.word("hash", func(out string) string {
		return eachLine(out, func(l string) string {
			zxid, digest, _ := strings.Cut(l, ": ")
			return zxid + ": " + numbers(digest)
		})
	})
	c.end()
}

func wordTransport(s *script) {
	for i, pieces := range [][]string{
		{"ru", "ok"}, {"r", "u", "o", "k"}, {"ruok\n"}, {"ruok\r\n"}, {"ruokruok"}, {"ruok", " and more"}, {"isro\x00\x00\x00\x00"},
		{"RUOK"}, {"Ruok"}, {"xxxx"}, {"help"}, {"quit"}, {"    "}, {"ru\nok"}, {"\xff\xf4\xff\xfd"}, {"\xff\xf4\xff\xfd\x06"},
	} {
		c := s.dial(fmt.Sprintf("c%d", i))
		for k, piece := range pieces {
			if k > 0 {
				time.Sleep(5 * time.Millisecond)
			}
			c.write([]byte(piece))
		}
		out, closed := c.raw.ReadRaw(closeWait)
		s.record(fmt.Sprintf("%q", pieces), fmt.Sprintf("%q closed=%v", out, closed))
	}
	s.dev("fourletter-drain", func() {
		// Much input behind the word does not cost the reply.
		for range 20 {
			c := s.dial("d")
			c.write([]byte("ruok" + strings.Repeat("x", 60_000)))
			out, closed := c.raw.ReadRaw(closeWait)
			s.expect(string(out) == "imok" && closed, "ruok with much behind it: %q closed=%v", out, closed)
		}
	})
}

func wordTraceMask(s *script) {
	for i, mask := range [][]byte{{0, 0, 0, 0, 0, 0, 0, 2}, {0, 0, 0, 0, 0, 0, 1, 0x32}} {
		c := s.dial(fmt.Sprintf("c%d", i))
		c.write(append([]byte("stmk"), mask...))
		out, closed := c.raw.ReadRaw(closeWait)
		s.record(fmt.Sprintf("stmk %x", mask), fmt.Sprintf("%q closed=%v", out, closed))
		s.word("gtmk", nil)
	}
}

// wordIPv6 shows how connections over IPv6 are written.
func wordIPv6(s *script) {
	if !haveIPv6() {
		return
	}
	c := s.dial6("a")
	c.connectNew()
	c.ok(get("/", true))
	lines := func(out string) string {
		var got []string
		for line := range strings.Lines(s.sessionNames(out)) {
			if strings.Contains(line, "::") || strings.Contains(line, "0:0:0") {
				got = append(got, regexp.MustCompile(`\]:[0-9]+`).ReplaceAllString(opsPattern.ReplaceAllString(numberPattern.ReplaceAllString(line, "N"), "[OPS]"), "]:PORT"))
			}
		}
		return strings.Join(got, "")
	}
	for _, w := range []string{"stat", "cons", "dump"} {
		s.word(w, lines)
	}
	c.end()
}

// notCounted are families that hold times, process figures or how often the server was asked, and our own.
var notCounted = regexp.MustCompile(`_ms$|_time$|latency$|uptime|descriptor|response_(bytes|size)|_queue_size|zk_version|fsynctime|outstanding_changes|_processor_request_queued|response_packet_|^zk_disk_|ephemerals_refused`)

// wordCounters compares what is counted from srst on.
func wordCounters(s *script) {
	c, w := s.conn("a"), s.conn("w")
	w.ok(addWatch(s.root, 1), get(s.root, true))
	pause() // Java counts a reply after it has sent it
	s.word("srst", nil)
	c.ok(create(s.p("/x"), 0), get(s.p("/x"), false), set(s.p("/x"), "y", -1), exists("/", false), ping(), multi(create(s.p("/y"), 0), del(s.p("/y"), -1)))
	c.look(create(s.p("/x"), 0), get(s.p("/no"), false))
	w.drain()
	d := s.conn("d")
	d.end()
	pause()
	s.word("srvr", func(out string) string {
		return eachLine(out, func(l string) string {
			if key, _, _ := strings.Cut(l, ": "); key == "Received" || key == "Sent" || key == "Connections" || key == "Zxid" {
				return l
			}
			return ""
		})
	})
	out, err := harness.FourLetter(s.addr, "mntr")
	if err != nil {
		s.stop("mntr: %v", err)
	}
	lines := slices.Collect(strings.Lines(out))
	slices.Sort(lines)
	for _, line := range lines {
		if key, value, _ := strings.Cut(strings.TrimSpace(line), "\t"); !notCounted.MatchString(key) {
			s.record("mntr: "+key, value)
		}
	}
	c.end()
	w.end()
}
