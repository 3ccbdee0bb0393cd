package embed_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"zk/conf"
	"zk/jute"
	"zk/server/embed"
)

// The stores are those of server/secure: a server for localhost, the authority, and ec, a client of it.
const (
	stores   = "../secure/testdata/"
	storeKey = "ssl.keyStore.location=" + stores + "key-rsa.pem"
	storeCA  = "ssl.trustStore.location=" + stores + "ca.pem"
	clientDN = `CN=ec,O=Acme\, Inc,C=DE` // as Java writes it
)

// starter is start or startTLS.
type starter func(t testing.TB, lines ...string) *rig

// bothWays runs a test without TLS and with it.
func bothWays(t *testing.T, test func(*testing.T, starter)) {
	t.Run("plain", func(t *testing.T) { test(t, start) })
	t.Run("TLS", func(t *testing.T) {
		if testing.Short() {
			t.Skip("these move many megabytes, which the race detector makes slow to encrypt")
		}
		test(t, startTLS)
	})
}

// startTLS starts a server whose clients connect with TLS.
func startTLS(t testing.TB, lines ...string) *rig {
	t.Helper()
	r := start(t, append(lines, "secureClientPort=0", "secureClientPortAddress=127.0.0.1", storeKey, storeCA)...)
	r.tls = clientTLS(t)
	return r
}

// clientTLS is for a client with a certificate.
func clientTLS(t testing.TB) *tls.Config {
	t.Helper()
	cert := keyAndLeaf(t, stores+"key-ec.pem")
	ca, err := os.ReadFile(stores + "ca.pem")
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	return &tls.Config{Certificates: []tls.Certificate{cert}, RootCAs: pool, ServerName: "localhost"}
}

// keyAndLeaf reads a PEM file whose leaf is the last of its certificates.
func keyAndLeaf(t testing.TB, path string) tls.Certificate {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var key, leaf []byte
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "PRIVATE KEY" {
			key = pem.EncodeToMemory(block)
		} else {
			leaf = pem.EncodeToMemory(block)
		}
	}
	cert, err := tls.X509KeyPair(leaf, key)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func (r *rig) dialTLS(config *tls.Config) net.Conn {
	r.t.Helper()
	nc, err := tls.Dial("tcp", r.node.SecureAddr().String(), config)
	if err != nil {
		r.t.Fatal(err)
	}
	return nc
}

// plainly and secretly connect either way to one server.
func (r *rig) plainly() *rig  { return &rig{t: r.t, node: r.node} }
func (r *rig) secretly() *rig { return &rig{t: r.t, node: r.node, tls: clientTLS(r.t)} }

func whoAmI(c *client) string {
	d := c.ok(jute.OpWhoAmI, nil)
	var all []string
	for range d.Int32() {
		var info jute.ClientInfo
		info.Decode(d)
		all = append(all, info.AuthScheme+":"+info.User)
	}
	return strings.Join(all, " ")
}

// TestTLS: a session, its watch and its certificate's identity over TLS; the session goes on without TLS and
// comes back; the words count the connection as any other.
func TestTLS(t *testing.T) {
	r := startTLS(t)
	c := r.connect()
	if got := whoAmI(c); got != "x509:"+clientDN+" ip:127.0.0.1" {
		t.Error(got)
	}
	scheme := "x509" // given already: nothing changes
	c.ok(jute.OpAuth, (&jute.AuthPacket{Scheme: &scheme}).Append(nil))
	c.ok(jute.OpCreate, create("/e", "", jute.FlagEphemeral))
	c.ok(jute.OpGetData, read("/e", true))
	plain, ok := r.plainly().renew(c)
	if !ok {
		t.Fatal("the session is gone")
	}
	if err := c.gone(); err != nil {
		t.Error(err)
	}
	if got := whoAmI(plain); got != "ip:127.0.0.1" {
		t.Error(got)
	}
	plain.ok(jute.OpGetData, read("/e", true))
	back, ok := r.secretly().renew(plain)
	if !ok {
		t.Fatal("the session is gone")
	}
	back.ok(jute.OpGetData, read("/e", true))
	r.plainly().connect().ok(jute.OpSetData, setData("/e", "x", -1))
	if ev, err := back.awaitEvent(); err != nil || ev.Path != "/e" {
		t.Error(ev, err)
	}
	if cons := r.word("cons"); !strings.Contains(cons, back.nc.LocalAddr().String()) {
		t.Error(cons)
	}
	if conf := r.plainly().word("conf"); !strings.Contains(conf, fmt.Sprintf("secureClientPort=%d\n", r.node.SecureAddr().(*net.TCPAddr).Port)) {
		t.Error(conf)
	}
	m := r.node.Metrics()
	if n := m.Server.NonMTLSLocal.Value(); n != 3 {
		t.Errorf("%d connections without TLS", n)
	}
	back.ok(jute.OpCloseSession, nil)
	if _, err := back.nc.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the end is not told: %v", err)
	}
}

