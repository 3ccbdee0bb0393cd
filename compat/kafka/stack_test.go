package kafka

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"zk/compat/control"
	"zk/compat/harness"
)

// patience is how long anything may take on a loaded machine; only a failure
// waits this long.
const patience = 60 * time.Second

// sessionTimeout of the brokers. A killed broker is gone for Kafka after it.
const sessionTimeout = 6 * time.Second

// chroot is where Kafka's znodes are.
const chroot = "/kafka"

// stack is a server, two brokers on it and clients of both.
type stack struct {
	*control.Rig
	t       *testing.T
	brokers map[int32]*broker
	admin   *kadm.Client
	zk      *zk.Conn
}

// broker is a Kafka broker in a process of its own; it keeps port and data
// over restarts.
type broker struct {
	id     int32
	addr   string
	dir    string
	jars   string
	cmd    *exec.Cmd
	exited chan struct{}
}

func newStack(t *testing.T) *stack {
	t.Helper()
	jars, err := harness.MavenJars("kafka")
	if err != nil {
		t.Fatal(err)
	}
	s := &stack{Rig: control.Start(t), t: t, brokers: map[int32]*broker{}}
	var seeds []string
	for id := range int32(2) {
		b := s.newBroker(id+1, jars)
		s.brokers[b.id] = b
		seeds = append(seeds, b.addr)
	}
	s.zk = s.dialZooKeeper()
	client, err := kgo.NewClient(kgo.SeedBrokers(seeds...), kgo.MetadataMinAge(100*time.Millisecond))
	s.must(err)
	t.Cleanup(client.Close)
	s.admin = kadm.NewClient(client)
	for _, b := range s.brokers {
		s.start(b)
	}
	for _, b := range s.brokers {
		s.awaitUp(b)
	}
	return s
}

func (s *stack) newBroker(id int32, jars string) *broker {
	s.t.Helper()
	port, err := harness.FreePort()
	s.must(err)
	b := &broker{id: id, addr: "127.0.0.1:" + strconv.Itoa(port), dir: s.t.TempDir(), jars: jars}
	properties := fmt.Sprintf(`broker.id=%d
listeners=PLAINTEXT://%s
zookeeper.connect=%s%s
zookeeper.session.timeout.ms=%d
zookeeper.connection.timeout.ms=60000
log.dirs=%s
default.replication.factor=2
auto.create.topics.enable=false
auto.leader.rebalance.enable=false
unclean.leader.election.enable=false
offsets.topic.replication.factor=2
offsets.topic.num.partitions=2
transaction.state.log.replication.factor=2
transaction.state.log.num.partitions=2
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
num.network.threads=1
num.io.threads=2
log.cleaner.dedupe.buffer.size=2097152
file.delete.delay.ms=100
`, id, b.addr, s.RestartHosts(), chroot, sessionTimeout.Milliseconds(), filepath.Join(b.dir, "log"))
	s.must(os.WriteFile(b.file("server.properties"), []byte(properties), 0o644))
	s.t.Cleanup(func() {
		b.kill()
		if s.t.Failed() {
			s.t.Logf("end of the output of broker %d:\n%s", id, b.tail(8<<10))
		}
	})
	return b
}

func (b *broker) file(name string) string { return filepath.Join(b.dir, name) }

func (b *broker) tail(n int) string {
	text, err := os.ReadFile(b.file("output"))
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-n):])
}

