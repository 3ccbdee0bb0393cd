package admin

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// snapshot answers with the tree. Source: Commands.SnapshotCommand.
func (c *call) snapshot() {
	o := &c.h.opt
	if !c.transferable(o.Config.SnapshotEnabled) {
		return
	}
	if !c.h.snapshot.allow() || !take(c.h.streams) {
		o.Metrics.SnapshotRateLimitedCount.Inc()
		c.status = http.StatusTooManyRequests
		return
	}
	defer func() { <-c.h.streams }()
	if err := c.sendSnapshot(); err != nil {
		o.Metrics.SnapshotErrorCount.Inc()
		o.Logger.Error("admin snapshot failed", "addr", c.r.RemoteAddr, "err", err)
		if c.raw {
			c.err = err
		}
		c.status = http.StatusInternalServerError
	}
}

// transferable checks what snapshot and restore need before anything is counted.
func (c *call) transferable(enabled bool) bool {
	switch {
	case !enabled || c.h.opt.Snapshots == nil:
		c.status = http.StatusServiceUnavailable
	case c.h.opt.NoLastProcessedZxid:
		c.status = http.StatusInternalServerError
	default:
		return true
	}
	return false
}

// take takes a place without waiting for one.
func take(places chan struct{}) bool {
	select {
	case places <- struct{}{}:
		return true
	default:
		return false
	}
}

// sendSnapshot fixes a tree and sends it, or with streaming=false only says how large it is.
func (c *call) sendSnapshot() (err error) {
	ctx, cancel := context.WithCancel(c.r.Context())
	defer cancel()
	began := time.Now()
	stream, err := c.h.opt.Snapshots.Snapshot(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stream.Close()) }()
	c.h.opt.Metrics.SnapshotTime.ObserveDuration(time.Since(began))
	// The names as Java spells them, which is not what net/http would make of them.
	c.w.Header()["last_zxid"] = []string{stream.Zxid().String()}
	c.w.Header()["snapshot_size"] = []string{strconv.FormatInt(stream.Size(), 10)}
	if !strings.EqualFold(c.parameter("streaming", "true"), "true") {
		return nil
	}
	c.raw = true
	c.w.Header().Set("Content-Type", "application/octet-stream")
	c.w.Header().Set("Content-Length", strconv.FormatInt(stream.Size(), 10))
	c.w.WriteHeader(http.StatusOK)
	if c.r.Method == http.MethodHead {
		return nil
	}
	n, err := stream.WriteTo(writerFunc(func(p []byte) (int, error) { return len(p), c.send(p) }))
	if err == nil && n != stream.Size() {
		err = io.ErrShortWrite
	}
	return err
}

// writerFunc is an io.Writer.
type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// restore replaces the tree by the one in the body. Source: Commands.RestoreCommand.
func (c *call) restore() {
	o := &c.h.opt
	if !c.transferable(o.Config.RestoreEnabled) {
		return
	}
	if !c.h.restore.allow() || !take(c.h.restores) {
		o.Metrics.RestoreRateLimitedCount.Inc()
		c.status = http.StatusTooManyRequests
		return
	}
	defer func() { <-c.h.restores }()
	began := time.Now()
	zxid, err := o.Snapshots.Restore(c.r.Context(), &slowBody{c: c})
	if err != nil {
		o.Metrics.RestoreErrorCount.Inc()
		o.Logger.Error("restore failed", "addr", c.r.RemoteAddr, "err", err)
		c.status = http.StatusInternalServerError
		return
	}
	o.Metrics.RestoreTime.ObserveDuration(time.Since(began))
	o.Logger.Warn("the tree was replaced by a restore", "addr", c.r.RemoteAddr, "zxid", zxid)
	c.putInteger("last_zxid", int64(zxid))
}

// slowBody reads the body of a request that may be long on its way, but must be on its way.
type slowBody struct{ c *call }

func (b *slowBody) Read(p []byte) (int, error) {
	_ = b.c.control.SetReadDeadline(time.Now().Add(stallTime)) // a reader without deadlines is one of tests
	n, err := b.c.r.Body.Read(p)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = errors.New("admin: the caller does not send the rest of its snapshot")
	}
	return n, err
}
