package embed_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"zk/jute"
	"zk/server/embed"
)

// startAdmin starts a server with an AdminServer on any port.
func startAdmin(t *testing.T, lines ...string) *rig {
	t.Helper()
	return start(t, append([]string{"admin.enableServer=true", "admin.serverAddress=127.0.0.1", "admin.serverPort=0"}, lines...)...)
}

// ask gives status and text of a command's answer, without blanks.
func (r *rig) ask(command string) (status int, text string) {
	r.t.Helper()
	client := http.Client{Timeout: patience}
	defer client.CloseIdleConnections()
	resp, err := client.Get("http://" + r.node.AdminAddr().String() + "/commands/" + command)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatalf("%s: %v", command, err)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, body); err != nil {
		r.t.Fatalf("%s: %v\n%s", command, err, body)
	}
	return resp.StatusCode, compact.String()
}

// TestAdmin: the commands show this server.
func TestAdmin(t *testing.T) {
	r := startAdmin(t, "DigestAuthenticationProvider.superDigest=super:hid\\", "den", "tickTime=2000")
	c := r.connect()
	c.ok(jute.OpCreate, create("/e", "x", jute.FlagEphemeral))
	c.ok(jute.OpGetData, read("/e", true))
	session := fmt.Sprint(int64(c.sid))
	for command, want := range map[string]string{
		"configuration":         `"tick_time":2000`,
		"connections":           `"session_id":` + session,
		"dump":                  `"session_id_to_ephemeral_paths":{"` + session + `":["/e"]}`,
		"watches":               `{"session_id_to_watched_paths":{"` + session + `":["/e"]},`,
		"watches_by_path":       `{"path_to_session_ids":{"/e":[` + session + `]},`,
		"watch_summary":         `"num_total_watches":1`,
		"initial_configuration": `superDigest=***\ntickTime=2000\n"`,
		"last_snapshot":         `{"zxid":"`,
		"monitor":               `"ephemerals_count":1,`,
		"server_stats":          `"server_state":"standalone"`,
		"system_properties":     `"zookeeper.admin.commandURL":"/commands"`,
		"environment":           `"user.name":`,
	} {
		status, text := r.ask(command)
		if status != 200 || !strings.Contains(text, want) || !strings.HasSuffix(text, `"command":"`+command+`","error":null}`) {
			t.Errorf("%s: %d %s", command, status, text)
		}
		if strings.Contains(text, "hid") || strings.Contains(text, "den\\n") {
			t.Errorf("%s shows a password: %s", command, text)
		}
	}
}

// TestAdminSecureConnections: connections of both ports, each in its list.
func TestAdminSecureConnections(t *testing.T) {
	r := startTLS(t, "admin.enableServer=true", "admin.serverAddress=127.0.0.1", "admin.serverPort=0")
	plain, secret := r.plainly().connect(), r.secretly().connect()
	status, text := r.ask("connections")
	_, secure, found := strings.Cut(text, `"secure_connections":[`)
	for _, c := range []struct {
		sid    jute.SessionID
		secure bool
	}{{plain.sid, false}, {secret.sid, true}} {
		id := fmt.Sprintf(`"session_id":%d,`, int64(c.sid))
		if status != 200 || !found || strings.Count(text, id) != 1 || strings.Contains(secure, id) != c.secure {
			t.Errorf("%d %s", status, text)
		}
	}
	if _, text := r.ask("server_stats"); !strings.Contains(text, `"non_mtlslocal_conn_count":1}`) {
		t.Errorf("%s", text)
	}
}

