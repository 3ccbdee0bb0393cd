package nodestore

import (
	"fmt"
	"math"
	"slices"
	"time"
	"unsafe"

	"zk/jute"
	"zk/persistence"
	"zk/server/tree"
)

// Limits say when the current dirty set is frozen.
type Limits struct {
	FreezeTxns  int           // transactions
	FreezeBytes int           // of changed records and data, about as many as will be written
	FreezeAge   time.Duration // of the oldest change
}

// DefaultLimits are a compromise between the redo after a crash, which is 1 + throttleFactor times as much at most,
// and writing nodes that change often less often, and those that are soon deleted not at all. The bytes are
// memory too while they are written.
func DefaultLimits() Limits {
	return Limits{FreezeTxns: 40000, FreezeBytes: 20 << 20, FreezeAge: time.Second}
}

// throttleFactor times the freeze limits is where the apply loop waits for the state store.
const throttleFactor = 3

// encodeChunk is the number of records encoded under one hold of the read lock.
const encodeChunk = 128

// dirtySet is what changed in a run of transactions.
type dirtySet struct {
	nodes   []tree.Ref      // marked dirty in this set, perhaps gone since
	tombs   map[string]bool // deleted paths; true when data may lie under its own key
	ops     []op
	acls    map[uint32]op // by id: only the last counts
	images  []image       // of records that changed again after the freeze
	emptied []string      // nodes that have lost their last child, the newest
	gone    []goneRecord  // deleted ones, whose memory nodes may still point to
	txns    int
	bytes   int
	applied persistence.Applied
	meta    []byte
}

// goneRecord is the memory of a deleted record. Until the set it was deleted in is written, that set or the
// frozen one may name it as dirty, so it stays as it is: cleared.
type goneRecord struct {
	at    handle
	bytes int
}

// image is a record as it was when its set was frozen.
type image struct {
	path    string
	rec     []byte
	data    []byte // to be put apart
	hasData bool
	noData  bool // data that lay apart is to be removed
}

type opKind uint8

const (
	opPutSession opKind = iota
	opDropSession
	opPutEphemeral
	opDropEphemeral
	opPutCandidate
	opDropCandidate
	opPutACL
	opDropACL
)

// op is a change of one of the small tables.
type op struct {
	kind opKind
	id   int64
	n    int64
	path string
	acl  []jute.ACL
}

func newDirtySet() *dirtySet {
	return &dirtySet{tombs: map[string]bool{}, acls: map[uint32]op{}}
}

func (d *dirtySet) reset() {
	clear(d.tombs)
	clear(d.acls)
	clear(d.ops)
	clear(d.images)
	clear(d.emptied)
	*d = dirtySet{nodes: d.nodes[:0], tombs: d.tombs, ops: d.ops[:0], acls: d.acls, images: d.images[:0], emptied: d.emptied[:0], gone: d.gone[:0], meta: d.meta[:0]}
}

func (d *dirtySet) bury(path string, apart bool) {
	d.tombs[path] = d.tombs[path] || apart
	d.bytes += len(path)
}

const (
	// emptiedMax is how many nodes of a set are looked at because they have lost all children. Whoever deletes a tree
	// ends with its top, under which all the rest lies.
	emptiedMax = 8
	// emptiedShare is which part of FreezeTxns nodes must be deleted in a set before any is.
	emptiedShare = 128
)

// noteEmptied notes that a node has lost its last child. Whatever it gets until the set is frozen is seen then.
func (s *Store) noteEmptied(path string) {
	d := s.current
	if path == "" || len(d.tombs) < s.limits.FreezeTxns/emptiedShare || slices.Contains(d.emptied, path) {
		return
	}
	if len(d.emptied) == emptiedMax {
		d.emptied = slices.Delete(d.emptied, 0, 1)
	}
	d.emptied = append(d.emptied, path)
}

func (s *Store) hasChildren(path string) bool {
	r := s.Find(path)
	return r != tree.NoRef && s.rec(r).node.Children > 0
}

func (d *dirtySet) empty() bool { return d.txns == 0 }

