package tree

import (
	"encoding/binary"
	"hash/crc32"
	"unsafe"

	"zk/jute"
)

// DataCRC is the CRC-32 over a node's path (the root's is empty) and data. Null data adds nothing.
func DataCRC(path string, data []byte) uint32 {
	if path == RootPath {
		path = ""
	}
	// The bytes of the path are read only; a copy would go to the heap, as package crc32 lets its
	// argument escape.
	crc := crc32.ChecksumIEEE(unsafe.Slice(unsafe.StringData(path), len(path)))
	return crc32.Update(crc, crc32.IEEETable, data)
}

// Digester computes digests of nodes. It holds the memory that takes, so that none is allocated per node;
// it has one user at a time.
type Digester struct{ stat [60]byte }

// Node is the part of the tree digest that a node contributes: see NodeDigest.
func (g *Digester) Node(dataCRC uint32, s *jute.StatPersisted) uint32 {
	b := &g.stat // five longs, three ints, the owner
	binary.BigEndian.PutUint64(b[0:], uint64(s.Czxid))
	binary.BigEndian.PutUint64(b[8:], uint64(s.Mzxid))
	binary.BigEndian.PutUint64(b[16:], uint64(s.Pzxid))
	binary.BigEndian.PutUint64(b[24:], uint64(s.Ctime))
	binary.BigEndian.PutUint64(b[32:], uint64(s.Mtime))
	binary.BigEndian.PutUint32(b[40:], uint32(s.Version))
	binary.BigEndian.PutUint32(b[44:], uint32(s.Cversion))
	binary.BigEndian.PutUint32(b[48:], uint32(s.Aversion))
	binary.BigEndian.PutUint64(b[52:], uint64(s.EphemeralOwner))
	return crc32.Update(dataCRC, crc32.IEEETable, b[:])
}
