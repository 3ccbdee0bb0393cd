package bench

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"zk/cmd/internal/client"
)

// Bounds of a Spec, so that a slip of the finger doesn't take the machine down.
const (
	sessionsMax = 100_000
	inFlightMax = 100_000
	valueMax    = 64 << 20
	// openInFlight is the room for requests without a reply in an open load when Spec.InFlight is 0.
	openInFlight = 1024
)

// Loads are the names that Spec.Load may have.
func Loads() []string {
	return []string{"create", "set", "get", "mixed", "ephemeral", "connect", "watch", "sessions"}
}

// Spec is a load. Zero values of InFlight and Rate have a meaning; the others are needed.
type Spec struct {
	Load     string
	Servers  []string // host:port; sessions are spread over them in turn
	Root     string   // a znode that is made for the load; parents too
	Sessions int
	// InFlight are the requests of a session without a reply: kept up in a closed load (0: 1), at most so
	// many in an open one (0: 1024).
	InFlight   int
	ValueBytes int
	Keys       int // znodes that set, get and mixed use
	// Reads and Writes are the ratio of mixed.
	Reads, Writes int
	// Rate are requests a second of all sessions together; 0 is a closed load.
	Rate             float64
	Warmup, Duration time.Duration
	// Ops ends the load after so many requests when it is not 0; there is no warm-up then.
	Ops            int
	SessionTimeout time.Duration
	// Keep leaves the znodes of create in place.
	Keep bool
	// PIDs are server processes on this machine whose CPU and memory are read; together, when there are several.
	PIDs []int
}

// ParseServers takes a connect string without chroot apart.
func ParseServers(s string) ([]string, error) {
	addrs, chroot, err := client.ParseConnectString(s)
	if err != nil {
		return nil, err
	}
	if chroot != "" {
		return nil, errors.New("bench: a chroot has no meaning here, use the root")
	}
	for _, a := range addrs {
		if _, _, err := net.SplitHostPort(a); err != nil {
			return nil, fmt.Errorf("bench: server %q: %w", a, err)
		}
	}
	return addrs, nil
}

// ParseRatio reads "reads:writes".
func ParseRatio(s string) (reads, writes int, err error) {
	a, b, ok := strings.Cut(s, ":")
	reads, errA := strconv.Atoi(a)
	writes, errB := strconv.Atoi(b)
	if !ok || errA != nil || errB != nil || reads < 0 || writes < 0 || reads+writes == 0 || reads+writes > 1_000_000 {
		return 0, 0, fmt.Errorf("bench: ratio %q is not reads:writes", s)
	}
	return reads, writes, nil
}

// Check tells what is wrong with a Spec.
func (s *Spec) Check() error {
	within := func(name string, v, low, high int) error {
		if v < low || v > high {
			return fmt.Errorf("bench: %s is %d, %d to %d are possible", name, v, low, high)
		}
		return nil
	}
	if !slices.Contains(Loads(), s.Load) {
		return fmt.Errorf("bench: no load %q, there are %s", s.Load, strings.Join(Loads(), ", "))
	}
	if err := client.ValidatePath(s.Root, false); err != nil || s.Root == "/" {
		return fmt.Errorf("bench: root %q is not the path of a znode", s.Root)
	}
	if s.SessionTimeout < time.Millisecond || s.SessionTimeout > 24*time.Hour {
		return fmt.Errorf("bench: session timeout %v", s.SessionTimeout)
	}
	if s.Duration <= 0 || s.Warmup < 0 || s.Rate < 0 || s.Ops < 0 {
		return errors.New("bench: times, rate and number of requests must not be negative, nor the duration 0")
	}
	return errors.Join(
		within("the number of servers", len(s.Servers), 1, 1000),
		within("the number of sessions", s.Sessions, 1, sessionsMax),
		within("the number of requests in flight", s.InFlight, 0, inFlightMax),
		within("the size of values", s.ValueBytes, 0, valueMax),
		within("the number of keys", s.Keys, 1, 1<<30),
	)
}

func (s *Spec) server(session int) string { return s.Servers[session%len(s.Servers)] }
