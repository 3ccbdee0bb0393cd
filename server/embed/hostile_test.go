package embed_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"zk/jute"
)

// seeds are valid requests of every kind a client has.
func seeds() []part {
	w := jute.SetWatchesRequest{Data: []string{"/a"}, Exist: []string{"/b"}, Child: []string{"/"}, Persistent: []string{"/a"}, PersistentRecur: []string{"/"}}
	acl := jute.SetACLRequest{Path: "/a", ACL: open, Version: -1}
	ttl := jute.CreateRequest{Path: "/h/ttl", ACL: open, Flags: jute.FlagTTL, TTL: 1000}
	container := jute.CreateRequest{Path: "/h/c", ACL: open, Flags: jute.FlagContainer}
	pathType := jute.PathTypeRequest{Path: "/a", Type: 1}
	addWatch := jute.PathTypeRequest{Path: "/a", Type: jute.AddWatchPersistentRecursive}
	check := jute.PathVersionRequest{Path: "/a", Version: -1}
	scheme := "digest"
	auth := jute.AuthPacket{Scheme: &scheme, Auth: []byte("u:p")}
	reads := jute.MultiEnd.Append(append(jute.MultiHeader{Type: jute.OpGetData, Err: -1}.Append(nil), read("/a", false)...))
	reconfig := jute.AppendInt64(jute.AppendString(jute.AppendString(jute.AppendString(nil, ""), ""), ""), -1)
	return []part{
		{jute.OpCreate, create("/h/x", "data", jute.FlagSequential)}, {jute.OpCreate2, create("/h/y", "data", 1)}, {jute.OpDelete, remove("/h/x")},
		{jute.OpExists, read("/a", true)}, {jute.OpGetData, read("/a", true)}, {jute.OpSetData, setData("/a", "data", -1)},
		{jute.OpGetACL, onePath("/a")}, {jute.OpSetACL, acl.Append(nil)}, {jute.OpGetChildren, read("/", true)}, {jute.OpSync, onePath("/")},
		{jute.OpPing, nil}, {jute.OpGetChildren2, read("/wide", true)}, {jute.OpCheck, check.Append(nil)},
		{jute.OpMulti, multi(part{jute.OpCheck, check.Append(nil)}, part{jute.OpCreate, create("/h/m", "d", 2)}, part{jute.OpSetData, setData("/a", "m", -1)},
			part{jute.OpDelete, remove("/h/none")})},
		{jute.OpReconfig, reconfig}, {jute.OpCheckWatches, pathType.Append(nil)}, {jute.OpRemoveWatches, pathType.Append(nil)},
		{jute.OpCreateContainer, container.Append(nil, jute.OpCreateContainer)}, {jute.OpDeleteContainer, onePath("/h")},
		{jute.OpCreateTTL, ttl.Append(nil, jute.OpCreateTTL)}, {jute.OpMultiRead, reads}, {jute.OpAuth, auth.Append(nil)},
		{jute.OpSetWatches, w.Append(nil, jute.OpSetWatches)}, {jute.OpSetWatches2, w.Append(nil, jute.OpSetWatches2)},
		{jute.OpSASL, jute.AppendBuffer(nil, []byte("token"))}, {jute.OpGetEphemerals, onePath("/")}, {jute.OpGetAllChildrenNumber, onePath("/")},
		{jute.OpAddWatch, addWatch.Append(nil)}, {jute.OpWhoAmI, nil}, {jute.OpCloseSession, nil},
		{jute.OpCreateSession, jute.AppendInt32(nil, 5000)}, {jute.OpError, jute.AppendInt32(nil, -4)}, {jute.OpNotification, nil},
	}
}

