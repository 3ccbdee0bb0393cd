package diff

import (
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"math"
	"strconv"
	"strings"

	"zk/jute"
)

// null stands for a null string wherever a request takes a string.
const null = "\x00null"

// req is one request: what is sent and how a transcript calls it.
type req struct {
	op     jute.OpCode
	body   []byte
	text   string
	xid    int32
	hasXid bool
	owners []int64 // see ownerOf; of each node that it creates
	flags  int32   // of a create
}

// withXid gives the request a fixed xid instead of the connection's next one.
func (r req) withXid(xid int32) req {
	r.xid, r.hasXid = xid, true
	r.text = fmt.Sprintf("%s xid=%d", r.text, xid)
	return r
}

// short cuts bytes off the end of the body.
func (r req) short(n int) req {
	r.body = r.body[:len(r.body)-n]
	r.text = fmt.Sprintf("%s, %d bytes short", r.text, n)
	return r
}

// long appends bytes that do not belong to the body.
func (r req) long(b ...byte) req {
	r.body = append(append([]byte(nil), r.body...), b...)
	r.text = fmt.Sprintf("%s, %d bytes too many", r.text, len(b))
	return r
}

// as sends the body under another op code.
func (r req) as(op jute.OpCode) req {
	r.text = fmt.Sprintf("%s sent as op %d", r.text, op)
	r.op = op
	return r
}

func appendString(b []byte, s string) []byte {
	if s == null {
		return jute.AppendInt32(b, -1)
	}
	return jute.AppendString(b, s)
}

func show(s string) string {
	switch {
	case s == null:
		return "null"
	case len(s) > 120:
		return fmt.Sprintf("%.40q...(%d)", s, len(s))
	}
	return strconv.Quote(s)
}

// raw is a request with a body of any bytes.
func raw(op jute.OpCode, body ...byte) req {
	return req{op: op, body: body, text: fmt.Sprintf("op %d body %x", op, clip(body, 40))}
}

// createAs builds any of the four creates; ttl is on the wire only in createTTL.
func createAs(op jute.OpCode, path string, data []byte, acl []jute.ACL, flags int32, ttl int64) req {
	b := appendString(nil, path)
	b = jute.AppendBuffer(b, data)
	b = jute.AppendACLs(b, acl)
	b = jute.AppendInt32(b, flags)
	text := fmt.Sprintf("%v %s data=%s acl=%s flags=%d", op, show(path), dataText(data), aclText(acl), flags)
	if op == jute.OpCreateTTL {
		b = jute.AppendInt64(b, ttl)
		text += fmt.Sprintf(" ttl=%d", ttl)
	}
	return req{op: op, body: b, text: text, owners: []int64{ownerOf(op, ttl)}, flags: flags}
}

// ownerOf is the ephemeralOwner that a container or a TTL node has inside the server, where a Stat says 0.
func ownerOf(op jute.OpCode, ttl int64) int64 {
	switch op {
	case jute.OpCreateContainer:
		return math.MinInt64
	case jute.OpCreateTTL:
		return -1<<56 | ttl
	}
	return 0
}

// create makes a node with an open ACL and data "x".
func create(path string, flags int32) req {
	return createAs(jute.OpCreate, path, []byte("x"), open(), flags, 0)
}

func createACL(path string, acl []jute.ACL) req {
	return createAs(jute.OpCreate, path, []byte("x"), acl, 0, 0)
}

func create2(path string, flags int32) req {
	return createAs(jute.OpCreate2, path, []byte("x"), open(), flags, 0)
}

func createContainer(path string) req {
	return createAs(jute.OpCreateContainer, path, []byte("x"), open(), jute.FlagContainer, 0)
}

func createTTL(path string, flags int32, ttl int64) req {
	return createAs(jute.OpCreateTTL, path, []byte("x"), open(), flags, ttl)
}

func pathInt(op jute.OpCode, name, path string, n int32) req {
	return req{op: op, body: jute.AppendInt32(appendString(nil, path), n), text: fmt.Sprintf("%v %s %s=%d", op, show(path), name, n)}
}

func pathBool(op jute.OpCode, path string, watch bool) req {
	text := fmt.Sprintf("%v %s", op, show(path))
	if watch {
		text += " watch"
	}
	return req{op: op, body: jute.AppendBool(appendString(nil, path), watch), text: text}
}

func del(path string, version int32) req    { return pathInt(jute.OpDelete, "version", path, version) }
func check(path string, version int32) req  { return pathInt(jute.OpCheck, "version", path, version) }
func exists(path string, watch bool) req    { return pathBool(jute.OpExists, path, watch) }
func get(path string, watch bool) req       { return pathBool(jute.OpGetData, path, watch) }
func children(path string, watch bool) req  { return pathBool(jute.OpGetChildren, path, watch) }
func children2(path string, watch bool) req { return pathBool(jute.OpGetChildren2, path, watch) }
func addWatch(path string, mode int32) req  { return pathInt(jute.OpAddWatch, "mode", path, mode) }
func checkWatches(path string, typ int32) req {
	return pathInt(jute.OpCheckWatches, "type", path, typ)
}

func removeWatches(path string, typ int32) req {
	return pathInt(jute.OpRemoveWatches, "type", path, typ)
}

func set(path, data string, version int32) req { return setBytes(path, []byte(data), version) }

func setBytes(path string, data []byte, version int32) req {
	b := jute.AppendInt32(jute.AppendBuffer(appendString(nil, path), data), version)
	return req{op: jute.OpSetData, body: b, text: fmt.Sprintf("setData %s data=%s version=%d", show(path), dataText(data), version)}
}

