package main

import (
	"cmp"
	"context"
	"reflect"
	"slices"

	"github.com/seamline/seamline/schemas"
	"github.com/seamline/seamline/sinks/clickhouse"
)

// facts is a row of profiles.
type facts clickhouse.ProfileRow

// time gives a time; nil for one that never was.
func (f facts) time(column string) *schemas.Time {
	if t, ok := f[column].(schemas.Time); ok {
		return &t
	}
	return nil
}

func (f facts) amount(column string) schemas.Decimal {
	d, _ := f[column].(schemas.Decimal)
	return d
}

func (f facts) text(column string) string {
	s, _ := f[column].(string)
	return s
}

func (f facts) words(column string) []string {
	list, _ := f[column].([]string)
	return list
}

// number gives a whole number of any size.
func (f facts) number(column string) int64 {
	switch v := reflect.ValueOf(f[column]); {
	case v.CanInt():
		return v.Int()
	case v.CanUint():
		return int64(v.Uint())
	}
	return 0
}

// weighed gives the words of a map with their weights, the best first.
func (f facts) weighed(column string) []shownWeight {
	list := []shownWeight{}
	of, _ := f[column].(map[string]any)
	for word, weight := range of {
		if w, ok := weight.(float32); ok {
			list = append(list, shownWeight{Word: word, Weight: w})
		}
	}
	slices.SortFunc(list, func(a, b shownWeight) int {
		return cmp.Or(cmp.Compare(b.Weight, a.Weight), cmp.Compare(a.Word, b.Word))
	})
	return list
}

// dossier is one person, without a name, as a clerk needs it.
type dossier struct {
	Profile         schemas.ProfileID     `json:"profile_id"`
	Alias           *shownAlias           `json:"alias,omitempty"` // of one that was merged away
	Stage           shownStage            `json:"stage"`
	Journey         []shownChange         `json:"journey"` // the latest steps, the latest first
	Summary         shownSummary          `json:"summary"`
	Cart            *shownCart            `json:"cart,omitempty"` // missing without an open one
	Orders          []shownOrder          `json:"orders"`         // the latest, the latest first
	Preferences     shownPreferences      `json:"preferences"`
	Loyalty         shownLoyalty          `json:"loyalty"`
	Recommendations []shownRecommendation `json:"recommendations"`
	Products        []shownProduct        `json:"products"` // of the cart, looked at, and recommended: what they cost and where they are, now
	ScoredAt        *schemas.Time         `json:"scored_at,omitempty"`
	Models          int64                 `json:"models"`                // version; 0 before the first fit
	Approximate     []string              `json:"approximate,omitempty"` // what scores lack a part of: visits, cart, categories
	Scores          []shownScore          `json:"scores"`
	Fits            []shownModel          `json:"fits,omitempty"` // all models in force, where an explanation was asked for

	explained bool
}

// shownAlias is an id that was merged away.
type shownAlias struct {
	ID    schemas.ProfileID `json:"profile_id"`
	Since schemas.Time      `json:"since"`
}

// shownStage is how far a person has come.
type shownStage struct {
	Stage  string        `json:"stage"`
	Since  *schemas.Time `json:"since,omitempty"`
	Reason string        `json:"reason,omitempty"`
}

// shownChange is a step of a journey.
type shownChange struct {
	Time   schemas.Time `json:"time"`
	From   string       `json:"from,omitempty"` // missing in the first
	To     string       `json:"to"`
	Reason string       `json:"reason"`
}

// shownSummary is a person in figures.
type shownSummary struct {
	FirstSeen    *schemas.Time   `json:"first_seen,omitempty"`
	LastSeen     *schemas.Time   `json:"last_seen,omitempty"`
	Events       int64           `json:"events"`
	Sessions     int64           `json:"sessions"`
	Channels     []shownChannel  `json:"channels"`
	Orders       int64           `json:"orders"`
	Refunds      int64           `json:"refunds"`
	Revenue      schemas.Decimal `json:"revenue"`
	AverageOrder schemas.Decimal `json:"average_order"`
	Currency     string          `json:"currency,omitempty"`
	FirstOrder   *schemas.Time   `json:"first_order,omitempty"`
	LastOrder    *schemas.Time   `json:"last_order,omitempty"`
	Identifiers  int64           `json:"identifiers"`
}

// shownChannel is presence on a channel.
type shownChannel struct {
	Channel   string       `json:"channel"`
	Events    uint64       `json:"events"`
	FirstSeen schemas.Time `json:"first_seen"`
	LastSeen  schemas.Time `json:"last_seen"`
}

// shownCart is the open cart.
type shownCart struct {
	SKUs     []string        `json:"skus"`
	Quantity schemas.Decimal `json:"quantity"`
	Value    schemas.Decimal `json:"value"`
	Updated  *schemas.Time   `json:"updated,omitempty"`
}

// shownWeight is a word with its weight.
type shownWeight struct {
	Word   string  `json:"name"`
	Weight float32 `json:"weight"`
}

// shownPreferences is what a person likes, and has agreed to.
type shownPreferences struct {
	Categories []shownWeight     `json:"categories"`
	Brands     []shownWeight     `json:"brands"`
	Browse     []shownWeight     `json:"channels_browse"`
	Respond    []shownWeight     `json:"channels_respond"`
	Buy        []shownWeight     `json:"channels_buy"`
	SendHour   int64             `json:"send_hour"` // of the week, 0 Monday 00:00 UTC
	BestHour   int64             `json:"send_hour_best"`
	Consent    map[string]string `json:"consent"` // by purpose: granted, denied, or unset, which is not granted
	ConsentAt  *schemas.Time     `json:"consent_at,omitempty"`
}

