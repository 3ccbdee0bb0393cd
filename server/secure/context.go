package secure

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"zk/conf"
)

const (
	// reloadPause is the shortest time between two looks at the files of the stores.
	reloadPause = time.Second
	// reverseTimeout bounds the question for the names of a client's address.
	reverseTimeout = 2 * time.Second
)

// Context has the TLS settings of one side, clients or servers. Its methods may be called from any goroutine.
type Context struct {
	conf conf.TLS
	log  *slog.Logger

	current atomic.Pointer[material]
	looked  atomic.Int64 // when the files were last looked at, in Unix nanoseconds
	reload  sync.Mutex   // held by the one who looks
}

// material is what the stores gave at one time.
type material struct {
	server *tls.Config // for those who connect, but for the check of their host names
	client *tls.Config // for connecting, but for the check of the host name
	stamps []stamp
	keys   tickets // of server
}

// stamp tells one state of a file from another.
type stamp struct {
	size int64
	time time.Time
}

// New reads the stores. The error says which file and what is wrong with it. A missing key store is an error
// for ServerConfig only: its handshakes fail.
func New(t conf.TLS, log *slog.Logger) (*Context, error) {
	c := &Context{conf: t, log: log}
	if v := (&tls.Config{}); !c.versions(v) {
		return nil, errors.New("secure: no TLS version is left, as enabledProtocols and ciphersuites have none in common")
	}
	c.looked.Store(time.Now().UnixNano())
	m, err := c.load()
	if err != nil {
		return nil, err
	}
	c.current.Store(m)
	return c, nil
}

// ServerConfig is for listeners. Each handshake uses the stores as they are then, asks for a certificate as
// clientAuth says, and compares it with the address of the connection if clientHostnameVerification says so. Sessions are resumed with tickets that are good as long as the stores are
// the same, and at most a day. The result may be cloned and changed, but not its callbacks.
func (c *Context) ServerConfig() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12, // GetConfigForClient decides; this is for those who read the field
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			m := c.fresh()
			if len(m.server.Certificates) == 0 {
				return nil, errors.New("secure: there is no key store")
			}
			if !c.conf.HostnameVerification || !c.conf.ClientHostnameVerification || m.server.ClientAuth == tls.NoClientCert {
				m.keys.renew(m.server, time.Now())
				return m.server, nil
			}
			peer := hello.Conn.RemoteAddr()
			own := m.server.Clone()
			own.SessionTicketsDisabled = true // a ticket would be good for any address
			own.VerifyConnection = func(cs tls.ConnectionState) error { return c.verifyClient(peer, cs) }
			return own, nil
		},
	}
}

// ClientConfig is for connecting to another server, whose certificate must be for one of the hosts (names or
// addresses) unless hostnameVerification is off.
func (c *Context) ClientConfig(hosts ...string) *tls.Config {
	own := c.fresh().client.Clone()
	own.InsecureSkipVerify = true // verified below, where several names may be right
	roots := own.RootCAs
	own.VerifyConnection = func(cs tls.ConnectionState) error {
		if len(cs.PeerCertificates) == 0 {
			return errors.New("secure: the server has no certificate")
		}
		opts := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
		for _, cert := range cs.PeerCertificates[1:] {
			opts.Intermediates.AddCert(cert)
		}
		leaf := cs.PeerCertificates[0]
		if _, err := leaf.Verify(opts); err != nil {
			return err
		}
		if !c.conf.HostnameVerification {
			return nil
		}
		return matchesOne(leaf, hosts)
	}
	return own
}

// verifyClient compares a client's certificate, if it has one, with its address.
func (c *Context) verifyClient(peer net.Addr, cs tls.ConnectionState) error {
	if len(cs.PeerCertificates) == 0 {
		return nil
	}
	leaf := cs.PeerCertificates[0]
	addr, err := netip.ParseAddrPort(peer.String())
	if err != nil {
		return fmt.Errorf("secure: the certificate can't be compared with the address %s", peer)
	}
	host := addr.Addr().Unmap().WithZone("").String()
	if err := matchesOne(leaf, []string{host}); err == nil || !c.conf.AllowReverseDNSLookup {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), reverseTimeout)
	defer cancel()
	names, err := net.DefaultResolver.LookupAddr(ctx, host)
	if err != nil {
		return fmt.Errorf("secure: the certificate is not for the address %s, which has no name: %w", host, err)
	}
	return matchesOne(leaf, append(names, host))
}