// TestTLSFrames: frames of every size, pipelined, both ways, and TLS 1.2.
func TestTLSFrames(t *testing.T) {
	r := startTLS(t)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		r.tls.MaxVersion = version
		c := r.connect()
		c.ok(jute.OpCreate, create("/n", "", jute.FlagEphemeral))
		var b []byte
		sizes := []int{0, 1, 100, 16<<10 - 30, 16 << 10, 32 << 10, 70_000, 300_000, 1_000_000}
		for _, size := range sizes {
			b = append(b, c.request(jute.OpSetData, setData("/n", strings.Repeat("x", size), -1))...)
			b = append(b, c.request(jute.OpGetData, read("/n", false))...)
		}
		go func() { // in pieces of all kinds
			for piece := 1; len(b) > 0; piece = piece*3 + 1 {
				n := min(piece%100_000, len(b))
				if _, err := c.nc.Write(b[:n]); err != nil {
					return
				}
				b = b[n:]
			}
		}()
		for i, size := range sizes {
			if rep, err := c.recv(); err != nil || rep.Err != jute.CodeOk {
				t.Fatal(i, rep, err)
			}
			rep, err := c.recv()
			if err != nil || rep.Err != jute.CodeOk || len(rep.body) != size+4+jute.StatBytes {
				t.Fatalf("%d: %d bytes, want those of %d; %v", i, len(rep.body), size, err)
			}
		}
		c.ok(jute.OpCloseSession, nil)
		if err := c.gone(); err != nil {
			t.Error(err)
		}
	}
}

// TestCertificateACL: what belongs to a certificate is for those who show it, and for the super user.
func TestCertificateACL(t *testing.T) {
	for _, super := range []bool{false, true} {
		lines := []string{"ssl.clientAuth=want"}
		if super {
			lines = append(lines, `X509AuthenticationProvider.superUser=CN\=ec,O\=Acme\\, Inc,C\=DE`)
		}
		r := startTLS(t, lines...)
		c := r.connect()
		own := jute.CreateRequest{Path: "/own", ACL: []jute.ACL{{Perms: jute.PermAll, ID: jute.ID{Scheme: "auth"}}}}
		other := jute.CreateRequest{Path: "/other", ACL: []jute.ACL{{Perms: jute.PermAll, ID: jute.ID{Scheme: "x509", ID: "CN=somebody else"}}}}
		garbage := jute.CreateRequest{Path: "/garbage", ACL: []jute.ACL{{Perms: jute.PermAll, ID: jute.ID{Scheme: "x509", ID: "garbage"}}}}
		c.ok(jute.OpCreate, own.Append(nil, jute.OpCreate))
		c.ok(jute.OpCreate, other.Append(nil, jute.OpCreate))
		if rep := c.call(jute.OpCreate, garbage.Append(nil, jute.OpCreate)); rep.Err != jute.CodeInvalidACL {
			t.Error(rep.Err)
		}
		nobody := r.plainly().connect()
		r.tls.Certificates = nil
		without := r.connect()
		for _, tt := range []struct {
			c    *client
			path string
			want jute.Code
		}{
			{c, "/own", jute.CodeOk}, {c, "/other", jute.CodeNoAuth}, {nobody, "/own", jute.CodeNoAuth}, {without, "/own", jute.CodeNoAuth},
		} {
			if super && tt.c == c {
				tt.want = jute.CodeOk
			}
			if rep := tt.c.call(jute.OpGetData, read(tt.path, false)); rep.Err != tt.want {
				t.Errorf("super %v, %s: %v, want %v", super, tt.path, rep.Err, tt.want)
			}
		}
	}
}

// TestEnforcedCertificate: with the scheme x509 enforced, a client without a certificate gets nothing done.
func TestEnforcedCertificate(t *testing.T) {
	r := startTLS(t, "enforce.auth.enabled=true", "enforce.auth.schemes=x509", "ssl.clientAuth=want")
	r.connect().ok(jute.OpGetData, read("/", false))
	if rep := r.plainly().connect().call(jute.OpGetData, read("/", false)); rep.Err != jute.CodeSessionClosedRequireSaslAuth {
		t.Error(rep.Err)
	}
}

