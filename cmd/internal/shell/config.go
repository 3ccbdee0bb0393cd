package shell

import (
	"context"
	"slices"
	"strconv"
	"strings"
)

func runConfig(ctx context.Context, c *call) error {
	data, stat, err := c.zk.Config(ctx, c.has("w"))
	if err != nil {
		return err
	}
	text := string(data)
	if data == nil {
		text = "null"
	}
	if c.has("c") {
		text = connectString(text)
	}
	c.println(text)
	if c.has("s") {
		c.printStat(&stat)
	}
	return nil
}

// connectString is a configuration's version and, after a blank, the client addresses of its servers.
// (ConfigUtils.getClientConfigStr; Java gives the servers in the order of a hash table)
func connectString(config string) string {
	version := ""
	var clients []string
	for line := range strings.Lines(config) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch {
		case key == "version":
			version = value
		case strings.HasPrefix(key, "server."):
			addr := ""
			if servers, at, ok := strings.Cut(value, ";"); ok {
				addr = at
				if !strings.Contains(at, ":") {
					// A port alone: the server is reached under the name it has for its peers.
					host, _, _ := strings.Cut(servers, ":")
					if strings.HasPrefix(servers, "[") {
						host, _, _ = strings.Cut(servers[1:], "]")
					}
					addr = host + ":" + at
				}
			}
			clients = append(clients, addr)
		}
	}
	return version + " " + strings.Join(clients, ",")
}

func runReconfig(ctx context.Context, c *call) error {
	whole, parts := c.has("file") || c.has("members"), c.has("add") || c.has("remove")
	if !whole && !parts {
		return c.command.wrong()
	}
	version := int64(-1)
	if c.has("v") {
		var err error
		if version, err = strconv.ParseInt(c.values["v"], 16, 64); err != nil {
			return fail("-v must be followed by a long (configuration version)")
		}
	}
	if whole && parts {
		return fail("Can't use -file or -members together with -add or -remove (mixing incremental" +
			" and non-incremental modes is not allowed)")
	}
	if c.has("file") && c.has("members") {
		return fail("Can't use -file and -members together (conflicting non-incremental modes)")
	}
	lower := func(name string) *string {
		if !c.has(name) {
			return nil
		}
		v := strings.ToLower(c.values[name])
		return &v
	}
	members := lower("members")
	if c.has("file") {
		text, err := readFile(c.values["file"])
		if err != nil {
			return fail("Error processing " + c.values["file"] + ": " + err.Error())
		}
		list := membership(string(text))
		members = &list
	}
	config, stat, err := c.zk.Reconfig(ctx, lower("add"), lower("remove"), members, version)
	if err != nil {
		return err
	}
	c.println("Committed new configuration:\n" + string(config))
	if c.has("s") {
		c.printStat(&stat)
	}
	return nil
}

// membership picks the lines of a configuration file that say who belongs to the ensemble; the server
// checks them.
func membership(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if slices.ContainsFunc([]string{"server.", "group.", "weight."}, func(p string) bool {
			return strings.HasPrefix(line, p)
		}) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}
