package score

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seamline/seamline/pipeline/state/statetest"
	"github.com/seamline/seamline/schemas"
)

// people is a graph in which every leaf starts as a profile of its own, and profiles merge.
type people struct {
	owner  []uint32       // profile by leaf
	merged []schemas.Time // by profile
	rng    *rand.Rand     // for the order of leaves, which means nothing
}

func newPeople(leaves uint32, rng *rand.Rand) *people {
	g := &people{rng: rng, owner: make([]uint32, leaves+1), merged: make([]schemas.Time, leaves+1)}
	for i := range g.owner {
		g.owner[i] = uint32(i)
	}
	return g
}

func (g *people) Profile(p uint32) (schemas.ProfileID, schemas.Time) {
	return schemas.ProfileID{byte(p), 1}, g.merged[p]
}
func (g *people) Owner(leaf uint32) uint32 { return g.owner[leaf] }
func (g *people) Count(p *schemas.Profile) { p.UserIDs = p.Index % 2 }
func (g *people) Leaves(p uint32, f func(uint32)) {
	for _, l := range g.rng.Perm(len(g.owner)) {
		if l > 0 && g.owner[l] == p {
			f(uint32(l))
		}
	}
}

// link merges the profiles of two leaves and gives what it touched, the merged-away profile first.
func (g *people) link(a, b uint32, at schemas.Time) []schemas.Touch {
	into, from := min(g.owner[a], g.owner[b]), max(g.owner[a], g.owner[b])
	if into == from {
		return []schemas.Touch{{Profile: into}}
	}
	for l := range g.owner {
		if g.owner[l] == from {
			g.owner[l] = into
		}
	}
	g.merged[from] = at
	return []schemas.Touch{{Profile: from}, {Profile: into}}
}

// result is all that a history leaves behind.
type result struct {
	moments  []string // rows and timers of every moment
	rows     map[uint32]schemas.Profile
	sessions []uint64
	revenues []schemas.Decimal
	saved    statetest.Shelf
	accounts map[string]schemas.Account
	models   []schemas.Model
	aliases  []schemas.SessionAlias
	stages   []schemas.StageChange
}

// walkedLeaves is how many leaves the histories are about.
const walkedLeaves = 12

// walk plays a history in batches of at most size and starts the stage anew after some of them.
type walk struct {
	stage     *Stage
	graph     *people
	due       map[uint32]schemas.Time
	batch     *schemas.Batch
	moment    schemas.Moment
	rows      map[uint32]schemas.Profile // as of the last moment
	isPartial bool                       // rows have no more than what is read
	result    result
}

func (w *walk) step(t *testing.T, clock schemas.Time, e *schemas.Event, touched ...schemas.Touch) {
	t.Helper()
	m := &w.moment
	m.Clock, m.Event, m.Touched, m.Moved = clock, e, append(m.Touched[:0], touched...), e != nil && e.Element > 0
	step(t, w.stage, w.batch, m)
	line := fmt.Sprint(clock)
	for i := range m.Profiles {
		p := m.Profiles[i]
		p.Version, p.State = 0, nil
		if p.Scores != nil {
			p.Scores = cloneScores(p.Scores)
			line += fmt.Sprintf(" %+v", *p.Scores)
			if !w.isPartial && (p.Consent != p.Scores.Consent || p.ConsentAt != p.Scores.ConsentAt) {
				t.Fatalf("consent %v at %s, in the scores %v at %s", p.Consent, p.ConsentAt, p.Scores.Consent, p.Scores.ConsentAt)
			}
		}
		scores := p.Scores
		p.Scores = nil
		line += fmt.Sprintf(" %+v", p)
		p.Scores = scores
		touch := &m.Touched[i]
		said := touch.Changed
		if said&schemas.FieldsClock != 0 {
			said |= schemas.FieldsScored // what time alone does to scores is told at fits
		}
		if touch.Changed == 0 {
			delete(w.due, p.Index)
		} else if unsaid := differences(w.rows[p.Index], p) &^ said; unsaid != 0 && !w.isPartial {
			t.Fatalf("%v: fields %b changed and only %b may have:\n%+v\n%+v", e, unsaid, said, w.rows[p.Index], p)
		}
		p.CartSKUs = slices.Clone(p.CartSKUs)
		w.rows[p.Index] = p
		if !slices.ContainsFunc(w.batch.Touched, func(t schemas.Touch) bool { return t.Profile == p.Index }) {
			w.batch.Touched = append(w.batch.Touched, schemas.Touch{Profile: p.Index})
		}
	}
	for _, timer := range m.Timers {
		w.due[timer.Profile] = schemas.Earlier(w.due[timer.Profile], timer.Due)
	}
	w.result.moments = append(w.result.moments, line+fmt.Sprint(m.Timers))
}

