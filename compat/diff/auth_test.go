package diff

import (
	"zk/compat/harness"
	"zk/jute"
)

func authCases() []testCase {
	return []testCase{
		{"auth/digest", authDigest},
		{"auth/refused", authRefused},
		{"auth/decode", authDecode},
		{"auth/early", authEarly},
		{"auth/order", authOrder},
		{"auth/whoami", authWhoAmI},
		{"auth/sasl-without-login", saslWithoutLogin},
	}
}

func authDigest(s *script) {
	for _, id := range []string{"joe:secret", "joe:", ":secret", "joe", "", ":", "joe:a:b", "jöe:sécret", "\xff\xfe:\xfd", " : ", "super:wrong", superUser} {
		c := s.conn("a")
		c.call(digestAuth(id))
		c.look(whoAmI(), createACL(s.p("/n"), acl("auth::31")))
		s.sortACLs = true
		c.look(getACL(s.p("/n")), del(s.p("/n"), -1))
		s.sortACLs = false
		c.end()
	}
}

// authRefused is the table of auth packets that cost the connection.
func authRefused(s *script) {
	for _, r := range []req{
		auth("world", []byte("anyone")), auth("world", nil), auth("nosuch", []byte("x")), auth("", []byte("x")), auth(null, []byte("x")), auth("auth", []byte("x")),
		auth("super", []byte("x")), auth("sasl", []byte("x")), auth("x509", []byte("x")), auth("DIGEST", []byte("a:b")), auth("digest", nil), auth("ensemble", nil),
		auth("nosuch", []byte("x")).withXid(12),
	} {
		c := s.conn("a")
		c.closes(r).want(authFailed)
		b := s.renew("b", c)
		b.ok(exists(s.root, false))
		b.end()
	}
	c := s.conn("c")
	c.ok(auth("ip", []byte("8.8.8.8")), auth("ip", nil), whoAmI(), digestAuth("a:b").withXid(99), exists(s.root, false))
	c.end()
}

func authDecode(s *script) {
	whole := digestAuth("joe:secret")
	for n := 1; n <= len(whole.body); n++ {
		c := s.conn("a")
		c.closes(whole.short(n))
		c2 := s.renew("b", c)
		c2.end()
	}
	c := s.conn("c")
	c.ok(whole.long(1, 2, 3), whoAmI())
	c.end()
}

// authEarly sends auth together with the connect request, as clients do.
func authEarly(s *script) {
	c := s.dial("a")
	cr := jute.ConnectRequest{TimeoutMillis: sessionMillis, Passwd: make([]byte, 16), HasReadOnly: true}
	b := harness.Frame(cr.Append(nil))
	b = append(b, c.frame(digestAuth("joe:secret"))...)
	b = append(b, c.frame(s.setWatches(0, watchLists{data: []string{s.root}}))...)
	b = append(b, c.frame(createACL(s.p("/n"), acl("auth::31")))...)
	b = append(b, c.frame(whoAmI())...)
	c.write(b)
	c.readConnect("a: connect, auth, setWatches, create and whoAmI in one segment")
	for range 4 {
		c.await("a: next reply")
	}
	c.look(getACL(s.p("/n")))
	c.end()
}

// authOrder reads a protected node, authenticates and reads again in one segment. The reply of auth may
// overtake; the first read is judged without the new identity.
func authOrder(s *script) {
	a := s.conn("a")
	a.ok(digestAuth("joe:secret"), createACL(s.p("/n"), acl("auth::31")))
	for range 5 {
		c := s.conn("b")
		c.pipelineAnyOrder(get(s.p("/n"), false).withXid(1), digestAuth("joe:secret"), get(s.p("/n"), false).withXid(2))
		c.end()
	}
	a.end()
}

func authWhoAmI(s *script) {
	c := s.conn("a")
	c.ok(whoAmI(), digestAuth("joe:secret"), whoAmI(), digestAuth("joe:secret"), whoAmI(), digestAuth("joe:other"), whoAmI(), digestAuth(superUser), whoAmI())
	c.ok(whoAmI().long(1, 2, 3))
	c.end()
}

func saslWithoutLogin(s *script) {
	c := s.conn("a")
	c.ok(sasl([]byte{}), sasl([]byte("token")), exists(s.root, false), sasl([]byte("x")).withXid(-4), whoAmI())
	c.end()
	for _, r := range []req{sasl(nil), sasl([]byte("token")).short(3), raw(jute.OpSASL)} {
		c := s.conn("b")
		c.look(r)
		c.look(exists(s.root, false))
	}
}

// ensembleAuthCases run with the provider of the scheme ensemble, by which a client names the ensemble
// it means.
func ensembleAuthCases() []testCase {
	return []testCase{{"auth/ensemble", func(s *script) {
		c := s.conn("a")
		for _, name := range []string{"prod", "stage", "", "prod"} {
			c.call(auth("ensemble", []byte(name)))
		}
		c.look(whoAmI(), createACL(s.p("/x"), acl("ensemble:prod:r")), createACL(s.p("/x"), acl("auth::31")))
		c.end()
		for _, name := range []string{"other", "PROD", "prod,stage", " prod", "pro"} {
			d := s.conn("d")
			d.closes(auth("ensemble", []byte(name)))
		}
		d := s.conn("d")
		d.look(auth("ensemble", nil))
		d.look(exists(s.root, false))
	}}}
}
