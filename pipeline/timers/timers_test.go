package timers

import (
	"flag"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seamline/seamline/pipeline/state/statetest"
	"github.com/seamline/seamline/schemas"
)

var seed = flag.Uint64("seed", 0, "seed of randomised tests; 0 draws one")

func random(t *testing.T) *rand.Rand {
	t.Helper()
	n := *seed
	if n == 0 {
		n = uint64(time.Now().UnixNano())
	}
	t.Logf("replay with -seed %d", n)
	return rand.New(rand.NewPCG(n, n))
}

// line drives a queue as the line does, and writes down every moment.
type line struct {
	q     *Queue
	ask   func(touched []schemas.Touch, clock schemas.Time) []schemas.Touch
	trace []schemas.Touch // profile, and the moment's clock
}

// moment steps one moment. Asked timers are those of ask.
func (l *line) moment(t *testing.T, clock schemas.Time, touched ...schemas.Touch) {
	t.Helper()
	m := &schemas.Moment{Clock: clock, Touched: touched}
	if l.ask != nil {
		m.Timers = l.ask(touched, clock)
	}
	for _, touch := range touched {
		l.trace = append(l.trace, schemas.Touch{Profile: touch.Profile, Due: clock})
	}
	if err := l.q.Step(&schemas.Batch{}, m); err != nil {
		t.Fatal(err)
	}
}

// advance moves the clock, and steps what falls due.
func (l *line) advance(t *testing.T, to schemas.Time) {
	t.Helper()
	for l.q.Advance(to); ; {
		touch, due := l.q.Next()
		if !due {
			return
		}
		l.moment(t, touch.Due, touch)
	}
}

// armed gives a function that asks for fixed timers once.
func armed(timers ...schemas.Touch) func([]schemas.Touch, schemas.Time) []schemas.Touch {
	return func([]schemas.Touch, schemas.Time) []schemas.Touch { return slices.Clone(timers) }
}

func TestEarliestFirst(t *testing.T) {
	t.Parallel()
	l := &line{q: New(nil, prometheus.NewRegistry())}
	l.advance(t, 100)
	l.ask = armed(schemas.Touch{Profile: 1, Due: 200}, schemas.Touch{Profile: 2, Due: 160}, schemas.Touch{Profile: 1, Due: 150},
		schemas.Touch{Profile: 3, Due: 300}, schemas.Touch{Profile: 4, Due: 160})
	l.moment(t, l.q.Now(), schemas.Touch{Profile: 4}, schemas.Touch{Profile: 3}, schemas.Touch{Profile: 2}, schemas.Touch{Profile: 1})
	l.ask, l.trace = nil, nil
	f := func(to schemas.Time, want ...schemas.Touch) {
		t.Helper()
		l.trace = nil
		if due := l.q.Due(to); due != (len(want) > 0) {
			t.Errorf("up to %d: due is %v", to, due)
		}
		if l.advance(t, to); !slices.Equal(l.trace, want) {
			t.Errorf("up to %d: got %v, want %v", to, l.trace, want)
		}
	}
	f(149)
	f(120) // the clock never goes back
	if now := l.q.Now(); now != 149 {
		t.Errorf("the clock shows %d, want 149", now)
	}
	f(170, schemas.Touch{Profile: 1, Due: 150}, schemas.Touch{Profile: 2, Due: 160}, schemas.Touch{Profile: 4, Due: 160})
	// Profile 3 is touched and asks for nothing: its timer is gone.
	l.moment(t, l.q.Now(), schemas.Touch{Profile: 3})
	f(1000)
	// A timer armed for the past is given as of the last moment.
	l.ask = armed(schemas.Touch{Profile: 5, Due: 10})
	l.moment(t, l.q.Now(), schemas.Touch{Profile: 5})
	l.ask = nil
	f(1001, schemas.Touch{Profile: 5, Due: 1000})
}

