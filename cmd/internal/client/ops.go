package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"zk/jute"
)

// configPath is the node of the ensemble's configuration, which no chroot hides.
const configPath = "/zookeeper/config"

// OpenACL lets everyone do everything (ZooDefs.Ids.OPEN_ACL_UNSAFE).
func OpenACL() []jute.ACL {
	return []jute.ACL{{Perms: jute.PermAll, ID: jute.ID{Scheme: "world", ID: "anyone"}}}
}

// decode reads a reply's body.
func decode(op jute.OpCode, rep reply, read func(*jute.Decoder)) error {
	d := jute.NewDecoder(rep.body, len(rep.body))
	if read(&d); d.Err() != nil {
		return fmt.Errorf("client: reply to %v: %w", op, d.Err())
	}
	return nil
}

// call checks the path, sends a request that has nothing to do with watches and decodes its reply.
func (c *Client) call(ctx context.Context, op jute.OpCode, path string, body func([]byte) []byte,
	read func(*jute.Decoder),
) error {
	if err := ValidatePath(path, false); err != nil {
		return err
	}
	return c.exchange(ctx, op, path, body, nil, read)
}

// exchange sends a request and decodes its reply.
func (c *Client) exchange(ctx context.Context, op jute.OpCode, path string, body func([]byte) []byte,
	note func(jute.Code) []Event, read func(*jute.Decoder),
) error {
	rep, err := c.do(ctx, op, path, body, note)
	if err != nil || read == nil {
		return err
	}
	return decode(op, rep, read)
}

// Create makes a znode and returns its path. flags are jute.FlagPersistent, FlagEphemeral,
// FlagSequential or FlagEphemeralSequential.
func (c *Client) Create(ctx context.Context, path string, data []byte, acl []jute.ACL, flags int32) (string, error) {
	if err := ValidatePath(path, sequential(flags)); err != nil {
		return "", err
	}
	r := jute.CreateRequest{Path: c.serverPath(path), Data: data, ACL: acl, Flags: flags}
	var created string
	err := c.exchange(ctx, jute.OpCreate, path,
		func(b []byte) []byte { return r.Append(b, jute.OpCreate) }, nil,
		func(d *jute.Decoder) { created = c.clientPath(d.String()) })
	return created, err
}

// Create2 is Create that returns the new znode's Stat too.
func (c *Client) Create2(ctx context.Context, path string, data []byte, acl []jute.ACL, flags int32,
) (string, jute.Stat, error) {
	return c.createStat(ctx, jute.OpCreate2, path,
		jute.CreateRequest{Data: data, ACL: acl, Flags: flags})
}

// CreateContainer makes a znode that goes away when its last child has.
func (c *Client) CreateContainer(ctx context.Context, path string, data []byte, acl []jute.ACL,
) (string, jute.Stat, error) {
	return c.createStat(ctx, jute.OpCreateContainer, path,
		jute.CreateRequest{Data: data, ACL: acl, Flags: jute.FlagContainer})
}

// CreateTTL makes a znode that goes away when it has no children and was not changed for ttl, a number
// of milliseconds. flags are jute.FlagTTL or FlagPersistentSeqTTL.
func (c *Client) CreateTTL(ctx context.Context, path string, data []byte, acl []jute.ACL, flags int32,
	ttl time.Duration,
) (string, jute.Stat, error) {
	return c.createStat(ctx, jute.OpCreateTTL, path,
		jute.CreateRequest{Data: data, ACL: acl, Flags: flags, TTL: ttl.Milliseconds()})
}

func (c *Client) createStat(ctx context.Context, op jute.OpCode, path string, r jute.CreateRequest,
) (created string, stat jute.Stat, err error) {
	if err := ValidatePath(path, sequential(r.Flags)); err != nil {
		return "", stat, err
	}
	r.Path = c.serverPath(path)
	err = c.exchange(ctx, op, path, func(b []byte) []byte { return r.Append(b, op) }, nil,
		func(d *jute.Decoder) {
			created = c.clientPath(d.String())
			stat.Decode(d)
		})
	return created, stat, err
}

// sequential reports if the server appends a number to the path.
func sequential(flags int32) bool {
	return flags == jute.FlagSequential || flags == jute.FlagEphemeralSequential || flags == jute.FlagPersistentSeqTTL
}

// Delete removes a znode without children; version -1 means any.
func (c *Client) Delete(ctx context.Context, path string, version int32) error {
	r := jute.PathVersionRequest{Path: c.serverPath(path), Version: version}
	if path == "/" {
		r.Path = path // what a chroot stands on is not deleted from inside it (ZooKeeper.delete)
	}
	return c.call(ctx, jute.OpDelete, path, r.Append, nil)
}

