package clickhouse

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/seamline/seamline/schemas"
)

// renumbered gives the batches of a rebuild: the same content under later numbers.
func renumbered(all []*schemas.Batch, first uint64) []*schemas.Batch {
	var again []*schemas.Batch
	for i, b := range all {
		copied := *b
		copied.Number = first + uint64(i)
		again = append(again, &copied)
	}
	return again
}

func TestRebuildOverSquashedTables(t *testing.T) {
	t.Parallel()
	cfg := squashConfig(t)
	s := open(t, cfg)
	p := &people{Rand: random(t), events: map[string]int{}}
	for range 6 {
		write(t, s, p.next(50))
	}
	squashAll(t, squasherOf(t, s, func() uint64 { return p.number }))
	rebuilt := open(t, cfg)
	if err := rebuilt.Unsquash(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.check(t, cfg, "making all pending again")
	first := p.number + 1
	again := renumbered(p.all, first)
	for _, b := range again {
		write(t, rebuilt, b)
	}
	p.check(t, cfg, "writing everything again")
	if err := rebuilt.Prune(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	p.check(t, cfg, "pruning")
	squashAll(t, squasherOf(t, rebuilt, func() uint64 { return again[len(again)-1].Number }))
	p.check(t, cfg, "squashing again")
	if n := pendingKeys(t, cfg); n != text("0") {
		t.Errorf("%s keys are pending", n)
	}
}

// Rows that were squashed are those that were sent, so that a restored instance that writes them again leaves each of them once.
func TestSquashedRowsAreNotSentAgain(t *testing.T) {
	t.Parallel()
	cfg := squashConfig(t)
	s := open(t, cfg)
	p := &people{Rand: random(t), events: map[string]int{}}
	for range 4 {
		write(t, s, p.next(60))
	}
	squashAll(t, squasherOf(t, s, func() uint64 { return p.number }))
	if n := counted(t, s.metrics.squashed.WithLabelValues("events")); n == 0 {
		t.Fatal("no row was rewritten, so that this test shows nothing")
	}
	restored := open(t, cfg)
	for _, b := range p.all {
		write(t, restored, b)
	}
	for _, table := range squashedTables {
		if n := one(t, cfg, "SELECT toString(count()) FROM "+table); n != text(fmt.Sprint(len(p.events))) {
			t.Errorf("%s has %s rows without FINAL, want %d", table, n, len(p.events))
		}
	}
	p.check(t, cfg, "writing everything again")
	// Rows that are gone are sent again all the same.
	exec(t, cfg, "ALTER TABLE events DELETE WHERE _batch = 2 SETTINGS mutations_sync = 2")
	write(t, restored, p.all[1])
	p.check(t, cfg, "writing lost rows again")
}

// What is compared is who an event belongs to, not what its row says.
func TestCompareSquashedWithUnsquashed(t *testing.T) {
	t.Parallel()
	live, other := squashConfig(t), squashConfig(t)
	one, two := open(t, live), open(t, other)
	p := &people{Rand: random(t), events: map[string]int{}}
	for range 5 {
		b := p.next(60)
		write(t, one, b)
		write(t, two, b)
	}
	squashAll(t, squasherOf(t, one, func() uint64 { return p.number }))
	if got := compared(t, live, other); len(got) != 0 {
		t.Errorf("a squashed database differs: %+v", got)
	}
	name, owner := "", 0
	for name, owner = range p.events {
		break
	}
	p.number++
	write(t, two, &schemas.Batch{Number: p.number, Now: start, Attributions: []schemas.Attribution{{Leaf: uint32(owner + 1), ProfileID: id(99), Since: start}}})
	got := compared(t, live, other)
	if d := got["events"]; d.Changed == 0 || len(d.Examples) == 0 || len(d.Examples[0].Columns) != 1 || d.Examples[0].Columns[0].Name != "profile_id" ||
		d.Examples[0].Columns[0].Other != id(99).String() {
		t.Errorf("another person of %s shows as %+v", name, d)
	}
	if got["order_lines"].Changed == 0 {
		t.Error("the lines of another person are the same")
	}
}

// Rows and aliases of the first release, which knew no leaves.
func TestOlderRowsAreResolvedAndSquashed(t *testing.T) {
	t.Parallel()
	cfg := squashConfig(t)
	migrateFirst(t, cfg)
	stranger, known := id(1), id(2)
	exec(t, cfg, fmt.Sprintf("INSERT INTO events (event_id, event_time, source, profile_id, _batch) VALUES ('a', now(), 's', '%s', 1), ('b', now(), 's', '%s', 1)", stranger, known))
	exec(t, cfg, fmt.Sprintf("INSERT INTO profile_aliases (alias_id, profile_id, _batch) VALUES ('%s', '%s', 2)", stranger, known))
	s := open(t, cfg)
	people := "SELECT toString(count()) || ' ' || toString(any(profile_id)) FROM events_resolved GROUP BY profile_id"
	want := text("2 " + known.String())
	if got := one(t, cfg, people); got != want {
		t.Errorf("after the migration: %s, want %s", got, want)
	}
	squashAll(t, squasherOf(t, s, func() uint64 { return 2 }))
	if got := one(t, cfg, people); got != want {
		t.Errorf("after squashing: %s, want %s", got, want)
	}
	if got := one(t, cfg, "SELECT toString(uniqExact(profile_id)) FROM events"); got != text("1") {
		t.Errorf("rows have %s people after squashing, want 1", got)
	}
	if got := one(t, cfg, fmt.Sprintf("SELECT toString(dictGet('%s.profile_aliases_dict', 'profile_id', tuple(toUUID('%s'))))", cfg.Database, stranger)); got != text(known.String()) {
		t.Errorf("the old id resolves to %s", got)
	}
}

func TestSquashingWaitsUntilItIsWorthIt(t *testing.T) {
	t.Parallel()
	cfg := squashConfig(t)
	cfg.SquashEvery, cfg.SquashMin = time.Minute, 1000
	s := open(t, cfg)
	p := &people{Rand: random(t), events: map[string]int{}}
	fresh := func() {
		b := p.next(100)
		b.Now = schemas.TimeOf(time.Now())
		write(t, s, b)
	}
	fresh()
	fresh()
	bound, clock := uint64(0), time.Now()
	s.clock = func() time.Time { return clock }
	k := squasherOf(t, s, func() uint64 { return bound })
	turn := func(what string, want bool) {
		t.Helper()
		if err := k.turn(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := k.retire != 0; got != want {
			t.Errorf("%s: squashed is %v, want %v", what, got, want)
		}
		p.check(t, cfg, what)
	}
	turn("nothing is stored yet", false)
	bound = p.number
	turn("few are pending", false)
	if n := gauged(t, s.metrics.pending.WithLabelValues("aliases")); n == 0 {
		t.Error("the metrics show nothing pending")
	}
	k.cfg.SquashMin = 1
	turn("enough are pending", true)
	turn("leaves leave", true)
	turn("aliases leave", false)
	fresh()
	bound = p.number
	turn("too soon for the next time", false)
	clock = clock.Add(2 * time.Minute)
	turn("the next time", true)
	k.DictionariesOnly, k.retire = true, 0
	clock = clock.Add(2 * time.Minute)
	turn("no rows are to be rewritten", false)
	k.DictionariesOnly, k.cfg.SquashMin = false, 1000
	turn("few are pending again", false)
	b := p.next(100)
	b.Now = schemas.TimeOf(time.Now()) - 2*schemas.Day
	write(t, s, b)
	// The oldest that is pending was processed lately.
	bound = p.number
	turn("few are pending, and the oldest is not old", false)
	squashAll(t, k)
	clock = clock.Add(2 * time.Minute)
	b = p.next(100)
	b.Now = schemas.TimeOf(time.Now()) - 2*schemas.Day
	write(t, s, b)
	bound = p.number
	turn("few are pending, and they have waited for days", true)
}

// gauged reads a gauge.
func gauged(t testing.TB, g prometheus.Gauge) float64 {
	t.Helper()
	var m dto.Metric
	if err := g.Write(&m); err != nil {
		t.Fatal(err)
	}
	return m.GetGauge().GetValue()
}

// Another pipeline's batches have numbers of their own.
func TestTablesOfTwoPipelinesAreNotSquashed(t *testing.T) {
	t.Parallel()
	cfg := squashConfig(t)
	s := open(t, cfg)
	other, err := Open(t.Context(), cfg, Options{PipelineID: "other"})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	write(t, other, &schemas.Batch{Number: 1, Now: start})
	k := squasherOf(t, s, func() uint64 { return 1 })
	if err := k.turn(t.Context()); err != nil || !k.isShared {
		t.Errorf("shared is %v, error %v", k.isShared, err)
	}
}
