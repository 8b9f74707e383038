package audience

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seamline/seamline/pipeline/state/statetest"
	"github.com/seamline/seamline/schemas"
)

// ordeal plays a history to a stage, and asks the naive evaluator whether the stage is right.
type ordeal struct {
	t       *testing.T
	drawn   []drawnRule
	rules   []Rule
	crowd   *crowd
	stage   *Stage
	batch   *schemas.Batch
	due     map[uint32]schemas.Time
	ledger  []schemas.AudienceChange
	timers  []string
	saved   statetest.Shelf
	checked int
	inside  int

	isCoarse bool // times of the ledger need not be exact
}

func newOrdeal(t *testing.T, drawn []drawnRule, leaves int) *ordeal {
	t.Helper()
	text := "audiences:\n"
	for _, r := range drawn {
		text += fmt.Sprintf("  - {name: %s, when: '%s', exclude: [%s]}\n", r.name, strings.ReplaceAll(r.when, "'", "''"), strings.Join(r.exclude, ", "))
	}
	list, err := parseRules([]byte(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	o := &ordeal{t: t, drawn: drawn, rules: list, crowd: newCrowd(leaves), due: map[uint32]schemas.Time{}, saved: statetest.Shelf{}, batch: &schemas.Batch{}}
	o.stage = o.fresh()
	return o
}

func (o *ordeal) fresh() *Stage {
	return New(DefaultConfig(), o.rules, o.crowd, nil, prometheus.NewRegistry())
}

// step takes a moment through the stage as the line does.
func (o *ordeal) step(clock schemas.Time, e *schemas.Event, touched ...schemas.Touch) {
	o.t.Helper()
	m := &schemas.Moment{Clock: clock, Event: e, Touched: touched}
	for _, touch := range touched {
		reads := schemas.FieldsAll
		if touch.Changed != 0 {
			reads = o.stage.Reads(e, touch.Changed)
		} else {
			delete(o.due, touch.Profile)
		}
		p := o.crowd.row(touch.Profile, reads)
		if len(o.crowd.past(touch.Profile).events) == 0 {
			p.LastSeen, p.Merged = clock, true // nothing is left of it
		}
		m.Profiles = append(m.Profiles, p)
	}
	before := len(o.batch.Changes)
	if err := o.stage.Step(o.batch, m); err != nil {
		o.t.Fatal(err)
	}
	for _, timer := range m.Timers {
		o.due[timer.Profile] = schemas.Earlier(o.due[timer.Profile], timer.Due)
	}
	o.timers = append(o.timers, fmt.Sprint(clock, m.Timers))
	if e == nil && !o.isCoarse {
		o.checkTimes(clock, touched[0].Profile, o.batch.Changes[before:])
	}
}

// pass steps every timer that is due at a time.
func (o *ordeal) pass(clock schemas.Time) {
	o.t.Helper()
	for {
		first := schemas.Touch{Changed: schemas.FieldsClock}
		for p, due := range o.due {
			if due <= clock && (first.Due == 0 || due < first.Due || due == first.Due && p < first.Profile) {
				first.Profile, first.Due = p, due
			}
		}
		if first.Due == 0 {
			return
		}
		delete(o.due, first.Profile)
		o.step(first.Due, nil, first)
	}
}

// turn plays one step of the history.
func (o *ordeal) turn(u *turn) {
	o.t.Helper()
	e := u.event
	c := o.crowd
	o.pass(u.clock)
	c.events[e.Leaf] = append(c.events[e.Leaf], e)
	e.Profile = c.owners[e.Leaf]
	changed := schemas.FieldsSeen | schemas.FieldsScores
	switch e.Type {
	case schemas.TypeOrder:
		changed |= schemas.FieldsOrders | schemas.FieldsCart
	case schemas.TypeProductView:
		changed |= schemas.FieldsViews
	case schemas.TypeConsentUpdate:
		changed |= schemas.FieldsConsent
	}
	if len(c.events[e.Leaf]) == 1 {
		changed = 0 // looked at for the first time
	}
	touched := []schemas.Touch{{Profile: e.Profile, Changed: changed}}
	switch {
	case u.join != 0 && c.owners[u.join] != e.Profile:
		gone := c.owners[u.join]
		for leaf := range c.owners {
			if c.owners[leaf] == gone {
				c.owners[leaf] = e.Profile
			}
		}
		touched = []schemas.Touch{{Profile: gone}, {Profile: e.Profile}}
	case u.part != 0 && len(c.events[u.part]) > 0:
		from := c.owners[u.part]
		c.people++
		c.owners[u.part] = c.people
		if e.Leaf == u.part {
			e.Profile = c.people
		}
		touched = []schemas.Touch{{Profile: from}, {Profile: c.people}}
		if e.Profile != from && e.Profile != c.people {
			touched = append(touched, schemas.Touch{Profile: e.Profile, Changed: changed})
		}
	}
	o.step(u.clock, e, touched...)
}

// belongs asks the naive evaluator about all audiences of a person.
func (o *ordeal) belongs(profile uint32, at schemas.Time) map[string]bool {
	who := o.crowd.past(profile)
	for _, r := range o.drawn {
		who.inside[r.name] = asked(o.t, r.when, who, at) && !slices.ContainsFunc(r.exclude, func(other string) bool { return who.inside[other] })
	}
	return who.inside
}

// check compares everybody's audiences with the definition.
func (o *ordeal) check(at schemas.Time) {
	o.t.Helper()
	for profile := uint32(1); profile <= o.crowd.people; profile++ {
		if len(o.crowd.past(profile).events) == 0 {
			continue
		}
		for name, want := range o.belongs(profile, at) {
			o.checked++
			if want {
				o.inside++
			}
			if got := o.stage.has(profile, name); got != want {
				o.t.Fatalf("at %d person %d is in %s: %v, and by definition %v: %s\n%s", at, profile, name, got, want, o.describe(name), o.history(profile, at))
			}
		}
	}
}

// checkTimes: what changes because time passed changes at the very millisecond.
func (o *ordeal) checkTimes(clock schemas.Time, profile uint32, changes []schemas.AudienceChange) {
	o.t.Helper()
	if len(changes) == 0 {
		return
	}
	before, after := o.belongs(profile, clock-1), o.belongs(profile, clock)
	for _, c := range changes {
		if c.Time != clock || after[c.Audience] != c.Enter || before[c.Audience] == c.Enter {
			o.t.Fatalf("at %d: %+v; by definition %v before and %v then: %s\n%s", clock, c, before[c.Audience], after[c.Audience], o.describe(c.Audience), o.history(profile, clock))
		}
	}
}

func (o *ordeal) describe(name string) string {
	for _, r := range o.drawn {
		if r.name == name {
			return fmt.Sprintf("%s, but for %q", r.when, r.exclude)
		}
	}
	return ""
}

func (o *ordeal) history(profile uint32, at schemas.Time) string {
	var lines []string
	for _, e := range o.crowd.past(profile).events {
		lines = append(lines, fmt.Sprintf("%12d ms ago, leaf %d: %s %s %q %v items %v", at-e.Time, e.Leaf, e.Type, e.Channel, e.SKU, e.Amount, e.Items))
	}
	return strings.Join(lines, "\n")
}

// play plays turns in batches, with restarts between some of them.
func (o *ordeal) play(rng *rand.Rand, turns []turn, size int, isChecked bool) {
	o.t.Helper()
	for part := range slices.Chunk(turns, size) {
		o.batch = &schemas.Batch{}
		if err := o.stage.Begin(o.batch); err != nil {
			o.t.Fatal(err)
		}
		for i := range part {
			o.turn(&part[i])
			if isChecked {
				o.check(part[i].clock)
			}
			for _, at := range part[i].asks {
				o.pass(at)
				if isChecked {
					o.check(at)
				}
			}
		}
		if err := o.stage.Apply(o.batch); err != nil {
			o.t.Fatal(err)
		}
		o.ledger = append(o.ledger, o.batch.Changes...)
		if size == len(turns) {
			continue
		}
		switch rng.IntN(4) {
		case 0:
			again := o.fresh()
			o.saved.Restart(o.t, o.stage, again)
			o.stage = again
		case 1:
			o.saved.Save(o.t, rng, o.stage)
		}
	}
	if err := o.stage.Save(o.saved); err != nil {
		o.t.Fatal(err)
	}
}

// checkLedger: numbers without a gap, entries and exits in turn, times that never go back, and at the end what is so.
func (o *ordeal) checkLedger() {
	o.t.Helper()
	sequences, last := map[string]uint64{}, map[string]schemas.AudienceChange{}
	for _, c := range o.ledger {
		key := c.Audience + c.ProfileID.String()
		before, known := last[key]
		if sequences[c.Audience]++; c.Sequence != sequences[c.Audience] || known && (before.Enter == c.Enter || before.Time > c.Time) || !known && !c.Enter || c.Reason == "" {
			o.t.Fatalf("%+v after %+v, number %d", c, before, sequences[c.Audience])
		}
		last[key] = c
	}
	for profile := uint32(1); profile <= o.crowd.people; profile++ {
		for _, r := range o.drawn {
			if in := last[r.name+personID(profile).String()].Enter; in != o.stage.has(profile, r.name) {
				o.t.Fatalf("person %d, %s: the ledger says %v", profile, r.name, in)
			}
		}
	}
}

// TestWindowsAgainstTheDefinition: whatever the rules, and however late, out of order and across merges and unmerges events come, at every
// instant everybody is in the audiences that the definition gives; and neither batches nor restarts change anything.
func TestWindowsAgainstTheDefinition(t *testing.T) {
	t.Parallel()
	d := drawer{random(t)}
	checked, inside, changes := 0, 0, 0
	for range 12 {
		const leaves = 8
		drawn, turns := d.rules(8), d.turns(150, leaves)
		first := newOrdeal(t, drawn, leaves)
		first.play(d.Rand, turns, len(turns), true)
		first.checkLedger()
		checked, inside, changes = checked+first.checked, inside+first.inside, changes+len(first.ledger)
		again := newOrdeal(t, drawn, leaves)
		again.play(d.Rand, turns, 1+d.IntN(20), false)
		if !slices.Equal(first.ledger, again.ledger) || !slices.Equal(first.timers, again.timers) || !first.saved.Equal(again.saved) {
			t.Fatal("batches and restarts change the ledger, the timers or the state")
		}
	}
	if t.Logf("%d answers, %d of them yes, %d changes", checked, inside, changes); inside < checked/20 || inside > checked*19/20 || changes < 300 {
		t.Error("the histories are too dull")
	}
}

// TestErasureFromTheFuture: who asks for erasure with a clock that is fast leaves every audience at once.
func TestErasureFromTheFuture(t *testing.T) {
	t.Parallel()
	o := newOrdeal(t, []drawnRule{{name: "a0", when: "events > 0"}, {name: "a1", when: `did("page_view", within 1d)`}}, 1)
	event := func(kind schemas.Type, at schemas.Time, in bool) {
		t.Helper()
		o.turn(&turn{clock: day0, event: &schemas.Event{Type: kind, Time: at, Leaf: 1}})
		if o.stage.has(1, "a0") != in || o.stage.has(1, "a1") != in {
			t.Errorf("after %s: in %v and %v", kind, o.stage.has(1, "a0"), o.stage.has(1, "a1"))
		}
	}
	event(schemas.TypePageView, day0, true)
	event(schemas.TypeAccountDeleted, day0+schemas.Hour, false)
	event(schemas.TypePageView, day0, false)
}

// TestWindowsBeyondTheBound: of the newest events of a piece of history windows are exact; older ones count by day, so that an answer is
// that of a window at most a day longer or shorter.
func TestWindowsBeyondTheBound(t *testing.T) {
	t.Parallel()
	d := drawer{random(t)}
	var drawn []drawnRule
	for k := range 40 {
		drawn = append(drawn, drawnRule{name: fmt.Sprint("a", k), when: fmt.Sprintf(`count("page_view", within 30d) >= %d`, 8*k+1)},
			drawnRule{name: fmt.Sprint("b", k), when: fmt.Sprintf(`count("page_view", within 60h) >= %d`, k+1)})
	}
	o := newOrdeal(t, drawn, 1)
	o.isCoarse = true
	clock, approximate := day0, 0
	for n := range 600 {
		clock += schemas.Time(d.Int64N(int64(5 * schemas.Hour)))
		e := &schemas.Event{Type: schemas.TypePageView, Time: clock - schemas.Time(d.IntN(2)*d.IntN(int(schemas.Day))), Leaf: 1}
		o.batch = &schemas.Batch{}
		if err := o.stage.Begin(o.batch); err != nil {
			t.Fatal(err)
		}
		o.turn(&turn{event: e, clock: clock})
		if n%9 != 0 {
			continue
		}
		who := o.crowd.past(1)
		at := func(k int, span string) bool {
			return asked(t, fmt.Sprintf(`count("page_view", within %s) >= %d`, span, k), who, clock)
		}
		for k := range 40 {
			got := o.stage.has(1, fmt.Sprint("a", k))
			if least, most := at(8*k+1, "29d"), at(8*k+1, "31d"); least && !got || got && !most {
				t.Fatalf("event %d: %d or more within 30 days: %v; within 29 days %v, within 31 days %v", n, 8*k+1, got, least, most)
			}
			if got != at(8*k+1, "30d") {
				approximate++
			}
			if got, want := o.stage.has(1, fmt.Sprint("b", k)), at(k+1, "60h"); got != want {
				t.Fatalf("event %d: %d or more within 60 hours: %v", n, k+1, got)
			}
		}
	}
	t.Logf("%d answers were of another window", approximate)
}