// Exists gives a znode's Stat; found is false when there is none. With watch its creation, change or
// deletion makes an event.
func (c *Client) Exists(ctx context.Context, path string, watch bool) (stat jute.Stat, found bool, err error) {
	if err := ValidatePath(path, false); err != nil {
		return stat, false, err
	}
	r := jute.PathWatchRequest{Path: c.serverPath(path), Watch: watch}
	note := func(code jute.Code) []Event {
		switch {
		case watch && code == jute.CodeOk:
			c.watches.add(dataWatch, r.Path)
		case watch && code == jute.CodeNoNode:
			c.watches.add(existWatch, r.Path)
		}
		return nil
	}
	err = c.exchange(ctx, jute.OpExists, path, r.Append, note, stat.Decode)
	if errors.Is(err, jute.CodeNoNode) {
		return stat, false, nil
	}
	return stat, err == nil, err
}

// readPath sends one of the requests of path and watch.
func (c *Client) readPath(ctx context.Context, op jute.OpCode, path string, watch bool, kind watchKind,
	read func(*jute.Decoder),
) error {
	if err := ValidatePath(path, false); err != nil {
		return err
	}
	return c.readAt(ctx, op, path, c.serverPath(path), watch, kind, read)
}

// readAt is readPath of a path on the server.
func (c *Client) readAt(ctx context.Context, op jute.OpCode, path, serverPath string, watch bool,
	kind watchKind, read func(*jute.Decoder),
) error {
	r := jute.PathWatchRequest{Path: serverPath, Watch: watch}
	note := func(code jute.Code) []Event {
		if watch && code == jute.CodeOk {
			c.watches.add(kind, r.Path)
		}
		return nil
	}
	return c.exchange(ctx, op, path, r.Append, note, read)
}

// GetData gives a znode's data, nil when it was created with null, and its Stat. With watch its change
// or deletion makes an event.
func (c *Client) GetData(ctx context.Context, path string, watch bool) (data []byte, stat jute.Stat, err error) {
	err = c.readPath(ctx, jute.OpGetData, path, watch, dataWatch, func(d *jute.Decoder) {
		data = d.Buffer()
		stat.Decode(d)
	})
	return data, stat, err
}

// Config is GetData of the ensemble's configuration, whatever the chroot.
func (c *Client) Config(ctx context.Context, watch bool) (data []byte, stat jute.Stat, err error) {
	err = c.readAt(ctx, jute.OpGetData, configPath, configPath, watch, dataWatch, func(d *jute.Decoder) {
		data = d.Buffer()
		stat.Decode(d)
	})
	return data, stat, err
}

// SetData changes a znode's data; version -1 means any.
func (c *Client) SetData(ctx context.Context, path string, data []byte, version int32) (stat jute.Stat, err error) {
	r := jute.SetDataRequest{Path: c.serverPath(path), Data: data, Version: version}
	err = c.call(ctx, jute.OpSetData, path, r.Append, stat.Decode)
	return stat, err
}

// GetACL gives a znode's access control list and Stat.
func (c *Client) GetACL(ctx context.Context, path string) (acl []jute.ACL, stat jute.Stat, err error) {
	body := func(b []byte) []byte { return jute.AppendString(b, c.serverPath(path)) }
	err = c.call(ctx, jute.OpGetACL, path, body, func(d *jute.Decoder) {
		acl = d.ACLs()
		stat.Decode(d)
	})
	return acl, stat, err
}

// SetACL changes a znode's access control list; version is compared with Stat.Aversion, -1 means any.
func (c *Client) SetACL(ctx context.Context, path string, acl []jute.ACL, version int32) (stat jute.Stat, err error) {
	r := jute.SetACLRequest{Path: c.serverPath(path), ACL: acl, Version: version}
	err = c.call(ctx, jute.OpSetACL, path, r.Append, stat.Decode)
	return stat, err
}

// Children lists a znode's children by name, in no order. With watch a change of the list, or the
// deletion of the znode, makes an event.
func (c *Client) Children(ctx context.Context, path string, watch bool) (children []string, err error) {
	err = c.readPath(ctx, jute.OpGetChildren, path, watch, childWatch,
		func(d *jute.Decoder) { children = d.Strings() })
	return children, err
}

// Children2 is Children that gives the znode's Stat too.
func (c *Client) Children2(ctx context.Context, path string, watch bool) (children []string, stat jute.Stat, err error) {
	err = c.readPath(ctx, jute.OpGetChildren2, path, watch, childWatch, func(d *jute.Decoder) {
		children = d.Strings()
		stat.Decode(d)
	})
	return children, stat, err
}

