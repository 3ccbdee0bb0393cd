package embed_test

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"zk/conf"
	"zk/jute"
	"zk/server/embed"
)

// patience bounds every wait of these tests. What is awaited takes milliseconds, but for one thing: a server that was
// chosen as a leader by one who then changed its mind waits for followers until initLimit is over, as in Java.
const patience = time.Minute

// rig is a server on a disk in memory.
type rig struct {
	t    testing.TB
	fs   vfs.FS
	cfg  *conf.Config
	deps embed.Deps
	node *embed.Node
	tls  *tls.Config // of dial; nil: without TLS
}

// start starts a server; lines are added to its zoo.cfg.
func start(t testing.TB, lines ...string) *rig {
	t.Helper()
	r := newRig(t, vfs.NewMem(), lines...)
	r.open()
	return r
}

func newRig(t testing.TB, fs vfs.FS, lines ...string) *rig {
	t.Helper()
	text := "clientPort=0\nclientPortAddress=127.0.0.1\ndataDir=/data\ntickTime=2000\nmaxClientCnxns=0\nadmin.enableServer=false\n4lw.commands.whitelist=*\n" +
		strings.Join(lines, "\n") + "\n"
	cfg, err := conf.Parse("zoo.cfg", []byte(text), conf.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, fs: fs, cfg: cfg, deps: embed.Deps{FS: fs}}
	t.Cleanup(r.close)
	return r
}

func (r *rig) open() {
	r.t.Helper()
	node, err := embed.Start(context.Background(), r.cfg, r.deps)
	if err != nil {
		r.t.Fatal(err)
	}
	r.node = node
}

func (r *rig) close() {
	if r.node == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := r.node.Close(ctx); err != nil {
		r.t.Error("close:", err)
	}
	r.node = nil
}

// restart closes the server and starts it on the same data.
func (r *rig) restart() {
	r.t.Helper()
	r.close()
	r.open()
}

func (r *rig) dial() net.Conn {
	r.t.Helper()
	if r.tls != nil {
		return r.dialTLS(r.tls)
	}
	nc, err := net.Dial("tcp", r.node.Addr().String())
	if err != nil {
		r.t.Fatal(err)
	}
	return nc
}

// client is a connection that speaks raw frames.
type client struct {
	t       testing.TB
	nc      net.Conn
	sid     jute.SessionID
	passwd  []byte
	timeout int32
	xid     int32
	in      []byte
	events  []event   // met while waiting for replies
	zxid    jute.Zxid // of the last reply
}

// event is a watch event.
type event struct {
	Type jute.EventType
	Path string
}

// reply is an answer.
type reply struct {
	jute.ReplyHeader
	body []byte
}

// connect opens a session of its own.
func (r *rig) connect() *client {
	r.t.Helper()
	return r.connectFor(30000)
}

func (r *rig) connectFor(timeout int32) *client {
	r.t.Helper()
	c := &client{t: r.t, nc: r.dial()}
	r.t.Cleanup(func() { _ = c.nc.Close() })
	if err := c.login(timeout); err != nil {
		r.t.Fatal("connect:", err)
	}
	return c
}

// renew takes a session over with a connection of its own; ok is false when it has expired.
func (r *rig) renew(old *client) (*client, bool) {
	r.t.Helper()
	c := &client{t: r.t, nc: r.dial(), sid: old.sid, passwd: old.passwd}
	r.t.Cleanup(func() { _ = c.nc.Close() })
	if err := c.login(30000); err != nil {
		r.t.Fatal("renew:", err)
	}
	return c, c.sid != 0
}

func (c *client) login(timeout int32) error {
	passwd := c.passwd
	if passwd == nil {
		passwd = make([]byte, 16)
	}
	req := jute.ConnectRequest{TimeoutMillis: timeout, SessionID: c.sid, Passwd: passwd, HasReadOnly: true}
	c.write(req.Append(nil))
	b, err := c.frame()
	if err != nil {
		return err
	}
	d := jute.NewDecoder(b, 0)
	var resp jute.ConnectResponse
	if resp.Decode(&d); d.Err() != nil {
		return d.Err()
	}
	c.sid, c.passwd, c.timeout = resp.SessionID, append([]byte(nil), resp.Passwd...), resp.TimeoutMillis
	return nil
}

// write sends one frame. Errors show when the reply is read.
func (c *client) write(b []byte) {
	_, _ = c.nc.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...))
}

// request encodes a request as a frame with its length.
func (c *client) request(op jute.OpCode, body []byte) []byte {
	c.xid++
	h := jute.RequestHeader{Xid: c.xid, Type: op}
	b := append(h.Append(make([]byte, 4)), body...)
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b
}

func (c *client) send(op jute.OpCode, body []byte) int32 {
	_, _ = c.nc.Write(c.request(op, body))
	return c.xid
}

// frame reads one frame.
func (c *client) frame() ([]byte, error) {
	_ = c.nc.SetReadDeadline(time.Now().Add(patience))
	var n [4]byte
	if _, err := io.ReadFull(c.nc, n[:]); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(n[:])
	if size > 128<<20 {
		return nil, fmt.Errorf("frame of %d bytes", size)
	}
	if cap(c.in) < int(size) {
		c.in = make([]byte, size)
	}
	c.in = c.in[:size]
	_, err := io.ReadFull(c.nc, c.in)
	return c.in, err
}

