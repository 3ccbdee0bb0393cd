package auth

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"zk/jute"
)

func mustNew(t testing.TB, o Options) *Providers {
	t.Helper()
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var loopback = netip.MustParseAddr("127.0.0.1")

func id(scheme, id string) jute.ID { return jute.ID{Scheme: scheme, ID: id} }

func acl(perms int32, scheme, id string) jute.ACL {
	return jute.ACL{Perms: perms, ID: jute.ID{Scheme: scheme, ID: id}}
}

func TestInitialIDs(t *testing.T) {
	p := mustNew(t, Options{})
	for in, want := range map[string]string{
		"127.0.0.1":        "127.0.0.1",
		"::1":              "0:0:0:0:0:0:0:1",
		"::ffff:10.1.2.3":  "10.1.2.3",
		"2001:db8::a0:1":   "2001:db8:0:0:0:0:a0:1",
		"fe80::1%eth0":     "fe80:0:0:0:0:0:0:1%eth0",
		"::":               "0:0:0:0:0:0:0:0",
		"ffff::00ff:0:0:0": "ffff:0:0:0:ff:0:0:0",
	} {
		if got := p.InitialIDs(netip.MustParseAddr(in)); !slices.Equal(got, []jute.ID{id("ip", want)}) {
			t.Errorf("%s: %v", in, got)
		}
	}
}

func TestHandleAuth(t *testing.T) {
	const bob = "bob:fyVmFCwVbTJYrznoSu1koqYEYF0="
	plain := Options{}
	for name, c := range map[string]struct {
		options Options
		scheme  string
		data    []byte
		want    []jute.ID // nil for a failure
	}{
		"digest":            {plain, "digest", []byte("bob:secret"), []jute.ID{id("digest", bob)}},
		"no colon":          {plain, "digest", []byte("bob"), []jute.ID{id("digest", "bob:SBgazSKz7a68ikR4aKfffOYpkgo=")}},
		"empty":             {plain, "digest", []byte{}, []jute.ID{id("digest", ":2jmj7l5rSw0yVb/vlWAYkK/YBwk=")}},
		"null":              {plain, "digest", nil, nil},
		"two colons":        {plain, "digest", []byte("a:b:c"), []jute.ID{id("digest", "a:cLzgnoJ6mP5qz3w+mwvPE2vDgu0=")}},
		"super":             {Options{SuperDigest: bob}, "digest", []byte("bob:secret"), []jute.ID{id("super", ""), id("digest", bob)}},
		"not super":         {Options{SuperDigest: bob}, "digest", []byte("bob:other"), []jute.ID{id("digest", "bob:OPvMIE3SHMvpuUQOlE6StbVL8VQ=")}},
		"digest off":        {Options{DigestDisabled: true}, "digest", []byte("bob:secret"), nil},
		"ip":                {plain, "ip", []byte("whatever"), []jute.ID{id("ip", "127.0.0.1")}},
		"ip, null":          {plain, "ip", nil, []jute.ID{id("ip", "127.0.0.1")}},
		"sasl":              {Options{SASL: true}, "sasl", []byte("bob"), nil},
		"world":             {plain, "world", []byte("anyone"), nil},
		"auth":              {plain, "auth", nil, nil},
		"super scheme":      {plain, "super", nil, nil},
		"unknown":           {plain, "x509", nil, nil},
		"empty scheme":      {plain, "", nil, nil},
		"schemes have case": {plain, "Digest", []byte("bob:secret"), nil},
	} {
		ids, ok := mustNew(t, c.options).HandleAuth(loopback, &c.scheme, c.data)
		if !slices.Equal(ids, c.want) || ok != (c.want != nil) {
			t.Errorf("%s: %v %v", name, ids, ok)
		}
	}
	if _, ok := mustNew(t, plain).HandleAuth(loopback, nil, []byte("bob:secret")); ok {
		t.Error("null scheme succeeds")
	}
}

// TestMalformedUTF8 has a password that isn't UTF-8: Java hashes what it decodes it to.
func TestMalformedUTF8(t *testing.T) {
	p, scheme := mustNew(t, Options{}), "digest"
	bad, _ := p.HandleAuth(loopback, &scheme, []byte("bob:\xff"))
	same, _ := p.HandleAuth(loopback, &scheme, []byte("bob:\uFFFD"))
	if !slices.Equal(bad, same) {
		t.Errorf("%v, want %v", bad, same)
	}
}

// TestDigestAlgorithms has hashes of "bob:secret" computed by OpenJDK's MessageDigest.
func TestDigestAlgorithms(t *testing.T) {
	for names, want := range map[string]string{
		",SHA1,sha1,SHA-1,SHA":   "fyVmFCwVbTJYrznoSu1koqYEYF0=",
		"MD5":                    "pasriMfeJxH/y5wk/opUWg==",
		"SHA-224,SHA224":         "5/BxB7nGacUX3CA0wafV2XS7GbQ54deqor/oXg==",
		"SHA-256,sha-256,SHA256": "huAluaVu3uER4LIpielGv9Qqk5x3YVDr6I2R/mXf2wE=",
		"SHA-384,SHA384":         "sK3FknlHR28F5XDVFyv279SPFI+mcaciCe23ZtSFn7CeJGi9j80tCAbRDiVejZ6K",
		"SHA-512,SHA512":         "MON49O1q1UU4gzHRH8XFfdstQyTRtQRoDT+8dvk+qrZdXJegJxeoYDJfch4LeWUjXjSWIiqnKXpFYZi7tC1AZw==",
		"SHA-512/224,SHA512/224": "yTt2wxbXBJcyMOIehFa5UplgRq0T/nu9skYVcw==",
		"SHA-512/256,SHA512/256": "Og/IurIw/GdzbFYQ/Z98uLvNTACkWBakgqXV2r5V1Zw=",
		"SHA3-224":               "RWLJ9PCRZyjMaWsFPHvSpbY168zfDgTW8akZzQ==",
		"SHA3-256":               "ukO6WgYOvbjGYGRnCevsZ2T9tQ3ynirMDLl7Q45X6Rc=",
		"SHA3-384":               "lez47SW3dbfkQSe7psLgnTgaeQNC8V3Q/V4KUvBZqSyP5PYFdLx1bSgbREtiqWkT",
		"SHA3-512":               "WISyoZv7veYA99eCjRXIryiJS6naNSmdMrE6AO9lJ90NPVr/4b/DbXgizNO6W+B2kcZO9YDhjZzAnIXD1CvxdA==",
	} {
		for _, alg := range strings.Split(names, ",") {
			scheme := "digest"
			ids, _ := mustNew(t, Options{DigestAlg: alg}).HandleAuth(loopback, &scheme, []byte("bob:secret"))
			if !slices.Equal(ids, []jute.ID{id("digest", "bob:"+want)}) {
				t.Errorf("%s: %v", alg, ids)
			}
		}
	}
}

func TestNewFails(t *testing.T) {
	for name, o := range map[string]Options{
		"algorithm":  {DigestAlg: "SHA-3"},
		"no schemes": {EnforceAuth: true},
		"no sasl":    {EnforceAuth: true, EnforcedSchemes: []string{"ip", "sasl"}},
		"no digest":  {EnforceAuth: true, EnforcedSchemes: []string{"digest"}, DigestDisabled: true},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestMayRequest(t *testing.T) {
	ip, digest := id("ip", "127.0.0.1"), id("digest", "a:b")
	enforced := Options{EnforceAuth: true, EnforcedSchemes: []string{"sasl", "digest"}, SASL: true}
	for name, c := range map[string]struct {
		options Options
		ids     []jute.ID
		want    bool
	}{
		"nothing enforced": {Options{EnforcedSchemes: []string{"digest"}}, []jute.ID{ip}, true},
		"not satisfied":    {enforced, []jute.ID{ip}, false},
		"satisfied":        {enforced, []jute.ID{ip, digest}, true},
		"ip is a scheme":   {Options{EnforceAuth: true, EnforcedSchemes: []string{"ip"}}, []jute.ID{ip}, true},
	} {
		if mustNew(t, c.options).MayRequest(c.ids) != c.want {
			t.Errorf("%s: %v", name, !c.want)
		}
	}
}

func TestAddIDs(t *testing.T) {
	have := make([]jute.ID, 1, 10)
	have[0] = id("ip", "a")
	first, _ := AddIDs(have, []jute.ID{id("digest", "x:y"), id("ip", "a"), id("digest", "x:y")})
	second, _ := AddIDs(have, []jute.ID{id("digest", "z:z")})
	if !slices.Equal(first, []jute.ID{id("ip", "a"), id("digest", "x:y")}) || len(second) != 2 || len(have) != 1 {
		t.Errorf("%v %v", first, second)
	}
	for n := range IDsMax + 1 {
		var ok bool
		if have, ok = AddIDs(have, []jute.ID{id("digest", strings.Repeat("x", n))}); ok != (n < IDsMax-1) {
			t.Fatalf("with %d identities: %v", len(have), ok)
		}
	}
}

func TestClientInfos(t *testing.T) {
	p := mustNew(t, Options{SASL: true})
	got := p.ClientInfos([]jute.ID{id("ip", "::1"), id("digest", "bob:hash"), id("digest", ":hash"), id("super", "x"), id("sasl", "u@R")})
	want := []jute.ClientInfo{{AuthScheme: "ip", User: "::1"}, {AuthScheme: "digest", User: "bob"},
		{AuthScheme: "digest"}, {AuthScheme: "super"}, {AuthScheme: "sasl", User: "u@R"}}
	if !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
	if got := p.ClientInfos(nil); got == nil {
		t.Error("a null vector")
	}
}

// certificates is a provider from outside, as x509 will be.
type certificates struct{ ipProvider }

func (certificates) Scheme() string               { return "x509" }
func (certificates) Authenticates() bool          { return true }
func (certificates) ValidID(id string) bool       { return strings.HasPrefix(id, "CN=") }
func (certificates) Matches(id, expr string) bool { return id == expr }

func TestExtraProvider(t *testing.T) {
	p := mustNew(t, Options{Extra: []Provider{certificates{}}})
	list := []jute.ACL{acl(1, "x509", "CN=a")}
	if _, code := p.FixACL(nil, list); code != jute.CodeOk || !p.Check(list, 1, []jute.ID{id("x509", "CN=a")}) {
		t.Errorf("code %v", code)
	}
}

func TestSASLIDs(t *testing.T) {
	p := mustNew(t, Options{SASLSuperUsers: []string{"root", "joe@R"}})
	for user, want := range map[string][]jute.ID{
		"bob": {id("sasl", "bob")}, "root": {id("sasl", "root"), id("super", "")}, "joe@R": {id("sasl", "joe@R"), id("super", "")},
		"joe/h@R": {id("sasl", "joe/h@R")}, "a@b@c": nil,
	} {
		if got, ok := p.SASLIDs(user); !slices.Equal(got, want) || ok != (want != nil) {
			t.Errorf("%s: %v", user, got)
		}
	}
	if p.Enforces("sasl") {
		t.Error("enforced without being asked to")
	}
	p = mustNew(t, Options{SASL: true, EnforceAuth: true, EnforcedSchemes: []string{"sasl", "digest"}})
	if !p.Enforces("sasl") || p.Enforces("ip") {
		t.Error("enforces something else")
	}
}
