package tree

import "zk/jute"

// Reserved paths (Java: ZooDefs, Quotas).
const (
	RootPath       = "/"
	ZookeeperPath  = "/zookeeper"
	QuotaPath      = "/zookeeper/quota"
	ConfigPath     = "/zookeeper/config"
	LimitsNode     = "zookeeper_limits"
	QuotaStatsNode = "zookeeper_stats"
)

// Owners that are not sessions (Java: EphemeralType).
const (
	ContainerOwner int64 = -1 << 63 // 0x8000000000000000
	TTLOwnerMask   int64 = -1 << 56 // 0xFF in the upper byte
	TTLMax         int64 = 1<<40 - 1
)

// NodeInfo is what prep needs to know of a committed node.
type NodeInfo struct {
	Stat       jute.StatPersisted // Cversion counts creations
	Children   int32
	ACL        []jute.ACL // shared with the tree, immutable
	DataLength int32      // 0 for null data
	DataCRC    uint32     // CRC-32 over path and data: the node's digest before its Stat (see NodeDigest)
	Digest     uint32     // NodeDigest of the node; 0 if it does not count
}

// Quota is the state of one quota root. A limit of -1 means none.
type Quota struct {
	Path           string // of the quota root
	Count          int64  // nodes in the subtree, the root of it included
	Bytes          int64  // of their data
	CountLimit     int64
	BytesLimit     int64
	CountHardLimit int64
	BytesHardLimit int64
}

// PathLenBytes is what a path takes in a transaction besides its bytes.
const PathLenBytes = 4

// View is the committed tree as prep reads it. It is not safe to hold what it returns over an apply,
// except the ACL slices, which never change.
type View interface {
	// Lookup fills info with the node at path; false if there is none.
	Lookup(path string, info *NodeInfo) bool
	// QuotaOf gives the deepest quota root at or above path.
	QuotaOf(path string) (Quota, bool)
	// Ephemerals appends the paths of the session's ephemerals to dst, in no particular order.
	Ephemerals(id jute.SessionID, dst []string) []string
	// EphemeralBytes is how many bytes those paths take in a closeSession.
	EphemeralBytes(id jute.SessionID) int
	// TreeDigest is the digest after LastZxid.
	TreeDigest() int64
	// LastZxid is the zxid of the last transaction applied.
	LastZxid() jute.Zxid
}

// NodeDigest is the part of the tree digest that a node contributes: the CRC over path, data and stat
// (reference disk-formats, section 5). dataCRC covers path and data; see DataCRC. Nodes below
// /zookeeper contribute nothing: ask Digested first.
func NodeDigest(dataCRC uint32, s *jute.StatPersisted) int64 {
	var g Digester
	return int64(g.Node(dataCRC, s))
}

// Digested reports whether the node at path counts in the tree digest.
func Digested(path string) bool {
	return len(path) <= len(ZookeeperPath) || path[:len(ZookeeperPath)+1] != ZookeeperPath+"/"
}
