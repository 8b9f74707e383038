package clickhouse

import (
	"math/big"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/seamline/seamline/schemas"
)

// expectedScoring adds the rows of scoring that a batch must leave.
func expectedScoring(b *schemas.Batch, put func(table string, values ...any)) {
	for _, e := range b.Events {
		version := new(big.Int).Lsh(big.NewInt(int64(e.Time)), 64)
		version.Add(version, new(big.Int).SetUint64(xxhash.Sum64String(e.Source)*0x9e3779b97f4a7c15+xxhash.Sum64String(e.ID)))
		switch e.Type.String() {
		case "price_change":
			item := schemas.Item{UnitPrice: e.Amount}
			if len(e.Items) > 0 {
				item = e.Items[0]
			}
			if item.UnitPrice == 0 {
				item.UnitPrice = e.Amount
			}
			put("catalog", "sku", e.SKU, "store_id", e.StoreID, "name", item.Name, "category", item.Category, "brand", item.Brand, "price", e.Amount,
				"list_price", item.UnitPrice, "cost", item.Cost, "currency", e.Currency, "availability", e.Variant, "page_url", e.PageURL, "since", e.Time,
				"_batch", b.Number, "_version", version)
		case "stock_change":
			put("stock", "sku", e.SKU, "store_id", e.StoreID, "quantity", e.Quantity, "availability", e.Variant, "since", e.Time,
				"_batch", b.Number, "_version", version)
		case "survey_answer":
			put("survey_answers", "time", e.Time, "source", e.Source, "event_id", e.ID, "profile_id", e.ProfileID, "leaf", e.Leaf, "survey", e.Answer.Survey,
				"kind", []string{"", "nps", "csat"}[e.Answer.Kind], "score", e.Answer.Score, "channel", e.Channel.String(), "store_id", e.StoreID, "_batch", b.Number)
		}
		for _, c := range e.Consents {
			put("consents", "time", e.Time, "source", e.Source, "event_id", e.ID, "purpose", c.Purpose.String(), "state", c.State.String(),
				"profile_id", e.ProfileID, "leaf", e.Leaf, "country", e.Country, "_batch", b.Number)
		}
	}
	for _, c := range b.StageChanges {
		from := c.From.String()
		if c.IsFirst {
			from = ""
		}
		put("journey_changes", "profile_id", c.ProfileID, "time", c.Time, "from_stage", from, "to_stage", c.To.String(), "reason", c.Reason, "_batch", b.Number)
	}
	for _, a := range b.Audiences {
		put("audiences", "audience", a.Name, "description", a.Description, "rule", a.Rule, "min_size", a.MinSize, "holdout_of", a.HoldoutOf, "active", a.Active,
			"_batch", b.Number)
	}
	for _, m := range b.Models {
		parameters := map[string]float64{}
		for _, p := range m.Parameters {
			parameters[p.Name] = p.Value
		}
		put("models", "name", m.Name, "version", m.Version, "fitted_at", m.FittedAt, "people", m.People, "log_likelihood", m.LogLikelihood,
			"parameters", parameters, "_batch", b.Number)
	}
	for _, a := range b.SessionAliases {
		put("session_aliases", "session_id", a.SessionID, "became", a.Became, "_batch", b.Number)
	}
	for _, a := range b.Accounts {
		put("accounts", "id", a.ID, "people", a.People, "stage", a.Stage.String(), "events", a.Events, "sessions", a.Sessions,
			"product_views", a.Views, "orders", a.Orders, "revenue", a.Revenue, "currency", a.Currency, "first_seen", a.First, "last_seen", a.Last,
			"demo_at", a.Demo, "_batch", b.Number)
	}
}

