package persistence

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// Keys in all kinds of likeness, many of them several times: order gives what a map and a sort give.
func TestOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	begins := []string{"n", "n/\x00", "n/a folder with a long name/another\x00", "n/a folder with a long name/another one\x00",
		"d" + strings.Repeat("long/", 100) + "\x00", "m", "m\x00", "m\x00\x00\x00\x00\x00\x00\x00\x00\x00"}
	for range 200 {
		var c changes
		want := map[string]string{}
		for i := range rng.IntN(500) {
			key := begins[rng.IntN(len(begins))]
			switch rng.IntN(3) {
			case 0:
				key += fmt.Sprint(rng.IntN(100_000))
			case 1:
				key += string(make([]byte, rng.IntN(20)))
			}
			c.keys = append(c.keys, key...)
			if want[key] = fmt.Sprint(i); i%5 == 0 {
				want[key] = "deleted"
				c.delete(len(key))
			} else {
				c.set(len(key), []byte(want[key]))
			}
		}
		c.order()
		var keys [][]byte
		c.each(func(key, value []byte, deleted bool) {
			keys = append(keys, key)
			if deleted {
				value = []byte("deleted")
			}
			if want[string(key)] != string(value) {
				t.Fatalf("%q is %q, want %q", key, value, want[string(key)])
			}
		})
		if len(keys) != len(want) || !slices.IsSortedFunc(keys, bytes.Compare) {
			t.Fatalf("%d keys, want %d, in order", len(keys), len(want))
		}
	}
}

// The changes under one node are a part of their own when they are large, and all that is between two such is one.
func TestParts(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		var c changes
		for range rng.IntN(300) {
			key := fmt.Sprintf("%s/f%d\x00n%d", []string{"n", "d"}[rng.IntN(2)], rng.IntN(4), rng.IntN(1000))
			if rng.IntN(4) == 0 {
				key = []string{"a1", "a2", "mapplied", "n", "n/", "s12345678", "d/f1/g\x00n"}[rng.IntN(7)]
			}
			c.keys = append(c.keys, key...)
			if rng.IntN(5) == 0 {
				c.delete(len(key))
			} else {
				c.set(len(key), make([]byte, rng.IntN(200)))
			}
		}
		c.order()
		const least = 2000
		sizes, all := map[string]int{}, 0
		for i := range c.list {
			sizes[string(c.under(i))] += changeBytes + int(c.list[i].keyLen) + max(int(c.list[i].valueLen), 0)
		}
		smallBefore := false
		for _, p := range c.parts(least) {
			unders := map[string]bool{}
			for i := range p.list {
				if p.list[i] != c.list[all+i] {
					t.Fatal("the parts are not the whole")
				}
				unders[string(p.under(i))] = true
			}
			all += len(p.list)
			large := sizes[string(p.under(0))] >= least
			if large && len(unders) != 1 || !large && smallBefore {
				t.Fatalf("a part with %v; large %v", unders, large)
			}
			for under := range unders {
				if !large && sizes[under] >= least {
					t.Fatalf("%q is among others", under)
				}
			}
			smallBefore = !large
		}
		if all != len(c.list) {
			t.Fatalf("%d changes of %d are in parts", all, len(c.list))
		}
	}
}

func BenchmarkOrder(b *testing.B) {
	var made changes
	add := func(key string) {
		made.keys = append(made.keys, key...)
		made.set(len(key), nil)
	}
	for i := range 20_000 { // what a set of new nodes of 256 clients has, and their folders
		add(fmt.Sprintf("n/bench/c%d\x00n%09d", i*7919%256, i))
	}
	for _, key := range []string{"n/\x00bench", "n/bench\x00c17", "mapplied"} {
		add(key)
	}
	c := changes{keys: made.keys}
	for b.Loop() {
		c.list = append(c.list[:0], made.list...)
		c.order()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(made.list)), "ns/change")
}
