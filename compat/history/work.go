package history

import (
	"fmt"
	"math/rand/v2"
	"strconv"

	"zk/jute"
)

// What a round has of each kind of object.
const (
	registers = 8
	accounts  = 4
	balance   = 100 // of an account in the beginning
	// Locks is the number of ephemerals that clients take from each other.
	Locks = 2
)

// World names the objects of one round.
type World struct {
	Root string
}

// Queue is the parent of the sequential nodes.
func (w World) Queue() string { return w.Root + "/queue" }

// Lock is one of the ephemerals.
func (w World) Lock(i int) string { return fmt.Sprintf("%s/lock%d", w.Root, i) }

func (w World) register(i int) string { return fmt.Sprintf("%s/reg%d", w.Root, i) }
func (w World) bank() string          { return w.Root + "/bank" }
func (w World) account(i int) string  { return fmt.Sprintf("%s/%d", w.bank(), i) }

// nodes lists what has to be there before a round begins, with its data.
func (w World) nodes() [][2]string {
	list := [][2]string{{w.Root, ""}, {w.bank(), ""}, {w.Queue(), ""}}
	for i := range registers {
		list = append(list, [2]string{w.register(i), ""})
	}
	for i := range accounts {
		list = append(list, [2]string{w.account(i), strconv.Itoa(balance)})
	}
	return list
}

// Acquire is the create of an ephemeral, a lock.
func Acquire(path string) *Record { return &Record{kind: acquire, path: path} }

// Own is the create of an ephemeral that a client has for the whole of its session.
func (w World) Own(client int) *Record { return Acquire(w.OwnPath(client)) }

// OwnPath is its path.
func (w World) OwnPath(client int) string { return fmt.Sprintf("%s/own%d", w.Root, client) }

// Worker is one client's part of the load. It sends by do, which fills in the records.
type Worker struct {
	World
	client int
	rng    *rand.Rand
	do     func(...*Record) error
	known  map[string]int32 // versions as seen last
	n      int              // values written
}

// NewWorker makes the worker of a client; do is a session's.
func NewWorker(w World, client int, rng *rand.Rand, do func(...*Record) error) *Worker {
	return &Worker{World: w, client: client, rng: rng, do: do, known: map[string]int32{}}
}

// Step does a few operations.
func (w *Worker) Step() error {
	switch w.rng.IntN(8) {
	case 0, 1:
		return w.move()
	case 2:
		return w.hold()
	}
	var list []*Record
	for range 1 + w.rng.IntN(4) {
		list = append(list, w.simple()...)
	}
	if err := w.do(list...); err != nil {
		return err
	}
	w.learn(list...)
	return nil
}

// learn keeps the versions that replies show.
func (w *Worker) learn(list ...*Record) {
	for _, r := range list {
		if !r.Known() || r.code != jute.CodeOk || r.kind != get && r.kind != set {
			continue
		}
		w.known[r.path] = r.cells[0].version
	}
}

// simple are operations that can be sent behind others.
func (w *Worker) simple() []*Record {
	path := w.register(w.rng.IntN(registers))
	switch w.rng.IntN(8) {
	case 0, 1:
		return []*Record{{kind: get, path: path, watch: w.rng.IntN(2) == 0}}
	case 2:
		return []*Record{{kind: append_, path: w.Queue()}}
	case 3:
		return w.synced(get, path)
	}
	w.n++
	c := cell{path: path, value: fmt.Sprintf("%d.%d", w.client, w.n), wanted: w.known[path]}
	if w.rng.IntN(8) == 0 {
		c.wanted = -1
	}
	return []*Record{{kind: set, path: path, cells: []cell{c}}}
}

// synced is a read of what is there now, whichever server it is sent to.
func (w *Worker) synced(k kind, path string) []*Record {
	return []*Record{{kind: syncing, path: w.Root}, {kind: k, path: path, synced: true}}
}

// audit asks for all accounts.
func (w *Worker) audit() *Record {
	r := &Record{kind: audit, path: w.bank()}
	for i := range accounts {
		r.cells = append(r.cells, cell{path: w.account(i)})
	}
	return r
}

// move looks at the accounts and moves money between two.
func (w *Worker) move() error {
	seen := w.audit()
	if err := w.do(seen); err != nil || !seen.Known() || seen.code != jute.CodeOk {
		return err
	}
	from := w.rng.IntN(accounts)
	to := (from + 1 + w.rng.IntN(accounts-1)) % accounts
	sum := 1 + w.rng.IntN(5)
	r := &Record{kind: transfer, path: w.bank()}
	for i, change := range map[int]int{from: -sum, to: sum} {
		c := seen.cells[i]
		n, err := strconv.Atoi(c.value)
		if err != nil {
			return fmt.Errorf("account %s has %q", c.path, c.value)
		}
		r.cells = append(r.cells, cell{path: c.path, value: strconv.Itoa(n + change), wanted: c.version})
	}
	return w.do(r)
}

// hold takes a lock if it is free, looks at it, and lets it go.
func (w *Worker) hold() error {
	path := w.Lock(w.rng.IntN(Locks))
	take := &Record{kind: acquire, path: path}
	if err := w.do(take, &Record{kind: holder, path: path}); err != nil {
		return err
	}
	if take.Known() && take.code == jute.CodeOk {
		return w.do(&Record{kind: release, path: path})
	}
	if !take.Known() { // perhaps it is ours: else it would stay for the rest of the round
		list := w.synced(holder, path)
		look := list[1]
		if err := w.do(list...); err != nil || !look.Known() || look.code != jute.CodeOk {
			return err
		}
		if look.cells[0].value == strconv.Itoa(w.client) {
			return w.do(&Record{kind: release, path: path})
		}
	}
	return nil
}

// Idle keeps the session.
func (w *Worker) Idle() error { return w.do(&Record{kind: syncing, path: w.Root}) }

// Finish reads everything once more: what was promised has to be there.
func (w *Worker) Finish() error {
	all := w.audit()
	all.synced = true
	list := []*Record{{kind: syncing, path: w.Root}, all}
	for i := range registers {
		list = append(list, w.synced(get, w.register(i))...)
	}
	for i := range Locks {
		list = append(list, w.synced(holder, w.Lock(i))...)
	}
	return w.do(list...)
}
