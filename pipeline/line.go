// Package pipeline is the line: batches come in from a source, walk the stages in order, and go out to the sinks.
// What goes out is committed together with its positions, at one call site, after the last sink.
// It never looks into an event: what a batch means is the stages' business.
package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seamline/seamline/pipeline/state"
	"github.com/seamline/seamline/schemas"
	"github.com/seamline/seamline/schemas/fault"
)

// Source gathers batches. Next fills the batch's records, ranges and clock reading; it returns io.EOF when it has caught up and
// was told to stop there. A batch without records is a tick: time has passed.
type Source interface {
	Next(ctx context.Context, b *schemas.Batch) error
	// Committed tells the source that everything up to these positions is durable, for lag monitors.
	Committed(ctx context.Context, positions []schemas.Range) error
}

// Limits of the line.
const (
	inFlightMax   = 1                      // batches between the stages and the sinks
	retryWaitMin  = 100 * time.Millisecond // first wait after a failed write
	retryWaitMax  = 10 * time.Second
	finishWaitMax = 8 * time.Second // for the batches in hand when the line is told to stop
)

// Journal makes intents durable, each before its batch is written anywhere.
type Journal interface {
	Write(ctx context.Context, i *schemas.Intent) error
	// Finished says that all sinks have a batch.
	Finished(batch uint64)
	// Offset gives where to look for what comes after a batch.
	Offset(batch uint64) int64
}

// Config is what a line is made of.
type Config struct {
	Stages          []schemas.Stage
	Sinks           []schemas.Sink
	Store           *state.Store
	Journal         Journal
	Rules           string        // digest of the settings that results depend on
	Installation    string        // the tables that are written to
	Backup          Backup        // nil for none
	BackupEvery     time.Duration // how often checkpoints are copied
	BackupBytesMax  int           // of changes that wait to be copied; beyond, a new base is made instead; 0 for the default
	Leads           func() bool   // whether this instance, and no other, makes the copies
	Room            func() error  // called before each batch: keeps the memory's ceiling
	Cool            func() error  // called every few moments and entries of state: keeps the ceiling within a batch and a checkpoint; nil for nothing
	CheckpointEvery time.Duration
	CheckpointMax   int              // moments after which a checkpoint is made early, so that none holds the line for long; 0 for the default
	Clock           func() time.Time // for durations only, never for results
	Metrics         *Metrics
	Log             *slog.Logger
	Health          *Health
}

// Errors that end the line.
var (
	// ErrDiverged says that a replay made other rows than the batch had at first: something is not deterministic.
	ErrDiverged = errors.New("the replay of a batch does not give the rows that it had at first")
	// ErrRules says that batches are in doubt that were decided on under other settings.
	ErrRules = errors.New("settings that results depend on have changed while batches were in doubt")
)

// Line moves batches from a source through stages to sinks.
type Line struct {
	cfg     Config
	before  []schemas.Stage // those that take whole batches
	fold    *fold
	keepers []schemas.Keeper

	number    uint64          // of the last batch that was processed
	positions []schemas.Range // after that batch
	storing   atomic.Bool     // a checkpoint is on its way to the store
	backup    *backup
}

// checkpointMax is what CheckpointMax is by default. Collecting what so many moments changed holds the line for about a tenth of a second;
// with fewer, those who come again and again are stored more often.
const checkpointMax = 500_000

// New makes a line, and loads the state of its stages from the store.
func New(cfg Config) (*Line, error) {
	cfg.CheckpointMax = cmp.Or(cfg.CheckpointMax, checkpointMax)
	cfg.BackupBytesMax = cmp.Or(cfg.BackupBytesMax, backupBytesMax)
	point := cfg.Store.Point()
	l := &Line{cfg: cfg, number: point.Batch, positions: append([]schemas.Range(nil), point.Positions...), backup: newBackup(cfg)}
	for _, s := range cfg.Stages {
		if k, ok := s.(schemas.Keeper); ok {
			l.keepers = append(l.keepers, cooled{Keeper: k, cooler: &cooler{cool: cfg.Cool}})
		}
	}
	l.before, l.fold = split(cfg)
	if err := cfg.Store.Load(l.keepers); err != nil {
		return nil, err
	}
	return l, nil
}

// work is one batch on its way to the sinks; a work without a batch carries the last checkpoint of a stopping line.
type work struct {
	batch      *schemas.Batch
	checkpoint *state.Checkpoint
}

// Run moves batches until the source ends, the context does, or something fails for good. Batches in hand are finished and
// committed first, under a deadline of their own.
func (l *Line) Run(ctx context.Context, source Source) error {
	// The writing side outlives ctx by finishWaitMax, so that a graceful stop drains.
	finish, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	stopped := context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(finishWaitMax, func() { cancel(errors.New("stopped before the batches in hand were written")) })
		context.AfterFunc(finish, func() { timer.Stop() })
	})
	defer stopped()

	group, working := errgroup.WithContext(finish)
	gathering, stopGathering := context.WithCancel(ctx)
	defer stopGathering()
	context.AfterFunc(working, stopGathering)

	gathered := make(chan *schemas.Batch, 1)
	written := make(chan work, inFlightMax)
	checkpoints := make(chan *state.Checkpoint, 1)
	free := make(chan *schemas.Batch, inFlightMax+2)
	for range cap(free) {
		free <- &schemas.Batch{}
	}
	group.Go(func() error { defer close(gathered); return l.gather(gathering, source, free, gathered) })
	group.Go(func() error { defer close(written); return l.process(working, gathered, written, free) })
	group.Go(func() error { defer close(checkpoints); return l.write(working, written, checkpoints, free) })
	group.Go(func() error { return l.commitAll(working, source, checkpoints) })
	if err := group.Wait(); err != nil {
		return err
	}
	return context.Cause(finish)
}

