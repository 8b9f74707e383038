package clickhouse

import (
	"encoding/hex"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/seamline/seamline/schemas"
)

// expected gives, by table, the rows that a batch must leave, written down apart from the code that writes them.
func expected(b *schemas.Batch) map[string][]row {
	rows := map[string][]row{}
	put := func(table string, values ...any) {
		r := row{}
		for i := 0; i < len(values); i += 2 {
			r[values[i].(string)] = text(values[i+1])
		}
		rows[table] = append(rows[table], r)
	}
	for place, e := range b.Events {
		put("events", "event_id", e.ID, "event_time", e.Time, "received_time", e.Received, "processed_time", b.Now, "source", e.Source,
			"channel", e.Channel.String(), "type", e.Type.String(), "profile_id", e.ProfileID, "session_id", e.SessionID,
			"identifiers", e.IdentifierIDs, "leaf", e.Leaf, "order_id", e.OrderID, "sku", e.SKU, "quantity", e.Quantity, "amount", e.Amount, "revenue", e.Revenue,
			"currency", e.Currency, "store_id", e.StoreID, "page_url", e.PageURL, "page_path", e.PagePath, "referrer", e.Referrer,
			"campaign_id", e.Campaign.ID, "campaign_source", e.Campaign.Source, "campaign_medium", e.Campaign.Medium,
			"campaign_name", e.Campaign.Name, "message_id", e.MessageID, "link_url", e.LinkURL, "variant", e.Variant, "dwell_ms", e.DwellMillis,
			"machine", e.Machine, "country", e.Country, "properties", e.Properties, "kafka_topic", e.Record.Topic,
			"kafka_partition", e.Record.Partition, "kafka_offset", e.Record.Offset, "element", e.Element, "_batch", b.Number)
		for _, i := range e.Items {
			if e.OrderSign() == 0 {
				break
			}
			line, sign := i.LineID, schemas.Decimal(1)
			switch e.Type.String() {
			case "refund":
				line, sign = e.ID+"/"+i.LineID, -1
			case "void", "order_cancel":
				line, sign = "void/"+i.LineID, -1
			}
			version := new(big.Int).Lsh(big.NewInt(e.OrderVersion), 64)
			version.Add(version, new(big.Int).SetUint64(b.Number<<20+uint64(place)))
			put("order_lines", "order_id", e.OrderID, "store_id", e.StoreID, "line_id", line, "event_id", e.ID, "type", e.Type.String(),
				"order_version", e.OrderVersion, "time", e.Time, "profile_id", e.ProfileID, "leaf", e.Leaf, "channel", e.Channel.String(), "sku", i.SKU, "name", i.Name,
				"category", i.Category, "brand", i.Brand, "quantity", sign*i.Quantity, "unit_price", i.UnitPrice, "discount", sign*i.Discount,
				"total", sign*i.Total, "cost", sign*i.Cost, "currency", e.Currency, "_batch", b.Number, "_version", version)
		}
	}
	for _, r := range b.Rejects {
		put("dead_letters", "time", b.Now, "topic", r.Record.Topic, "partition", r.Record.Partition, "offset", r.Record.Offset, "element", r.Element,
			"record_time", r.Record.Time, "reason", string(r.Reason), "detail", r.Detail, "key", string(r.Record.Key), "value", string(r.Value), "_batch", b.Number)
	}
	for _, r := range b.Identifiers {
		put("identifiers", "identifier_id", r.ID, "namespace", r.Namespace, "value_hash", strings.ToUpper(hex.EncodeToString(r.ValueHash[:])),
			"display", r.Display, "profile_id", r.ProfileID, "class", r.Class.String(), "first_seen", r.FirstSeen, "last_seen", r.LastSeen,
			"quarantined", r.Quarantined, "_batch", b.Number)
	}
	for _, d := range b.Decisions {
		put("identity_log", "position", d.Position, "time", d.Time, "kind", schemas.DecisionNames()[d.Kind], "a_id", d.A, "a_namespace", d.ANamespace,
			"b_id", d.B, "b_namespace", d.BNamespace, "profile_id", d.ProfileID, "other_profile_id", d.OtherProfile, "rule", d.Rule,
			"event_id", d.EventID, "_batch", b.Number)
	}
	for _, a := range b.Aliases {
		put("profile_aliases", "alias_id", a.AliasID, "profile_id", a.ProfileID, "since", a.Since, "_batch", b.Number)
	}
	for _, a := range b.Attributions {
		put("leaf_profiles", "leaf", a.Leaf, "profile_id", a.ProfileID, "since", a.Since, "_batch", b.Number)
	}
	for _, m := range b.Memberships {
		put("audience_members", "audience", m.Audience, "profile_id", m.ProfileID, "member", m.Member, "since", m.Since, "until", m.Until,
			"reason", m.Reason, "version", b.Number)
	}
	for _, c := range b.Changes {
		change := map[bool]string{true: "enter", false: "exit"}[c.Enter]
		put("audience_changes", "audience", c.Audience, "sequence", c.Sequence, "profile_id", c.ProfileID, "change", change, "time", c.Time,
			"reason", c.Reason, "_batch", b.Number)
	}
	expectedScoring(b, put)
	expectedContacts(b, put)
	for i := range b.Profiles {
		rows["profiles"] = append(rows["profiles"], expectedProfile(&b.Profiles[i]))
	}
	rows["commits"] = []row{expectedCommit(b)}
	return rows
}

