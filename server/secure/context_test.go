package secure

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"zk/conf"
)

// authority issues certificates for a test.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, name string) *authority {
	a := &authority{t: t, dir: t.TempDir()}
	a.cert, a.key = a.sign(&x509.Certificate{Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, nil, nil)
	return a
}

func (a *authority) sign(template, parent *x509.Certificate, by *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	if template.NotAfter.IsZero() {
		template.NotBefore, template.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(2*time.Hour)
	}
	if parent == nil {
		parent, by = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), by)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert, key
}

// issue writes a PEM key store and gives its path.
func (a *authority) issue(name string, change ...func(*x509.Certificate)) string {
	a.t.Helper()
	template := &x509.Certificate{Subject: pkix.Name{CommonName: name}}
	for _, c := range change {
		c(template)
	}
	cert, key := a.sign(template, a.cert, a.key)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	path := filepath.Join(a.dir, name+".pem")
	text := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})...)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		a.t.Fatal(err)
	}
	return path
}

// trust writes a trust store with the authority's certificate.
func (a *authority) trust() string {
	path := filepath.Join(a.dir, "trust.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw}), 0o600); err != nil {
		a.t.Fatal(err)
	}
	return path
}

func mustNew(t *testing.T, c conf.TLS) *Context {
	t.Helper()
	ctx, err := New(c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return ctx
}

// shake connects over loopback; the errors are those of the server and of the client.
func shake(t *testing.T, server, client *tls.Config) (state tls.ConnectionState, serverErr, clientErr error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	done := make(chan error, 1)
	go func() { // ends with the handshake, which has a deadline
		nc, err := l.Accept()
		if err != nil {
			done <- err
			return
		}
		defer nc.Close()
		_ = nc.SetDeadline(time.Now().Add(20 * time.Second))
		tc := tls.Server(nc, server)
		if err = tc.Handshake(); err == nil {
			state = tc.ConnectionState()
			_, err = tc.Write([]byte("x")) // with TLS 1.3 the client is through before the server has judged
		}
		done <- err
	}()
	nc, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(20 * time.Second))
	tc := tls.Client(nc, client)
	_, clientErr = tc.Read(make([]byte, 1))
	return state, <-done, clientErr
}

