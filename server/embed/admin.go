package embed

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"zk/conf"
	"zk/jute"
	"zk/server/admin"
	"zk/server/auth"
	"zk/server/figures"
	"zk/server/secure"
)

// exitAdminPort is the exit code for an AdminServer that can't listen (Java: ExitCode).
const exitAdminPort = 4

// adminError says that the AdminServer can't listen, at which Java's standalone server ends too.
type adminError struct {
	address string
	err     error
}

func (e *adminError) Error() string {
	return fmt.Sprintf("embed: listen on admin.serverPort %s: %v; admin.serverPort takes another port, admin.enableServer=false does without", e.address, e.err)
}

func (e *adminError) Unwrap() error { return e.err }

// ExitCode is the process's exit code.
func (e *adminError) ExitCode() int { return exitAdminPort }

// listenAdmin opens the AdminServer's port; nil when there is to be none.
func (n *Node) listenAdmin() (*admin.Port, error) {
	a := n.cfg.Admin
	if !a.EnableServer {
		return nil, nil
	}
	port := &admin.Port{IdleTimeout: a.IdleTimeout}
	if a.ForceHTTPS || a.PortUnification {
		secured, err := secure.New(n.adminTLS(), n.log)
		if err == nil && n.cfg.QuorumTLS.KeyStore.Location == "" {
			err = errors.New("ssl.quorum.keyStore.location is not set")
		}
		if err != nil {
			return nil, &adminTLSError{err}
		}
		port.TLS, port.Plain, port.DetectTimeout = secured.ServerConfig(), !a.ForceHTTPS, n.cfg.QuorumTLS.HandshakeDetectionTimeout
	}
	address := net.JoinHostPort(a.Address, strconv.Itoa(a.Port))
	var err error
	port.Listener, err = n.deps.Listen("tcp", address)
	switch {
	case err == nil:
		return port, nil
	case a.BestEffort:
		n.log.Warn("the AdminServer is left out", "addr", address, "err", err)
		return nil, nil
	}
	return nil, &adminError{address, err}
}

// adminTLS is what HTTPS goes by: the stores of ssl.quorum, but whether callers need a certificate is the
// AdminServer's own setting, and nobody compares it with their address. Source: JettyAdminServer.
func (n *Node) adminTLS() conf.TLS {
	t := n.cfg.QuorumTLS
	t.ClientAuth, t.ClientHostnameVerification = "none", false
	if n.cfg.Admin.NeedClientAuth {
		t.ClientAuth = "need"
	}
	return t
}

// adminTLSError says that HTTPS can't be served.
type adminTLSError struct{ err error }

func (e *adminTLSError) Error() string { return "embed: HTTPS of the AdminServer: " + e.err.Error() }
func (e *adminTLSError) Unwrap() error { return e.err }

// ExitCode is that of Java for an AdminServer that does not start.
func (e *adminTLSError) ExitCode() int { return exitAdminPort }

// serveAdmin answers the AdminServer's commands.
func (n *Node) serveAdmin(ctx context.Context, port admin.Port, providers *auth.Providers) {
	handler := admin.New(admin.Options{
		Config: n.cfg.Admin, Server: adminView{n.server.Figures(), n}, Auth: providers, Metrics: n.met, Logger: n.log,
		Snapshots: n, NoLastProcessedZxid: !n.cfg.SerializeLastProcessed, UseForwardedFor: n.cfg.IPUseXForwardedFor,
	})
	n.adminAddr = port.Listener.Addr()
	scheme := "http"
	if port.TLS != nil {
		scheme = "https"
	}
	n.log.Info("serving admin commands", "url", scheme+"://"+n.adminAddr.String()+n.cfg.Admin.CommandURL, "plain_too", port.Plain)
	n.work.Add(1)
	go func() { // ends at Close
		defer n.work.Done()
		if err := port.Serve(ctx, handler, n.log); err != nil {
			n.log.Warn("AdminServer stopped", "err", err)
		}
	}()
}

// adminView is the server as the AdminServer sees it.
type adminView struct {
	figures.Server
	n *Node
}

var _ admin.Server = adminView{}

func (v adminView) InitialConfiguration() string { return v.n.cfg.Text }

// SystemProperties are the settings and what Java knows of the machine.
func (v adminView) SystemProperties() []figures.KeyValue {
	var list []figures.KeyValue
	for _, p := range v.n.cfg.Effective() {
		list = append(list, figures.KeyValue{Key: p.Name, Value: p.Value})
	}
	for _, e := range v.Environment() {
		if strings.HasPrefix(e.Key, "user.") || strings.HasPrefix(e.Key, "os.") && !strings.HasPrefix(e.Key, "os.memory.") {
			list = append(list, e)
		}
	}
	slices.SortFunc(list, func(a, b figures.KeyValue) int { return strings.Compare(a.Key, b.Key) })
	return list
}

// LastSnapshot is the state that a power cut can't take back.
func (v adminView) LastSnapshot() (jute.Zxid, time.Time) {
	return jute.Zxid(v.n.nodes.State().DurableApplied()), time.Unix(v.n.durableSince.Load(), 0)
}

func (v adminView) RootACL() []jute.ACL { return v.n.server.RootACL() }
