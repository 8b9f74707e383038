package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"slices"
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

// Intents gives the batches that were decided on before, one by one, to be gathered again: the same ranges with the same clock reading.
type Intents interface {
	// Next gives the next intent, and whether every sink has its batch already. Nil means that there are no more, and that new
	// batches may be gathered. It may wait for another process to decide.
	Next(ctx context.Context) (intent *schemas.Intent, written bool, err error)
}

// Options are what a Gatherer needs beside its Config.
type Options struct {
	Feeds         []schemas.Feed
	Group         string          // consumer group that offsets are exported to, for lag monitors
	Start         []schemas.Range // positions to go on from; partitions without one start at their first record
	Intents       Intents         // nil for none
	Until         []schemas.Range // not nil: records from To on are left alone, and the end is there
	Rewind        []schemas.Range // to be read once more, after the intents; positions stay where they are
	Now           func() time.Time
	FixedNow      schemas.Time    // not zero: the clock stands here, and time passes by event time only
	AdvanceTo     schemas.Time    // with FixedNow and UntilCaughtUp: fire timers up to here at the end
	UntilCaughtUp bool            // stop at the ends as of the start, and wait for every partition on the way
	Strict        bool            // --now does not make later events possible
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
	intents Intents
	rewound []schemas.Range
	now     schemas.Time // the last batch's reading of the clock: it never goes back
	checked time.Time    // when partitions were last looked for
	taken   taken        // records of the batch at hand
	lists   lists        // memory for further batches' lists
	ranks   []rank       // of the records of the batch at hand
	isMixed bool         // they are not in canonical order
	most    int          // records of the next batch
	ticked  bool         // the final tick of UntilCaughtUp was given
	metrics *metrics
}

type topicPartition struct {
	topic     string
	partition int32
}

// part is one partition's records that were fetched and not yet taken into a batch.
type part struct {
	topicPartition
	from    int64        // next as it was when the batch at hand began
	next    int64        // offset after the last record given in a batch
	fetched int64        // offset after the last record fetched
	high    int64        // high watermark as last seen
	stable  int64        // end of what can be read, as last seen: behind it are open transactions
	end     int64        // where to stop; endless where the source does not end
	reached schemas.Time // the largest time of what the batch at hand took; markers of transactions count as well
	records []*kgo.Record
	taken   int       // of records, in batches
	bytes   int       // of the values that wait
	paused  bool      // enough waits
	missed  time.Time // since when others wait for this partition; zero while nobody does
	left    bool      // others have stopped waiting for it
	noted   bool      // a batch has it among its ranges, so that its position is part of the state
}

const endless = math.MaxInt64

// waiting tells whether a record is there to be taken.
func (p *part) waiting() bool { return p.taken < len(p.records) && p.records[p.taken].Offset < p.end }

// exhausted tells whether all that the partition had was fetched, as far as is known, so that nobody need wait for it.
func (p *part) exhausted() bool { return p.fetched >= min(p.stable, p.end) }

// Open connects, finds the partitions and their start positions, and waits for brokers that do not answer yet.
func Open(ctx context.Context, cfg Config, opt Options) (*Gatherer, error) {
	g := &Gatherer{cfg: cfg, opt: opt, feeds: map[string]schemas.Feed{}, index: map[topicPartition]*part{},
		intents: opt.Intents, most: min(firstRecords, cfg.RecordsMax), metrics: newMetrics(opt.Registry, opt.Feeds)}
	for _, f := range opt.Feeds {
		g.feeds[cfg.Topic(f)] = f
	}
	var err error
	if g.client, err = cfg.reader(opt.Report); err != nil {
		return nil, err
	}
	g.admin = kadm.NewClient(g.client)
	if err := g.begin(ctx); err != nil {
		g.client.Close()
		return nil, err
	}
	return g, nil
}

// Next fills b with the next batch: one that was decided on before while there are any, then as many records as came within the
// limits. It returns io.EOF when it was to stop at the end and is there.
func (g *Gatherer) Next(ctx context.Context, b *schemas.Batch) error {
	err := g.next(ctx, b)
	all := g.taken
	g.taken = g.lists.take()
	b.Release = func() { g.lists.put(all.recycle()) } // by whoever is done with the batch
	return err
}

