package clickhouse

import (
	"fmt"
	"testing"

	"github.com/seamline/seamline/schemas"
)

func TestIdentityLinks(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	s := open(t, cfg)
	position := uint64(0)
	decision := func(kind schemas.DecisionKind, a, b uint64, rule string) schemas.Decision {
		position++
		names := map[uint64]string{0: "", 1: "email", 2: "anonymous_id", 3: "user_id"}
		return schemas.Decision{Position: position, Time: start + schemas.Time(position), Kind: kind, A: a, B: b, ANamespace: names[a], BNamespace: names[b],
			ProfileID: id(byte(position)), Rule: rule, EventID: fmt.Sprint("e", position)}
	}
	seen := func(name string, at schemas.Time, ids ...uint64) *schemas.Event {
		e := event(name, start+at, schemas.TypeStoreVisit, id(1))
		e.IdentifierIDs = ids
		return e
	}
	links := func() []row {
		t.Helper()
		return read(t, cfg, "SELECT a_id, a_namespace, b_id, b_namespace, first_event_id, first_kind, first_rule, holds, holds_rule, last_event_id, seen FROM identity_links")
	}
	email := row{"a_id": "1", "a_namespace": text("email"), "b_id": "2", "b_namespace": text("anonymous_id"), "first_event_id": text("e1"), "first_kind": text("linked"),
		"first_rule": text("known"), "holds": text("linked"), "holds_rule": text("known"), "last_event_id": text("y"), "seen": "2"}
	user := row{"a_id": "1", "a_namespace": text("email"), "b_id": "3", "b_namespace": text("user_id"), "first_event_id": text("e2"), "first_kind": text("refused"),
		"first_rule": text("limit user_id 1"), "holds": text("refused"), "holds_rule": text("limit user_id 1"), "last_event_id": text(""), "seen": "0"}
	write(t, s, &schemas.Batch{Number: 1, Now: start, Events: []*schemas.Event{seen("x", 1, 2, 1), seen("y", 9, 1, 2, 4), seen("z", 10, 1), seen("w", 11)},
		Decisions: []schemas.Decision{decision(schemas.DecisionLinked, 2, 1, "known"), decision(schemas.DecisionRefused, 3, 1, "limit user_id 1")}})
	same(t, "identity_links", links(), []row{email, user})
	number := uint64(1)
	for _, step := range []struct {
		d           schemas.Decision
		email, user string
	}{
		{decision(schemas.DecisionRetracted, 1, 2, "command: wrong"), "retracted", "refused"},
		{decision(schemas.DecisionMerged, 1, 2, "seen again"), "merged", "refused"},
		{decision(schemas.DecisionQuarantined, 1, 0, "fanout 20"), "quarantined", "quarantined"},
		{decision(schemas.DecisionLinked, 1, 2, "release: known"), "linked", "quarantined"},
		{decision(schemas.DecisionRetracted, 2, 0, "command: all"), "retracted", "quarantined"},
		{decision(schemas.DecisionSplit, 2, 0, "command: all"), "retracted", "quarantined"},
		{decision(schemas.DecisionDemoted, 3, 1, "hands"), "retracted", "demoted"},
	} {
		number++
		write(t, s, &schemas.Batch{Number: number, Now: start, Decisions: []schemas.Decision{step.d}})
		got := links()
		sortRows(got)
		for _, r := range got {
			want := step.email
			if r["b_id"] == "3" {
				want = step.user
			}
			if r["holds"] != text(want) {
				t.Errorf("after %s of %d and %d, %s %s is %s, want %s", step.d.Kind, step.d.A, step.d.B, r["a_id"], r["b_id"], r["holds"], want)
			}
			if r["first_event_id"] != text("e1") && r["first_event_id"] != text("e2") {
				t.Errorf("the first evidence changed to %s", r["first_event_id"])
			}
		}
	}
}
