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
