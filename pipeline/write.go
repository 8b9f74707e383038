package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seamline/seamline/pipeline/state"
	"github.com/seamline/seamline/schemas"
	"github.com/seamline/seamline/schemas/fault"
)

func (l *Line) write(ctx context.Context, in <-chan work, checkpoints chan<- *state.Checkpoint, free chan<- *schemas.Batch) error {
	for w := range in {
		early := fault.Off(fault.Order) && w.checkpoint != nil
		if early {
			if err := send(ctx, checkpoints, w.checkpoint); err != nil {
				return err
			}
		}
		if b := w.batch; b != nil {
			if !b.Written {
				if err := l.writeBatch(ctx, b); err != nil {
					return err
				}
			}
			l.cfg.Journal.Finished(b.Number)
			l.cfg.Metrics.observe(b, l.cfg.Clock())
			b.Reset() // its records need not wait for the next turn of the batch
			free <- b
		}
		if w.checkpoint != nil && !early {
			if err := send(ctx, checkpoints, w.checkpoint); err != nil {
				return err
			}
		}
	}
	return nil
}

func send[T any](ctx context.Context, to chan<- T, v T) error {
	select {
	case to <- v:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// writeBatch makes the intent durable, and then the batch in every sink, side by side.
func (l *Line) writeBatch(ctx context.Context, b *schemas.Batch) error {
	var blocks []schemas.Block
	for _, s := range l.cfg.Sinks {
		if p, ok := s.(schemas.Planner); ok {
			blocks = append(blocks, p.Plan(b)...)
		}
	}
	fault.At(fault.PointPlanned)
	if b.Intent != nil {
		if err := diverged(b, blocks); err != nil && !fault.Off(fault.Checksum) {
			return err
		}
	} else if !fault.Off(fault.Intent) {
		intent := schemas.IntentOf(b, l.cfg.Rules, blocks)
		if err := l.cfg.Journal.Write(ctx, &intent); err != nil {
			return fmt.Errorf("write the intent of batch %d: %w", b.Number, err)
		}
	}
	fault.At(fault.PointIntent)
	group, ctx := errgroup.WithContext(ctx)
	for _, s := range l.cfg.Sinks {
		group.Go(func() error { return l.writeSink(ctx, s, b) })
	}
	err := group.Wait()
	fault.At(fault.PointWritten)
	return err
}

// diverged holds what a replayed batch is about to write against its intent. Intents that were read from the tables name no blocks.
func diverged(b *schemas.Batch, blocks []schemas.Block) error {
	want := b.Intent.Blocks
	if len(want) == 0 {
		return nil
	}
	for i := range max(len(want), len(blocks)) {
		var w, g schemas.Block
		if i < len(want) {
			w = want[i]
		}
		if i < len(blocks) {
			g = blocks[i]
		}
		if w != g {
			return fmt.Errorf("%w: batch %d, block %d: it was %d rows of %q partition %q with digest %016x, and is %d rows of %q partition %q with digest %016x. "+
				"Nothing was written; if the build or the rules were changed, go back to the earlier ones or rebuild with seamline replay --from-start",
				ErrDiverged, b.Number, i, w.Rows, w.Table, w.Partition, w.Digest, g.Rows, g.Table, g.Partition, g.Digest)
		}
	}
	return nil
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
		case <-time.After(wait + jitter(l.cfg.Clock(), wait/2)):
		case <-ctx.Done():
		}
		wait = min(2*wait, retryWaitMax)
	}
}

// commitAll stores checkpoints one after another, beside the writing of the next batches, and has them copied.
func (l *Line) commitAll(ctx context.Context, source Source, in <-chan *state.Checkpoint) error {
	for c := range in {
		if err := l.commit(ctx, source, c); err != nil {
			return err
		}
		l.storing.Store(false)
	}
	l.backup.finish(ctx)
	return nil
}

// commit is the only place where state and positions become durable: after the last sink. A full disk it sits out: the journal has
// everything since the last checkpoint.
func (l *Line) commit(ctx context.Context, source Source, c *state.Checkpoint) error {
	c.SetJournal(l.cfg.Journal.Offset(c.Batch()))
	for {
		data, err := c.Commit(l.backup != nil)
		if err == nil {
			l.backup.add(ctx, c.Batch(), data)
			break
		}
		if !errors.Is(err, state.ErrFull) {
			return err
		}
		l.cfg.Health.Set("state directory", err)
		l.cfg.Log.Error("a checkpoint cannot be stored; trying again", "wait_ms", retryWaitMax.Milliseconds(), "err", err)
		select {
		case <-time.After(retryWaitMax):
		case <-ctx.Done():
			return fmt.Errorf("stopped without the last checkpoint, which the journal makes good: %w", err)
		}
	}
	fault.At(fault.PointCheckpoint)
	l.cfg.Health.Set("state directory", nil)
	l.cfg.Metrics.checkpointed(l.cfg.Clock())
	if err := source.Committed(ctx, l.cfg.Store.Point().Positions); err != nil {
		// These offsets are for lag monitors only; the store's positions count.
		l.cfg.Log.Warn("could not export consumer offsets", "err", err)
	}
	fault.At(fault.PointOffsets)
	return nil
}
