package embed_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"zk/jute"
	"zk/server/auth/digestmd5"
)

const jaasFile = `Server { org.apache.zookeeper.server.auth.DigestLoginModule required user_bob="open sesame" user_super="hunter22"; };`

// startSASL starts a server with the users of jaasFile, whose log goes to log.
func startSASL(t *testing.T, log *lockedBuffer, lines ...string) *rig {
	t.Helper()
	file := filepath.Join(t.TempDir(), "jaas.conf")
	if err := os.WriteFile(file, []byte(jaasFile), 0o600); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, vfs.NewMem(), append(lines, "java.security.auth.login.config="+file, "authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider")...)
	r.deps.Logger = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	r.open()
	return r
}

// lockedBuffer is what a server has logged.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// sasl sends a token and gives the code and the token of the answer.
func (c *client) sasl(token []byte) (jute.Code, []byte) {
	c.t.Helper()
	rep := c.call(jute.OpSASL, jute.AppendBuffer(nil, token))
	d := jute.NewDecoder(rep.body, 0)
	answer := d.Buffer()
	if d.Err() != nil {
		c.t.Fatal("an answer without a token field:", d.Err())
	}
	return rep.Err, answer
}

// authenticate does the whole exchange.
func (c *client) authenticate(user, password string) jute.Code {
	c.t.Helper()
	end, token := digestmd5.NewClient(user, password, "zookeeper/zk-sasl-md5", [digestmd5.SeedBytes]byte{7}), []byte{}
	for {
		code, answer := c.sasl(token)
		if code != jute.CodeOk {
			return code
		}
		var err error
		if token, err = end.Evaluate(answer); err != nil {
			c.t.Fatal(err)
		}
		if end.Complete() {
			return jute.CodeOk
		}
	}
}

// TestSASL: an exchange gives its connection the identity, one that fails costs its connection alone, and
// no password is logged.
func TestSASL(t *testing.T) {
	var log lockedBuffer
	r := startSASL(t, &log, "superUser=super", "SASLAuthenticationProvider.superPassword=boss11")
	c, stranger := r.connect(), r.connect()
	if code := c.authenticate("bob", "open sesame"); code != jute.CodeOk {
		t.Fatal(code)
	}
	acl := []jute.ACL{{Perms: jute.PermAll, ID: jute.ID{Scheme: "auth"}}}
	req := jute.CreateRequest{Path: "/bob", Data: []byte("x"), ACL: acl}
	c.ok(jute.OpCreate, req.Append(nil, jute.OpCreate))
	c.ok(jute.OpGetData, read("/bob", false))
	if rep := stranger.call(jute.OpGetData, read("/bob", false)); rep.Err != jute.CodeNoAuth {
		t.Errorf("a stranger: %v", rep.Err)
	}
	for _, wrong := range [][2]string{{"bob", "open sesame!"}, {"nobody", "open sesame"}, {"super", "hunter22"}} {
		d := r.connect()
		if code := d.authenticate(wrong[0], wrong[1]); code != jute.CodeAuthFailed {
			t.Errorf("%v: %v", wrong, code)
		}
		if _, err := d.frame(); err == nil {
			t.Errorf("%v: the connection goes on", wrong)
		}
	}
	if code := stranger.authenticate("super", "boss11"); code != jute.CodeOk {
		t.Error(code)
	}
	stranger.ok(jute.OpGetData, read("/bob", false))
	c.ok(jute.OpGetData, read("/bob", false))
	for _, password := range []string{"open sesame", "hunter22", "boss11"} {
		if strings.Contains(log.String(), password) {
			t.Errorf("the log has the password %s", password)
		}
	}
}

// TestSASLFailuresFillNothing: a client that may go on after a failure can't fill the log, nor get further
// than the one exchange of its connection.
func TestSASLFailuresFillNothing(t *testing.T) {
	var log lockedBuffer
	r := startSASL(t, &log, "allowSaslFailedClients=true")
	c := r.connect()
	for i := range 300 {
		code, answer := c.sasl(bytes.Repeat([]byte("x"), 1+i*20))
		if first := i == 0; code != jute.CodeOk || (answer != nil) != first {
			t.Fatalf("token %d: %v %q", i, code, answer)
		}
	}
	if n := strings.Count(log.String(), "level=INFO msg=\"SASL authentication failed\""); n != 1 {
		t.Errorf("%d lines of one client in the log", n)
	}
	c.ok(jute.OpPing, nil)
}
