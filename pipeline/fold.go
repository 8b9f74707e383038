package pipeline

import (
	"fmt"
	"time"

	"github.com/seamline/seamline/schemas"
)

// fold takes a batch through the folders moment by moment: each event, and before it each timer that falls due by then. What one moment
// changed is known to all folders before the next, so that no result depends on where batches are cut.
type fold struct {
	folders []schemas.Folder
	clock   schemas.Clock // one of the folders; nil for none
	now     func() time.Time
	moment  schemas.Moment
	moments int // of the batch
	cooler  cooler
	took    []time.Duration // by folder, for the batch
	sampled []time.Duration
}

// sampleEvery says of how many moments one is timed by folder: reading the clock for each would cost more than many a moment.
const sampleEvery = 64

// split divides the stages into those that take whole batches and the folders behind them.
func split(cfg Config) ([]schemas.Stage, *fold) {
	f := &fold{now: cfg.Clock, cooler: cooler{cool: cfg.Cool}}
	var before []schemas.Stage
	for _, s := range cfg.Stages {
		folder, ok := s.(schemas.Folder)
		switch {
		case ok:
			f.folders = append(f.folders, folder)
			if c, ok := s.(schemas.Clock); ok {
				f.clock = c
			}
		case len(f.folders) > 0:
			panic(fmt.Sprintf("pipeline: stage %s takes whole batches and stands behind a folder", s.Name()))
		default:
			before = append(before, s)
		}
	}
	f.took, f.sampled = make([]time.Duration, len(f.folders)), make([]time.Duration, len(f.folders))
	return before, f
}

// apply folds a batch.
func (f *fold) apply(b *schemas.Batch) error {
	clear(f.took)
	clear(f.sampled)
	f.moments = 0
	for i, s := range f.folders {
		at := f.now()
		if err := s.Begin(b); err != nil {
			return fmt.Errorf("%s: batch %d: %w", s.Name(), b.Number, err)
		}
		f.took[i] = f.now().Sub(at)
	}
	steps := f.now()
	for i, e := range b.Events {
		// An event from the future is not let to move the clock: it would make everybody else's time pass.
		if err := f.advance(b, min(e.Time, max(e.Record.Time, b.Latest))); err != nil {
			return err
		}
		f.begin(e)
		if err := f.step(b, i%sampleEvery == 0); err != nil {
			return err
		}
	}
	// A batch without records that nothing falls due in is not remembered, and so must leave no trace: the clock stays.
	if len(b.Ranges) > 0 || f.clock != nil && f.clock.Due(b.Advance) {
		if err := f.advance(b, b.Advance); err != nil {
			return err
		}
	}
	f.apportion(f.now().Sub(steps))
	for i, s := range f.folders {
		at := f.now()
		if err := s.Apply(b); err != nil {
			return fmt.Errorf("%s: batch %d: %w", s.Name(), b.Number, err)
		}
		f.took[i] += f.now().Sub(at)
	}
	return nil
}

// advance moves the clock, and steps through the timers that fall due on the way, each at its own time.
func (f *fold) advance(b *schemas.Batch, to schemas.Time) error {
	if f.clock == nil {
		return nil
	}
	f.clock.Advance(to)
	for {
		due, ok := f.clock.Next()
		if !ok {
			return nil
		}
		f.begin(nil)
		f.moment.Clock = due.Due
		f.moment.Touched = append(f.moment.Touched, due)
		if err := f.step(b, false); err != nil {
			return err
		}
	}
}

// begin makes the moment's memory ready.
func (f *fold) begin(e *schemas.Event) {
	m := &f.moment
	f.moments++
	*m = schemas.Moment{Event: e, Touched: m.Touched[:0], Profiles: m.Profiles[:0], Timers: m.Timers[:0]}
	if f.clock != nil {
		m.Clock = f.clock.Now()
	}
}

// step takes the moment through the folders.
func (f *fold) step(b *schemas.Batch, isSample bool) error {
	if err := f.cooler.step(); err != nil {
		return fmt.Errorf("batch %d: %w", b.Number, err)
	}
	if !isSample {
		for _, s := range f.folders {
			if err := s.Step(b, &f.moment); err != nil {
				return fmt.Errorf("%s: batch %d: %w", s.Name(), b.Number, err)
			}
		}
		return nil
	}
	at := f.now()
	for i, s := range f.folders {
		if err := s.Step(b, &f.moment); err != nil {
			return fmt.Errorf("%s: batch %d: %w", s.Name(), b.Number, err)
		}
		then := f.now()
		f.sampled[i] += then.Sub(at)
		at = then
	}
	return nil
}

// apportion divides the time of all steps among the folders as the samples were.
func (f *fold) apportion(all time.Duration) {
	total := time.Duration(0)
	for _, d := range f.sampled {
		total += d
	}
	for i, d := range f.sampled {
		if total > 0 {
			f.took[i] += time.Duration(float64(all) * float64(d) / float64(total))
		}
	}
}
