package operators

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-zookeeper/zk"
)

// drive makes the same history in a fleet: writes, reads, watches, ephemerals, failed writes and syncs of a client on
// the leader, a follower and the observer, one operation after the other.
func (f *fleet) drive() error {
	acl := zk.WorldACL(zk.PermAll)
	for round, id := range []int{firstProm, 1, observer} {
		c, err := f.connect(id)
		if err != nil {
			return err
		}
		dir := fmt.Sprintf("/app%d", id)
		var failed error
		do := func(_ any, err error) {
			if err != nil && failed == nil {
				failed = fmt.Errorf("%s, client on server %d: %w", f.kind, id, err)
			}
		}
		do(c.Create(dir, []byte("data"), 0, acl))
		do(c.Create(dir+"/e", []byte("of one session"), zk.FlagEphemeral, acl))
		do(c.Create(dir+"/s-", nil, zk.FlagSequence|zk.FlagEphemeral, acl))
		do(c.CreateContainer(dir+"/c", nil, zk.FlagContainer, acl))
		do(c.Multi(&zk.CreateRequest{Path: dir + "/m", Acl: acl}, &zk.SetDataRequest{Path: dir, Data: []byte("more"), Version: -1}))
		do(c.Sync(dir))
		for i := range 200 {
			do(c.Set(dir, fmt.Appendf(nil, "value %03d", i), -1))
			_, _, err := c.Get(dir)
			do(nil, err)
		}
		_, _, _, err = c.GetW(dir)
		do(nil, err)
		_, _, _, err = c.ExistsW(dir + "/later")
		do(nil, err)
		_, _, _, err = c.ChildrenW("/app3")
		do(nil, err)
		if _, err := c.Create(dir, nil, 0, acl); !errors.Is(err, zk.ErrNodeExists) {
			return fmt.Errorf("%s: create of what is there: %w", f.kind, err)
		}
		do(c.Set("/app3", []byte{byte(round)}, -1)) // an event for those before
		do(c.Sync(dir))
		if failed != nil {
			return failed
		}
	}
	return f.settle()
}

// settle waits until all members have applied everything.
func (f *fleet) settle() error {
	for id := 1; id <= observer; id++ {
		c, err := f.connect(id)
		if err != nil {
			return err
		}
		if _, err := c.Sync("/"); err != nil {
			return fmt.Errorf("server %d (%s): %w", id, f.kind, err)
		}
	}
	return nil
}

// change kills the leader, which makes the second voter the next one, and brings it back.
func (f *fleet) change() error {
	leader := f.member(firstProm)
	leader.Kill()
	for _, id := range []int{1, 2, observer} {
		if err := f.member(id).AwaitServing(); err != nil {
			return fmt.Errorf("server %d (%s): %w", id, f.kind, err)
		}
	}
	if err := leader.Launch(); err != nil {
		return err
	}
	if err := leader.AwaitServing(); err != nil {
		return err
	}
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		away := slices.ContainsFunc(f.clients, func(c *zk.Conn) bool { return c.State() != zk.StateHasSession })
		switch {
		case !away:
			return f.again()
		case time.Now().After(end):
			return fmt.Errorf("%s: a client does not come back", f.kind)
		}
	}
}

// again has every client do a little more.
func (f *fleet) again() error {
	for i, c := range f.clients {
		for range 40 {
			if _, err := c.Set("/app1", []byte{byte(i)}, -1); err != nil {
				return fmt.Errorf("%s, client %d: %w", f.kind, i+1, err)
			}
		}
		if _, err := c.Sync("/"); err != nil {
			return fmt.Errorf("%s, client %d: %w", f.kind, i+1, err)
		}
	}
	return nil
}