// next reads a reply, or an event.
func (c *client) next() (reply, *event, error) {
	b, err := c.frame()
	if err != nil {
		return reply{}, nil, err
	}
	d := jute.NewDecoder(b, 0)
	var r reply
	r.Decode(&d)
	if r.Xid == -1 {
		var ev jute.WatcherEvent
		ev.Decode(&d)
		return r, &event{ev.Type, ev.Path}, d.Err()
	}
	r.body = append([]byte(nil), d.Rest()...)
	return r, nil, d.Err()
}

// recv reads the next reply and keeps the events before it.
func (c *client) recv() (reply, error) {
	for {
		r, ev, err := c.next()
		switch {
		case err != nil:
			return r, err
		case ev != nil:
			c.events = append(c.events, *ev)
			continue
		}
		if r.Zxid > 0 {
			if r.Zxid < c.zxid {
				return r, fmt.Errorf("reply %d: zxid %v after %v", r.Xid, r.Zxid, c.zxid)
			}
			c.zxid = r.Zxid
		}
		return r, nil
	}
}

// try sends a request and waits for its reply.
func (c *client) try(op jute.OpCode, body []byte) (reply, error) {
	xid := c.send(op, body)
	r, err := c.recv()
	if err == nil && r.Xid != xid && op != jute.OpPing {
		err = fmt.Errorf("reply to %d, want %d", r.Xid, xid)
	}
	return r, err
}

// call is try for requests that get an answer.
func (c *client) call(op jute.OpCode, body []byte) reply {
	c.t.Helper()
	r, err := c.try(op, body)
	if err != nil {
		c.t.Fatalf("%v: %v", op, err)
	}
	return r
}

// ok is call for requests that succeed; it gives the body.
func (c *client) ok(op jute.OpCode, body []byte) *jute.Decoder {
	c.t.Helper()
	r := c.call(op, body)
	if r.Err != jute.CodeOk {
		c.t.Fatalf("%v %q: %v", op, body, r.Err)
	}
	d := jute.NewDecoder(r.body, 1<<30)
	return &d
}

// awaitEvent reads on until there is an event, and takes it.
func (c *client) awaitEvent() (event, error) {
	for len(c.events) == 0 {
		r, ev, err := c.next()
		if err != nil {
			return event{}, err
		}
		if ev == nil {
			return event{}, fmt.Errorf("reply %+v in place of an event", r.ReplyHeader)
		}
		c.events = append(c.events, *ev)
	}
	ev := c.events[0]
	c.events = c.events[1:]
	return ev, nil
}

// gone waits until the server has closed the connection.
func (c *client) gone() error {
	for {
		if _, _, err := c.next(); err != nil {
			var ne net.Error
			if errors.As(err, &ne) && ne.Timeout() {
				return errors.New("connection is still open")
			}
			return nil
		}
	}
}

var open = []jute.ACL{{Perms: jute.PermAll, ID: jute.ID{Scheme: "world", ID: "anyone"}}}

func create(path string, data string, flags int32) []byte {
	r := jute.CreateRequest{Path: path, Data: []byte(data), ACL: open, Flags: flags}
	return r.Append(nil, jute.OpCreate)
}

func setData(path, data string, version int32) []byte {
	r := jute.SetDataRequest{Path: path, Data: []byte(data), Version: version}
	return r.Append(nil)
}

func remove(path string) []byte {
	r := jute.PathVersionRequest{Path: path, Version: -1}
	return r.Append(nil)
}

func read(path string, watch bool) []byte {
	r := jute.PathWatchRequest{Path: path, Watch: watch}
	return r.Append(nil)
}

func onePath(path string) []byte { return jute.AppendString(nil, path) }

// part is an operation of a multi.
type part struct {
	op   jute.OpCode
	body []byte
}

func multi(parts ...part) []byte {
	var b []byte
	for _, p := range parts {
		b = append(jute.MultiHeader{Type: p.op, Err: -1}.Append(b), p.body...)
	}
	return jute.MultiEnd.Append(b)
}

// fill creates n children of path, pipelined as multis.
func (c *client) fill(path string, n int) {
	c.t.Helper()
	c.ok(jute.OpCreate, create(path, "", 0))
	for i := 0; i < n; {
		var parts []part
		for ; i < n && len(parts) < 500; i++ {
			parts = append(parts, part{jute.OpCreate, create(fmt.Sprintf("%s/n%06d", path, i), "x", 0)})
		}
		c.ok(jute.OpMulti, multi(parts...))
	}
}

// digest is the tree's digest as the operators see it... through dhsh: the words of the four letters.
func (r *rig) word(word string) string {
	r.t.Helper()
	nc := r.dial()
	defer func() { _ = nc.Close() }()
	_ = nc.SetDeadline(time.Now().Add(patience))
	_, _ = io.WriteString(nc, word)
	b, err := io.ReadAll(nc)
	if err != nil {
		r.t.Fatal(word, err)
	}
	return string(b)
}

// await waits until cond holds.
func await(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !cond(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited in vain: " + what)
		}
	}
}

// together runs n functions at once and waits for all of them.
func together(n int, f func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}