// TestAdminPort: a busy one ends a standalone server with Java's exit code, and nothing is touched.
func TestAdminPort(t *testing.T) {
	first := startAdmin(t)
	_, port, err := net.SplitHostPort(first.node.AdminAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	fs := vfs.NewMem()
	second := newRig(t, fs, "admin.enableServer=true", "admin.serverAddress=127.0.0.1", "admin.serverPort="+port)
	_, err = embed.Start(context.Background(), second.cfg, second.deps)
	var coded interface{ ExitCode() int }
	if !errors.As(err, &coded) || coded.ExitCode() != 4 {
		t.Errorf("%v", err)
	}
	if _, err := fs.Stat("/data"); err == nil {
		t.Error("the data folder was made")
	}
	second.cfg.Admin.BestEffort = true // the default settings
	second.open()
	if second.node.AdminAddr() != nil {
		t.Error("served on a busy port")
	}
}

// TestHostileAdminCallers: what HTTP callers do costs only them.
func TestHostileAdminCallers(t *testing.T) {
	r := startAdmin(t, "admin.sensitive=open")
	c := r.connect()
	c.ok(jute.OpCreate, create("/w", "x", 0))
	const watches = 20000 // some megabytes of them
	for i := range watches {
		c.send(jute.OpExists, read(fmt.Sprintf("/w/a-node-that-is-not-there-yet-but-has-quite-a-long-name-%05d", i), true))
		if i%500 == 499 {
			for range 500 {
				if _, err := c.recv(); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	dial := func() net.Conn {
		nc, err := net.Dial("tcp", r.node.AdminAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = nc.Close() })
		_ = nc.SetDeadline(time.Now().Add(patience))
		return nc
	}
	status := func(nc net.Conn) int {
		resp, err := http.ReadResponse(bufio.NewReader(nc), nil)
		if err != nil {
			return 0 // closed
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	long := strings.Repeat("x", 64<<10)
	for request, want := range map[string][]int{
		"GET /commands/ruok HTTP/1.1\r\nHost: x\r\nA: " + long + "\r\n\r\n":                                           {431},
		"GET /commands/ruok?" + long + " HTTP/1.1\r\nHost: x\r\n\r\n":                                                 {431, 414},
		"GET /commands/ruok HTTP/1.1\r\n\r\n":                                                                         {400},
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n":                                                        {400},
		"GET /commands/ruok HTTP/9.9\r\nHost: x\r\n\r\n":                                                              {505},
		"GET /commands/%zz HTTP/1.1\r\nHost: x\r\n\r\n":                                                               {400},
		"POST /commands/ruok HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n":                              {405},
		"POST /commands/restore HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n":                           {401},
		"POST /commands/ruok HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n": {400, 405},
		"GET /commands/../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n":                                                  {200}, // no such command
		"GET http://other/commands/ruok HTTP/1.0\r\n\r\n":                                                             {200},
	} {
		nc := dial()
		if _, err := io.WriteString(nc, request); err != nil && len(request) < 1000 {
			t.Fatal(err)
		}
		got := status(nc)
		ok := got == 0 && len(request) > 60000 // a reset may overtake the reply to what was not read
		for _, w := range want {
			ok = ok || got == w
		}
		if !ok {
			t.Errorf("%.60q: %d, want %v", request, got, want)
		}
		_ = nc.Close()
	}
	// Slow readers of lists, and callers who begin and say no more, up to the bound and beyond it.
	var held []net.Conn
	for i := range 40 {
		nc := dial()
		text := "GET /commands/wchp HTTP/1.1\r\nHost: x\r\n\r\n"
		if i > 1 {
			text = text[:i]
		}
		_, _ = io.WriteString(nc, text) // those beyond the bound are closed at once
		held = append(held, nc)
	}
	if n, err := io.Copy(io.Discard, held[39]); n != 0 && err == nil {
		t.Errorf("a connection beyond the bound got %d bytes", n)
	}
	c.ok(jute.OpSetData, setData("/w", "y", -1))
	for _, nc := range held[2:] {
		_ = nc.Close()
	}
	await(t, "others are answered", func() bool {
		nc := dial()
		defer func() { _ = nc.Close() }()
		_, _ = io.WriteString(nc, "GET /commands/ruok HTTP/1.1\r\nHost: x\r\n\r\n")
		return status(nc) == 200
	})
	for _, nc := range held[:2] {
		resp, err := http.ReadResponse(bufio.NewReader(nc), nil)
		if err != nil {
			t.Fatal(err)
		}
		var list struct {
			Paths map[string][]int64 `json:"path_to_session_ids"`
		}
		if err := json.NewDecoder(resp.Body).Decode(&list); err != nil || len(list.Paths) != watches {
			t.Errorf("a slow reader got %d paths, %v", len(list.Paths), err)
		}
	}
}

// pemFile writes a new key with a certificate, signed by itself, and gives the file and the pair.
func pemFile(t *testing.T, dir, name string) (string, tls.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour), IsCA: true,
		BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})
	text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	file := filepath.Join(dir, name+".pem")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(text, text)
	if err != nil {
		t.Fatal(err)
	}
	return file, pair
}

// TestAdminHTTPS: forceHttps, portUnification and needClientAuth.
func TestAdminHTTPS(t *testing.T) {
	dir := t.TempDir()
	serverFile, serverPair := pemFile(t, dir, "server")
	clientFile, clientPair := pemFile(t, dir, "client")
	roots := x509.NewCertPool()
	roots.AddCert(serverPair.Leaf)
	stores := []string{"ssl.quorum.keyStore.location=" + serverFile, "ssl.quorum.trustStore.location=" + clientFile,
		"authProvider.x509=org.apache.zookeeper.server.auth.X509AuthenticationProvider"}
	for _, c := range []struct {
		lines                    string
		plain, bare, certificate bool // who is answered: HTTP, HTTPS without a certificate, and with one
	}{
		{"admin.forceHttps=true", false, true, true},
		{"admin.portUnification=true", true, true, true},
		{"admin.forceHttps=true\nadmin.portUnification=true", false, true, true},
		{"admin.forceHttps=true\nadmin.needClientAuth=true", false, false, true},
		{"admin.portUnification=true\nadmin.needClientAuth=true", true, false, true},
	} {
		r := startAdmin(t, append(stores, c.lines)...)
		address := r.node.AdminAddr().String()
		// A connection that never says what it is stops nobody.
		silent, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		command, header := "ruok", [2]string{"X", "y"}
		ask := func(scheme string, certificates ...tls.Certificate) (ok bool) {
			transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: certificates}}
			defer transport.CloseIdleConnections()
			client := http.Client{Timeout: patience, Transport: transport}
			req, err := http.NewRequest("GET", scheme+"://"+address+"/commands/"+command, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set(header[0], header[1])
			resp, err := client.Do(req)
			if err != nil {
				return false
			}
			_ = resp.Body.Close()
			if hsts := resp.Header.Get("Strict-Transport-Security"); (hsts == "max-age=86400; includeSubDomains") != (scheme == "https") {
				t.Errorf("%s: %s: HSTS %q", c.lines, scheme, hsts)
			}
			return resp.StatusCode == 200
		}
		if got := ask("http"); got != c.plain {
			t.Errorf("%s: HTTP %v", c.lines, got)
		}
		if got := ask("https"); got != c.bare {
			t.Errorf("%s: HTTPS without a certificate %v", c.lines, got)
		}
		if got := ask("https", clientPair); got != c.certificate {
			t.Errorf("%s: HTTPS with a certificate %v", c.lines, got)
		}
		// As if from elsewhere: lists are for callers with a certificate, and the scheme x509 too.
		command, header = "dump", [2]string{"X-Forwarded-For", "192.0.2.1"}
		if got := ask("https", clientPair); got != !c.bare {
			t.Errorf("%s: dump with a certificate %v", c.lines, got)
		}
		command, header = "snapshot?streaming=false", [2]string{"Authorization", "x509"}
		if got := ask("https", clientPair); got != !c.bare {
			t.Errorf("%s: x509 %v", c.lines, got)
		}
		r.close()
		_ = silent.Close()
	}
	for _, line := range []string{"ssl.quorum.keyStore.location=" + dir + "/none.pem", "# none at all"} {
		bad := newRig(t, vfs.NewMem(), "admin.enableServer=true", "admin.serverPort=0", "admin.forceHttps=true", line)
		if _, err := embed.Start(context.Background(), bad.cfg, bad.deps); err == nil {
			t.Errorf("%s: a server started", line)
		}
	}
}
