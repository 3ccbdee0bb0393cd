package harness

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Network is a number of network namespaces, one for each server of an ensemble, joined by a bridge on which the
// test is, too. What one server sends another can be cut off without a trace, in one direction or both: packets
// are thrown away where they arrive, so that neither end is told.
//
// It needs root, ip (iproute2) and nsenter (util-linux) on Linux. What a test process that was killed has left
// behind the next Network takes away.
type Network struct {
	name  string // of the namespaces, without their number: zk-net-PID-SEQ-
	link  string // of the interfaces, likewise: znPID.SEQv, both numbers to the base of 36; 15 bytes at most
	base  netip.Addr
	hosts int
	cuts  map[[2]int]bool
}

const (
	netnsPrefix = "zk-net-"
	linkPrefix  = "zn"
	netnsDir    = "/run/netns"
)

// Subnets are a /28 each of 198.18.0.0/15, which is set apart for tests of networks. The test has the first
// address, server n the n-th behind it.
const (
	subnetBits = 28
	subnets    = 1 << (subnetBits - 15)
	hostsMax   = 1<<(32-subnetBits) - 3
)

// NewNetwork makes a network for so many servers, numbered from 1; the test is number 0. An error says why this
// machine can't have one. It ends with the test.
func NewNetwork(t T, hosts int) (*Network, error) {
	if hosts < 2 || hosts > hostsMax {
		return nil, fmt.Errorf("harness: a network of %d servers", hosts)
	}
	sweepNetworks()
	n := &Network{hosts: hosts, cuts: map[[2]int]bool{}}
	if err := n.claim(); err != nil {
		return nil, err
	}
	t.Cleanup(n.remove)
	err := n.build()
	if err == nil {
		err = n.try()
	}
	if err != nil {
		n.remove()
		return nil, err
	}
	return n, nil
}

// claim takes a name and a subnet that nobody has: the bridge stands for both.
func (n *Network) claim() error {
	pid := os.Getpid()
	for seq := int64(0); seq < 32; seq++ {
		n.name = fmt.Sprintf("%s%d-%d-", netnsPrefix, pid, seq)
		n.link = fmt.Sprintf("%s%s.%sv", linkPrefix, strconv.FormatInt(int64(pid), 36), strconv.FormatInt(seq, 36))
		if _, err := net.InterfaceByName(n.bridge()); err == nil {
			continue
		}
		base, err := freeSubnet(uint32(pid)*32 + uint32(seq))
		if err != nil {
			return err
		}
		n.base = base
		return ip("link", "add", n.bridge(), "type", "bridge")
	}
	return errors.New("harness: this process has too many networks")
}

// freeSubnet gives the first address of a subnet that no interface is in, from some place on.
func freeSubnet(from uint32) (netip.Addr, error) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return netip.Addr{}, fmt.Errorf("harness: listing addresses: %w", err)
	}
next:
	for i := range uint32(subnets) {
		at := (from + i) % subnets << (32 - subnetBits)
		base := netip.AddrFrom4([4]byte{198, 18 + byte(at>>16), byte(at >> 8), byte(at)})
		prefix := netip.PrefixFrom(base, subnetBits)
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil && p.Overlaps(prefix) {
				continue next
			}
		}
		return base, nil
	}
	return netip.Addr{}, errors.New("harness: no subnet is free")
}

// Host is the address of a server, or of the test (0).
func (n *Network) Host(id int) string {
	a := n.base.As4()
	a[3] += byte(1 + id)
	return netip.AddrFrom4(a).String()
}

func (n *Network) bridge() string          { return n.link + "b" }
func (n *Network) namespace(id int) string { return n.name + strconv.Itoa(id) }
func (n *Network) veth(id int) string      { return n.link + strconv.Itoa(id) }

// build makes the namespaces and their interfaces. In a namespace the rule for local addresses goes behind the place
// of the rules that throw packets away.
func (n *Network) build() error {
	prefix := "/" + strconv.Itoa(subnetBits)
	err := errors.Join(ip("addr", "add", n.Host(0)+prefix, "dev", n.bridge()), ip("link", "set", n.bridge(), "up"))
	for id := 1; id <= n.hosts && err == nil; id++ {
		ns, veth := n.namespace(id), n.veth(id)
		for _, args := range [][]string{
			{"netns", "add", ns},
			{"link", "add", veth, "type", "veth", "peer", "name", "eth0", "netns", ns},
			{"link", "set", veth, "master", n.bridge()},
			{"link", "set", veth, "up"},
			{"-n", ns, "link", "set", "lo", "up"},
			{"-n", ns, "link", "set", "eth0", "up"},
			{"-n", ns, "addr", "add", n.Host(id) + prefix, "dev", "eth0"},
			{"-n", ns, "rule", "add", "pref", "1000", "lookup", "local"},
			{"-n", ns, "rule", "del", "pref", "0"},
		} {
			if err = ip(args...); err != nil {
				break
			}
		}
	}
	return err
}

