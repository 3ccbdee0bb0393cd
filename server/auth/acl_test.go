package auth

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"zk/jute"
)

func TestFixACL(t *testing.T) {
	anyone := acl(31, "world", "anyone")
	ids := []jute.ID{id("ip", "127.0.0.1"), id("super", ""), id("digest", "bob:hash"), id("digest", "eve:hash")}
	for name, c := range map[string]struct {
		in, want []jute.ACL // want nil for InvalidACL
	}{
		"null":              {nil, nil},
		"empty":             {[]jute.ACL{}, nil},
		"anyone":            {[]jute.ACL{anyone}, []jute.ACL{anyone}},
		"anyone, no bits":   {[]jute.ACL{acl(0, "world", "anyone")}, []jute.ACL{acl(0, "world", "anyone")}},
		"world, other id":   {[]jute.ACL{acl(31, "world", "someone")}, nil},
		"twice":             {[]jute.ACL{anyone, acl(1, "ip", "::1"), anyone}, []jute.ACL{anyone, acl(1, "ip", "::1")}},
		"other bits":        {[]jute.ACL{anyone, acl(1, "world", "anyone")}, []jute.ACL{anyone, acl(1, "world", "anyone")}},
		"auth":              {[]jute.ACL{acl(7, "auth", "ignored")}, []jute.ACL{acl(7, "digest", "bob:hash"), acl(7, "digest", "eve:hash")}},
		"auth and the same": {[]jute.ACL{acl(7, "digest", "bob:hash"), acl(7, "auth", "")}, []jute.ACL{acl(7, "digest", "bob:hash"), acl(7, "digest", "bob:hash"), acl(7, "digest", "eve:hash")}},
		"unknown scheme":    {[]jute.ACL{anyone, acl(1, "x509", "CN=a")}, nil},
		"super scheme":      {[]jute.ACL{acl(1, "super", "")}, nil},
		"empty scheme":      {[]jute.ACL{acl(1, "", "anyone")}, nil},
		"sasl, not there":   {[]jute.ACL{acl(1, "sasl", "bob")}, nil},
		"odd bits stay":     {[]jute.ACL{acl(-1, "ip", "1.2.3.4")}, []jute.ACL{acl(-1, "ip", "1.2.3.4")}},
	} {
		got, code := mustNew(t, Options{}).FixACL(ids, c.in)
		if !slices.Equal(got, c.want) || (code == jute.CodeOk) != (c.want != nil) || code != jute.CodeOk && code != jute.CodeInvalidACL {
			t.Errorf("%s: %v %v", name, got, code)
		}
	}
	for _, ids := range [][]jute.ID{nil, {id("ip", "127.0.0.1"), id("super", "")}} {
		if _, code := mustNew(t, Options{}).FixACL(ids, []jute.ACL{acl(1, "auth", "")}); code != jute.CodeInvalidACL {
			t.Errorf("auth for %v: %v", ids, code)
		}
	}
}

// TestValidIDs is the column "ACL id valid when" of the reference's table.
func TestValidIDs(t *testing.T) {
	p := mustNew(t, Options{SASL: true})
	for scheme, cases := range map[string]map[string]bool{
		"digest": {
			"a:b": true, ":b": true, "a:b:": true, "a:b::": true, "abc": false, "a:": false, "a:b:c": false,
			"": false, ":": false, "::b": false, "a::b": false,
		},
		"ip": {
			"1.2.3.4": true, "1.2.3.4/0": true, "1.2.3.4/32": true, "1.2.3.4/33": false, "1.2.3.4/-1": false,
			"1.2.3.4/": false, "1.2.3.4/8/8": false, "1.2.3": false, "1.2.3.4.5": false, "1.2.3.256": false,
			"1.2..4": false, "01.002.3.4": true, "+1.2.3.4/+8": true, "": false, "host": false, "1": false,
			"::": true, "::1": true, "1::": true, "1::8/128": true, "1::8/129": false, "1:2:3:4:5:6:7:8": true,
			"1:2:3:4:5:6:7": false, "1:2:3:4:5:6:7:8:9": false, "1:2:3:4::5:6:7:8": false, "1:2:3:4::6:7:8": true,
			"1::2::3": false, ":::": false, ":": false, "1:2": false, "12345::": false, "g::": false,
			"::ffff:1.2.3.4": false, "fe80::1%eth0": false, "-1::": true, "2001:DB8::/32": true, "a:b:c": false,
		},
		"sasl": {
			"": true, "bob": true, "a/b@R": true, "a@R": true, "@": true, "a@b@c": false, "a/b/c": true,
			"a/b/c@R": false, "a@R/x": false,
		},
	} {
		for text, want := range cases {
			if _, code := p.FixACL(nil, []jute.ACL{acl(1, scheme, text)}); (code == jute.CodeOk) != want {
				t.Errorf("%s:%s: %v", scheme, text, code)
			}
		}
	}
}

