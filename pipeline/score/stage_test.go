package score

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seamline/seamline/pipeline/state/statetest"
	"github.com/seamline/seamline/schemas"
)

var seed = flag.Uint64("seed", 0, "seed of randomised tests; 0 draws one")

// one is a graph of a single profile with all leaves.
type one struct{ leaves uint32 }

func (o one) Profile(uint32) (schemas.ProfileID, schemas.Time) { return schemas.ProfileID{1}, 0 }
func (o one) Owner(uint32) uint32                              { return 1 }
func (o one) Leaves(_ uint32, f func(uint32)) {
	for l := o.leaves; l > 0; l-- {
		f(l)
	}
}
func (o one) Count(p *schemas.Profile) { p.UserIDs = 1 }

const day0 = 20_000 * schemas.Day

func newStage(leaves uint32) *Stage {
	return New(DefaultConfig(), one{leaves}, nil, prometheus.NewRegistry())
}

// play applies events as one batch, all at one time, and gives the profile.
func play(t *testing.T, s *Stage, clock schemas.Time, events ...*schemas.Event) *schemas.Profile {
	t.Helper()
	b := &schemas.Batch{Number: 1, Events: events, Touched: []schemas.Touch{{Profile: 1}}}
	if err := s.Begin(b); err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		step(t, s, b, &schemas.Moment{Clock: clock, Event: e, Touched: []schemas.Touch{{Profile: 1}}})
	}
	if err := s.Apply(b); err != nil {
		t.Fatal(err)
	}
	return &b.Profiles[0]
}

func step(t *testing.T, s *Stage, b *schemas.Batch, m *schemas.Moment) {
	t.Helper()
	if err := s.Step(b, m); err != nil {
		t.Fatal(err)
	}
	if len(m.Profiles) != len(m.Touched) {
		t.Fatalf("%d rows for %d touched profiles", len(m.Profiles), len(m.Touched))
	}
}

func event(kind schemas.Type, at schemas.Time, leaf uint32) *schemas.Event {
	return &schemas.Event{ID: fmt.Sprint(kind, at, leaf), Source: "test", Type: kind, Channel: schemas.ChannelWeb, Time: at, Leaf: leaf, Profile: 1,
		Identifiers: []schemas.Identifier{{Namespace: "anonymous_id", Value: fmt.Sprint(leaf)}}}
}

func sale(id string, at schemas.Time, leaf uint32, amount schemas.Decimal) *schemas.Event {
	e := event(schemas.TypeOrder, at, leaf)
	e.OrderID, e.Amount, e.Currency = id, amount, "USD"
	return e
}

func with(e *schemas.Event, change func(e *schemas.Event)) *schemas.Event {
	change(e)
	return e
}