func TestHandshakes(t *testing.T) {
	ca, other := newAuthority(t, "CA"), newAuthority(t, "other CA")
	san := func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)} }
	expired := func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
	}
	serverOnly := func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }
	both := func(c *x509.Certificate) {
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	}
	server := conf.TLS{KeyStore: conf.CertStore{Location: ca.issue("server", san)}, TrustStore: conf.CertStore{Location: ca.trust()}, ClientAuth: "need", HostnameVerification: true}
	client := conf.TLS{KeyStore: conf.CertStore{Location: ca.issue("client")}, TrustStore: conf.CertStore{Location: ca.trust()}, HostnameVerification: true}
	for name, tt := range map[string]struct {
		change        func(server, client *conf.TLS)
		server        string // in the server's error; "" none
		client        string // in the client's error when the server has none
		noCertificate bool   // expected
		version       uint16 // expected, if not 0
	}{
		"good":              {version: tls.VersionTLS13},
		"other authority":   {change: func(_, c *conf.TLS) { c.KeyStore.Location = other.issue("client") }, server: "unknown authority"},
		"expired":           {change: func(_, c *conf.TLS) { c.KeyStore.Location = ca.issue("expired", expired) }, server: "expired"},
		"expired, want":     {change: func(s, c *conf.TLS) { s.ClientAuth, c.KeyStore.Location = "want", ca.issue("expired", expired) }, server: "expired"},
		"for servers only":  {change: func(_, c *conf.TLS) { c.KeyStore.Location = ca.issue("wrong", serverOnly) }, server: "incompatible key usage"},
		"for both":          {change: func(_, c *conf.TLS) { c.KeyStore.Location = ca.issue("both", both) }},
		"none, need":        {change: func(_, c *conf.TLS) { c.KeyStore.Location = "" }, server: "didn't provide a certificate"},
		"none, want":        {change: func(s, c *conf.TLS) { s.ClientAuth, c.KeyStore.Location = "want", "" }, noCertificate: true},
		"none, none":        {change: func(s, c *conf.TLS) { s.ClientAuth, c.KeyStore.Location = "none", "" }, noCertificate: true},
		"not asked":         {change: func(s, _ *conf.TLS) { s.ClientAuth = "none" }, noCertificate: true},
		"no trust store":    {change: func(s, _ *conf.TLS) { s.TrustStore.Location = "" }, server: "unknown authority"},
		"no key store":      {change: func(s, _ *conf.TLS) { s.KeyStore.Location = "" }, server: "no key store"},
		"TLS 1.2 client":    {change: func(_, c *conf.TLS) { c.EnabledProtocols = []string{"TLSv1.2"} }, version: tls.VersionTLS12},
		"TLS 1.2 server":    {change: func(s, _ *conf.TLS) { s.Protocol = "TLSv1.2" }, version: tls.VersionTLS12},
		"TLS 1.3 and 1.2":   {change: func(s, c *conf.TLS) { s.Protocol, c.EnabledProtocols = "TLSv1.3", []string{"TLSv1.2"} }, server: "unsupported versions"},
		"old ones as well":  {change: func(s, _ *conf.TLS) { s.EnabledProtocols = []string{"TLSv1.1", "TLSv1.2"} }, version: tls.VersionTLS12},
		"suites of 1.2":     {change: func(s, _ *conf.TLS) { s.CipherSuites = []string{"TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA"} }, version: tls.VersionTLS12},
		"suites of 1.3":     {change: func(s, c *conf.TLS) { s.CipherSuites, c.Protocol = []string{"TLS_AES_128_GCM_SHA256"}, "TLSv1.2" }, server: "unsupported versions"},
		"suites of RSA":     {change: func(s, _ *conf.TLS) { s.CipherSuites = []string{"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"} }, server: "cipher suite"},
		"server not named":  {change: func(s, _ *conf.TLS) { s.KeyStore.Location = ca.issue("elsewhere") }, client: "not for localhost, 127.0.0.1"},
		"names don't count": {change: func(s, c *conf.TLS) { s.KeyStore.Location, c.HostnameVerification = ca.issue("elsewhere"), false }},
		"server by CN":      {change: func(s, _ *conf.TLS) { s.KeyStore.Location = ca.issue("localhost") }},
		"server unknown":    {change: func(s, _ *conf.TLS) { s.KeyStore.Location = other.issue("server", san) }, client: "unknown authority"},
		"client's address": {change: func(s, c *conf.TLS) {
			s.ClientHostnameVerification, c.KeyStore.Location = true, ca.issue("client at home", san)
		}},
		"client elsewhere":                           {change: func(s, _ *conf.TLS) { s.ClientHostnameVerification = true }, server: "not for 127.0.0.1"},
		"client elsewhere, hostnameVerification off": {change: func(s, _ *conf.TLS) { s.ClientHostnameVerification, s.HostnameVerification = true, false }},
	} {
		t.Run(name, func(t *testing.T) {
			s, c := server, client
			if tt.change != nil {
				tt.change(&s, &c)
			}
			connect := mustNew(t, c).ClientConfig("localhost", "127.0.0.1")
			if len(connect.Certificates) > 0 { // sent whatever the server asks for
				connect.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &connect.Certificates[0], nil }
			}
			state, serverErr, clientErr := shake(t, mustNew(t, s).ServerConfig(), connect)
			switch {
			case tt.server != "":
				if serverErr == nil || !strings.Contains(serverErr.Error(), tt.server) || clientErr == nil {
					t.Errorf("server: %v, client: %v", serverErr, clientErr)
				}
			case tt.client != "":
				if clientErr == nil || !strings.Contains(clientErr.Error(), tt.client) {
					t.Errorf("server: %v, client: %v", serverErr, clientErr)
				}
			case serverErr != nil || clientErr != nil:
				t.Errorf("server: %v, client: %v", serverErr, clientErr)
			case tt.noCertificate != (len(state.PeerCertificates) == 0) || tt.version != 0 && state.Version != tt.version:
				t.Errorf("%d certificates, version %x", len(state.PeerCertificates), state.Version)
			}
		})
	}
}

func TestNoVersionLeft(t *testing.T) {
	_, err := New(conf.TLS{EnabledProtocols: []string{"TLSv1.3"}, CipherSuites: []string{"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"}}, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "no TLS version is left") {
		t.Error(err)
	}
}

