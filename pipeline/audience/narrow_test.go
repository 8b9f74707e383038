package audience

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seamline/seamline/schemas"
)

func random(t *testing.T) *rand.Rand {
	t.Helper()
	n := *seed
	if n == 0 {
		n = uint64(time.Now().UnixNano())
	}
	t.Logf("replay with -seed %d", n)
	return rand.New(rand.NewPCG(n, n))
}

// person draws a profile of small numbers, so that comparisons come out both ways.
func person(rng *rand.Rand) (p schemas.Profile) {
	at := func() schemas.Time { return day0 * schemas.Time(rng.IntN(2)) * schemas.Time(1+rng.IntN(3)) / 2 }
	p.Stage = schemas.JourneyStage(rng.IntN(schemas.JourneyCount))
	p.Orders, p.StoreOrders, p.Sessions, p.Events = int64(rng.IntN(4)), int64(rng.IntN(3)), uint32(rng.IntN(4)), uint64(rng.IntN(9))
	p.Revenue, p.CartQuantity = schemas.Decimal(rng.IntN(60000)), schemas.DecimalOne*schemas.Decimal(rng.IntN(3))
	p.Currency = []string{"", "EUR", "USD"}[rng.IntN(3)]
	p.LastOrder, p.LastSeen, p.CartUpdated = at(), at(), at()
	p.CartSKUs = []string{"A", "B", "C"}[:rng.IntN(4)]
	return p
}

// TestConditions: functions give the answers of the machine, and look at the same edges of time.
func TestConditions(t *testing.T) {
	t.Parallel()
	rng := random(t)
	f := func(when string, isCompiled bool) {
		t.Helper()
		r := rules(t, strings.ReplaceAll(when, "'", "''"))[0]
		if (r.condition != nil) != isCompiled {
			t.Errorf("%s: compiled %v, want %v", when, r.condition != nil, isCompiled)
		}
		if r.condition == nil {
			return
		}
		s := newStage([]Rule{r})
		answers := map[bool]bool{}
		for range 300 {
			p := person(rng)
			s.eval.look(&p)
			now := day0 + schemas.Time(rng.Int64N(int64(100*schemas.Day))) - 50*schemas.Day
			s.eval.now, s.eval.next = now, 0
			got := r.condition(s.eval)
			next := s.eval.next
			s.eval.now, s.eval.next = now, 0
			want, err := s.machine.Run(r.program, &s.eval.env)
			if err != nil {
				t.Fatalf("%s: %v", when, err)
			}
			if got != want || next != s.eval.next {
				t.Fatalf("%s: %v with the next edge at %d, want %v and %d, for %+v", when, got, next, want, s.eval.next, p)
			}
			answers[got] = true
		}
		if len(answers) != 2 && when != "true" {
			t.Errorf("%s: the answer is always the same", when)
		}
	}
	f("true", true)
	f("orders > 1", true)
	f("not (orders > 1) and sessions <= 2", true)
	f(`!(orders == 1) || stage != "known"`, true)
	f(`stage in ["known", "loyal"]`, true)
	f(`stage in ["known"] or currency not in ["EUR", ""]`, true)
	f(`currency == "EUR" and revenue >= 2.5`, true)
	f("revenue > 3", true)
	f("revenue / orders > 2", true)
	f("orders - store_orders > 0", true)
	f("orders * 2 + sessions < events", true)
	f("revenue * 2 - 1.5 < orders", true)
	f("events / 2 >= orders", true)
	f(`cart_quantity > 0 and idle(cart_updated, "1h") and within(cart_updated, "30d")`, true)
	f(`idle(last_order, "20d") or within(last_seen, "3d")`, true)
	f(`any(cart_skus, # == "B")`, false)
	f(`len(cart_skus) > 1 and orders > 0`, false)
	f("orders % 2 == 0", false)
	f("orders in 1..2", true)
	f("orders > 0 ? sessions > 1 : events > 3", false)
}

