package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seamline/seamline/schemas/fault"
)

// reader makes a client that reads the partitions that it is told to.
func (c *Config) reader(report func(error)) (*kgo.Client, error) {
	opts, err := c.Options()
	if err != nil {
		return nil, err
	}
	reset := kgo.NoResetOffset() // a gap stops the line
	if fault.Off(fault.Reset) {
		reset = kgo.NewOffset().AtStart()
	}
	memory := newPool(c.RecordsMax, c.BytesMax)
	client, err := kgo.NewClient(append(opts,
		kgo.ConsumeResetOffset(reset),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // so that positions pass transaction markers
		kgo.FetchMaxWait(min(c.Wait, 500*time.Millisecond)),
		// They count compressed bytes, which become several times as many.
		kgo.FetchMaxBytes(int32(min(8<<20, c.BytesMax/4))), kgo.FetchMaxPartitionBytes(int32(min(2<<20, c.BytesMax/16))),
		kgo.WithPools(memory), kgo.WithDecompressor(newDecompressor(memory)), kgo.WithHooks(&connectionHook{report: report}))...)
	if err != nil {
		return nil, fmt.Errorf("connect to Kafka: %w", err)
	}
	return client, nil
}

// begin finds partitions and positions, trying again for as long as the brokers do not answer.
func (g *Gatherer) begin(ctx context.Context) error {
	return g.cfg.await(ctx, g.opt.Report, g.opt.Log, func() error { return g.discover(ctx, true) })
}

// topics lists the names of the feeds' topics, sorted.
func (g *Gatherer) topics() []string { return slices.Sorted(maps.Keys(g.feeds)) }

// discover adds partitions that are not read yet. At the start it also reads where each ends.
func (g *Gatherer) discover(ctx context.Context, atStart bool) error {
	names := g.topics()
	starts, err := g.admin.ListStartOffsets(ctx, names...)
	if err != nil {
		return fmt.Errorf("list start offsets: %w", err)
	}
	if err := starts.Error(); err != nil {
		if errors.Is(err, kerr.UnknownTopicOrPartition) {
			return fmt.Errorf("a topic of %v does not exist: %w", names, err)
		}
		return fmt.Errorf("list start offsets: %w", err)
	}
	ends, err := g.admin.ListEndOffsets(ctx, names...)
	if err == nil {
		err = ends.Error()
	}
	stable, stableErr := g.admin.ListCommittedOffsets(ctx, names...)
	if stableErr == nil {
		stableErr = stable.Error()
	}
	if err := errors.Join(err, stableErr); err != nil {
		return fmt.Errorf("list end offsets: %w", err)
	}
	known := map[topicPartition]int64{}
	for _, r := range g.opt.Start {
		known[topicPartition{r.Topic, r.Partition}] = r.To
	}
	add := map[string]map[int32]kgo.Offset{}
	for _, o := range starts.Offsets().Sorted() {
		tp := topicPartition{o.Topic, o.Partition}
		if g.index[tp] != nil {
			continue
		}
		from, stored := known[tp]
		if stored && from < o.At && !fault.Off(fault.Reset) {
			return fmt.Errorf("%w: topic %s partition %d starts at offset %d, and the next to process is %d; "+
				"restore the records, or rebuild from what is left with seamline replay --from-start", ErrGap, o.Topic, o.Partition, o.At, from)
		}
		if !stored || from < o.At {
			from = o.At
		}
		p := &part{topicPartition: tp, from: from, next: from, fetched: from, end: g.endOf(tp, ends, atStart), noted: stored}
		if e, ok := ends.Lookup(tp.topic, tp.partition); ok {
			p.high = e.Offset
		}
		if e, ok := stable.Lookup(tp.topic, tp.partition); ok {
			p.stable = e.Offset
		}
		g.parts, g.index[tp] = append(g.parts, p), p
		g.metrics.lag(tp.topic, tp.partition, max(0, p.high-p.next))
		if add[o.Topic] == nil {
			add[o.Topic] = map[int32]kgo.Offset{}
		}
		add[o.Topic][o.Partition] = kgo.NewOffset().At(from)
	}
	sort.Slice(g.parts, func(i, j int) bool {
		a, b := g.parts[i], g.parts[j]
		return a.topic < b.topic || a.topic == b.topic && a.partition < b.partition
	})
	if len(add) > 0 {
		g.client.AddConsumePartitions(add)
	}
	g.checked = g.opt.Now()
	return nil
}

// endOf gives the offset at which a partition is to be left alone.
func (g *Gatherer) endOf(tp topicPartition, ends kadm.ListedOffsets, atStart bool) int64 {
	if g.opt.Until != nil {
		for _, r := range g.opt.Until {
			if r.Topic == tp.topic && r.Partition == tp.partition {
				return r.To
			}
		}
		return 0
	}
	if !g.opt.UntilCaughtUp {
		return endless
	}
	if e, ok := ends.Lookup(tp.topic, tp.partition); ok && atStart {
		return e.Offset
	}
	return 0 // it was not there at the start
}