// try sees whether servers reach each other, and no more when they are cut off.
func (n *Network) try() error {
	const pause = 200 * time.Millisecond
	var err error
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		if err = n.reach(1, 2, time.Second); err == nil {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("harness: servers in namespaces don't reach each other: %w", err)
	}
	if err := n.Cut(1, 2); err != nil {
		return err
	}
	if err := n.reach(1, 2, pause); err == nil {
		return errors.New("harness: rules don't keep packets from servers in namespaces")
	}
	return n.Heal()
}

// reach tells whether the host of one server gets an answer from another's.
func (n *Network) reach(from, to int, timeout time.Duration) error {
	answer := make(chan error)
	go func() { // ends with its answer; its thread stays in the namespace and ends with it
		runtime.LockOSThread()
		answer <- n.dial(from, to, timeout)
	}()
	err := <-answer
	if errors.Is(err, syscall.ECONNREFUSED) { // nobody listens there
		return nil
	}
	return err
}

// dial enters a namespace with this thread and dials from there.
func (n *Network) dial(from, to int, timeout time.Duration) error {
	ns, err := os.Open(filepath.Join(netnsDir, n.namespace(from)))
	if err != nil {
		return err
	}
	defer func() { _ = ns.Close() }() // was only read
	if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
		return err
	}
	c, err := net.DialTimeout("tcp", net.JoinHostPort(n.Host(to), "9"), timeout)
	if err != nil {
		return err
	}
	return c.Close()
}

// enter makes a command run in the namespace of a server.
func (n *Network) enter(id int, cmd *exec.Cmd) *exec.Cmd {
	args := append([]string{"--net=" + filepath.Join(netnsDir, n.namespace(id)), "--", cmd.Path}, cmd.Args[1:]...)
	inside := exec.Command("nsenter", args...) // becomes the command: the process id is the server's
	inside.Env = cmd.Env
	return inside
}

// Cut throws away what one server, or the test (0), sends to a server.
func (n *Network) Cut(from, to int) error {
	if n.cuts[[2]int{from, to}] {
		return nil
	}
	if err := n.rule("add", from, to); err != nil {
		return err
	}
	n.cuts[[2]int{from, to}] = true
	return nil
}

// Part cuts two groups of servers off from each other, in both directions.
func (n *Network) Part(some, others []int) (err error) {
	for _, a := range some {
		for _, b := range others {
			err = errors.Join(err, n.Cut(a, b), n.Cut(b, a))
		}
	}
	return err
}

// Heal lets everything through again.
func (n *Network) Heal() (err error) {
	for cut := range n.cuts {
		if failed := n.rule("del", cut[0], cut[1]); failed != nil {
			err = errors.Join(err, failed)
			continue
		}
		delete(n.cuts, cut)
	}
	return err
}

func (n *Network) rule(verb string, from, to int) error {
	return ip("-n", n.namespace(to), "rule", verb, "pref", strconv.Itoa(100+from), "from", n.Host(from), "iif", "eth0", "blackhole")
}

// remove takes everything away.
func (n *Network) remove() {
	for id := 1; id <= n.hosts; id++ {
		_ = ip("link", "del", n.veth(id)) // what was not made yet can't be removed
		_ = ip("netns", "del", n.namespace(id))
	}
	_ = ip("link", "del", n.bridge())
}

// sweepNetworks takes away the networks of test processes that are no more, with the servers in them.
func sweepNetworks() {
	names, _ := filepath.Glob(filepath.Join(netnsDir, netnsPrefix+"*"))
	for _, path := range names {
		ns := filepath.Base(path)
		pid, _, _ := strings.Cut(strings.TrimPrefix(ns, netnsPrefix), "-")
		if alive(pid) {
			continue
		}
		out, _ := exec.Command("ip", "netns", "pids", ns).Output()
		for _, server := range strings.Fields(string(out)) {
			if id, err := strconv.Atoi(server); err == nil && id > 1 {
				_ = syscall.Kill(id, syscall.SIGKILL)
			}
		}
		_ = ip("netns", "del", ns)
	}
	links, _ := net.Interfaces()
	for _, l := range links {
		name, ok := strings.CutPrefix(l.Name, linkPrefix)
		owner, _, dot := strings.Cut(name, ".")
		if pid, err := strconv.ParseInt(owner, 36, 32); ok && dot && err == nil && !alive(strconv.FormatInt(pid, 10)) {
			_ = ip("link", "del", l.Name)
		}
	}
}

// alive reports whether there is a process of some id; of what is no id it says so too.
func alive(pid string) bool {
	if _, err := strconv.Atoi(pid); err != nil {
		return true
	}
	_, err := os.Stat(filepath.Join("/proc", pid))
	return !errors.Is(err, os.ErrNotExist)
}

func ip(args ...string) error {
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("harness: ip %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