// Sync makes later reads of this client see all that was committed before.
func (c *Client) Sync(ctx context.Context, path string) error {
	body := func(b []byte) []byte { return jute.AppendString(b, c.serverPath(path)) }
	return c.call(ctx, jute.OpSync, path, body, nil)
}

// AddWatch sets a standing watch; mode is jute.AddWatchPersistent or AddWatchPersistentRecursive.
func (c *Client) AddWatch(ctx context.Context, path string, mode int32) error {
	if err := ValidatePath(path, false); err != nil {
		return err
	}
	r := jute.PathTypeRequest{Path: c.serverPath(path), Type: mode}
	kind := persistentWatch
	if mode == jute.AddWatchPersistentRecursive {
		kind = recursiveWatch
	}
	note := func(code jute.Code) []Event {
		if code == jute.CodeOk {
			c.watches.add(kind, r.Path)
		}
		return nil
	}
	return c.exchange(ctx, jute.OpAddWatch, path, r.Append, note, nil)
}

// RemoveWatches takes this client's watches of a type (jute.WatcherAny and the others) off a path; an
// event tells of each kind removed. jute.CodeNoWatcher means that there was none. With local they are
// forgotten also when no server can be told.
func (c *Client) RemoveWatches(ctx context.Context, path string, watcherType int32, local bool) error {
	if err := ValidatePath(path, false); err != nil {
		return err
	}
	r := jute.PathTypeRequest{Path: c.serverPath(path), Type: watcherType}
	forget := func() []Event { // under mu
		var events []Event
		for _, t := range c.watches.remove(watcherType, r.Path) {
			events = append(events, Event{Type: t, State: c.state, Path: path, Zxid: -1})
		}
		return events
	}
	c.mu.Lock()
	known := c.watches.contains(watcherType, r.Path)
	c.mu.Unlock()
	if !known {
		return &OpError{Op: jute.OpRemoveWatches, Path: path, Code: jute.CodeNoWatcher}
	}
	note := func(code jute.Code) []Event {
		if code == jute.CodeOk {
			return forget()
		}
		return nil
	}
	err := c.exchange(ctx, jute.OpRemoveWatches, path, r.Append, note, nil)
	if local && errors.Is(err, jute.CodeConnectionLoss) {
		c.mu.Lock()
		events := forget()
		c.mu.Unlock()
		c.emit(events...)
		return nil
	}
	return err
}

// WhoAmI lists the identities of the connection.
func (c *Client) WhoAmI(ctx context.Context) (infos []jute.ClientInfo, err error) {
	err = c.exchange(ctx, jute.OpWhoAmI, "", nil, nil, func(d *jute.Decoder) {
		n, _ := d.Count()
		infos = make([]jute.ClientInfo, 0, d.Cap(n, 8))
		for range n {
			var i jute.ClientInfo
			if i.Decode(d); d.Err() != nil {
				return
			}
			infos = append(infos, i)
		}
	})
	return infos, err
}

// Ephemerals lists this session's ephemeral znodes whose paths begin with prefix.
func (c *Client) Ephemerals(ctx context.Context, prefix string) (paths []string, err error) {
	body := func(b []byte) []byte { return jute.AppendString(b, c.serverPath(prefix)) }
	err = c.call(ctx, jute.OpGetEphemerals, prefix, body, func(d *jute.Decoder) {
		paths = d.Strings()
		for i := range paths {
			paths[i] = c.clientPath(paths[i])
		}
	})
	return paths, err
}

// AllChildrenNumber counts the znodes below a path.
func (c *Client) AllChildrenNumber(ctx context.Context, path string) (n int32, err error) {
	body := func(b []byte) []byte { return jute.AppendString(b, c.serverPath(path)) }
	err = c.call(ctx, jute.OpGetAllChildrenNumber, path, body, func(d *jute.Decoder) { n = d.Int32() })
	return n, err
}

// Reconfig changes the ensemble's members: joining and leaving, or members alone; the others are nil.
// version is the configuration's it is meant for, -1 any. It gives the new configuration.
func (c *Client) Reconfig(ctx context.Context, joining, leaving, members *string, version int64,
) (config []byte, stat jute.Stat, err error) {
	r := jute.ReconfigRequest{Joining: joining, Leaving: leaving, NewMembers: members, CurConfigID: version}
	err = c.exchange(ctx, jute.OpReconfig, "", r.Append, nil, func(d *jute.Decoder) {
		config = d.Buffer()
		stat.Decode(d)
	})
	return config, stat, err
}
