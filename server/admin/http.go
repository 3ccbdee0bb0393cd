package admin

import (
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"zk/conf"
	"zk/jute"
	"zk/server/auth"
	"zk/server/figures"
	"zk/server/metrics"
)

// Server is what the commands show besides figures.Server. Its methods may be called from any goroutine.
type Server interface {
	figures.Server
	// InitialConfiguration is the text of zoo.cfg as it was read at the start, without passwords.
	InitialConfiguration() string
	// SystemProperties are the settings in effect by the names of their Java properties, in order.
	SystemProperties() []figures.KeyValue
	// LastSnapshot is the last state that is on disk as a whole: its zxid, -1 for none, and since when.
	LastSnapshot() (jute.Zxid, time.Time)
	// RootACL is the ACL of "/".
	RootACL() []jute.ACL
}

// Options are what a Handler is made of.
type Options struct {
	Config conf.Admin
	Server Server
	Auth   *auth.Providers
	// Snapshots makes and takes trees; nil turns snapshot and restore off.
	Snapshots Snapshots
	Metrics   *metrics.Metrics
	Logger    *slog.Logger
	// NoLastProcessedZxid is serializeLastProcessedZxid.enabled=false: no snapshot without it.
	NoLastProcessedZxid bool
	// UseForwardedFor is IPAuthenticationProvider.usexforwardedfor.
	UseForwardedFor bool
}

// Handler answers the commands. Make it with New.
type Handler struct {
	opt      Options
	prefix   string              // admin.commandURL without a slash at its end
	byName   map[string]*command // names and aliases
	index    string
	lists    chan struct{} // a place for each long list on its way
	streams  chan struct{} // a place for each snapshot on its way
	restores chan struct{} // and the one for a restore
	snapshot *limiter
	restore  *limiter
}

const (
	// listsMax is the number of long lists on their way at once: each is in memory as a whole.
	listsMax = 2
	// listWait is how long a caller waits for others' lists.
	listWait = 5 * time.Second
	// listTime bounds the way of a list to its caller.
	listTime = time.Minute
	// streamsMax is the number of snapshots on their way at once: each keeps disk space from being freed.
	streamsMax = 2
	// stallTime bounds the wait for a caller to take, or to send, some more bytes.
	stallTime = 30 * time.Second
	// replyBytesMax is the size up to which a reply is sent as a whole, with its length.
	replyBytesMax = 1 << 20
)

// New makes a Handler.
func New(o Options) *Handler {
	h := &Handler{
		opt: o, prefix: strings.TrimRight("/"+strings.TrimLeft(o.Config.CommandURL, "/"), "/"), byName: map[string]*command{},
		lists: make(chan struct{}, listsMax), streams: make(chan struct{}, streamsMax), restores: make(chan struct{}, 1),
		snapshot: newLimiter(snapshotInterval(o.Config.RateLimiterInterval)), restore: newLimiter(o.Config.RateLimiterInterval),
	}
	var index strings.Builder
	for _, c := range commands() {
		for _, name := range c.names {
			h.byName[name] = &c
		}
		link := h.prefix + "/" + c.names[0]
		index.WriteString(`<a href="` + link + `">` + c.names[0] + "</a>\n<br/>\n")
	}
	h.index = index.String()
	return h
}

// ServeHTTP implements http.Handler. A panic costs the caller its connection, and is logged and counted.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if p != http.ErrAbortHandler {
			h.opt.Metrics.UnrecoverableErrorCount.Inc()
			h.opt.Logger.Error("admin request failed", "addr", r.RemoteAddr, "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
		}
		panic(http.ErrAbortHandler) // which net/http takes as the wish to close
	}()
	h.serve(w, r)
}

// serve answers by method and path. Source: JettyAdminServer.CommandServlet.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request) {
	if r.TLS != nil {
		w.Header().Set("Strict-Transport-Security", "max-age=86400; includeSubDomains")
	}
	name, ours := strings.CutPrefix(r.URL.Path, h.prefix)
	ours = ours && (name == "" || name[0] == '/')
	switch r.Method {
	case http.MethodGet, http.MethodHead:
	case http.MethodPost:
		if !ours {
			notAllowed(w, "GET, HEAD, TRACE, OPTIONS")
			return
		}
	case http.MethodOptions:
		w.Header().Set("Allow", "GET, HEAD, TRACE, OPTIONS")
		if ours {
			w.Header().Set("Allow", allowed)
		}
		return
	case http.MethodTrace:
		w.WriteHeader(http.StatusForbidden)
		return
	case http.MethodPut, http.MethodDelete:
		notAllowed(w, allowed)
		return
	default:
		w.WriteHeader(http.StatusNotImplemented)
		return
	}
	switch {
	case !ours:
		notFound(w)
	case name == "" || name == "/":
		w.Header()["Content-Type"] = nil // none, as in Java
		w.Header().Set("Content-Length", strconv.Itoa(len(h.index)))
		_, _ = io.WriteString(w, h.index) // to a caller who may be gone
	default:
		h.command(w, r, name[1:])
	}
}

// allowed are the methods of the commands.
const allowed = "GET, HEAD, POST, TRACE, OPTIONS"