func (l *Line) gather(ctx context.Context, source Source, free <-chan *schemas.Batch, out chan<- *schemas.Batch) error {
	for {
		var b *schemas.Batch
		select {
		case b = <-free:
		case <-ctx.Done():
			return nil
		}
		b.Reset()
		if err := source.Next(ctx, b); err != nil {
			if errors.Is(err, io.EOF) || ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("gather: %w", err)
		}
		select {
		case out <- b:
		case <-ctx.Done():
			return nil
		}
	}
}

func (l *Line) process(ctx context.Context, in <-chan *schemas.Batch, out chan<- work, free chan<- *schemas.Batch) error {
	saved, collected, moments := l.cfg.Clock(), l.number, 0
	for b := range in {
		fault.At(fault.PointGathered)
		b.Number = l.number + 1
		if err := l.checkIntent(b); err != nil {
			return err
		}
		if err := l.apply(b); err != nil {
			return err
		}
		var w work
		if b.Empty() {
			free <- b // a tick at which nothing fell due
		} else {
			l.number, w.batch = b.Number, b
			if !b.Rewind {
				l.positions = advance(l.positions, b.Ranges)
			}
			moments += l.fold.moments
		}
		now := l.cfg.Clock()
		isDue := now.Sub(saved) >= l.cfg.CheckpointEvery || moments >= l.cfg.CheckpointMax
		if isDue && l.number != collected && l.storing.CompareAndSwap(false, true) {
			c, err := l.collect()
			if err != nil {
				return err
			}
			w.checkpoint, saved, collected, moments = c, now, l.number, 0
		}
		if w.batch == nil && w.checkpoint == nil {
			continue
		}
		if err := send(ctx, out, w); err != nil {
			return nil // the writing side says why it takes no more
		}
	}
	if l.number == collected {
		return nil
	}
	c, err := l.collect()
	if err != nil {
		return err
	}
	// A deadline that has passed is no error here: the journal makes the last checkpoint good.
	_ = send(ctx, out, work{checkpoint: c})
	return nil
}

// checkIntent holds a replayed batch against what it is to be.
func (l *Line) checkIntent(b *schemas.Batch) error {
	switch i := b.Intent; {
	case i == nil:
		return nil
	case i.Batch != b.Number:
		return fmt.Errorf("%w: the intent of batch %d follows batch %d", schemas.ErrDamaged, i.Batch, l.number)
	case i.Rules != "" && i.Rules != l.cfg.Rules:
		return fmt.Errorf("%w: batch %d. Start once with the earlier settings and stop it, and then change them; "+
			"or rebuild everything under the new ones with seamline replay --from-start", ErrRules, i.Batch)
	}
	return nil
}

func (l *Line) collect() (*state.Checkpoint, error) {
	start := l.cfg.Clock()
	c, err := l.cfg.Store.Collect(l.keepers, l.number, append([]schemas.Range(nil), l.positions...))
	if err == nil {
		c.SetInstallation(l.cfg.Installation)
		l.cfg.Metrics.checkpointSeconds.Observe(l.cfg.Clock().Sub(start).Seconds())
		l.cfg.Metrics.checkpointBytes.Add(float64(c.Bytes()))
	}
	fault.At(fault.PointCollected)
	return c, err
}

// apply walks the batch through the stages.
func (l *Line) apply(b *schemas.Batch) error {
	if l.cfg.Room != nil {
		if err := l.cfg.Room(); err != nil {
			return fmt.Errorf("batch %d: %w", b.Number, err)
		}
	}
	for _, s := range l.before {
		start := l.cfg.Clock()
		if err := s.Apply(b); err != nil {
			return fmt.Errorf("%s: batch %d: %w", s.Name(), b.Number, err)
		}
		l.took(b, s, l.cfg.Clock().Sub(start))
	}
	b.CheckDecoded()
	fault.At(fault.PointDecoded)
	if err := l.fold.apply(b); err != nil {
		return err
	}
	for i, s := range l.fold.folders {
		l.took(b, s, l.fold.took[i])
	}
	b.CheckStitched()
	fault.At(fault.PointFolded)
	return nil
}

func (l *Line) took(b *schemas.Batch, s schemas.Stage, took time.Duration) {
	b.Took = append(b.Took, schemas.StageTook{Stage: s.Name(), Nanos: took.Nanoseconds()})
	l.cfg.Metrics.stageSeconds.WithLabelValues(s.Name()).Observe(took.Seconds())
}

// jitter gives less than span, so that processes that failed together do not all try again together. The clock's last digits are random
// enough for that, and a simulation can repeat them.
func jitter(now time.Time, span time.Duration) time.Duration {
	return time.Duration(now.UnixNano()) % span
}

// advance gives the positions after ranges were consumed.
func advance(positions, ranges []schemas.Range) []schemas.Range {
next:
	for _, r := range ranges {
		for i := range positions {
			if positions[i].Topic == r.Topic && positions[i].Partition == r.Partition {
				positions[i].To = r.To
				continue next
			}
		}
		positions = append(positions, schemas.Range{Topic: r.Topic, Partition: r.Partition, To: r.To})
	}
	return positions
}
