package audience

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/seamline/seamline/pipeline/state/statetest"
	"github.com/seamline/seamline/schemas"
)

var seed = flag.Uint64("seed", 0, "seed of randomised tests; 0 draws one")

// happening is an event as far as audiences are concerned: when it is, and the rows that it changed.
type happening struct {
	clock schemas.Time
	rows  []schemas.Profile
}

// history draws happenings of some profiles. Last sights go back now and then, as they do when profiles are divided.
func history(rng *rand.Rand, count, profiles int) (list []happening) {
	clock := day0
	state := make([]schemas.Profile, profiles+1)
	for range count {
		clock += schemas.Time(rng.Int64N(int64(2 * schemas.Hour)))
		h := happening{clock: clock}
		for range 1 + rng.IntN(2) {
			i := 1 + rng.IntN(profiles)
			if slices.ContainsFunc(h.rows, func(p schemas.Profile) bool { return p.Index == uint32(i) }) {
				continue
			}
			p := &state[i]
			at := clock - schemas.Time(rng.IntN(2))*schemas.Time(rng.Int64N(int64(schemas.Day)))
			*p = schemas.Profile{Index: uint32(i), ID: schemas.ProfileID{byte(i), 7}, LastSeen: at, Orders: p.Orders, LastOrder: p.LastOrder, CartUpdated: p.CartUpdated,
				CartQuantity: p.CartQuantity}
			switch rng.IntN(5) {
			case 0:
				p.Orders, p.LastOrder, p.CartQuantity, p.CartUpdated = p.Orders+1, at, 0, 0
			case 1:
				p.Orders = max(0, p.Orders-1)
			case 2, 3:
				p.CartQuantity, p.CartUpdated = schemas.DecimalOne, at
			}
			row := *p
			if rng.IntN(15) == 0 {
				row.Merged = true
			}
			h.rows = append(h.rows, row)
		}
		list = append(list, h)
	}
	return list
}

// played is what a history leaves behind.
type played struct {
	changes []schemas.AudienceChange
	timers  []string
	rows    map[string]schemas.Membership
	saved   statetest.Shelf
}

// player plays a history as the line does.
type player struct {
	stage *Stage
	batch *schemas.Batch
	due   map[uint32]schemas.Time
	last  map[uint32]schemas.Profile
	out   played
}

func (p *player) step(t *testing.T, clock, due schemas.Time, rows ...schemas.Profile) {
	t.Helper()
	m := &schemas.Moment{Clock: clock, Profiles: rows}
	for _, row := range rows {
		m.Touched = append(m.Touched, schemas.Touch{Profile: row.Index, Due: due})
		p.last[row.Index] = row
		delete(p.due, row.Index)
	}
	if err := p.stage.Step(p.batch, m); err != nil {
		t.Fatal(err)
	}
	for _, timer := range m.Timers {
		p.due[timer.Profile] = timer.Due
	}
	p.out.timers = append(p.out.timers, fmt.Sprint(clock, m.Timers))
}

func (p *player) pass(t *testing.T, clock schemas.Time) {
	t.Helper()
	for {
		first, at := uint32(0), schemas.Time(0)
		for i, due := range p.due {
			if due <= clock && (at == 0 || due < at || due == at && i < first) {
				first, at = i, due
			}
		}
		if first == 0 {
			return
		}
		p.step(t, at, at, p.last[first])
	}
}

func play(t *testing.T, rng *rand.Rand, list []Rule, events []happening, size int) played {
	t.Helper()
	p := &player{stage: newStage(list), due: map[uint32]schemas.Time{}, last: map[uint32]schemas.Profile{}}
	p.out = played{rows: map[string]schemas.Membership{}, saved: statetest.Shelf{}}
	for part := range slices.Chunk(events, size) {
		p.batch = &schemas.Batch{}
		if err := p.stage.Begin(p.batch); err != nil {
			t.Fatal(err)
		}
		for _, h := range part {
			p.pass(t, h.clock)
			p.step(t, h.clock, 0, h.rows...)
		}
		if err := p.stage.Apply(p.batch); err != nil {
			t.Fatal(err)
		}
		p.out.changes = append(p.out.changes, p.batch.Changes...)
		inBatch := map[string]bool{}
		for _, m := range p.batch.Memberships {
			key := fmt.Sprint(m.Audience, m.ProfileID)
			if inBatch[key] || m.Member != (m.Until == 0) || m.Until != 0 && m.Until < m.Since {
				t.Fatalf("batches of %d: membership %+v, seen before in the batch: %v", size, m, inBatch[key])
			}
			inBatch[key] = true
			p.out.rows[key] = m
		}
		switch rng.IntN(4) {
		case 0:
			again := newStage(list)
			p.out.saved.Restart(t, p.stage, again)
			if again.Changed() {
				t.Fatal("rules that are the same count as changed")
			}
			p.stage = again
		case 1:
			p.out.saved.Save(t, rng, p.stage)
		}
	}
	if err := p.stage.Save(p.out.saved); err != nil {
		t.Fatal(err)
	}
	return p.out
}

