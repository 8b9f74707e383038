package clickhouse

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seamline/seamline/schemas"
)

func id(n byte) schemas.ProfileID { return schemas.ProfileID{0: n, 6: 0x70, 8: 0x80, 15: n} }

func event(name string, at schemas.Time, kind schemas.Type, person schemas.ProfileID) *schemas.Event {
	return &schemas.Event{ID: name, Source: "seamline", Channel: schemas.ChannelStore, Type: kind, Time: at, ProfileID: person,
		Record: &schemas.Record{Topic: "pos"}}
}

func TestMergedProfileIsResolvedAtOnce(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	s := open(t, cfg)
	stranger, known := id(1), id(2)
	write(t, s, &schemas.Batch{Number: 1, Now: start,
		Events:   []*schemas.Event{event("a", start, schemas.TypeStoreVisit, stranger), event("b", start, schemas.TypeStoreVisit, known), event("c", start, schemas.TypeStoreVisit, schemas.ProfileID{})},
		Profiles: []schemas.Profile{{ID: stranger, Index: 1, Version: 1, Events: 1}, {ID: known, Index: 2, Version: 1, Events: 1}}})
	people := func() string {
		rows := read(t, cfg, "SELECT toString(profile_id) AS id, events FROM customers ORDER BY id")
		return fmt.Sprint(rows)
	}
	if n := one(t, cfg, "SELECT count() FROM customers"); n != "2" {
		t.Fatalf("%s customers before the merge, want 2: %s", n, people())
	}
	for round, into := range []schemas.ProfileID{known, id(3)} {
		number := uint64(2 + round)
		b := &schemas.Batch{Number: number, Now: start, Aliases: []schemas.Alias{{AliasID: stranger, ProfileID: into, Since: start}},
			Profiles: []schemas.Profile{{ID: stranger, Index: 1, Version: number, Merged: true}, {ID: into, Index: uint32(number), Version: number, Events: 2}}}
		if into != known {
			b.Aliases = append(b.Aliases, schemas.Alias{AliasID: known, ProfileID: into, Since: start})
			b.Profiles = append(b.Profiles, schemas.Profile{ID: known, Index: 2, Version: number, Merged: true})
		}
		write(t, s, b)
		// Right after Write, without any wait.
		got := read(t, cfg, "SELECT event_id, toString(profile_id) AS now, toString(profile_id_processed) AS processed FROM events_resolved ORDER BY event_id")
		want := []row{
			{"event_id": text("a"), "now": text(into.String()), "processed": text(stranger.String())},
			{"event_id": text("b"), "now": text(into.String()), "processed": text(known.String())},
			{"event_id": text("c"), "now": text(schemas.ProfileID{}.String()), "processed": text(schemas.ProfileID{}.String())}}
		same(t, fmt.Sprintf("events_resolved after merge %d", round+1), got, want)
		if got, want := people(), fmt.Sprint([]row{{"id": text(into.String()), "events": "2"}}); got != want {
			t.Errorf("customers after merge %d: %s, want %s", round+1, got, want)
		}
	}
}

func TestEventsResolvedShowsARepeatedEventOnce(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	s := open(t, cfg)
	e := event("a", start, schemas.TypeStoreVisit, id(1))
	write(t, s, &schemas.Batch{Number: 1, Now: start, Events: []*schemas.Event{e}})
	// A rewind resolves it to another person, in another batch.
	e.ProfileID = id(2)
	write(t, s, &schemas.Batch{Number: 9, Now: start, Events: []*schemas.Event{e}})
	if got := one(t, cfg, "SELECT toString(profile_id) FROM events_resolved"); got != text(id(2).String()) {
		t.Errorf("the event is of %s, want the newer row", got)
	}
}

// scoreViewColumns are those that TestCustomersShowScores looks at.
const scoreViewColumns = `recency_quintile, frequency_quintile, monetary_quintile, alive_now, churn_now, expected_orders, next_order, days_overdue, hiatus_churn_now,
	lifetime_value, margin, purchase_propensity, cart_conversion, email_engagement, send_hour, preferred_channel, omnichannel, discount_share, price_sensitivity,
	categories, brands, recommended_skus, nps, csat, loyalty_points, consents, scored_at, models`