// start starts the broker's process and does not wait.
func (s *stack) start(b *broker) {
	s.t.Helper()
	log4j, err := filepath.Abs("log4j.properties")
	s.must(err)
	output, err := os.OpenFile(b.file("output"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	s.must(err)
	defer func() { _ = output.Close() }()
	b.cmd = exec.Command("java", "-Xms128m", "-Xmx320m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto",
		"-Djava.awt.headless=true", "-Dlog4j.configuration=file:"+log4j,
		"-cp", filepath.Join(b.jars, "*"), "kafka.Kafka", b.file("server.properties"))
	b.cmd.Dir = b.dir
	b.cmd.Stdout, b.cmd.Stderr = output, output
	s.must(b.cmd.Start())
	cmd, exited := b.cmd, make(chan struct{})
	b.exited = exited
	go func() { // ends with the process
		_ = cmd.Wait()
		close(exited)
	}()
}

// kill ends the broker by SIGKILL and waits until it is gone.
func (b *broker) kill() {
	if b.cmd != nil {
		_ = b.cmd.Process.Kill()
		<-b.exited
	}
}

// stop ends the broker by SIGTERM: it hands its leaderships over and closes
// its session.
func (s *stack) stop(b *broker) {
	s.t.Helper()
	s.must(b.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case <-b.exited:
	case <-time.After(patience):
		s.t.Fatalf("broker %d does not end", b.id)
	}
}

// awaitUp waits until the broker is registered and all brokers know it.
func (s *stack) awaitUp(b *broker) {
	s.t.Helper()
	s.eventually(fmt.Sprintf("broker %d in the cluster", b.id), func() bool {
		select {
		case <-b.exited:
			s.t.Fatalf("broker %d ended at its start", b.id)
		default:
		}
		metadata, err := s.admin.BrokerMetadata(s.uncached())
		if err != nil {
			return false
		}
		for _, known := range metadata.Brokers {
			if known.NodeID == b.id {
				return true
			}
		}
		return false
	})
}

// other is the broker with another id.
func (s *stack) other(b *broker) *broker { return s.brokers[3-b.id] }

// dialZooKeeper returns a ZooKeeper client that lives through restarts.
func (s *stack) dialZooKeeper() *zk.Conn {
	s.t.Helper()
	c, _, err := zk.Connect([]string{s.RestartHosts()}, 30*time.Second, zk.WithLogInfo(false), zk.WithLogger(quiet{}))
	s.must(err)
	s.t.Cleanup(c.Close)
	return c
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}

// znode reads a znode below the chroot; it must exist.
func (s *stack) znode(path string) (string, *zk.Stat) {
	s.t.Helper()
	var data []byte
	var stat *zk.Stat
	s.eventually("znode "+path, func() bool {
		var err error
		data, stat, err = s.zk.Get(chroot + path)
		return err == nil
	})
	return string(data), stat
}

// exists asks again while the connection is away.
func (s *stack) exists(path string) bool {
	s.t.Helper()
	var is bool
	s.eventually("an answer about "+path, func() bool {
		var err error
		is, _, err = s.zk.Exists(chroot + path)
		return err == nil
	})
	return is
}

// controller is the broker that /controller names, and the znode's owner.
func (s *stack) controller() (*broker, int64) {
	s.t.Helper()
	data, stat := s.znode("/controller")
	var holder struct {
		BrokerID int32 `json:"brokerid"`
	}
	s.must(json.Unmarshal([]byte(data), &holder))
	return s.brokers[holder.BrokerID], stat.EphemeralOwner
}

func (s *stack) controllerEpoch() int {
	s.t.Helper()
	data, _ := s.znode("/controller_epoch")
	epoch, err := strconv.Atoi(data)
	s.must(err)
	return epoch
}

// awaitPartitions waits until every partition of every topic is as wanted in
// the metadata that the brokers give out.
func (s *stack) awaitPartitions(what string, wanted func(kadm.PartitionDetail) bool) {
	s.t.Helper()
	s.eventually(what, func() bool {
		topics, err := s.admin.ListTopicsWithInternal(s.uncached())
		if err != nil {
			return false
		}
		for _, topic := range topics {
			if topic.Err != nil {
				return false
			}
			for _, p := range topic.Partitions {
				if p.Err != nil || !wanted(p) {
					return false
				}
			}
		}
		return len(topics) > 0
	})
}

// awaitWhole waits until both brokers hold every partition in sync.
func (s *stack) awaitWhole() {
	s.t.Helper()
	s.awaitPartitions("all replicas in sync", func(p kadm.PartitionDetail) bool { return len(p.ISR) == 2 })
}

// awaitLedBy waits until one broker leads everything.
func (s *stack) awaitLedBy(b *broker) {
	s.t.Helper()
	s.awaitPartitions(fmt.Sprintf("broker %d leads all", b.id), func(p kadm.PartitionDetail) bool { return p.Leader == b.id })
}

// context bounds one question to the brokers.
func (s *stack) context() context.Context {
	ctx, cancel := context.WithTimeout(s.t.Context(), 5*time.Second)
	s.t.Cleanup(cancel)
	return ctx
}

// uncached is context for metadata as the brokers have them now; the client
// would answer from memory. It doesn't when it is asked what one may do.
func (s *stack) uncached() context.Context {
	return kadm.WithAuthorizedOps(s.context())
}

func (s *stack) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// once is retried for what can't be done twice: done is the error that says so when an earlier try was done,
// though its answer came too late.
func (s *stack) once(what string, done error, call func(context.Context) error) {
	s.t.Helper()
	asked := false
	s.retried(what, func(ctx context.Context) error {
		err := call(ctx)
		if asked && errors.Is(err, done) {
			err = nil
		}
		asked = true
		return err
	})
}

// eventually waits until the condition is true.
func (s *stack) eventually(what string, condition func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(patience); !condition(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// retried repeats a call to the brokers while the cluster finds its leaders.
func (s *stack) retried(what string, call func(context.Context) error) {
	s.t.Helper()
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		if err = call(s.context()); err == nil || errors.Is(err, s.t.Context().Err()) {
			break
		}
	}
	if err != nil {
		s.t.Fatalf("%s: %v", what, err)
	}
}
