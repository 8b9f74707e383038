package main

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/seamline/seamline/cmd/seamline/bench"
	"github.com/seamline/seamline/pipeline/score"
	"github.com/seamline/seamline/pipeline/slab"
	"github.com/seamline/seamline/schemas"
)

const (
	scoreNanosMax  = 400.0 // of the update of the state by one event, at scorePeople
	scoreAllocsMax = 0.01  // per event
	scoreGrowthMax = 1.5   // from the smallest to the largest number of profiles

	scorePeople    = 1_000_000
	scoreMost      = 10_000_000
	scoreBytesMax  = 12 << 30 // that the state of the largest size may take
	scoreFirst     = 6        // events per person before anything is measured
	scoreChunk     = 2_000    // events in a batch
	scoreChunks    = 200      // that are measured, half of them as updates alone
	scoreSaveEvery = 40       // chunks between checkpoints
)

// scoring measures the score stage on one thread: the update of a person's state by an event, with what time alone does, at several numbers
// of profiles; the whole step of the line, in which the person is looked at as well; a row with all scores; and a fit.
func (b *benchRun) scoring(ctx context.Context) error {
	sizes := []int{100_000, scorePeople}
	update, step := &bench.Law{Name: "update of a person's state", X: "profiles", Y: "CPU ns per event"},
		&bench.Law{Name: "step of the score stage", X: "profiles", Y: "CPU ns per event"}
	b.part.Laws = append(b.part.Laws, update, step)
	for i := 0; i < len(sizes); i++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		people := sizes[i]
		r, err := measureScoring(people)
		if err != nil {
			return err
		}
		b.say("%d profiles: update %.0f ns, step %.0f ns, %.4f allocations per event, %.0f bytes per profile, row %.0f ns, fit %.0f ms",
			people, r.update, r.step, r.allocs, r.bytes, r.row, 1e3*r.fit)
		update.Points = append(update.Points, bench.Point{X: float64(people), Y: r.update})
		step.Points = append(step.Points, bench.Point{X: float64(people), Y: r.step})
		b.addScoring(people, r)
		if most := min(scoreMost, int(scoreBytesMax/r.bytes)); !b.isShort && people == scorePeople && most > people {
			sizes = append(sizes, most)
		}
	}
	update.Slope, step.Slope = bench.Slope(update.Points), bench.Slope(step.Points)
	first, last := update.Points[0], update.Points[len(update.Points)-1]
	b.part.Targets = append(b.part.Targets, bench.AtMost(fmt.Sprintf("update of a person's state, %.0f profiles against %.0f", last.X, first.X),
		last.Y/first.Y, scoreGrowthMax, "times"))
	return nil
}

// addScoring puts what one size gave into the report.
func (b *benchRun) addScoring(people int, r scoringResult) {
	at := fmt.Sprintf(", %d profiles", people)
	b.part.Add("CPU per event, update of the state"+at, r.update, "ns")
	b.part.Add("CPU per event, whole step"+at, r.step, "ns")
	b.part.Add("state per profile"+at, r.bytes, "bytes")
	b.part.Add("CPU per row with all scores"+at, r.row, "ns")
	b.part.Add("CPU of a fit"+at, r.fit, "s")
	b.part.Targets = append(b.part.Targets, bench.AtMost("allocations per event, update of the state"+at, r.allocs, scoreAllocsMax, ""))
	if people == scorePeople {
		b.part.Targets = append(b.part.Targets, bench.AtMost("CPU per event, update of the state"+at, r.update, scoreNanosMax, "ns").
			With(fmt.Sprintf("median of %d batches", scoreChunks/2)))
	}
}

// scoringResult is what one size gave: nanoseconds of CPU time per event and per row, and seconds of CPU time for a fit.
type scoringResult struct{ update, step, allocs, bytes, row, fit float64 }

// measureScoring fills a stage with the events of a day and measures it.
func measureScoring(people int) (r scoringResult, err error) {
	space, err := slab.NewSpace(slab.Config{})
	if err != nil {
		return r, err
	}
	defer space.Close()
	d := newScoreDriver(people, space)
	for range scoreFirst * people / scoreChunk {
		if err := d.run(d.crowd.batch(), true); err != nil {
			return r, err
		}
	}
	if err := d.save(); err != nil {
		return r, err
	}
	r.bytes = float64(space.Bytes()) / float64(people)
	if r.update, r.step, r.allocs, err = d.chunks(); err != nil {
		return r, err
	}
	if r.row, err = d.rows(); err != nil {
		return r, err
	}
	r.fit, err = d.fit()
	return r, err
}

// scoreDriver sends events through the stage as the line does.
type scoreDriver struct {
	stage  *score.Stage
	crowd  *scoreCrowd
	batch  schemas.Batch
	moment schemas.Moment
}

