package kafka

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/go-zookeeper/zk"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"zk/compat/control"
)

const (
	topic    = "ledger"
	messages = 10_000
)

// TestStack is one story; each step stands on the ones before.
func TestStack(t *testing.T) {
	control.Need(t)
	s := newStack(t)
	s.createTopic(topic, 4)
	s.eventually("a controller", func() bool { return s.exists("/controller") })
	p, seen := s.newProducer(topic), newLedger(messages)
	readers := s.startGroup("readers", topic, seen)
	for _, step := range []struct {
		name string
		run  func(*stack, *producer)
	}{
		{"quiet", (*stack).quietly},
		{"the controller's broker is killed", (*stack).controllerDies},
		{"the controller moves", (*stack).controllerMoves},
		{"the server is killed", (*stack).serverDies},
		{"server and broker are killed", (*stack).bothDie},
		{"settings change", (*stack).settingsChange},
		{"a topic is deleted", (*stack).topicIsDeleted},
	} {
		if !t.Run(step.name, func(t *testing.T) {
			before := s.t
			s.t = t
			defer func() { s.t = before }()
			step.run(s, p)
		}) {
			t.FailNow()
		}
	}
	p.write(messages-p.next, nil)
	readers.leave(messages)
	if seen.distinct != messages {
		t.Errorf("the group read %d of %d messages", seen.distinct, messages)
	}
	if n := s.committed("readers"); n != messages {
		t.Errorf("the group has committed %d messages, %d were written", n, messages)
	}
	l := s.readAll(topic, messages)
	if l.distinct != messages || l.repeated() > 0 || len(l.disorder) > 0 {
		t.Errorf("%d of %d messages in the topic, %d repeated, out of order %q", l.distinct, messages, l.repeated(), l.disorder)
	}
	s.brokersStop()
}

func (s *stack) createTopic(name string, partitions int32) {
	s.t.Helper()
	s.once("creating "+name, kerr.TopicAlreadyExists, func(ctx context.Context) error {
		_, err := s.admin.CreateTopic(ctx, partitions, 2, nil, name)
		return err
	})
	s.awaitWhole()
	for partition := range partitions {
		if path := fmt.Sprintf("/brokers/topics/%s/partitions/%d/state", name, partition); !s.exists(path) {
			s.t.Errorf("no znode %s", path)
		}
	}
}

// quietly also checks who is registered, and for how long.
func (s *stack) quietly(p *producer) {
	p.write(2500, nil)
	for id, b := range s.brokers {
		data, stat := s.znode(fmt.Sprintf("/brokers/ids/%d", id))
		if !strings.Contains(data, "PLAINTEXT://"+b.addr) || stat.EphemeralOwner == 0 {
			s.t.Errorf("broker %d: %s, owner %#x", id, data, stat.EphemeralOwner)
		}
	}
}

// controllerDies kills the broker that is the controller, while it leads and
// is written to; its session has to expire before the other can take over.
func (s *stack) controllerDies(p *producer) {
	dies, _ := s.controller()
	lives, epoch := s.other(dies), s.controllerEpoch()
	p.write(1500, func() {
		dies.kill()
		s.awaitLedBy(lives)
	})
	if now, _ := s.controller(); now != lives || s.controllerEpoch() != epoch+1 {
		s.t.Errorf("controller %d in epoch %d, want %d in %d", now.id, s.controllerEpoch(), lives.id, epoch+1)
	}
	if s.exists(fmt.Sprintf("/brokers/ids/%d", dies.id)) {
		s.t.Errorf("the dead broker %d is still registered", dies.id)
	}
	p.write(500, nil) // with one replica
	s.start(dies)
	s.awaitUp(dies)
	s.awaitWhole()
	s.electPreferred()
}

// electPreferred gives every partition to its first replica.
func (s *stack) electPreferred() {
	s.t.Helper()
	s.retried("electing leaders", func(ctx context.Context) error {
		_, err := s.admin.ElectLeaders(ctx, kadm.ElectPreferredReplica, nil)
		return err
	})
	s.awaitPartitions("preferred leaders", func(p kadm.PartitionDetail) bool { return p.Leader == p.Replicas[0] })
}

// controllerMoves deletes /controller, as operators do.
func (s *stack) controllerMoves(p *producer) {
	epoch := s.controllerEpoch()
	_, before := s.znode("/controller")
	p.write(1000, func() {
		s.must(s.zk.Delete(chroot+"/controller", -1))
		s.eventually("a controller in the next epoch", func() bool { return s.controllerEpoch() == epoch+1 && s.exists("/controller") })
	})
	if _, after := s.znode("/controller"); after.Czxid <= before.Czxid {
		s.t.Errorf("/controller was created by %#x, before by %#x", after.Czxid, before.Czxid)
	}
	s.createTopic("after-the-move", 2)
}