// PutSession implements tree.Store.
func (s *Store) PutSession(id jute.SessionID, timeoutMillis int32) {
	s.addOp(op{kind: opPutSession, id: int64(id), n: int64(timeoutMillis)})
}

// DropSession implements tree.Store.
func (s *Store) DropSession(id jute.SessionID) { s.addOp(op{kind: opDropSession, id: int64(id)}) }

// PutEphemeral implements tree.Store.
func (s *Store) PutEphemeral(id jute.SessionID, path string) {
	s.addOp(op{kind: opPutEphemeral, id: int64(id), path: path})
}

// DropEphemeral implements tree.Store.
func (s *Store) DropEphemeral(id jute.SessionID, path string) {
	s.addOp(op{kind: opDropEphemeral, id: int64(id), path: path})
}

// PutCandidate implements tree.Store.
func (s *Store) PutCandidate(path string) { s.addOp(op{kind: opPutCandidate, path: path}) }

// DropCandidate implements tree.Store.
func (s *Store) DropCandidate(path string) { s.addOp(op{kind: opDropCandidate, path: path}) }

// PutACL implements tree.Store.
func (s *Store) PutACL(id uint32, refs int64, acl []jute.ACL) {
	s.current.acls[id] = op{kind: opPutACL, n: refs, acl: acl}
}

// DropACL implements tree.Store.
func (s *Store) DropACL(id uint32) { s.current.acls[id] = op{kind: opDropACL} }

func (s *Store) addOp(o op) {
	s.open = true
	s.current.ops = append(s.current.ops, o)
	s.current.bytes += 32 + len(o.path)
}

// touch marks a record as changed in the current set, after saving what the frozen set still needs of
// it. bits are flagNodeDirty and flagDataDirty of parity 0.
func (s *Store) touch(r tree.Ref, rec *record, bits uint32) {
	s.open = true
	s.captureFrozen(r, rec)
	mine := bits << s.parity
	if rec.flags&(flagNodeDirty<<s.parity) == 0 {
		s.current.nodes = append(s.current.nodes, r)
		s.current.bytes += recordBytes
	}
	rec.flags |= mine
}

// captureFrozen saves the image of a record that belongs to the frozen set and is about to change.
func (s *Store) captureFrozen(r tree.Ref, rec *record) {
	other := s.parity ^ 1
	if rec.flags&(flagNodeDirty<<other) == 0 {
		return
	}
	s.frozen.images = append(s.frozen.images, s.image(r, rec, other))
}

// image encodes a dirty record of a parity's set and clears its marks.
func (s *Store) image(r tree.Ref, rec *record, parity uint32) image {
	img := image{path: string(s.appendPath(nil, r))}
	data := s.data(rec)
	apart := len(data) > inlineDataMax
	img.rec = appendRecord(nil, rec, data)
	if rec.flags&(flagDataDirty<<parity) != 0 {
		if apart {
			img.data, img.hasData = append([]byte(nil), data...), true
			rec.flags |= flagApart
		} else if rec.flags&flagApart != 0 {
			img.noData = true
			rec.flags &^= flagApart
		}
	}
	rec.flags &^= (flagNodeDirty | flagDataDirty) << parity
	return img
}

// Applied closes a run of n transactions that the tree now has, up to zxid. meta is called for the
// figures to be saved with them if the set is frozen here. Called under the write lock.
func (s *Store) Applied(n int, zxid jute.Zxid, meta func([]byte) []byte) {
	s.open = false
	s.current.txns += n
	s.current.applied = persistence.Applied(zxid)
	s.current.meta = meta(s.current.meta[:0])
	if s.current.txns >= s.limits.FreezeTxns || s.current.bytes >= s.limits.FreezeBytes {
		s.freeze()
	}
}