func TestTrade(t *testing.T) {
	t.Parallel()
	f := func(name string, orders int64, revenue schemas.Decimal, events ...*schemas.Event) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := play(t, newStage(3), day0+schemas.Day, events...)
			var sum schemas.Decimal
			for _, e := range events {
				sum += e.Revenue
			}
			if p.Orders != orders || p.Revenue != revenue || sum != revenue {
				t.Errorf("got %d orders, revenue %s, event sum %s; want %d and %s", p.Orders, p.Revenue, sum, orders, revenue)
			}
		})
	}
	version := func(n int64) func(e *schemas.Event) { return func(e *schemas.Event) { e.OrderVersion = n } }
	kind := func(k schemas.Type) func(e *schemas.Event) { return func(e *schemas.Event) { e.Type = k } }
	f("two orders on two leaves", 2, 300, sale("a", day0, 1, 100), sale("b", day0, 2, 200))
	f("a newer version replaces", 1, 150, with(sale("a", day0, 1, 100), version(1)), with(sale("a", day0, 1, 150), version(2)))
	f("an older version that comes late changes nothing", 1, 150, with(sale("a", day0, 1, 150), version(2)), with(sale("a", day0, 1, 100), version(1)))
	f("a refund subtracts", 1, 60, sale("a", day0, 1, 100), with(sale("a", day0, 1, 40), kind(schemas.TypeRefund)))
	f("a refund without amount takes the order's", 1, 0, sale("a", day0, 1, 100), with(sale("a", day0, 1, 0), kind(schemas.TypeRefund)))
	f("a refund before its sale", 1, 60, with(sale("a", day0, 1, 40), kind(schemas.TypeRefund)), sale("a", day0, 1, 100))
	f("a void takes the sale back", 0, 0, sale("a", day0, 1, 100), with(sale("a", day0, 1, 0), kind(schemas.TypeVoid)))
	f("a void before its sale", 0, 0, with(sale("a", day0, 1, 0), kind(schemas.TypeVoid)), sale("a", day0, 1, 100))
	f("a void takes back what is not refunded yet", 0, 0, sale("a", day0, 1, 100), with(sale("a", day0, 1, 40), kind(schemas.TypeRefund)),
		with(sale("a", day0, 1, 0), kind(schemas.TypeVoid)))
	f("a refund of what was voided", 0, 0, sale("a", day0, 1, 100), with(sale("a", day0, 1, 0), kind(schemas.TypeVoid)),
		with(sale("a", day0, 1, 40), kind(schemas.TypeRefund)))
	f("a refund whose sale was never seen", 0, -40, with(sale("a", day0, 1, 40), kind(schemas.TypeRefund)))
	f("a second void changes nothing", 1, 70, sale("b", day0, 1, 70), sale("a", day0, 1, 100),
		with(sale("a", day0, 1, 0), kind(schemas.TypeVoid)), with(sale("a", day0+1, 1, 0), kind(schemas.TypeVoid)))
	f("orders without an id are all different", 2, 200, sale("", day0, 1, 100), sale("", day0, 1, 100))
	f("an anonymous sale that finds its buyer", 1, 120, with(sale("a", day0, 0, 100), version(1)), with(sale("a", day0, 2, 120), version(2)))
}

func TestReceiptNumbersOfTwoStores(t *testing.T) {
	t.Parallel()
	store := func(id string) func(e *schemas.Event) {
		return func(e *schemas.Event) { e.Channel, e.StoreID = schemas.ChannelStore, id }
	}
	p := play(t, newStage(1), day0, with(sale("1", day0, 1, 100), store("s1")), with(sale("1", day0, 1, 200), store("s2")))
	if p.Orders != 2 || p.StoreOrders != 2 || p.OnlineOrders != 0 || p.Channels[schemas.ChannelStore].Revenue != 300 {
		t.Errorf("got %d orders, %d in stores, revenue %s; want 2, 2 and 0.03", p.Orders, p.StoreOrders, p.Channels[schemas.ChannelStore].Revenue)
	}
}

func TestCart(t *testing.T) {
	t.Parallel()
	add := func(sku string, at schemas.Time, leaf uint32) *schemas.Event {
		e := event(schemas.TypeCartAdd, at, leaf)
		e.SKU, e.Quantity, e.Amount = sku, schemas.DecimalOne, 50_000
		return e
	}
	remove := func(sku string, at schemas.Time, leaf uint32) *schemas.Event {
		return with(add(sku, at, leaf), func(e *schemas.Event) { e.Type = schemas.TypeCartRemove })
	}
	f := func(name string, skus []string, value schemas.Decimal, events ...*schemas.Event) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := play(t, newStage(3), day0+schemas.Hour, events...)
			if !slices.Equal(p.CartSKUs, skus) || p.CartValue != value || (p.CartUpdated == 0) != (len(skus) == 0) {
				t.Errorf("got %q worth %s, updated %s; want %q worth %s", p.CartSKUs, p.CartValue, p.CartUpdated, skus, value)
			}
		})
	}
	f("items on two devices", []string{"A", "B"}, 150_000, add("B", day0, 1), add("A", day0+1, 2), add("A", day0+2, 1))
	f("taken out again", []string{"A"}, 50_000, add("A", day0, 1), add("B", day0+1, 1), remove("B", day0+2, 1))
	f("taken out before it was put in, by arrival only", nil, 0, remove("A", day0+2, 1), add("A", day0, 1))
	f("a shop's sale closes the cart", nil, 0, add("A", day0, 1), with(sale("x", day0+5, 2, 10), func(e *schemas.Event) { e.Channel = schemas.ChannelStore }))
	f("what comes after the sale stays", []string{"B"}, 50_000, add("A", day0, 1), sale("x", day0+5, 2, 10), add("B", day0+6, 1))
	f("a late add of before the sale stays closed", nil, 0, sale("x", day0+5, 2, 10), add("A", day0, 1))
	f("a voided sale closes nothing", []string{"A"}, 50_000, add("A", day0, 1), sale("x", day0+5, 2, 10),
		with(sale("x", day0+6, 2, 0), func(e *schemas.Event) { e.Type = schemas.TypeVoid }))
}