func pathOnly(op jute.OpCode, path string) req {
	return req{op: op, body: appendString(nil, path), text: fmt.Sprintf("%v %s", op, show(path))}
}

func getACL(path string) req          { return pathOnly(jute.OpGetACL, path) }
func syncPath(path string) req        { return pathOnly(jute.OpSync, path) }
func ephemerals(prefix string) req    { return pathOnly(jute.OpGetEphemerals, prefix) }
func allChildren(path string) req     { return pathOnly(jute.OpGetAllChildrenNumber, path) }
func deleteContainer(path string) req { return pathOnly(jute.OpDeleteContainer, path) }

func setACL(path string, acl []jute.ACL, version int32) req {
	b := jute.AppendInt32(jute.AppendACLs(appendString(nil, path), acl), version)
	return req{op: jute.OpSetACL, body: b, text: fmt.Sprintf("setACL %s acl=%s version=%d", show(path), aclText(acl), version)}
}

func ping() req         { return req{op: jute.OpPing, text: "ping"}.withXid(jute.XidPing) }
func closeSession() req { return req{op: jute.OpCloseSession, text: "closeSession"} }
func whoAmI() req       { return req{op: jute.OpWhoAmI, text: "whoAmI"} }

// auth is an auth packet; a nil data is null.
func auth(scheme string, data []byte) req {
	b := jute.AppendBuffer(appendString(jute.AppendInt32(nil, 0), scheme), data)
	return req{op: jute.OpAuth, body: b, text: fmt.Sprintf("auth %s %s", show(scheme), dataText(data)), xid: jute.XidAuth, hasXid: true}
}

func digestAuth(userPassword string) req { return auth("digest", []byte(userPassword)) }

// digestOf is the second half of the digest scheme's id for "user:password".
func digestOf(userPassword string) string {
	sum := sha1.Sum([]byte(userPassword))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// multiOf is a multi or multiRead of the given parts.
func multiOf(op jute.OpCode, parts ...req) req {
	var b []byte
	texts := make([]string, 0, len(parts))
	var owners []int64
	for _, p := range parts {
		if p.flags == jute.FlagContainer {
			p.owners = []int64{ownerOf(jute.OpCreateContainer, 0)} // in a multi the flags decide, not the op
		}
		owners = append(owners, p.owners...)
		b = append(jute.MultiHeader{Type: p.op, Err: -1}.Append(b), p.body...)
		texts = append(texts, p.text)
	}
	return req{op: op, body: jute.MultiEnd.Append(b), text: fmt.Sprintf("%v{%s}", op, strings.Join(texts, "; ")), owners: owners}
}

func multi(parts ...req) req     { return multiOf(jute.OpMulti, parts...) }
func multiRead(parts ...req) req { return multiOf(jute.OpMultiRead, parts...) }

// watchLists are the lists of setWatches2; nil is sent as an empty vector.
type watchLists struct{ data, exist, child, persistent, recursive []string }

func setWatchesAs(op jute.OpCode, s *script, rel jute.Zxid, w watchLists) req {
	b := jute.AppendInt64(nil, int64(rel))
	lists := [][]string{w.data, w.exist, w.child, w.persistent, w.recursive}
	if op == jute.OpSetWatches {
		lists = lists[:3]
	}
	for _, l := range lists {
		b = jute.AppendInt32(b, int32(len(l)))
		for _, p := range l {
			b = appendString(b, p)
		}
	}
	text := fmt.Sprintf("%v rel=%s data=%q exist=%q child=%q persistent=%q recursive=%q", op, s.counted(rel), w.data, w.exist, w.child, w.persistent, w.recursive)
	return req{op: op, body: b, text: text, xid: jute.XidSetWatches, hasXid: true}
}

func (s *script) setWatches(rel jute.Zxid, w watchLists) req {
	return setWatchesAs(jute.OpSetWatches, s, rel, w)
}

func (s *script) setWatches2(rel jute.Zxid, w watchLists) req {
	return setWatchesAs(jute.OpSetWatches2, s, rel, w)
}

func reconfig(joining, leaving, members string, version int64) req {
	b := appendString(nil, joining)
	b = appendString(b, leaving)
	b = appendString(b, members)
	return req{
		op: jute.OpReconfig, body: jute.AppendInt64(b, version),
		text: fmt.Sprintf("reconfig joining=%s leaving=%s members=%s version=%d", show(joining), show(leaving), show(members), version),
	}
}

func sasl(token []byte) req {
	return req{op: jute.OpSASL, body: jute.AppendBuffer(nil, token), text: "sasl " + dataText(token)}
}

func open() []jute.ACL { return acl("world:anyone:cdrwa") }

// acl reads ACLs as "scheme:id:perms" with perms in zkCli's letters or as a number.
func acl(specs ...string) []jute.ACL {
	out := make([]jute.ACL, 0, len(specs))
	for _, spec := range specs {
		scheme, rest, _ := strings.Cut(spec, ":")
		i := strings.LastIndexByte(rest, ':')
		out = append(out, jute.ACL{Perms: perms(rest[i+1:]), ID: jute.ID{Scheme: scheme, ID: rest[:i]}})
	}
	return out
}

func perms(s string) int32 {
	if n, err := strconv.Atoi(s); err == nil {
		return int32(n)
	}
	var p int32
	for _, c := range s {
		p |= map[rune]int32{'r': jute.PermRead, 'w': jute.PermWrite, 'c': jute.PermCreate, 'd': jute.PermDelete, 'a': jute.PermAdmin}[c]
	}
	return p
}
