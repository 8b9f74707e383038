package clickhouse

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/seamline/seamline/schemas"
)

func person(n byte) schemas.ProfileID { return schemas.ProfileID{n, 15: 1} }

// identityBatch has three identifiers, of which two share two events, a merge, its end by a command, and a refused command.
func identityBatch(number uint64) *schemas.Batch {
	record := &schemas.Record{Topic: "clickstream", Partition: 1, Offset: int64(number), Time: 1_700_000_000_000}
	event := func(id string, at schemas.Time, ids ...uint64) *schemas.Event {
		return &schemas.Event{ID: id, Source: "segment", Channel: schemas.ChannelApp, Type: schemas.TypeLogin, Time: at, Record: record, IdentifierIDs: ids, ProfileID: person(1), Profile: 1}
	}
	b := &schemas.Batch{Number: number, Now: 1_700_000_100_000,
		Ranges: []schemas.Range{{Topic: "clickstream", Partition: 1, From: 0, To: 9}, {Topic: "seamline.identity", Partition: 0, From: 4, To: 6}},
		Events: []*schemas.Event{event("e1", 1000, 1, 2), event("e2", 3000, 2), event("e3", 2000, 2, 1, 3)},
		Identifiers: []schemas.IdentifierRow{
			{ID: 1, Namespace: "user_id", ValueHash: [16]byte{1, 0, 255}, Display: "u***1", ProfileID: person(1), FirstSeen: 1000, LastSeen: 2000},
			{ID: 2, Namespace: "device_id", ValueHash: [16]byte{2}, Display: "d2", ProfileID: person(1), Class: schemas.ClassShared, FirstSeen: 1000, LastSeen: 3000, Quarantined: true},
			{ID: 3, Namespace: "device_id", ValueHash: [16]byte{2}, Display: "d2", ProfileID: person(3), Class: schemas.ClassShared, FirstSeen: 2000, LastSeen: 2000},
		},
		Decisions: []schemas.Decision{
			{Position: 1, Time: 1000, Kind: schemas.DecisionLinked, A: 1, ANamespace: "user_id", B: 2, BNamespace: "device_id", ProfileID: person(1), EventID: "e1"},
			{Position: 2, Time: 2000, Kind: schemas.DecisionMerged, A: 1, ANamespace: "user_id", B: 3, BNamespace: "device_id", ProfileID: person(1), OtherProfile: person(3), EventID: "e3"},
			{Position: 3, Time: 5000, Kind: schemas.DecisionRetracted, A: 3, ANamespace: "device_id", B: 1, BNamespace: "user_id", ProfileID: person(1), Rule: "command: a test", EventID: "c1"},
			{Position: 4, Time: 5000, Kind: schemas.DecisionSplit, A: 3, ANamespace: "device_id", ProfileID: person(3), OtherProfile: person(1), EventID: "c1"},
		},
		Aliases:  []schemas.Alias{{AliasID: person(3), ProfileID: person(3), Since: 5000}, {AliasID: person(7), ProfileID: person(1), Since: 900}},
		Profiles: []schemas.Profile{{Index: 1, ID: person(1), Events: 2, Version: number}, {Index: 3, ID: person(3), Events: 5, Version: number}},
	}
	b.Rejects = []schemas.Reject{{Record: &schemas.Record{Topic: "seamline.identity", Offset: 5, Time: 1}, Reason: schemas.ReasonMalformed, Detail: "id is missing"}}
	return b
}

