package kafka

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seamline/seamline/schemas"
)

// Message is one record to publish. Partition is chosen by key where there is one.
type Message struct {
	Topic   string
	Key     []byte
	Value   []byte
	Headers []schemas.Header
	Time    time.Time // zero: now
}

// Publisher sends raw records, for `seamline publish` and `seamline generate`. It is not part of the line.
type Publisher struct {
	client *kgo.Client

	mu        sync.Mutex // guards the following
	failed    error
	published int64
	bytes     int64
}

// OpenPublisher makes a publisher with the connection settings opts.
func OpenPublisher(opts []kgo.Opt) (*Publisher, error) {
	client, err := kgo.NewClient(append([]kgo.Opt{
		kgo.RequiredAcks(kgo.AllISRAcks()), kgo.ProducerBatchCompression(kgo.Lz4Compression(), kgo.NoCompression()),
		kgo.ProducerLinger(5 * time.Millisecond), kgo.MaxBufferedRecords(50_000),
		kgo.AllowAutoTopicCreation(), // where the brokers allow it
		kgo.UnknownTopicRetries(3),   // no delivery timeout: it counts from the record's own time, which may be years ago
	}, opts...)...)
	if err != nil {
		return nil, fmt.Errorf("connect to Kafka: %w", err)
	}
	return &Publisher{client: client}, nil
}

// Publish queues a record and blocks while too many wait. It fails once any record before has failed.
func (p *Publisher) Publish(ctx context.Context, m Message) error {
	r := &kgo.Record{Topic: m.Topic, Key: m.Key, Value: m.Value, Timestamp: m.Time}
	for _, h := range m.Headers {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	p.client.Produce(ctx, r, p.done)
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failed
}

func (p *Publisher) done(r *kgo.Record, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		if p.failed == nil {
			p.failed = fmt.Errorf("publish to %s: %w", r.Topic, err)
		}
		return
	}
	p.published++
	p.bytes += int64(len(r.Value))
}

// Flush waits until every queued record is acknowledged, and gives the first failure.
func (p *Publisher) Flush(ctx context.Context) error {
	err := p.client.Flush(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failed != nil {
		return p.failed
	}
	return err
}

// Published counts acknowledged records and the bytes of their values.
func (p *Publisher) Published() (records, bytes int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.published, p.bytes
}

// Close ends the connections.
func (p *Publisher) Close() { p.client.Close() }