// pass steps every timer that is due at a time.
func (w *walk) pass(t *testing.T, clock schemas.Time) {
	t.Helper()
	for {
		var first schemas.Touch
		for p, due := range w.due {
			if due <= clock && (first.Due == 0 || due < first.Due || due == first.Due && p < first.Profile) {
				first = schemas.Touch{Profile: p, Due: due, Changed: schemas.FieldsClock}
			}
		}
		if first.Due == 0 {
			return
		}
		delete(w.due, first.Profile)
		w.step(t, first.Due, nil, first)
	}
}

func cloneScores(sc *schemas.Scores) *schemas.Scores {
	c := *sc
	c.Categories, c.Brands = append([]schemas.Weighed(nil), c.Categories...), append([]schemas.Weighed(nil), c.Brands...)
	c.Recommended = append([]schemas.Recommendation(nil), c.Recommended...)
	return &c
}

// everything is what a stage serves by default.
func everything(*schemas.Event, schemas.Fields) schemas.Fields { return schemas.FieldsAll }

func walked(t *testing.T, rng *rand.Rand, events []*schemas.Event, size int, readers func(*schemas.Event, schemas.Fields) schemas.Fields) result {
	t.Helper()
	const leaves = walkedLeaves
	cfg := DefaultConfig()
	cfg.FitEvery, cfg.CartHorizon = 3*time.Hour, time.Hour
	cfg.CartOpen, cfg.AtRiskAfter, cfg.LapsedAfter = cfg.CartOpen/100, cfg.AtRiskAfter/1000, cfg.LapsedAfter/1000
	w := &walk{graph: newPeople(leaves, rng), due: map[uint32]schemas.Time{}, rows: map[uint32]schemas.Profile{}}
	w.stage = New(cfg, w.graph, nil, prometheus.NewRegistry())
	w.stage.Serve(readers)
	w.isPartial = readers(nil, schemas.FieldsSeen) != schemas.FieldsAll
	w.result = result{accounts: map[string]schemas.Account{}, rows: map[uint32]schemas.Profile{}, saved: statetest.Shelf{}}
	clock, number := schemas.Time(0), uint64(0)
	for batch := range slices.Chunk(events, size) {
		number++
		w.batch = &schemas.Batch{Number: number, Events: batch}
		if err := w.stage.Begin(w.batch); err != nil {
			t.Fatal(err)
		}
		for _, e := range batch {
			clock = max(clock, e.Time)
			w.pass(t, clock)
			touched := []schemas.Touch{}
			if e.Leaf != 0 {
				e.Profile = w.graph.Owner(e.Leaf)
				touched = append(touched, schemas.Touch{Profile: e.Profile})
			}
			if e.Element > 0 { // an event that links two leaves
				touched = w.graph.link(e.Leaf, uint32(e.Element), e.Time)
			}
			w.step(t, clock, e, touched...)
			w.result.sessions = append(w.result.sessions, e.SessionID)
			w.result.revenues = append(w.result.revenues, e.Revenue)
		}
		slices.SortFunc(w.batch.Touched, func(a, b schemas.Touch) int { return int(a.Profile) - int(b.Profile) })
		if err := w.stage.Apply(w.batch); err != nil {
			t.Fatal(err)
		}
		w.result.models = append(w.result.models, w.batch.Models...)
		w.result.aliases = append(w.result.aliases, w.batch.SessionAliases...)
		w.result.stages = append(w.result.stages, w.batch.StageChanges...)
		for _, a := range w.batch.Accounts {
			a.Version = 0
			w.result.accounts[a.ID] = a
		}
		for _, p := range w.batch.Profiles {
			p.Version, p.CartSKUs = 0, slices.Clone(p.CartSKUs)
			if p.Scores != nil {
				p.Scores = cloneScores(p.Scores)
			}
			w.result.rows[p.Index] = p
		}
		switch rng.IntN(4) {
		case 0:
			w.stage = restart(t, w.result.saved, w.stage)
			w.stage.Serve(readers)
		case 1:
			w.result.saved.Save(t, rng, w.stage)
		}
	}
	if err := w.stage.Save(w.result.saved); err != nil {
		t.Fatal(err)
	}
	return w.result
}