// TestResumption sees that tickets are taken, and that new stores make an end of the old tickets.
func TestResumption(t *testing.T) {
	ca := newAuthority(t, "CA")
	server := mustNew(t, conf.TLS{KeyStore: conf.CertStore{Location: ca.issue("localhost")}, TrustStore: conf.CertStore{Location: ca.trust()}, CertReload: true})
	client := mustNew(t, conf.TLS{KeyStore: conf.CertStore{Location: ca.issue("client")}, TrustStore: conf.CertStore{Location: ca.trust()}}).ClientConfig()
	client.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	client.ServerName = "localhost"
	for i, resumed := range []bool{false, true, false} {
		if i == 2 {
			ca.issue("localhost")
			server.looked.Store(0)
		}
		state, serverErr, clientErr := shake(t, server.ServerConfig(), client)
		if serverErr != nil || clientErr != nil || state.DidResume != resumed || len(state.PeerCertificates) != 1 {
			t.Errorf("%d: resumed %v with %d certificates; %v, %v", i, state.DidResume, len(state.PeerCertificates), serverErr, clientErr)
		}
	}
}

// TestTicketKeys has a clock of its own.
func TestTicketKeys(t *testing.T) {
	var k tickets
	now := time.Now()
	for i, step := range []struct {
		after time.Duration
		keys  int
		fresh bool
	}{{0, 1, true}, {ticketKeyLife - 1, 1, false}, {ticketKeyLife, 2, true}, {ticketKeyLife, 2, true}, {3 * ticketKeyLife, 1, true}} {
		before := append([][32]byte(nil), k.keys...)
		if i > 0 {
			now = k.since.Add(step.after)
		}
		k.renew(&tls.Config{}, now)
		if len(k.keys) != step.keys || len(before) > 0 && (k.keys[0] != before[0]) != step.fresh {
			t.Errorf("step %d: %d keys", i, len(k.keys))
		}
	}
}

func TestReload(t *testing.T) {
	ca, next := newAuthority(t, "CA"), newAuthority(t, "next CA")
	serverKey, trust := ca.issue("localhost"), ca.trust()
	var logged bytes.Buffer
	c, err := New(conf.TLS{KeyStore: conf.CertStore{Location: serverKey}, TrustStore: conf.CertStore{Location: trust}, CertReload: true, ClientAuth: "need"},
		slog.New(slog.NewTextHandler(&logged, nil)))
	if err != nil {
		t.Fatal(err)
	}
	// Each step replaces a file; a look is due again.
	serial := func() string {
		c.looked.Store(0)
		return c.fresh().server.Certificates[0].Leaf.SerialNumber.String()
	}
	replace := func(path, by string) {
		data, err := os.ReadFile(by)
		if err == nil {
			err = os.WriteFile(path, data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	first := serial()
	if again := serial(); again != first {
		t.Error("read again without a change")
	}
	ca.issue("localhost")
	second := serial()
	if second == first {
		t.Error("the new certificate is not used")
	}
	if err := os.WriteFile(serverKey, []byte("half of a "), 0o600); err != nil {
		t.Fatal(err)
	}
	if serial() != second || !strings.Contains(logged.String(), "stays in force") {
		t.Errorf("after a damaged file: %s", logged.String())
	}
	if err := os.Remove(serverKey); err != nil {
		t.Fatal(err)
	}
	if serial() != second {
		t.Error("after a removed file")
	}
	ca.issue("localhost")
	if third := serial(); third == second {
		t.Error("the repaired certificate is not used")
	}
	// A new trust store decides about the next client.
	client := mustNew(t, conf.TLS{KeyStore: conf.CertStore{Location: next.issue("client")}, TrustStore: conf.CertStore{Location: ca.trust()}}).ClientConfig()
	if _, err, _ := shake(t, c.ServerConfig(), client); err == nil {
		t.Error("a client of the next authority is accepted too early")
	}
	replace(trust, next.trust())
	c.looked.Store(0)
	if _, err, clientErr := shake(t, c.ServerConfig(), client); err != nil || clientErr != nil {
		t.Error(err, clientErr)
	}
	// Without a look being due, nothing is looked at.
	now := serial()
	ca.issue("localhost")
	if c.fresh().server.Certificates[0].Leaf.SerialNumber.String() != now {
		t.Error("the files are looked at for every handshake")
	}
}
