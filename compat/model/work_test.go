package model

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
	locks     = 2
	balance   = 100 // of an account in the beginning
)

// world names the objects of one round.
type world struct {
	root string
}

func (w world) register(i int) string { return fmt.Sprintf("%s/reg%d", w.root, i) }
func (w world) bank() string          { return w.root + "/bank" }
func (w world) account(i int) string  { return fmt.Sprintf("%s/%d", w.bank(), i) }
func (w world) queue() string         { return w.root + "/queue" }
func (w world) lock(i int) string     { return fmt.Sprintf("%s/lock%d", w.root, i) }

// nodes lists what has to be there before a round begins, with its data.
func (w world) nodes() [][2]string {
	list := [][2]string{{w.root, ""}, {w.bank(), ""}, {w.queue(), ""}}
	for i := range registers {
		list = append(list, [2]string{w.register(i), ""})
	}
	for i := range accounts {
		list = append(list, [2]string{w.account(i), strconv.Itoa(balance)})
	}
	return list
}

// worker is one client's part of the load. It sends by do, which fills in the records.
type worker struct {
	world
	client int
	rng    *rand.Rand
	do     func(...*record) error
	known  map[string]int32 // versions as seen last
	n      int              // values written
}

func newWorker(w world, client int, rng *rand.Rand, do func(...*record) error) *worker {
	return &worker{world: w, client: client, rng: rng, do: do, known: map[string]int32{}}
}

// step does a few operations.
func (w *worker) step() error {
	switch w.rng.IntN(8) {
	case 0, 1:
		return w.move()
	case 2:
		return w.hold()
	}
	var list []*record
	for range 1 + w.rng.IntN(4) {
		list = append(list, w.simple())
	}
	if err := w.do(list...); err != nil {
		return err
	}
	w.learn(list...)
	return nil
}

// learn keeps the versions that replies show.
func (w *worker) learn(list ...*record) {
	for _, r := range list {
		if !r.known() || r.code != jute.CodeOk || r.kind != get && r.kind != set {
			continue
		}
		w.known[r.path] = r.cells[0].version
	}
}

// simple is an operation that can be sent behind others.
func (w *worker) simple() *record {
	path := w.register(w.rng.IntN(registers))
	switch w.rng.IntN(6) {
	case 0, 1:
		return &record{kind: get, path: path, watch: w.rng.IntN(2) == 0}
	case 2:
		return &record{kind: append_, path: w.queue()}
	}
	w.n++
	c := cell{path: path, value: fmt.Sprintf("%d.%d", w.client, w.n), wanted: w.known[path]}
	if w.rng.IntN(8) == 0 {
		c.wanted = -1
	}
	return &record{kind: set, path: path, cells: []cell{c}}
}

// audit asks for all accounts.
func (w *worker) audit() *record {
	r := &record{kind: audit, path: w.bank()}
	for i := range accounts {
		r.cells = append(r.cells, cell{path: w.account(i)})
	}
	return r
}

// move looks at the accounts and moves money between two.
func (w *worker) move() error {
	seen := w.audit()
	if err := w.do(seen); err != nil || !seen.known() || seen.code != jute.CodeOk {
		return err
	}
	from := w.rng.IntN(accounts)
	to := (from + 1 + w.rng.IntN(accounts-1)) % accounts
	sum := 1 + w.rng.IntN(5)
	r := &record{kind: transfer, path: w.bank()}
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
func (w *worker) hold() error {
	path := w.lock(w.rng.IntN(locks))
	take := &record{kind: acquire, path: path}
	if err := w.do(take, &record{kind: holder, path: path}); err != nil {
		return err
	}
	if take.known() && take.code == jute.CodeOk {
		return w.do(&record{kind: release, path: path})
	}
	if !take.known() { // perhaps it is ours: else it would stay for the rest of the round
		look := &record{kind: holder, path: path}
		if err := w.do(look); err != nil || !look.known() || look.code != jute.CodeOk {
			return err
		}
		if look.cells[0].value == strconv.Itoa(w.client) {
			return w.do(&record{kind: release, path: path})
		}
	}
	return nil
}

// finish reads everything once more: what was promised has to be there.
func (w *worker) finish() error {
	list := []*record{w.audit()}
	for i := range registers {
		list = append(list, &record{kind: get, path: w.register(i)})
	}
	for i := range locks {
		list = append(list, &record{kind: holder, path: w.lock(i)})
	}
	return w.do(list...)
}