func TestCall(t *testing.T) {
	t.Parallel()
	l := &line{q: New(nil, prometheus.NewRegistry())}
	l.q.Call(9) // before the clock was ever set
	l.advance(t, 100)
	l.ask = armed(schemas.Touch{Profile: 1, Due: 200}, schemas.Touch{Profile: 2, Due: 300})
	l.moment(t, 100, schemas.Touch{Profile: 1}, schemas.Touch{Profile: 2})
	l.ask = nil
	again := New(nil, prometheus.NewRegistry())
	statetest.Shelf{}.Restart(t, l.q, again)
	l.q = again
	l.q.Call(7)
	l.q.Call(2)
	l.advance(t, 250)
	want := []schemas.Touch{{Profile: 9, Due: 1}, {Profile: 1, Due: 100}, {Profile: 2, Due: 100}, {Profile: 2, Due: 100}, {Profile: 7, Due: 100}, {Profile: 1, Due: 200}}
	if !slices.Equal(l.trace, want) {
		t.Errorf("got %v, want %v", l.trace, want)
	}
}

// happening is an event as far as timers are concerned.
type happening struct {
	at      schemas.Time
	touched []uint32
}

// wanted is when a profile touched at a time asks to be looked at again: not at all, once or twice.
func wanted(profile uint32, clock schemas.Time) []schemas.Time {
	n := (uint64(profile)*0x9e3779b97f4a7c15 ^ uint64(clock)*0xbf58476d1ce4e5b9) >> 20
	switch n % 8 {
	case 0, 1:
		return nil
	case 2:
		return []schemas.Time{clock + 1 + schemas.Time(n>>8%500), clock + 1 + schemas.Time(n>>16%900)}
	}
	return []schemas.Time{clock + 1 + schemas.Time(n>>8%900)}
}

func ask(touched []schemas.Touch, clock schemas.Time) (timers []schemas.Touch) {
	for _, touch := range touched {
		for _, at := range wanted(touch.Profile, clock) {
			timers = append(timers, schemas.Touch{Profile: touch.Profile, Due: at})
		}
	}
	return timers
}

// oracle gives the moments that a list of happenings must have, by looking through all timers each time.
func oracle(list []happening) (trace []schemas.Touch) {
	due := map[uint32]schemas.Time{}
	var clock, moment schemas.Time
	touch := func(profiles ...uint32) {
		for _, p := range profiles {
			trace = append(trace, schemas.Touch{Profile: p, Due: moment})
			delete(due, p)
			for _, at := range wanted(p, moment) {
				if old, ok := due[p]; !ok || at < old {
					due[p] = at
				}
			}
		}
	}
	for _, h := range list {
		clock = max(clock, h.at)
		for {
			best := uint32(0)
			for p, at := range due {
				if at <= clock && (best == 0 || at < due[best] || at == due[best] && p < best) {
					best = p
				}
			}
			if best == 0 {
				break
			}
			moment = max(moment, due[best])
			touch(best)
		}
		moment = clock
		touch(h.touched...)
	}
	return trace
}

