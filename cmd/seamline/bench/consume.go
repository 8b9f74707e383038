package bench

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Kafka asks a broker about topics.
type Kafka struct {
	client *kgo.Client
	admin  *kadm.Client
}

// OpenKafka connects.
func OpenKafka(brokers string) (*Kafka, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(brokers, ",")...))
	if err != nil {
		return nil, fmt.Errorf("connect to Kafka: %w", err)
	}
	return &Kafka{client, kadm.NewClient(client)}, nil
}

// Close ends the connections.
func (k *Kafka) Close() { k.client.Close() }

// CreateTopic makes a topic.
func (k *Kafka) CreateTopic(ctx context.Context, topic string, partitions int) error {
	responses, err := k.admin.CreateTopics(ctx, int32(partitions), 1, nil, topic)
	if err == nil {
		err = responses.Error()
	}
	if err != nil {
		return fmt.Errorf("create topic %s: %w", topic, err)
	}
	return nil
}

// Records counts the records of topics.
func (k *Kafka) Records(ctx context.Context, topics ...string) (int64, error) {
	ends, err := k.admin.ListEndOffsets(ctx, topics...)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return 0, fmt.Errorf("read the ends of topics: %w", err)
	}
	var records int64
	ends.Each(func(o kadm.ListedOffset) { records += o.Offset })
	return records, nil
}

// Committed sums what a consumer group has committed; a group that is not there yet has nothing.
func (k *Kafka) Committed(ctx context.Context, group string) (int64, error) {
	offsets, err := k.admin.FetchOffsets(ctx, group)
	if errors.Is(err, kerr.GroupIDNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read committed offsets: %w", err)
	}
	var records int64
	offsets.Each(func(o kadm.OffsetResponse) { records += max(o.At, 0) })
	return records, nil
}

// Discard consumes all that topics hold, without a group, and does nothing with it: what a consumer costs at least. It gives the number of
// records and how long they took.
func Discard(ctx context.Context, brokers string, topics ...string) (int64, time.Duration, error) {
	k, err := OpenKafka(brokers)
	if err != nil {
		return 0, 0, err
	}
	defer k.Close()
	ends, err := k.admin.ListEndOffsets(ctx, topics...)
	if err != nil {
		return 0, 0, fmt.Errorf("read the ends of topics: %w", err)
	}
	starts, left := map[string]map[int32]kgo.Offset{}, int64(0)
	ends.Each(func(o kadm.ListedOffset) {
		if starts[o.Topic] == nil {
			starts[o.Topic] = map[int32]kgo.Offset{}
		}
		starts[o.Topic][o.Partition] = kgo.NewOffset().AtStart()
		left += o.Offset
	})
	if missing := slices.DeleteFunc(slices.Clone(topics), func(t string) bool { return starts[t] != nil }); len(missing) > 0 {
		return 0, 0, fmt.Errorf("there is no topic %s; topics are %v", missing[0], slices.Sorted(maps.Keys(starts)))
	}
	consumer, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(brokers, ",")...), kgo.ConsumePartitions(starts))
	if err != nil {
		return 0, 0, fmt.Errorf("connect to Kafka: %w", err)
	}
	defer consumer.Close()
	start, records := time.Now(), int64(0)
	for left > 0 {
		fetches := consumer.PollRecords(ctx, 10_000)
		if err := fetches.Err0(); err != nil {
			return records, 0, fmt.Errorf("consume: %w", err)
		}
		n := int64(fetches.NumRecords())
		records, left = records+n, left-n
	}
	return records, time.Since(start), nil
}