func expectedProfile(p *schemas.Profile) row {
	events, firsts, lasts := map[string]uint64{}, map[string]schemas.Time{}, map[string]schemas.Time{}
	orders, revenue := map[string]int64{}, map[string]schemas.Decimal{}
	for i, c := range p.Channels {
		name := schemas.Channel(i).String()
		if c.Events > 0 {
			events[name], firsts[name], lasts[name] = c.Events, c.FirstSeen, c.LastSeen
		}
		if c.Orders != 0 {
			orders[name] = c.Orders
		}
		if c.Revenue != 0 {
			revenue[name] = c.Revenue
		}
	}
	r := row{}
	for column, v := range map[string]any{
		"profile_id": p.ID, "profile_index": p.Index, "user_ids": p.UserIDs, "loyalty_ids": p.LoyaltyIDs, "emails": p.Emails, "phones": p.Phones,
		"country": p.Country, "cards": p.Cards, "devices": p.Devices, "anonymous_ids": p.Anonymous, "identifiers": p.Identifiers, "first_seen": p.FirstSeen,
		"last_seen": p.LastSeen, "events": p.Events, "channel_events": events, "channel_first_seen": firsts, "channel_last_seen": lasts,
		"channel_orders": orders, "channel_revenue": revenue, "stage": p.Stage.String(), "stage_since": p.StageSince, "stage_reason": p.StageReason, "sessions": p.Sessions,
		"product_views": p.ProductViews, "searches": p.Searches, "last_session_id": p.LastSessionID, "last_session_start": p.LastSessionStart,
		"checkout_at": p.CheckoutAt, "orders": p.Orders, "refunds": p.Refunds, "purchase_days": p.PurchaseDays, "revenue": p.Revenue,
		"currency": p.Currency, "other_currency": p.OtherCurrency, "first_order": p.FirstOrder, "last_order": p.LastOrder,
		"store_orders": p.StoreOrders, "online_orders": p.OnlineOrders, "cart_skus": p.CartSKUs, "cart_quantity": p.CartQuantity,
		"cart_value": p.CartValue, "cart_updated": p.CartUpdated, "email_sent": p.Email.Sent, "email_delivered": p.Email.Delivered,
		"email_opens": p.Email.Opens, "email_machine_opens": p.Email.MachineOpens, "email_clicks": p.Email.Clicks,
		"email_machine_clicks": p.Email.MachineClicks, "email_bounces": p.Email.Bounces, "email_unsubscribes": p.Email.Unsubscribes,
		"email_complaints": p.Email.Complaints, "last_open": p.Email.LastOpen, "last_click": p.Email.LastClick, "state": string(p.State),
		"shard": (int(p.ID[0])*256 + int(p.ID[1])) % 1024, "version": p.Version, "deleted": 0,
	} {
		r[column] = text(v)
	}
	addExpectedScores(r, p.Scores)
	return r
}