// TestPortUnification: TLS and plain clients on one port; one that is silent for a while is a plain one.
func TestPortUnification(t *testing.T) {
	r := start(t, "client.portUnification=true", "ssl.handshakeDetectionTimeoutMillis=100", storeKey, storeCA)
	if r.node.SecureAddr() != nil {
		t.Error("a secure port of its own")
	}
	late := r.dial()
	defer late.Close()
	if got := whoAmI(r.connect()); got != "ip:127.0.0.1" {
		t.Error(got)
	}
	nc, err := tls.Dial("tcp", r.node.Addr().String(), clientTLS(t))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	c := &client{t: t, nc: nc}
	if err := c.login(10000); err != nil {
		t.Fatal(err)
	}
	if got := whoAmI(c); got != "x509:"+clientDN+" ip:127.0.0.1" {
		t.Error(got)
	}
	if got := r.word("ruok"); got != "imok" {
		t.Error(got)
	}
	m := r.node.Metrics()
	await(t, "the silent client to be a plain one", func() bool { return m.Server.NonMTLSLocal.Value() == 3 })
	_ = late.SetDeadline(time.Now().Add(patience))
	_, _ = io.WriteString(late, "ruok")
	if b, err := io.ReadAll(late); err != nil || string(b) != "imok" {
		t.Errorf("%q, %v", b, err)
	}
}

// hello is the first flight of a TLS client.
func hello(t *testing.T) []byte {
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	go func() { _ = tls.Client(far, clientTLS(t)).Handshake() }() // ends with the pipe
	b := make([]byte, 64<<10)
	n, err := near.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return b[:n]
}

// TestHostileHandshakes: what is no proper handshake costs its connection only, at the latest when the time
// for a login is over, and leaves nothing behind.
func TestHostileHandshakes(t *testing.T) {
	first := hello(t)
	huge := append([]byte{22, 3, 1, 0xff, 0xff}, make([]byte, 70_000)...)
	endless := []byte{22, 3, 1, 0x40, 0, 1, 0xff, 0xff, 0xff} // a ClientHello of 16 MB
	for range 5 {
		endless = append(endless, make([]byte, 16<<10-4)...)
		endless = append(endless, 22, 3, 1, 0x40, 0)
	}
	appData := append(append([]byte(nil), first...), 23, 3, 3, 0, 5, 1, 2, 3, 4, 5)
	login := (&jute.ConnectRequest{TimeoutMillis: 10000, Passwd: make([]byte, 16)}).Append([]byte{0, 0, 0, 44})
	attacks := map[string][]byte{
		"silent": nil, "one byte": first[:1], "half hello": first[:len(first)/2], "hello and no more": first, "garbage": bytes.Repeat([]byte("garbage "), 1000),
		"a plain client": login, "a word": []byte("ruok"), "HTTP": []byte("GET / HTTP/1.0\r\n\r\n"), "a huge record": huge, "an endless hello": endless,
		"data too early": appData, "an alert": {21, 3, 1, 0, 2, 2, 40}, "SSLv2": {0x80, 0x2e, 1, 0, 2, 0, 0x15, 0, 0, 0, 0x10},
	}
	for _, unified := range []bool{false, true} {
		t.Run(fmt.Sprint("unified ", unified), func(t *testing.T) {
			lines := []string{"nio.sessionlessCnxnTimeout=500", storeKey, storeCA, "secureClientPort=0", "secureClientPortAddress=127.0.0.1"}
			if unified {
				lines = append(lines, "client.portUnification=true")
			}
			r := start(t, lines...)
			good := r.secretly().connect()
			before := runtime.NumGoroutine()
			address := r.node.SecureAddr().String()
			if unified {
				address = r.node.Addr().String()
			}
			var wg sync.WaitGroup
			for name, bytes := range attacks {
				if unified && name == "a plain client" {
					continue // is one
				}
				wg.Go(func() {
					nc, err := net.Dial("tcp", address)
					if err != nil {
						t.Error(err)
						return
					}
					defer nc.Close()
					_, _ = nc.Write(bytes)
					_ = nc.SetReadDeadline(time.Now().Add(patience))
					if _, err := io.Copy(io.Discard, nc); errors.Is(err, os.ErrDeadlineExceeded) {
						t.Errorf("%s: the connection stays", name)
					}
				})
			}
			for i := range 50 { // others go on
				good.ok(jute.OpSetData, setData("/", fmt.Sprint(i), -1))
				good.ok(jute.OpGetData, read("/", false))
			}
			wg.Wait()
			if n := r.node.Metrics().UnsuccessfulHandshake.Value(); !unified && n != int64(len(attacks)) || n < 5 {
				t.Errorf("%d handshakes failed", n)
			}
			await(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= before })
			good.ok(jute.OpPing, nil)
		})
	}
}

