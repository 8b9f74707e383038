package stitch

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/seamline/seamline/pipeline/slab"
	"github.com/seamline/seamline/pipeline/state"
	"github.com/seamline/seamline/schemas"
)

// randomLines makes events whose people, devices and kiosks meet often.
func randomLines(rng *rand.Rand, count int) []string {
	var lines []string
	for i := range count {
		line := fmt.Sprint(i + rng.IntN(40))
		for _, ns := range []string{"user_id", "email", "device_id", "anonymous_id", "order_id", "kiosk_id"} {
			if rng.IntN(3) == 0 {
				line += fmt.Sprintf(" %s:%s%d@example.com", ns, ns, rng.IntN(12))
			}
		}
		lines = append(lines, line)
	}
	return lines
}

// TestBatchCutsAndRestartsNeverShow: whatever the batches, and however many checkpoints and restarts come between, every event, every
// decision and every final row is the same.
func TestBatchCutsAndRestartsNeverShow(t *testing.T) {
	t.Parallel()
	rng := newSeed(t)
	for range 20 {
		lines := randomLines(rng, 160)
		whole := tell(t, "")
		whole.play(lines...)
		for name, size := range map[string]func() int{"1": func() int { return 1 }, "7": func() int { return 7 },
			"random": func() int { return 1 + rng.IntN(20) }} {
			s := tell(t, "")
			s.keep()
			if name == "random" {
				s.spill()
			}
			for rest := lines; len(rest) > 0; {
				n := min(len(rest), size())
				s.play(rest[:n]...)
				rest = rest[n:]
				if rng.IntN(8) == 0 {
					s.restart()
				}
			}
			s.compare("batches of "+name, whole)
		}
	}
}

// TestChangedMindSurvivesRestart: a pair that was refused, saved, and then linked after all is not news after a restart.
func TestChangedMindSurvivesRestart(t *testing.T) {
	t.Parallel()
	s := tell(t, "namespaces: {device_id: {class: personal, priority: 6, limit: 1, within: 1d}}")
	s.keep()
	s.play("0 user_id:u device_id:d1", "1 device_id:d2", "2 user_id:u device_id:d2")
	s.restart()
	s.play("3000 user_id:u device_id:d2")
	s.restart()
	s.play("3001 user_id:u device_id:d2")
	want := []string{"linked user_id device_id", "refused user_id device_id", "merged user_id device_id"}
	if got := s.kinds(); !slices.Equal(got, want) {
		t.Errorf("decisions are %q, want %q", got, want)
	}
}

// keep gives the story a store, which sees only what changed since the checkpoint before.
func (s *story) keep() {
	s.t.Helper()
	store, err := state.Open(state.Config{Dir: "state", PipelineID: "test", FS: vfs.NewMem()})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if err := store.Close(); err != nil {
			s.t.Error(err)
		}
	})
	s.store = store
}

// spill gives the story memory in a file, hardly any of which stays in memory between batches.
func (s *story) spill() {
	s.t.Helper()
	space, err := slab.NewSpace(slab.Config{Dir: s.t.TempDir(), CeilingBytes: 1 << 16})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if err := space.Close(); err != nil {
			s.t.Error(err)
		}
	})
	s.space = space
	s.stage = New(s.stage.rules, []byte("test"), space, prometheus.NewRegistry())
}

