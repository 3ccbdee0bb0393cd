package tree

import (
	"encoding/binary"
	"hash/crc32"

	"zk/jute"
)

// DataCRC is the CRC-32 over a node's path (the root's is empty) and data. Null data adds nothing.
func DataCRC(path string, data []byte) uint32 {
	if path == RootPath {
		path = ""
	}
	var buf [256]byte
	crc := uint32(0)
	for len(path) > 0 {
		n := copy(buf[:], path)
		crc = crc32.Update(crc, crc32.IEEETable, buf[:n])
		path = path[n:]
	}
	return crc32.Update(crc, crc32.IEEETable, data)
}

// statCRC continues dataCRC over the stat: five longs, three ints, the owner.
func statCRC(dataCRC uint32, s *jute.StatPersisted) uint32 {
	var b [60]byte
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
