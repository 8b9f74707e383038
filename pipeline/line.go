// Package pipeline is the line: batches come in from a source, walk the stages in order, and go out to the sinks.
// What goes out is committed together with its positions, at one call site, after the last sink.
// It never looks into an event: what a batch means is the stages' business.
package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seamline/seamline/pipeline/state"
	"github.com/seamline/seamline/schemas"
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
	inFlightMax   = 2                      // batches between the stages and the sinks
	retryWaitMin  = 100 * time.Millisecond // first wait after a failed write
	retryWaitMax  = 10 * time.Second
	finishWaitMax = 8 * time.Second // for the batches in hand when the line is told to stop
)

// Config is what a line is made of.
type Config struct {
	Stages          []schemas.Stage
	Sinks           []schemas.Sink
	Store           *state.Store
	CheckpointEvery time.Duration
	Clock           func() time.Time // for durations only, never for results
	Metrics         *Metrics
	Log             *slog.Logger
	Health          *Health
}

// Line moves batches from a source through stages to sinks.
type Line struct {
	cfg     Config
	keepers []schemas.Keeper

	number    uint64          // of the last batch that was processed
	positions []schemas.Range // after that batch
}

// New makes a line, and loads the state of its stages from the store.
func New(cfg Config) (*Line, error) {
	point := cfg.Store.Point()
	l := &Line{cfg: cfg, number: point.Batch, positions: append([]schemas.Range(nil), point.Positions...)}
	for _, s := range cfg.Stages {
		if k, ok := s.(schemas.Keeper); ok {
			l.keepers = append(l.keepers, k)
		}
	}
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

	group, finish := errgroup.WithContext(finish)
	gathering, stopGathering := context.WithCancel(ctx)
	defer stopGathering()
	context.AfterFunc(finish, stopGathering)

	gathered := make(chan *schemas.Batch, 1)
	written := make(chan work, inFlightMax)
	free := make(chan *schemas.Batch, inFlightMax+3)
	for range cap(free) {
		free <- &schemas.Batch{}
	}
	group.Go(func() error { defer close(gathered); return l.gather(gathering, source, free, gathered) })
	group.Go(func() error { defer close(written); return l.process(finish, gathered, written, free) })
	group.Go(func() error { return l.write(finish, source, written, free) })
	return group.Wait()
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
	saved, from := l.cfg.Clock(), l.number
	for b := range in {
		b.Number = l.number + 1
		if err := l.apply(b); err != nil {
			return err
		}
		if b.Empty() {
			free <- b // a tick at which nothing fell due
			continue
		}
		l.number = b.Number
		l.positions = advance(l.positions, b.Ranges)
		w := work{batch: b}
		if now := l.cfg.Clock(); now.Sub(saved) >= l.cfg.CheckpointEvery {
			c, err := l.collect()
			if err != nil {
				return err
			}
			w.checkpoint, saved = c, now
		}
		select {
		case out <- w:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if l.number == from {
		return nil
	}
	c, err := l.collect()
	if err != nil {
		return err
	}
	select {
	case out <- work{checkpoint: c}:
	case <-ctx.Done():
	}
	return nil
}

func (l *Line) collect() (*state.Checkpoint, error) {
	start := l.cfg.Clock()
	c, err := l.cfg.Store.Collect(l.keepers, l.number, append([]schemas.Range(nil), l.positions...))
	if err == nil {
		l.cfg.Metrics.checkpointSeconds.Observe(l.cfg.Clock().Sub(start).Seconds())
		l.cfg.Metrics.checkpointBytes.Add(float64(c.Bytes()))
	}
	return c, err
}

// apply walks the batch through the stages.
func (l *Line) apply(b *schemas.Batch) error {
	for _, s := range l.cfg.Stages {
		start := l.cfg.Clock()
		if err := s.Apply(b); err != nil {
			return fmt.Errorf("%s: batch %d: %w", s.Name(), b.Number, err)
		}
		took := l.cfg.Clock().Sub(start)
		b.Took = append(b.Took, schemas.StageTook{Stage: s.Name(), Nanos: took.Nanoseconds()})
		l.cfg.Metrics.stageSeconds.WithLabelValues(s.Name()).Observe(took.Seconds())
	}
	b.CheckDecoded()
	b.CheckStitched()
	return nil
}

func (l *Line) write(ctx context.Context, source Source, in <-chan work, free chan<- *schemas.Batch) error {
	for w := range in {
		if w.batch != nil {
			if err := l.writeBatch(ctx, w.batch); err != nil {
				return err
			}
		}
		if err := l.commit(ctx, source, w); err != nil {
			return err
		}
		if w.batch != nil {
			l.cfg.Metrics.observe(w.batch, l.cfg.Clock())
			free <- w.batch
		}
	}
	return nil
}

// writeBatch stores the intent and then makes the batch durable in every sink, side by side.
func (l *Line) writeBatch(ctx context.Context, b *schemas.Batch) error {
	if err := l.cfg.Store.WriteIntent(b); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, s := range l.cfg.Sinks {
		group.Go(func() error { return l.writeSink(ctx, s, b) })
	}
	return group.Wait()
}

// writeSink writes until it succeeds, waiting longer after each failure, and ends only with ctx or a fatal error.
func (l *Line) writeSink(ctx context.Context, s schemas.Sink, b *schemas.Batch) error {
	start, wait := l.cfg.Clock(), retryWaitMin
	for {
		err := s.Write(ctx, b)
		if err == nil {
			l.cfg.Health.Set("write to "+s.Name(), nil)
			l.cfg.Metrics.sinkSeconds.WithLabelValues(s.Name()).Observe(l.cfg.Clock().Sub(start).Seconds())
			return nil
		}
		if errors.Is(err, schemas.ErrFatal) {
			return fmt.Errorf("write batch %d to %s: %w", b.Number, s.Name(), err)
		}
		if ctx.Err() != nil {
			return fmt.Errorf("write batch %d to %s: %w", b.Number, s.Name(), errors.Join(err, context.Cause(ctx)))
		}
		l.cfg.Health.Set("write to "+s.Name(), err)
		l.cfg.Metrics.retries.WithLabelValues(s.Name()).Inc()
		l.cfg.Log.Warn("sink failed, waiting to try again", "sink", s.Name(), "batch", b.Number, "wait_ms", wait.Milliseconds(), "err", err)
		select {
		case <-time.After(wait + rand.N(wait/2)):
		case <-ctx.Done():
		}
		wait = min(2*wait, retryWaitMax)
	}
}

// commit is the only place where state and positions become durable: after the last sink.
func (l *Line) commit(ctx context.Context, source Source, w work) error {
	if w.checkpoint == nil {
		return nil
	}
	if err := w.checkpoint.Commit(); err != nil {
		return err
	}
	l.cfg.Metrics.checkpointed(l.cfg.Clock())
	if err := source.Committed(ctx, l.cfg.Store.Point().Positions); err != nil {
		// These offsets are for lag monitors only; the store's positions count.
		l.cfg.Log.Warn("could not export consumer offsets", "err", err)
	}
	return nil
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
