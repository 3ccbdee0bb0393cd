package admin

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const asBob = "Authorization: digest bob:pw"

// asSpelt is a header by the spelling it was sent with.
func asSpelt(got *httptest.ResponseRecorder, name string) string {
	return strings.Join(got.Header()[name], ",")
}

func TestSnapshot(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Config.RateLimiterInterval = 0 })
	next := func() { time.Sleep(time.Millisecond) } // the limiter counts time strictly
	next()
	got := r.do("GET", "/commands/snapshot", "", asBob)
	if got.Code != 200 || got.Body.String() != r.snapshots.data || got.Header().Get("Content-Type") != "application/octet-stream" ||
		asSpelt(got, "last_zxid") != "0x27" || asSpelt(got, "snapshot_size") != "40000" || got.Header().Get("Content-Length") != "40000" {
		t.Errorf("%d, %d bytes, %v", got.Code, got.Body.Len(), got.Header())
	}
	next()
	if got := r.do("HEAD", "/commands/snapshot", "", asBob); got.Code != 200 || got.Body.Len() != 0 || got.Header().Get("Content-Length") != "40000" {
		t.Errorf("HEAD: %d, %d bytes, %v", got.Code, got.Body.Len(), got.Header())
	}
	for _, value := range []string{"false", "maybe", ""} {
		next()
		got := r.do("GET", "/commands/snapshot?streaming="+value, "", asBob)
		if got.Code != 200 || got.Body.String() != "{\n  \"command\" : \"snapshot\",\n  \"error\" : null\n}" || asSpelt(got, "snapshot_size") != "40000" {
			t.Errorf("streaming=%s: %d %s %v", value, got.Code, got.Body, got.Header())
		}
	}
	if r.snapshots.streams != r.snapshots.closed {
		t.Errorf("%d streams, %d closed", r.snapshots.streams, r.snapshots.closed)
	}
	next()
	r.snapshots.cut = 10
	func() {
		defer func() {
			if p := recover(); p != http.ErrAbortHandler {
				t.Errorf("a broken stream: %v", p)
			}
		}()
		r.do("GET", "/commands/snapshot", "", asBob)
	}()
	next()
	r.snapshots.err = errors.New("no")
	if got := r.do("GET", "/commands/snapshot", "", asBob); got.Code != 500 || !strings.Contains(got.Body.String(), `"error" : null`) {
		t.Errorf("failing: %d %s", got.Code, got.Body)
	}
	if n := r.met.SnapshotErrorCount.Value(); n != 2 || r.met.SnapshotRateLimitedCount.Value() != 0 {
		t.Errorf("%d errors, %d rate limited", n, r.met.SnapshotRateLimitedCount.Value())
	}
}

func TestRestore(t *testing.T) {
	interval := func(o *Options) { o.Config.RateLimiterInterval = time.Hour }
	r := newRig(t, interval)
	if got := r.do("POST", "/commands/rest", "tree", asBob); got.Code != 200 || r.snapshots.data != "tree" ||
		got.Body.String() != "{\n  \"last_zxid\" : 39,\n  \"command\" : \"restore\",\n  \"error\" : null\n}" {
		t.Errorf("%d %s", got.Code, got.Body)
	}
	if got := r.do("POST", "/commands/restore", "second", asBob); got.Code != 429 || !strings.Contains(got.Body.String(), `"error" : null`) || r.snapshots.data != "tree" {
		t.Errorf("%d %s", got.Code, got.Body)
	}
	if r.met.RestoreRateLimitedCount.Value() != 1 {
		t.Errorf("%d rate limited", r.met.RestoreRateLimitedCount.Value())
	}
	r = newRig(t, interval)
	r.snapshots.err = errors.New("garbage")
	if got := r.do("POST", "/commands/restore", "x", asBob); got.Code != 500 || !strings.Contains(got.Body.String(), `"error" : null`) || r.met.RestoreErrorCount.Value() != 1 {
		t.Errorf("failing: %d %s, %d errors", got.Code, got.Body, r.met.RestoreErrorCount.Value())
	}
	// A failed one counts too, as in Java.
	if got := r.do("POST", "/commands/restore", "x", asBob); got.Code != 429 {
		t.Errorf("after a failure: %d", got.Code)
	}
	if got := newRig(t, nil).do("POST", "/commands/restore", "x"); got.Code != 401 {
		t.Errorf("without a header: %d", got.Code)
	}
}

// TestOrderOfChecks: auth, enabled, lastProcessedZxid, rate.
func TestOrderOfChecks(t *testing.T) {
	all := func(o *Options) {
		o.Config.SnapshotEnabled, o.Config.RestoreEnabled, o.NoLastProcessedZxid = false, false, true
	}
	for _, c := range []struct {
		name   string
		change func(*Options)
		auth   string
		status int
	}{
		{"auth", all, "Authorization: nope", 401},
		{"enabled", all, asBob, 503},
		{"no implementation", func(o *Options) { o.Snapshots, o.NoLastProcessedZxid = nil, true }, asBob, 503},
		{"lastProcessedZxid", func(o *Options) { o.NoLastProcessedZxid = true }, asBob, 500},
	} {
		for _, request := range []string{"GET snapshot", "POST restore"} {
			method, name, _ := strings.Cut(request, " ")
			r := newRig(t, c.change)
			for range 2 { // no rate is counted
				if got := r.do(method, "/commands/"+name, "x", c.auth); got.Code != c.status {
					t.Errorf("%s, %s: %d %s", c.name, name, got.Code, got.Body)
				}
			}
		}
	}
}

// TestRates: one snapshot per thousandth of the interval, one restore per interval, as in Java 3.9.5.
func TestRates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil) // 5 minutes
		count := func(method, name string, step, all time.Duration) (ok int) {
			for begin := time.Now(); time.Since(begin) < all; time.Sleep(step) {
				if r.do(method, "/commands/"+name, "x", asBob).Code == 200 {
					ok++
				}
			}
			return ok
		}
		if n := count("GET", "snapshot", 100*time.Millisecond, 4*time.Second); n != 10 { // every 0.4 s: later than 0.3 s
			t.Errorf("%d snapshots", n)
		}
		if n := count("POST", "restore", time.Minute, 12*time.Minute); n != 3 {
			t.Errorf("%d restores", n)
		}
	})
}

// TestLists: no more than listsMax at once; who waits too long is told.
func TestLists(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.server.gate = make(chan struct{})
		codes := make(chan int)
		for range listsMax + 1 {
			go func() { codes <- r.do("GET", "/commands/wchc", "").Code }()
		}
		if code := <-codes; code != 503 {
			t.Errorf("the one too many: %d", code)
		}
		close(r.server.gate)
		for range listsMax {
			if code := <-codes; code != 200 {
				t.Errorf("%d", code)
			}
		}
		if code := r.do("GET", "/commands/wchc", "").Code; code != 200 {
			t.Errorf("afterwards: %d", code)
		}
	})
}

// TestPanic: a bug costs the caller its connection, and shows.
func TestPanic(t *testing.T) {
	r := newRig(t, nil)
	r.byName["ruok"].run = func(*call) { panic("a bug") }
	defer func() {
		if p := recover(); p != http.ErrAbortHandler || r.met.UnrecoverableErrorCount.Value() != 1 {
			t.Errorf("%v, %d counted", p, r.met.UnrecoverableErrorCount.Value())
		}
	}()
	r.do("GET", "/commands/ruok", "")
}