// TestCuts: wherever batches are cut and the process is started anew, the same entries and exits stand in the ledger, with the same
// numbers and times, and the same memberships are left.
func TestCuts(t *testing.T) {
	t.Parallel()
	n := *seed
	if n == 0 {
		n = uint64(time.Now().UnixNano())
	}
	t.Logf("replay with -seed %d", n)
	rng := rand.New(rand.NewPCG(n, n))
	list := rules(t, `cart_quantity > 0 and idle(cart_updated, "1h") and within(cart_updated, "30h")`, `orders > 0 and within(last_order, "12h")`,
		`orders > 1`, `orders > 0 and idle(last_order, "2d")`)
	events := history(rng, 1500, 20)
	want := play(t, rng, list, events, len(events))
	if len(want.changes) < 100 {
		t.Fatalf("only %d changes: the history is too dull", len(want.changes))
	}
	for _, size := range []int{1, 7, 200} {
		got := play(t, rng, list, events, size)
		if !slices.Equal(got.changes, want.changes) || !slices.Equal(got.timers, want.timers) {
			t.Fatalf("batches of %d: the ledger or the timers differ", size)
		}
		if fmt.Sprint(got.rows) != fmt.Sprint(want.rows) || !got.saved.Equal(want.saved) {
			t.Fatalf("batches of %d: the memberships differ", size)
		}
	}
	// What is left is what the ledger says.
	inside := map[string]bool{}
	for _, c := range want.changes {
		inside[fmt.Sprint(c.Audience, c.ProfileID)] = c.Enter
	}
	for key, in := range inside {
		if want.rows[key].Member != in {
			t.Errorf("%s: the last row is %+v", key, want.rows[key])
		}
	}
}

// TestLastRowOfABatch: who comes and goes within a batch has one row.
func TestLastRowOfABatch(t *testing.T) {
	t.Parallel()
	s := newStage(rules(t, "orders > 0", "sessions > 0"))
	b := &schemas.Batch{}
	row := schemas.Profile{Index: 3, ID: schemas.ProfileID{3}, LastSeen: day0, Orders: 1, Sessions: 1}
	other := schemas.Profile{Index: 2, ID: schemas.ProfileID{2}, LastSeen: day0, Orders: 1}
	gone := row
	gone.Orders, gone.LastSeen = 0, day0-schemas.Hour // the event that takes the order back happened before it
	step := func(p schemas.Profile) error {
		return s.Step(b, &schemas.Moment{Clock: day0, Touched: []schemas.Touch{{Profile: p.Index}}, Profiles: []schemas.Profile{p}})
	}
	if err := errors.Join(s.Begin(b), step(row), step(other), step(gone), s.Apply(b)); err != nil {
		t.Fatal(err)
	}
	want := []schemas.Membership{
		{Audience: "a0", ProfileID: other.ID, Member: true, Since: day0, Reason: "pieces of history came or went"},
		{Audience: "a0", ProfileID: row.ID, Since: day0, Until: day0, Reason: "pieces of history came or went"},
		{Audience: "a1", ProfileID: row.ID, Member: true, Since: day0, Reason: "pieces of history came or went"},
	}
	if !slices.Equal(b.Memberships, want) || len(b.Changes) != 4 {
		t.Errorf("got %+v and %d changes", b.Memberships, len(b.Changes))
	}
}

// TestMembers: the lists of audiences are what a map would be.
func TestMembers(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 1))
	m, want := newMembers(nil), map[member]schemas.Time{}
	for n := range 5000 {
		k := member{audience: rng.Uint32N(9), profile: rng.Uint32N(30)}
		if _, in := want[k]; in {
			m.remove(k.profile, k.audience)
			delete(want, k)
		} else {
			m.set(k.profile, k.audience, stay{since: schemas.Time(n)})
			want[k] = schemas.Time(n)
		}
	}
	for profile := range uint32(30) {
		last := -1
		m.each(profile, func(audience uint32, s *stay) {
			if want[member{audience, profile}] != s.since || int(audience) <= last {
				t.Errorf("profile %d is in audience %d since %d", profile, audience, s.since)
			}
			last = int(audience)
			delete(want, member{audience, profile})
		})
	}
	if len(want) > 0 || m.nodes.Len() > 9*30+1 {
		t.Errorf("%d memberships are missing, %d nodes are in use", len(want), m.nodes.Len())
	}
}
