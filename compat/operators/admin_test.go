package operators

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// commands are the AdminServer's, but for those that change something or are about the machine. system_properties
// has Java's own.
func commands() []string {
	return strings.Fields(`configuration connections dirs dump environment get_trace_mask hash initial_configuration is_read_only last_snapshot leader
		observers ruok server_stats stats voting_view watch_summary watches watches_by_path zabstate monitor`)
}

// compareCommands asks the AdminServer of every member of both.
func compareCommands(t *testing.T, both [2]*fleet) {
	for id := 1; id <= observer; id++ {
		for _, name := range commands() {
			compare(t, both, id, name, func(f *fleet) []string {
				v := f.command(id, name)
				if name != "monitor" {
					return f.members(name, "", v)
				}
				var text strings.Builder
				for key, value := range v {
					fmt.Fprintf(&text, "zk_%s\t%v\n", key, value)
				}
				return f.figures(text.String())
			})
		}
	}
}

// varies are members that hold times, traffic, ports, or what is about the machine.
var varies = regexp.MustCompile(`\.(established|last_response_time|last_latency|min_latency|avg_latency|max_latency|uptime|data_dir_size|log_dir_size|datadir_size|logdir_size|timestamp|` +
	`digest|packets_received|packets_sent|last_cxid|last_operation|last_zxid|outstanding_requests|interest_ops|queued_packets|queued_packets_size|requests|` +
	`last_buffer_size|min_buffer_size|max_buffer_size|version|initial_configuration|fsync_threshold_exceed_count)$|^environment\.|^last_snapshot\.zxid`)

// exact are members that varies would hide, but whose values must be the same.
var exact = regexp.MustCompile(`^(server_stats|stats)\..*proposal_stats|^zabstate\.last_zxid|^hash\.digests\.digest_version`)

// members gives a line for each member of a JSON value, whose path it begins with: the value, or its type where it
// varies. Elements of arrays have no order, and how sessions share the times at which they expire is a matter of the moment.
func (f *fleet) members(path, key string, v any) (lines []string) {
	switch {
	case path == "dump.expiry_time_to_session_ids" && len(v.([]any)) == 0:
		return nil // no session expires then
	case path == "dump.expiry_time_to_session_ids":
		path += ".TIME"
	case key != "":
		path += "." + f.named(key)
	}
	switch v := v.(type) {
	case map[string]any:
		lines = append(lines, path+" is an object")
		for k, e := range v {
			lines = append(lines, f.members(path, k, e)...)
		}
	case []any:
		if !strings.HasSuffix(path, ".TIME") {
			lines = append(lines, path+" is an array")
		}
		for _, e := range v {
			lines = append(lines, f.members(path, "", e)...)
		}
	default:
		text := f.named(fmt.Sprint(v))
		if varies.MatchString(path) && !exact.MatchString(path) {
			text = fmt.Sprintf("a %T", v)
		}
		lines = append(lines, path+" = "+text)
	}
	return lines
}

// named puts names in the place of sessions, ports and folders.
func (f *fleet) named(text string) string {
	if id, err := strconv.ParseInt(text, 10, 64); err == nil && f.names[id] != "" {
		return f.names[id]
	}
	text = f.ports.ReplaceAllStringFunc(text, func(port string) string { return f.portNames[port] })
	for _, s := range f.e.Servers {
		text = strings.ReplaceAll(text, s.Dir, "DIR")
	}
	return regexp.MustCompile(`127\.0\.0\.1:\d+`).ReplaceAllString(text, "ADDR")
}