// fresh gives the stores as they are now.
func (c *Context) fresh() *material {
	m := c.current.Load()
	if !c.conf.CertReload {
		return m
	}
	now := time.Now().UnixNano()
	if now-c.looked.Load() < int64(reloadPause) || !c.reload.TryLock() {
		return m // seen just now, or somebody else looks
	}
	defer c.reload.Unlock()
	c.looked.Store(now)
	if slices.Equal(c.stamps(), m.stamps) {
		return m
	}
	read, err := c.load()
	if err != nil {
		c.log.Error("new key or trust store can't be read, the old one stays in force", "err", err)
		return m
	}
	c.log.Info("key and trust store read again", "key_store", c.conf.KeyStore.Location, "trust_store", c.conf.TrustStore.Location)
	c.current.Store(read)
	return read
}

// stamps looks at the files that load reads.
func (c *Context) stamps() []stamp {
	var all []stamp
	for _, s := range []conf.CertStore{c.conf.KeyStore, c.conf.TrustStore} {
		for _, path := range []string{s.Location, s.PasswordPath} {
			var st stamp
			if info, err := os.Stat(path); err == nil {
				st = stamp{info.Size(), info.ModTime()}
			} else if !errors.Is(err, fs.ErrNotExist) {
				st.size = -1
			}
			all = append(all, st)
		}
	}
	return all
}

// load reads the stores and makes configurations of them.
func (c *Context) load() (*material, error) {
	m := &material{stamps: c.stamps()} // before reading: a later change is seen later
	base := &tls.Config{DynamicRecordSizingDisabled: true}
	c.versions(base)
	if c.conf.KeyStore.Location != "" {
		cert, err := readKeyStore(c.conf.KeyStore)
		if err != nil {
			return nil, err
		}
		base.Certificates = []tls.Certificate{cert}
	}
	var trusted *x509.CertPool
	if c.conf.TrustStore.Location != "" {
		certs, err := readTrustStore(c.conf.TrustStore)
		if err != nil {
			return nil, err
		}
		trusted = x509.NewCertPool()
		for _, cert := range certs {
			trusted.AddCert(cert)
		}
	}
	m.client = base.Clone()
	m.client.RootCAs = trusted // nil: those of the system
	m.server = base
	m.server.ClientAuth = clientAuth(c.conf.ClientAuth)
	if m.server.ClientCAs = trusted; trusted == nil {
		m.server.ClientCAs = x509.NewCertPool() // nobody; nil would be those of the system
	}
	return m, nil
}

func clientAuth(name string) tls.ClientAuthType {
	switch name {
	case "none":
		return tls.NoClientCert
	case "want":
		return tls.VerifyClientCertIfGiven
	}
	return tls.RequireAndVerifyClientCert
}

// versions sets protocol versions and cipher suites. A list with suites of one version only leaves the other
// version out, as it does in Java. Go has no choice among the suites of TLS 1.3. False: nothing is left.
func (c *Context) versions(t *tls.Config) bool {
	has12, has13 := true, true
	switch {
	case len(c.conf.EnabledProtocols) > 0:
		has12, has13 = slices.Contains(c.conf.EnabledProtocols, "TLSv1.2"), slices.Contains(c.conf.EnabledProtocols, "TLSv1.3")
	case c.conf.Protocol == "TLSv1.2":
		has13 = false
	case c.conf.Protocol == "TLSv1.3":
		has12 = false
	}
	if len(c.conf.CipherSuites) > 0 {
		suites13 := false
		for _, s := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
			switch {
			case !slices.Contains(c.conf.CipherSuites, s.Name):
			case slices.Contains(s.SupportedVersions, tls.VersionTLS13):
				suites13 = true
			default:
				t.CipherSuites = append(t.CipherSuites, s.ID)
			}
		}
		has12, has13 = has12 && len(t.CipherSuites) > 0, has13 && suites13
	}
	t.MinVersion, t.MaxVersion = tls.VersionTLS12, tls.VersionTLS13
	if !has12 {
		t.MinVersion = tls.VersionTLS13
	}
	if !has13 {
		t.MaxVersion = tls.VersionTLS12
	}
	return has12 || has13
}
