package shell

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"zk/cmd/internal/client"
	"zk/jute"
)

// command is an entry of the table.
type command struct {
	name  string
	usage string // behind the name
	// detailed adds the list of options to the usage that a wrong call prints.
	detailed bool
	options  []option
	// exclusive lets one of the options be given, required asks for it.
	exclusive, required bool
	// argsMin is the least number of arguments, the command's name included; run checks what is more.
	argsMin int
	// builtin commands work without a connection.
	builtin func(ctx context.Context, s *Shell, words []string) error
	run     func(ctx context.Context, c *call) error
}

// call is one use of a command.
type call struct {
	*Shell
	*parsed
	command *command
	words   []string
}

// parse reads the words of a call.
func (c *command) parse(words []string) (*call, error) {
	p := parser{options: c.options, exclusive: c.exclusive, required: c.required}
	out, err := p.parse(words)
	if err != nil {
		return nil, err
	}
	if len(out.args) < c.argsMin {
		return nil, c.wrong()
	}
	return &call{parsed: out, command: c, words: words}, nil
}

// wrong is the error of a call that is not as the usage says.
func (c *command) wrong() error {
	text := c.name + " " + c.usage
	if c.detailed {
		text += "\n" + optionHelp(c.options)
	}
	return fail(text)
}

// oldWatch takes the old form "name path watch" for "name -w path", as Java still does: it puts -w in the
// place of the third word, whatever that is.
func (c *call) oldWatch(now string) error {
	if len(c.args) <= 2 {
		return nil
	}
	c.errln("'" + c.command.name + " path [watch]' has been deprecated. Please use '" + now + "' instead.")
	words := slices.Clone(c.words)
	words[2] = "-w"
	p := parser{options: c.command.options}
	out, err := p.parse(words)
	if err != nil {
		return err
	}
	c.parsed = out
	return nil
}

// version is the value of -v, -1 without it.
func (c *call) version() (int32, error) {
	if !c.has("v") {
		return -1, nil
	}
	n, err := strconv.ParseInt(c.values["v"], 10, 32)
	if err != nil {
		return 0, fail("For input string: \"" + c.values["v"] + "\"")
	}
	return int32(n), nil
}

// printStat prints a Stat as -s asks for.
func (c *call) printStat(s *jute.Stat) {
	_, _ = c.out.Write([]byte(statText(s, c.opts.Zone)))
}