// addExpectedScores adds the columns of a person's scores.
func addExpectedScores(r row, s *schemas.Scores) {
	if s == nil {
		s = &schemas.Scores{NPS: -1, CSAT: -1}
	}
	shares := func(all [schemas.ChannelCount]float32) map[string]float32 {
		m := map[string]float32{}
		for c, share := range all {
			if share != 0 {
				m[schemas.Channel(c).String()] = share
			}
		}
		return m
	}
	weights := func(all []schemas.Weighed) map[string]float32 {
		m := map[string]float32{}
		for _, w := range all {
			m[w.Word] = w.Weight
		}
		return m
	}
	var skus, reasons []string
	var scores []float32
	for _, x := range s.Recommended {
		skus, reasons, scores = append(skus, x.SKU), append(reasons, x.Reason), append(scores, x.Score)
	}
	consent := map[string]string{}
	for p, state := range s.Consent {
		if state != schemas.ConsentUnset {
			consent[schemas.Purpose(p).String()] = state.String()
		}
	}
	var bounds []string
	for bit, word := range []string{"visits", "cart", "categories"} {
		if s.Approximate>>bit&1 == 1 {
			bounds = append(bounds, word)
		}
	}
	for column, v := range map[string]any{
		"scored_at": s.At, "models": s.Models, "recency_quintile": s.RecencyQuintile, "frequency_quintile": s.FrequencyQuintile,
		"monetary_quintile": s.MonetaryQuintile, "repeat_days": s.RepeatDays, "repeat_span": s.RepeatSpan, "tenure": s.Tenure, "alive_bgnbd": s.AliveBGNBD,
		"alive_mbgnbd": s.AliveMBGNBD, "expected_orders": s.ExpectedOrders, "expected_orders_bgnbd": s.ExpectedOrdersBGNBD, "next_order": s.NextOrder,
		"repeat_value_mean": s.RepeatValueMean, "expected_value": s.ExpectedValue, "lifetime_value": s.LifetimeValue, "order_gap": s.Gap,
		"hiatus_churn": s.HiatusChurn, "churn": s.Churn, "purchase_propensity": s.Propensity, "cart_conversion": s.CartConversion,
		"email_engagement": s.Engagement, "reading_ms": s.ReadingMS, "reading_pages": s.ReadingPages, "send_hour": s.SendHour,
		"send_hour_best": s.SendHourBest, "send_hour_clicks": s.SendHourClicks, "send_hour_sends": s.SendHourSends,
		"channel_browse": shares(s.ChannelBrowse), "channel_respond": shares(s.ChannelRespond), "channel_buy": shares(s.ChannelBuy),
		"omnichannel": s.Omnichannel, "handovers": s.Handovers, "channel_switches": s.ChannelSwitches, "lines": s.Lines, "promoted_lines": s.PromotedLines,
		"discount": s.Discount, "list_value": s.List, "discount_share": s.DiscountShare, "discount_depth": s.DiscountDepth,
		"price_sensitivity": s.PriceSensitivity, "category_affinity": weights(s.Categories), "brand_affinity": weights(s.Brands),
		"recommended_skus": skus, "recommended_scores": scores, "recommended_reasons": reasons, "nps": s.NPS, "csat": s.CSAT, "answered_at": s.AnsweredAt,
		"satisfaction": s.Satisfaction, "loyalty_points": s.LoyaltyPoints, "loyalty_earned": s.LoyaltyEarned, "loyalty_burned": s.LoyaltyBurned,
		"loyalty_expired": s.LoyaltyExpired, "margin": s.Margin, "goods_cost": s.GoodsCost, "channel_cost": s.ChannelCost, "consent": consent,
		"consent_at": s.ConsentAt, "approximate": bounds,
	} {
		r[column] = text(v)
	}
}

// Affinities are given best first, and stay so.
func TestAffinitiesKeepTheirOrder(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	s := open(t, cfg)
	p := schemas.Profile{ID: id(1), Version: 1, Scores: &schemas.Scores{}}
	var words []string
	for i, word := range []string{"wine", "apples", "zinc", "bread", "milk"} {
		p.Scores.Categories = append(p.Scores.Categories, schemas.Weighed{Word: word, Weight: 5 - float32(i)})
		words = append(words, word)
	}
	write(t, s, &schemas.Batch{Number: 1, Now: start, Profiles: []schemas.Profile{p, {ID: id(2), Version: 1}}})
	exec(t, cfg, "OPTIMIZE TABLE profiles FINAL")
	if got := one(t, cfg, "SELECT arrayStringConcat(mapKeys(category_affinity), ' ') FROM profiles WHERE profile_id = '"+id(1).String()+"'"); got != text(strings.Join(words, " ")) {
		t.Errorf("categories came back as %s, want %v", got, words)
	}
}

// The newest event counts, in whatever order batches bring it, and however often.
func TestCatalogTakesTheNewestEvent(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	s := open(t, cfg)
	change := func(kind schemas.Type, name string, at schemas.Time, amount schemas.Decimal) *schemas.Event {
		e := event(name, start+at, kind, schemas.ProfileID{})
		e.SKU, e.Amount, e.Quantity, e.Currency, e.Variant = "A", amount, amount, "EUR", "in_stock"
		return e
	}
	both := func(name string, at schemas.Time, amount schemas.Decimal) []*schemas.Event {
		return []*schemas.Event{change(schemas.TypePriceChange, name, at, amount*schemas.DecimalOne), change(schemas.TypeStockChange, name+"s", at, amount*schemas.DecimalOne)}
	}
	newest := both("b", 2000, 20)
	batches := []*schemas.Batch{{Number: 1, Now: start, Events: newest}, {Number: 2, Now: start, Events: append(both("a", 1000, 10), both("c", 500, 5)...)},
		{Number: 9, Now: start, Events: newest}, {Number: 10, Now: start, Events: append(both("d", 1999, 19), both("e", 3, 3)...)}}
	for range 2 {
		for _, b := range batches {
			write(t, s, b)
			for table, column := range map[string]string{"catalog": "price", "stock": "quantity"} {
				if got := one(t, cfg, "SELECT concat(sku, ' ', toString("+column+"), ' ', toString(since)) FROM "+table+" FINAL"); got != text("A 20 2026-01-15 08:00:02.000") {
					t.Errorf("after batch %d %s says %s", b.Number, table, got)
				}
			}
		}
	}
	// Of one instant, the same one counts in any order.
	var won []string
	for _, order := range [][]string{{"x", "y"}, {"y", "x"}} {
		other := config(t)
		k := open(t, other)
		for i, name := range order {
			write(t, k, &schemas.Batch{Number: uint64(i + 1), Now: start, Events: []*schemas.Event{change(schemas.TypePriceChange, name, 1, schemas.Decimal(len(won)*2+i))}})
		}
		e := one(t, other, "SELECT toString(price * 10000) || ' ' || toString(_batch) FROM catalog FINAL")
		won = append(won, e)
	}
	if won[0] == won[1] || !strings.HasSuffix(won[0], ` 1"`) && !strings.HasSuffix(won[0], ` 2"`) {
		t.Errorf("two orders of events of one instant give %v, want the same event", won)
	}
}