// differences gives the groups of fields in which two rows of a profile differ.
func differences(a, b schemas.Profile) (fields schemas.Fields) {
	note := func(same bool, group schemas.Fields) {
		if !same {
			fields |= group
		}
	}
	for c := range a.Channels {
		x, y := a.Channels[c], b.Channels[c]
		note(x.Events == y.Events && x.FirstSeen == y.FirstSeen && x.LastSeen == y.LastSeen, schemas.FieldsSeen)
		note(x.Orders == y.Orders && x.Revenue == y.Revenue, schemas.FieldsOrders)
	}
	a.Channels, b.Channels = [schemas.ChannelCount]schemas.ChannelTotals{}, [schemas.ChannelCount]schemas.ChannelTotals{}
	move := func(group schemas.Fields, names ...string) {
		x, y := reflect.ValueOf(&a).Elem(), reflect.ValueOf(&b).Elem()
		for _, name := range names {
			note(reflect.DeepEqual(x.FieldByName(name).Interface(), y.FieldByName(name).Interface()), group)
			x.FieldByName(name).SetZero()
			y.FieldByName(name).SetZero()
		}
	}
	move(schemas.FieldsSeen, "Events", "FirstSeen", "LastSeen", "LastSessionID", "LastSessionStart")
	move(schemas.FieldsSessions, "Sessions")
	move(schemas.FieldsViews, "ProductViews")
	move(schemas.FieldsSearches, "Searches")
	move(schemas.FieldsCheckout, "CheckoutAt")
	move(schemas.FieldsCart, "CartQuantity", "CartValue", "CartUpdated")
	note(slices.Equal(a.CartSKUs, b.CartSKUs), schemas.FieldsCart)
	a.CartSKUs, b.CartSKUs = nil, nil
	move(schemas.FieldsOrders, "Orders", "Refunds", "PurchaseDays", "Revenue", "Currency", "OtherCurrency", "FirstOrder", "LastOrder",
		"StoreOrders", "OnlineOrders")
	move(schemas.FieldsMessages, "Email")
	move(schemas.FieldsStage, "Stage", "StageSince", "StageReason")
	move(schemas.FieldsConsent, "Consent", "ConsentAt")
	move(schemas.FieldsCountry, "Country")
	if x, y := a.Scores, b.Scores; x != nil && y != nil {
		note(x.Lines == y.Lines && x.PromotedLines == y.PromotedLines && x.Discount == y.Discount && x.List == y.List && x.LoyaltyEarned == y.LoyaltyEarned &&
			x.LoyaltyBurned == y.LoyaltyBurned && x.GoodsCost == y.GoodsCost, schemas.FieldsBuying)
		note(x.NPS == y.NPS && x.CSAT == y.CSAT && x.AnsweredAt == y.AnsweredAt, schemas.FieldsAnswers)
		note(x.Consent == y.Consent && x.ConsentAt == y.ConsentAt, schemas.FieldsConsent)
	}
	move(schemas.FieldsScores, "Scores")
	move(schemas.FieldsIdentity, "UserIDs", "LoyaltyIDs", "Emails", "Phones", "Cards", "Devices", "Anonymous", "Identifiers")
	if !reflect.DeepEqual(a, b) {
		fields |= schemas.FieldsAll + 1 // a field that belongs to no group
	}
	return fields
}

// differing lists the entries in which two shelves differ.
func differing(a, b statetest.Shelf) (list string) {
	for key := range a {
		if !bytes.Equal(a[key], b[key]) {
			list += fmt.Sprintf("\n%q: %x, %x", key, a[key], b[key])
		}
	}
	for key := range b {
		if _, ok := a[key]; !ok {
			list += fmt.Sprintf("\n%q is missing: %x", key, b[key])
		}
	}
	return list
}