// serverDies kills the server; the brokers go on with what they know, and find
// their sessions and znodes afterwards.
func (s *stack) serverDies(p *producer) {
	owners := s.owners()
	p.write(1500, func() {
		s.must(s.Kill())
		s.readAll(topic, messages) // still served
		s.must(s.Up())
	})
	s.createTopic("after-the-restart", 2) // the controller has its session again
	if now := s.owners(); now != owners {
		s.t.Errorf("owners of the brokers' znodes and of the controller's %x, before the restart %x", now, owners)
	}
}

// owners are the sessions of both brokers and of the controller.
func (s *stack) owners() (owners [3]int64) {
	s.t.Helper()
	for i, path := range []string{"/brokers/ids/1", "/brokers/ids/2", "/controller"} {
		_, stat := s.znode(path)
		owners[i] = stat.EphemeralOwner
	}
	return owners
}

// bothDie kills the server and a broker that is not the controller. The dead
// broker's session is known after the restart, and expires.
func (s *stack) bothDie(p *producer) {
	lives, _ := s.controller()
	dies := s.other(lives)
	p.write(1500, func() {
		s.must(s.Kill())
		dies.kill()
		s.must(s.Up())
		s.awaitLedBy(lives)
	})
	s.start(dies)
	s.awaitUp(dies)
	s.awaitWhole()
	s.electPreferred()
}

// settingsChange changes a topic's settings through a broker, then by znodes as
// Kafka's tools did, and adds partitions.
func (s *stack) settingsChange(*producer) {
	value := "7654321"
	s.retried("changing a setting", func(ctx context.Context) error {
		_, err := s.admin.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "retention.ms", Value: &value}}, topic)
		return err
	})
	if data, _ := s.znode("/config/topics/" + topic); !strings.Contains(data, `"retention.ms":"7654321"`) {
		s.t.Errorf("settings in the znode: %s", data)
	}
	s.awaitSetting("retention.ms", value)

	_, err := s.zk.Set(chroot+"/config/topics/"+topic, []byte(`{"version":1,"config":{"segment.ms":"600000"}}`), -1)
	s.must(err)
	_, err = s.zk.Create(chroot+"/config/changes/config_change_", []byte(`{"version":2,"entity_path":"topics/`+topic+`"}`),
		zk.FlagSequence, zk.WorldACL(zk.PermAll))
	s.must(err)
	s.awaitSetting("segment.ms", "600000")

	s.retried("adding partitions", func(ctx context.Context) error {
		_, err := s.admin.CreatePartitions(ctx, 2, "after-the-move")
		return err
	})
	s.eventually("two partitions more", func() bool {
		topics, err := s.admin.ListTopics(s.uncached(), "after-the-move")
		return err == nil && len(topics["after-the-move"].Partitions) == 4
	})
	s.awaitWhole()
}

func (s *stack) awaitSetting(name, want string) {
	s.t.Helper()
	s.eventually(name+"="+want, func() bool {
		found, err := s.admin.DescribeTopicConfigs(s.context(), topic)
		if err != nil {
			return false
		}
		for _, config := range found[0].Configs {
			if config.Key == name {
				return config.MaybeValue() == want
			}
		}
		return false
	})
}

// topicIsDeleted deletes a topic with data and makes one of the same name.
func (s *stack) topicIsDeleted(*producer) {
	const name = "short-lived"
	s.createTopic(name, 2)
	s.newProducer(name).write(200, nil)
	s.once("deleting", kerr.UnknownTopicOrPartition, func(ctx context.Context) error {
		_, err := s.admin.DeleteTopic(ctx, name)
		return err
	})
	for _, path := range []string{"/brokers/topics/", "/config/topics/", "/admin/delete_topics/"} {
		s.eventually("no "+path+name, func() bool { return !s.exists(path + name) })
	}
	s.createTopic(name, 2)
	if l := s.readAll(name, 1); l.distinct != 0 {
		s.t.Errorf("the new topic has a message of the deleted one")
	}
}

// brokersStop ends the brokers one by one, in order: each closes its session.
func (s *stack) brokersStop() {
	s.t.Helper()
	first, _ := s.controller()
	last := s.other(first)
	s.stop(first)
	if s.exists(fmt.Sprintf("/brokers/ids/%d", first.id)) {
		s.t.Errorf("broker %d has stopped and is still registered", first.id)
	}
	s.awaitLedBy(last)
	s.eventually("a new controller", func() bool { return s.exists("/controller") })
	s.stop(last)
	if s.exists("/controller") || s.exists(fmt.Sprintf("/brokers/ids/%d", last.id)) {
		s.t.Errorf("broker %d has stopped and left ephemerals", last.id)
	}
}
