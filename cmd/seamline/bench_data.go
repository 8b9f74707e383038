package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/seamline/seamline/cmd/seamline/bench"
	"github.com/seamline/seamline/deploy/shoppers"
	"github.com/seamline/seamline/schemas"
	producer "github.com/seamline/seamline/sinks/kafka"
)

// dataset is topics that were filled once, for all that reads them.
type dataset struct {
	topics   map[schemas.Feed]string
	records  int64
	bytes    int64
	isSingle bool // each record holds one event
}

// names lists the topics.
func (d *dataset) names() []string {
	var names []string
	for _, f := range feeds() {
		if name := d.topics[f]; name != "" {
			names = append(names, name)
		}
	}
	return names
}

// settings make a pipeline read the dataset. Feeds that it has no topic of get an empty one.
func (d *dataset) settings(into map[string]string) {
	for _, f := range feeds() {
		name := d.topics[f]
		if name == "" {
			name = "bench_empty_" + string(f)
		}
		into["kafka.topics."+string(f)] = name
	}
}

// daysOfTraffic is how long the shoppers live. All of it lies in one month, as live traffic does but for one day of it.
const daysOfTraffic = 7

// shoppersConfig is the traffic of so many shoppers, which ended before now.
func shoppersConfig(count int) shoppers.Config {
	cfg := shoppers.DefaultConfig()
	cfg.Shoppers, cfg.Duration = count, daysOfTraffic*24*time.Hour
	now := time.Now().UTC()
	cfg.Start = time.Date(now.Year(), now.Month()-1, 8, 0, 0, 0, 0, time.UTC)
	return cfg
}

// fillCalls publishes the shoppers' clickstream as one Segment or RudderStack call a record, unframed: a materialized view cannot tell
// formats apart. It keeps the first of them in a file, for the drivers of load.
func (b *benchRun) fillCalls(ctx context.Context, topic string, cfg shoppers.Config, file string) (*dataset, error) {
	cfg.FramedShare, cfg.CloudEventShare = 0, 0
	keep, err := newKeeper(file)
	if err != nil {
		return nil, err
	}
	d := &dataset{topics: map[schemas.Feed]string{schemas.FeedClickstream: topic}, isSingle: true}
	err = b.fill(ctx, d, cfg, func(r *shoppers.Record, send func(string, []byte) error) error {
		if schemas.Feed(r.Topic) != schemas.FeedClickstream {
			return nil
		}
		calls, err := callsOf(r.Value)
		if err != nil {
			return fmt.Errorf("a record of the generator: %w", err)
		}
		for _, call := range calls {
			keep.add(call)
			if err := send(topic, call); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return d, keep.close()
}

// fillMix publishes all that the shoppers do, as it is.
func (b *benchRun) fillMix(ctx context.Context, prefix string, cfg shoppers.Config) (*dataset, error) {
	d := &dataset{topics: map[schemas.Feed]string{}}
	for _, f := range []schemas.Feed{schemas.FeedClickstream, schemas.FeedEmail, schemas.FeedPOS} {
		d.topics[f] = prefix + "_" + string(f)
	}
	return d, b.fill(ctx, d, cfg, func(r *shoppers.Record, send func(string, []byte) error) error {
		return send(d.topics[schemas.Feed(r.Topic)], r.Value)
	})
}

// fill publishes what take makes of the shoppers' records.
func (b *benchRun) fill(ctx context.Context, d *dataset, cfg shoppers.Config, take func(*shoppers.Record, func(string, []byte) error) error) error {
	b.say("publishing %d days of %d shoppers", daysOfTraffic, cfg.Shoppers)
	if err := b.createTopics(ctx, d, b.settings.Kafka.Partitions); err != nil {
		return err
	}
	publisher, err := openPublisher(&b.settings.Kafka)
	if err != nil {
		return err
	}
	defer publisher.Close()
	generator := shoppers.New(cfg)
	for ctx.Err() == nil {
		r, ok := generator.Next()
		if !ok {
			break
		}
		send := func(topic string, value []byte) error {
			m := producer.Message{Topic: topic, Key: r.Key, Value: value, Time: r.Time}
			for _, h := range r.Headers {
				m.Headers = append(m.Headers, schemas.Header{Key: h.Key, Value: h.Value})
			}
			return publisher.Publish(ctx, m)
		}
		if err := take(&r, send); err != nil {
			return err
		}
	}
	if err := publisher.Flush(ctx); err != nil {
		return err
	}
	d.records, d.bytes = publisher.Published()
	b.say("%d records of %d bytes on average are in %v", d.records, d.bytes/max(1, d.records), d.names())
	return ctx.Err()
}

// createTopics makes the dataset's topics.
func (b *benchRun) createTopics(ctx context.Context, d *dataset, partitions int) error {
	kafka, err := bench.OpenKafka(b.settings.Kafka.Brokers)
	if err != nil {
		return err
	}
	defer kafka.Close()
	for _, name := range d.names() {
		if err := kafka.CreateTopic(ctx, name, partitions); err != nil {
			return err
		}
	}
	return nil
}

// callsOf gives the calls of a record: one, or those of a batch object or an array.
func callsOf(value []byte) ([][]byte, error) {
	var calls []json.RawMessage
	switch {
	case bytes.HasPrefix(value, []byte("[")):
		if err := json.Unmarshal(value, &calls); err != nil {
			return nil, err
		}
	case bytes.HasPrefix(value, []byte(`{"batch"`)):
		var batch struct{ Batch []json.RawMessage }
		if err := json.Unmarshal(value, &batch); err != nil {
			return nil, err
		}
		calls = batch.Batch
	default:
		return [][]byte{value}, nil
	}
	single := make([][]byte, len(calls))
	for i, c := range calls {
		single[i] = c
	}
	return single, nil
}

// keptCalls is how many calls a driver of load has; it takes them again under other ids when it needs more.
const keptCalls = 300_000

// keeper writes records to a file, a line each.
type keeper struct {
	file  *os.File
	out   *bufio.Writer
	count int
}

// newKeeper makes a file; without a name there is none, and nothing is kept.
func newKeeper(path string) (*keeper, error) {
	k := &keeper{}
	if path == "" {
		return k, nil
	}
	var err error
	if k.file, err = os.Create(filepath.Clean(path)); err != nil {
		return nil, err
	}
	k.out = bufio.NewWriterSize(k.file, 1<<20)
	return k, nil
}

func (k *keeper) add(value []byte) {
	if k.file == nil || k.count == keptCalls {
		return
	}
	k.count++
	_, _ = k.out.Write(value) // the writer keeps its error for Flush
	_ = k.out.WriteByte('\n')
}

func (k *keeper) close() error {
	if k.file == nil {
		return nil
	}
	if err := k.out.Flush(); err != nil {
		return fmt.Errorf("keep calls for the driver: %w", err)
	}
	return k.file.Close()
}
