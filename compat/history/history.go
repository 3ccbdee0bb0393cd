package history

import (
	"fmt"
	"math"
	"slices"
	"strings"
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
	syncing              // sync
	end                  // the end of a session: closeSession, or its expiry
)

func (k kind) String() string {
	return [...]string{"get", "set", "append", "transfer", "audit", "acquire", "release", "holder", "sync", "end"}[k]
}

// never is the end of an operation whose outcome nobody knows.
const never int64 = math.MaxInt64

// cell is one node that an operation writes or has read.
type cell struct {
	path    string
	value   string
	version int32 // a write's expected version; a read's, or the new one of a write that was done
	wanted  int32 // of a write: the version that it expects
	mzxid   jute.Zxid
}

// Record is one operation as its client saw it.
type Record struct {
	client int
	kind   kind
	path   string // of the object: a node, or the folder of accounts or of a queue
	cells  []cell
	watch  bool
	synced bool // a read behind a sync in the same pipeline

	call, ret int64 // ns since the start; ret is never when there was no reply
	code      jute.Code
	zxid      jute.Zxid // of the reply
	name      string    // of a node created
	mzxid     jute.Zxid // of the node read or written
	owner     jute.SessionID

	sure bool // of one without a reply: others have seen that it was done
}

// write reports whether the operation takes a zxid of its own.
func (r *Record) write() bool {
	switch r.kind {
	case set, append_, transfer, acquire, release:
		return true
	}
	return false
}

// Known reports whether the reply came.
func (r *Record) Known() bool { return r.ret != never }

// Done reports whether the reply came and said so.
func (r *Record) Done() bool { return r.Known() && r.code == jute.CodeOk }

// Exists reports whether a create was refused since the node is there.
func (r *Record) Exists() bool { return r.Known() && r.code == jute.CodeNodeExists }

func (r *Record) String() string {
	return fmt.Sprintf("client %d %v %s %+v [%d, %d] %v zxid %v mzxid %v name %q", r.client, r.kind, r.path, r.cells, r.call, r.ret, r.code, r.zxid, r.mzxid, r.name)
}

// item is what came to a client: a reply or an event.
type item struct {
	reply *Record
	event string // the path of a NodeDataChanged
}

// History is what the clients of one round saw.
type History struct {
	start   time.Time
	replies atomic.Int64
	writes  atomic.Int64 // that were answered with success
	newest  atomic.Int64 // the highest zxid of those

	mu      sync.Mutex
	records []*Record      // guarded by mu
	streams map[int][]item // by client, in the order of arrival; guarded by mu
}

// New begins a history.
func New() *History { return &History{start: time.Now(), streams: map[int][]item{}} }

// Now is the time in the history, in ns since its start.
func (h *History) Now() int64 { return int64(time.Since(h.start)) }

// Replies is the number of replies so far.
func (h *History) Replies() int64 { return h.replies.Load() }

// Writes is the number of writes so far that were answered with success.
func (h *History) Writes() int64 { return h.writes.Load() }

// Newest is the highest zxid of these writes.
func (h *History) Newest() jute.Zxid { return jute.Zxid(h.newest.Load()) }

// add puts an operation into the history, unless nothing follows from it: a read without a reply, a write that was
// refused before it got into the order of writes.
func (h *History) add(r *Record) {
	if !r.Known() && !r.write() && r.kind != end || r.Known() && unordered(r.code) {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.records = append(h.records, r)
}

// unordered reports whether a server that answers so has not proposed the write: its disk is nearly full, or its
// session is no more.
func unordered(code jute.Code) bool {
	return code == jute.CodeNotReadOnly || code == jute.CodeSessionExpired
}

// arrived notes what came to a client.
func (h *History) arrived(client int, i item) {
	if r := i.reply; r != nil {
		h.replies.Add(1)
		if r.write() && r.code == jute.CodeOk {
			h.writes.Add(1)
			for z := h.newest.Load(); z < int64(r.zxid) && !h.newest.CompareAndSwap(z, int64(r.zxid)); z = h.newest.Load() {
			}
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.streams[client] = append(h.streams[client], i)
}

// Summary counts the operations by kind, for the log of a test.
func (h *History) Summary() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := map[string]int{}
	for _, r := range h.records {
		name := r.kind.String()
		switch {
		case !r.Known():
			name += " maybe"
		case r.code != jute.CodeOk:
			name += " refused"
		}
		n[name]++
	}
	var list []string
	for name, count := range n {
		list = append(list, fmt.Sprintf("%s %d", name, count))
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}
