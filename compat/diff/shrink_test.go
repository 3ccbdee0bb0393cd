package diff

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// shrink finds a short list of actions that fails as well as as does: delta debugging over the list, then
// over the parts of multis, pipes and bursts. It gives up at the deadline with the best it has.
func shrink(as []action, deadline time.Time, fails func([]action) bool) []action {
	for size := max(1, len(as)/2); len(as) > 1; {
		shorter := without(as, size, deadline, fails)
		switch {
		case time.Now().After(deadline):
			return shorter
		case len(shorter) < len(as):
			as, size = shorter, min(size, max(1, len(shorter)/2))
			continue
		case size == 1:
			return shrinkParts(as, deadline, fails)
		}
		size = max(1, size/2)
	}
	return shrinkParts(as, deadline, fails)
}

// without leaves out what it can, in blocks of size, from the end: what fails last is what is looked for,
// and what came long before matters least, but blocks near the end go fast.
func without[T any](list []T, size int, deadline time.Time, fails func([]T) bool) []T {
	for to := len(list); to > 0 && time.Now().Before(deadline); to -= size {
		from := max(0, to-size)
		if rest := slices.Concat(list[:from], list[to:]); fails(rest) {
			list = rest
		}
	}
	return list
}

func shrinkParts(as []action, deadline time.Time, fails func([]action) bool) []action {
	for i := range as {
		with := func(a action) []action { return slices.Concat(as[:i], []action{a}, as[i+1:]) }
		a := as[i]
		a.ops = without(a.ops, 1, deadline, func(ops []operation) bool {
			b := a
			b.ops = ops
			return len(ops) > 0 && fails(with(b))
		})
		if a.kind == actCall {
			op := a.ops[0]
			op.parts = without(op.parts, 1, deadline, func(parts []operation) bool {
				b, o := a, op
				o.parts = parts
				b.ops = []operation{o}
				return fails(with(b))
			})
			a.ops = []operation{op}
		}
		for k := range a.turns {
			t := a.turns[k]
			t.ops = without(t.ops, 1, deadline, func(ops []operation) bool {
				b := a
				b.turns = slices.Clone(a.turns)
				b.turns[k].ops = ops
				return fails(with(b))
			})
			a.turns = slices.Clone(a.turns)
			a.turns[k] = t
		}
		as = with(a)
	}
	return as
}

// caseSource is the list of actions as a case for foundCases.
func caseSource(name string, as []action) string {
	var b strings.Builder
	fmt.Fprintf(&b, "{%q, func(s *script) {\n\tp := newPlayer(s)\n", name)
	for _, a := range as {
		fmt.Fprintf(&b, "\t%s\n", a.source())
	}
	b.WriteString("}},\n")
	return b.String()
}

func (a action) source() string {
	switch a.kind {
	case actOpen:
		return fmt.Sprintf("p.open(%q)", a.slot)
	case actCall:
		return fmt.Sprintf("p.call(%q, %s)", a.slot, a.ops[0].source(a.slot))
	case actPipe:
		return fmt.Sprintf("p.pipe(%q, %s)", a.slot, sources(a.ops, a.slot))
	case actBurst:
		var turns []string
		for _, t := range a.turns {
			turns = append(turns, fmt.Sprintf("sending{%q, []req{%s}}", t.slot, sources(t.ops, t.slot)))
		}
		return fmt.Sprintf("p.burst(%d, %s)", a.cut, strings.Join(turns, ", "))
	case actDrain:
		return "p.drain()"
	case actDrop:
		return fmt.Sprintf("p.drop(%q)", a.slot)
	case actAgain:
		return fmt.Sprintf("p.again(%q)", a.slot)
	case actEnd:
		return fmt.Sprintf("p.end(%q)", a.slot)
	case actExpire:
		return fmt.Sprintf("p.expire(%q)", a.slot)
	case actRestart, actKill:
		return fmt.Sprintf("p.restart(%v)", a.kind == actKill)
	case actWords:
		return "p.words()"
	}
	return "p.audit()"
}
