package diff

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"zk/compat/harness"
	"zk/jute"
	"zk/server/auth/digestmd5"
)

// jaasProps are the properties of a server with the users of testdata/jaas.conf.
func jaasProps(more ...string) []string {
	dir, err := os.Getwd()
	if err != nil {
		panic(err)
	}
	return append([]string{
		"java.security.auth.login.config=" + filepath.Join(dir, "testdata", "jaas.conf"), "zookeeper.SASLAuthenticationProvider.superPassword=boss",
	}, more...)
}

const saslProvider = "authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider"

// saslToken is a token under a text that does not depend on the nonce.
func saslToken(token []byte, text string) req {
	r := sasl(token)
	r.text = "sasl " + text
	return r
}

// saslText shows a token of a server without what is random in it.
func saslText(token []byte) string {
	shown := token
	for _, random := range []struct {
		before string
		length int
	}{{`nonce="`, 40}, {"rspauth=", 32}} {
		if i := bytes.Index(shown, []byte(random.before)); i >= 0 && len(shown) >= i+len(random.before)+random.length {
			i += len(random.before)
			shown = append(append(append([]byte(nil), shown[:i]...), '~'), shown[i+random.length:]...)
		}
	}
	return dataText(shown)
}

// challenge begins an exchange.
func (c *conn) challenge() []byte {
	res := c.call(sasl([]byte{})).want(jute.CodeOk)
	if !bytes.HasPrefix(res.data, []byte("realm=")) {
		c.s.stop("%s: no challenge: %q", c.name, res.data)
	}
	return res.data
}

// saslClient answers challenges as a Java client does.
func saslClient(user, password string) *digestmd5.Client {
	return digestmd5.NewClient(user, password, "zookeeper/zk-sasl-md5", [digestmd5.SeedBytes]byte{1, 2, 3})
}

// respond is the response of a user to a challenge, changed by change, which may be nil.
func (c *conn) respond(client *digestmd5.Client, challenge []byte, change func(string) string) []byte {
	token, err := client.Evaluate(challenge)
	if err != nil {
		c.s.stop("%s: %v", c.name, err)
	}
	if change != nil {
		token = []byte(change(string(token)))
	}
	return token
}

// login authenticates, and checks that the server knows the password.
func (c *conn) login(user, password string) {
	client := saslClient(user, password)
	res := c.call(saslToken(c.respond(client, c.challenge(), nil), "response of "+user)).want(jute.CodeOk)
	if _, err := client.Evaluate(res.data); err != nil {
		c.s.problems = append(c.s.problems, fmt.Sprintf("%s: %s: %v", c.name, res.text, err))
	}
}

// replace is a change of a response.
func replace(old, by string) func(string) string {
	return func(token string) string { return strings.Replace(token, old, by, 1) }
}

func saslCases() []testCase {
	return []testCase{
		{"sasl/users", saslUsers},
		{"sasl/refused", saslRefused},
		{"sasl/changed", saslChanged},
		{"sasl/replayed", saslReplayed},
		{"sasl/again", saslAgain},
		{"sasl/acls", saslACLs},
		{"sasl/order", saslOrder},
		{"sasl/early", saslEarly},
	}
}

// saslUsers is who gets which identities.
func saslUsers(s *script) {
	for _, u := range [][2]string{
		{"bob", "secret"}, {"super", "boss"}, {"admin", "/admin"}, {"jörg", "pässwörd"}, {"名", "字"}, {"joe/host@REALM", "kerberos"}, {"empty", ""}, {"second", "module"},
	} {
		c := s.conn("a")
		c.login(u[0], u[1])
		c.look(whoAmI(), createACL(s.p("/n"), acl("auth::31")))
		s.sortACLs = true
		c.look(getACL(s.p("/n")), del(s.p("/n"), -1))
		s.sortACLs = false
		c.end()
	}
}

// saslRefused is the table of responses that cost the connection.
func saslRefused(s *script) {
	for _, u := range [][2]string{
		{"bob", "wrong"}, {"bob", ""}, {"nobody", "secret"}, {"", ""}, {"BOB", "secret"}, {"super", "from the file"}, {"bob ", "secret"}, {"a@b@c", "no name"},
	} {
		c := s.conn("a")
		c.closes(saslToken(c.respond(saslClient(u[0], u[1]), c.challenge(), nil), fmt.Sprintf("response of %q with %q", u[0], u[1])))
		b := s.renew("b", c)
		b.ok(whoAmI())
		b.end()
	}
	for _, token := range []string{"", "x", `username="bob"`, `username="bob`, "=", ",", "\x00", strings.Repeat("x", 4096), strings.Repeat("x", 4097), strings.Repeat(",", 4096)} {
		c := s.conn("c")
		c.challenge()
		c.closes(sasl([]byte(token)))
	}
	for _, first := range []req{sasl(nil), raw(jute.OpSASL), sasl([]byte("token")).short(3), saslToken(make([]byte, 4097), "of 4097 bytes")} {
		c := s.conn("d")
		c.look(first)
		c.look(exists(s.root, false))
	}
	c := s.conn("e")
	c.ok(saslToken(make([]byte, 4096), "of 4096 bytes"), exists(s.root, false), whoAmI())
	c.end()
}

