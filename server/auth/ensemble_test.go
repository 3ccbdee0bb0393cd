package auth

import (
	"net/netip"
	"testing"
)

func TestEnsembleNames(t *testing.T) {
	var got EnsembleOutcome
	p := NewEnsemble([]string{"a", "b"}, func(o EnsembleOutcome) { got = o })
	open := NewEnsemble(nil, func(o EnsembleOutcome) { got = o })
	for _, c := range []struct {
		p    Provider
		data []byte
		ok   bool
		want EnsembleOutcome
	}{
		{p, []byte("a"), true, EnsembleMatched},
		{p, []byte("b"), true, EnsembleMatched},
		{p, []byte("a "), false, EnsembleRefused},
		{p, nil, true, EnsembleSkipped},
		{open, []byte("x"), true, EnsembleSkipped},
	} {
		ids, ok := c.p.HandleAuth(netip.Addr{}, c.data)
		if ok != c.ok || got != c.want || len(ids) != 0 {
			t.Errorf("name %q: ok %t, outcome %d, ids %v; want %t, %d", c.data, ok, got, ids, c.ok, c.want)
		}
	}
}