func TestCustomers(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	s := open(t, cfg)
	day := schemas.TimeOf(time.Now()) - 10*schemas.Day - schemas.Hour
	buyer := schemas.Profile{ID: id(1), Version: 5, Stage: schemas.JourneyRepeat, StageSince: day, StageReason: "bought more than once", FirstSeen: start, LastSeen: day, Events: 12, Sessions: 2,
		Orders: 3, StoreOrders: 1, OnlineOrders: 2, Refunds: 1, Revenue: 100 * schemas.DecimalOne, Currency: "EUR", FirstOrder: start, LastOrder: day,
		CartSKUs: []string{"A", "B"}, CartQuantity: 3 * schemas.DecimalOne, CartValue: 5 * schemas.DecimalOne, Identifiers: 4,
		Email: schemas.EmailTotals{Opens: 7, Clicks: 6}}
	buyer.Channels[schemas.ChannelWeb].Events = 8
	buyer.Channels[schemas.ChannelStore].Events = 3
	buyer.Channels[schemas.ChannelEmail].Events = 1
	write(t, s, &schemas.Batch{Number: 5, Now: start, Profiles: []schemas.Profile{buyer, {ID: id(2), Version: 5, Stage: schemas.JourneyVisitor}},
		Memberships: []schemas.Membership{{Audience: "store_only", ProfileID: id(1), Member: false, Since: start, Until: day},
			{Audience: "lapsed", ProfileID: id(1), Member: true, Since: day}, {Audience: "abandoners", ProfileID: id(1), Member: true, Since: start}}})
	want := row{"profile_id": text(id(1)), "stage": text("repeat"), "stage_since": text(day), "stage_reason": text("bought more than once"), "first_seen": text(start), "last_seen": text(day),
		"channels": text([]string{"email", "store", "web"}), "channel_count": "3", "events": "12", "web_events": "8", "app_events": "0",
		"store_events": "3", "email_events": "1", "sessions": "2", "orders": "3", "store_orders": "1", "online_orders": "2", "refunds": "1",
		"revenue": "100", "currency": text("EUR"), "average_order_value": "33.3333", "first_order": text(start), "last_order": text(day),
		"days_since_last_order": "10", "cart_skus": text([]string{"A", "B"}), "cart_quantity": "3", "cart_value": "5", "email_opens": "7",
		"email_clicks": "6", "identifiers": "4", "audiences": text([]string{"abandoners", "lapsed"})}
	same(t, "customers", read(t, cfg, "SELECT * EXCEPT ("+scoreViewColumns+") FROM customers WHERE orders > 0"), []row{want})
	got := read(t, cfg, "SELECT average_order_value, first_order, last_order, days_since_last_order, audiences FROM customers WHERE orders = 0")
	same(t, "customers", got, []row{{"average_order_value": "NULL", "first_order": "NULL", "last_order": "NULL", "days_since_last_order": "NULL", "audiences": "[]"}})
	sizes := read(t, cfg, "SELECT * FROM audience_sizes")
	same(t, "audience_sizes", sizes, []row{{"audience": text("store_only"), "members": "0", "last_change": text(day)},
		{"audience": text("lapsed"), "members": "1", "last_change": text(day)}, {"audience": text("abandoners"), "members": "1", "last_change": text(start)}})
}

func TestOrderLines(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	s := open(t, cfg)
	order := func(name string, kind schemas.Type, version int64, totals ...schemas.Decimal) *schemas.Event {
		e := event(name, start+schemas.Time(len(name)), kind, id(1))
		e.OrderID, e.StoreID, e.OrderVersion, e.Currency = "7", "north", version, "EUR"
		for i, total := range totals {
			e.Items = append(e.Items, schemas.Item{LineID: fmt.Sprint(i + 1), SKU: "A", Quantity: schemas.DecimalOne, UnitPrice: total * schemas.DecimalOne,
				Discount: schemas.DecimalOne, Cost: schemas.DecimalOne, Total: total * schemas.DecimalOne})
		}
		return e
	}
	batch := func(number uint64, events ...*schemas.Event) {
		write(t, s, &schemas.Batch{Number: number, Now: start, Events: events})
	}
	sum := func(table string) string {
		return one(t, cfg, "SELECT toString(sum(total)) || ' ' || toString(sum(quantity)) FROM "+table)
	}
	elsewhere := order("other store", schemas.TypeOrder, 1, 1000)
	elsewhere.StoreID = "south"
	page := event("page", start, schemas.TypePageView, id(1))
	page.OrderID, page.Items = "7", []schemas.Item{{LineID: "1", Total: 5}}
	nameless := order("nameless", schemas.TypeOrder, 1, 50)
	nameless.OrderID = ""
	batch(1, order("first", schemas.TypeOrder, 1, 10, 20, 30), elsewhere, page, nameless)
	if got := sum("order_lines FINAL"); got != text("1060 4") {
		t.Errorf("after the order the lines sum to %s", got)
	}
	// The third version leaves a line out. The second arrives after it, in a batch of its own and with a dearer line.
	batch(2, order("third", schemas.TypeOrderUpdate, 3, 10, 25))
	batch(3, order("second", schemas.TypeOrderUpdate, 2, 99, 99, 99, 99))
	if got := sum("order_lines_current"); got != text("1035 3") {
		t.Errorf("after two updates the current lines sum to %s", got)
	}
	// Two refunds of the same line both count; two voids take the order back once. Of two updates within a batch the later counts.
	batch(4, order("refund one", schemas.TypeRefund, 0, 4), order("refund two", schemas.TypeRefund, 0, 1))
	batch(5, order("void one", schemas.TypeVoid, 0, 10, 25), order("void two", schemas.TypeOrderCancel, 0, 10, 25))
	if got := sum("order_lines_current"); got != text("995 -1") {
		t.Errorf("after refunds and voids the current lines sum to %s", got)
	}
	refund := read(t, cfg, "SELECT * FROM order_lines FINAL WHERE event_id = 'refund one'")
	if r := refund[0]; r["line_id"] != text("refund one/1") || r["quantity"] != "-1" || r["total"] != "-4" || r["discount"] != "-1" || r["cost"] != "-1" || r["unit_price"] != "4" {
		t.Errorf("the refunded line is %v", r)
	}
	batch(6, order("v4", schemas.TypeOrderUpdate, 4, 70), order("v4 again", schemas.TypeOrderUpdate, 4, 80))
	if got := one(t, cfg, "SELECT total FROM order_lines_current WHERE type = 'order_update' AND store_id = 'north'"); got != "80" {
		t.Errorf("of two updates in a batch the current total is %s, want the later one's", got)
	}
}