func identityReader(t *testing.T) (*IdentityReader, *Sink) {
	t.Helper()
	cfg := config(t)
	s := open(t, cfg)
	write(t, s, identityBatch(7))
	r, err := OpenIdentityReader(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r, s
}

func TestReadIdentifiers(t *testing.T) {
	t.Parallel()
	r, _ := identityReader(t)
	want := identityBatch(7).Identifiers
	f := func(key IdentifierKey, wantID uint64) {
		t.Helper()
		got, known, err := r.Find(t.Context(), key)
		if err != nil || known != (wantID > 0) || known && got != want[wantID-1] {
			t.Errorf("got %+v, %v, error %v; want identifier %d", got, known, err, wantID)
		}
	}
	f(IdentifierKey{"user_id", [16]byte{1, 0, 255}}, 1)
	f(IdentifierKey{"device_id", [16]byte{2}}, 3) // the newer of two
	f(IdentifierKey{"user_id", [16]byte{2}}, 0)
	found, err := r.Identifiers(t.Context(), []uint64{2, 3, 99})
	if err != nil || len(found) != 2 || found[2] != want[1] || found[3] != want[2] {
		t.Errorf("got %+v, error %v", found, err)
	}
}

func TestReadDecisions(t *testing.T) {
	t.Parallel()
	r, s := identityReader(t)
	b := identityBatch(8)
	b.Decisions = b.Decisions[:1]
	b.Decisions[0].Rule = "as written again"
	b.Events, b.Rejects, b.Ranges = nil, nil, []schemas.Range{{Topic: "clickstream", Partition: 1, From: 9, To: 10}}
	write(t, s, b)
	all := identityBatch(7).Decisions
	all[0].Rule = "as written again" // of a position's rows the newest counts
	f := func(q DecisionQuery, wantCut bool, want ...schemas.Decision) {
		t.Helper()
		got, isCut, err := r.Decisions(t.Context(), q)
		if err != nil || isCut != wantCut || !slices.Equal(got, want) {
			t.Errorf("%+v: got %+v, cut %v, error %v", q, got, isCut, err)
		}
	}
	f(DecisionQuery{Identifiers: []uint64{1}, Max: 10}, false, all[:3]...)
	f(DecisionQuery{Identifiers: []uint64{2, 3}, Max: 10}, false, all...)
	f(DecisionQuery{Identifiers: []uint64{2, 3}, Max: 10, AsOf: 2000}, false, all[:2]...)
	f(DecisionQuery{Identifiers: []uint64{3, 1}, Max: 2}, true, all[:2]...)
	f(DecisionQuery{Identifiers: []uint64{3, 1}, Max: 2, Newest: true}, true, all[2:]...)
	f(DecisionQuery{Identifiers: []uint64{99}, Max: 2}, false)
	many := make([]uint64, 3*readIDsMax)
	for i := range many {
		many[i] = uint64(len(many) - i)
	}
	f(DecisionQuery{Identifiers: many, Max: 10}, false, all...)
	if got, err := r.DecisionsOf(t.Context(), "c1", 0); err != nil || !slices.Equal(got, all[2:]) {
		t.Errorf("of the command: %+v, error %v", got, err)
	}
	if got, err := r.DecisionsOf(t.Context(), "c1", 3); err != nil || !slices.Equal(got, all[3:]) {
		t.Errorf("of the command, behind position 3: %+v, error %v", got, err)
	}
	var pairs []schemas.Decision
	err := r.Pairs(t.Context(), func(d schemas.Decision) error { pairs = append(pairs, d); return nil })
	if err != nil || !slices.Equal(pairs, all[:2]) {
		t.Errorf("pairs: %+v, error %v", pairs, err)
	}
	if err := r.Pairs(t.Context(), func(schemas.Decision) error { return errors.New("enough") }); err == nil {
		t.Error("an error of the caller was lost")
	}
}

func TestReadEvidence(t *testing.T) {
	t.Parallel()
	r, _ := identityReader(t)
	rows := identityBatch(7).Identifiers
	f := func(asOf schemas.Time, want ...Evidence) {
		t.Helper()
		got, err := r.Evidence(t.Context(), []EvidenceQuery{{rows[0], rows[1]}, {rows[1], rows[2]}}, asOf)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("as of %d: got %+v, error %v", asOf, got, err)
		}
	}
	f(0, Evidence{Events: 2, First: 1000, FirstID: "e1", Last: 2000, LastID: "e3"}, Evidence{Events: 1, First: 2000, FirstID: "e3", Last: 2000, LastID: "e3"})
	f(1500, Evidence{Events: 1, First: 1000, FirstID: "e1", Last: 1000, LastID: "e1"}, Evidence{})
	var many []EvidenceQuery
	for range 3*evidenceMax + 1 {
		many = append(many, EvidenceQuery{rows[0], rows[1]})
	}
	got, err := r.Evidence(t.Context(), many, 0)
	if err != nil || len(got) != len(many) || slices.ContainsFunc(got, func(e Evidence) bool { return e.Events != 2 }) {
		t.Errorf("many at once: %v, error %v", got, err)
	}
	sources, err := r.EventSources(t.Context(), []EventRef{{"e1", 1000}, {"e2", 1}, {"it's none", 2}})
	if err != nil || len(sources) != 1 || sources[EventRef{"e1", 1000}] != (EventSource{"segment", "app", "login"}) {
		t.Errorf("sources: %+v, error %v", sources, err)
	}
}

