// Package kafka writes what a batch decided to Kafka: dead letters and the entries and exits of audiences.
// Batches come in; records with deterministic ids go out, acknowledged by all replicas. Writing a batch again repeats the same
// records, and consumers drop them by id. It never decides anything.
package kafka

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/cespare/xxhash/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seamline/seamline/schemas"
	"github.com/seamline/seamline/schemas/fault"
)

// Config names the topics that are written.
type Config struct {
	DeadLetters string
	Audiences   string
	Source      string // ce_source of what is written, such as seamline/main
}

// Sink writes dead letters and audience changes.
type Sink struct {
	cfg     Config
	client  *kgo.Client
	written *prometheus.CounterVec
	topics  []string

	planned bool // the following are of the batch that is written next
	changes changes
	records []*kgo.Record
	err     error
}

// Open makes a producer with the connection settings opts.
func Open(cfg Config, opts []kgo.Opt, reg prometheus.Registerer) (*Sink, error) {
	client, err := kgo.NewClient(append([]kgo.Opt{
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerBatchCompression(kgo.Lz4Compression(), kgo.NoCompression()),
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)),
	}, opts...)...)
	if err != nil {
		return nil, fmt.Errorf("connect to Kafka: %w", err)
	}
	s := &Sink{cfg: cfg, client: client, changes: changes{topic: cfg.Audiences, source: []byte(cfg.Source)}, topics: []string{cfg.DeadLetters, cfg.Audiences},
		written: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "seamline_kafka_records_written_total",
			Help: "Records written to Kafka."}, []string{"topic"})}
	reg.MustRegister(s.written)
	for _, t := range s.topics {
		s.written.WithLabelValues(t)
	}
	return s, nil
}

// Name is the sink's stable name.
func (s *Sink) Name() string { return "kafka" }

// Plan tells how many records go to each topic, and a digest of them.
func (s *Sink) Plan(b *schemas.Batch) []schemas.Block {
	s.planned, s.records, s.err = true, s.records[:0], nil
	for i := range b.Rejects {
		s.records = append(s.records, s.deadLetter(&b.Rejects[i]))
	}
	s.changes.begin(len(b.Changes))
	for i := range b.Changes {
		r, err := s.changes.add(&b.Changes[i])
		if err != nil {
			s.err = fmt.Errorf("%w: %w", schemas.ErrFatal, err)
			return nil
		}
		s.records = append(s.records, r)
	}
	var blocks []schemas.Block
	for _, topic := range s.topics {
		block, digest := schemas.Block{Table: topic}, xxhash.New()
		for _, r := range s.records {
			if r.Topic == topic {
				block.Rows++
				_, _ = digest.Write(r.Key) // a digest does not fail
				_, _ = digest.Write(r.Value)
			}
		}
		if block.Rows > 0 {
			block.Digest = digest.Sum64()
			blocks = append(blocks, block)
		}
	}
	return blocks
}

// Write produces the batch's records and waits until all are acknowledged.
func (s *Sink) Write(ctx context.Context, b *schemas.Batch) error {
	if !s.planned {
		s.Plan(b)
	}
	s.planned = false // a record that was sent is not sent a second time as the same value
	if s.err != nil {
		return s.err
	}
	records := s.records
	if fault.Off(fault.DeadLetters) {
		for len(records) > 0 && records[0].Topic == s.cfg.DeadLetters {
			s.client.Produce(context.Background(), records[0], nil)
			records = records[1:]
		}
	}
	for _, result := range s.client.ProduceSync(ctx, records...) {
		if result.Err == nil {
			s.written.WithLabelValues(result.Record.Topic).Inc()
			continue
		}
		if errors.Is(result.Err, kerr.MessageTooLarge) && result.Record.Topic == s.cfg.DeadLetters {
			// The broker takes no record of this size on this topic. The table keeps the bytes; the topic says where they are.
			if err := s.shorten(ctx, result.Record); err != nil {
				return fmt.Errorf("produce to %s: %w", result.Record.Topic, err)
			}
			continue
		}
		return fmt.Errorf("produce to %s: %w", result.Record.Topic, result.Err)
	}
	fault.At(fault.PointLetters)
	return nil
}

// deadLetter is the original record with headers that say why and from where.
func (s *Sink) deadLetter(r *schemas.Reject) *kgo.Record {
	out := &kgo.Record{Topic: s.cfg.DeadLetters, Key: r.Record.Key, Value: r.Value}
	for _, h := range r.Record.Headers {
		out.Headers = append(out.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	out.Headers = append(out.Headers,
		header("seamline_reason", string(r.Reason)), header("seamline_detail", r.Detail), header("seamline_topic", r.Record.Topic),
		header("seamline_partition", strconv.Itoa(int(r.Record.Partition))), header("seamline_offset", strconv.FormatInt(r.Record.Offset, 10)),
		header("seamline_element", strconv.Itoa(r.Element)))
	return out
}

func (s *Sink) shorten(ctx context.Context, r *kgo.Record) error {
	r.Headers = append(r.Headers, header("seamline_value_bytes", strconv.Itoa(len(r.Value))))
	r.Value = nil
	return s.client.ProduceSync(ctx, r).FirstErr()
}

func header(key, value string) kgo.RecordHeader {
	return kgo.RecordHeader{Key: key, Value: []byte(value)}
}

// Close ends the connections.
func (s *Sink) Close() { s.client.Close() }