func TestCheck(t *testing.T) {
	ip, bob := id("ip", "10.1.2.3"), id("digest", "bob:hash")
	v6 := id("ip", "2001:db8:0:0:0:0:0:1")
	for name, c := range map[string]struct {
		acl  []jute.ACL
		perm int32
		ids  []jute.ID
		want bool
	}{
		"null":             {nil, 1, nil, true},
		"empty":            {[]jute.ACL{}, 1, nil, true},
		"anyone":           {[]jute.ACL{acl(1, "world", "anyone")}, 1, nil, true},
		"other bit":        {[]jute.ACL{acl(1, "world", "anyone")}, 2, []jute.ID{bob}, false},
		"one of two bits":  {[]jute.ACL{acl(16, "world", "anyone")}, 1 | 16, nil, true},
		"anyone, last":     {[]jute.ACL{acl(31, "digest", "x:y"), acl(1, "world", "anyone")}, 1, nil, true},
		"super":            {[]jute.ACL{acl(0, "digest", "x:y")}, 8, []jute.ID{ip, id("super", "")}, true},
		"digest":           {[]jute.ACL{acl(1, "digest", "bob:hash")}, 1, []jute.ID{ip, bob}, true},
		"other password":   {[]jute.ACL{acl(1, "digest", "bob:hash2")}, 1, []jute.ID{ip, bob}, false},
		"split bits":       {[]jute.ACL{acl(1, "digest", "bob:hash"), acl(2, "ip", "10.0.0.0/8")}, 2, []jute.ID{ip, bob}, true},
		"ip":               {[]jute.ACL{acl(1, "ip", "10.1.2.3")}, 1, []jute.ID{ip}, true},
		"ip, host bits":    {[]jute.ACL{acl(1, "ip", "10.255.255.255/8")}, 1, []jute.ID{ip}, true},
		"ip, outside":      {[]jute.ACL{acl(1, "ip", "10.1.2.0/31")}, 1, []jute.ID{ip}, false},
		"ip, odd prefix":   {[]jute.ACL{acl(1, "ip", "10.1.2.2/31")}, 1, []jute.ID{ip}, true},
		"ip, all":          {[]jute.ACL{acl(1, "ip", "0.0.0.0/0")}, 1, []jute.ID{ip}, true},
		"ip, all of v6":    {[]jute.ACL{acl(1, "ip", "::/0")}, 1, []jute.ID{ip}, false},
		"v6":               {[]jute.ACL{acl(1, "ip", "2001:db8::/32")}, 1, []jute.ID{v6}, true},
		"v6, long":         {[]jute.ACL{acl(1, "ip", "2001:0DB8:0:0:0:0:0:1")}, 1, []jute.ID{v6}, true},
		"v6, outside":      {[]jute.ACL{acl(1, "ip", "2001:db8::/128")}, 1, []jute.ID{v6}, false},
		"v6, all of v4":    {[]jute.ACL{acl(1, "ip", "0.0.0.0/0")}, 1, []jute.ID{v6}, false},
		"a bad stored id":  {[]jute.ACL{acl(1, "ip", "rubbish")}, 1, []jute.ID{ip}, false},
		"no such provider": {[]jute.ACL{acl(1, "x509", "a")}, 1, []jute.ID{id("x509", "a")}, false},
		"sasl":             {[]jute.ACL{acl(1, "sasl", "u")}, 1, []jute.ID{id("sasl", "u")}, true},
		"sasl, other":      {[]jute.ACL{acl(1, "sasl", "u")}, 1, []jute.ID{id("sasl", "v")}, false},
		"sasl, super":      {[]jute.ACL{acl(1, "sasl", "u")}, 1, []jute.ID{id("sasl", "super")}, true},
		"sasl, any":        {[]jute.ACL{acl(1, "sasl", "X")}, 1, []jute.ID{id("sasl", "v")}, true},
		"digest as sasl":   {[]jute.ACL{acl(1, "sasl", "bob:hash")}, 1, []jute.ID{bob}, false},
	} {
		p := mustNew(t, Options{SASL: true, LetAnySASLUser: "X"})
		if p.Check(c.acl, c.perm, c.ids) != c.want {
			t.Errorf("%s: %v", name, !c.want)
		}
		if len(c.acl) > 0 && !slices.ContainsFunc(c.ids, func(id jute.ID) bool { return id.Scheme == "super" }) &&
			p.checkMany(c.acl, c.perm, c.ids) != c.want {
			t.Errorf("%s, with sets: %v", name, !c.want)
		}
		if !mustNew(t, Options{SkipACL: true}).Check(c.acl, c.perm, c.ids) {
			t.Errorf("%s: refused with skipACL", name)
		}
	}
}

