package harness

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// MemberOptions describe a server of an ensemble.
type MemberOptions struct {
	Kind     Kind
	Observer bool
	// Config, Props and JVM are added to those of the ensemble.
	Config    []string
	Props     []string
	JVM       []string
	ClassPath string
	// Dir is the folder for its files, a disk's for example; "" is one of its own.
	Dir string
}

// EnsembleOptions describe an ensemble. The zero value of Common is a tick of 500 ms, so that elections and the
// loss of a server take little time.
type EnsembleOptions struct {
	Members []MemberOptions
	// Network has a namespace for each member; nil is loopback.
	Network *Network
	// Common are options of every member; Ready counts for none, since a member serves with others only.
	Common Options
}

// Ensemble is a group of servers, of either kind, that elect a leader. Server n has the id n+1. Its servers
// end with the test.
type Ensemble struct {
	Servers []*Server

	t     T
	peers []peer
}

// peer are the address and the ports of a member.
type peer struct {
	host                     string
	client, quorum, election int
	observer                 bool
}

func (p peer) line(id int) string {
	role := "participant"
	if p.observer {
		role = "observer"
	}
	return fmt.Sprintf("server.%d=%s:%d:%d:%s", id, p.host, p.quorum, p.election, role)
}

// NewEnsemble makes the folders and files of an ensemble, and starts nothing.
func NewEnsemble(t T, o EnsembleOptions) *Ensemble {
	t.Helper()
	e := &Ensemble{t: t}
	for i, m := range o.Members {
		p := peer{host: "127.0.0.1", client: 2181, quorum: 2888, election: 3888, observer: m.Observer}
		if o.Network != nil {
			p.host = o.Network.Host(i + 1)
			e.peers = append(e.peers, p)
			continue
		}
		for _, port := range []*int{&p.client, &p.quorum, &p.election} {
			var err error
			if *port, err = FreePort(); err != nil {
				t.Fatal(err)
			}
		}
		e.peers = append(e.peers, p)
	}
	for i, m := range o.Members {
		opts := o.Common
		opts.Config = slices.Concat(opts.Config, m.Config)
		opts.Props = slices.Concat(opts.Props, m.Props)
		if m.JVM != nil {
			opts.JVM = m.JVM
		}
		if m.ClassPath != "" {
			opts.ClassPath = m.ClassPath
		}
		s, err := newServer(t, m.Kind, opts, m.Dir)
		if err != nil {
			t.Fatal(err)
		}
		s.member = &member{id: i + 1, peers: e.peers, network: o.Network}
		if err := s.writeConfig(); err != nil {
			t.Fatal(err)
		}
		e.Servers = append(e.Servers, s)
	}
	return e
}

// StartEnsemble starts an ensemble, and waits until every server serves.
func StartEnsemble(t T, o EnsembleOptions) *Ensemble {
	t.Helper()
	e := NewEnsemble(t, o)
	e.StartAll()
	return e
}

// StartAll starts every server that is not running, and waits until all serve.
func (e *Ensemble) StartAll() {
	e.t.Helper()
	for _, s := range e.Servers {
		if s.PID() == 0 {
			if err := s.Launch(); err != nil {
				e.t.Fatal(err)
			}
		}
	}
	for _, s := range e.Servers {
		if err := s.AwaitServing(); err != nil {
			e.t.Fatal(err)
		}
	}
}

// ConnectString names the client ports of some servers, of all when none is given.
func (e *Ensemble) ConnectString(servers ...*Server) string {
	if len(servers) == 0 {
		servers = e.Servers
	}
	addrs := make([]string, len(servers))
	for i, s := range servers {
		addrs[i] = s.Addr
	}
	return strings.Join(addrs, ",")
}

// Leader waits until a running server leads, and returns it.
func (e *Ensemble) Leader() *Server {
	e.t.Helper()
	for deadline := time.Now().Add(startTimeout); ; time.Sleep(30 * time.Millisecond) {
		for _, s := range e.Servers {
			if s.PID() != 0 && s.Mode() == "leader" {
				return s
			}
		}
		if time.Now().After(deadline) {
			e.t.Fatal("no server of the ensemble leads")
		}
	}
}

// Others are the servers besides some.
func (e *Ensemble) Others(but ...*Server) (list []*Server) {
next:
	for _, s := range e.Servers {
		for _, b := range but {
			if s == b {
				continue next
			}
		}
		list = append(list, s)
	}
	return list
}

// Voters are the servers that are no observers.
func (e *Ensemble) Voters() (list []*Server) {
	for i, s := range e.Servers {
		if !e.peers[i].observer {
			list = append(list, s)
		}
	}
	return list
}

