package audience

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/seamline/seamline/pipeline/state/statetest"
	"github.com/seamline/seamline/schemas"
)

// parsed reads audiences.
func parsed(t *testing.T, lines ...string) []Rule {
	t.Helper()
	list, err := parseRules([]byte("audiences:\n  - " + strings.Join(lines, "\n  - ") + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// touch takes one moment of a profile, which is as large a piece of history, through a stage and gives the changes.
func touch(t *testing.T, s *Stage, clock, due schemas.Time, e *schemas.Event, p schemas.Profile) (changes []string, timer schemas.Time) {
	t.Helper()
	p.ID = schemas.ProfileID{byte(p.Index), 9}
	b, m := &schemas.Batch{}, &schemas.Moment{Clock: clock, Event: e, Touched: []schemas.Touch{{Profile: p.Index, Due: due}}, Profiles: []schemas.Profile{p}}
	if e != nil {
		e.Leaf, e.Profile = p.Index, p.Index
	}
	if err := errors.Join(s.Begin(b), s.Step(b, m), s.Apply(b)); err != nil {
		t.Fatal(err)
	}
	for _, c := range b.Changes {
		changes = append(changes, fmt.Sprintf("%s %v %d %s", c.Audience, c.Enter, (c.Time-day0)/schemas.Hour, c.Reason))
	}
	if len(m.Timers) > 0 {
		timer = m.Timers[0].Due
	}
	return changes, timer
}

func expect(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

func TestExcludeAndGroups(t *testing.T) {
	t.Parallel()
	s := newStage(parsed(t,
		`{name: small, when: 'orders >= 1', group: value, priority: 1}`,
		`{name: carts, when: 'cart_quantity > 0', exclude: [recent]}`,
		`{name: large, when: 'orders >= 3', group: value, priority: 2}`,
		`{name: recent, when: 'within(last_order, 2h)'}`,
		`{name: both, when: 'member("large") and not member("recent")'}`))
	p := schemas.Profile{Index: 1, LastSeen: day0, CartQuantity: schemas.DecimalOne, Orders: 1}
	got, _ := touch(t, s, day0, 0, nil, p)
	expect(t, "one order", got, "small true 0 pieces of history came or went", "carts true 0 pieces of history came or went")
	p.Orders, p.LastOrder, p.LastSeen = 3, day0+schemas.Hour, day0+schemas.Hour
	got, timer := touch(t, s, p.LastSeen, 0, &schemas.Event{Type: schemas.TypeOrder, Time: p.LastSeen}, p)
	slices.Sort(got)
	expect(t, "three orders", got, "carts false 1 is in recent", "large true 1 order", "recent true 1 order", "small false 1 is in large")
	if timer != day0+3*schemas.Hour {
		t.Fatalf("the timer is due at %s", timer)
	}
	got, _ = touch(t, s, timer, timer, nil, p)
	slices.Sort(got)
	expect(t, "two hours later", got, "both true 3 time passed", "carts true 3 time passed", "recent false 3 time passed")
}

func TestMaxAge(t *testing.T) {
	t.Parallel()
	s := newStage(parsed(t, `{name: a, when: 'orders > 0', max_age: 2d}`))
	p := schemas.Profile{Index: 1, LastSeen: day0, Orders: 1}
	_, timer := touch(t, s, day0, 0, nil, p)
	if timer != day0+2*schemas.Day {
		t.Fatalf("the timer is due at %s", timer)
	}
	got, _ := touch(t, s, timer, timer, nil, p)
	expect(t, "after two days", got, "a false 48 stayed for the longest time allowed")
	restart(t, &s)
	p.LastSeen = day0 + 60*schemas.Hour
	got, _ = touch(t, s, p.LastSeen, 0, nil, p)
	expect(t, "while the condition stays true", got)
	p.Orders = 0
	touch(t, s, p.LastSeen, 0, nil, p)
	p.Orders, p.LastSeen = 1, day0+70*schemas.Hour
	got, _ = touch(t, s, p.LastSeen, 0, &schemas.Event{Type: schemas.TypeOrder, Time: p.LastSeen}, p)
	expect(t, "when it was false in between", got, "a true 70 order")
}

// restart saves a stage and loads it into a new one.
func restart(t *testing.T, s **Stage) {
	t.Helper()
	kept := statetest.Shelf{}
	again := newStage((*s).rules)
	if err := errors.Join((*s).Save(kept), again.Load(kept)); err != nil {
		t.Fatal(err)
	}
	if again.Changed() {
		t.Error("the same rules are taken for others")
	}
	*s = again
}

func TestCap(t *testing.T) {
	t.Parallel()
	s := newStage(parsed(t, `{name: a, when: 'orders > 0', cap: 2}`))
	for i := range uint32(3) {
		got, _ := touch(t, s, day0, 0, nil, schemas.Profile{Index: 1 + i, LastSeen: day0, Orders: 1})
		if (len(got) == 1) != (i < 2) {
			t.Errorf("person %d: %v", 1+i, got)
		}
	}
	restart(t, &s)
	touch(t, s, day0, 0, nil, schemas.Profile{Index: 1, LastSeen: day0})
	got, _ := touch(t, s, day0, 0, nil, schemas.Profile{Index: 3, LastSeen: day0, Orders: 1})
	expect(t, "when one has left", got, "a true 0 pieces of history came or went")
}

// TestHoldout: the share is about right, a larger share holds out everybody that a smaller one did, and those who are held out are an
// audience of their own.
func TestHoldout(t *testing.T) {
	t.Parallel()
	held := func(share, salt string) map[uint32]bool {
		s := newStage(parsed(t, `{name: a, when: 'orders > 0', holdout: `+share+`, salt: `+salt+`}`))
		out := map[uint32]bool{}
		for i := uint32(1); i <= 250; i++ {
			got, _ := touch(t, s, day0, 0, nil, schemas.Profile{Index: i, LastSeen: day0, Orders: 1})
			out[i] = strings.HasPrefix(got[0], "a_holdout true")
			if len(got) != 1 || !out[i] && !strings.HasPrefix(got[0], "a true") {
				t.Fatalf("person %d: %v", i, got)
			}
		}
		return out
	}
	count := func(all map[uint32]bool) (n int) {
		for _, in := range all {
			if in {
				n++
			}
		}
		return n
	}
	ten, thirty, other := held("10%", "s"), held("0.3", "s"), held("10%", "another")
	for i := range ten {
		if ten[i] && !thirty[i] {
			t.Errorf("person %d is held out at 10 %% and not at 30 %%", i)
		}
	}
	if n, m := count(ten), count(thirty); n < 10 || n > 45 || m < 50 || m > 100 {
		t.Errorf("%d and %d of 250 are held out at 10 and 30 %%", n, m)
	}
	if fmt.Sprint(ten) == fmt.Sprint(other) {
		t.Error("another salt holds out the same people")
	}
}

// TestErasedLeaveAll: who asks to be erased leaves every audience, and comes back only by signing up.
func TestErasedLeaveAll(t *testing.T) {
	t.Parallel()
	s := newStage(parsed(t, `{name: a, when: 'orders > 0'}`, `{name: b, when: 'did("page_view", within 1d)'}`))
	p := schemas.Profile{Index: 1, LastSeen: day0, Orders: 1}
	step := func(kind schemas.Type, hours schemas.Time) []string {
		t.Helper()
		p.LastSeen = day0 + hours*schemas.Hour
		got, _ := touch(t, s, p.LastSeen, 0, &schemas.Event{Type: kind, Time: p.LastSeen}, p)
		return got
	}
	expect(t, "a page", step(schemas.TypePageView, 0), "a true 0 page view", "b true 0 page view")
	expect(t, "the request", step(schemas.TypeAccountDeleted, 1), "a false 1 asked to be erased", "b false 1 asked to be erased")
	restart(t, &s)
	expect(t, "another page", step(schemas.TypePageView, 2))
	expect(t, "a new account", step(schemas.TypeSignup, 3), "a true 3 signup", "b true 3 signup")
}

// TestLateEventChangesHistory: what an event that comes late says of the past stands in the ledger with its own time, as far as lateness goes.
func TestLateEventChangesHistory(t *testing.T) {
	t.Parallel()
	s := newStage(parsed(t, `{name: a, when: 'count("product_view", within 1d) >= 2'}`))
	p := schemas.Profile{Index: 1, LastSeen: day0 + 20*schemas.Hour}
	view := func(clock, at schemas.Time) []string {
		t.Helper()
		p.LastSeen = max(p.LastSeen, day0+at*schemas.Hour)
		got, _ := touch(t, s, day0+clock*schemas.Hour, 0, &schemas.Event{Type: schemas.TypeProductView, Time: day0 + at*schemas.Hour}, p)
		return got
	}
	expect(t, "one", view(20, 20))
	expect(t, "one of before, three days later", view(92, 10), "a true 20 product view", "a false 34 time passed")
	expect(t, "one of after", view(93, 40), "a true 40 product view", "a false 44 time passed")
	expect(t, "one that is too old", view(300, 43))
}

func TestRulesOfOthers(t *testing.T) {
	t.Parallel()
	f := func(want string, lines ...string) {
		t.Helper()
		_, err := parseRules([]byte("audiences:\n  - " + strings.Join(lines, "\n  - ") + "\n"))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got error %v, want %q", lines, err, want)
		}
	}
	f("line 2: audience a depends on itself: a needs b needs a", `{name: a, when: 'member("b")'}`, `{name: b, when: 'true', exclude: [a]}`)
	f(`there is no audience "larg"; did you mean large?`, `{name: large, when: 'true'}`, `{name: b, when: 'member("larg")'}`)
	f(`unknown key "exlude"; did you mean exclude?`, `{name: a, when: 'true', exlude: [b]}`)
	f(`holdout "all" is no share`, `{name: a, when: 'true', holdout: all}`)
	f(`holdout "100%" is no share`, `{name: a, when: 'true', holdout: 100%}`)
	f(`max_age: "soon" is not a span`, `{name: a, when: 'true', max_age: soon}`)
	f("priority says something within a group only", `{name: a, when: 'true', priority: 2}`)
	f("cap and min_size cannot be negative", `{name: a, when: 'true', cap: -1}`)
	f(`unknown type of event "product_veiw"; did you mean product_view?`, `{name: a, when: 'did("product_veiw")'}`)
	f(`unknown name catgory`, `{name: a, when: 'did("product_view", catgory == "x")'}`)
	f(`did you mean category?`, `{name: a, when: 'did("product_view", catgory == "x")'}`)
	f("sum cannot add up sku", `{name: a, when: 'sum("order", sku) > 2'}`)
	f("sequence has 1 steps", `{name: a, when: 'sequence(event("order"), within 2h)'}`)
	f("sequence needs a span", `{name: a, when: 'sequence(event("order"), event("refund"))'}`)
	f("a window looks back for 730 days at most", `{name: a, when: 'did("order", within 3y)'}`)
	f("unknown name ordes (line 1, column 26", `{name: a, when: 'idle(last_order, 30d) or ordes > 2'}`) // where the author wrote it
}
