package embed_test

import (
	"errors"
	"io"
	"net"
	"testing"

	"zk/jute"
)

// TestEndBehindBytes ends connections together with their last requests: the server answers and closes them,
// though a reader need not see such an end by itself.
func TestEndBehindBytes(t *testing.T) {
	r := start(t)
	first := r.connect()
	first.ok(jute.OpCreate, create("/a", "", 0))
	together(50, func(k int) {
		c := r.connect()
		b := c.request(jute.OpSetData, setData("/a", "x", -1))
		if k%2 == 0 {
			b = c.request(jute.OpGetData, read("/a", true))
		}
		if _, err := c.nc.Write(b); err != nil {
			t.Error(err)
			return
		}
		if err := c.nc.(*net.TCPConn).CloseWrite(); err != nil {
			t.Error(err)
			return
		}
		for {
			_, _, err := c.next() // the reply, and perhaps an event
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				t.Error(err)
				return
			}
		}
	})
}

// TestCloseAfterReset closes servers whose clients have reset their connections together with their last
// requests: no reader stays behind.
func TestCloseAfterReset(t *testing.T) {
	for range 10 {
		r := start(t)
		all := make([]*client, 30)
		for k := range all {
			all[k] = r.connect()
		}
		together(len(all), func(k int) {
			c := all[k]
			if err := c.nc.(*net.TCPConn).SetLinger(0); err != nil {
				t.Error(err)
			}
			c.send(jute.OpGetData, read("/", true))
			_ = c.nc.Close() // with a reset
		})
		r.close()
	}
}
