package control

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"zk/compat/harness"
)

// ServerEnv names the server that the suites run against: "java" for Apache
// ZooKeeper, anything else for ours.
const ServerEnv = "ZK_COMPAT_SERVER"

// SuperPassword is the password of user "super", who may do everything
// everywhere; superDigest is what the server is told of it:
// super:base64(sha1("super:test")), as Kazoo's own tests have it.
const (
	SuperPassword = "test"
	superDigest   = "super:D/InIHSb7yEEbrWz8b9l71RjZJU="
)

// saslUsers is the JAAS file of the server.
const saslUsers = `Server { org.apache.zookeeper.server.auth.DigestLoginModule required user_bob="bob's secret"; };`

// Rig is a running server with a proxy before it.
type Rig struct {
	Server *harness.Server
	Proxy  *Proxy

	mu sync.Mutex
	// down is set while the test wants the server not to run. Guarded by mu.
	down bool
}

// Need skips the test, with the reason, unless the suites are on.
func Need(t testing.TB) {
	t.Helper()
	if os.Getenv(harness.EnableEnv) == "" {
		t.Skipf("starts servers and clients in other languages: switched on by %s=1", harness.EnableEnv)
	}
}

// Kind is the server that ZK_COMPAT_SERVER asks for.
func Kind() harness.Kind {
	if os.Getenv(ServerEnv) == "java" {
		return harness.Java
	}
	return harness.Ours
}

// Start starts a server with the settings that all suites share, and a proxy.
// Ticks are short, so that sessions can expire and containers vanish within a
// test; everything a client can ask for is switched on.
func Start(t testing.TB) *Rig {
	t.Helper()
	return StartKind(t, Kind())
}

// StartKind is Start for a suite that needs a server of a certain kind, to
// compare with.
func StartKind(t testing.TB, kind harness.Kind) *Rig {
	t.Helper()
	jaas := filepath.Join(t.TempDir(), "jaas.conf")
	if err := os.WriteFile(jaas, []byte(saslUsers), 0o600); err != nil {
		t.Fatal(err)
	}
	server, err := harness.Start(t, kind, harness.Options{
		Config: []string{
			"authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider",
			"tickTime=200",
			"maxSessionTimeout=60000",
			"maxClientCnxns=0",
			"4lw.commands.whitelist=*",
			"extendedTypesEnabled=true",
		},
		Props: []string{
			"znode.container.checkIntervalMs=200",
			"zookeeper.DigestAuthenticationProvider.superDigest=" + superDigest,
			"java.security.auth.login.config=" + jaas,
		},
		Ready: harness.ReadyFourLetter,
	})
	if err != nil {
		t.Fatal(err)
	}
	r := &Rig{Server: server, Proxy: NewProxy(t, server.Addr)}
	t.Cleanup(func() { // before the harness kills it: a server that died is a finding
		r.mu.Lock()
		defer r.mu.Unlock()
		if answer, err := harness.FourLetter(server.Addr, "ruok"); !r.down && (err != nil || answer != "imok") {
			t.Errorf("at the end of the suite ruok gives %q, %v", answer, err)
		}
	})
	return r
}

// RestartHosts is where clients connect that live through a restart: the
// server itself, but with Java the proxy, which lets nobody in before the
// server serves. A Java server that starts accepts connections too early and
// never answers some of them; the client then waits for its session's length.
func (r *Rig) RestartHosts() string {
	if r.Server.Kind == harness.Java {
		return r.Proxy.Addr()
	}
	return r.Server.Addr
}

// Up starts the server if it is down, on the same port and data, and returns
// when it serves.
func (r *Rig) Up() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.down {
		return nil
	}
	if err := r.Server.Restart(); err != nil {
		return err
	}
	r.Proxy.Heal()
	r.down = false
	return nil
}

// Stop ends the server by SIGTERM.
func (r *Rig) Stop() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = true
	r.Proxy.Partition()
	return r.Server.Stop()
}

// Kill ends the server by SIGKILL: a crash without last words.
func (r *Rig) Kill() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = true
	r.Proxy.Partition()
	r.Server.Kill()
	return nil
}

// Restart is Stop and Up.
func (r *Rig) Restart() error {
	if err := r.Stop(); err != nil {
		return err
	}
	return r.Up()
}

// Crash is Kill and Up.
func (r *Rig) Crash() error {
	if err := r.Kill(); err != nil {
		return err
	}
	return r.Up()
}

// actions are what can be done to the rig by name; Serve says what they do.
func (r *Rig) actions() map[string]func() error {
	ok := func(f func()) func() error {
		return func() error { f(); return nil }
	}
	return map[string]func() error{
		"up":        r.Up,
		"stop":      r.Stop,
		"kill":      r.Kill,
		"restart":   r.Restart,
		"crash":     r.Crash,
		"drop":      ok(r.Proxy.Drop),
		"partition": ok(r.Proxy.Partition),
		"heal":      ok(r.Proxy.Heal),
	}
}

// Do does what Serve offers under a name.
func (r *Rig) Do(name string) error {
	do, ok := r.actions()[name]
	if !ok {
		return fmt.Errorf("control: no action %q", name)
	}
	return do()
}

// Serve offers the rig by HTTP on a free loopback port and returns the URL.
// Every request is a POST and is answered when the thing is done: 200, or 500
// with the error.
//
//	/stop  SIGTERM      /kill  SIGKILL      /up     start, wait until it serves
//	/restart  stop, up  /crash kill, up
//	/drop  cut the proxy's connections
//	/partition  cut them and refuse new ones   /heal  forward again
func (r *Rig) Serve(t testing.TB) string {
	t.Helper()
	mux := http.NewServeMux()
	for name := range r.actions() {
		mux.HandleFunc("POST /"+name, func(w http.ResponseWriter, _ *http.Request) {
			if err := r.Do(name); err != nil {
				t.Errorf("POST /%s: %v", name, err)
				http.Error(w, err.Error(), http.StatusInternalServerError)
			}
		})
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

// Run runs a suite's program with the given environment added, shows its
// output and fails the test if the program fails.
func Run(t testing.TB, cmd *exec.Cmd, env ...string) {
	t.Helper()
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v\n%s", cmd.Path, err, out)
		return
	}
	t.Logf("%s", lastLines(string(out), 12))
}

func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
