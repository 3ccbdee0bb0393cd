package quorum

import (
	"context"
	"net"
	"time"
)

// dialAny connects to a server at one of its addresses. timeout bounds each attempt, but for the first one at all
// addresses of several (see Options.ReachabilityTimeout).
func (o *Options) dialAny(ctx context.Context, dial dialer, addresses []string, timeout time.Duration) (c net.Conn, err error) {
	if len(addresses) > 1 && o.ReachabilityTimeout > 0 {
		if c := dialAll(ctx, dial, addresses, o.ReachabilityTimeout); c != nil {
			return c, nil
		}
	}
	for _, addr := range addresses {
		one, cancel := context.WithTimeout(ctx, timeout)
		c, err = dial(one, addr)
		cancel()
		if err == nil {
			return c, nil
		}
	}
	return nil, err
}

// dialer is Deps.Dial.
type dialer func(ctx context.Context, addr string) (net.Conn, error)

// dialAll dials all addresses at once, and gives the first connection; nil if there is none in time.
func dialAll(ctx context.Context, dial dialer, addresses []string, timeout time.Duration) (first net.Conn) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	conns := make(chan net.Conn)
	for _, addr := range addresses {
		go func() { // ends when its connection or its failure is taken below
			c, err := dial(ctx, addr)
			if err != nil {
				c = nil
			}
			conns <- c
		}()
	}
	for range addresses {
		c := <-conns
		switch {
		case c != nil && first != nil:
			_ = c.Close()
		case c != nil:
			first = c
			cancel() // the others
		}
	}
	return first
}
