package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seamline/seamline/schemas"
)

// Since gives the ranges of a topic from the first records at or after a time up to the positions.
func Since(ctx context.Context, cfg Config, topic string, at time.Time, positions []schemas.Range) ([]schemas.Range, error) {
	client, err := cfg.reader(func(error) {})
	if err != nil {
		return nil, err
	}
	defer client.Close()
	offsets, err := kadm.NewClient(client).ListOffsetsAfterMilli(ctx, at.UnixMilli(), topic)
	if err == nil {
		err = offsets.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("look for %s in topic %s: %w", at.Format(time.RFC3339), topic, err)
	}
	var ranges []schemas.Range
	for _, p := range positions {
		if o, ok := offsets.Lookup(p.Topic, p.Partition); ok && p.Topic == topic && o.Offset < p.To {
			ranges = append(ranges, schemas.Range{Topic: topic, Partition: p.Partition, From: o.Offset, To: p.To})
		}
	}
	return ranges, nil
}

// Starts gives where every partition of the feeds' topics begins, as ranges' From.
func Starts(ctx context.Context, cfg Config, feeds []schemas.Feed) ([]schemas.Range, error) {
	client, err := cfg.reader(func(error) {})
	if err != nil {
		return nil, err
	}
	defer client.Close()
	var topics []string
	for _, f := range feeds {
		topics = append(topics, cfg.Topic(f))
	}
	starts, err := kadm.NewClient(client).ListStartOffsets(ctx, topics...)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("list start offsets: %w", err)
	}
	var ranges []schemas.Range
	for _, o := range starts.Offsets().Sorted() {
		ranges = append(ranges, schemas.Range{Topic: o.Topic, Partition: o.Partition, From: o.At})
	}
	return ranges, nil
}

// DeleteUpTo deletes the records of partitions before the ranges' To, as retention does in time.
func DeleteUpTo(ctx context.Context, cfg Config, ranges []schemas.Range) error {
	client, err := cfg.reader(func(error) {})
	if err != nil {
		return err
	}
	defer client.Close()
	var offsets kadm.Offsets
	for _, r := range ranges {
		offsets.AddOffset(r.Topic, r.Partition, r.To, -1)
	}
	deleted, err := kadm.NewClient(client).DeleteRecords(ctx, offsets)
	if err == nil {
		err = deleted.Error()
	}
	if err != nil {
		return fmt.Errorf("delete records: %w", err)
	}
	return nil
}

// Rewound gives the ranges that were read once more.
func (g *Gatherer) Rewound() []schemas.Range { return g.rewound }

// nextRewind cuts a batch's share off the ranges that are to be read once more.
func (g *Gatherer) nextRewind() []schemas.Range {
	share := max(1, int64(g.cfg.RecordsMax/len(g.opt.Rewind)))
	var now, left []schemas.Range
	for _, r := range g.opt.Rewind {
		cut := r
		cut.To = min(r.To, r.From+share)
		now = append(now, cut)
		if r.From = cut.To; r.From < r.To {
			left = append(left, r)
		}
	}
	g.opt.Rewind, g.rewound = left, append(g.rewound, now...)
	return now
}

// read fills b with ranges that were passed before. It leaves the positions alone.
func (g *Gatherer) read(ctx context.Context, b *schemas.Batch, ranges []schemas.Range) error {
	client, err := g.cfg.reader(g.opt.Report)
	if err != nil {
		return err
	}
	defer client.Close()
	parts, from := map[topicPartition]*part{}, map[string]map[int32]kgo.Offset{}
	for _, r := range ranges {
		parts[topicPartition{r.Topic, r.Partition}] = &part{topicPartition: topicPartition{r.Topic, r.Partition}, fetched: r.From, end: r.To}
		if from[r.Topic] == nil {
			from[r.Topic] = map[int32]kgo.Offset{}
		}
		from[r.Topic][r.Partition] = kgo.NewOffset().At(r.From)
	}
	client.AddConsumePartitions(from)
	for missing := len(parts); missing > 0; {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("read records once more: %w", err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if p := parts[topicPartition{r.Topic, r.Partition}]; r.Offset < p.end {
				p.records = append(p.records, r)
			}
		})
		missing = 0
		fetches.EachPartition(func(f kgo.FetchTopicPartition) {
			if p := parts[topicPartition{f.Topic, f.Partition}]; p != nil && len(f.Records) > 0 {
				p.fetched = f.Records[len(f.Records)-1].Offset + 1
			}
		})
		for _, p := range parts {
			if p.fetched < p.end {
				missing++
			}
		}
	}
	var heads []*part
	for _, r := range ranges {
		if p := parts[topicPartition{r.Topic, r.Partition}]; p.waiting() {
			heads = append(heads, p)
		}
	}
	b.Ranges = append(b.Ranges, ranges...)
	g.merge(b, heads, (*part).waiting)
	return nil
}

// IsMissing tells whether an error says that a topic does not exist.
func IsMissing(err error) bool {
	return errors.Is(err, ErrNoTopic) || errors.Is(err, kerr.UnknownTopicOrPartition)
}