// AwaitAll waits until the leader has all other servers behind it.
func (e *Ensemble) AwaitAll() {
	e.t.Helper()
	for deadline := time.Now().Add(startTimeout); ; time.Sleep(50 * time.Millisecond) {
		leader := e.Leader()
		followers, _ := strconv.Atoi(leader.Figure("synced_followers"))
		observers, _ := strconv.Atoi(leader.Figure("synced_observers"))
		if followers+observers == len(e.Servers)-1 {
			return
		}
		if time.Now().After(deadline) {
			e.t.Fatal(fmt.Sprintf("server %d (%s) leads with %d followers and %d observers behind it", leader.ID(), leader.Kind, followers, observers))
		}
	}
}

// member is what a server knows of its ensemble.
type member struct {
	id      int
	peers   []peer
	network *Network // nil on loopback
}

// lines are a member's lines of zoo.cfg.
func (m *member) lines() []string {
	lines := []string{"tickTime=500", "initLimit=20", "syncLimit=10", "maxSessionTimeout=60000", "4lw.commands.whitelist=*"}
	for i, p := range m.peers {
		lines = append(lines, p.line(i+1))
	}
	if m.peers[m.id-1].observer {
		lines = append(lines, "peerType=observer")
	}
	return lines
}

// ID is the server's id in its ensemble, 0 without one.
func (s *Server) ID() int {
	if s.member == nil {
		return 0
	}
	return s.member.id
}

// DataDir is the server's data folder.
func (s *Server) DataDir() string { return filepath.Join(s.Dir, "data") }

// Mode is what the server says it is: leader, follower, observer, standalone; "" when it says nothing of the kind.
func (s *Server) Mode() string {
	out, err := fourLetter(s.Addr, "srvr", 2*time.Second)
	if err != nil {
		return ""
	}
	_, rest, found := strings.Cut(out, "Mode: ")
	if !found {
		return ""
	}
	mode, _, _ := strings.Cut(rest, "\n")
	return mode
}

// Figure is a value of mntr, without its prefix zk_; "" when there is none.
func (s *Server) Figure(name string) string {
	out, err := fourLetter(s.Addr, "mntr", 5*time.Second)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(out) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok && key == "zk_"+name {
			return value
		}
	}
	return ""
}

// SameDigests compares the digests that all servers have noted (four-letter word hash); shared is at how many zxids.
func (e *Ensemble) SameDigests() (shared int, err error) {
	noted := map[string]map[int]string{}
	for _, s := range e.Servers {
		out, err := FourLetter(s.Addr, "hash")
		if err != nil {
			return 0, err
		}
		for line := range strings.Lines(out) {
			if zxid, digest, ok := strings.Cut(strings.TrimSpace(line), ": "); ok {
				if noted[zxid] == nil {
					noted[zxid] = map[int]string{}
				}
				noted[zxid][s.ID()] = digest
			}
		}
	}
	for zxid, by := range noted {
		if len(by) < len(e.Servers) {
			continue
		}
		shared++
		for id, digest := range by {
			if digest != by[1] {
				err = errors.Join(err, fmt.Errorf("harness: at %s the digest is %s on server 1 and %s on server %d", zxid, by[1], digest, id))
			}
		}
	}
	return shared, err
}

// Become makes a stopped member a server of the other kind, on the same folder, ports and id. Which files that
// folder has to hold is the caller's business.
func (s *Server) Become(k Kind) error {
	if s.PID() != 0 {
		return errors.New("harness: a running server can't become another")
	}
	s.Kind = k
	return s.writeConfig()
}

// Replace makes a stopped member a server of another kind that goes on with the same data. Java's are imported when
// it starts.
func (s *Server) Replace(k Kind) error {
	if s.Kind == Ours && k == Java {
		if err := s.Export(); err != nil {
			return err
		}
	}
	return s.Become(k)
}

// Export gives a stopped member's data back to Java (zk export).
func (s *Server) Export() error {
	bin, err := OurBinary()
	if err != nil {
		return err
	}
	cmd := exec.Command(bin, "export", filepath.Join(s.Dir, "zoo.cfg"))
	cmd.Env = append(os.Environ(), "SERVER_JVMFLAGS="+s.properties())
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("harness: exporting: %w\n%s", err, out)
	}
	return nil
}

// Wipe empties the data folder of a stopped member, but for its id.
func (s *Server) Wipe() error {
	if s.PID() != 0 {
		return errors.New("harness: wiping the data of a running server")
	}
	if err := os.RemoveAll(s.DataDir()); err != nil {
		return fmt.Errorf("harness: wiping a server's data: %w", err)
	}
	return s.writeMyID()
}

func (s *Server) writeMyID() error {
	if err := os.MkdirAll(s.DataDir(), 0o755); err != nil {
		return fmt.Errorf("harness: making the data folder: %w", err)
	}
	if err := writeSynced(filepath.Join(s.DataDir(), "myid"), strconv.Itoa(s.member.id)+"\n"); err != nil {
		return fmt.Errorf("harness: writing myid: %w", err)
	}
	return nil
}

// memberConfig gives a member its ports and its id.
func (s *Server) memberConfig() error {
	p := s.member.peers[s.member.id-1]
	s.Port = p.client
	s.Addr = net.JoinHostPort(p.host, strconv.Itoa(p.client))
	return s.writeMyID()
}