func TestSessions(t *testing.T) {
	t.Parallel()
	s := newStage(1)
	at := func(minute int) *schemas.Event {
		return event(schemas.TypePageView, day0+schemas.Time(minute)*schemas.Minute, 1)
	}
	events := []*schemas.Event{at(0), at(20), at(49), at(100), at(35), at(110), at(-500), at(-499)}
	p := play(t, s, day0+schemas.Day, events...)
	ids := make([]uint64, 0, len(events))
	for _, e := range events {
		ids = append(ids, e.SessionID)
	}
	if ids[0] == 0 || ids[1] != ids[0] || ids[2] != ids[0] || ids[3] == ids[0] || ids[4] != ids[0] || ids[5] != ids[3] || ids[6] != ids[7] || ids[6] == ids[0] {
		t.Errorf("sessions are %v", ids)
	}
	if p.Sessions != 3 || p.LastSessionID != ids[3] {
		t.Errorf("got %d sessions, the last %d; want 3 and %d", p.Sessions, p.LastSessionID, ids[3])
	}
}

func TestJourney(t *testing.T) {
	t.Parallel()
	f := func(clock schemas.Time, want schemas.JourneyStage, due schemas.Time, events ...*schemas.Event) {
		t.Helper()
		cfg := DefaultConfig()
		cfg.FitEvery = 0
		s := New(cfg, one{1}, nil, prometheus.NewRegistry())
		m := &schemas.Moment{Clock: clock, Touched: []schemas.Touch{{Profile: 1}}}
		b := &schemas.Batch{Number: 1, Touched: m.Touched}
		for _, e := range events {
			m.Event = e
			step(t, s, b, m)
		}
		if err := s.Apply(b); err != nil {
			t.Fatal(err)
		}
		if got := b.Profiles[0].Stage; got != want || m.Profiles[0].Stage != want {
			t.Errorf("got %s and %s, want %s", got, m.Profiles[0].Stage, want)
		}
		if (due != 0) != (len(m.Timers) == 1) || due != 0 && m.Timers[0].Due != due {
			t.Errorf("%s: got timers %v, want one at %s", want, m.Timers, due)
		}
	}
	cart := with(event(schemas.TypeCartAdd, day0, 1), func(e *schemas.Event) { e.SKU = "A" })
	f(day0, schemas.JourneyKnown, 0, event(schemas.TypePageView, day0, 1))
	f(day0, schemas.JourneyConsidering, day0+7*schemas.Day, cart)
	f(day0+7*schemas.Day, schemas.JourneyKnown, 0, cart)
	f(day0, schemas.JourneyCustomer, day0+180*schemas.Day, sale("a", day0, 1, 1))
	f(day0, schemas.JourneyRepeat, day0+180*schemas.Day, sale("a", day0, 1, 1), sale("b", day0, 1, 1))
	f(day0, schemas.JourneyLoyal, day0+180*schemas.Day, sale("a", day0, 1, 1), sale("b", day0, 1, 1), sale("c", day0, 1, 1), sale("d", day0, 1, 1))
	f(day0+180*schemas.Day, schemas.JourneyAtRisk, day0+365*schemas.Day, sale("a", day0, 1, 1))
	f(day0+365*schemas.Day, schemas.JourneyLapsed, 0, sale("a", day0, 1, 1))
}

