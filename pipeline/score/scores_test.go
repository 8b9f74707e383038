package score

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seamline/seamline/schemas"
)

// member is a graph of one person with a loyalty card.
type cardholder struct{ one }

func (cardholder) Count(p *schemas.Profile) { p.UserIDs, p.LoyaltyIDs = 1, 1 }

const euro = schemas.DecimalOne

// bought is an order of lines "sku category total discount cost", all in whole euros.
func bought(id string, at schemas.Time, leaf uint32, lines ...string) *schemas.Event {
	e := sale(id, at, leaf, 0)
	e.Currency = "EUR"
	for _, line := range lines {
		var it schemas.Item
		var total, discount, cost int
		if _, err := fmt.Sscan(line, &it.SKU, &it.Category, &total, &discount, &cost); err != nil {
			panic(err)
		}
		it.Quantity, it.UnitPrice = euro, schemas.Decimal(total+discount)*euro
		it.Total, it.Discount, it.Cost = schemas.Decimal(total)*euro, schemas.Decimal(discount)*euro, schemas.Decimal(cost)*euro
		e.Items = append(e.Items, it)
		e.Amount += it.Total
	}
	return e
}

func looked(sku, category string, at schemas.Time, leaf uint32) *schemas.Event {
	e := event(schemas.TypeProductView, at, leaf)
	e.SKU = sku
	if category != "" {
		e.Items = []schemas.Item{{SKU: sku, Category: category}}
	}
	return e
}

func mail(kind schemas.Type, at schemas.Time, isMachine bool) *schemas.Event {
	e := event(kind, at, 1)
	e.Channel, e.Machine = schemas.ChannelEmail, isMachine
	return e
}

// TestMachinesWeighNothing: with or without the opens and clicks of machines, all scores are the same, bit for bit.
func TestMachinesWeighNothing(t *testing.T) {
	t.Parallel()
	var events, human []*schemas.Event
	for day := range schemas.Time(40) {
		at := day0 + day*schemas.Day
		events = append(events, mail(schemas.TypeMessageSent, at, false), mail(schemas.TypeMessageOpen, at+schemas.Minute, day%3 != 0),
			mail(schemas.TypeMessageClick, at+2*schemas.Minute, day%5 != 0))
	}
	for _, e := range events {
		if !e.Machine {
			human = append(human, e)
		}
	}
	clock := day0 + 60*schemas.Day
	all, few := play(t, newStage(1), clock, clone(events)...), play(t, newStage(1), clock, clone(human)...)
	if !reflect.DeepEqual(cloneScores(all.Scores), cloneScores(few.Scores)) {
		t.Errorf("machines change scores:\n%+v\n%+v", all.Scores, few.Scores)
	}
	if all.Email.MachineOpens == 0 || all.Scores.Engagement <= 0.1 || all.Scores.Engagement >= 1 {
		t.Errorf("got %d opens by machines and engagement %v", all.Email.MachineOpens, all.Scores.Engagement)
	}
	gone := play(t, newStage(1), clock, append(clone(events), mail(schemas.TypeMessageUnsubscribe, clock, false))...)
	if gone.Scores.Engagement != 0 || gone.Scores.Consent[schemas.PurposeEmailMarketing] != schemas.ConsentDenied {
		t.Errorf("who unsubscribed has engagement %v and consent %s", gone.Scores.Engagement, gone.Scores.Consent[schemas.PurposeEmailMarketing])
	}
}

// TestDiscountAndMargin: sums of lines, and what is left of them after costs.
func TestDiscountAndMargin(t *testing.T) {
	t.Parallel()
	back := with(sale("b", day0+3, 1, 10*euro), func(e *schemas.Event) { e.Type, e.Currency = schemas.TypeRefund, "EUR" })
	store := with(bought("c", day0+4, 1, "Z z 50 0 0"), func(e *schemas.Event) { e.Channel, e.StoreID = schemas.ChannelStore, "s1" })
	p := play(t, newStage(1), day0+schemas.Day, bought("a", day0, 1, "X x 30 10 12", "Y y 20 0 8"), bought("b", day0+1, 1, "X x 40 0 12"), back, store,
		mail(schemas.TypeMessageSent, day0+5, false), mail(schemas.TypeMessageSent, day0+6, false))
	sc := p.Scores
	if sc.Lines != 4 || sc.PromotedLines != 1 || sc.Discount != 10*euro || sc.List != 150*euro {
		t.Errorf("got %d lines, %d promoted, discount %s of %s", sc.Lines, sc.PromotedLines, sc.Discount, sc.List)
	}
	// 12 + 8 of a, 12 * 30/40 of b, and 70 % of 50 where nobody named a cost.
	if want := 29*euro + 35*euro; sc.GoodsCost != want {
		t.Errorf("goods cost %s, want %s", sc.GoodsCost, want)
	}
	// Two orders packed, one over the counter, two e-mails.
	if want := 2*4*euro + 2*euro + 2*10; sc.ChannelCost != want || sc.Margin != p.Revenue-sc.GoodsCost-want || p.Revenue != 130*euro {
		t.Errorf("channels cost %s, want %s; margin %s of %s", sc.ChannelCost, want, sc.Margin, p.Revenue)
	}
	if math.Abs(float64(sc.DiscountDepth)-10.0/150) > 1e-6 {
		t.Errorf("depth %v", sc.DiscountDepth)
	}
}

