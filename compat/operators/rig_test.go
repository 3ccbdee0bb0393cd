package operators

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"zk/compat/control"
	"zk/compat/harness"
)

// patience bounds every wait; only a failure waits so long.
const patience = 60 * time.Second

func TestMain(m *testing.M) {
	code := m.Run()
	if os.Getenv(harness.EnableEnv) != "" {
		harness.RemoveBinary()
	}
	os.Exit(code)
}

// The members of both ensembles. The first two print mntr in the form of the default provider, the others in that
// of the Prometheus provider, whose port they have.
const (
	firstProm = 3 // the leader at first
	observer  = 4
)

// fleet is one of the two ensembles.
type fleet struct {
	t           *testing.T
	kind        harness.Kind
	e           *harness.Ensemble
	admin, prom []int // ports by member, prom 0 without
	clients     []*zk.Conn
	names       map[int64]string // of sessions
	ports       *regexp.Regexp   // of the members
	portNames   map[string]string
}

// newFleet makes an ensemble of three voters and an observer, and starts it so that the third voter leads.
func newFleet(t *testing.T, kind harness.Kind) *fleet {
	f := &fleet{t: t, kind: kind, names: map[int64]string{}}
	o := harness.EnsembleOptions{Common: harness.Options{
		Ready: harness.ReadyFourLetter, // a session of the harness would cost transactions
		Props: []string{"zookeeper.extendedTypesEnabled=true", "zookeeper.leader.ackLoggingFrequency=10"},
	}}
	classPath, err := promClassPath()
	if err != nil {
		t.Fatal(err)
	}
	for id := 1; id <= observer; id++ {
		m := harness.MemberOptions{Kind: kind, Observer: id == observer}
		adminPort, promPort := freePort(t), 0
		m.Config = []string{"admin.enableServer=true", "admin.serverPort=" + strconv.Itoa(adminPort)}
		if id >= firstProm {
			promPort = freePort(t)
			m.ClassPath = classPath
			m.Config = append(m.Config, "metricsProvider.className=org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider",
				"metricsProvider.httpHost=127.0.0.1", "metricsProvider.httpPort="+strconv.Itoa(promPort))
		}
		f.admin, f.prom = append(f.admin, adminPort), append(f.prom, promPort)
		o.Members = append(o.Members, m)
	}
	f.e = harness.NewEnsemble(t, o)
	f.namePorts()
	return f
}

// namePorts gives names to the ports of the ensemble, so that both are called the same.
func (f *fleet) namePorts() {
	f.portNames = map[string]string{}
	name := func(what string, id int, port string) {
		if port != "0" {
			f.portNames[port] = fmt.Sprintf("%s-port-of-%d", what, id)
		}
	}
	text, err := os.ReadFile(filepath.Join(f.member(1).Dir, "zoo.cfg"))
	if err != nil {
		f.t.Fatal(err)
	}
	for i, m := range regexp.MustCompile(`server\.\d=127\.0\.0\.1:(\d+):(\d+)`).FindAllStringSubmatch(string(text), -1) {
		name("quorum", i+1, m[1])
		name("election", i+1, m[2])
	}
	for i, s := range f.e.Servers {
		name("client", i+1, strconv.Itoa(s.Port))
		name("admin", i+1, strconv.Itoa(f.admin[i]))
		name("metrics", i+1, strconv.Itoa(f.prom[i]))
	}
	f.ports = regexp.MustCompile(`\b(` + strings.Join(slices.Collect(maps.Keys(f.portNames)), "|") + `)\b`)
}

// start lets the third voter, which has the greater id, be elected by one other.
func (f *fleet) start() error {
	for _, ids := range [][]int{{1, firstProm}, {2, observer}} {
		for _, id := range ids {
			if err := f.member(id).Launch(); err != nil {
				return err
			}
		}
		for _, id := range ids {
			if err := f.member(id).AwaitServing(); err != nil {
				return fmt.Errorf("server %d (%s): %w", id, f.kind, err)
			}
		}
	}
	return nil
}

func (f *fleet) member(id int) *harness.Server { return f.e.Servers[id-1] }

func freePort(t *testing.T) int {
	t.Helper()
	port, err := harness.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// promClassPath is that of a Java server with its Prometheus provider.
func promClassPath() (string, error) {
	server, err := harness.JavaClassPath()
	if err != nil {
		return "", err
	}
	lib, err := harness.MavenJars("operators")
	if err != nil {
		return "", err
	}
	return server + string(os.PathListSeparator) + filepath.Join(lib, "*"), nil
}

// startBoth starts both ensembles.
func startBoth(t *testing.T) [2]*fleet {
	t.Helper()
	control.Need(t)
	both := [2]*fleet{newFleet(t, harness.Java), newFleet(t, harness.Ours)}
	eachFleet(t, both, (*fleet).start)
	return both
}

// eachFleet has both do something at the same time.
func eachFleet(t *testing.T, both [2]*fleet, do func(*fleet) error) {
	t.Helper()
	var errs [2]error
	var wg sync.WaitGroup
	for i, f := range both {
		wg.Go(func() { errs[i] = do(f) })
	}
	wg.Wait()
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
}

// silent drops what the client has to say.
type silent struct{}

func (silent) Printf(string, ...any) {}

// connect makes a session on a member, which gets a name.
func (f *fleet) connect(id int) (*zk.Conn, error) {
	c, events, err := zk.Connect([]string{f.member(id).Addr}, 40*time.Second, zk.WithLogger(silent{}))
	if err != nil {
		return nil, err
	}
	f.t.Cleanup(c.Close)
	for timeout := time.After(patience); ; {
		select {
		case e := <-events:
			if e.State == zk.StateHasSession {
				f.clients = append(f.clients, c)
				f.names[c.SessionID()] = fmt.Sprintf("<session %d>", len(f.clients))
				return c, nil
			}
		case <-timeout:
			return nil, fmt.Errorf("server %d (%s): no session", id, f.kind)
		}
	}
}

// word asks a member.
func (f *fleet) word(id int, word string) string {
	f.t.Helper()
	out, err := harness.FourLetter(f.member(id).Addr, word)
	if err != nil {
		f.t.Fatalf("server %d (%s): %s: %v", id, f.kind, word, err)
	}
	return out
}

// fetch gets a page.
func (f *fleet) fetch(port int, path string) string {
	f.t.Helper()
	c := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := c.Get(fmt.Sprintf("http://127.0.0.1:%d%s", port, path))
	if err != nil {
		f.t.Fatalf("%s: %v", f.kind, err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		f.t.Fatalf("%s: %s: %s %v", f.kind, path, resp.Status, err)
	}
	return string(body)
}

// command asks a member's AdminServer.
func (f *fleet) command(id int, name string) (v map[string]any) {
	f.t.Helper()
	d := json.NewDecoder(strings.NewReader(f.fetch(f.admin[id-1], "/commands/"+name)))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		f.t.Fatalf("server %d (%s): %s: %v", id, f.kind, name, err)
	}
	return v
}
