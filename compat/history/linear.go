package history

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"

	"zk/jute"
)

// searchTime bounds the search for an order on one object. A search that has not ended says nothing, and
// fails.
const searchTime = time.Minute

// linear looks for an order of the operations on each object. What a read that need not be current has shown still
// tells which writes were done.
func linear(records []*Record, w World, queue []string, rules Rules) (wrong []string) {
	look := func(path string, m porcupine.Model, list []*Record) {
		list = slices.DeleteFunc(list, func(r *Record) bool { return !rules.current(r) })
		wrong = append(wrong, search(path, m, list)...)
	}
	for i := range registers {
		look(w.register(i), registerModel(), settleWrites(only(records, w.register(i))))
	}
	look(w.bank(), bankModel(), settleWrites(only(records, w.bank())))
	for i := range Locks {
		look(w.Lock(i), lockModel(), settleEnds(lockRecords(records, w.Lock(i))))
	}
	list := only(records, w.Queue())
	model := queueModel(taken(list, queue))
	look(w.Queue(), model, slices.DeleteFunc(list, func(r *Record) bool { return !r.Known() }))
	return wrong
}

// only gives the operations on an object.
func only(records []*Record, path string) (list []*Record) {
	for _, r := range records {
		if r.path == path {
			list = append(list, r)
		}
	}
	return list
}

// lockRecords gives the operations on a lock, and the ends of sessions that may have held it.
func lockRecords(records []*Record, path string) []*Record {
	list := only(records, path)
	takers := map[int]bool{}
	for _, r := range list {
		if r.kind == acquire {
			takers[r.client] = true
		}
	}
	for _, r := range records {
		if r.kind == end && takers[r.client] {
			list = append(list, r)
		}
	}
	return list
}

func search(name string, m porcupine.Model, records []*Record) []string {
	ops := make([]porcupine.Operation, len(records))
	for i, r := range records {
		ops[i] = porcupine.Operation{ClientId: r.client, Input: r, Output: r, Call: r.call, Return: r.ret}
	}
	switch result := porcupine.CheckOperationsTimeout(m, ops, searchTime); result {
	case porcupine.Ok:
		return nil
	case porcupine.Illegal:
		return []string{fmt.Sprintf("%s: no order explains its %d operations%s", name, len(ops), some(records))}
	default:
		return []string{fmt.Sprintf("%s: %v after %v for %d operations", name, result, searchTime, len(ops))}
	}
}

// some shows the first operations of a short history.
func some(records []*Record) string {
	const most = 60
	if len(records) > most {
		return ""
	}
	var b strings.Builder
	for _, r := range records {
		b.WriteString("\n\t" + r.String())
	}
	return b.String()
}

// modelOf makes a model of a step over records. A maybe may be put at the very end, where nobody sees
// what it does; so its step always can be taken.
func modelOf[S comparable](initial S, step func(S, *Record) (bool, S)) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return initial },
		Step: func(state, input, _ any) (bool, any) {
			ok, next := step(state.(S), input.(*Record))
			return ok, next
		},
	}
}

// node is what a register or an account holds.
type node struct {
	value   string
	version int32
}

// write does one conditional set; code is what a server has to say.
func (n node) write(c cell) (next node, code jute.Code) {
	if c.wanted != -1 && c.wanted != n.version {
		return n, jute.CodeBadVersion
	}
	return node{c.value, n.version + 1}, jute.CodeOk
}

func registerModel() porcupine.Model {
	return modelOf(node{}, func(s node, r *Record) (bool, node) {
		if r.kind == get {
			return r.code == jute.CodeOk && s == node{r.cells[0].value, r.cells[0].version}, s
		}
		next, code := s.write(r.cells[0])
		if !r.Known() {
			return code == jute.CodeOk || !r.sure, next
		}
		return code == r.code && (code != jute.CodeOk || r.cells[0].version == next.version), next
	})
}

func bankModel() porcupine.Model {
	type bank [accounts]node
	var initial bank
	for i := range initial {
		initial[i].value = strconv.Itoa(balance)
	}
	at := func(c cell) int { return int(c.path[len(c.path)-1] - '0') }
	return modelOf(initial, func(s bank, r *Record) (bool, bank) {
		if r.kind == audit {
			for _, c := range r.cells {
				if s[at(c)] != (node{c.value, c.version}) {
					return false, s
				}
			}
			return r.code == jute.CodeOk, s
		}
		next := s
		for _, c := range r.cells {
			var code jute.Code
			if next[at(c)], code = next[at(c)].write(c); code != jute.CodeOk {
				return !r.Known() && !r.sure || r.Known() && r.code == code, s
			}
			if r.Known() && r.code == jute.CodeOk && c.version != next[at(c)].version {
				return false, s
			}
		}
		return !r.Known() || r.code == jute.CodeOk, next
	})
}

// queueModel counts. Numbers in taken are those of creates without a reply, which are not among the
// operations.
func queueModel(taken map[int]bool) porcupine.Model {
	return modelOf(0, func(next int, r *Record) (bool, int) {
		for taken[next] {
			next++
		}
		return r.code == jute.CodeOk && strings.HasSuffix(r.name, fmt.Sprintf("/n-%010d", next)), next + 1
	})
}

// lockModel knows who holds a lock: a client's number, or -1.
func lockModel() porcupine.Model {
	const nobody = -1
	return modelOf(nobody, func(s int, r *Record) (bool, int) {
		switch r.kind {
		case acquire:
			if s == nobody {
				return !r.Known() || r.code == jute.CodeOk, r.client
			}
			return !r.Known() || r.code == jute.CodeNodeExists, s
		case release:
			if s == nobody {
				return !r.Known() || r.code == jute.CodeNoNode, s
			}
			return !r.Known() || r.code == jute.CodeOk, nobody
		case holder:
			if s == nobody {
				return r.code == jute.CodeNoNode, s
			}
			return r.code == jute.CodeOk && r.cells[0].value == strconv.Itoa(s) && r.owner != 0, s
		}
		if s == r.client {
			return true, nobody
		}
		return !r.sure, s
	})
}