// TestSlowHandshake: a client that sends its hello byte by byte has no more time than any other.
func TestSlowHandshake(t *testing.T) {
	r := startTLS(t, "nio.sessionlessCnxnTimeout=300")
	nc, err := net.Dial("tcp", r.node.SecureAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	begin := time.Now()
	b := hello(t)
	for i := 0; ; i++ {
		if _, err := nc.Write(b[i%(len(b)-1) : i%(len(b)-1)+1]); err != nil {
			break
		}
		if time.Since(begin) > patience {
			t.Fatal("the connection stays")
		}
		time.Sleep(5 * time.Millisecond) // this client is slow
	}
	if n := r.node.Metrics().UnsuccessfulHandshake.Value(); n != 1 {
		t.Errorf("%d handshakes failed", n)
	}
}

// TestPlainPortRefusesTLS: a TLS client on the plain port is closed at once.
func TestPlainPortRefusesTLS(t *testing.T) {
	r := start(t)
	nc, err := net.Dial("tcp", r.node.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(patience))
	if err := tls.Client(nc, clientTLS(t)).Handshake(); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
}

// TestOutstandingHandshakes: more handshakes at once than netty.server.outstandingHandshake.limit are closed.
func TestOutstandingHandshakes(t *testing.T) {
	r := startTLS(t, "netty.server.outstandingHandshake.limit=2")
	m := r.node.Metrics()
	underWay := func() string {
		_, after, _ := strings.Cut(r.plainly().word("mntr"), "zk_outstanding_tls_handshake\t")
		value, _, _ := strings.Cut(after, "\n")
		return value
	}
	var waiting []net.Conn
	for i := range 3 {
		nc, err := net.Dial("tcp", r.node.SecureAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		waiting = append(waiting, nc)
		if i < 2 {
			await(t, "the handshake to begin", func() bool { return underWay() == fmt.Sprint(i+1) })
		}
	}
	_ = waiting[2].SetReadDeadline(time.Now().Add(patience))
	if _, err := waiting[2].Read(make([]byte, 1)); err != io.EOF {
		t.Error(err)
	}
	if n := m.TLSHandshakeExceeded.Value(); n != 1 {
		t.Errorf("%d refused", n)
	}
	_ = waiting[0].Close()
	await(t, "the handshake to end", func() bool { return underWay() == "1" })
	r.connect().ok(jute.OpPing, nil)
}

// TestHandshakeLog: the reason of a failed handshake is in the log.
func TestHandshakeLog(t *testing.T) {
	var logged lockedBuffer
	r := newRig(t, vfs.NewMem(), "secureClientPort=0", "secureClientPortAddress=127.0.0.1", storeKey, storeCA)
	r.deps.Logger = slog.New(slog.NewTextHandler(&logged, nil))
	r.open()
	nc, err := tls.Dial("tcp", r.node.SecureAddr().String(), &tls.Config{InsecureSkipVerify: true})
	if err == nil {
		_, err = nc.Read(make([]byte, 1))
		_ = nc.Close()
	}
	if err == nil {
		t.Error("accepted without a certificate")
	}
	await(t, "the log", func() bool {
		return strings.Contains(logged.String(), "TLS handshake failed") && strings.Contains(logged.String(), "didn't provide a certificate")
	})
}

// TestBadStore: a store that can't be read is a bad configuration, and nothing is touched.
func TestBadStore(t *testing.T) {
	fs := vfs.NewMem()
	path := filepath.Join(t.TempDir(), "k.pem")
	cfg, err := conf.Parse("zoo.cfg", []byte("dataDir=/data\nsecureClientPort=0\nssl.keyStore.location="+path+"\n"), conf.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = embed.Start(context.Background(), cfg, embed.Deps{FS: fs})
	var exit interface{ ExitCode() int }
	if !errors.As(err, &exit) || exit.ExitCode() != 2 || !strings.Contains(err.Error(), path) {
		t.Error(err)
	}
	if _, err := fs.Stat("/data"); err == nil {
		t.Error("the data folder was made")
	}
}