// saslChanged changes a good response a little; what is not hashed does not matter.
func saslChanged(s *script) {
	for _, change := range [][2]string{
		{"nc=00000001", "nc=00000002"}, {"nc=00000001,", ""}, {"nc=00000001", "nc=1"}, {"nc=00000001", "nonce-count=2"}, {"nc=00000001", "nonce-count=x"}, {"nc=00000001", "nonce-count=1"},
		{"qop=auth", "qop=auth-int"}, {"qop=auth", "qop=auth-conf,cipher=rc4"}, {",qop=auth", ""}, {"qop=auth", `qop="auth"`}, {"qop=auth", "QOP=auth"}, {"qop=auth", "qop=auth,qop=auth"},
		{"maxbuf=65536", "maxbuf=x"}, {"maxbuf=65536", "maxbuf=-1"}, {"maxbuf=65536", "maxbuf="}, {"maxbuf=65536,", ""},
		{"charset=utf-8", "charset=iso-8859-1"}, {"charset=utf-8,", ""}, {"charset=utf-8,", "charset=utf-8 \r\n"},
		{`realm="zk-sasl-md5",`, ""}, {`realm="zk-sasl-md5"`, `realm="other"`}, {"/zk-sasl-md5", "/other"}, {`digest-uri="zookeeper`, `digest-uri="zk`},
		{`username="bob"`, `username="admin"`}, {`username="bob"`, `username="b\ob"`}, {`username="bob",`, ""}, {`authzid="bob"`, `authzid="super"`}, {`,authzid="bob"`, ""},
		{`cnonce="AQID`, `cnonce="BQID`}, {"response=", "response=0"}, {"response=", "x=y,response="}, {"response=", "response"}, {"username=", `username="eve",username=`},
	} {
		c := s.conn("a")
		token := c.respond(saslClient("bob", "secret"), c.challenge(), replace(change[0], change[1]))
		c.look(saslToken(token, fmt.Sprintf("response with %s for %s", change[1], change[0])))
		c.look(whoAmI())
	}
}

// saslReplayed uses a good response a second time, on its connection and on another one.
func saslReplayed(s *script) {
	a, b := s.conn("a"), s.conn("b")
	token := a.respond(saslClient("bob", "secret"), a.challenge(), nil)
	b.challenge()
	b.closes(saslToken(token, "response to another challenge"))
	a.ok(saslToken(token, "response"), whoAmI())
	a.closes(saslToken(token, "response once more")).want(authFailed)
}

// saslAgain begins a second exchange after one that went well.
func saslAgain(s *script) {
	for _, token := range []string{"", "x"} {
		c := s.conn("a")
		c.login("bob", "secret")
		c.ok(exists(s.root, false))
		c.closes(sasl([]byte(token))).want(authFailed)
		// The identity went with the connection.
		d := s.renew("d", c)
		d.ok(whoAmI())
		d.login("admin", "/admin")
		d.ok(whoAmI(), digestAuth("joe:x"), whoAmI())
		d.end()
	}
	c := s.conn("c")
	c.ok(digestAuth("joe:x"))
	c.login("bob", "secret")
	c.ok(whoAmI(), auth("ip", nil), whoAmI())
	c.closes(auth("sasl", []byte("bob"))).want(authFailed)
}

// saslACLs is who may do what with nodes of sasl users.
func saslACLs(s *script) {
	a := s.conn("a")
	a.login("bob", "secret")
	a.ok(createACL(s.p("/bob"), acl("sasl:bob:31")), createACL(s.p("/any"), acl("sasl:everybody:r", "sasl:bob:31")), createACL(s.p("/joe"), acl("sasl:joe/host@REALM:31")),
		createACL(s.p("/empty"), acl("sasl::31")), create(s.p("/w"), 0))
	a.look(createACL(s.p("/x"), acl("sasl:a@b@c:31")), createACL(s.p("/x"), acl("sasl:a/b/c@d:1")))
	for _, u := range [][2]string{{"bob", "secret"}, {"super", "boss"}, {"admin", "/admin"}, {"joe/host@REALM", "kerberos"}, {"second", "module"}, {}} {
		c := s.conn("c")
		if u[0] != "" {
			c.login(u[0], u[1])
		}
		for _, n := range []string{"/bob", "/any", "/joe", "/empty"} {
			c.look(get(s.p(n), true), set(s.p(n), u[0], -1), create(s.p(n)+"/k", 0), del(s.p(n)+"/k", -1), getACL(s.p(n)))
		}
		c.end()
	}
	b := s.conn("b")
	b.login("admin", "/admin")
	for _, n := range []string{"/bob", "/any", "/joe", "/empty"} {
		b.look(del(s.p(n), -1))
	}
	b.end()
	a.end()
}

