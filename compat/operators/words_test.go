package operators

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// words are compared on every member; what sets figures back has a test of its own.
func words() []string {
	return strings.Fields("ruok isro gtmk srvr stat conf cons dump envi dirs hash wchs wchc wchp mntr")
}

var (
	sessionPattern = regexp.MustCompile(`0x[0-9a-f]{12,}`)
	numberPattern  = regexp.MustCompile(`-?[0-9]+(\.[0-9]+)?`)
)

// hidden are, by word, what a pattern finds and what takes its place: times, traffic, ports, the machine.
func hidden(word string) [][2]string {
	switch word {
	case "srvr", "stat":
		return [][2]string{
			{`(?m)^(Latency min/avg/max|Received|Sent): .*`, "$1: #"},
			{`(?m)^ /127\.0\.0\.1:\d+\[\d+\]\(queued=\d+,recved=\d+,sent=\d+\)`, " a client"},
			{`-[0-9a-f]{40}, built on \d{4}-\d\d-\d\d \d\d:\d\d UTC`, ""},
		}
	case "cons":
		return [][2]string{
			{`127\.0\.0\.1:\d+\[\d+\]`, "ADDR"},
			{`(queued|recved|sent|est|lcxid|lresp|llat|minlat|avglat|maxlat)=(0x)?[0-9a-f]+`, "$1=#"},
			{`(lop|lzxid)=\w+`, "$1=#"}, // a ping may have come since
		}
	case "conf":
		return [][2]string{{`(dataDirSize|dataLogSize)=\d+`, "$1=#"}}
	case "dump":
		return [][2]string{
			{`(?m)^\d+ expire at .*\n`, ""}, {`(Sets) \(\d+\)/`, "$1 (#)/"}, {`127\.0\.0\.1:\d+`, "ADDR"},
			{`(?m)^.*sessionId: 0x0\n`, ""}, // of the word itself
		}
	case "dirs":
		return [][2]string{{`\d+`, "#"}}
	case "hash":
		return [][2]string{{`: \d+`, ": #"}}
	case "envi":
		return [][2]string{{`=.*`, ""}}
	}
	return nil
}

// normal is what must be the same of a word's reply: its lines, in order of the alphabet.
func (f *fleet) normal(word, text string) []string {
	text = sessionPattern.ReplaceAllStringFunc(text, func(hex string) string {
		id, _ := strconv.ParseUint(hex[2:], 16, 64)
		if name, ok := f.names[int64(id)]; ok {
			return name
		}
		return hex
	})
	for _, rule := range hidden(word) {
		text = regexp.MustCompile(rule[0]).ReplaceAllString(text, rule[1])
	}
	text = f.ports.ReplaceAllStringFunc(text, func(port string) string { return f.portNames[port] })
	for _, s := range f.e.Servers {
		text = strings.ReplaceAll(text, s.Dir, "DIR")
	}
	lines := strings.Split(text, "\n")
	slices.Sort(lines)
	return lines
}

// compareWords asks every member of both.
func compareWords(t *testing.T, both [2]*fleet) {
	for id := 1; id <= observer; id++ {
		for _, word := range words() {
			compareWord(t, both, id, word)
		}
	}
}

func compareWord(t *testing.T, both [2]*fleet, id int, word string) {
	t.Helper()
	compare(t, both, id, word, func(f *fleet) []string {
		text := f.word(id, word)
		if word == "mntr" {
			return f.figures(text)
		}
		return f.normal(word, text)
	})
}

// compareTries is how often both are asked until they say the same: connections that were closed a moment ago are
// still counted, and a client that has come back may be slower with one.
const compareTries = 30

// compare asks a member of both, and tells of differences that last and are not expected.
func compare(t *testing.T, both [2]*fleet, id int, what string, ask func(*fleet) []string) {
	t.Helper()
	var lines []string
	for try := range compareTries {
		if try > 0 {
			time.Sleep(100 * time.Millisecond)
		}
		lines = slices.DeleteFunc(difference(ask(both[0]), ask(both[1])), expected)
		if len(lines) == 0 {
			return
		}
	}
	for _, line := range lines {
		t.Errorf("server %d, a %s: %s: %s", id, both[0].member(id).Mode(), what, line)
	}
}

// difference gives the lines that only one has, "-" for Java's and "+" for ours.
func difference(java, ours []string) (lines []string) {
	count := map[string]int{}
	for _, l := range java {
		count[l]++
	}
	for _, l := range ours {
		count[l]--
	}
	for l, n := range count {
		for range max(n, -n) {
			sign := "- "
			if n < 0 {
				sign = "+ "
			}
			lines = append(lines, sign+l)
		}
	}
	slices.Sort(lines)
	return lines
}

// sameFigures are the families of mntr and /metrics whose values must be the same.
func sameFigures() []string {
	return strings.Fields(`server_state peer_state observer_master_id
		znode_count ephemerals_count watch_count global_sessions local_sessions outstanding_requests num_alive_connections
		quorum_size learners synced_followers synced_non_voting_followers synced_observers pending_syncs
		last_proposal_size min_proposal_size max_proposal_size
		proposal_count commit_count learner_proposal_received_count learner_commit_received_count
		quit_leading_due_to_disloyal_voter
		connection_drop_probability auth_failed_count non_mtls_local_conn_count non_mtls_remote_conn_count outstanding_tls_handshake
		digest_mismatches_count stale_sessions_expired connection_rejected unrecoverable_error_count`)
}

// counts tells whether a figure counts something since the start.
func counts(name string) bool {
	if strings.Contains(name, "quantile=") {
		return false // of the last minutes only, and often 0
	}
	if regexp.MustCompile(`^cnt_|_count(\{.*\})?$`).MatchString(name) {
		return true
	}
	return !regexp.MustCompile(`^(avg|min|max|sum|p\d+)_|\{|_sum$|latency$|_size$|_time$|^uptime|_uptime$|descriptor|^approximate`).MatchString(name)
}

// figures are the keys of mntr, with the values that must be the same, and whether they count something.
func (f *fleet) figures(text string) (lines []string) {
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if name := strings.TrimPrefix(key, "zk_"); !own(name) {
			lines = append(lines, figure(name, value))
		}
	}
	return lines
}