// TestCuts: wherever batches are cut and the process is started anew, every moment, every last row with its state, and what is saved
// are the same.
func TestCuts(t *testing.T) {
	t.Parallel()
	rng := random(t)
	for range 5 {
		const leaves = walkedLeaves
		events := randomEvents(rng, 400, leaves)
		for i, e := range events {
			switch rng.IntN(20) {
			case 0:
				e.Element = 1 + rng.IntN(leaves)
			case 1, 2:
				e.Leaf = 0
			case 4: // what the catalog says
				e.Leaf, e.Items, e.Time = 0, []schemas.Item{{SKU: e.SKU, Category: "coats", Brand: "b", UnitPrice: 70, Cost: 20}}, max(e.Time, events[max(0, i-1)].Time)
				e.Type, e.Quantity = schemas.TypePriceChange, schemas.Decimal(rng.IntN(2))
				if rng.IntN(2) == 0 {
					e.Type = schemas.TypeStockChange
				}
				e.OrderID = ""
			case 5:
				e.Type, e.OrderID = schemas.TypeConsentUpdate, ""
				e.Consents = []schemas.Consent{{Purpose: schemas.Purpose(rng.IntN(schemas.PurposeCount)), State: schemas.ConsentGranted + schemas.ConsentState(rng.IntN(2))}}
			case 6:
				e.Type, e.OrderID = schemas.TypeSurveyAnswer, ""
				e.Answer = schemas.Answer{Survey: "s", Kind: schemas.SurveyNPS, Score: int8(rng.IntN(11))}
			case 8, 9:
				e.Country = []string{"DE", "FR"}[rng.IntN(2)]
			case 7:
				e.Type, e.OrderID, e.Channel = schemas.TypeMessageUnsubscribe, "", schemas.ChannelSMS
			case 3:
				e.Time -= schemas.Time(rng.IntN(3 * int(schemas.Day)))
			}
			if i%5 == 0 && e.OrderID != "" {
				e.Currency = []string{"EUR", "GBP", ""}[rng.IntN(3)]
			}
		}
		want := walked(t, rng, clone(events), len(events), everything)
		for _, size := range []int{1, 7, 90} {
			got := walked(t, rng, clone(events), size, everything)
			for i := range want.moments {
				if got.moments[i] != want.moments[i] {
					t.Fatalf("batches of %d, moment %d:\n%s\n%s", size, i, got.moments[i], want.moments[i])
				}
			}
			if !slices.Equal(got.sessions, want.sessions) || !slices.Equal(got.revenues, want.revenues) {
				t.Fatalf("batches of %d: the events' sessions or revenues differ", size)
			}
			for p, row := range want.rows {
				if !reflect.DeepEqual(got.rows[p], row) {
					t.Fatalf("batches of %d: rows differ:\n%+v\n%+v\n%+v\n%+v", size, got.rows[p].Scores, row.Scores, got.rows[p], row)
				}
			}
			if !reflect.DeepEqual(got.models, want.models) || !slices.Equal(got.aliases, want.aliases) || !slices.Equal(got.stages, want.stages) || !maps.Equal(got.accounts, want.accounts) {
				t.Fatalf("batches of %d: models, aliases of sessions, steps of journeys or accounts differ:\n%+v\n%+v", size, got.accounts, want.accounts)
			}
			if len(got.moments) != len(want.moments) || len(got.rows) != len(want.rows) || !got.saved.Equal(want.saved) {
				t.Fatalf("batches of %d: the saved state differs: %s", size, differing(got.saved, want.saved))
			}
		}
		// What is not read is not folded, and nothing else is other for it.
		few := walked(t, rng, clone(events), len(events), func(_ *schemas.Event, changed schemas.Fields) schemas.Fields { return changed & schemas.FieldsOrders })
		for p, row := range want.rows {
			if !reflect.DeepEqual(few.rows[p], row) {
				t.Fatalf("rows differ where little is read:\n%+v\n%+v", few.rows[p], row)
			}
		}
		if !slices.Equal(few.sessions, want.sessions) || !slices.Equal(few.revenues, want.revenues) || !few.saved.Equal(want.saved) {
			t.Fatal("events or the saved state differ where little is read")
		}
	}
}

// TestRefundBySomebodyElse: a refund with another customer's card changes the profile of the one who bought.
func TestRefundBySomebodyElse(t *testing.T) {
	t.Parallel()
	g := newPeople(2, random(t))
	s := New(DefaultConfig(), g, nil, prometheus.NewRegistry())
	back := with(sale("a", day0+1, 2, 40), func(e *schemas.Event) { e.Type = schemas.TypeRefund })
	for number, e := range []*schemas.Event{sale("a", day0, 1, 100), back} {
		b := &schemas.Batch{Number: uint64(number), Touched: []schemas.Touch{{Profile: e.Leaf}}}
		if err := s.Begin(b); err != nil {
			t.Fatal(err)
		}
		e.Profile = e.Leaf
		m := &schemas.Moment{Clock: e.Time, Event: e, Touched: []schemas.Touch{{Profile: e.Leaf}}}
		step(t, s, b, m)
		if err := s.Apply(b); err != nil {
			t.Fatal(err)
		}
		if number == 0 {
			continue
		}
		// The profile of the one who returns it is looked at for the first time.
		if !slices.Equal(m.Touched, []schemas.Touch{{Profile: 2}, {Profile: 1}}) || !slices.Equal(b.Touched, []schemas.Touch{{Profile: 1}, {Profile: 2}}) {
			t.Errorf("touched are %v in the moment and %v in the batch", m.Touched, b.Touched)
		}
		if b.Profiles[0].Revenue != 60 || m.Profiles[1].Revenue != 60 || b.Profiles[1].Refunds != 1 {
			t.Errorf("got %+v", b.Profiles)
		}
	}
}
