package client

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"zk/jute"
)

const connectedLine = "WatchedEvent state:SyncConnected type:None path:null zxid: -1"

func statBody(dataLength int32) []byte {
	s := jute.Stat{Czxid: 3, Mzxid: 4, DataLength: dataLength}
	return s.Append(nil)
}

func TestOperations(t *testing.T) {
	ctx := context.Background()
	stat := jute.Stat{Czxid: 3, Mzxid: 4, DataLength: 2}
	acl := OpenACL()
	type result struct {
		v   any
		err error
	}
	tests := []struct {
		name  string
		do    func(c *Client) result
		op    jute.OpCode
		want  []byte // the request's body
		reply []byte
		value any
	}{
		{"create", func(c *Client) result {
			v, err := c.Create(ctx, "/a", []byte("x"), acl, jute.FlagEphemeral)
			return result{v, err}
		}, jute.OpCreate,
			(&jute.CreateRequest{Path: "/root/a", Data: []byte("x"), ACL: acl, Flags: 1}).Append(nil, jute.OpCreate),
			jute.AppendString(nil, "/root/a"), "/a"},
		{"create2", func(c *Client) result {
			v, s, err := c.Create2(ctx, "/a-", nil, acl, jute.FlagSequential)
			return result{[]any{v, s}, err}
		}, jute.OpCreate2,
			(&jute.CreateRequest{Path: "/root/a-", ACL: acl, Flags: 2}).Append(nil, jute.OpCreate2),
			append(jute.AppendString(nil, "/root/a-0000000001"), statBody(2)...), []any{"/a-0000000001", stat}},
		{"container", func(c *Client) result {
			v, _, err := c.CreateContainer(ctx, "/a", nil, acl)
			return result{v, err}
		}, jute.OpCreateContainer,
			(&jute.CreateRequest{Path: "/root/a", ACL: acl, Flags: 4}).Append(nil, jute.OpCreateContainer),
			append(jute.AppendString(nil, "/root/a"), statBody(2)...), "/a"},
		{"ttl", func(c *Client) result {
			v, _, err := c.CreateTTL(ctx, "/a", nil, acl, jute.FlagTTL, 5*time.Second)
			return result{v, err}
		}, jute.OpCreateTTL,
			(&jute.CreateRequest{Path: "/root/a", ACL: acl, Flags: 5, TTL: 5000}).Append(nil, jute.OpCreateTTL),
			append(jute.AppendString(nil, "/root/a"), statBody(2)...), "/a"},
		{"delete", func(c *Client) result { return result{nil, c.Delete(ctx, "/a", 7)} }, jute.OpDelete,
			(&jute.PathVersionRequest{Path: "/root/a", Version: 7}).Append(nil), nil, nil},
		{"exists", func(c *Client) result {
			s, ok, err := c.Exists(ctx, "/", true)
			return result{[]any{s, ok}, err}
		}, jute.OpExists, (&jute.PathWatchRequest{Path: "/root", Watch: true}).Append(nil), statBody(2),
			[]any{stat, true}},
		{"getData", func(c *Client) result {
			v, s, err := c.GetData(ctx, "/a", false)
			return result{[]any{v, s}, err}
		}, jute.OpGetData, (&jute.PathWatchRequest{Path: "/root/a"}).Append(nil),
			append(jute.AppendBuffer(nil, []byte("hi")), statBody(2)...), []any{[]byte("hi"), stat}},
		{"setData", func(c *Client) result {
			s, err := c.SetData(ctx, "/a", []byte("hi"), -1)
			return result{s, err}
		}, jute.OpSetData, (&jute.SetDataRequest{Path: "/root/a", Data: []byte("hi"), Version: -1}).Append(nil),
			statBody(2), stat},
		{"getACL", func(c *Client) result {
			v, s, err := c.GetACL(ctx, "/a")
			return result{[]any{v, s}, err}
		}, jute.OpGetACL, jute.AppendString(nil, "/root/a"),
			append(jute.AppendACLs(nil, acl), statBody(2)...), []any{acl, stat}},
		{"setACL", func(c *Client) result {
			s, err := c.SetACL(ctx, "/a", acl, 3)
			return result{s, err}
		}, jute.OpSetACL, (&jute.SetACLRequest{Path: "/root/a", ACL: acl, Version: 3}).Append(nil), statBody(2), stat},
		{"children", func(c *Client) result {
			v, err := c.Children(ctx, "/a", false)
			return result{v, err}
		}, jute.OpGetChildren, (&jute.PathWatchRequest{Path: "/root/a"}).Append(nil),
			jute.AppendStrings(nil, []string{"b", "c"}), []string{"b", "c"}},
		{"children2", func(c *Client) result {
			v, s, err := c.Children2(ctx, "/a", false)
			return result{[]any{v, s}, err}
		}, jute.OpGetChildren2, (&jute.PathWatchRequest{Path: "/root/a"}).Append(nil),
			append(jute.AppendStrings(nil, []string{}), statBody(2)...), []any{[]string{}, stat}},
		{"sync", func(c *Client) result { return result{nil, c.Sync(ctx, "/a")} }, jute.OpSync,
			jute.AppendString(nil, "/root/a"), jute.AppendString(nil, "/root/a"), nil},
		{"addWatch", func(c *Client) result {
			return result{nil, c.AddWatch(ctx, "/a", jute.AddWatchPersistentRecursive)}
		}, jute.OpAddWatch, (&jute.PathTypeRequest{Path: "/root/a", Type: 1}).Append(nil), jute.AppendInt32(nil, 0), nil},
		{"whoAmI", func(c *Client) result {
			v, err := c.WhoAmI(ctx)
			return result{v, err}
		}, jute.OpWhoAmI, nil,
			(&jute.ClientInfo{AuthScheme: "ip", User: "::1"}).Append(jute.AppendInt32(nil, 1)),
			[]jute.ClientInfo{{AuthScheme: "ip", User: "::1"}}},
		{"ephemerals", func(c *Client) result {
			v, err := c.Ephemerals(ctx, "/")
			return result{v, err}
		}, jute.OpGetEphemerals, jute.AppendString(nil, "/root"),
			jute.AppendStrings(nil, []string{"/root/e", "/rooted"}), []string{"/e", "/rooted"}},
		{"allChildrenNumber", func(c *Client) result {
			v, err := c.AllChildrenNumber(ctx, "/a")
			return result{v, err}
		}, jute.OpGetAllChildrenNumber, jute.AppendString(nil, "/root/a"), jute.AppendInt32(nil, 12), int32(12)},
		{"config", func(c *Client) result {
			v, _, err := c.Config(ctx, false)
			return result{v, err}
		}, jute.OpGetData, (&jute.PathWatchRequest{Path: "/zookeeper/config"}).Append(nil),
			append(jute.AppendBuffer(nil, []byte("")), statBody(0)...), []byte{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, p := newPeers(t).open("h:1/root", Options{})
				got := make(chan result, 1)
				call := func() { got <- tt.do(c) }
				go call()
				xid, d := p.expect(tt.op)
				if !slices.Equal(d.Rest(), tt.want) {
					t.Errorf("request body %x, want %x", d.Rest(), tt.want)
				}
				p.reply(xid, 9, 0, tt.reply)
				if r := <-got; r.err != nil || !reflect.DeepEqual(r.v, tt.value) {
					t.Errorf("got %v, %v; want %v", r.v, r.err, tt.value)
				}
				go call()
				xid, _ = p.expect(tt.op)
				p.reply(xid, 10, jute.CodeNoAuth, nil)
				if r := <-got; !errors.Is(r.err, jute.CodeNoAuth) {
					t.Errorf("error %v, want NoAuth", r.err)
				}
			})
		})
	}
}

