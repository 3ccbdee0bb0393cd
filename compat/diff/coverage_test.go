package diff

import (
	"fmt"
	"slices"
	"strings"

	"zk/jute"
)

// coverage counts what happened in random runs: outcomes of each op, parts of multis, events, actions. A
// run that only meets errors proves little; so what the fixed seeds must reach is stated.
type coverage map[string]int

func (c coverage) reply(op jute.OpCode, res *result) {
	if !res.came {
		return
	}
	c[fmt.Sprintf("%v %v", op, res.err)]++
	if op == jute.OpMulti && res.err == ok {
		for _, code := range res.codes {
			if code != ok && code != jute.CodeRuntimeInconsistency {
				c[fmt.Sprintf("multi failed by %v", code)]++
			}
		}
	}
	c.events(res)
}

func (c coverage) events(res *result) {
	for _, e := range res.events {
		c["event "+eventName(e.typ)]++
	}
}

func (c coverage) actions(kind actionKind) {
	names := []string{"open", "call", "pipe", "burst", "drain", "drop", "again", "end", "expire", "restart", "kill", "words", "audit"}
	c["action "+names[kind]]++
}

func (c coverage) add(other coverage) {
	for k, n := range other {
		c[k] += n
	}
}

// reached is what the fixed seeds must meet, and how often at least: about half of what they do.
func reached() map[string]int {
	return map[string]int{
		"action burst": 100, "action again": 100, "action expire": 20, "action kill": 6, "action restart": 6, "action audit": 20, "action words": 40,
		"create Ok": 700, "create NodeExists": 300, "create NoNode": 40, "create NoAuth": 4, "create InvalidACL": 10, "create NoChildrenForEphemerals": 25, "create QuotaExceeded": 2,
		"create2 Ok": 70, "createContainer Ok": 30, "createContainer QuotaExceeded": 2, "createTtl Ok": 35, "createTtl QuotaExceeded": 2,
		"delete Ok": 500, "delete NotEmpty": 100, "delete BadVersion": 30, "delete NoAuth": 40, "delete NoNode": 200,
		"setData Ok": 700, "setData BadVersion": 50, "setData NoAuth": 20, "setData BadArguments": 10, "setData QuotaExceeded": 3,
		"setACL Ok": 100, "setACL BadVersion": 20, "setACL InvalidACL": 15, "setACL NoAuth": 5,
		"multi Ok": 800, "multi failed by NoNode": 100, "multi failed by NodeExists": 150, "multi failed by BadVersion": 20, "multi failed by NoAuth": 15,
		"multi failed by NotEmpty": 1, "multi failed by QuotaExceeded": 2, "multi failed by InvalidACL": 8, "multi failed by NoChildrenForEphemerals": 8,
		"multiRead Ok": 150, "exists Ok": 200, "exists NoNode": 80, "exists NoAuth": 4, "getData Ok": 250, "getData NoAuth": 5, "getChildren Ok": 200, "getChildren NoAuth": 7,
		"getChildren2 Ok": 450, "getChildren2 NoAuth": 5, "getACL Ok": 60, "getAllChildrenNumber Ok": 25, "getEphemerals Ok": 70, "whoAmI Ok": 35, "sync Ok": 20,
		"addWatch Ok": 450, "removeWatches Ok": 40, "removeWatches NoWatcher": 80, "checkWatches Ok": 40, "setWatches Ok": 25, "setWatches2 Ok": 100,
		"auth Ok": 200, "auth AuthFailed": 5, "check Unimplemented": 1, "reconfig ReconfigDisabled": 15,
		"event Created": 400, "event Deleted": 600, "event DataChanged": 600, "event ChildrenChanged": 400,
	}
}

// text is the table, one kind of thing per line.
func (c coverage) text() string {
	lines := map[string][]string{}
	for k, n := range c {
		kind, what, _ := strings.Cut(k, " ")
		lines[kind] = append(lines[kind], fmt.Sprintf("%s %d", what, n))
	}
	var out []string
	for kind, what := range lines {
		slices.Sort(what)
		out = append(out, fmt.Sprintf("%-22s %s", kind, strings.Join(what, ", ")))
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}