// mangle makes something hostile of a valid body.
func mangle(rng *rand.Rand, b []byte) []byte {
	b = slices.Clone(b)
	for range 1 + rng.IntN(3) {
		switch at := rng.IntN(len(b) + 1); rng.IntN(7) {
		case 0: // truncate
			b = b[:at]
		case 1: // too long
			b = append(b, make([]byte, rng.IntN(200))...)
		case 2: // some bytes
			for i := at; i < min(at+1+rng.IntN(4), len(b)); i++ {
				b[i] = byte(rng.Uint32())
			}
		case 3: // a length or a count
			if at+4 <= len(b) {
				v := []uint32{0x7fffffff, 0x80000000, 0xffffffff, 0xfffffffe, 1 << 20, 1 << 24, 0, 0xfffff}
				binary.BigEndian.PutUint32(b[at:], v[rng.IntN(len(v))])
			}
		case 4: // double
			b = append(b, b[at:]...)
		case 5: // a NUL, a surrogate or bad UTF-8 in a path
			if at < len(b) {
				b[at] = []byte{0, 0xed, 0xc0, 0xff, '/', '.', 1}[rng.IntN(7)]
			}
		case 6: // as it is
		}
		if len(b) > 1<<16 {
			b = b[:1<<16]
		}
	}
	return b
}

// attack sends mangled requests on one connection until the server ends it, and reads what comes.
func attack(nc net.Conn, rng *rand.Rand, list []part) {
	defer func() { _ = nc.Close() }()
	_ = nc.SetDeadline(time.Now().Add(patience))
	if rng.IntN(8) == 0 { // not even a login
		login := jute.ConnectRequest{TimeoutMillis: 1000, Passwd: make([]byte, 16)}
		b := mangle(rng, login.Append(nil))
		_, _ = nc.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(b)+rng.IntN(3)-1)), b...))
		if rng.IntN(2) == 0 {
			return
		}
		_, _ = nc.Read(make([]byte, 100))
		return
	}
	c := &client{nc: nc}
	if c.login(5000) != nil {
		return
	}
	var out []byte
	for range 1 + rng.IntN(30) {
		p := list[rng.IntN(len(list))]
		op := p.op
		switch rng.IntN(12) {
		case 0:
			op = list[rng.IntN(len(list))].op
		case 1:
			op = jute.OpCode(int32(rng.Uint32()) >> rng.IntN(32))
		}
		out = append(out, c.request(op, mangle(rng, p.body))...)
		if rng.IntN(40) == 0 { // a frame that lies about its length
			out = binary.BigEndian.AppendUint32(out, rng.Uint32()>>rng.IntN(32))
		}
	}
	go func() { _, _ = nc.Write(out) }()
	if rng.IntN(5) == 0 {
		return // without reading
	}
	_ = nc.SetDeadline(time.Now().Add(300 * time.Millisecond)) // a frame may be one that never ends
	for {
		if _, err := nc.Read(make([]byte, 4096)); err != nil {
			return
		}
	}
}

// TestHostileClients: whatever bytes some clients send, the writes of another go on, each within a
// second; nothing is left of them afterwards, and the server comes back with the same tree.
func TestHostileClients(t *testing.T) {
	before := runtime.NumGoroutine()
	r := start(t, "extendedTypesEnabled=true", "nio.sessionlessCnxnTimeout=500")
	c := r.connect()
	for _, p := range []string{"/a", "/h"} {
		c.ok(jute.OpCreate, create(p, "", 0))
	}
	c.fill("/wide", 1500)
	done := make(chan struct{})
	go func() {
		defer close(done)
		together(8, func(k int) {
			list := seeds()
			for i := range 120 {
				nc, err := net.Dial("tcp", r.node.Addr().String())
				if err != nil {
					t.Error(err)
					return
				}
				attack(nc, rand.New(rand.NewPCG(uint64(k), uint64(i))), list)
			}
		})
	}()
	for i, attacking := 0, true; attacking; i++ {
		select {
		case <-done:
			attacking = false
		default:
		}
		from := time.Now()
		c.ok(jute.OpSetData, setData("/wide/n000000", fmt.Sprint(i), int32(i)))
		if took := time.Since(from); took > time.Second {
			t.Fatal("a write took", took)
		}
	}
	await(t, "connections to end", func() bool { return strings.Count(r.word("cons"), "sid=") <= 1 })
	if panics := r.node.Metrics().UnrecoverableErrorCount.Value(); panics != 0 {
		t.Error("panics:", panics)
	}
	r.close()
	await(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= before+2 })
	first := verify(t, r)
	r.restart()
	r.close()
	if again := verify(t, r); again.Counts != first.Counts {
		t.Errorf("after the restart %+v, before %+v", again.Counts, first.Counts)
	}
}
