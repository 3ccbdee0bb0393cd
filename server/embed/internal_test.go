package embed

import (
	"io"

	"zk/jute"
	"zk/quorum"
)

// OpenSnap is what a leader sends.
func (n *Node) OpenSnap() (quorum.Snapshot, error) { return machine{n}.OpenSnapshot() }

// Receive is what a learner does with it.
func (n *Node) Receive(r io.Reader, zxid jute.Zxid) (quorum.Incoming, error) {
	return machine{n}.Receive(r, zxid)
}