func TestMulti(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		c, p := newPeers(t).open("h:1", Options{})
		type result struct {
			r   []OpResult
			err error
		}
		got := make(chan result, 1)
		go func() {
			r, err := c.Multi(ctx, CheckOp("/a", 1), CreateOp("/b", nil, OpenACL(), 0), DeleteOp("/c", -1))
			got <- result{r, err}
		}()
		xid, _ := p.expect(jute.OpMulti)
		body := jute.MultiHeader{Type: jute.OpCheck}.Append(nil)
		body = jute.MultiHeader{Type: jute.OpCreate}.Append(body)
		body = jute.AppendString(body, "/b")
		body = jute.MultiHeader{Type: jute.OpDelete}.Append(body)
		p.reply(xid, 5, 0, jute.MultiEnd.Append(body))
		if r := <-got; r.err != nil || len(r.r) != 3 || r.r[1].Path != "/b" {
			t.Errorf("got %+v", r)
		}

		go func() {
			r, err := c.Multi(ctx, CheckOp("/a", 1), CreateOp("/b", nil, OpenACL(), 0))
			got <- result{r, err}
		}()
		xid, _ = p.expect(jute.OpMulti)
		body = jute.AppendInt32(jute.MultiHeader{Type: jute.OpError}.Append(nil), 0)
		body = jute.MultiHeader{Type: jute.OpError, Err: jute.CodeNodeExists}.Append(body)
		body = jute.AppendInt32(body, int32(jute.CodeNodeExists))
		p.reply(xid, 6, 0, jute.MultiEnd.Append(body))
		r := <-got
		var failed *OpError
		if !errors.As(r.err, &failed) || failed.Path != "/b" || failed.Code != jute.CodeNodeExists {
			t.Errorf("error %v, want NodeExists for /b", r.err)
		}

		go func() {
			r, err := c.MultiRead(ctx, GetDataOp("/a"), ChildrenOp("/"))
			got <- result{r, err}
		}()
		xid, _ = p.expect(jute.OpMultiRead)
		p.reply(xid, 6, 0, jute.MultiEnd.Append(nil))
		if r := <-got; r.err == nil {
			t.Error("a multiRead with too few results was accepted")
		}
	})
}