// freeze hands the current set to the writer, unless that is busy.
func (s *Store) freeze() {
	if s.open || s.frozen != nil || s.spare == nil || s.current.empty() {
		return
	}
	s.current.emptied = slices.DeleteFunc(s.current.emptied, s.hasChildren)
	s.frozen = s.current
	s.current = s.spare
	s.spare = nil
	s.parity ^= 1
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Throttle waits while the state store is too far behind. The apply loop calls it without the lock.
func (s *Store) Throttle() error {
	s.throttle.Lock()
	defer s.throttle.Unlock()
	for {
		if err := s.Err(); err != nil {
			return err
		}
		s.lock.RLock()
		behind := s.frozen != nil && (s.current.txns >= throttleFactor*s.limits.FreezeTxns ||
			s.current.bytes >= throttleFactor*s.limits.FreezeBytes)
		s.lock.RUnlock()
		if !behind {
			return nil
		}
		s.written.Wait()
	}
}

// Err is the failure that stopped the writing, nil while there is none.
func (s *Store) Err() error {
	if p := s.failed.Load(); p != nil {
		return *p
	}
	return nil
}

// Start sets the writer going. onFail is called once if the state store fails.
func (s *Store) Start(onFail func(error)) {
	s.done.Go(func() { // ends at Close or with a failure
		if err := s.writeBehind(); err != nil {
			s.fail(err)
			onFail(err)
		}
	})
}

func (s *Store) writeBehind() error {
	tick := time.NewTicker(s.limits.FreezeAge)
	defer tick.Stop()
	for {
		select {
		case <-s.wake:
		case <-tick.C:
			if err := s.tick(); err != nil {
				return err
			}
		case <-s.quit:
			return nil
		}
		if err := s.writeFrozen(); err != nil {
			return err
		}
	}
}

// tick freezes what has waited long enough, and sees to what is done now and then only.
func (s *Store) tick() error {
	s.lock.Lock()
	s.freeze()
	rest := s.frozen == nil
	s.lock.Unlock()
	s.writing.Lock() // the arenas, and the state, stay these
	defer s.writing.Unlock()
	s.giveBack(&s.records)
	s.giveBack(&s.values)
	if !rest {
		return nil
	}
	if err := s.state.Rest(); err != nil {
		return fmt.Errorf("nodestore: let the state rest: %w", err)
	}
	return nil
}

func (s *Store) fail(err error) {
	s.throttle.Lock()
	defer s.throttle.Unlock()
	s.failed.CompareAndSwap(nil, &err)
	s.written.Broadcast()
}

// writeFrozen writes the frozen set, if there is one, as one batch of the state store.
func (s *Store) writeFrozen() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.lock.RLock()
	d := s.frozen
	s.lock.RUnlock()
	if d == nil {
		return nil
	}
	b := s.state.NewBatch(d.bytes + d.bytes/8)
	for path, apart := range d.tombs {
		b.DeleteNode(path)
		if apart {
			b.DeleteData(path)
		}
	}
	var e encoder
	for from := 0; from < len(d.nodes); from += encodeChunk {
		s.lock.RLock()
		for _, r := range d.nodes[from:min(from+encodeChunk, len(d.nodes))] {
			s.encode(b, &e, r)
		}
		s.lock.RUnlock()
	}
	// Apply may have added images as long as records were waiting; now none is.
	for i := range d.images {
		d.images[i].write(b)
	}
	for i := range d.ops {
		d.ops[i].write(b)
	}
	for id, o := range d.acls {
		if o.kind == opDropACL {
			b.DeleteACL(int64(id))
		} else {
			b.SetACL(int64(id), jute.AppendACLs(jute.AppendInt64(nil, o.n), o.acl))
		}
	}
	b.SetMeta(metaTree, d.meta)
	if err := b.Commit(d.applied); err != nil {
		return fmt.Errorf("nodestore: write state at %s: %w", jute.Zxid(d.applied), err)
	}
	for _, path := range d.emptied {
		if err := s.state.Emptied(path); err != nil {
			return fmt.Errorf("nodestore: write state: %w", err)
		}
	}
	s.retire(d)
	return nil
}

