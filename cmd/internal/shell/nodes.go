package shell

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"zk/cmd/internal/client"
	"zk/jute"
)

// ttlMax is the longest life of a TTL node in milliseconds (EphemeralType.TTL).
const ttlMax = 1<<40 - 1

// deleteBatch is how many znodes deleteall removes in one transaction.
const deleteBatch = 1000

func asOpError(err error, op **client.OpError) bool { return errors.As(err, op) }

func runLs(ctx context.Context, c *call) error {
	if c.has("?") {
		c.println("usage: ls [options] path")
		_, _ = io.WriteString(c.out, optionHelp(c.command.options))
	}
	if err := c.oldWatch("ls [-w] path"); err != nil {
		return err
	}
	if len(c.args) < 2 {
		return c.command.wrong()
	}
	path := c.args[1]
	if c.has("R") {
		return c.visit(ctx, path, c.has("w"), func(path string) error {
			c.println(path)
			return nil
		})
	}
	var children []string
	var stat jute.Stat
	var err error
	if c.has("s") {
		children, stat, err = c.zk.Children2(ctx, path, c.has("w"))
	} else {
		children, err = c.zk.Children(ctx, path, c.has("w"))
	}
	if err != nil {
		return err
	}
	slices.Sort(children)
	c.println(listText(children))
	if c.has("s") {
		c.printStat(&stat)
	}
	return nil
}

// visit calls f with a path and all below it: a znode's children, then what is below each of them. With watch
// it leaves a data watch on path and child watches everywhere. (ZKUtil.visitSubTreeDFS)
func (c *call) visit(ctx context.Context, path string, watch bool, f func(path string) error) error {
	if _, _, err := c.zk.GetData(ctx, path, watch); err != nil {
		return err
	}
	if err := f(path); err != nil {
		return err
	}
	below := []string{path} // a stack, so that a deep tree can't exhaust the goroutine's
	for len(below) > 0 {
		path := below[len(below)-1]
		below = below[:len(below)-1]
		children, err := c.zk.Children(ctx, path, watch)
		if errors.Is(err, jute.CodeNoNode) {
			continue // deleted meanwhile
		}
		if err != nil {
			return err
		}
		slices.Sort(children)
		for i := range children {
			children[i] = join(path, children[i])
			if err := f(children[i]); err != nil {
				return err
			}
		}
		slices.Reverse(children)
		below = append(below, children...)
	}
	return nil
}

// join puts a child's name behind its parent's path.
func join(parent, name string) string {
	if parent == "/" {
		return "/" + name
	}
	return parent + "/" + name
}

func runGet(ctx context.Context, c *call) error {
	if err := c.oldWatch("get [-s] [-w] path"); err != nil {
		return err
	}
	data, stat, err := c.zk.GetData(ctx, c.args[1], c.has("w"))
	if err != nil {
		return err
	}
	if data == nil {
		data = []byte("null")
	}
	switch {
	case c.has("x"):
		c.println(hexDump(data))
	case c.has("b"):
		c.println(base64.StdEncoding.EncodeToString(data))
	default:
		c.println(string(data))
	}
	if c.has("s") {
		c.printStat(&stat)
	}
	return nil
}

func runSet(ctx context.Context, c *call) error {
	data := []byte(c.args[2])
	if c.has("b") {
		var err error
		if data, err = base64.StdEncoding.DecodeString(c.args[2]); err != nil {
			return fail("Illegal base64 data: " + err.Error())
		}
	}
	version, err := c.version()
	if err != nil {
		return err
	}
	stat, err := c.zk.SetData(ctx, c.args[1], data, version)
	if err == nil && c.has("s") {
		c.printStat(&stat)
	}
	return err
}

func runStat(ctx context.Context, c *call) error {
	if err := c.oldWatch("stat [-w] path"); err != nil {
		return err
	}
	stat, found, err := c.zk.Exists(ctx, c.args[1], c.has("w"))
	switch {
	case err != nil:
		return err
	case !found:
		return &client.OpError{Op: jute.OpExists, Path: c.args[1], Code: jute.CodeNoNode}
	}
	c.printStat(&stat)
	return nil
}

