package clickhouse

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/seamline/seamline/schemas"
)

// at gives an event of a position.
func at(topic string, partition int32, offset int64, element int) *schemas.Event {
	e := event(fmt.Sprint(topic, partition, offset, element), start+schemas.Time(offset), schemas.TypeOrder, id(1))
	e.Record, e.Element = &schemas.Record{Topic: topic, Partition: partition, Offset: offset}, element
	e.OrderID, e.Items = e.ID, []schemas.Item{{LineID: "1"}}
	return e
}

func refused(topic string, partition int32, offset int64, element int) schemas.Reject {
	return schemas.Reject{Record: &schemas.Record{Topic: topic, Partition: partition, Offset: offset}, Element: element, Reason: schemas.ReasonMalformed}
}

func accepted(t testing.TB, s *Sink, before uint64, ranges ...schemas.Range) string {
	t.Helper()
	found := map[string]bool{}
	err := s.Accepted(t.Context(), ranges, before, func(topic string, partition int32, offset int64, element int, _ bool) {
		found[fmt.Sprintf("%s/%d/%d/%d", topic, partition, offset, element)] = true
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(slices.Sorted(maps.Keys(found)), " ")
}

func TestAccepted(t *testing.T) {
	t.Parallel()
	s := open(t, config(t))
	write(t, s, &schemas.Batch{Number: 1, Now: start, Events: []*schemas.Event{at("pos", 0, 1, 0), at("pos", 0, 2, 0), at("pos", 0, 2, 3), at("web's", 1, 7, 0)},
		Rejects: []schemas.Reject{refused("pos", 0, 2, 1), refused("web's", 1, 8, 0)}})
	write(t, s, &schemas.Batch{Number: 2, Now: start, Events: []*schemas.Event{at("pos", 0, 3, 0), at("pos", 1, 2, 0)}})
	for _, c := range []struct {
		before uint64
		ranges []schemas.Range
		want   string
	}{
		{9, []schemas.Range{{Topic: "pos", From: 0, To: 100}}, "pos/0/1/0 pos/0/2/0 pos/0/2/1 pos/0/2/3 pos/0/3/0"},
		{2, []schemas.Range{{Topic: "pos", From: 0, To: 100}}, "pos/0/1/0 pos/0/2/0 pos/0/2/1 pos/0/2/3"},
		{1, []schemas.Range{{Topic: "pos", From: 0, To: 100}}, ""},
		{9, []schemas.Range{{Topic: "pos", From: 2, To: 3}, {Topic: "pos", Partition: 1, From: 0, To: 3}}, "pos/0/2/0 pos/0/2/1 pos/0/2/3 pos/1/2/0"},
		{9, []schemas.Range{{Topic: "web's", Partition: 1, From: 7, To: 9}}, "web's/1/7/0 web's/1/8/0"},
		{9, []schemas.Range{{Topic: "web's", Partition: 1, From: 5, To: 7}, {Topic: "other", To: 100}}, ""},
		{9, nil, ""},
	} {
		if got := accepted(t, s, c.before, c.ranges...); got != c.want {
			t.Errorf("accepted before batch %d in %v:\n %s\nwant\n %s", c.before, c.ranges, got, c.want)
		}
	}
}

// positions tells what a table holds, without FINAL.
func positions(t testing.TB, cfg Config, table, column string) string {
	t.Helper()
	return strings.Trim(one(t, cfg, "SELECT arrayStringConcat(arraySort(groupArray(toString("+column+"))), ' ') FROM "+table), `"`)
}

func TestOrphansGo(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	s := open(t, cfg)
	batch := func(number uint64) *schemas.Batch {
		return &schemas.Batch{Number: number, Now: start, Events: []*schemas.Event{at("pos", 0, int64(number), 0)}, Rejects: []schemas.Reject{refused("pos", 1, int64(number), 0)},
			StageChanges: []schemas.StageChange{{ProfileID: id(byte(number)), Time: start, To: schemas.JourneyVisitor, IsFirst: true}}}
	}
	for number := range uint64(4) {
		write(t, s, batch(number+1))
	}
	exec(t, cfg, "OPTIMIZE TABLE events FINAL") // lost and kept rows are in one part
	mutations := "SELECT count() FROM system.mutations WHERE command LIKE '%DELETE%' AND database = '" + cfg.Database + "'"
	if err := s.Orphans(t.Context(), 4); err != nil {
		t.Fatal(err)
	}
	if n := one(t, cfg, mutations); n != "0" {
		t.Errorf("%s mutations although there was nothing to remove", n)
	}
	if err := s.Orphans(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	for table, column := range map[string]string{"events": "kafka_offset", "order_lines": "_batch", "journey_changes": "_batch", "dead_letters": "offset"} {
		if got := positions(t, cfg, table, column); got != "1 2" {
			t.Errorf("%s holds %s, want the rows of batches 1 and 2", table, got)
		}
	}
	write(t, s, batch(3)) // a batch of the same number and content is no duplicate of what was removed
	if got := positions(t, cfg, "events", "kafka_offset"); got != "1 2 3" {
		t.Errorf("events after the next batch: %s", got)
	}
}

func TestPrune(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	s := open(t, cfg)
	other, err := Open(t.Context(), cfg, Options{PipelineID: "other"})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	shape := &builder{Rand: random(t), events: 40, months: 2, words: 3}
	old, rebuilt := shape.batch(5), shape.batch(9)
	old.Profiles[0].ID = rebuilt.Profiles[0].ID // written again by the rebuild
	write(t, s, old)
	write(t, other, &schemas.Batch{Number: 5, Now: start})
	write(t, s, rebuilt)
	for range 2 { // the second time there is nothing left to do
		if err := s.Prune(t.Context(), 9); err != nil {
			t.Fatal(err)
		}
	}
	for table, want := range expected(rebuilt) {
		if table != "commits" {
			same(t, table, stored(t, cfg, table), want)
			if n := one(t, cfg, "SELECT count() FROM "+table+" WHERE _batch < 9"); n != "0" {
				t.Errorf("%s has %s old rows", table, n)
			}
		}
	}
	if got := positions(t, cfg, "commits", "pipeline || ' ' || toString(batch)"); got != "main 9 other 5" {
		t.Errorf("commits of %s are left, want the rebuild's and the other pipeline's", got)
	}
	alias := old.Aliases[0]
	if got := one(t, cfg, fmt.Sprintf("SELECT dictHas('%s.aliases_recent', tuple(toUUID('%s')))", cfg.Database, alias.AliasID)); got != "0" {
		t.Errorf("the dictionary still has an alias that was pruned")
	}
}

func TestSettleDeadLetters(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	s := open(t, cfg)
	write(t, s, &schemas.Batch{Number: 1, Now: start, Rejects: []schemas.Reject{refused("pos", 0, 1, 0), refused("pos", 0, 2, 0), refused("pos", 0, 2, 1), refused("pos", 1, 1, 0), refused("pos", 0, 9, 0)}})
	write(t, s, &schemas.Batch{Number: 2, Now: start, Rewind: true, Events: []*schemas.Event{at("pos", 0, 1, 0), at("pos", 0, 2, 1), at("pos", 0, 9, 0), at("pos", 1, 1, 1)}})
	for range 2 {
		if err := s.SettleDeadLetters(t.Context(), []schemas.Range{{Topic: "pos", From: 0, To: 5}, {Topic: "pos", Partition: 1, From: 0, To: 5}}); err != nil {
			t.Fatal(err)
		}
	}
	got := positions(t, cfg, "dead_letters", "partition || '/' || offset || '/' || element")
	if want := "0/2/0 0/9/0 1/1/0"; got != want {
		t.Errorf("dead letters left: %s, want %s", got, want)
	}
	if err := s.SettleDeadLetters(t.Context(), nil); err != nil {
		t.Error(err)
	}
}

// needNoMoreRights calls all that goes on beside the batches.
func needNoMoreRights(t testing.TB, s *Sink) {
	t.Helper()
	ctx := t.Context()
	till := []schemas.Range{{Topic: "till", To: 9}}
	save(t, s, 1, 0, 1, "base")
	if got := load(t, s); got != "1:base" {
		t.Errorf("loaded %q", got)
	}
	lost := &schemas.Batch{Number: 7, Now: start, Events: []*schemas.Event{at("till", 0, 1, 0), at("till", 0, 2, 0)}}
	write(t, s, lost)
	write(t, s, lost) // and verify
	write(t, s, &schemas.Batch{Number: 6, Now: start, Rejects: []schemas.Reject{refused("till", 0, 1, 0)}})
	err := errors.Join(s.SettleDeadLetters(ctx, till), s.Orphans(ctx, 6), s.Prune(ctx, 1), s.DropState(ctx, 2),
		s.Accepted(ctx, till, 9, func(string, int32, int64, int, bool) { t.Error("a row is left") }))
	if err != nil {
		t.Error(err)
	}
	write(t, s, &schemas.Batch{Number: 8, Now: start, Events: []*schemas.Event{event("a", start, schemas.TypeStoreVisit, id(1))},
		Aliases: []schemas.Alias{{AliasID: id(1), ProfileID: id(2), Since: start}}})
	squashAll(t, squasherOf(t, s, func() uint64 { return 8 }))
	if n := counted(t, s.metrics.squashed.WithLabelValues("events")); n == 0 {
		t.Error("no row was squashed")
	}
	if err := s.Unsquash(ctx); err != nil {
		t.Error(err)
	}
	_, err = s.Installation(ctx)
	if _, failed := s.Intents(ctx, 5); err != nil || failed != nil {
		t.Error(err, failed)
	}
}