func notAllowed(w http.ResponseWriter, allow string) {
	w.Header().Set("Allow", allow)
	w.WriteHeader(http.StatusMethodNotAllowed)
}

func notFound(w http.ResponseWriter) {
	w.Header().Set("Cache-Control", "must-revalidate,no-cache,no-store")
	w.Header().Set("Content-Type", "text/html;charset=utf-8")
	w.WriteHeader(http.StatusNotFound)
	_, _ = io.WriteString(w, "<html>\n<head>\n<title>Error 404 Not Found</title>\n</head>\n<body><h2>HTTP ERROR 404 Not Found</h2>\n</body>\n</html>\n")
}

// command runs a command and sends its answer.
func (h *Handler) command(w http.ResponseWriter, r *http.Request, name string) {
	c := newCall(h, w, r, name)
	cmd := h.byName[name]
	switch {
	case cmd == nil:
		c.fail(http.StatusOK, "Unknown command: "+name)
	case cmd.method() == http.MethodPost && r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		c.fail(http.StatusMethodNotAllowed, name+" needs the method POST")
	case cmd.method() != http.MethodPost && r.Method == http.MethodPost:
		w.Header().Set("Allow", "GET, HEAD")
		c.fail(http.StatusMethodNotAllowed, name+" needs the method GET")
	default:
		h.run(c, cmd)
	}
	c.finish()
}

// run checks what Java checks, in its order, and runs the command.
func (h *Handler) run(c *call, cmd *command) {
	if cmd.serving && !h.opt.Server.Serving() {
		c.fail(http.StatusOK, "This ZooKeeper instance is not currently serving requests")
		return
	}
	if cmd.access != nil {
		if why, ok := cmd.access(h, c.r); !ok {
			h.opt.Logger.Info("admin command refused", "command", c.name, "addr", c.r.RemoteAddr, "err", why.text)
			c.fail(why.status, why.text)
			return
		}
	}
	if cmd.list {
		wait := time.NewTimer(listWait)
		defer wait.Stop()
		select {
		case h.lists <- struct{}{}:
			defer func() { <-h.lists }()
			c.until = time.Now().Add(listTime)
		case <-wait.C:
			c.fail(http.StatusServiceUnavailable, "too many lists are on their way")
			return
		case <-c.r.Context().Done():
			return
		}
	}
	c.command = cmd.names[0]
	c.object(func() {
		cmd.run(c)
		c.end()
	})
	c.flush() // while the place among the lists is held
}

// call is one command on its way. It belongs to the goroutine of its request.
type call struct {
	jsonWriter
	h       *Handler
	w       http.ResponseWriter
	r       *http.Request
	control *http.ResponseController
	query   url.Values
	name    string    // as it was asked for
	command string    // the primary name once the command runs
	status  int       // of the reply
	failed  bool      // the member error was written
	started bool      // the head of the reply was written
	raw     bool      // the body is no JSON and was written
	until   time.Time // latest end of the writes; zero: none but stallTime
	held    []byte    // of the body while it is short
}

func newCall(h *Handler, w http.ResponseWriter, r *http.Request, name string) *call {
	c := &call{h: h, w: w, r: r, control: http.NewResponseController(w), query: r.URL.Query(), name: name, status: http.StatusOK}
	c.out = (*callBody)(c)
	return c
}

// fail answers with an error that is found before the command runs.
func (c *call) fail(status int, text string) {
	c.status = status
	c.object(func() {
		c.putText("command", c.name)
		c.putText("error", text)
	})
}

// putError writes the member error, which no second one follows.
func (c *call) putError(text string) {
	c.failed = true
	c.putText("error", text)
}

// end writes the members that end every answer.
func (c *call) end() {
	c.putText("command", c.command)
	if !c.failed {
		c.member("error")
		c.null()
	}
}

// finish sends what is left. A caller that can't be reached any more loses its connection.
func (c *call) finish() {
	c.flush()
	if c.raw || c.started {
		if c.err != nil {
			panic(http.ErrAbortHandler) // else the reply would look complete
		}
		return
	}
	c.head()
	c.w.Header().Set("Content-Length", strconv.Itoa(len(c.held)))
	c.w.WriteHeader(c.status)
	_ = c.send(c.held) // to a caller who may be gone
}

func (c *call) head() { c.w.Header().Set("Content-Type", "application/json") }

// callBody is where a call's JSON goes: held back while it is short.
type callBody call

func (b *callBody) Write(p []byte) (int, error) {
	c := (*call)(b)
	if !c.started && len(c.held)+len(p) <= replyBytesMax {
		c.held = append(c.held, p...)
		return len(p), nil
	}
	if !c.started {
		c.started = true
		c.head()
		c.w.WriteHeader(c.status)
		if err := c.send(c.held); err != nil {
			return 0, err
		}
		c.held = nil
	}
	c.server().Rest() // only long lists come here
	return len(p), c.send(p)
}

// send writes a part of the body, within the time that a caller has for it.
func (c *call) send(p []byte) error {
	deadline := time.Now().Add(stallTime)
	if !c.until.IsZero() && c.until.Before(deadline) {
		deadline = c.until
	}
	_ = c.control.SetWriteDeadline(deadline) // a writer without deadlines is one of tests
	_, err := c.w.Write(p)
	return err
}
