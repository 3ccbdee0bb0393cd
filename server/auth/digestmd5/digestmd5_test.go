package digestmd5

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/quick"
)

// TestRFC2831 has the two examples of section 4 of the RFC, from both ends.
func TestRFC2831(t *testing.T) {
	for _, c := range []struct{ uri, nonce, cnonce, response, rspauth string }{
		{"imap/elwood.innosoft.com", "OA6MG9tEQGm2hh", "OA6MHXh6VqTrRk", "d388dad90d4bbd760a152321f2143af7", "ea40f60335c427b5527b84dbabcdfffd"},
		{"acap/elwood.innosoft.com", "OA9BSXrbuRhWay", "OA9BSuZWMSpW8m", "6084c6db3fede7352c551284490fd0fc", "2f0b3d7c3c2e486600ef710726aa2eae"},
	} {
		s := &Server{users: NewUsers("elwood.innosoft.com", map[string]string{"chris": "secret"}), uri: c.uri, nonce: c.nonce, stage: challenged}
		token := `charset=utf-8,username="chris",realm="elwood.innosoft.com",nonce="` + c.nonce + `",nc=00000001,cnonce="` + c.cnonce +
			`",digest-uri="` + c.uri + `",response=` + c.response + `,qop=auth`
		answer, err := s.Evaluate([]byte(token))
		if err != nil || string(answer) != "rspauth="+c.rspauth || !s.Complete() || s.User() != "chris" {
			t.Errorf("%s: server %q %v", c.uri, answer, err)
		}
		cl := &Client{user: "chris", password: "secret", x: exchange{cnonce: []byte(c.cnonce), uri: []byte(c.uri)}}
		challenge := `realm="elwood.innosoft.com",nonce="` + c.nonce + `",qop="auth",algorithm=md5-sess,charset=utf-8`
		response, err := cl.Evaluate([]byte(challenge))
		if err != nil || !strings.Contains(string(response), ",response="+c.response+",") {
			t.Errorf("%s: client %q %v", c.uri, response, err)
		}
		if _, err := cl.Evaluate(answer); err != nil || !cl.Complete() {
			t.Errorf("%s: client %v", c.uri, err)
		}
	}
}