func TestRedact(t *testing.T) {
	in := []jute.ACL{acl(1, "world", "anyone"), acl(2, "digest", "bob:hash"), acl(3, "ip", "::1"), acl(4, "digest", "a:b\nc:d"), acl(5, "digest", "odd"), acl(6, "sasl", "a:b")}
	before := slices.Clone(in)
	want := []jute.ACL{acl(1, "world", "anyone"), acl(2, "digest", "bob:x"), acl(3, "ip", "::1"), acl(4, "digest", "a:x"), acl(5, "digest", "odd"), acl(6, "sasl", "a:b")}
	if got := Redact(in); !slices.Equal(got, want) || !slices.Equal(in, before) {
		t.Errorf("%v", got)
	}
	if Redact(nil) != nil {
		t.Error("null became something")
	}
}

// TestHostileLists has the largest lists a client can send: none may take long, none may grow without
// bound.
func TestHostileLists(t *testing.T) {
	p := mustNew(t, Options{})
	var list, auths []jute.ACL
	for i := range int32(40_000) {
		list = append(list, acl(i|1, "digest", fmt.Sprintf("u%d:h", i)))
		auths = append(auths, acl(i, "auth", ""))
	}
	ids := []jute.ID{id("ip", "10.0.0.1")}
	for i := range IDsMax - 1 {
		ids = append(ids, id("digest", fmt.Sprintf("%d:%s", i, strings.Repeat("x", 28))))
	}
	start := time.Now()
	if fixed, code := p.FixACL(ids, list); code != jute.CodeOk || len(fixed) != len(list) {
		t.Errorf("%d entries, %v", len(fixed), code)
	}
	if _, code := p.FixACL(ids, auths); code != jute.CodeInvalidACL {
		t.Errorf("expanded without bound: %v", code)
	}
	if p.Check(list, 1, ids) || !p.Check(append(list, acl(1, "digest", ids[500].ID)), 1, ids) {
		t.Error("check is wrong")
	}
	if took := time.Since(start); took > 2*time.Second { // some 30 ms; minutes with nested loops
		t.Errorf("took %v", took)
	}
}

func TestCheckAllocatesNothing(t *testing.T) {
	p := mustNew(t, Options{})
	lists := [][]jute.ACL{
		{acl(31, "world", "anyone")},
		{acl(31, "ip", "10.0.0.0/8"), acl(31, "digest", "bob:hash"), acl(31, "ip", "2001:db8::/32")},
	}
	ids := []jute.ID{id("ip", "11.1.2.3"), id("digest", "eve:hash")}
	if n := testing.AllocsPerRun(100, func() {
		for _, l := range lists {
			p.Check(l, jute.PermRead, ids)
		}
		p.FixACL(ids, lists[0])
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkCheck(b *testing.B) {
	p := mustNew(b, Options{})
	ids := []jute.ID{id("ip", "10.1.2.3"), id("digest", "bob:fyVmFCwVbTJYrznoSu1koqYEYF0=")}
	for name, list := range map[string][]jute.ACL{
		"anyone": {acl(31, "world", "anyone")},
		"digest": {acl(31, "digest", "bob:fyVmFCwVbTJYrznoSu1koqYEYF0=")},
		"ip":     {acl(31, "ip", "10.0.0.0/8")},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p.Check(list, jute.PermRead, ids)
			}
		})
	}
}