func TestReadWhatACommandDid(t *testing.T) {
	t.Parallel()
	r, s := identityReader(t)
	batch, position, err := r.Newest(t.Context(), "main")
	if batch != 7 || position != 4 || err != nil {
		t.Errorf("newest: batch %d, position %d, error %v", batch, position, err)
	}
	if batch, position, err = r.Newest(t.Context(), "other"); batch != 0 || position != 4 || err != nil {
		t.Errorf("newest of another pipeline: batch %d, position %d, error %v", batch, position, err)
	}
	f := func(after uint64, offset int64, want CommandProgress) {
		t.Helper()
		got, err := r.Progress(t.Context(), "main", after, CommandPlace{"seamline.identity", 0, offset})
		if err != nil || got != want {
			t.Errorf("offset %d after %d: got %+v, error %v; want %+v", offset, after, got, err, want)
		}
	}
	f(0, 4, CommandProgress{Newest: 7, Batch: 7})
	f(6, 5, CommandProgress{Newest: 7, Batch: 7})
	f(0, 6, CommandProgress{Newest: 7})
	f(7, 5, CommandProgress{Newest: 7})
	if to, since, is, err := r.Alias(t.Context(), person(7)); to != person(1) || since != 900 || !is || err != nil {
		t.Errorf("alias: %s, %d, %v, error %v", to, since, is, err)
	}
	if _, _, is, err := r.Alias(t.Context(), person(3)); is || err != nil {
		t.Errorf("an alias that was taken back is one: error %v", err)
	}
	ids := []schemas.ProfileID{person(3), person(7), person(1)}
	if n, err := r.TakenBack(t.Context(), ids); n != 1 || err != nil {
		t.Errorf("taken back: %d, error %v", n, err)
	}
	if n, err := r.EventsOf(t.Context(), ids); n != 7 || err != nil {
		t.Errorf("events: %d, error %v", n, err)
	}
	if err := r.Refused(t.Context(), CommandPlace{"seamline.identity", 0, 5}); !errors.Is(err, ErrCommandRefused) || err.Error() != "the command was refused: malformed: id is missing" {
		t.Errorf("refused: %v", err)
	}
	if err := r.Refused(t.Context(), CommandPlace{"seamline.identity", 0, 4}); err != nil {
		t.Errorf("not refused: %v", err)
	}
	accepted := func(before uint64) string {
		var got []string
		if err := s.AcceptedCommands(t.Context(), []string{"c1", "c2", "it's"}, before, func(id string) { got = append(got, id) }); err != nil {
			t.Error(err)
		}
		return fmt.Sprint(got)
	}
	if got := accepted(8); got != "[c1]" {
		t.Errorf("accepted: %s", got)
	}
	if got := accepted(7); got != "[]" {
		t.Errorf("accepted before the batch: %s", got)
	}
}

// TestReadLargeGroups: what a group of 100,000 identifiers needs is read in a few questions, and what is too much is cut off.
func TestReadLargeGroups(t *testing.T) {
	t.Parallel()
	r, s := identityReader(t)
	const n = 100_000
	b := identityBatch(8)
	b.Events, b.Rejects, b.Identifiers, b.Decisions, b.Ranges = nil, nil, nil, nil, []schemas.Range{{Topic: "clickstream", Partition: 1, From: 9, To: 10}}
	for i := uint64(1); i < n; i++ {
		b.Decisions = append(b.Decisions, schemas.Decision{Position: 10 + i, Time: schemas.Time(i), Kind: schemas.DecisionLinked, A: 1000, ANamespace: "user_id", B: 1000 + i, BNamespace: "device_id",
			ProfileID: person(9), EventID: "e"})
	}
	write(t, s, b)
	rows, isCut, err := r.Decisions(t.Context(), DecisionQuery{Identifiers: []uint64{1000}, Max: n})
	if err != nil || isCut || len(rows) != n-1 || rows[n-2].Position != 10+n-1 {
		t.Errorf("got %d rows, cut %v, error %v", len(rows), isCut, err)
	}
	rows, isCut, err = r.Decisions(t.Context(), DecisionQuery{Identifiers: []uint64{1000}, Max: 50, Newest: true})
	if err != nil || !isCut || len(rows) != 50 || rows[49].Position != 10+n-1 {
		t.Errorf("newest: %d rows, cut %v, error %v", len(rows), isCut, err)
	}
	ids := make([]uint64, n)
	for i := range ids {
		ids[i] = 1000 + uint64(i)
	}
	if rows, isCut, err = r.Decisions(t.Context(), DecisionQuery{Identifiers: ids, Max: n}); err != nil || isCut || len(rows) != n-1 {
		t.Errorf("all at once: %d rows, cut %v, error %v", len(rows), isCut, err)
	}
}
