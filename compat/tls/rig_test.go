package tls

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"zk/compat/control"
	"zk/compat/harness"
	"zk/jute"
)

// rig is one server of each kind with the same settings, and certificates.
type rig struct {
	t        *testing.T
	ca       *authority
	other    *authority
	client   string // PEM file of a client's certificate and key
	super    string // of the super user
	expired  string
	serverly string // good for servers only
	servers  map[harness.Kind]*server
}

type server struct {
	*harness.Server
	secure string // address of the secure port
}

// superUser is the name of the super user's certificate in Java's form.
const superUser = "CN=root,O=Acme"

// start starts both servers at once.
func start(t *testing.T, lines ...string) *rig {
	t.Helper()
	control.Need(t)
	r := &rig{t: t, ca: newAuthority(t, "CA"), other: newAuthority(t, "other CA"), servers: map[harness.Kind]*server{}}
	name := pkix.Name{CommonName: `a, "b" + c`, Organization: []string{"Acme, Inc"}, Country: []string{"DE"}}
	r.client = r.ca.issue("client.pem", name)
	r.super = r.ca.issue("super.pem", pkix.Name{CommonName: "root", Organization: []string{"Acme"}})
	r.expired = r.ca.issue("expired.pem", name, func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = time.Now().Add(-48*time.Hour), time.Now().Add(-24*time.Hour)
	})
	r.serverly = r.ca.issue("serverly.pem", name, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })
	serverKey := r.ca.issue("server.pem", pkix.Name{CommonName: "server"})
	var wg sync.WaitGroup
	var mu sync.Mutex // guards r.servers
	for _, kind := range []harness.Kind{harness.Java, harness.Ours} {
		wg.Go(func() {
			s, err := startOne(t, kind, append([]string{"ssl.keyStore.location=" + serverKey, "ssl.trustStore.location=" + r.ca.trust()}, lines...))
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			r.servers[kind] = s
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return r
}

// startOne starts a server with a secure port that is free, or was a moment ago: then it tries another.
func startOne(t *testing.T, kind harness.Kind, lines []string) (*server, error) {
	for try := 0; ; try++ {
		port, err := harness.FreePort()
		if err != nil {
			return nil, err
		}
		secure := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		s, err := harness.Start(t, kind, harness.Options{
			Config: append([]string{"secureClientPort=" + strconv.Itoa(port), "secureClientPortAddress=127.0.0.1", "4lw.commands.whitelist=*"}, lines...),
			Props: []string{
				"zookeeper.serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory",
				"zookeeper.X509AuthenticationProvider.superUser=" + superUser,
			},
			Ready:   harness.ReadyFourLetter,
			Accepts: []string{secure},
		})
		if err == nil {
			return &server{s, secure}, nil
		}
		if try == 2 || !strings.Contains(err.Error(), "ddress already in use") {
			return nil, err
		}
	}
}

// config is for a client with a certificate, "" for none.
func (r *rig) config(certificate string) *tls.Config {
	c := &tls.Config{RootCAs: r.ca.pool(), ServerName: "localhost"}
	if certificate != "" {
		c.GetClientCertificate = load(r.t, certificate)
	}
	return c
}

// session is a session over TLS.
type session struct {
	*harness.RawConn
	xid int32
}

// connect opens a session; the error is the same text for every way to be refused.
func connect(addr string, config *tls.Config) (*session, error) {
	nc, err := tls.DialWithDialer(&net.Dialer{Timeout: 10 * time.Second}, "tcp", addr, config)
	if err != nil {
		return nil, fmt.Errorf("refused: %w", err)
	}
	s := &session{RawConn: harness.Over(nc)}
	if _, err := s.Connect(jute.ConnectRequest{TimeoutMillis: 10000, Passwd: make([]byte, 16)}); err != nil {
		s.Close()
		return nil, fmt.Errorf("refused: %w", err)
	}
	return s, nil
}

// call sends a request and gives the reply's code and body.
func (s *session) call(op jute.OpCode, body []byte) (jute.Code, *jute.Decoder, error) {
	s.xid++
	if err := s.Send(s.xid, op, body); err != nil {
		return 0, nil, err
	}
	b, err := s.ReadFrame(10 * time.Second)
	if err != nil {
		return 0, nil, err
	}
	d := jute.NewDecoder(b, 0)
	var h jute.ReplyHeader
	h.Decode(&d)
	return h.Err, &d, d.Err()
}

// identities is what whoAmI says, sorted: Java keeps them in a hash table.
func (s *session) identities() (string, error) {
	_, d, err := s.call(jute.OpWhoAmI, nil)
	if err != nil {
		return "", err
	}
	var all []string
	for range d.Int32() {
		var info jute.ClientInfo
		info.Decode(d)
		all = append(all, info.AuthScheme+":"+info.User)
	}
	slices.Sort(all)
	return strings.Join(all, " "), d.Err()
}

// outcome is "refused" by the one or the other side's TLS or by the server, or the identities of a session.
func outcome(addr string, config *tls.Config) string {
	s, err := connect(addr, config)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return err.Error() // nobody was there to refuse it
	}
	if err != nil {
		return "refused"
	}
	defer s.Close()
	who, err := s.identities()
	if err != nil {
		return err.Error()
	}
	return who
}