// TestEveryFieldHasAGroup: a rule is looked at again when what it reads may have changed, whatever that is.
func TestEveryFieldHasAGroup(t *testing.T) {
	t.Parallel()
	for name, f := range fields {
		if groups[name] == 0 {
			t.Errorf("%s belongs to no group", name)
		}
		if groups[name] == schemas.FieldsClock {
			t.Errorf("%s of type %s is a matter of time alone", name, f.kind)
		}
	}
	if groups["idle"] != schemas.FieldsClock || groups["within"] != schemas.FieldsClock || len(groups) != len(fields)+2 {
		t.Errorf("%d groups of %d fields", len(groups), len(fields))
	}
}

// TestNarrow: looking at no more than the rules that read what changed gives the ledger that looking at all of them gives.
func TestNarrow(t *testing.T) {
	t.Parallel()
	rng := random(t)
	list := rules(t, `cart_quantity > 0 and idle(cart_updated, "1h") and within(cart_updated, "30h")`, "orders > 1", `within(last_order, "12h")`,
		`orders > 0 and idle(last_order, "2d")`, "sessions > 3", `idle(last_seen, "5h")`, `events > 2 and stage == "known"`)
	type event struct {
		row     schemas.Profile
		changed schemas.Fields
	}
	var events []event
	state, clock := make([]schemas.Profile, 9), schemas.Time(day0)
	for range 3000 {
		clock += schemas.Time(rng.Int64N(int64(schemas.Hour)))
		i := 1 + rng.IntN(len(state)-1)
		p := &state[i]
		first := p.LastSeen == 0
		p.Index, p.ID, p.LastSeen = uint32(i), schemas.ProfileID{byte(i)}, clock
		p.Events++
		changed := schemas.FieldsSeen
		switch rng.IntN(6) {
		case 0:
			p.Orders, p.LastOrder, p.CartQuantity = p.Orders+1, clock, 0
			changed |= schemas.FieldsOrders | schemas.FieldsCart
		case 1:
			p.CartQuantity, p.CartUpdated = schemas.DecimalOne, clock
			changed |= schemas.FieldsCart
		case 2:
			p.Sessions++
			changed |= schemas.FieldsSessions
		case 3:
			p.Stage = schemas.JourneyStage(rng.IntN(schemas.JourneyCount))
			changed |= schemas.FieldsStage
		}
		if first {
			changed = 0
		}
		events = append(events, event{*p, changed})
	}
	ledger := func(isNarrow bool) (ledger []string, evaluated int) {
		s, b, last, dues := newStage(list), &schemas.Batch{}, map[uint32]schemas.Profile{}, map[uint32]schemas.Time{}
		look := func(clock schemas.Time, p schemas.Profile, touch schemas.Touch) {
			touch.Profile, last[p.Index] = p.Index, p
			m := &schemas.Moment{Clock: clock, Touched: []schemas.Touch{touch}, Profiles: []schemas.Profile{p}}
			if err := s.Step(b, m); err != nil {
				t.Fatal(err)
			}
			evaluated += len(list)
			if touch.Changed == 0 {
				delete(dues, p.Index)
			} else {
				evaluated -= len(list) - len(s.choice.of(touch.Changed, s).plans)
			}
			for _, timer := range m.Timers {
				if dues[p.Index] == 0 || timer.Due < dues[p.Index] {
					dues[p.Index] = timer.Due
				}
			}
		}
		for _, e := range events {
			for {
				var first uint32
				for i, due := range dues {
					if due <= e.row.LastSeen && (first == 0 || due < dues[first] || due == dues[first] && i < first) {
						first = i
					}
				}
				if first == 0 {
					break
				}
				touch := schemas.Touch{Due: dues[first]}
				if isNarrow {
					touch.Changed = schemas.FieldsClock
				}
				delete(dues, first)
				look(touch.Due, last[first], touch)
			}
			touch := schemas.Touch{}
			if isNarrow {
				touch.Changed = e.changed
			}
			look(e.row.LastSeen, e.row, touch)
		}
		for _, c := range b.Changes {
			ledger = append(ledger, fmt.Sprint(c))
		}
		return ledger, evaluated
	}
	want, all := ledger(false)
	got, some := ledger(true)
	if !slices.Equal(got, want) {
		t.Errorf("%d changes, want %d", len(got), len(want))
	}
	if len(want) < 500 || some > all*3/4 {
		t.Errorf("%d changes; %d rules were looked at of %d", len(want), some, all)
	}
}