func TestCurrencies(t *testing.T) {
	t.Parallel()
	in := func(c string) func(e *schemas.Event) { return func(e *schemas.Event) { e.Currency = c } }
	p := play(t, newStage(2), day0, with(sale("a", day0, 1, 100), in("EUR")), with(sale("b", day0, 2, 70), in("USD")), with(sale("c", day0, 1, 30), in("EUR")))
	if q := play(t, newStage(1), day0, with(sale("a", day0, 1, 100), in("")), with(sale("b", day0, 1, 70), in("USD"))); q.Currency != "USD" || q.Revenue != 170 || q.OtherCurrency {
		t.Errorf("an amount without a currency: got %s %s, other %v", q.Currency, q.Revenue, q.OtherCurrency)
	}
	if p.Currency != "EUR" || p.Revenue != 130 || !p.OtherCurrency || p.Orders != 3 {
		t.Errorf("got %s %s, other %v, %d orders; want EUR 0.013, true, 3", p.Currency, p.Revenue, p.OtherCurrency, p.Orders)
	}
}

// randomEvents draws a history over leaves 1 to leaves.
func randomEvents(rng *rand.Rand, n int, leaves uint32) []*schemas.Event {
	kinds := []schemas.Type{schemas.TypePageView, schemas.TypeProductView, schemas.TypeSearch, schemas.TypeCartAdd, schemas.TypeCartRemove,
		schemas.TypeCheckoutStart, schemas.TypeOrder, schemas.TypeRefund, schemas.TypeVoid, schemas.TypeMessageSent, schemas.TypeMessageOpen, schemas.TypeMessageClick,
		schemas.TypeConsentUpdate, schemas.TypeSurveyAnswer, schemas.TypeMessageUnsubscribe, schemas.TypeDemoRequest}
	var events []*schemas.Event
	for i := range n {
		e := event(kinds[rng.IntN(len(kinds))], day0+schemas.Time(i)*7*schemas.Minute, 1+rng.Uint32N(leaves))
		e.Channel = schemas.Channel(1 + rng.IntN(4))
		e.SKU, e.Quantity = fmt.Sprintf("sku-%d", rng.IntN(5)), schemas.DecimalOne
		e.Machine = rng.IntN(3) == 0
		category := []string{"shoes", "shirts", "hats"}[rng.IntN(3)]
		switch e.Type {
		case schemas.TypeProductView, schemas.TypeCartAdd:
			if rng.IntN(2) == 0 {
				e.Items = []schemas.Item{{SKU: e.SKU, Category: category, Brand: "brand of " + category}}
			}
			e.DwellMillis = int64(rng.IntN(100_000))
		case schemas.TypeConsentUpdate:
			e.Consents = []schemas.Consent{{Purpose: schemas.Purpose(rng.IntN(schemas.PurposeCount)), State: schemas.ConsentState(rng.IntN(3))}}
		case schemas.TypeSurveyAnswer:
			e.Answer = schemas.Answer{Survey: fmt.Sprint("survey ", rng.IntN(3)), Kind: schemas.SurveyKind(1 + rng.IntN(2)), Score: int8(1 + rng.IntN(5))}
		case schemas.TypeOrder:
			for n := range 1 + rng.IntN(4) {
				e.Items = append(e.Items, schemas.Item{SKU: fmt.Sprintf("sku-%d", rng.IntN(5)), Category: category, Quantity: schemas.DecimalOne,
					UnitPrice: 50, Discount: schemas.Decimal(10 * (n % 2)), Total: schemas.Decimal(50 - 10*(n%2)), Cost: schemas.Decimal(rng.IntN(30))})
			}
			e.Redeemed = schemas.Decimal(rng.IntN(2) * 100)
			e.OrderID, e.Amount, e.Currency = fmt.Sprint("o", i), schemas.Decimal(rng.IntN(100_000)), "USD"
			e.Channel = schemas.ChannelWeb
		case schemas.TypeVoid, schemas.TypeRefund:
			e.OrderID, e.Currency = fmt.Sprint("o", rng.IntN(n)), "USD"
			e.Amount = schemas.Decimal(rng.IntN(1000))
			e.Channel = schemas.ChannelWeb
		}
		if rng.IntN(10) == 0 {
			e.AccountID = fmt.Sprint("account-", rng.IntN(3))
		}
		events = append(events, e)
	}
	return events
}