// TestLoyalty: points by the first rule that fits, on whatever identifier the purchase came with, and what is left of them.
func TestLoyalty(t *testing.T) {
	t.Parallel()
	rules, err := parseLoyalty([]byte(`
earn:
  - {points: 3, per: "1", channels: [store], from: "2024-10-01T00:00:00Z", until: "2024-11-01T00:00:00Z"}
  - {points: 1, per: "2", minimum: "10"}
burn: {value: "0.05"}
expire_months: 12
welcome: 100
`))
	if err != nil {
		t.Fatal(err)
	}
	cfg := DefaultConfig()
	cfg.Loyalty, cfg.FitEvery = rules, 0
	score := func(clock schemas.Time, events ...*schemas.Event) *schemas.Scores {
		t.Helper()
		s := New(cfg, cardholder{one{2}}, nil, prometheus.NewRegistry())
		return play(t, s, clock, events...).Scores
	}
	at := schemas.Time(20_000) * schemas.Day // 2024-10-04
	store := with(bought("a", at, 1, "X x 30 0 0"), func(e *schemas.Event) { e.Channel, e.StoreID = schemas.ChannelStore, "s" })
	web := bought("b", at+schemas.Day, 2, "X x 21 0 0")
	small := bought("c", at+schemas.Day, 2, "X x 9 0 0")
	paid := with(bought("d", at+2*schemas.Day, 2, "X x 20 0 0"), func(e *schemas.Event) { e.Redeemed = 5 * euro })
	sc := score(at+30*schemas.Day, store, web, small, paid)
	if sc.LoyaltyEarned != 100+90+10+7 || sc.LoyaltyBurned != 100 || sc.LoyaltyExpired != 0 || sc.LoyaltyPoints != 107 {
		t.Errorf("got %d earned, %d burned, %d expired, %d left", sc.LoyaltyEarned, sc.LoyaltyBurned, sc.LoyaltyExpired, sc.LoyaltyPoints)
	}
	old := score(at+400*schemas.Day, clone([]*schemas.Event{store, web, small, paid})...)
	if old.LoyaltyExpired != 7 || old.LoyaltyPoints != 100 {
		t.Errorf("after 13 months %d expired and %d are left", old.LoyaltyExpired, old.LoyaltyPoints)
	}
	stranger := play(t, newStage(2), at+30*schemas.Day, clone([]*schemas.Event{store})...)
	if stranger.Scores.LoyaltyEarned != 0 {
		t.Errorf("who is no member earned %d", stranger.Scores.LoyaltyEarned)
	}
}

func TestLoyaltyRulesErrors(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"earn: []": "at least one", "earn: [{points: 1, per: \"0\"}]": "per", "earn: [{points: 1, per: \"1\", channels: [moon]}]": "moon",
		"earn: [{points: -1, per: \"1\"}]": "points", "earn: [{points: 1, per: \"1\", from: \"yesterday\"}]": "yesterday",
		"earn: [{points: 1, per: \"1\"}]\nburn: {value: \"x\"}": "burn.value", "earn: [{points: 1, per: \"1\"}]\nexpire_months: 90": "expire_months",
		"earn: [{points: 1, per: \"1\"}]\nwelcome: -1": "welcome", "spend: []": "spend",
	} {
		if _, err := parseLoyalty([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want something about %s", text, err, want)
		}
	}
}

