package pipeline

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/seamline/seamline/pipeline/state"
	"github.com/seamline/seamline/schemas"
	"github.com/seamline/seamline/sinks/memory"
)

// tape is a source over one partition of numbered records, cut into batches of size; it replays intents first.
type tape struct {
	next, end int64
	size      int64
	replays   []schemas.Intent
	now       schemas.Time
	committed []schemas.Range
	block     bool         // at the end wait for the context instead of ending
	ticks     bool         // at the end give batches without records instead
	times     atomic.Int64 // how often positions were committed
}

func (s *tape) Next(ctx context.Context, b *schemas.Batch) error {
	from, to := s.next, min(s.next+s.size, s.end)
	b.Now = s.now
	switch {
	case len(s.replays) > 0:
		i := s.replays[0]
		i.Stamp(b)
		from, to, b.Intent, b.Written = i.Ranges[0].From, i.Ranges[0].To, &i, len(s.replays) > 1
		s.replays = s.replays[1:]
	case from >= s.end && s.ticks:
		select {
		case <-time.After(time.Second):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	case from >= s.end && s.block:
		<-ctx.Done()
		return ctx.Err()
	case from >= s.end:
		return io.EOF
	}
	s.now += schemas.Second
	b.Ranges = append(b.Ranges, schemas.Range{Topic: "t", From: from, To: to})
	for o := from; o < to; o++ {
		b.Records = append(b.Records, schemas.Record{Topic: "t", Offset: o, Time: schemas.Time(o + 1)})
	}
	s.next = to
	return nil
}

func (s *tape) Committed(_ context.Context, positions []schemas.Range) error {
	s.committed = positions
	s.times.Add(1)
	return nil
}

// tally is a stage with state: it turns each record into an event and counts them.
type tally struct{ count uint64 }

func (*tally) Name() string { return "tally" }

func (c *tally) Apply(b *schemas.Batch) error {
	for i := range b.Records {
		c.count++
		r := &b.Records[i]
		b.Events = append(b.Events, &schemas.Event{ID: fmt.Sprint(r.Offset, "=", c.count, "@", b.Now), Source: "tape", Type: schemas.TypeCustom,
			Channel: schemas.ChannelWeb, Time: r.Time, Record: r})
	}
	return nil
}

func (c *tally) Save(w schemas.StateWriter) error {
	return w.Put([]byte("n"), binary.BigEndian.AppendUint64(nil, c.count))
}

func (c *tally) Load(r schemas.StateReader) error {
	return r.Each(func(_, v []byte) error { c.count = binary.BigEndian.Uint64(v); return nil })
}

// diary is a journal in memory.
type diary struct{ intents []schemas.Intent }

func (d *diary) Write(_ context.Context, i *schemas.Intent) error {
	kept := *i
	kept.Ranges = slices.Clone(i.Ranges)
	d.intents = append(d.intents, kept)
	return nil
}

func (*diary) Finished(uint64)     {}
func (*diary) Offset(uint64) int64 { return 0 }
func (d *diary) after(batch uint64) []schemas.Intent {
	at := slices.IndexFunc(d.intents, func(i schemas.Intent) bool { return i.Batch > batch })
	if at < 0 {
		return nil
	}
	return slices.Clone(d.intents[at:])
}

// bench is a line over a store and a journal that survive restarts.
type bench struct {
	diary   diary
	fs      vfs.FS
	sink    *memory.Sink
	every   time.Duration
	reg     *prometheus.Registry
	health  *Health
	written []string
}

func newBench() *bench {
	return &bench{fs: vfs.NewMem(), sink: memory.New(), every: time.Nanosecond}
}

func (x *bench) run(ctx context.Context, t *testing.T, source *tape) error {
	t.Helper()
	store, err := state.Open(state.Config{Dir: "state", PipelineID: "test", FS: x.fs})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	source.replays = x.diary.after(store.Point().Batch)
	for _, p := range store.Point().Positions {
		source.next = p.To
	}
	x.reg, x.health = prometheus.NewRegistry(), NewHealth()
	stages, sinks := []schemas.Stage{&tally{}}, []schemas.Sink{x.sink}
	l, err := New(Config{Stages: stages, Sinks: sinks, Store: store, Journal: &x.diary, CheckpointEvery: x.every, Clock: time.Now,
		Metrics: NewMetrics(x.reg, stages, sinks), Log: slog.New(slog.DiscardHandler), Health: x.health})
	if err != nil {
		t.Fatal(err)
	}
	err = l.Run(ctx, source)
	x.written = x.written[:0]
	x.sink.Read(func() {
		for _, e := range x.sink.Events {
			x.written = append(x.written, e.ID)
		}
	})
	return err
}

func TestLineWritesInOrderAndCommits(t *testing.T) {
	t.Parallel()
	x, source := newBench(), &tape{end: 25, size: 4, now: 1}
	if err := x.run(t.Context(), t, source); err != nil {
		t.Fatal(err)
	}
	for i, id := range x.written {
		if !strings.HasPrefix(id, fmt.Sprint(i, "=", i+1, "@")) {
			t.Fatalf("event %d is %s", i, id)
		}
	}
	if len(x.written) != 25 || len(source.committed) != 1 || source.committed[0].To != 25 {
		t.Errorf("wrote %d events, committed %v; want 25 and up to 25", len(x.written), source.committed)
	}
	// Going on from the checkpoint repeats nothing.
	more := &tape{end: 30, size: 4, now: 100}
	if err := x.run(t.Context(), t, more); err != nil {
		t.Fatal(err)
	}
	if len(x.written) != 30 || !strings.HasPrefix(x.written[29], "29=30@") {
		t.Errorf("after the restart: %d events, the last %s", len(x.written), x.written[len(x.written)-1])
	}
}

// TestIdleLineStoresItsState: what the last batch changed is stored in time although no further batch comes, and only once.
func TestIdleLineStoresItsState(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		x, source := newBench(), &tape{end: 4, size: 4, now: 1, ticks: true}
		x.every = 5 * time.Second
		time.AfterFunc(time.Minute, cancel)
		var stored atomic.Int64
		time.AfterFunc(10*time.Second, func() { stored.Store(source.times.Load()) })
		if err := x.run(ctx, t, source); err != nil {
			t.Fatal(err)
		}
		if stored.Load() != 1 || source.times.Load() != 1 {
			t.Errorf("stored %d times within ten seconds, and %d times in all; want once", stored.Load(), source.times.Load())
		}
	})
}