// TestAgainstJDK replays tokens that the JDK's server has judged (compat/java/record/Mechanism.java).
func TestAgainstJDK(t *testing.T) {
	file, err := os.Open("testdata/jdk.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	passwords, outcomes := map[string]string{}, map[string]int{}
	for scan := bufio.NewScanner(file); scan.Scan(); {
		f := strings.Split(scan.Text(), " ")
		if f[0] == "user" {
			passwords[string(unhex(t, f[1]))] = string(unhex(t, f[2]))
			continue
		}
		seed, err := base64.StdEncoding.DecodeString(string(unhex(t, f[0])))
		if err != nil {
			t.Fatal(err)
		}
		s := NewServer(NewUsers("zk-sasl-md5", passwords), "zookeeper/zk-sasl-md5", [SeedBytes]byte(seed))
		if _, err := s.Evaluate(nil); err != nil {
			t.Fatal(err)
		}
		token := unhex(t, f[1])
		answer, err := s.Evaluate(token)
		if got := outcome(answer, err); got != f[2] {
			t.Errorf("%q: %s, the JDK's server says %s (%v)", token, got, f[2], err)
		}
		outcomes[f[2][:4]]++
	}
	for _, o := range []string{"fail", "abor", "rspa"} {
		if outcomes[o] == 0 {
			t.Errorf("no token with outcome %s", o)
		}
	}
}

func outcome(answer []byte, err error) string {
	var e *Error
	switch {
	case err == nil:
		return string(answer)
	case errors.As(err, &e) && e.Abort:
		return "abort"
	}
	return "fail"
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestBothEnds lets client and server of this package talk, with any names and passwords.
func TestBothEnds(t *testing.T) {
	talk := func(user, password, known string, a, b [SeedBytes]byte) (client, server bool) {
		s := NewServer(NewUsers(`re"alm`, map[string]string{user: known}), "zookeeper-quorum/host", a)
		c := NewClient(user, password, "zookeeper-quorum/host", b)
		token := []byte{}
		for range 3 {
			answer, err := s.Evaluate(token)
			if err != nil {
				return c.Complete(), s.Complete()
			}
			if token, err = c.Evaluate(answer); err != nil || token == nil {
				break
			}
		}
		return c.Complete(), s.Complete()
	}
	if err := quick.Check(func(user, password, other string, a, b [SeedBytes]byte) bool {
		user = "u" + user[:min(len(user), 1000)]
		c, s := talk(user, password, password, a, b)
		wrongC, wrongS := talk(user, password, password+"x"+other, a, b)
		return c && s && !wrongC && !wrongS
	}, nil); err != nil {
		t.Error(err)
	}
}

// TestStages is what may come when.
func TestStages(t *testing.T) {
	users := NewUsers("r", map[string]string{"bob": "secret"})
	fresh := func() (*Server, *Client) {
		return NewServer(users, "s/h", [SeedBytes]byte{1}), NewClient("bob", "secret", "s/h", [SeedBytes]byte{2})
	}
	challenge := func(s *Server) []byte {
		t.Helper()
		b, err := s.Evaluate([]byte("whatever"))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	respond := func(c *Client, token []byte) []byte {
		t.Helper()
		b, err := c.Evaluate(token)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}

	s, c := fresh()
	want := `realm="r",nonce="AQ` + strings.Repeat("A", 38) + `",charset=utf-8,algorithm=md5-sess`
	token := challenge(s)
	if string(token) != want {
		t.Errorf("challenge %s", token)
	}
	response := respond(c, token)
	if _, err := s.Evaluate(make([]byte, TokenBytesMax+1)); err == nil || s.Complete() {
		t.Error("a long token was taken")
	}
	if s.User() != "" {
		t.Error("somebody before the end")
	}
	respond(c, must(s.Evaluate(response)))
	if s.User() != "bob" || !c.Complete() {
		t.Error("a long token ended the exchange")
	}
	for _, token := range [][]byte{nil, response} {
		if _, err := s.Evaluate(token); err == nil || !s.Complete() {
			t.Errorf("%q after the end: %v", token, err)
		}
	}
	if _, err := c.Evaluate(nil); err == nil {
		t.Error("the client takes a token after the end")
	}

	// A recorded response is worth nothing to another exchange, nor a second time to this one.
	s = NewServer(users, "s/h", [SeedBytes]byte{3})
	challenge(s)
	for range 2 {
		if _, err := s.Evaluate(response); err == nil || s.Complete() || s.User() != "" {
			t.Error("a recorded response was taken")
		}
	}

	// A server that does not know the password can't pass for one.
	_, c = fresh()
	respond(c, []byte(want))
	for _, token := range []string{"rspauth=" + strings.Repeat("0", 32), "", "rspauth="} {
		if _, err := c.Evaluate([]byte(token)); err == nil || c.Complete() {
			t.Errorf("%q was taken", token)
		}
	}
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

// TestChallenges is what a client does not take.
func TestChallenges(t *testing.T) {
	for challenge, ok := range map[string]bool{
		`realm="r",nonce="n",charset=utf-8,algorithm=md5-sess`:             true,
		`nonce="n",charset=utf-8,algorithm=md5-sess,qop="auth-conf, auth"`: true,
		`nonce="n",charset=utf-8,algorithm=md5-sess,qop="auth-conf"`:       false,
		`nonce="n",charset=utf-8,algorithm=md5`:                            false,
		`nonce="n",charset=utf-8`:                                          false,
		`nonce="n",algorithm=md5-sess`:                                     false,
		`charset=utf-8,algorithm=md5-sess`:                                 false,
		`nonce="n",nonce="m",charset=utf-8,algorithm=md5-sess`:             false,
		`nonce="n`: false,
		`nonce="n",charset=utf-8,algorithm=md5-sess,x=` + strings.Repeat("x", 2048):      false,
		`nonce="` + strings.Repeat("n", 1990) + `",charset=utf-8,algorithm=md5-sess,x=x`: true,
	} {
		c := NewClient("u", "p", "s/h", [SeedBytes]byte{})
		if _, err := c.Evaluate([]byte(challenge)); (err == nil) != ok {
			t.Errorf("%.80s: %v", challenge, err)
		}
	}
	c := NewClient(strings.Repeat("u", 4000), "p", "s/h", [SeedBytes]byte{})
	if _, err := c.Evaluate([]byte(`nonce="n",charset=utf-8,algorithm=md5-sess`)); err == nil {
		t.Error("a response longer than a server takes")
	}
}

// TestNoSecretsShown: neither errors nor printed values have a password in them.
func TestNoSecretsShown(t *testing.T) {
	s := NewServer(NewUsers("r", map[string]string{"bob": "hunter2"}), "s/h", [SeedBytes]byte{})
	_ = must(s.Evaluate(nil))
	_, err := s.Evaluate([]byte(`username="bob",response="hunter2",realm="hunter2"`))
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v", err)
	}
}

// FuzzToken: any token is judged without a panic; a directive written out is read back.
func FuzzToken(f *testing.F) {
	f.Add([]byte(`charset=utf-8,username="bob",realm="r",nonce="n",cnonce="c",digest-uri="s/h",response=00,qop=auth,authzid="x"`), "v")
	f.Add([]byte(`a="\`), `"\`)
	f.Add([]byte("x = y , ,z"), "\x00\x7f")
	users := NewUsers("r", map[string]string{"bob": "secret"})
	f.Fuzz(func(t *testing.T, token []byte, value string) {
		s := NewServer(users, "s/h", [SeedBytes]byte{})
		_ = must(s.Evaluate(nil))
		if answer, err := s.Evaluate(token); len(token) <= TokenBytesMax && (err == nil) != s.Complete() || err == nil && answer == nil {
			t.Fatalf("%q %v", answer, err)
		}
		c := NewClient("bob", "secret", "s/h", [SeedBytes]byte{})
		if answer, err := c.Evaluate(token); err == nil && answer == nil {
			t.Fatal("no answer and no error")
		}
		quoted := append(appendQuoted([]byte("X= "), value), " ,y"...)
		d, err := parse(quoted, []string{"y", "x"})
		if err != nil || !bytes.Equal(d[1], []byte(value)) || d[0] == nil {
			t.Fatalf("%q: %q %v", quoted, d, err)
		}
	})
}