func random(t *testing.T) *rand.Rand {
	t.Helper()
	n := *seed
	if n == 0 {
		n = uint64(time.Now().UnixNano())
	}
	t.Logf("replay with -seed %d", n)
	return rand.New(rand.NewPCG(n, n))
}

// TestOrderFree: any order of arrival and any cut into batches, with a restart in between, gives the same profile.
func TestOrderFree(t *testing.T) {
	t.Parallel()
	rng := random(t)
	for range 50 {
		events := randomEvents(rng, 60, 4)
		clock := day0 + 30*schemas.Day
		want := settled(play(t, newStage(4), clock, clone(events)...))
		shuffled := clone(events)
		rng.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		s, kept := newStage(4), statetest.Shelf{}
		var last *schemas.Profile
		for len(shuffled) > 0 {
			k := 1 + rng.IntN(len(shuffled))
			last = play(t, s, clock, shuffled[:k]...)
			shuffled = shuffled[k:]
			s = restart(t, kept, s)
		}
		if got := settled(last); !reflect.DeepEqual(got, want) {
			t.Fatalf("profiles differ:\n%+v\n%+v\n%+v\n%+v", got, want, got.Scores, want.Scores)
		}
	}
}

func clone(events []*schemas.Event) []*schemas.Event {
	out := make([]*schemas.Event, len(events))
	for i, e := range events {
		c := *e
		out[i] = &c
	}
	return out
}

// settled leaves out what depends on the order of arrival by design: SKUs and orders have numbers in the order in which they are seen first,
// a stage begins when somebody was seen to be in it, and learning goes by the order in which examples come.
func settled(p *schemas.Profile) schemas.Profile {
	q := *p
	q.State, q.StageSince, q.StageReason = nil, 0, ""
	q.Scores = cloneScores(q.Scores)
	q.Scores.Propensity, q.Scores.CartConversion = 0, 0
	return q
}

// restart saves a stage's whole state and loads it into a new one.
func restart(t *testing.T, kept statetest.Shelf, s *Stage) *Stage {
	t.Helper()
	again := New(s.cfg, s.graph, nil, prometheus.NewRegistry())
	kept.Restart(t, s, again)
	return again
}

func BenchmarkStep(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	const people, count = 100_000, 10_000
	s := New(DefaultConfig(), crowd{}, nil, prometheus.NewRegistry())
	s.Serve(func(*schemas.Event, schemas.Fields) schemas.Fields { return 0 }) // the state's update alone; what rules read comes in addition
	events := randomEvents(rng, count, people)
	batch := &schemas.Batch{Number: 1}
	m := &schemas.Moment{Clock: day0 + 365*schemas.Day, Touched: make([]schemas.Touch, 1)}
	turn := func(n int) {
		e := events[n%count]
		m.Event, m.Touched = e, append(m.Touched[:0], schemas.Touch{Profile: e.Leaf})
		if err := s.Step(batch, m); err != nil {
			b.Fatal(err)
		}
		if n%count == count-1 {
			if err := s.Save(discard{}); err != nil {
				b.Fatal(err)
			}
			if err := s.Begin(batch); err != nil {
				b.Fatal(err)
			}
		}
	}
	for n := range count {
		turn(n)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for n := range b.N {
		turn(n)
	}
}

// crowd is a graph of profiles of one leaf each.
type crowd struct{}

func (crowd) Profile(p uint32) (schemas.ProfileID, schemas.Time) {
	return schemas.ProfileID{byte(p), byte(p >> 8), byte(p >> 16), 1}, 0
}
func (crowd) Owner(leaf uint32) uint32        { return leaf }
func (crowd) Leaves(p uint32, f func(uint32)) { f(p) }
func (crowd) Count(p *schemas.Profile)        { p.Anonymous = 1 }

// discard takes a save and keeps nothing.
type discard struct{}

func (discard) Put(_, _ []byte) error         { return nil }
func (discard) Delete([]byte) error           { return nil }
func (discard) DeleteRange(_, _ []byte) error { return nil }
