package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"sort"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seamline/seamline/schemas"
)

// ErrGap says that records which were never processed are gone from the topic. The line stops: skipping them silently is not for
// a program to decide.
var ErrGap = errors.New("records are gone from the topic before they were processed")

// Replay is a batch that may have been written before a crash: the same ranges are gathered again, with the same clock reading.
type Replay struct {
	Now     schemas.Time
	Fixed   bool
	Advance schemas.Time
	Ranges  []schemas.Range
}

// Options are what a Gatherer needs beside its Config.
type Options struct {
	Feeds         []schemas.Feed
	Group         string          // consumer group that offsets are exported to, for lag monitors
	Start         []schemas.Range // positions to go on from; partitions without one start at their first record
	Replays       []Replay
	Now           func() time.Time
	FixedNow      schemas.Time // not zero: the clock stands here, and time passes by event time only
	AdvanceTo     schemas.Time // with FixedNow and UntilCaughtUp: fire timers up to here at the end
	UntilCaughtUp bool
	Report        func(err error) // what gathering waits for; nil when it works
	Log           *slog.Logger
	Registry      prometheus.Registerer
}

// Gatherer reads all partitions of the feeds' topics and cuts their records into batches. It is used by one goroutine.
type Gatherer struct {
	cfg     Config
	opt     Options
	client  *kgo.Client
	admin   *kadm.Client
	feeds   map[string]schemas.Feed
	parts   []*part
	index   map[topicPartition]*part
	replays []Replay
	ends    map[topicPartition]int64 // end offsets at the start, with UntilCaughtUp
	pending int                      // records that wait in parts
	bytes   int                      // their values' bytes
	checked time.Time                // when partitions were last looked for
	ticked  bool                     // the final tick of UntilCaughtUp was given
	metrics *metrics
}

type topicPartition struct {
	topic     string
	partition int32
}

// part is one partition's records that were fetched and not yet cut into a batch.
type part struct {
	topicPartition
	next    int64 // offset after the last record given in a batch
	fetched int64 // offset after the last record fetched
	high    int64 // high watermark as last seen
	records []*kgo.Record
	taken   int // records of this part in the batch being cut
}

// Open connects, finds the partitions and their start positions, and waits for brokers that do not answer yet.
func Open(ctx context.Context, cfg Config, opt Options) (*Gatherer, error) {
	g := &Gatherer{cfg: cfg, opt: opt, feeds: map[string]schemas.Feed{}, index: map[topicPartition]*part{},
		replays: opt.Replays, metrics: newMetrics(opt.Registry, opt.Feeds)}
	for _, f := range opt.Feeds {
		g.feeds[cfg.Topic(f)] = f
	}
	opts, err := cfg.Options()
	if err != nil {
		return nil, err
	}
	opts = append(opts,
		kgo.ConsumeResetOffset(kgo.NoResetOffset()), // a gap stops the line
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // so that positions pass transaction markers
		kgo.FetchMaxWait(min(cfg.Wait, 500*time.Millisecond)),
		kgo.FetchMaxBytes(32<<20), kgo.FetchMaxPartitionBytes(8<<20),
		kgo.WithHooks(&connectionHook{report: opt.Report}),
	)
	if g.client, err = kgo.NewClient(opts...); err != nil {
		return nil, fmt.Errorf("connect to Kafka: %w", err)
	}
	g.admin = kadm.NewClient(g.client)
	if err := g.begin(ctx); err != nil {
		g.client.Close()
		return nil, err
	}
	return g, nil
}

// begin finds partitions and positions, trying again for as long as the brokers do not answer.
func (g *Gatherer) begin(ctx context.Context) error {
	return g.cfg.await(ctx, g.opt.Report, g.opt.Log, func() error {
		if err := g.discover(ctx); err != nil || !g.opt.UntilCaughtUp {
			return err
		}
		return g.readEnds(ctx)
	})
}

// topics lists the names of the feeds' topics, sorted.
func (g *Gatherer) topics() []string { return slices.Sorted(maps.Keys(g.feeds)) }

// discover adds partitions that are not read yet.
func (g *Gatherer) discover(ctx context.Context) error {
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
		if stored && from < o.At {
			return fmt.Errorf("%w: topic %s partition %d starts at offset %d, and the next to process is %d; "+
				"restore the records, or rebuild with an empty state directory", ErrGap, o.Topic, o.Partition, o.At, from)
		}
		if !stored {
			from = o.At
		}
		p := &part{topicPartition: tp, next: from, fetched: from}
		g.parts, g.index[tp] = append(g.parts, p), p
		g.metrics.lag(tp.topic, tp.partition, 0)
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

func (g *Gatherer) readEnds(ctx context.Context) error {
	names := g.topics()
	ends, err := g.admin.ListEndOffsets(ctx, names...)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return fmt.Errorf("list end offsets: %w", err)
	}
	g.ends = map[topicPartition]int64{}
	ends.Each(func(o kadm.ListedOffset) { g.ends[topicPartition{o.Topic, o.Partition}] = o.Offset })
	return nil
}

