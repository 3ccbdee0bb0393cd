package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"zk/jute"
)

// Defaults of Options.
const (
	sessionTimeoutDefault = 30 * time.Second
	retryDelayDefault     = 250 * time.Millisecond
	inFlightMaxDefault    = 1024
	replyBytesMaxDefault  = 256 << 20
)

// Options are the settings of a client. The zero value works.
type Options struct {
	// SessionTimeout is asked of the server, which may change it; 0 means 30 s.
	SessionTimeout time.Duration
	// Chroot is put before every path; it replaces the one in the connect string when it is not "".
	Chroot string
	// Dial opens connections; nil means TCP.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// OnEvent gets watch events and changes of state, one at a time and in order; see the package
	// comment for what it may do. nil drops them.
	OnEvent func(Event)
	// ReadOnly accepts a server that has lost its quorum.
	ReadOnly bool
	// InOrder tries the servers as they were given; otherwise they are shuffled, as in Java.
	InOrder bool
	// RetryDelay is waited after the loss of a connection, and when no server could be reached; 0
	// means 250 ms.
	RetryDelay time.Duration
	// InFlightMax bounds the requests without a reply; more of them wait. 0 means 1024.
	InFlightMax int
	// ReplyBytesMax bounds a frame from the server; a longer one breaks the connection. 0 means
	// 256 MiB: a list of children has no bound of its own.
	ReplyBytesMax int
}

// Client is a session. Its methods may be called from many goroutines; requests of one goroutine keep
// their order.
type Client struct {
	opts   Options  // immutable after New
	addrs  []string // immutable after New
	chroot string   // immutable after New
	// slots bounds waiting and pending requests together.
	slots  chan struct{}
	cancel context.CancelFunc // ends run
	done   chan struct{}      // closed when run has returned

	// eventMu serializes OnEvent. Nothing else is locked under it or while waiting for it.
	eventMu sync.Mutex

	mu sync.Mutex // guards what follows
	// changed is closed and replaced whenever state changes.
	changed   chan struct{}
	state     State
	told      State // the state of the last state event
	closing   bool  // Close was called
	link      *link // nil without a session on a connection
	sessionID jute.SessionID
	passwd    []byte
	timeout   time.Duration // as negotiated
	lastZxid  jute.Zxid     // of the last reply that had one
	xid       int32
	waiting   []*request // not sent yet, in order
	auths     []*authInfo
	watches   watchSet
}

// authInfo is a credential, given again on every connection.
type authInfo struct {
	scheme string
	data   []byte
	// answered gets the server's first answer; capacity 1.
	answered chan jute.Code
}

// New starts a client of the servers in a connect string (host:port,host:port/chroot) and returns without
// waiting for a connection. The error is a connect string or chroot that can't be used.
func New(servers string, opts Options) (*Client, error) {
	addrs, chroot, err := ParseConnectString(servers)
	if err != nil {
		return nil, err
	}
	if opts.Chroot != "" {
		if chroot, err = cleanChroot(opts.Chroot); err != nil {
			return nil, err
		}
	}
	if opts.SessionTimeout <= 0 {
		opts.SessionTimeout = sessionTimeoutDefault
	}
	if opts.RetryDelay <= 0 {
		opts.RetryDelay = retryDelayDefault
	}
	if opts.InFlightMax <= 0 {
		opts.InFlightMax = inFlightMaxDefault
	}
	if opts.ReplyBytesMax <= 0 {
		opts.ReplyBytesMax = replyBytesMaxDefault
	}
	if opts.Dial == nil {
		opts.Dial = (&net.Dialer{}).DialContext
	}
	if !opts.InOrder {
		rand.Shuffle(len(addrs), func(i, j int) { addrs[i], addrs[j] = addrs[j], addrs[i] })
	}
	ctx, cancel := context.WithCancel(context.Background())
	c := &Client{
		opts: opts, addrs: addrs, chroot: chroot, cancel: cancel,
		slots: make(chan struct{}, opts.InFlightMax), done: make(chan struct{}),
		changed: make(chan struct{}), timeout: opts.SessionTimeout,
		// The first event is the first connection: that there is none before it is no news.
		told: Connecting,
	}
	go c.run(ctx) // ends in a final state or when Close cancels ctx
	return c, nil
}

