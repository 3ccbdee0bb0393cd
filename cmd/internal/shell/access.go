package shell

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"zk/cmd/internal/client"
	"zk/jute"
)

// parseACL reads "scheme:id:perms,scheme:id:perms"; it complains about what it can't read and goes on, so
// the list may be empty. (AclParser)
func (s *Shell) parseACL(text string) []jute.ACL {
	var acl []jute.ACL
	for entry := range strings.SplitSeq(strings.TrimRight(text, ","), ",") {
		first, last := strings.IndexByte(entry, ':'), strings.LastIndexByte(entry, ':')
		if first == last {
			s.errln(entry + " does not have the form scheme:id:perm")
			continue
		}
		acl = append(acl, jute.ACL{
			Perms: s.parsePerms(entry[last+1:]),
			ID:    jute.ID{Scheme: entry[:first], ID: entry[first+1 : last]},
		})
	}
	return acl
}

func (s *Shell) parsePerms(letters string) (perms int32) {
next:
	for _, r := range letters {
		for _, p := range permLetters() {
			if r == rune(p.letter) {
				perms |= p.bit
				continue next
			}
		}
		s.errln("Unknown perm type: " + string(r))
	}
	return perms
}

func runGetACL(ctx context.Context, c *call) error {
	acl, stat, err := c.zk.GetACL(ctx, c.args[1])
	if err != nil {
		return err
	}
	for _, a := range acl {
		c.println(fmt.Sprintf("'%s,'%s\n: %s", a.ID.Scheme, a.ID.ID, permText(a.Perms)))
	}
	if c.has("s") {
		c.printStat(&stat)
	}
	return nil
}

func runSetACL(ctx context.Context, c *call) error {
	path, acl := c.args[1], c.parseACL(c.args[2])
	version, err := c.version()
	if err != nil {
		return err
	}
	if err := client.ValidatePath(path, false); err != nil {
		return err
	}
	if len(acl) == 0 {
		return &client.OpError{Code: jute.CodeInvalidACL} // Java doesn't even send it
	}
	if c.has("R") {
		return c.visit(ctx, path, false, func(path string) error {
			_, err := c.zk.SetACL(ctx, path, acl, version)
			var op *client.OpError
			if asOpError(err, &op) {
				_, _ = c.out.Write([]byte(keeperMessage(op)))
				return nil
			}
			return err
		})
	}
	stat, err := c.zk.SetACL(ctx, path, acl, version)
	if err == nil && c.has("s") {
		c.printStat(&stat)
	}
	return err
}

// runAddAuth gives a credential. That it was refused is told by an event and by what comes after it.
func runAddAuth(ctx context.Context, c *call) error {
	var data []byte
	if len(c.args) > 2 {
		data = []byte(c.args[2])
	}
	err := c.zk.AddAuth(ctx, c.args[1], data)
	var op *client.OpError
	if errors.As(err, &op) {
		return nil
	}
	return err
}

func runWhoAmI(ctx context.Context, c *call) error {
	infos, err := c.zk.WhoAmI(ctx)
	if err != nil {
		return err
	}
	c.println("Auth scheme: User")
	for _, i := range infos {
		c.println(i.AuthScheme + ": " + i.User)
	}
	return nil
}

func runAddWatch(ctx context.Context, c *call) error {
	mode := jute.AddWatchPersistentRecursive
	if c.has("m") {
		switch strings.ToUpper(c.values["m"]) {
		case "PERSISTENT":
			mode = jute.AddWatchPersistent
		case "PERSISTENT_RECURSIVE":
		default:
			return c.command.wrong()
		}
	}
	if len(c.args) != 2 {
		return c.command.wrong()
	}
	return c.zk.AddWatch(ctx, c.args[1], mode)
}

func runRemoveWatches(ctx context.Context, c *call) error {
	kind := jute.WatcherAny
	for _, o := range []struct {
		name string
		kind int32
	}{
		{"c", jute.WatcherChildren}, {"d", jute.WatcherData}, {"p", jute.WatcherPersistent},
		{"r", jute.WatcherPersistentRecursive}, {"a", jute.WatcherAny},
	} {
		if c.has(o.name) {
			kind = o.kind
			break
		}
	}
	err := c.zk.RemoveWatches(ctx, c.args[1], kind, c.has("l"))
	var op *client.OpError
	if asOpError(err, &op) && op.Code == jute.CodeNoWatcher {
		return fail(keeperMessage(op))
	}
	return err
}