func runCreate(ctx context.Context, c *call) error {
	flags, ttl, err := c.createMode()
	if err != nil {
		return err
	}
	path := c.args[1]
	var data []byte
	if len(c.args) > 2 {
		data = []byte(c.args[2])
	}
	acl := client.OpenACL()
	if len(c.args) > 3 {
		acl = c.parseACL(c.args[3])
	}
	var created string
	switch {
	case len(acl) == 0:
		if err = client.ValidatePath(path, false); err == nil {
			err = &client.OpError{Code: jute.CodeInvalidACL} // Java doesn't even send it
		}
	case flags == jute.FlagTTL || flags == jute.FlagPersistentSeqTTL:
		created, _, err = c.zk.CreateTTL(ctx, path, data, acl, flags, ttl)
	case flags == jute.FlagContainer:
		created, _, err = c.zk.CreateContainer(ctx, path, data, acl)
	default:
		created, err = c.zk.Create(ctx, path, data, acl, flags)
	}
	var op *client.OpError
	switch {
	case err == nil:
		c.errln("Created " + created)
	case errors.Is(err, jute.CodeEphemeralOnLocalSession):
		c.errln("Unable to create ephemeral node on a local session")
	case errors.Is(err, jute.CodeInvalidACL) && asOpError(err, &op):
		c.errln(keeperMessage(op))
	}
	return err
}

// createMode makes create flags of the options.
func (c *call) createMode() (flags int32, ttl time.Duration, err error) {
	e, s, container, t := c.has("e"), c.has("s"), c.has("c"), c.has("t")
	if container && (e || s) {
		return 0, 0, fail("-c cannot be combined with -s or -e. Containers cannot be ephemeral or sequential.")
	}
	millis := int64(0)
	if t {
		if millis, err = strconv.ParseInt(c.values["t"], 10, 64); err != nil {
			return 0, 0, fail("-t argument must be a long value")
		}
	}
	switch {
	case t && e:
		return 0, 0, fail("TTLs cannot be used with Ephemeral znodes")
	case t && container:
		return 0, 0, fail("TTLs cannot be used with Container znodes")
	case t && (millis <= 0 || millis > ttlMax):
		return 0, 0, fail(fmt.Sprintf("ttl must be positive and cannot be larger than: %d", int64(ttlMax)))
	case e && s:
		flags = jute.FlagEphemeralSequential
	case e:
		flags = jute.FlagEphemeral
	case s && t:
		flags = jute.FlagPersistentSeqTTL
	case s:
		flags = jute.FlagSequential
	case t:
		flags = jute.FlagTTL
	case container:
		flags = jute.FlagContainer
	}
	return flags, time.Duration(millis) * time.Millisecond, nil
}

func runDelete(ctx context.Context, c *call) error {
	if len(c.args) > 2 {
		c.errln("'delete path [version]' has been deprecated. Please use 'delete [-v version] path' instead.")
	}
	version, err := c.version()
	if err != nil {
		return err
	}
	return c.zk.Delete(ctx, c.args[1], version)
}

// runDeleteAll lists the tree and deletes it from the leaves up, in transactions of -b znodes; with -b 0
// one by one.
func runDeleteAll(ctx context.Context, c *call) error {
	batch := deleteBatch
	if c.has("b") {
		n, err := strconv.ParseInt(c.values["b"], 10, 32)
		if err != nil {
			return fail("-b argument must be an int value")
		}
		batch = int(n)
	}
	root := c.args[1]
	tree := []string{root}
	for i := 0; i < len(tree); i++ {
		children, err := c.zk.Children(ctx, tree[i], false)
		if err != nil {
			return err
		}
		for _, name := range children {
			tree = append(tree, join(tree[i], name))
		}
	}
	slices.Reverse(tree)
	if batch <= 0 {
		for _, path := range tree {
			if err := c.zk.Delete(ctx, path, -1); err != nil {
				return err
			}
		}
		return nil
	}
	for part := range slices.Chunk(tree, batch) {
		ops := make([]client.Op, len(part))
		for i, path := range part {
			ops[i] = client.DeleteOp(path, -1)
		}
		if _, err := c.zk.Multi(ctx, ops...); err != nil {
			c.errln("Failed to delete some node(s) in the subtree!")
			return nil
		}
	}
	return nil
}

func runGetEphemerals(ctx context.Context, c *call) error {
	prefix := "/"
	if len(c.args) > 1 {
		prefix = c.args[1]
	}
	paths, err := c.zk.Ephemerals(ctx, prefix)
	if err == nil {
		c.println(listText(paths))
	}
	return err
}

func runGetAllChildrenNumber(ctx context.Context, c *call) error {
	n, err := c.zk.AllChildrenNumber(ctx, c.args[1])
	if err == nil {
		c.println(strconv.Itoa(int(n)))
	}
	return err
}