func TestPipeline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := newPeers(t).open("h:1", Options{InFlightMax: 3})
		ctx := context.Background()
		results := make(chan string, 4)
		var xids []int32
		for i := range 3 {
			go func() {
				data, _, err := c.GetData(ctx, fmt.Sprintf("/%d", i), false)
				results <- fmt.Sprint(string(data), err)
			}()
			xid, _ := p.expect(jute.OpGetData)
			xids = append(xids, xid)
		}
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if err := c.Sync(short, "/"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a request beyond the bound: %v, want deadline exceeded", err)
		}
		for i, xid := range xids {
			p.reply(xid, 1, 0, append(jute.AppendBuffer(nil, fmt.Append(nil, i)), statBody(1)...))
			if got := <-results; got != fmt.Sprint(i, "<nil>") {
				t.Errorf("reply %d went to %q", i, got)
			}
		}
	})
}

func TestEventBeforeReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rec recorder
		c, p := newPeers(t).open("h:1/root", Options{OnEvent: rec.add})
		got := make(chan []string, 1)
		go func() {
			_, _, _ = c.GetData(context.Background(), "/a", true)
			got <- rec.take()
		}()
		xid, _ := p.expect(jute.OpGetData)
		p.event(jute.EventNodeDataChanged, 25, "/root/a")
		p.reply(xid, 25, 0, append(jute.AppendBuffer(nil, nil), statBody(0)...))
		want := []string{connectedLine, "WatchedEvent state:SyncConnected type:NodeDataChanged path:/a zxid: 25"}
		if events := <-got; !slices.Equal(events, want) {
			t.Errorf("events %q, want %q", events, want)
		}
	})
}

func TestReconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rec recorder
		s := newPeers(t)
		c, p := s.open("one:1,two:2", Options{OnEvent: rec.add})
		ctx := context.Background()
		await := func(op jute.OpCode, code jute.Code, body []byte, call func() error) {
			t.Helper()
			done := make(chan error, 1)
			go func() { done <- call() }()
			xid, _ := p.expect(op)
			p.reply(xid, 17, code, body)
			<-done
		}
		await(jute.OpAuth, 0, nil, func() error { return c.AddAuth(ctx, "digest", []byte("bob:pw")) })
		await(jute.OpGetData, 0, append(jute.AppendBuffer(nil, nil), statBody(0)...),
			func() error { _, _, err := c.GetData(ctx, "/d", true); return err })
		await(jute.OpExists, jute.CodeNoNode, nil,
			func() error { _, _, err := c.Exists(ctx, "/e", true); return err })
		await(jute.OpGetChildren, 0, jute.AppendStrings(nil, nil),
			func() error { _, err := c.Children(ctx, "/c", true); return err })
		await(jute.OpAddWatch, 0, jute.AppendInt32(nil, 0),
			func() error { return c.AddWatch(ctx, "/p", jute.AddWatchPersistent) })

		lost := make(chan error, 1)
		go func() { _, err := c.SetData(ctx, "/d", nil, -1); lost <- err }()
		p.expect(jute.OpSetData)
		_ = p.conn.Close()
		if err := <-lost; !errors.Is(err, jute.CodeConnectionLoss) {
			t.Errorf("in flight: %v, want ConnectionLoss", err)
		}

		p = <-s.accepted
		synctest.Wait()
		queued := make(chan error, 1)
		go func() { queued <- c.Sync(ctx, "/") }() // waits for the connection
		req := p.login(0x1001, 6000)
		if p.addr != "two:2" || req.SessionID != 0x1001 || string(req.Passwd) != "0123456789abcdef" || req.LastZxidSeen != 17 {
			t.Errorf("renewal at %s: %+v", p.addr, req)
		}
		xid, d := p.expect(jute.OpAuth)
		var auth jute.AuthPacket
		if auth.Decode(&d); *auth.Scheme != "digest" || string(auth.Auth) != "bob:pw" || xid != jute.XidAuth {
			t.Errorf("credential %+v with xid %d", auth, xid)
		}
		xid, d = p.expect(jute.OpSetWatches2)
		var set jute.SetWatchesRequest
		set.Decode(&d, jute.OpSetWatches2)
		want := jute.SetWatchesRequest{
			RelativeZxid: 17, Data: []string{"/d"}, Exist: []string{"/e"}, Child: []string{"/c"},
			Persistent: []string{"/p"}, PersistentRecur: []string{},
		}
		if !reflect.DeepEqual(set, want) || xid != jute.XidSetWatches {
			t.Errorf("setWatches %+v with xid %d, want %+v", set, xid, want)
		}
		p.reply(jute.XidAuth, 0, 0, nil)
		p.event(jute.EventNodeDeleted, -1, "/d")
		p.reply(jute.XidSetWatches, 17, 0, nil)
		xid, _ = p.expect(jute.OpSync)
		p.reply(xid, 17, 0, jute.AppendString(nil, "/"))
		if err := <-queued; err != nil {
			t.Errorf("queued request: %v", err)
		}
		events := rec.take()
		wantEvents := []string{
			connectedLine, "WatchedEvent state:Disconnected type:None path:null zxid: -1", connectedLine,
			"WatchedEvent state:SyncConnected type:NodeDeleted path:/d zxid: -1",
		}
		if !slices.Equal(events, wantEvents) {
			t.Errorf("events %q, want %q", events, wantEvents)
		}
	})
}

func TestExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rec recorder
		s := newPeers(t)
		c, p := s.open("h:1", Options{OnEvent: rec.add})
		_ = p.conn.Close()
		p = <-s.accepted
		queued := make(chan error, 1)
		go func() { queued <- c.Sync(context.Background(), "/") }()
		synctest.Wait()
		p.login(0, 0)
		if err := <-queued; !errors.Is(err, jute.CodeSessionExpired) {
			t.Errorf("queued: %v, want SessionExpired", err)
		}
		if err := c.Sync(context.Background(), "/"); !errors.Is(err, jute.CodeSessionExpired) {
			t.Errorf("later: %v, want SessionExpired", err)
		}
		if s := c.State(); s != Expired {
			t.Errorf("state %v", s)
		}
		if events := rec.take(); !strings.Contains(events[len(events)-1], "state:Expired") {
			t.Errorf("events %q", events)
		}
	})
}