func expectedCommit(b *schemas.Batch) row {
	dropped, durations := map[string]uint64{}, map[string]uint64{}
	for _, d := range b.Dropped {
		dropped[string(d.Drop)]++
	}
	for _, took := range b.Took {
		durations[took.Stage] = uint64(took.Nanos / 1000)
	}
	r := row{}
	for column, v := range map[string]any{
		"pipeline": "main", "batch": b.Number, "time": b.Now, "topics": []string{b.Ranges[0].Topic, b.Ranges[1].Topic},
		"partitions":   []int32{b.Ranges[0].Partition, b.Ranges[1].Partition},
		"offsets_from": []int64{b.Ranges[0].From, b.Ranges[1].From}, "offsets_to": []int64{b.Ranges[0].To, b.Ranges[1].To},
		"records": len(b.Records), "events": len(b.Events), "rejects": len(b.Rejects), "duplicates": dropped["duplicate"], "dropped": dropped,
		"profiles": len(b.Profiles), "durations": durations, "format": schemas.IntentFormat, "fixed": b.Fixed, "latest": b.Latest,
		"advance_to": b.Advance, "rewind": b.Rewind, "rules": "",
	} {
		r[column] = text(v)
	}
	return r
}

// stored reads a table under FINAL.
func stored(t testing.TB, cfg Config, table string) []row {
	columns := "*"
	switch table { // FixedString cuts nothing off this way
	case "identifiers":
		columns = "* REPLACE (hex(value_hash) AS value_hash)"
	case "contacts":
		columns = "* REPLACE (hex(plain) AS plain, hex(google) AS google, hex(uid2) AS uid2)"
	case "contacts_clear":
		columns = "* REPLACE (hex(ciphertext) AS ciphertext)"
	}
	return read(t, cfg, fmt.Sprintf("SELECT %s FROM %s FINAL", columns, table))
}

func TestRowsComeBack(t *testing.T) {
	t.Parallel()
	r := random(t)
	cfg := config(t)
	s := open(t, cfg)
	want := map[string][]row{}
	// The first batch is small, the second needs dictionaries of more than 256 words, the third has one event.
	for i, shape := range []builder{{events: 60, months: 3, words: 5}, {events: 1500, months: 1, words: 700}, {events: 1, months: 1, words: 1}} {
		shape.Rand, shape.identifiers, shape.positions, shape.sequence = r, uint64(i)*10_000, uint64(i)*10_000, uint64(i)*10_000
		b := shape.batch(uint64(i + 1))
		write(t, s, b)
		for table, rows := range expected(b) {
			want[table] = append(want[table], rows...)
		}
	}
	for _, table := range s.tables {
		same(t, table.name(), stored(t, cfg, table.name()), want[table.name()])
	}
	same(t, "commits", stored(t, cfg, "commits"), want["commits"])
}

func TestDictionaryOfManyWords(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	s := open(t, cfg)
	const count = 1<<16 + 1000
	make := func(number uint64, word func(i int) string) *schemas.Batch {
		b := &schemas.Batch{Number: number, Now: start}
		record := &schemas.Record{Topic: "pos"}
		for i := range count {
			b.Events = append(b.Events, &schemas.Event{ID: fmt.Sprint(i), Source: "test", Channel: schemas.ChannelWeb, Type: schemas.TypeCustom,
				Time: start + schemas.Time(number*count) + schemas.Time(i), Variant: word(i), Record: record})
		}
		return b
	}
	write(t, s, make(1, func(i int) string { return fmt.Sprint("v", i) }))
	// The columns forget their words now, and must not mix up old and new ones.
	write(t, s, make(2, func(i int) string { return fmt.Sprint("w", i%3) }))
	if got := one(t, cfg, "SELECT countIf(variant = 'v' || event_id) FROM events WHERE _batch = 1"); got != fmt.Sprint(count) {
		t.Errorf("%s of %d events have their own word", got, count)
	}
	if got := one(t, cfg, "SELECT countIf(variant = 'w' || toString(toUInt64(event_id) % 3)) FROM events WHERE _batch = 2"); got != fmt.Sprint(count) {
		t.Errorf("%s of %d events have their own word in the second batch", got, count)
	}
}

