package embed

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"zk/jute"
	"zk/server/admin"
	"zk/server/auth"
	"zk/server/figures"
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
func (n *Node) listenAdmin() (net.Listener, error) {
	a := n.cfg.Admin
	if !a.EnableServer {
		return nil, nil
	}
	address := net.JoinHostPort(a.Address, strconv.Itoa(a.Port))
	l, err := n.deps.Listen("tcp", address)
	switch {
	case err == nil:
		return l, nil
	case a.BestEffort:
		n.log.Warn("the AdminServer is left out", "addr", address, "err", err)
		return nil, nil
	}
	return nil, &adminError{address, err}
}

// serveAdmin answers the AdminServer's commands.
func (n *Node) serveAdmin(ctx context.Context, l net.Listener, providers *auth.Providers) {
	handler := admin.New(admin.Options{
		Config: n.cfg.Admin, Server: adminView{n.server.Figures(), n}, Auth: providers, Metrics: n.met, Logger: n.log,
		NoLastProcessedZxid: !n.cfg.SerializeLastProcessed, UseForwardedFor: n.cfg.IPUseXForwardedFor,
	})
	n.adminAddr = l.Addr()
	n.log.Info("serving admin commands", "url", "http://"+l.Addr().String()+n.cfg.Admin.CommandURL)
	n.work.Add(1)
	go func() { // ends at Close
		defer n.work.Done()
		if err := admin.Serve(ctx, l, handler, n.cfg.Admin.IdleTimeout, n.log); err != nil {
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
	return jute.Zxid(v.n.stores.State.DurableApplied()), time.Unix(v.n.durableSince.Load(), 0)
}

func (v adminView) RootACL() []jute.ACL { return v.n.server.RootACL() }