// retire drops a written set: from here on absence in memory and tombstones means: ask the disk.
func (s *Store) retire(d *dirtySet) {
	s.lock.Lock()
	s.frozen = nil
	s.gen++
	s.lock.Unlock()
	for from := 0; from < len(d.gone); from += encodeChunk {
		s.lock.Lock()
		for _, g := range d.gone[from:min(from+encodeChunk, len(d.gone))] {
			s.records.release(g.at, g.bytes)
		}
		s.lock.Unlock()
	}
	d.reset()
	s.lock.Lock()
	s.spare = d
	s.lock.Unlock()
	s.throttle.Lock()
	s.written.Broadcast()
	s.throttle.Unlock()
}

// giveBack gives the memory of some of an arena's chunks that have become empty back to the system, without the lock.
func (s *Store) giveBack(a *arena) {
	s.lock.Lock()
	list := a.surplus()
	chunks := make([]unsafe.Pointer, len(list))
	for k, i := range list {
		chunks[k] = a.chunks[i]
	}
	s.lock.Unlock()
	if len(list) == 0 {
		return
	}
	for _, c := range chunks {
		giveBack(c)
	}
	s.lock.Lock()
	a.given = append(a.given, list...)
	s.lock.Unlock()
}

// encoder holds the scratch of writeFrozen.
type encoder struct{ path, rec []byte }

// encode writes a record of the frozen set, unless its image was captured or it is gone. Only this
// goroutine and apply touch flags, and apply is kept out by the read lock.
func (s *Store) encode(b *persistence.StateBatch, e *encoder, r tree.Ref) {
	rec := s.rec(r)
	other := s.parity ^ 1
	if rec.flags&(flagNodeDirty<<other) == 0 {
		return
	}
	e.path = s.appendPath(e.path[:0], r)
	data := s.data(rec)
	e.rec = appendRecord(e.rec[:0], rec, data)
	path := string(e.path)
	b.SetNode(path, e.rec)
	if rec.flags&(flagDataDirty<<other) != 0 {
		if len(data) > inlineDataMax {
			b.SetData(path, data)
			rec.flags |= flagApart
		} else if rec.flags&flagApart != 0 {
			b.DeleteData(path)
			rec.flags &^= flagApart
		}
	}
	rec.flags &^= (flagNodeDirty | flagDataDirty) << other
}

func (i *image) write(b *persistence.StateBatch) {
	b.SetNode(i.path, i.rec)
	if i.hasData {
		b.SetData(i.path, i.data)
	}
	if i.noData {
		b.DeleteData(i.path)
	}
}

func (o *op) write(b *persistence.StateBatch) {
	switch o.kind {
	case opPutSession:
		b.SetSession(jute.SessionID(o.id), int32(min(o.n, math.MaxInt32)))
	case opDropSession:
		b.DeleteSession(jute.SessionID(o.id))
	case opPutEphemeral:
		b.SetEphemeral(jute.SessionID(o.id), o.path)
	case opDropEphemeral:
		b.DeleteEphemeral(jute.SessionID(o.id), o.path)
	case opPutCandidate:
		b.SetCandidate(o.path, nil)
	case opDropCandidate:
		b.DeleteCandidate(o.path)
	}
}

// write writes everything applied so far.
func (s *Store) write() error {
	for range 2 { // what is frozen already, then the rest
		s.lock.Lock()
		s.freeze()
		s.lock.Unlock()
		if err := s.writeFrozen(); err != nil {
			return err
		}
	}
	return nil
}

// Flush writes everything applied so far and makes it durable.
func (s *Store) Flush() error {
	if err := s.write(); err != nil {
		return err
	}
	if err := s.state.Flush(); err != nil {
		return fmt.Errorf("nodestore: flush state: %w", err)
	}
	return nil
}

// Abandon stops the writer and drops what is not written yet; the log has it. Nobody may use the store any
// more.
func (s *Store) Abandon() {
	close(s.quit)
	s.done.Wait()
	s.unmap()
}

// Close stops the writer and writes what is left. Nobody may use the store any more.
func (s *Store) Close() error {
	close(s.quit)
	s.done.Wait()
	if err := s.Err(); err != nil {
		return err
	}
	err := s.Flush()
	s.unmap()
	return err
}