// Connect is New that waits until the session is established. On an error nothing is left behind.
func Connect(ctx context.Context, servers string, opts Options) (*Client, error) {
	c, err := New(servers, opts)
	if err != nil {
		return nil, err
	}
	if err := c.WaitConnected(ctx); err != nil {
		c.cancel()
		<-c.done
		return nil, fmt.Errorf("client: connecting to %s: %w", servers, err)
	}
	return c, nil
}

// WaitConnected returns when the client is connected, or with the reason why it isn't: ctx's error or the
// code of a final state.
func (c *Client) WaitConnected(ctx context.Context) error {
	for {
		c.mu.Lock()
		state, changed := c.state, c.changed
		c.mu.Unlock()
		switch {
		case state.connected():
			return nil
		case state.final():
			return lostCode(state)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// State is the client's state now.
func (c *Client) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

// SessionID is the session's id, 0 before the first connection.
func (c *Client) SessionID() jute.SessionID {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sessionID
}

// SessionTimeout is what the server granted last.
func (c *Client) SessionTimeout() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.timeout
}

// Close ends the session on the server and waits for its answer until ctx ends; either way the connection
// and the client's goroutines are gone afterwards. Without a connection the session is left to expire.
// Closing again does nothing.
func (c *Client) Close(ctx context.Context) error {
	c.mu.Lock()
	again := c.closing
	c.closing = true
	connected := c.state.connected()
	c.mu.Unlock()
	if again {
		<-c.done
		return nil
	}
	var err error
	if connected {
		_, err = c.do(ctx, jute.OpCloseSession, "", nil, nil)
		if errors.Is(err, jute.CodeConnectionLoss) || errors.Is(err, jute.CodeSessionExpired) {
			err = nil // the connection went first
		}
	}
	c.cancel()
	<-c.done
	c.setState(Closed)
	return err
}

// setState moves to a state, unless a final one has been reached before, and tells it.
func (c *Client) setState(s State) {
	c.mu.Lock()
	if c.state.final() {
		c.mu.Unlock()
		return
	}
	if c.state != s {
		c.state = s
		close(c.changed)
		c.changed = make(chan struct{})
	}
	news := c.told != s
	c.told = s
	c.mu.Unlock()
	if news {
		c.emit(Event{Type: EventNone, State: s, Zxid: -1})
	}
}

// emit hands an event to OnEvent.
func (c *Client) emit(events ...Event) {
	if c.opts.OnEvent == nil {
		return
	}
	c.eventMu.Lock()
	defer c.eventMu.Unlock()
	for _, e := range events {
		c.opts.OnEvent(e)
	}
}

// AddAuth gives a credential to the server, now and on every later connection, and waits for the answer.
// jute.CodeAuthFailed means it was refused, which ends the client (state AuthFailed), as in Java.
func (c *Client) AddAuth(ctx context.Context, scheme string, data []byte) error {
	info := &authInfo{scheme: scheme, data: data, answered: make(chan jute.Code, 1)}
	c.mu.Lock()
	if c.state.final() {
		err := &OpError{Op: jute.OpAuth, Code: lostCode(c.state)}
		c.mu.Unlock()
		return err
	}
	c.auths = append(c.auths, info)
	if c.link != nil {
		c.link.addAuth(info)
	}
	c.mu.Unlock()
	select {
	case code := <-info.answered:
		if code != jute.CodeOk {
			return &OpError{Op: jute.OpAuth, Code: code}
		}
		return nil
	case <-c.done:
		return &OpError{Op: jute.OpAuth, Code: lostCode(c.State())}
	case <-ctx.Done():
		return ctx.Err()
	}
}

// lostCode is what requests get that a state leaves without an answer.
func lostCode(s State) jute.Code {
	switch s {
	case AuthFailed:
		return jute.CodeAuthFailed
	case Closed, Expired:
		return jute.CodeSessionExpired
	default:
		return jute.CodeConnectionLoss
	}
}
