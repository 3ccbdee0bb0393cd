package kafka

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// producer writes messages 0, 1, 2, ... of which each must be there exactly
// once: it is idempotent, and waits until all replicas in sync have a message.
type producer struct {
	s      *stack
	client *kgo.Client
	next   int
}

func (s *stack) newProducer(topic string) *producer {
	s.t.Helper()
	client, err := kgo.NewClient(
		kgo.SeedBrokers(s.brokers[1].addr, s.brokers[2].addr),
		kgo.DefaultProduceTopic(topic),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(0),
		kgo.UnknownTopicRetries(-1), // a new topic is not known to every broker at once
		kgo.MetadataMinAge(100*time.Millisecond),
	)
	s.must(err)
	s.t.Cleanup(client.Close)
	return &producer{s: s, client: client}
}

// write writes n messages and waits until all are acknowledged. Meanwhile, in
// this goroutine, it does what the test wants to happen: after the first
// message, and with messages to come until it is done.
func (p *producer) write(n int, meanwhile func()) {
	p.s.t.Helper()
	ctx, cancel := context.WithTimeout(p.s.t.Context(), 2*patience)
	defer cancel()
	begun, done := make(chan struct{}), make(chan error, 1)
	var over atomic.Bool
	go func() { // ends with the n messages
		done <- p.writeSlowly(ctx, n, begun, &over)
	}()
	<-begun
	if meanwhile != nil {
		meanwhile()
	}
	over.Store(true)
	p.s.must(<-done)
}

// writeSlowly spreads the first half of the messages, one batch after another,
// over what happens, and then hurries.
func (p *producer) writeSlowly(ctx context.Context, n int, begun chan struct{}, over *atomic.Bool) error {
	const batch = 50
	var once sync.Once
	defer once.Do(func() { close(begun) })
	for left := n; left > 0; {
		records := make([]*kgo.Record, min(batch, left))
		for i := range records {
			value := strconv.Itoa(p.next)
			// A hundred keys, so that each has an order of its own.
			records[i] = &kgo.Record{Key: []byte("key-" + strconv.Itoa(p.next%100)), Value: []byte(value)}
			p.next++
		}
		left -= len(records)
		if err := p.client.ProduceSync(ctx, records...).FirstErr(); err != nil {
			return fmt.Errorf("producing: %w", err)
		}
		once.Do(func() { close(begun) })
		for pause := time.Now().Add(200 * time.Millisecond); left <= n/2 && left > 0 && !over.Load() && time.Now().Before(pause); {
			time.Sleep(5 * time.Millisecond)
		}
	}
	return nil
}

// ledger is what was read: how often each message, and whether the messages of
// a key came in their order.
type ledger struct {
	times    []int
	distinct int
	last     map[string]int
	disorder []string
}

func newLedger(n int) *ledger {
	return &ledger{times: make([]int, n), last: map[string]int{}}
}

func (l *ledger) enter(r *kgo.Record) error {
	n, err := strconv.Atoi(string(r.Value))
	if err != nil || n < 0 || n >= len(l.times) {
		return fmt.Errorf("message %q at %s/%d offset %d was never written", r.Value, r.Topic, r.Partition, r.Offset)
	}
	l.times[n]++
	if l.times[n] == 1 {
		l.distinct++
	}
	if last, seen := l.last[string(r.Key)]; seen && n <= last && l.times[n] == 1 {
		l.disorder = append(l.disorder, fmt.Sprintf("%d after %d", n, last))
	}
	l.last[string(r.Key)] = n
	return nil
}

// repeated counts the messages that came more than once.
func (l *ledger) repeated() int {
	n := 0
	for _, times := range l.times {
		if times > 1 {
			n++
		}
	}
	return n
}

// readAll reads the topic from its beginning to its end, without a group.
func (s *stack) readAll(topic string, n int) *ledger {
	s.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(s.brokers[1].addr, s.brokers[2].addr),
		kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	s.must(err)
	defer client.Close()
	var ends kadm.ListedOffsets
	s.retried("the ends of "+topic, func(ctx context.Context) (err error) {
		// A broker learns of a new topic a moment after the controller has made it.
		if ends, err = s.admin.ListEndOffsets(ctx, topic); err == nil {
			err = ends.Error()
		}
		return err
	})
	read, l := map[int32]int64{}, newLedger(n)
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	for left := func() bool {
		for partition, end := range ends[topic] {
			if read[partition] < end.Offset {
				return true
			}
		}
		return false
	}; left(); {
		fetches := client.PollFetches(ctx)
		s.must(fetches.Err0())
		fetches.EachRecord(func(r *kgo.Record) {
			read[r.Partition] = r.Offset + 1
			s.must(l.enter(r))
		})
	}
	return l
}

// group is a consumer group with one member, which commits what it has read.
type group struct {
	s      *stack
	client *kgo.Client
	cancel context.CancelFunc
	done   chan error
	// read is the member's own until done.
	read *ledger
	// seen is how many different messages have been read.
	seen atomic.Int64
}

// startGroup joins the group and reads in the background, whatever happens.
func (s *stack) startGroup(name, topic string, read *ledger) *group {
	s.t.Helper()
	client, err := kgo.NewClient(
		kgo.SeedBrokers(s.brokers[1].addr, s.brokers[2].addr),
		kgo.ConsumerGroup(name), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.DisableAutoCommit(),
		kgo.MetadataMinAge(100*time.Millisecond),
		kgo.RetryTimeout(2*patience),
	)
	s.must(err)
	ctx, cancel := context.WithCancel(s.t.Context())
	g := &group{s: s, client: client, cancel: cancel, done: make(chan error, 1), read: read}
	go func() { g.done <- g.run(ctx) }() // ends when cancelled
	s.t.Cleanup(func() {
		cancel()
		client.Close()
	})
	return g
}

func (g *group) run(ctx context.Context) error {
	for {
		fetches := g.client.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil
		}
		var bad error
		fetches.EachRecord(func(r *kgo.Record) {
			bad = errors.Join(bad, g.read.enter(r))
		})
		if bad != nil {
			return bad
		}
		g.seen.Store(int64(g.read.distinct))
		// A commit that fails while a leader moves is no harm: at least once.
		_ = g.client.CommitUncommittedOffsets(ctx)
	}
}

// leave waits until the group has seen n messages, commits and leaves.
func (g *group) leave(n int) {
	g.s.t.Helper()
	g.s.eventually("the group reads "+strconv.Itoa(n), func() bool {
		select {
		case err := <-g.done:
			g.s.t.Fatalf("the group ended: %v", err)
		default:
		}
		return int(g.seen.Load()) >= n
	})
	g.cancel()
	g.s.must(<-g.done)
	g.s.retried("commit", func(ctx context.Context) error { return g.client.CommitUncommittedOffsets(ctx) })
	g.s.must(g.client.LeaveGroupContext(g.s.context()))
}

// committed sums up the offsets that the group has committed.
func (s *stack) committed(name string) int64 {
	s.t.Helper()
	var sum int64
	s.retried("offsets of "+name, func(ctx context.Context) error {
		sum = 0
		offsets, err := s.admin.FetchOffsets(ctx, name)
		if err != nil {
			return fmt.Errorf("fetching offsets: %w", err)
		}
		offsets.Each(func(o kadm.OffsetResponse) { sum += o.At })
		return offsets.Error()
	})
	return sum
}
