package audience

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seamline/seamline/pipeline/state/statetest"
	"github.com/seamline/seamline/schemas"
)

const day0 = 20_000 * schemas.Day

func rules(t *testing.T, when ...string) []Rule {
	t.Helper()
	text := "audiences:\n"
	for i, w := range when {
		text += fmt.Sprintf("  - {name: a%d, when: '%s'}\n", i, w)
	}
	r, err := parseRules([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// apply evaluates one profile and gives the changes as "a0 enter day+hours".
func apply(t *testing.T, s *Stage, clock, due schemas.Time, p schemas.Profile) (changes []string, timer schemas.Time) {
	t.Helper()
	p.Index, p.ID = 1, schemas.ProfileID{1}
	if p.LastSeen == 0 {
		p.LastSeen = clock
	}
	b := &schemas.Batch{}
	m := &schemas.Moment{Clock: clock, Touched: []schemas.Touch{{Profile: 1, Due: due}}, Profiles: []schemas.Profile{p}}
	if err := errors.Join(s.Begin(b), s.Step(b, m), s.Apply(b)); err != nil {
		t.Fatal(err)
	}
	for _, c := range b.Changes {
		way := "exit"
		if c.Enter {
			way = "enter"
		}
		changes = append(changes, fmt.Sprintf("%s %s %d #%d", c.Audience, way, (c.Time-day0)/schemas.Hour, c.Sequence))
	}
	for _, m := range b.Memberships {
		if m.Member != (m.Until == 0) {
			t.Errorf("membership %+v: until and member disagree", m)
		}
	}
	if len(m.Timers) > 0 {
		timer = m.Timers[0].Due
	}
	return changes, timer
}

func TestShippedAudiences(t *testing.T) {
	t.Parallel()
	list, err := ReadRules("")
	if err != nil {
		t.Fatal(err)
	}
	f := func(name string, clock schemas.Time, want bool, p schemas.Profile) {
		t.Helper()
		s := newStage(list)
		apply(t, s, clock, 0, p)
		if got := s.has(1, name); got != want {
			t.Errorf("%s: got %v, want %v for %+v", name, got, want, p)
		}
	}
	cart := schemas.Profile{CartSKUs: []string{"A"}, CartQuantity: schemas.DecimalOne, CartUpdated: day0}
	f("cart_abandoners", day0+schemas.Hour-1, false, cart)
	f("cart_abandoners", day0+schemas.Hour, true, cart)
	f("cart_abandoners", day0+30*schemas.Day, false, cart)
	f("lapsed_buyers", day0+365*schemas.Day-1, false, schemas.Profile{Orders: 1, LastOrder: day0})
	f("lapsed_buyers", day0+365*schemas.Day, true, schemas.Profile{Orders: 1, LastOrder: day0})
	f("lapsed_buyers", day0+365*schemas.Day, false, schemas.Profile{})
	f("store_only_customers", day0, true, schemas.Profile{Orders: 2, StoreOrders: 2})
	f("store_only_customers", day0, false, schemas.Profile{Orders: 2, StoreOrders: 1, OnlineOrders: 1})
}

func TestTimeAloneEntersAndEnds(t *testing.T) {
	t.Parallel()
	s := newStage(rules(t, `cart_quantity > 0 and idle(cart_updated, "1h") and within(cart_updated, "3d")`))
	p := schemas.Profile{CartQuantity: schemas.DecimalOne, CartUpdated: day0}
	changes, timer := apply(t, s, day0, 0, p)
	if changes != nil || timer != day0+schemas.Hour {
		t.Fatalf("after the add: %v, timer %s", changes, timer)
	}
	changes, timer = apply(t, s, day0+2*schemas.Hour, timer, p)
	if fmt.Sprint(changes) != "[a0 enter 1 #1]" || timer != day0+3*schemas.Day {
		t.Fatalf("after an hour: %v, timer %s", changes, timer)
	}
	changes, timer = apply(t, s, day0+5*schemas.Day, timer, p)
	if fmt.Sprint(changes) != "[a0 exit 72 #2]" || timer != 0 {
		t.Fatalf("after three days: %v, timer %s", changes, timer)
	}
	// A long pause passes both edges at once, and both stand in the ledger with their own times.
	again := newStage(s.rules)
	_, timer = apply(t, again, day0, 0, p)
	if changes, _ = apply(t, again, day0+9*schemas.Day, timer, p); fmt.Sprint(changes) != "[a0 enter 1 #1 a0 exit 72 #2]" {
		t.Fatalf("after a pause: %v", changes)
	}
}

// TestLateEventIsNoExit: who entered because time passed stays, when an event from before that comes late.
func TestLateEventIsNoExit(t *testing.T) {
	t.Parallel()
	s := newStage(rules(t, `orders > 0 and idle(last_order, "2d")`))
	p := schemas.Profile{Orders: 1, LastOrder: day0, LastSeen: day0}
	_, timer := apply(t, s, day0, 0, p)
	if changes, _ := apply(t, s, timer, timer, p); fmt.Sprint(changes) != "[a0 enter 48 #1]" {
		t.Fatalf("after two days: %v", changes)
	}
	p.LastSeen = day0 + schemas.Hour
	if changes, _ := apply(t, s, day0+3*schemas.Day, 0, p); changes != nil {
		t.Errorf("a late event: %v", changes)
	}
	p.Orders = 0 // the order is taken back
	if changes, _ := apply(t, s, day0+4*schemas.Day, 0, p); fmt.Sprint(changes) != "[a0 exit 48 #2]" {
		t.Errorf("a late void: %v", changes)
	}
}

func TestMergedProfileLeaves(t *testing.T) {
	t.Parallel()
	s := newStage(rules(t, "orders > 0", "sessions > 5"))
	apply(t, s, day0, 0, schemas.Profile{Orders: 1})
	if changes, _ := apply(t, s, day0+schemas.Hour, 0, schemas.Profile{Merged: true}); fmt.Sprint(changes) != "[a0 exit 1 #2]" {
		t.Errorf("got %v", changes)
	}
}

func TestRestartAndChangedRules(t *testing.T) {
	t.Parallel()
	s := newStage(rules(t, "orders > 0", "sessions > 0"))
	p := schemas.Profile{Orders: 1, Sessions: 1}
	apply(t, s, day0, 0, p)
	kept := statetest.Shelf{}
	if err := s.Save(kept); err != nil {
		t.Fatal(err)
	}
	load := func(list []Rule) *Stage {
		again := newStage(list)
		if err := again.Load(kept); err != nil {
			t.Fatal(err)
		}
		return again
	}
	same := load(rules(t, "orders > 0", "sessions > 0"))
	if changes, _ := apply(t, same, day0, 0, p); same.Changed() || changes != nil {
		t.Errorf("same rules: changed %v, %v", same.Changed(), changes)
	}
	other := load(rules(t, "orders > 1"))
	if !other.Changed() {
		t.Error("other rules are not noticed")
	}
	if changes, _ := apply(t, other, day0+schemas.Hour, 0, p); fmt.Sprint(changes) != "[a0 exit 1 #2 a1 exit 1 #2]" {
		t.Errorf("other rules: %v", changes)
	}
}

func TestRuleErrors(t *testing.T) {
	t.Parallel()
	f := func(text string, want ...string) {
		t.Helper()
		_, err := parseRules([]byte(text))
		for _, w := range want {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("%s: got error %v, want one with %q", text, err, w)
			}
		}
	}
	f("audiences:\n  - {name: a, when: 'order > 0'}", "line 2", "unknown name order", "did you mean orders?")
	f("audiences:\n  - {name: a, when: orders}", "expected bool")
	f("audiences:\n  - {name: a, when: 'idle(last_order, \"soon\")'}", `"soon" is not a span`)
	f("audiences:\n  - {name: a, when: 'idle(orders)'}", "line 2")
	f("audiences:\n  - {name: A b, when: 'true'}", "name")
	f("audiences:\n  - {name: a, when: 'true'}\n  - {name: a, when: 'true'}", "line 3", "twice")
	f("audiences:\n  - {name: a}", "when is empty")
	f("audiences:\n  - {name: a, if: 'true'}", `unknown key "if"`)
	f("audience: []", "audience")
}

func BenchmarkStep(b *testing.B) {
	list, err := ReadRules("")
	if err != nil {
		b.Fatal(err)
	}
	s := newStage(list)
	const profiles = 10_000
	batch := &schemas.Batch{}
	m := &schemas.Moment{Touched: make([]schemas.Touch, 1), Profiles: make([]schemas.Profile, 1)}
	turn := func(n int) {
		i := uint32(n%profiles + 1)
		m.Clock = day0 + schemas.Time(n)
		m.Touched[0], m.Timers = schemas.Touch{Profile: i}, m.Timers[:0]
		m.Profiles[0] = schemas.Profile{Index: i, LastSeen: m.Clock, Orders: int64(n / profiles % 3), LastOrder: day0 - 400*schemas.Day}
		if err := s.Step(batch, m); err != nil {
			b.Fatal(err)
		}
		if n%profiles == 0 {
			batch.Changes, batch.Memberships, s.unsaved = batch.Changes[:0], batch.Memberships[:0], s.unsaved[:0]
		}
	}
	for n := range 2 * profiles {
		turn(n)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for n := range b.N {
		turn(n)
	}
}

// oneLeaf is a graph in which every profile has one piece of history, with the profile's number.
type oneLeaf struct{}

func (oneLeaf) Leaves(profile uint32, f func(leaf uint32)) { f(profile) }

func newStage(list []Rule) *Stage {
	return New(DefaultConfig(), list, oneLeaf{}, nil, prometheus.NewRegistry())
}

// has tells whether a profile is in an audience.
func (s *Stage) has(profile uint32, name string) bool {
	known, found := s.members.get(profile, s.byName[name])
	return found && known.until == 0
}
