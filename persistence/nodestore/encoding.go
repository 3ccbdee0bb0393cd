package nodestore

import (
	"zk/jute"
	"zk/server/tree"
)

// inlineDataMax is the most data, in bytes, that is kept in the node's own record on disk; more goes
// under a key of its own, so that a change of the stat alone doesn't write it again.
const inlineDataMax = 2048

// recordVersion starts each record on disk.
const recordVersion = 1

// Where a record's data is.
const (
	dataInline byte = iota
	dataApart
)

// metaTree names the figures of the tree in the state store.
const metaTree = "tree"

// appendRecord encodes a record for the state store:
//
//	version 1 | acl 4 | children 4 | data CRC 4 | stat 60 | data length 4, -1 null | where 1 | data
func appendRecord(b []byte, rec *record, data []byte) []byte {
	b = append(b, recordVersion)
	b = jute.AppendInt32(b, int32(rec.node.ACL))
	b = jute.AppendInt32(b, rec.node.Children)
	b = jute.AppendInt32(b, int32(rec.node.DataCRC))
	b = rec.node.Stat.Append(b)
	b = jute.AppendInt32(b, rec.dataLen)
	if len(data) > inlineDataMax {
		return append(b, dataApart)
	}
	return append(append(b, dataInline), data...)
}

// saved is a decoded record. data aliases the input.
type saved struct {
	node  tree.Node
	data  []byte
	apart bool
	size  int // of data that lies apart
}

// decodeRecord reads what appendRecord wrote; path is the node's.
func decodeRecord(path string, b []byte) (saved, error) {
	var v saved
	d := jute.NewDecoder(b, 0)
	if d.Bool(); d.Err() == nil && b[0] != recordVersion {
		d.Fail("unknown version of a node record")
	}
	v.node.ACL = uint32(d.Int32())
	v.node.Children = d.Int32()
	v.node.DataCRC = uint32(d.Int32())
	v.node.Stat.Decode(&d)
	n := int(d.Int32())
	v.apart = d.Bool()
	if d.Err() != nil {
		return v, d.Err()
	}
	switch {
	case v.apart:
		v.size = n
	case n == -1 && d.Remaining() == 0:
	case n == d.Remaining():
		v.data = d.Rest()
	default:
		d.Fail("data length of a node record")
		return v, d.Err()
	}
	if tree.Digested(path) {
		v.node.Digest = uint32(tree.NodeDigest(v.node.DataCRC, &v.node.Stat))
	}
	return v, nil
}