func TestUnreachable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newPeers(t)
		s.refuse["one:2181"], s.refuse["two:2181"] = true, true
		c, err := New("one,two", Options{Dial: s.dial, InOrder: true, RetryDelay: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Sync(context.Background(), "/"); !errors.Is(err, jute.CodeConnectionLoss) {
			t.Errorf("error %v, want ConnectionLoss", err)
		}
		if got := s.addrs(); !slices.Equal(got, []string{"one:2181", "two:2181"}) {
			t.Errorf("dialed %q", got)
		}
		if err := c.Close(context.Background()); err != nil {
			t.Error(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, err := Connect(ctx, "one,two", Options{Dial: s.dial}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Connect: %v", err)
		}
	})
}

func TestAuthRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := newPeers(t).open("h:1", Options{})
		got := make(chan error, 1)
		go func() { got <- c.AddAuth(context.Background(), "bogus", nil) }()
		p.expect(jute.OpAuth)
		p.reply(jute.XidAuth, 0, jute.CodeAuthFailed, nil)
		if err := <-got; !errors.Is(err, jute.CodeAuthFailed) {
			t.Errorf("AddAuth: %v", err)
		}
		if err := c.Sync(context.Background(), "/"); !errors.Is(err, jute.CodeAuthFailed) {
			t.Errorf("later: %v, want AuthFailed", err)
		}
	})
}

func TestPingAndSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newPeers(t)
		c, p := s.open("h:1", Options{})
		start := time.Now()
		xid, _ := p.expect(jute.OpPing)
		if took := time.Since(start); took != 2*time.Second || xid != jute.XidPing {
			t.Errorf("ping with xid %d after %v, want 2 s of 6", xid, took)
		}
		p.reply(jute.XidPing, 0, 0, nil)
		start = time.Now()
		silent := p.r
		go func() { // a server that reads and says nothing
			for {
				if _, err := readFrame(silent, 1<<20); err != nil {
					return
				}
			}
		}()
		p = <-s.accepted
		if took := time.Since(start); took != 4*time.Second+retryDelayDefault {
			t.Errorf("gave the server up after %v, want 4 s of 6", took)
		}
		p.login(0x1001, 6000)
		if err := c.WaitConnected(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rec recorder
		c, p := newPeers(t).open("h:1", Options{OnEvent: rec.add})
		closed := make(chan error, 1)
		go func() { closed <- c.Close(context.Background()) }()
		xid, _ := p.expect(jute.OpCloseSession)
		p.reply(xid, 30, 0, nil)
		_ = p.conn.Close()
		if err := <-closed; err != nil {
			t.Error(err)
		}
		want := []string{connectedLine, "WatchedEvent state:Closed type:None path:null zxid: -1"}
		if events := rec.take(); !slices.Equal(events, want) {
			t.Errorf("events %q, want %q", events, want)
		}
		if err := c.Sync(context.Background(), "/"); !errors.Is(err, jute.CodeSessionExpired) {
			t.Errorf("after Close: %v", err)
		}
	})
}

func TestProtocolBroken(t *testing.T) {
	for name, send := range map[string]func(p *peer, xid int32){
		"xid out of order": func(p *peer, xid int32) { p.reply(xid+1, 1, 0, nil) },
		"short header":     func(p *peer, _ int32) { p.send([]byte{0, 0, 0}) },
		"huge frame":       func(p *peer, _ int32) { _, _ = p.conn.Write([]byte{0x7f, 0xff, 0xff, 0xff}) },
		"negative frame":   func(p *peer, _ int32) { _, _ = p.conn.Write([]byte{0xff, 0xff, 0xff, 0xff}) },
		"stray auth":       func(p *peer, _ int32) { p.reply(jute.XidAuth, 0, 0, nil) },
		"bad event":        func(p *peer, _ int32) { p.reply(jute.XidNotification, 0, 0, []byte{1}) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newPeers(t)
				c, p := s.open("h:1", Options{})
				got := make(chan error, 1)
				go func() { got <- c.Sync(context.Background(), "/") }()
				xid, _ := p.expect(jute.OpSync)
				send(p, xid)
				if err := <-got; !errors.Is(err, jute.CodeConnectionLoss) {
					t.Errorf("error %v, want ConnectionLoss", err)
				}
				p = <-s.accepted
				p.login(0x1001, 6000)
			})
		})
	}
}

func TestRemoveWatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rec recorder
		c, p := newPeers(t).open("h:1", Options{OnEvent: rec.add})
		ctx := context.Background()
		got := make(chan error, 1)
		go func() { _, err := c.Children(ctx, "/a", true); got <- err }()
		xid, _ := p.expect(jute.OpGetChildren)
		p.reply(xid, 1, 0, jute.AppendStrings(nil, nil))
		<-got
		if err := c.RemoveWatches(ctx, "/a", jute.WatcherData, false); !errors.Is(err, jute.CodeNoWatcher) {
			t.Errorf("data watch: %v, want NoWatcher", err)
		}
		rec.take()
		go func() { got <- c.RemoveWatches(ctx, "/a", jute.WatcherAny, false) }()
		xid, _ = p.expect(jute.OpRemoveWatches)
		p.reply(xid, 1, 0, nil)
		if err := <-got; err != nil {
			t.Error(err)
		}
		want := []string{"WatchedEvent state:SyncConnected type:ChildWatchRemoved path:/a zxid: -1"}
		if events := rec.take(); !slices.Equal(events, want) {
			t.Errorf("events %q, want %q", events, want)
		}
	})
}

func TestWatchFrames(t *testing.T) {
	var w watchSet
	for i := range 3000 {
		w.add(dataWatch, fmt.Sprintf("/%0100d", i))
	}
	frames := w.frames(5)
	if len(frames) != 3 {
		t.Errorf("%d frames, want 3", len(frames))
	}
	seen := 0
	for _, f := range frames {
		d := jute.NewDecoder(f[12:], 0)
		var r jute.SetWatchesRequest
		if r.Decode(&d, jute.OpSetWatches); d.Err() != nil || r.RelativeZxid != 5 {
			t.Fatalf("frame: %v, zxid %v", d.Err(), r.RelativeZxid)
		}
		seen += len(r.Data)
	}
	if seen != 3000 {
		t.Errorf("%d watches in the frames, want 3000", seen)
	}
}

func TestValidatePath(t *testing.T) {
	for path, want := range map[string]string{
		"":            "Path length must be > 0",
		"a":           "Path must start with / character",
		"/":           "",
		"/a/":         "Path must not end with / character",
		"/a//b":       `Invalid path string "/a//b" caused by empty node name specified @3`,
		"/a/./b":      `Invalid path string "/a/./b" caused by relative paths not allowed @3`,
		"/a/..":       `Invalid path string "/a/.." caused by relative paths not allowed @4`,
		"/..a/b./.c":  "",
		"/a...":       "",
		"/a\x00":      "Invalid path string \"/a\x00\" caused by null character not allowed @2",
		"/a\x1f":      "Invalid path string \"/a\x1f\" caused by invalid character @2",
		"/ü\u0085":    "Invalid path string \"/ü\u0085\" caused by invalid character @2",
		"/\U0001F600": "Invalid path string \"/\U0001F600\" caused by invalid character @1",
		"/\uf900":     "",
		"/\ufffd":     "Invalid path string \"/\ufffd\" caused by invalid character @1",
	} {
		got := ""
		if err := ValidatePath(path, false); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: %q, want %q", path, got, want)
		}
	}
	if err := ValidatePath("/a/", true); err != nil {
		t.Errorf("sequential /a/: %v", err)
	}
}

func TestParseConnectString(t *testing.T) {
	for in, want := range map[string]string{
		"h":                   "[h:2181] ",
		"h:1,i:2/c/d":         "[h:1 i:2] /c/d",
		" h , [::1]:3,[::2]/": "[h:2181 [::1]:3 [::2]:2181] ",
		"h:":                  "[h:2181] ",
		"h:x":                 "error",
		"h:70000":             "error",
		"[::1":                "error",
		"h/c/":                "error",
		",/c":                 "error",
	} {
		addrs, chroot, err := ParseConnectString(in)
		got := fmt.Sprintf("%v %s", addrs, chroot)
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("%q: %s (%v), want %s", in, got, err, want)
		}
	}
}