func TestEventsOfSeveralMonths(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	s := open(t, cfg)
	shape := builder{Rand: random(t), events: 500, months: 14, words: 3}
	b := shape.batch(1)
	perMonth := map[string]int{}
	for _, e := range b.Events {
		perMonth[e.Time.Std().Format("200601")]++
	}
	write(t, s, b)
	parts := read(t, cfg, "SELECT partition, toUInt64(sum(rows)) AS n, count() AS parts FROM system.parts WHERE database = '"+cfg.Database+"' AND table = 'events' AND active GROUP BY partition")
	if len(parts) != len(perMonth) {
		t.Errorf("%d partitions, want %d", len(parts), len(perMonth))
	}
	for _, p := range parts {
		month := strings.Trim(p["partition"], `"`)
		if p["n"] != fmt.Sprint(perMonth[month]) || p["parts"] != "1" {
			t.Errorf("month %s has %s rows in %s parts, want %d in 1", month, p["n"], p["parts"], perMonth[month])
		}
	}
}

func TestColumnsAreThoseOfTheTables(t *testing.T) {
	t.Parallel()
	for _, properties := range []string{"string", "json"} {
		t.Run(properties, func(t *testing.T) {
			t.Parallel()
			cfg := config(t)
			cfg.Properties = properties
			s := open(t, cfg)
			blocks := []*block{&newEventMonth(cfg.Database, properties == "json").block}
			b := s.sampleOfAll()
			for _, table := range append(s.tables[1:], s.commits) {
				blocks = append(blocks, table.fill(b)...)
			}
			if len(blocks) != len(s.tables)+1 {
				t.Fatalf("%d blocks of %d tables", len(blocks), len(s.tables)+1)
			}
			for _, b := range blocks {
				var got, want []string
				for _, c := range b.input {
					got = append(got, c.Name+" "+string(c.Data.Type()))
				}
				for _, c := range read(t, cfg, "SELECT name || ' ' || type AS c FROM system.columns WHERE database = '"+cfg.Database+"' AND table = '"+b.table+"' AND default_kind != 'ALIAS'") {
					want = append(want, strings.Trim(c["c"], `"`))
				}
				slices.Sort(got)
				slices.Sort(want)
				if g, w := strings.Join(got, "\n"), strings.ReplaceAll(strings.Join(want, "\n"), `\'`, `'`); g != w {
					t.Errorf("%s:\n%s\nwant\n%s", b.table, g, w)
				}
			}
		})
	}
}

// sampleOfAll is a batch with a row for every table, and three of events.
func (s *Sink) sampleOfAll() *schemas.Batch {
	b := s.sample()
	for _, kind := range []schemas.Type{schemas.TypePriceChange, schemas.TypeStockChange} {
		b.Events = append(b.Events, &schemas.Event{ID: kind.String(), Source: "s", Channel: 1, Type: kind, Time: start, SKU: "A", Record: b.Events[0].Record})
	}
	return b
}

// sample is a batch with a row for every table but catalog and stock, and with one event.
func (s *Sink) sample() *schemas.Batch {
	record := &schemas.Record{Topic: "pos"}
	return &schemas.Batch{Number: 1, Now: start,
		Events: []*schemas.Event{{ID: "1", Source: "s", Channel: 1, Type: schemas.TypeOrder, Time: start, OrderID: "1", Items: make([]schemas.Item, 1), Record: record,
			Consents: make([]schemas.Consent, 1), Answer: schemas.Answer{Kind: schemas.SurveyNPS}}},
		Rejects: []schemas.Reject{{Record: record}}, Decisions: make([]schemas.Decision, 1), Identifiers: make([]schemas.IdentifierRow, 1),
		Aliases: make([]schemas.Alias, 1), Attributions: make([]schemas.Attribution, 1), Profiles: make([]schemas.Profile, 1), Memberships: make([]schemas.Membership, 1),
		Changes: make([]schemas.AudienceChange, 1), Contacts: make([]schemas.ContactRow, 1), Audiences: make([]schemas.Audience, 1),
		Models: make([]schemas.Model, 1), SessionAliases: make([]schemas.SessionAlias, 1),
		Accounts: make([]schemas.Account, 1), StageChanges: make([]schemas.StageChange, 1)}
}