// saslOrder has SASL between other requests. Its replies may overtake; the first read is judged without
// the new identity.
func saslOrder(s *script) {
	a := s.conn("a")
	a.login("bob", "secret")
	a.ok(createACL(s.p("/n"), acl("auth::31")))
	for range 5 {
		c := s.conn("c")
		c.pipelineAnyOrder(create(s.p("/m"), 0), sasl([]byte{}).withXid(-4), del(s.p("/m"), -1))
		c.end()
		d := s.conn("d")
		client := saslClient("bob", "secret")
		token := d.respond(client, d.challenge(), nil)
		d.pipelineAnyOrder(get(s.p("/n"), false).withXid(5), saslToken(token, "response").withXid(6), get(s.p("/n"), false).withXid(7))
		d.end()
	}
	a.end()
}

// saslEarly sends the first token together with the connect request, as clients may.
func saslEarly(s *script) {
	c := s.dial("a")
	cr := jute.ConnectRequest{TimeoutMillis: sessionMillis, Passwd: make([]byte, 16), HasReadOnly: true}
	c.write(append(harness.Frame(cr.Append(nil)), c.frame(sasl([]byte{}))...))
	c.readConnect("a: connect and sasl in one segment")
	res := c.await("a: challenge")
	c.ok(saslToken(c.respond(saslClient("bob", "secret"), res.data, nil), "response"), whoAmI())
	c.end()
}

// saslLenientCases run with allowSaslFailedClients and nothing enforced.
func saslLenientCases() []testCase {
	return []testCase{{"sasl-lenient/goes-on", func(s *script) {
		c := s.conn("a")
		c.ok(saslToken(c.respond(saslClient("bob", "wrong"), c.challenge(), nil), "wrong response"), whoAmI(), sasl([]byte{}), sasl([]byte("x")), sasl(make([]byte, 5000)))
		c.look(createACL(s.p("/x"), acl("auth::31")))
		c.ok(digestAuth("joe:x"), whoAmI())
		c.end()
		// A token that is too long ends nothing.
		d := s.conn("d")
		d.ok(saslToken(make([]byte, 4097), "of 4097 bytes"))
		token := d.respond(saslClient("bob", "secret"), d.challenge(), nil)
		d.ok(saslToken(make([]byte, 4097), "of 4097 bytes"), saslToken(token, "response"), whoAmI(), saslToken(token, "response once more"), whoAmI())
		d.end()
		for _, change := range [][2]string{{"maxbuf=65536", "maxbuf=x"}, {`username="bob"`, `username=""`}} {
			e := s.conn("e")
			e.closes(saslToken(e.respond(saslClient("bob", "secret"), e.challenge(), replace(change[0], change[1])), "response with "+change[1]))
		}
		f := s.conn("f")
		f.closes(saslToken(f.respond(saslClient("a@b@c", "no name"), f.challenge(), nil), "response of a@b@c"))
		g := s.conn("g")
		g.look(sasl(nil))
	}}}
}

// saslRequiredCases run where SASL is required (first), or SASL or digest (second), of every connection.
func saslRequiredCases(name string, digestToo bool) []testCase {
	return []testCase{{name + "/before", func(s *script) {
		for _, r := range []req{exists(s.root, false), create(s.p("/x"), 0), ping(), closeSession(), whoAmI(), raw(99)} {
			c := s.conn("a")
			c.closes(r).want(jute.CodeSessionClosedRequireSaslAuth)
			d := s.conn("d")
			d.challenge() // is not enough
			d.closes(r).want(jute.CodeSessionClosedRequireSaslAuth)
		}
	}}, {name + "/failed", func(s *script) {
		for _, u := range [][2]string{{"bob", "wrong"}, {"nobody", "secret"}} {
			c := s.conn("a")
			c.closes(saslToken(c.respond(saslClient(u[0], u[1]), c.challenge(), nil), "response of "+u[0])).want(jute.CodeSessionClosedRequireSaslAuth)
		}
		c := s.conn("c")
		c.closes(saslToken(make([]byte, 4097), "of 4097 bytes")).want(jute.CodeSessionClosedRequireSaslAuth)
		d := s.conn("d")
		d.closes(auth("nosuch", nil)).want(authFailed)
	}}, {name + "/accepted", func(s *script) {
		c := s.conn("a")
		c.login("bob", "secret")
		c.ok(whoAmI(), create(s.p("/e"), 1), ping(), exists(s.root, true))
		c.drop()
		d := s.renew("b", c)
		d.closes(get(s.root, false)).want(jute.CodeSessionClosedRequireSaslAuth)
		e := s.renew("e", c)
		e.login("bob", "secret")
		e.ok(ephemerals(null))
		e.closes(sasl([]byte{})).want(jute.CodeSessionClosedRequireSaslAuth)
	}}, {name + "/digest", func(s *script) {
		c := s.conn("a")
		c.ok(digestAuth("joe:x"))
		if digestToo {
			c.ok(exists(s.root, false), whoAmI())
			c.end()
			return
		}
		c.closes(exists(s.root, false)).want(jute.CodeSessionClosedRequireSaslAuth)
	}}}
}