func (g *Gatherer) next(ctx context.Context, b *schemas.Batch) error {
	for _, p := range g.parts {
		p.from, p.reached = p.next, 0
	}
	g.ranks, g.isMixed = g.ranks[:0], false
	if g.intents != nil {
		intent, written, err := g.intents.Next(ctx)
		if err != nil {
			return err
		}
		if intent != nil {
			intent.Stamp(b)
			b.Intent, b.Written, g.now = intent, written, max(g.now, intent.Now)
			return g.again(ctx, b)
		}
		g.intents = nil
	}
	if len(g.opt.Rewind) > 0 {
		g.stamp(b)
		b.Rewind = true
		return g.read(ctx, b, g.nextRewind())
	}
	if g.caughtUp() {
		if g.ticked {
			return io.EOF
		}
		g.ticked = true
		g.stamp(b)
		if b.Fixed {
			b.Advance = g.opt.AdvanceTo
		}
		return nil
	}
	if g.opt.Now().Sub(g.checked) >= g.cfg.RecheckTopics {
		if err := g.discover(ctx, false); err != nil {
			if isGone(err) || ctx.Err() != nil {
				return err
			}
			g.opt.Log.Warn("could not look for new partitions", "err", err)
			g.checked = g.opt.Now()
		}
	}
	if err := g.fill(ctx, b); err != nil {
		return err
	}
	g.stamp(b)
	return nil
}

// stamp reads the clock. It never goes back, whatever the machine's clock does. Time passes by it only where everything that was
// produced so far is in this batch or in an earlier one: else events that happened before would come to find that their time is over.
func (g *Gatherer) stamp(b *schemas.Batch) {
	g.now = max(g.now, schemas.TimeOf(g.opt.Now()))
	b.Now = g.now
	if g.opt.FixedNow != 0 {
		b.Now, b.Fixed = g.opt.FixedNow, true
		if !g.opt.Strict {
			b.Latest = b.Now
		}
		return
	}
	if !slices.ContainsFunc(g.parts, func(p *part) bool { return p.waiting() || !p.exhausted() }) {
		b.Advance = b.Now - schemas.Span(g.cfg.Grace)
	}
}

// caughtUp tells whether everything up to the ends was given in a batch.
func (g *Gatherer) caughtUp() bool {
	return (g.opt.UntilCaughtUp || g.opt.Until != nil) && !slices.ContainsFunc(g.parts, func(p *part) bool { return p.next < p.end })
}

// fetchAll polls until every range is complete.
func (g *Gatherer) fetchAll(ctx context.Context, ranges []schemas.Range) error {
	for {
		complete := true
		for _, r := range ranges {
			p := g.index[topicPartition{r.Topic, r.Partition}]
			if p == nil {
				// A partition may be new since the start.
				if err := g.discover(ctx, false); err != nil {
					return err
				}
				if p = g.index[topicPartition{r.Topic, r.Partition}]; p == nil {
					return fmt.Errorf("%w: topic %s has no partition %d any more", ErrGap, r.Topic, r.Partition)
				}
			}
			complete = complete && p.fetched >= r.To
			if p.fetched < r.To {
				g.resume(p)
			}
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
	fetches := g.client.PollRecords(wait, g.cfg.RecordsMax)
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
		p.high, p.stable = max(p.high, f.HighWatermark), max(p.stable, f.LastStableOffset)
		for _, r := range f.Records {
			p.records = append(p.records, r)
			p.fetched = r.Offset + 1
			p.bytes += len(r.Value)
		}
		if len(f.Records) > 0 {
			p.left = false
			g.opt.Report(nil)
			if p.bytes > g.cfg.BytesMax/len(g.parts) || len(p.records)-p.taken > g.cfg.RecordsMax {
				g.pause(p)
			}
		}
	})
	return nil
}

// pause stops fetching a partition of which enough waits, so that the others' records find room.
func (g *Gatherer) pause(p *part) {
	if !p.paused {
		p.paused = true
		g.client.PauseFetchPartitions(map[string][]int32{p.topic: {p.partition}})
	}
}

func (g *Gatherer) resume(p *part) {
	if p.paused {
		p.paused = false
		g.client.ResumeFetchPartitions(map[string][]int32{p.topic: {p.partition}})
	}
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

// isGone tells whether what is missing never comes back.
func isGone(err error) bool {
	return errors.Is(err, ErrGap) || errors.Is(err, ErrFenced) || errors.Is(err, schemas.ErrDamaged)
}

// isFatal tells whether waiting does not help at the start.
func isFatal(err error) bool {
	return isGone(err) || errors.Is(err, ErrNoTopic) || errors.Is(err, kerr.UnknownTopicOrPartition) ||
		errors.Is(err, kerr.SaslAuthenticationFailed) || errors.Is(err, kerr.TopicAuthorizationFailed)
}