// TestCatalogAsOf: an event gets what the catalog said at its time, not what it says now, and only where the producer said nothing.
func TestCatalogAsOf(t *testing.T) {
	t.Parallel()
	s := newStage(1)
	said := func(at schemas.Time, category string, cost schemas.Decimal) *schemas.Event {
		return &schemas.Event{ID: fmt.Sprint("c", at), Source: "merchant", Channel: schemas.ChannelWeb, Type: schemas.TypePriceChange, Time: at, SKU: "A", Amount: 9 * euro,
			Items: []schemas.Item{{SKU: "A", Category: category, Brand: "B", UnitPrice: 10 * euro, Cost: cost}}}
	}
	early, late := bought("a", day0+5, 1, "A own 9 0 0"), looked("A", "", day0+25, 1)
	early.Items[0].Category, early.Items[0].Quantity = "", 2*euro
	before := looked("A", "", day0-100, 1)
	play(t, s, day0+schemas.Day, said(day0+20, "new", 7*euro), said(day0, "old", 4*euro), early, late, before)
	if it := early.Items[0]; it.Category != "old" || it.Brand != "B" || it.Cost != 8*euro {
		t.Errorf("the order got %+v", it)
	}
	if len(late.Items) != 1 || late.Items[0].Category != "new" || before.Items[0].Category != "old" {
		t.Errorf("the views got %+v and %+v", late.Items, before.Items)
	}
}

// TestRecommendations: companions of what was bought, not what was just bought, is in the cart or is not to be had, with the reason.
func TestRecommendations(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig()
	s := New(cfg, crowd{}, nil, prometheus.NewRegistry())
	b := &schemas.Batch{Number: 1}
	step1 := func(e *schemas.Event) {
		t.Helper()
		m := &schemas.Moment{Clock: e.Time, Event: e}
		if e.Leaf != 0 {
			e.Profile = e.Leaf
			m.Touched = []schemas.Touch{{Profile: e.Leaf}}
			if !slices.ContainsFunc(b.Touched, func(t schemas.Touch) bool { return t.Profile == e.Leaf }) {
				b.Touched = append(b.Touched, schemas.Touch{Profile: e.Leaf})
			}
		}
		step(t, s, b, m)
	}
	if err := s.Begin(b); err != nil {
		t.Fatal(err)
	}
	for i := range uint32(40) { // tea and milk go together, tea and lemons as well, bread with nothing
		lines := []string{"tea drinks 3 0 1", "milk fridge 1 0 0"}
		switch i % 4 {
		case 1:
			lines[1] = "lemon fruit 1 0 0"
		case 2, 3:
			lines = []string{"bread bakery 2 0 1"}
		}
		step1(bought(fmt.Sprint("o", i), day0+schemas.Time(i)*schemas.Minute, 10+i, lines...))
	}
	gone := &schemas.Event{ID: "s", Source: "seamline", Channel: schemas.ChannelStore, Type: schemas.TypeStockChange, Time: day0 + 2*schemas.Hour, SKU: "lemon", StoreID: "s1"}
	step1(gone)
	step1(bought("mine", day0+schemas.Day+schemas.Hour, 1, "tea drinks 3 0 1"))
	if err := s.Apply(b); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range b.Profiles {
		if p.Index == 1 {
			for _, r := range p.Scores.Recommended {
				got = append(got, r.SKU+": "+r.Reason)
			}
		}
	}
	if !slices.Equal(got, []string{"milk: bought together with tea"}) {
		t.Errorf("got %q", got)
	}
	step1(with(clone([]*schemas.Event{gone})[0], func(e *schemas.Event) { e.Time, e.Quantity, e.StoreID = day0+2*schemas.Day, 5*euro, "s2" }))
	b.Profiles, b.Touched = nil, []schemas.Touch{{Profile: 1}}
	step1(looked("bread", "bakery", day0+2*schemas.Day+1, 1))
	if err := s.Apply(b); err != nil {
		t.Fatal(err)
	}
	got = nil
	for _, r := range b.Profiles[0].Scores.Recommended {
		got = append(got, r.SKU)
	}
	slices.Sort(got)
	if !slices.Equal(got, []string{"bread", "lemon", "milk"}) {
		t.Errorf("with lemons in another store and bread looked at, got %q", got)
	}
}