// commands is the table, sorted by name.
func commands() []command {
	flag := func(name, help string) option { return option{name: name, help: help} }
	value := func(name, help string) option { return option{name: name, arg: true, help: help} }
	quota := func(arg bool) []option {
		return []option{
			{"n", arg, "num soft quota"}, {"b", arg, "bytes soft quota"}, {"N", arg, "num hard quota"}, {"B", arg, "bytes hard quota"},
		}
	}
	table := []command{
		{name: "addWatch", argsMin: 2, options: []option{value("m", "")}, run: runAddWatch,
			usage: "[-m mode] path # optional mode is one of [PERSISTENT, PERSISTENT_RECURSIVE] - default is PERSISTENT_RECURSIVE"},
		{name: "addauth", usage: "scheme auth", argsMin: 2, run: runAddAuth},
		{name: "close", run: runClose},
		{name: "config", usage: "[-c] [-w] [-s]", run: runConfig,
			options: []option{flag("s", "stats"), flag("w", "watch"), flag("c", "client connection string")}},
		{name: "connect", usage: "host:port", builtin: runConnect},
		{name: "create", usage: "[-s] [-e] [-c] [-t ttl] path [data] [acl]", argsMin: 2, run: runCreate,
			options: []option{flag("e", "ephemeral"), flag("s", "sequential"), flag("c", "container"), value("t", "ttl")}},
		{name: "delete", usage: "[-v version] path", argsMin: 2, options: []option{value("v", "version")}, run: runDelete},
		{name: "deleteall", usage: "path [-b batch size]", argsMin: 2, options: []option{value("b", "batch size")}, run: runDeleteAll},
		{name: "delquota", usage: "[-n|-b|-N|-B] path", argsMin: 2, options: quota(false), exclusive: true, run: runDelQuota},
		{name: "get", usage: "[-s] [-w] [-b] [-x] path", detailed: true, argsMin: 2, run: runGet, options: []option{
			flag("s", "Print znode stats additionally"), flag("w", "Watch for changes on the znode"),
			flag("b", "Output data in base64 format"), flag("x", "Output data in hexdump format"),
		}},
		{name: "getAcl", usage: "[-s] path", argsMin: 2, options: []option{flag("s", "stats")}, run: runGetACL},
		{name: "getAllChildrenNumber", usage: "path", argsMin: 2, run: runGetAllChildrenNumber},
		{name: "getEphemerals", usage: "path", run: runGetEphemerals},
		{name: "history", builtin: runHistory},
		{name: "listquota", usage: "path", argsMin: 2, run: runListQuota},
		{name: "ls", usage: "[-s] [-w] [-R] path", run: runLs,
			options: []option{flag("?", "help"), flag("s", "stat"), flag("w", "watch"), flag("R", "recurse")}},
		{name: "printwatches", usage: "on|off", builtin: runPrintWatches},
		{name: "quit", builtin: runQuit},
		{name: "reconfig", run: runReconfig, usage: "[-s] [-v version] [[-file path] | " +
			"[-members serverID=host:port1:port2;port3[,...]*]] | [-add serverId=host:port1:port2;port3[,...]]* [-remove serverId[,...]*]",
			options: []option{
				flag("s", "stats"), value("v", "required current config version"),
				value("file", "path of config file to parse for membership"),
				value("members", "comma-separated list of config strings for non-incremental reconfig"),
				value("add", "comma-separated list of config strings for new servers"),
				value("remove", "comma-separated list of server IDs to remove"),
			}},
		{name: "redo", usage: "cmdno", builtin: runRedo},
		{name: "removewatches", usage: "path [-c|-d|-a] [-l]", argsMin: 2, run: runRemoveWatches, options: []option{
			flag("c", "child watcher type"), flag("d", "data watcher type"), flag("p", "persistent watcher type"),
			flag("r", "persistent recursive watcher type"), flag("a", "any watcher type"),
			flag("l", "remove locally when there is no server connection"),
		}},
		{name: "set", usage: "path data [-s] [-v version] [-b]", detailed: true, argsMin: 3, run: runSet, options: []option{
			flag("s", "Print znode stats additionally"), value("v", "Set with an expected version"),
			flag("b", "Supply data in base64 format"),
		}},
		{name: "setAcl", usage: "[-s] [-v version] [-R] path acl", argsMin: 3, run: runSetACL,
			options: []option{flag("s", "stats"), value("v", "version"), flag("R", "recursive")}},
		{name: "setquota", usage: "-n|-b|-N|-B val path", argsMin: 2, options: quota(true), exclusive: true, required: true, run: runSetQuota},
		{name: "stat", usage: "[-w] path", argsMin: 2, options: []option{flag("w", "watch")}, run: runStat},
		{name: "sync", usage: "path", argsMin: 2, run: runSync},
		{name: "version", run: runVersion},
		{name: "whoami", run: runWhoAmI},
	}
	slices.SortFunc(table, func(a, b command) int { return strings.Compare(a.name, b.name) })
	return table
}

func runClose(ctx context.Context, c *call) error {
	c.close(ctx)
	return nil
}

func runVersion(_ context.Context, c *call) error {
	if len(c.args) > 1 {
		return c.command.wrong()
	}
	c.println("ZooKeeper CLI version: " + c.opts.Version)
	return nil
}

func runSync(ctx context.Context, c *call) error {
	const limit = 30 * time.Second // SyncCommand.SYNC_TIMEOUT
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := c.zk.Sync(ctx, c.args[1])
	var op *client.OpError
	if asOpError(err, &op) {
		c.println("Sync has failed. rc=" + strconv.Itoa(int(op.Code)))
		return nil
	}
	if err == nil {
		c.println("Sync is OK")
	}
	return err
}
