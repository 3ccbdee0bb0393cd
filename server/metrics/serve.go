package metrics

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

const (
	// scrapeTimeout bounds the reading of one request and the writing of its reply.
	scrapeTimeout = 30 * time.Second
	// requestHeadBytesMax bounds the head of a request; there is no body.
	requestHeadBytesMax = 16 << 10
)

// Serve answers on the listener with the Handler until ctx ends, then closes the listener and open
// connections and returns nil. Any other end is an error. The listener belongs to Serve from the call
// on.
func (m *Metrics) Serve(ctx context.Context, listener net.Listener, runtimeFigures bool) error {
	server := &http.Server{
		Handler:           m.Handler(runtimeFigures),
		ReadHeaderTimeout: scrapeTimeout,
		ReadTimeout:       scrapeTimeout,
		WriteTimeout:      scrapeTimeout,
		IdleTimeout:       2 * time.Minute, // longer than a usual scrape interval
		MaxHeaderBytes:    requestHeadBytesMax,
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	err := server.Serve(listener)
	if ctx.Err() != nil && errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("metrics: serving on %s: %w", listener.Addr(), err)
}