// TestCuts: wherever batches are cut and the process is started anew, the same moments come, and the same state is saved.
func TestCuts(t *testing.T) {
	t.Parallel()
	rng := random(t)
	var list []happening
	at := schemas.Time(1000)
	for range 3000 {
		at += schemas.Time(rng.IntN(40))
		h := happening{at: at - schemas.Time(rng.IntN(2)*rng.IntN(100))}
		for range 1 + rng.IntN(4) {
			if p := 1 + rng.Uint32N(200); !slices.Contains(h.touched, p) {
				h.touched = append(h.touched, p)
			}
		}
		list = append(list, h)
	}
	want := oracle(list)
	var saved statetest.Shelf
	for _, size := range []int{1, 7, 100, len(list)} {
		l := &line{q: New(nil, prometheus.NewRegistry()), ask: ask}
		kept := statetest.Shelf{}
		for batch := range slices.Chunk(list, size) {
			for _, h := range batch {
				l.advance(t, h.at)
				touched := make([]schemas.Touch, 0, len(h.touched))
				for _, p := range h.touched {
					touched = append(touched, schemas.Touch{Profile: p})
				}
				l.moment(t, l.q.Now(), touched...)
			}
			if err := l.q.Apply(&schemas.Batch{}); err != nil {
				t.Fatal(err)
			}
			switch rng.IntN(4) {
			case 0:
				again := New(nil, prometheus.NewRegistry())
				kept.Restart(t, l.q, again)
				l.q = again
			case 1:
				kept.Save(t, rng, l.q)
			}
		}
		if !slices.Equal(l.trace, want) {
			t.Fatalf("batches of %d: %d moments, want %d; they differ", size, len(l.trace), len(want))
		}
		if err := l.q.Save(kept); err != nil {
			t.Fatal(err)
		}
		if saved != nil && !kept.Equal(saved) {
			t.Fatalf("batches of %d: the saved state differs", size)
		}
		saved = kept
	}
}

func TestDamagedEntries(t *testing.T) {
	t.Parallel()
	for _, s := range []statetest.Shelf{{"a": {1}}, {"b\x00\x00\x00\x01": {1, 2}}, {"c": make([]byte, 8)}, {"b": make([]byte, 8)}} {
		if err := New(nil, prometheus.NewRegistry()).Load(s); err == nil {
			t.Errorf("%q is loaded", s)
		}
	}
}

// TestHeapIsTidied: timers that are replaced again and again take no room.
func TestHeapIsTidied(t *testing.T) {
	t.Parallel()
	l := &line{q: New(nil, prometheus.NewRegistry())}
	for n := range 10 * heapSlack {
		clock := schemas.Time(n + 1)
		l.ask = armed(schemas.Touch{Profile: 3, Due: clock + 1_000_000})
		l.advance(t, clock)
		l.moment(t, clock, schemas.Touch{Profile: 3})
		// Another comes, goes, and comes back for the same time.
		l.ask = nil
		l.moment(t, clock, schemas.Touch{Profile: 4})
		l.ask = armed(schemas.Touch{Profile: 4, Due: 3_000_000})
		l.moment(t, clock, schemas.Touch{Profile: 4})
		if err := l.q.Apply(&schemas.Batch{}); err != nil {
			t.Fatal(err)
		}
	}
	if l.q.heap.count > heapSlack+4 || l.q.count != 2 {
		t.Errorf("%d entries for %d timers", l.q.heap.count, l.q.count)
	}
	if touch, due := l.q.Next(); due {
		t.Errorf("%v is due", touch)
	}
	l.q.Advance(2_000_000)
	if touch, due := l.q.Next(); !due || touch.Due != 10*heapSlack+1_000_000 {
		t.Errorf("got %v, %v", touch, due)
	}
}

func BenchmarkStep(b *testing.B) {
	const profiles = 100_000
	q := New(nil, prometheus.NewRegistry())
	m := &schemas.Moment{Touched: make([]schemas.Touch, 1)}
	batch := &schemas.Batch{}
	b.ReportAllocs()
	for n := range b.N {
		clock := schemas.Time(n + 1)
		p := uint32(n*7919%profiles) + 1
		m.Clock, m.Touched[0] = clock, schemas.Touch{Profile: p}
		m.Timers = append(m.Timers[:0], schemas.Touch{Profile: p, Due: clock + profiles/2}, schemas.Touch{Profile: p, Due: clock + profiles})
		for q.Advance(clock); ; {
			if _, due := q.Next(); !due {
				break
			}
		}
		if err := q.Step(batch, m); err != nil {
			b.Fatal(err)
		}
		if n%10_000 == 0 {
			if err := q.Apply(batch); err != nil {
				b.Fatal(err)
			}
		}
	}
}