// Next fills b with the next batch: a replay while there are any, then as many records as came within the limits. It returns
// io.EOF when it was to stop at the end and is there.
func (g *Gatherer) Next(ctx context.Context, b *schemas.Batch) error {
	if len(g.replays) > 0 {
		r := g.replays[0]
		if err := g.fetchUpTo(ctx, r.Ranges); err != nil {
			return err
		}
		g.replays = g.replays[1:]
		b.Now, b.Fixed, b.Advance = r.Now, r.Fixed, r.Advance
		g.cut(b, true, r.Ranges)
		return nil
	}
	if g.caughtUp() {
		if g.ticked {
			return io.EOF
		}
		g.ticked = true
		g.stamp(b)
		b.Advance = g.opt.AdvanceTo
		return nil
	}
	if g.opt.Now().Sub(g.checked) >= g.cfg.RecheckTopics {
		if err := g.discover(ctx); err != nil {
			if isFatal(err) || ctx.Err() != nil {
				return err
			}
			g.opt.Log.Warn("could not look for new partitions", "err", err)
			g.checked = g.opt.Now()
		}
	}
	if err := g.fill(ctx); err != nil {
		return err
	}
	g.stamp(b)
	g.cut(b, false, nil)
	return nil
}

func (g *Gatherer) stamp(b *schemas.Batch) {
	b.Now = schemas.TimeOf(g.opt.Now())
	if g.opt.FixedNow != 0 {
		b.Now, b.Fixed = g.opt.FixedNow, true
	}
}

func (g *Gatherer) caughtUp() bool {
	if !g.opt.UntilCaughtUp {
		return false
	}
	for tp, end := range g.ends {
		if p := g.index[tp]; p == nil || p.next < end {
			return false
		}
	}
	return true
}

// fill polls until a batch is full, its first record has waited long enough, or a tick has passed without any.
func (g *Gatherer) fill(ctx context.Context) error {
	deadline := g.opt.Now().Add(g.cfg.Tick)
	if g.pending > 0 {
		deadline = g.opt.Now().Add(g.cfg.Wait)
	}
	for g.pending < g.cfg.RecordsMax && g.bytes < g.cfg.BytesMax && !g.reachedEnds() {
		had := g.pending
		if err := g.poll(ctx, deadline); err != nil {
			return err
		}
		now := g.opt.Now()
		if had == 0 && g.pending > 0 {
			deadline = now.Add(g.cfg.Wait)
		}
		if !now.Before(deadline) {
			break
		}
	}
	return nil
}

// reachedEnds tells whether everything up to the ends was fetched, so that waiting for more is in vain.
func (g *Gatherer) reachedEnds() bool {
	if !g.opt.UntilCaughtUp {
		return false
	}
	for tp, end := range g.ends {
		if p := g.index[tp]; p == nil || p.fetched < end {
			return false
		}
	}
	return true
}

// fetchUpTo polls until every range of a replay is complete.
func (g *Gatherer) fetchUpTo(ctx context.Context, ranges []schemas.Range) error {
	for {
		complete := true
		for _, r := range ranges {
			p := g.index[topicPartition{r.Topic, r.Partition}]
			if p == nil {
				return fmt.Errorf("%w: topic %s has no partition %d any more", ErrGap, r.Topic, r.Partition)
			}
			complete = complete && p.fetched >= r.To
		}
		if complete {
			return nil
		}
		if err := g.poll(ctx, g.opt.Now().Add(g.cfg.Tick)); err != nil {
			return err
		}
	}
}

// poll takes what the client has fetched, waiting until the deadline for something.
func (g *Gatherer) poll(ctx context.Context, deadline time.Time) error {
	wait, cancel := context.WithTimeout(ctx, max(deadline.Sub(g.opt.Now()), time.Millisecond))
	defer cancel()
	fetches := g.client.PollRecords(wait, max(1, g.cfg.RecordsMax-g.pending))
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var failed error
	fetches.EachError(func(topic string, partition int32, err error) {
		switch {
		case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		case errors.Is(err, kerr.OffsetOutOfRange):
			failed = fmt.Errorf("%w: topic %s partition %d: %w", ErrGap, topic, partition, err)
		default:
			var loss *kgo.ErrDataLoss
			if errors.As(err, &loss) {
				failed = fmt.Errorf("%w: %w", ErrGap, err)
				return
			}
			g.opt.Report(err)
			g.opt.Log.Warn("could not fetch", "topic", topic, "partition", partition, "err", err)
		}
	})
	if failed != nil {
		return failed
	}
	fetches.EachPartition(func(f kgo.FetchTopicPartition) {
		p := g.index[topicPartition{f.Topic, f.Partition}]
		if p == nil {
			return // an error that concerns no partition is dressed as a fetch
		}
		p.high = max(p.high, f.HighWatermark)
		for _, r := range f.Records {
			p.records = append(p.records, r)
			p.fetched = r.Offset + 1
			g.bytes += len(r.Value)
		}
		g.pending += len(f.Records)
		if len(f.Records) > 0 {
			g.opt.Report(nil)
		}
	})
	return nil
}

// Committed exports positions as the group's offsets, which lag monitors read. They are not the truth: the state is.
func (g *Gatherer) Committed(ctx context.Context, positions []schemas.Range) error {
	var offsets kadm.Offsets
	for _, r := range positions {
		offsets.AddOffset(r.Topic, r.Partition, r.To, -1)
	}
	if len(offsets) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return g.admin.CommitAllOffsets(ctx, g.opt.Group, offsets)
}

// Close ends the connections.
func (g *Gatherer) Close() { g.client.Close() }

// isFatal tells whether waiting does not help.
func isFatal(err error) bool {
	return errors.Is(err, ErrGap) || errors.Is(err, ErrNoTopic) || errors.Is(err, kerr.UnknownTopicOrPartition) ||
		errors.Is(err, kerr.SaslAuthenticationFailed) || errors.Is(err, kerr.TopicAuthorizationFailed)
}