var errSink = errors.New("the sink is down")

func TestSinkFailureIsRetriedUntilItWorks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		x, source := newBench(), &tape{end: 8, size: 4, now: 1}
		failures := 0
		x.sink.Fail = func(b *schemas.Batch, kept bool) error {
			if b.Number == 1 && !kept && failures < 20 {
				failures++
				return errSink
			}
			return nil
		}
		start := time.Now()
		if err := x.run(t.Context(), t, source); err != nil {
			t.Fatal(err)
		}
		if len(x.written) != 8 || failures != 20 {
			t.Errorf("wrote %d events after %d failures; want 8 after 20", len(x.written), failures)
		}
		if took := time.Since(start); took < time.Minute {
			t.Errorf("20 retries took %s: the waits do not grow", took)
		}
		if n := retries(t, x.reg); n != 20 {
			t.Errorf("the metric counts %v retries, want 20", n)
		}
	})
}

// retries reads the counter that operators see.
func retries(t *testing.T, reg *prometheus.Registry) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "seamline_line_retries_total" {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	return -1
}

func TestFatalSinkEndsTheLineAndCommitsNothing(t *testing.T) {
	t.Parallel()
	x, source := newBench(), &tape{end: 8, size: 4, now: 1}
	x.sink.Fail = func(*schemas.Batch, bool) error { return fmt.Errorf("%w: %w", schemas.ErrFatal, errSink) }
	if err := x.run(t.Context(), t, source); !errors.Is(err, errSink) {
		t.Fatalf("got error %v, want the sink's", err)
	}
	if source.committed != nil {
		t.Errorf("committed %v although nothing was written", source.committed)
	}
}

// TestReplayGivesTheSameBatches: rows that were written before a failure are written again, the same, and nothing is skipped.
func TestReplayGivesTheSameBatches(t *testing.T) {
	t.Parallel()
	for failAt := uint64(1); failAt <= 6; failAt++ {
		for _, after := range []bool{false, true} {
			x := newBench()
			x.every = time.Hour // no checkpoint but the last
			x.sink.Fail = func(b *schemas.Batch, kept bool) error {
				if b.Number == failAt && kept == after {
					return fmt.Errorf("%w: %w", schemas.ErrFatal, errSink)
				}
				return nil
			}
			if err := x.run(t.Context(), t, &tape{end: 24, size: 4, now: 1}); !errors.Is(err, errSink) {
				t.Fatalf("fail at %d: got error %v", failAt, err)
			}
			x.sink.Fail = nil
			// Other batch sizes and another clock: replayed batches must not care.
			if err := x.run(t.Context(), t, &tape{end: 24, size: 5, now: 1_000_000}); err != nil {
				t.Fatal(err)
			}
			byOffset := map[int64]map[string]bool{}
			x.sink.Read(func() {
				for _, e := range x.sink.Events {
					if byOffset[e.Offset] == nil {
						byOffset[e.Offset] = map[string]bool{}
					}
					byOffset[e.Offset][e.ID] = true
				}
			})
			for o := range int64(24) {
				if len(byOffset[o]) != 1 {
					t.Errorf("fail at %d, after %v: offset %d was written as %v; want one form", failAt, after, o, byOffset[o])
				}
			}
		}
	}
}

func TestGracefulStopDrains(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		x, source := newBench(), &tape{end: 12, size: 4, now: 1, block: true}
		x.sink.Fail = func(_ *schemas.Batch, kept bool) error {
			if !kept {
				time.Sleep(2 * time.Second) // virtual: a slow sink
			}
			return nil
		}
		time.AfterFunc(time.Second, cancel)
		if err := x.run(ctx, t, source); err != nil {
			t.Fatal(err)
		}
		// Everything gathered before the stop is written and committed.
		if len(x.written) == 0 || int64(len(x.written)) != source.next || source.committed[0].To != source.next {
			t.Errorf("gathered %d, wrote %d, committed %v", source.next, len(x.written), source.committed)
		}
	})
}

func TestStopDoesNotWaitForEverForADeadSink(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		x, source := newBench(), &tape{end: 12, size: 4, now: 1, block: true}
		x.sink.Fail = func(*schemas.Batch, bool) error { return errSink }
		time.AfterFunc(time.Minute, cancel)
		start := time.Now()
		err := x.run(ctx, t, source)
		if took := time.Since(start); took > time.Minute+finishWaitMax+retryWaitMax {
			t.Errorf("stopping took %s", took-time.Minute)
		}
		if !errors.Is(err, errSink) {
			t.Errorf("got error %v, want the sink's", err)
		}
		if ready, lines := x.health.Ready(); ready || !slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, "memory") }) {
			t.Errorf("ready %v, waiting for %v", ready, lines)
		}
	})
}
