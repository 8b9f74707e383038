package kafka

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seamline/seamline/schemas"
)

// createJournal makes the topic where it is missing, whatever kafka.topics.create says: it is the pipeline's own.
func createJournal(ctx context.Context, cfg *Config) error {
	opts, err := cfg.Options()
	if err != nil {
		return err
	}
	// A client of its own, since a client remembers for a moment that a topic was missing.
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return fmt.Errorf("connect to Kafka: %w", err)
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	topics, err := admin.ListTopics(ctx, cfg.Intents)
	if err != nil {
		return fmt.Errorf("list topics: %w", err)
	}
	if t := topics[cfg.Intents]; t.Err == nil && len(t.Partitions) > 0 {
		return nil
	}
	retention := journalRetention
	_, err = admin.CreateTopic(ctx, 1, int16(cfg.Replication), map[string]*string{"retention.ms": &retention}, cfg.Intents)
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return fmt.Errorf("create topic %s for the intents (create it with one partition, or allow that): %w", cfg.Intents, err)
	}
	return nil
}

// begin reads what is there.
func (j *Journal) begin(ctx context.Context, from int64) error {
	starts, err := j.admin.ListStartOffsets(ctx, j.cfg.Intents)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return fmt.Errorf("list offsets of topic %s: %v", j.cfg.Intents, err) // not known everywhere as soon as it is created
	}
	end, err := j.end(ctx)
	if err != nil {
		return err
	}
	if from > end {
		from = 0 // the topic is another one than the offset is of
	}
	if o, ok := starts.Lookup(j.cfg.Intents, 0); ok {
		from = max(from, o.Offset)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.read = from
	j.consumer.AddConsumePartitions(map[string]map[int32]kgo.Offset{j.cfg.Intents: {0: kgo.NewOffset().At(from)}})
	return j.readUpTo(ctx, end, true)
}

func (j *Journal) end(ctx context.Context) (int64, error) {
	ends, err := j.admin.ListEndOffsets(ctx, j.cfg.Intents)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return 0, fmt.Errorf("list offsets of topic %s: %w", j.cfg.Intents, err)
	}
	o, _ := ends.Lookup(j.cfg.Intents, 0)
	return o.Offset, nil
}

func (j *Journal) readUpTo(ctx context.Context, end int64, isPast bool) error {
	for j.read < end {
		if err := j.poll(ctx, time.Second, isPast); err != nil {
			return err
		}
	}
	return nil
}

// poll reads entries, waiting for some as long as wait.
func (j *Journal) poll(ctx context.Context, wait time.Duration, isPast bool) error {
	within, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	fetches := j.consumer.PollFetches(within)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var failed error
	fetches.EachError(func(topic string, _ int32, err error) {
		var loss *kgo.ErrDataLoss
		switch {
		case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		case errors.Is(err, kerr.OffsetOutOfRange), errors.As(err, &loss):
			failed = fmt.Errorf("read the journal: %w: topic %s: %w", ErrGap, topic, err)
		default: // an outage, however long
			j.opt.Report(err)
			j.opt.Log.Warn("could not read the journal", "topic", topic, "err", err)
		}
	})
	fetches.EachRecord(func(r *kgo.Record) {
		j.read = r.Offset + 1
		if failed == nil && !r.Attrs.IsControl() && string(r.Key) == j.opt.Key {
			failed = j.take(r, isPast)
		}
	})
	return failed
}

// take understands one entry.
func (j *Journal) take(r *kgo.Record, isPast bool) error {
	kind, process := "", ""
	for _, h := range r.Headers {
		switch h.Key {
		case "kind":
			kind = string(h.Value)
		case "instance":
			j.leader = string(h.Value)
		case "process":
			process = string(h.Value)
		}
	}
	j.last = process
	j.heard = j.opt.Now()
	if isPast {
		j.heard = r.Timestamp
	} else {
		j.alive = true
	}
	if kind == entryIntent {
		intent, err := schemas.DecodeIntent(r.Value)
		if err != nil {
			return fmt.Errorf("topic %s, offset %d: %w", r.Topic, r.Offset, err)
		}
		j.facts.mark(intent.Batch, r.Offset)
		j.newest = intent.Batch
		if process == j.process {
			j.mine = intent.Batch
		}
		j.facts.finish(intent.Batch - 1)
		if intent.Batch > j.given && !j.leading.Load() {
			// A leader that started over numbers on, but never back: what follows replaces what it did not build upon.
			j.queue = slices.DeleteFunc(j.queue, func(i schemas.Intent) bool { return i.Batch >= intent.Batch })
			j.queue = append(j.queue, intent)
		}
		return nil
	}
	var n note
	if err := json.Unmarshal(r.Value, &n); err != nil {
		return fmt.Errorf("topic %s, offset %d: %w: %w", r.Topic, r.Offset, schemas.ErrDamaged, err)
	}
	j.facts.finish(n.Done)
	if kind == entryResign {
		j.leader = ""
	}
	return nil
}