// shownLoyalty is what a member has; no member has 0 of everything.
type shownLoyalty struct {
	IsMember bool  `json:"member"`
	Points   int64 `json:"points"`
	Earned   int64 `json:"earned"`
	Burned   int64 `json:"burned"`
	Expired  int64 `json:"expired"`
}

// shownRecommendation is a product to offer.
type shownRecommendation struct {
	SKU    string  `json:"sku"`
	Score  float32 `json:"score"`
	Reason string  `json:"reason"`
}

// Bounds of an answer.
const (
	ordersShownMax = 10
	looksShownMax  = 10
	cartShownMax   = 50
	stepsShownMax  = 20
)

// collect puts together what is known of a person, but for the explanation of scores.
func (d *profileDesk) collect(ctx context.Context, who *clickhouse.Person, f facts) (*dossier, error) {
	answer := summarise(who.ID, f)
	answer.Scores = d.scores(f)
	steps, err := d.people.Journey(ctx, who.ID, stepsShownMax)
	if err != nil {
		return nil, err
	}
	for _, step := range steps {
		answer.Journey = append(answer.Journey, shownChange(step))
	}
	orders, err := d.people.Orders(ctx, who, ordersShownMax)
	if err != nil {
		return nil, err
	}
	answer.Orders = shownOrders(orders)
	looks, err := d.people.Looks(ctx, who, looksShownMax)
	if err != nil {
		return nil, err
	}
	wanted := answer.wanted(looks)
	skus := make([]string, len(wanted))
	for i := range wanted {
		skus[i] = wanted[i].SKU
	}
	rows, err := d.people.Products(ctx, skus)
	if err != nil {
		return nil, err
	}
	for i := range rows {
		wanted[i].describe(&rows[i])
	}
	answer.Products = wanted
	return answer, nil
}

// summarise makes of a row what it says by itself.
func summarise(id schemas.ProfileID, f facts) *dossier {
	a := &dossier{Profile: id, Journey: []shownChange{}, ScoredAt: f.time("scored_at"), Models: f.number("models"), Approximate: f.words("approximate"), Recommendations: []shownRecommendation{},
		Stage: shownStage{Stage: f.text("stage"), Since: f.time("stage_since"), Reason: f.text("stage_reason")},
		Summary: shownSummary{FirstSeen: f.time("first_seen"), LastSeen: f.time("last_seen"), Events: f.number("events"), Sessions: f.number("sessions"),
			Channels: channelsOf(f), Orders: f.number("orders"), Refunds: f.number("refunds"), Revenue: f.amount("revenue"), Currency: f.text("currency"),
			FirstOrder: f.time("first_order"), LastOrder: f.time("last_order"), Identifiers: f.number("identifiers")},
		Preferences: shownPreferences{Categories: f.weighed("category_affinity"), Brands: f.weighed("brand_affinity"), Browse: f.weighed("channel_browse"),
			Respond: f.weighed("channel_respond"), Buy: f.weighed("channel_buy"), SendHour: f.number("send_hour"), BestHour: f.number("send_hour_best"),
			Consent: consentOf(f), ConsentAt: f.time("consent_at")},
		Loyalty: shownLoyalty{IsMember: f.number("loyalty_ids") > 0, Points: f.number("loyalty_points"), Earned: f.number("loyalty_earned"),
			Burned: f.number("loyalty_burned"), Expired: f.number("loyalty_expired")},
	}
	if n := a.Summary.Orders; n > 0 {
		a.Summary.AverageOrder = a.Summary.Revenue / schemas.Decimal(n)
	}
	if skus := f.words("cart_skus"); len(skus) > 0 {
		a.Cart = &shownCart{SKUs: skus, Quantity: f.amount("cart_quantity"), Value: f.amount("cart_value"), Updated: f.time("cart_updated")}
	}
	scores, _ := f["recommended_scores"].([]float32)
	reasons := f.words("recommended_reasons")
	for i, sku := range f.words("recommended_skus") {
		r := shownRecommendation{SKU: sku}
		if i < len(scores) && i < len(reasons) {
			r.Score, r.Reason = scores[i], reasons[i]
		}
		a.Recommendations = append(a.Recommendations, r)
	}
	return a
}

// channelsOf gives the channels that a person was seen on, the one with most events first.
func channelsOf(f facts) []shownChannel {
	list := []shownChannel{}
	events, _ := f["channel_events"].(map[string]any)
	first, _ := f["channel_first_seen"].(map[string]any)
	last, _ := f["channel_last_seen"].(map[string]any)
	for name, n := range events {
		c := shownChannel{Channel: name}
		c.Events, _ = n.(uint64)
		c.FirstSeen, _ = first[name].(schemas.Time)
		c.LastSeen, _ = last[name].(schemas.Time)
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b shownChannel) int {
		return cmp.Or(cmp.Compare(b.Events, a.Events), cmp.Compare(a.Channel, b.Channel))
	})
	return list
}

// consentOf gives the answer for every purpose.
func consentOf(f facts) map[string]string {
	answers := map[string]string{}
	for _, purpose := range schemas.PurposeNames() {
		answers[purpose] = schemas.ConsentUnset.String()
	}
	said, _ := f["consent"].(map[string]any)
	for purpose, answer := range said {
		answers[purpose], _ = answer.(string)
	}
	return answers
}