// restart saves the stage and goes on with a new one that loads it.
func (s *story) restart() {
	s.t.Helper()
	c, err := s.store.Collect([]schemas.Keeper{s.stage}, s.batch.Number, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := c.Commit(false); err != nil {
		s.t.Fatal(err)
	}
	again := New(s.stage.rules, []byte("test"), s.space, prometheus.NewRegistry())
	if err := s.store.Load([]schemas.Keeper{again}); err != nil {
		s.t.Fatal(err)
	}
	s.stage = again
}

// compare fails where anything that leaves the stage differs from another story.
func (s *story) compare(name string, want *story) {
	s.t.Helper()
	if !slices.Equal(s.profiles, want.profiles) {
		s.t.Fatalf("%s: profiles of events are %s, want %s", name, pattern(s.profiles), pattern(want.profiles))
	}
	for i := range want.steps {
		if !slices.Equal(s.steps[i], want.steps[i]) {
			s.t.Fatalf("%s: event %d touched %v, want %v", name, i, s.steps[i], want.steps[i])
		}
	}
	for i := range max(len(want.all), len(s.all)) {
		if i >= len(want.all) || i >= len(s.all) || s.all[i] != want.all[i] {
			s.t.Fatalf("%s: %d decisions, want %d; they differ from %d on", name, len(s.all), len(want.all), i)
		}
	}
	if !maps.Equal(s.ids, want.ids) {
		s.t.Fatalf("%s: identifiers are %v, want %v", name, s.ids, want.ids)
	}
	if !maps.Equal(s.alias, want.alias) || !maps.Equal(s.since, want.since) {
		s.t.Fatalf("%s: aliases are %v, want %v", name, s.alias, want.alias)
	}
	if !maps.Equal(s.touched, want.touched) {
		s.t.Fatalf("%s: touched profiles are %v, want %v", name, s.touched, want.touched)
	}
	if got, want := s.people(), want.people(); !slices.Equal(got, want) {
		s.t.Fatalf("%s: people are %v, want %v", name, got, want)
	}
}

// people describes every living profile with its leaves and counts.
func (s *story) people() (out []string) {
	s.stage.Profiles(func(p uint32) {
		row := schemas.Profile{Index: p}
		s.stage.Count(&row)
		var leaves []uint32
		s.stage.Leaves(p, func(l uint32) { leaves = append(leaves, l) })
		slices.Sort(leaves)
		id, merged := s.stage.Profile(p)
		out = append(out, fmt.Sprint(p, id, merged, leaves, row.Identifiers, row.UserIDs, row.Emails, row.Devices, row.Anonymous))
	})
	return out
}

// TestMomentsTouch: an event names the profiles that it merged away first, a timer's profile counts for the batch, and each profile
// stands in the batch once, in order.
func TestMomentsTouch(t *testing.T) {
	t.Parallel()
	s := tell(t, "")
	s.play("1 email:a@example.com", "2 device_id:d", "3 anonymous_id:x", "4 user_id:u")
	s.play("5 anonymous_id:x device_id:d", "6 email:a@example.com anonymous_id:x device_id:d", "7 ip:10.0.0.1")
	want := [][]schemas.Touch{{{Profile: 3}, {Profile: 2}}, {{Profile: 2}, {Profile: 1}}, nil}
	for i := range want {
		if got := s.steps[4+i]; !slices.Equal(got, want[i]) {
			t.Errorf("event %d touched %v, want %v", 4+i, got, want[i])
		}
	}
	b := &s.batch
	b.Reset()
	e := &schemas.Event{ID: "e", Time: schemas.Day * 20_000}
	e.Identify("user_id", "u")
	b.Events = append(b.Events, e)
	if err := s.stage.Begin(b); err != nil {
		t.Fatal(err)
	}
	for _, m := range []schemas.Moment{{Event: e}, {Touched: []schemas.Touch{{Profile: 1, Due: 7}}}, {Touched: []schemas.Touch{{Profile: 4, Due: 8}}}} {
		if err := s.stage.Step(b, &m); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.stage.Apply(b); err != nil {
		t.Fatal(err)
	}
	if want := []schemas.Touch{{Profile: 1}, {Profile: 4}}; !slices.Equal(b.Touched, want) {
		t.Errorf("the batch touched %v, want %v", b.Touched, want)
	}
}

// TestStepsOutOfOrder: events that were not announced, or come in another order, are resolved all the same.
func TestStepsOutOfOrder(t *testing.T) {
	t.Parallel()
	s := tell(t, "")
	event := func(user string) *schemas.Event {
		e := &schemas.Event{ID: user, Time: schemas.Day * 20_000}
		e.Identify("user_id", user)
		return e
	}
	a, b, stranger := event("a"), event("b"), event("c")
	batch := &schemas.Batch{Events: []*schemas.Event{a, b}}
	if err := s.stage.Begin(batch); err != nil {
		t.Fatal(err)
	}
	for i, e := range []*schemas.Event{b, stranger, a, b} {
		if err := s.stage.Step(batch, &schemas.Moment{Event: e}); err != nil {
			t.Fatal(err)
		}
		if want := []uint32{1, 2, 3, 1}[i]; e.Profile != want {
			t.Errorf("step %d of %s: profile %d, want %d", i, e.ID, e.Profile, want)
		}
	}
}
