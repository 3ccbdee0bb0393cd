package embed

import (
	"fmt"
	"net"
	"strconv"

	"zk/server"
	"zk/server/secure"
)

// listen reads the stores of TLS and opens the client ports. Those that were opened come back with an error, too.
func (n *Node) listen() (ports []server.Port, err error) {
	c := n.cfg
	if c.ServesTLS() {
		tls, err := secure.New(c.ClientTLS, n.log)
		if err != nil {
			return nil, &configError{err}
		}
		n.tls = tls.ServerConfig()
	}
	for _, p := range []struct {
		what, host string
		port       int
		mode       server.TLSMode
	}{
		{"client port", c.ClientPortAddress, c.ClientPort, plainOrBoth(c.ClientPortUnification)},
		{"secure client port", c.SecureClientPortAddress, c.SecureClientPort, server.TLSAlways},
	} {
		if p.port < 0 {
			continue
		}
		address := net.JoinHostPort(p.host, strconv.Itoa(p.port))
		l, err := n.deps.Listen("tcp", address)
		if err != nil {
			return ports, fmt.Errorf("embed: listen on %s %s: %w", p.what, address, err)
		}
		ports = append(ports, server.Port{Listener: l, TLS: p.mode})
	}
	return ports, nil
}

func plainOrBoth(both bool) server.TLSMode {
	if both {
		return server.TLSMaybe
	}
	return server.TLSNone
}

// configError is a setting that can't be used.
type configError struct{ error }

func (e *configError) Unwrap() error { return e.error }

// ExitCode is that of a bad configuration.
func (*configError) ExitCode() int { return 2 }
