package persistence

import (
	"encoding/binary"
	"strings"

	"zk/jute"
)

// The first byte of every key tells its kind; see the package comment for the drawing.
const (
	keyMeta      = 'm' // both stores
	keyEntry     = 'z' // log: zxid
	keyTail      = 't' // log: zxid, while metaEmptied is there
	keyNode      = 'n' // state: parent, 0x00, name
	keyData      = 'd' // state: the same
	keySession   = 's' // state: session id
	keyEphemeral = 'e' // state: session id, path
	keyCandidate = 'c' // state: path
	keyACL       = 'a' // state: ACL id
)

// entryKeyLen is the length of a log entry's key.
const entryKeyLen = 9

// putEntryKey fills k, which has entryKeyLen bytes. Zxids are never negative in a log, so the unsigned
// byte order is theirs.
func putEntryKey(k []byte, z jute.Zxid) {
	k[0] = keyEntry
	binary.BigEndian.PutUint64(k[1:], uint64(z))
}

func entryKey(z jute.Zxid) []byte {
	k := make([]byte, entryKeyLen)
	putEntryKey(k, z)
	return k
}

func tailKey(z jute.Zxid) []byte {
	k := entryKey(z)
	k[0] = keyTail
	return k
}

// entryZxid reads a log entry's key; ok is false for any other key.
func entryZxid(k []byte) (z jute.Zxid, ok bool) {
	if len(k) != entryKeyLen || k[0] != keyEntry {
		return 0, false
	}
	return jute.Zxid(binary.BigEndian.Uint64(k[1:])), true
}

// Follows tells whether next may come right after prev in a log: zxids have no gaps inside an epoch,
// and an epoch begins with counter 1 (Java: Leader sets counter 0, the first proposal adds one). A
// standalone server counts on past the end of an epoch, hence the plain +1.
func Follows(prev, next jute.Zxid) bool {
	return next == prev+1 || (next.Epoch() > prev.Epoch() && next.Counter() == 1)
}

func metaKey(name string) []byte { return append([]byte{keyMeta}, name...) }

// splitPath cuts an absolute path at its last slash: "/a/b" is "/a" and "b", "/a" is "/" and "a". The
// root has no name.
func splitPath(path string) (parent, name string) {
	i := strings.LastIndexByte(path, '/')
	if i <= 0 {
		return path[:i+1], path[i+1:]
	}
	return path[:i], path[i+1:]
}

// pathKeyLen is the length of the key of a path under keyNode or keyData.
func pathKeyLen(path string) int {
	if path == "/" || path == "" {
		return 1
	}
	parent, name := splitPath(path)
	return 1 + len(parent) + 1 + len(name)
}

// appendPathKey appends the key of a path under keyNode or keyData.
func appendPathKey(b []byte, kind byte, path string) []byte {
	b = append(b, kind)
	if path == "/" || path == "" {
		return b
	}
	parent, name := splitPath(path)
	b = append(b, parent...)
	b = append(b, 0)
	return append(b, name...)
}

// splitPathKey is the reverse of appendPathKey: parent and name; both are empty for the root. ok is
// false for what appendPathKey never makes. A path holds no 0x00 (Java's PathUtils refuses it), so
// the first one is the separator.
func splitPathKey(k []byte) (parent, name []byte, ok bool) {
	if len(k) == 0 {
		return nil, nil, false
	}
	k = k[1:]
	if len(k) == 0 {
		return nil, nil, true
	}
	for i, c := range k {
		if c == 0 {
			return k[:i], k[i+1:], k[0] == '/' && i+1 < len(k)
		}
	}
	return nil, nil, false
}

// appendChildrenKey appends where the children of parent begin in the key order; their names follow it.
func appendChildrenKey(b []byte, parent string) []byte {
	b = append(b, keyNode)
	b = append(b, parent...)
	return append(b, 0)
}

// keyAfter is the smallest key greater than every key that begins with prefix. The kinds of keys are
// letters and paths are no 0xff, so the last byte can always grow.
func keyAfter(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	end[len(end)-1]++
	return end
}
