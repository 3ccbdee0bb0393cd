package model

import (
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"zk/jute"
)

// kind is what an operation does.
type kind int

const (
	get      kind = iota // getData, with a watch if armed is wanted
	set                  // setData on a version
	append_              // create of a sequential node
	transfer             // multi: two accounts set on their versions
	audit                // multiRead of all accounts
	acquire              // create of an ephemeral
	release              // delete of it
	holder               // getData of it
	end                  // the end of a session: closeSession, or its expiry
)

func (k kind) String() string {
	return [...]string{"get", "set", "append", "transfer", "audit", "acquire", "release", "holder", "end"}[k]
}

// never is the end of an operation whose outcome nobody knows.
const never int64 = math.MaxInt64

// cell is one node that an operation writes or has read.
type cell struct {
	path    string
	value   string
	version int32 // a write's expected version; a read's, or the new one of a write that was done
	wanted  int32 // of a write: the version that it expects
}

// record is one operation as its client saw it.
type record struct {
	client int
	kind   kind
	path   string // of the object: a node, or the folder of accounts or of a queue
	cells  []cell
	watch  bool

	call, ret int64 // ns since the start; ret is never when there was no reply
	code      jute.Code
	zxid      jute.Zxid // of the reply
	name      string    // of a node created
	mzxid     jute.Zxid // of the node read or written
	owner     jute.SessionID

	sure bool // of one without a reply: others have seen that it was done
}

// known reports whether the reply came.
func (r *record) known() bool { return r.ret != never }

// write reports whether the operation takes a zxid of its own.
func (r *record) write() bool {
	switch r.kind {
	case set, append_, transfer, acquire, release:
		return true
	}
	return false
}

func (r *record) String() string {
	return fmt.Sprintf("client %d %v %s %+v [%d, %d] %v zxid %v mzxid %v name %q", r.client, r.kind, r.path, r.cells, r.call, r.ret, r.code, r.zxid, r.mzxid, r.name)
}

// item is what came to a client: a reply or an event.
type item struct {
	reply *record
	event string // the path of a NodeDataChanged
}

// history is what the clients of one round saw.
type history struct {
	start time.Time
	done  atomic.Int64 // replies so far

	mu      sync.Mutex
	records []*record      // guarded by mu
	streams map[int][]item // by client, in the order of arrival; guarded by mu
}

func newHistory() *history { return &history{start: time.Now(), streams: map[int][]item{}} }

// now is the time in the history.
func (h *history) now() int64 { return int64(time.Since(h.start)) }

// add puts an operation into the history, unless nothing follows from it: a read without a reply.
func (h *history) add(r *record) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if r.known() || r.write() || r.kind == end {
		h.records = append(h.records, r)
	}
}

// arrived notes what came to a client.
func (h *history) arrived(client int, i item) {
	if i.reply != nil {
		h.done.Add(1)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.streams[client] = append(h.streams[client], i)
}