func newScoreDriver(people int, space *slab.Space) *scoreDriver {
	cfg := score.DefaultConfig()
	stage := score.New(cfg, scoreGraph{}, space, newRegistry())
	stage.Serve(func(*schemas.Event, schemas.Fields) schemas.Fields { return 0 }) // no rules read anything
	return &scoreDriver{stage: stage, crowd: newScoreCrowd(people)}
}

// run takes a batch through the stage, up to its rows. Where the people of events are looked at, it is the whole step, else the update alone.
func (d *scoreDriver) run(events []*schemas.Event, looks bool) error {
	b, m := &d.batch, &d.moment
	b.Number++
	b.Events, b.StageChanges, b.SessionAliases, b.Models = events, b.StageChanges[:0], b.SessionAliases[:0], b.Models[:0]
	if err := d.stage.Begin(b); err != nil {
		return err
	}
	for _, e := range events {
		m.Event, m.Clock, m.Touched = e, e.Time, m.Touched[:0]
		if looks {
			m.Touched = append(m.Touched, schemas.Touch{Profile: e.Profile})
		}
		if err := d.stage.Step(b, m); err != nil {
			return err
		}
	}
	return nil
}

// chunks measures updates alone and whole steps in turn, so that what else the machine does meets both.
func (d *scoreDriver) chunks() (update, step, allocs float64, err error) {
	var spent [2][]float64
	var before, after runtime.MemStats
	allocated := uint64(0)
	for i := range scoreChunks {
		events := d.crowd.batch()
		runtime.ReadMemStats(&before)
		begin := ownCPU()
		if err := d.run(events, i%2 == 1); err != nil {
			return 0, 0, 0, err
		}
		spent[i%2] = append(spent[i%2], (ownCPU()-begin)*1e9/scoreChunk)
		runtime.ReadMemStats(&after)
		if i%2 == 0 {
			allocated += after.Mallocs - before.Mallocs
		}
		if i%scoreSaveEvery == scoreSaveEvery-1 {
			if err := d.save(); err != nil {
				return 0, 0, 0, err
			}
		}
	}
	return bench.SpreadOf(spent[0]).Median, bench.SpreadOf(spent[1]).Median, float64(allocated) / (scoreChunk * scoreChunks / 2), nil
}

// rows measures rows of people at random, most of whom the caches do not hold.
func (d *scoreDriver) rows() (nanos float64, err error) {
	var spent []float64
	for range scoreChunks / 4 {
		if err := d.run(nil, false); err != nil {
			return 0, err
		}
		d.batch.Touched, d.batch.Profiles = d.batch.Touched[:0], d.batch.Profiles[:0]
		for range scoreChunk {
			d.batch.Touched = append(d.batch.Touched, schemas.Touch{Profile: d.crowd.anybody()})
		}
		slices.SortFunc(d.batch.Touched, func(a, b schemas.Touch) int { return int(a.Profile) - int(b.Profile) })
		d.batch.Touched = slices.CompactFunc(d.batch.Touched, func(a, b schemas.Touch) bool { return a.Profile == b.Profile })
		begin := ownCPU()
		if err := d.stage.Apply(&d.batch); err != nil {
			return 0, err
		}
		spent = append(spent, (ownCPU()-begin)*1e9/float64(len(d.batch.Touched)))
	}
	return bench.SpreadOf(spent).Median, nil
}

// fit measures the fit at the next midnight, when all sessions of the day are over.
func (d *scoreDriver) fit() (seconds float64, err error) {
	midnight := d.crowd.clock - d.crowd.clock%schemas.Day + schemas.Day
	wait := func(until schemas.Time) error {
		d.moment = schemas.Moment{Clock: until}
		return d.stage.Step(&d.batch, &d.moment)
	}
	if err := wait(midnight - 1); err != nil {
		return 0, err
	}
	models := len(d.batch.Models)
	begin := ownCPU()
	if err := wait(midnight); err != nil {
		return 0, err
	}
	seconds = ownCPU() - begin
	if len(d.batch.Models) == models {
		return 0, fmt.Errorf("nothing was fitted at %v", midnight.Std().Format(time.RFC3339))
	}
	return seconds, nil
}

// save makes a checkpoint that nobody keeps, so that the next events find nothing to be saved.
func (d *scoreDriver) save() error { return d.stage.Save(noShelf{}) }

// noShelf takes entries of state and forgets them.
type noShelf struct{}

func (noShelf) Put([]byte, []byte) error         { return nil }
func (noShelf) Delete([]byte) error              { return nil }
func (noShelf) DeleteRange([]byte, []byte) error { return nil }