func TestPropertiesAsJSON(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	cfg.Properties = "json"
	s := open(t, cfg)
	var events []*schemas.Event
	for i, properties := range []string{`{"color":"red","size":{"eu":42},"tags":["a","b"]}`, "", `{"twice":1,"twice":2}`, `{"a.b":1,"a":{"b":2}}`} {
		e := event(fmt.Sprint(i), start, schemas.TypeCustom, id(1))
		e.Properties = properties
		events = append(events, e)
	}
	write(t, s, &schemas.Batch{Number: 1, Now: start, Events: events})
	got := read(t, cfg, "SELECT event_id, toString(properties.color) AS color, toString(properties.size.eu) AS eu, toString(properties.twice) AS twice FROM events_resolved WHERE event_id < '3'")
	null := text("")
	same(t, "properties", got, []row{{"event_id": text("0"), "color": text("red"), "eu": text("42"), "twice": null},
		{"event_id": text("1"), "color": null, "eu": null, "twice": null}, {"event_id": text("2"), "color": null, "eu": null, "twice": text("1")}})

	// The type was chosen when the table was created: another setting does not break writing.
	cfg.Properties = "string"
	again := open(t, cfg)
	write(t, again, &schemas.Batch{Number: 2, Now: start, Events: events[:1]})
	if n := one(t, cfg, "SELECT count() FROM events FINAL WHERE toString(properties.color) = 'red'"); n != "1" {
		t.Errorf("%s red events, want 1", n)
	}
}

func TestEverythingHasAComment(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	open(t, cfg)
	for _, r := range read(t, cfg, "SELECT table || '.' || name AS c FROM system.columns WHERE database = '"+cfg.Database+"' AND comment = '' AND table NOT IN (SELECT name FROM system.tables WHERE database = '"+cfg.Database+"' AND engine = 'Dictionary')") {
		t.Errorf("column %s has no comment", r["c"])
	}
	for _, r := range read(t, cfg, "SELECT name FROM system.tables WHERE database = '"+cfg.Database+"' AND comment = ''") {
		t.Errorf("table %s has no comment", r["name"])
	}
	if n := one(t, cfg, "SELECT count() FROM system.tables WHERE database = '"+cfg.Database+"'"); n != "47" {
		t.Errorf("%s tables and views, want 47", n)
	}
	replacing := read(t, cfg, "SELECT name, engine_full FROM system.tables WHERE database = '"+cfg.Database+"' AND engine LIKE '%MergeTree'")
	for _, r := range replacing {
		if !strings.Contains(r["engine_full"], "ReplacingMergeTree") {
			t.Errorf("%s is a %s: sending a row again would double it", r["name"], r["engine_full"])
		}
		if r["name"] != `"schema_migrations"` && !strings.Contains(r["engine_full"], "non_replicated_deduplication_window = 100000") {
			t.Errorf("%s deduplicates no inserts: %s", r["name"], r["engine_full"])
		}
	}
}
