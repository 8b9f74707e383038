package clickhouse

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/seamline/seamline/schemas"
)

var _ schemas.Planner = (*Sink)(nil)

// seeded gives equal batches for equal seeds, in other memory.
func seeded(seed uint64, number uint64) *schemas.Batch {
	return (&builder{Rand: rand.New(rand.NewPCG(seed, 2)), events: 200, months: 3, words: 9}).batch(number)
}

func TestPlanTellsWhatIsWritten(t *testing.T) {
	t.Parallel()
	seed := random(t).Uint64()
	cfg := config(t)
	s := open(t, cfg)
	b := seeded(seed, 4)
	planned := s.Plan(b)
	rows := map[string]int{}
	var order []string
	for _, k := range planned {
		rows[k.Table] += k.Rows
		order = append(order, k.Table+" "+k.Partition)
		if k.Digest == 0 || k.Rows == 0 {
			t.Errorf("planned an empty block: %+v", k)
		}
	}
	var want []string
	for _, table := range append(s.tables[:len(s.tables):len(s.tables)], s.commits) {
		if table.name() != "events" {
			want = append(want, table.name()+" ")
			continue
		}
		for _, p := range read(t, cfg, "SELECT arrayJoin([202601, 202602, 202603, 202604]) AS month") {
			if slices.Contains(order, "events "+p["month"]) {
				want = append(want, "events "+p["month"])
			}
		}
	}
	if !slices.Equal(order, want) {
		t.Errorf("blocks come in the order %q, want %q", order, want)
	}
	if err := s.Write(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	for table, n := range rows {
		if got := one(t, cfg, "SELECT count() FROM "+table); got != fmt.Sprint(n) {
			t.Errorf("%s has %s rows, planned were %d", table, got, n)
		}
	}

	// A replay in another process, which has seen other batches before and takes another time, plans the same.
	other := open(t, cfg)
	other.Plan(seeded(seed+1, 3))
	replayed := seeded(seed, 4)
	replayed.Took = []schemas.StageTook{{Stage: "decode", Nanos: 77}}
	if got := other.Plan(replayed); !reflect.DeepEqual(got, planned) {
		t.Errorf("a replay plans\n%v\nwant\n%v", got, planned)
	}
	for what, change := range map[string]func(b *schemas.Batch){
		"events":      func(b *schemas.Batch) { b.Events[7].Amount++ },
		"profiles":    func(b *schemas.Batch) { b.Profiles[2].Orders++ },
		"commits":     func(b *schemas.Batch) { b.Records = b.Records[:0] },
		"order_lines": func(b *schemas.Batch) { b.Events = b.Events[:len(b.Events)-100] },
	} {
		changed := seeded(seed, 4)
		change(changed)
		isFound := false
		for i, k := range other.Plan(changed) {
			isFound = isFound || i < len(planned) && k.Table == what && k != planned[i]
		}
		if !isFound {
			t.Errorf("a batch with other %s is planned as before", what)
		}
	}
}

func TestWriteSendsWhatWasPlanned(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	s := open(t, cfg)
	r := random(t)
	var batches []*schemas.Batch
	want := map[string][]row{}
	shape := &builder{Rand: r, events: 30, months: 2, words: 4}
	for number := range uint64(plansMax + 2) { // more than are kept
		b := shape.batch(number + 1)
		batches = append(batches, b)
		for table, rows := range expected(b) {
			want[table] = append(want[table], rows...)
		}
		s.Plan(b)
	}
	if n := len(s.plans.all); n != plansMax {
		t.Errorf("%d plans in memory, want %d", n, plansMax)
	}
	newest := batches[len(batches)-1]
	lost := newest.Events[0]
	newest.Events = newest.Events[1:] // what comes after Plan is not written
	for _, b := range batches {
		write(t, s, b)
	}
	newest.Events = append([]*schemas.Event{lost}, newest.Events...)
	for _, table := range s.tables {
		same(t, table.name(), stored(t, cfg, table.name()), want[table.name()])
	}
	// The same batch in the same memory, written once, is planned anew.
	newest.Number++
	newest.Profiles[0].Orders = 12345
	write(t, s, newest)
	if n := one(t, cfg, "SELECT count() FROM profiles FINAL WHERE orders = 12345"); n != "1" {
		t.Errorf("%s profiles as changed after the write, want 1", n)
	}
}

func TestKeysAreThoseOfTheTables(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	open(t, cfg)
	for _, r := range read(t, cfg, "SELECT name, sorting_key FROM system.tables WHERE database = '"+cfg.Database+"' AND engine LIKE '%MergeTree' AND name != 'schema_migrations'") {
		name := r["name"][1 : len(r["name"])-1]
		if r["sorting_key"] != text(keys[name]) {
			t.Errorf("%s is sorted by %s, and this build thinks by %q", name, r["sorting_key"], keys[name])
		}
	}
}

// Rows of an earlier life with the same batch number do not stand for rows that the server lost.
func TestVerificationComparesContents(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	s := open(t, cfg)
	b := seeded(random(t).Uint64(), 5)
	write(t, s, b)
	exec(t, cfg, "ALTER TABLE events DELETE WHERE 1 SETTINGS mutations_sync = 2") // keeps the tokens
	exec(t, cfg, "ALTER TABLE profiles DELETE WHERE 1 SETTINGS mutations_sync = 2")
	stranger := (&builder{Rand: random(t), events: 900, months: 3, words: 9}).batch(5)
	stranger.Identifiers, stranger.Decisions, stranger.Aliases, stranger.Memberships, stranger.Changes = nil, nil, nil, nil, nil
	write(t, s, stranger)
	write(t, s, b)
	for _, table := range []string{"events", "profiles"} {
		want := append(expected(b)[table], expected(stranger)[table]...)
		same(t, table, stored(t, cfg, table), want)
		if n := one(t, cfg, "SELECT count() FROM "+table); n != fmt.Sprint(len(want)) {
			t.Errorf("%s has %s rows without FINAL, want %d", table, n, len(want))
		}
	}
}

// Two versions of an order in one batch are one row for the server. A retry must not take the other one for lost.
func TestVerificationCountsKeys(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	s := open(t, cfg)
	b := &schemas.Batch{Number: 1, Now: start}
	for i, name := range []string{"first", "second"} {
		e := event(name, start+schemas.Time(i), schemas.TypeOrderUpdate, id(1))
		e.OrderID, e.OrderVersion, e.Items = "7", int64(i), []schemas.Item{{LineID: "1"}}
		b.Events = append(b.Events, e)
	}
	write(t, s, b)
	before := one(t, cfg, "SELECT count() FROM order_lines")
	write(t, s, b)
	if n := one(t, cfg, "SELECT count() FROM order_lines"); n != before {
		t.Errorf("%s lines without FINAL after a repeated write, want %s", n, before)
	}
}