// TestAnswers: the latest answer counts, whatever the order in which they come; of consents at one time the more careful.
func TestAnswers(t *testing.T) {
	t.Parallel()
	answer := func(at schemas.Time, kind schemas.SurveyKind, score int8) *schemas.Event {
		return with(event(schemas.TypeSurveyAnswer, at, 1), func(e *schemas.Event) { e.Answer = schemas.Answer{Survey: fmt.Sprint(kind), Kind: kind, Score: score} })
	}
	consent := func(at schemas.Time, state schemas.ConsentState) *schemas.Event {
		return with(event(schemas.TypeConsentUpdate, at, 2), func(e *schemas.Event) {
			e.Consents = []schemas.Consent{{Purpose: schemas.PurposeAdsUserData, State: state}}
		})
	}
	p := play(t, newStage(2), day0+schemas.Day, answer(day0+9, schemas.SurveyNPS, 9), answer(day0+5, schemas.SurveyNPS, 2), answer(day0+1, schemas.SurveyCSAT, 4),
		consent(day0+7, schemas.ConsentGranted), consent(day0+7, schemas.ConsentDenied), consent(day0+3, schemas.ConsentGranted))
	sc := p.Scores
	if sc.NPS != 9 || sc.CSAT != 4 || sc.AnsweredAt != day0+9 || math.Abs(float64(sc.Satisfaction)-(0.9+0.75)/2) > 1e-6 {
		t.Errorf("got NPS %d, CSAT %d at %s, satisfaction %v", sc.NPS, sc.CSAT, sc.AnsweredAt, sc.Satisfaction)
	}
	if sc.Consent[schemas.PurposeAdsUserData] != schemas.ConsentDenied || sc.ConsentAt != day0+7 || sc.Consent[schemas.PurposeAnalytics] != schemas.ConsentUnset {
		t.Errorf("got consents %v at %s", sc.Consent, sc.ConsentAt)
	}
}

// TestVisits: hand-overs from device to device, switches from channel to channel, and sessions that a late event joins.
func TestVisits(t *testing.T) {
	t.Parallel()
	on := func(device string, c schemas.Channel, minute schemas.Time) *schemas.Event {
		return with(event(schemas.TypePageView, day0+minute*schemas.Minute, 1), func(e *schemas.Event) {
			e.Channel, e.Identifiers = c, []schemas.Identifier{{Namespace: schemas.NamespaceAnonymousID, Value: device}}
		})
	}
	s := newStage(1)
	b := &schemas.Batch{Number: 1}
	var p schemas.Profile
	for _, e := range []*schemas.Event{on("phone", schemas.ChannelWeb, 0), on("laptop", schemas.ChannelWeb, 20), on("laptop", schemas.ChannelWeb, 70),
		on("till", schemas.ChannelStore, 2000), on("laptop", schemas.ChannelWeb, 45), on("phone", schemas.ChannelApp, 30_000)} {
		step(t, s, b, &schemas.Moment{Clock: day0 + 40_000*schemas.Minute, Event: e, Touched: []schemas.Touch{{Profile: 1}}})
	}
	b.Touched = []schemas.Touch{{Profile: 1}}
	if err := s.Apply(b); err != nil {
		t.Fatal(err)
	}
	p = b.Profiles[0]
	// The laptop's event at 70 began a session of its own until that at 45 came.
	if p.Sessions != 3 || p.Scores.Handovers != 1 || p.Scores.ChannelSwitches != 1 {
		t.Errorf("got %d sessions, %d hand-overs, %d switches", p.Sessions, p.Scores.Handovers, p.Scores.ChannelSwitches)
	}
	laptop := hash(schemas.NamespaceAnonymousID, "laptop")
	want := []schemas.SessionAlias{{SessionID: sessionID(laptop, day0+70*schemas.Minute), Became: sessionID(laptop, day0+20*schemas.Minute)}}
	if !slices.Equal(b.SessionAliases, want) {
		t.Errorf("got aliases %v, want %v", b.SessionAliases, want)
	}
}

// TestSessionNames: however many times a session changes its id, every id that it had leads to the one that it has.
func TestSessionNames(t *testing.T) {
	t.Parallel()
	rng := random(t)
	for range 200 {
		s := newStage(1)
		b := &schemas.Batch{Number: 1}
		became, given := map[uint64]uint64{}, map[uint64]schemas.Time{}
		var times []schemas.Time
		for range 1 + rng.IntN(12) {
			at := day0 + schemas.Time(rng.IntN(90))*schemas.Minute // room for three sessions, as many as are kept
			e := event(schemas.TypePageView, at, 1)
			step(t, s, b, &schemas.Moment{Clock: day0 + schemas.Day, Event: e, Touched: []schemas.Touch{{Profile: 1}}})
			times, given[e.SessionID] = append(times, at), at
		}
		for _, a := range b.SessionAliases {
			became[a.SessionID] = a.Became
		}
		slices.Sort(times)
		for id, at := range given {
			if to, ok := became[id]; ok {
				id = to
			}
			start := at // of the session that the event belongs to in truth
			for i := len(times) - 1; i >= 0; i-- {
				if times[i] < start && times[i] >= start-30*schemas.Minute {
					start = times[i]
				}
			}
			if want := sessionID(s.deviceKey(event(schemas.TypePageView, at, 1)), start); id != want {
				t.Fatalf("events at %v: the one at %s is in %d, want %d", times, at, id, want)
			}
		}
	}
}
