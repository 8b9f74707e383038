package clickhouse

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seamline/seamline/schemas"
)

// lately is a fixed time of day, ten days ago: views about what is live look back from the latest event, and not into the future.
func lately() schemas.Time {
	return schemas.TimeOf(time.Now().UTC().Truncate(24 * time.Hour).Add(-10*24*time.Hour + 8*time.Hour))
}

// happened makes an event of a person on a channel.
func happened(name string, at schemas.Time, person byte, channel schemas.Channel, kind schemas.Type) *schemas.Event {
	e := event(name, at, kind, id(person))
	e.Channel, e.Leaf = channel, uint32(person)
	return e
}

// sold makes an order event.
func sold(name string, at schemas.Time, person byte, channel schemas.Channel, amount schemas.Decimal) *schemas.Event {
	e := happened(name, at, person, channel, schemas.TypeOrder)
	e.OrderID, e.Amount, e.Revenue, e.Currency = name, amount*schemas.DecimalOne, amount*schemas.DecimalOne, "EUR"
	return e
}

// lines gives a query's rows as they are ordered, one line each, its columns separated by blanks.
func lines(t testing.TB, cfg Config, sql string) []string {
	t.Helper()
	_, rows, err := Query(t.Context(), cfg, sql)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	var all []string
	for _, r := range rows {
		var parts []string
		for _, v := range r {
			parts = append(parts, strings.Trim(text(v), `"`))
		}
		all = append(all, strings.Join(parts, " "))
	}
	return all
}

func expectLines(t testing.TB, cfg Config, sql string, want ...string) {
	t.Helper()
	got := lines(t, cfg, sql)
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s:\n%s\nwant\n%s", sql, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// near fails where a number of a view is not the one that is known.
func near(t testing.TB, what string, got any, want, tolerance float64) {
	t.Helper()
	v, err := strconv.ParseFloat(strings.Trim(text(got), `"`), 64)
	if err != nil || math.IsNaN(v) || math.Abs(v-want) > tolerance {
		t.Errorf("%s is %v, want %v within %v", what, got, want, tolerance)
	}
}

func TestCustomersShowScores(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	s := open(t, cfg)
	now := schemas.TimeOf(time.Now().UTC().Truncate(24 * time.Hour))
	// Two repeat purchases, the last 213 days after the first, which was 272 days ago; scored 50 days ago, at noon.
	p := schemas.Profile{ID: id(1), Version: 2, Stage: schemas.JourneyRepeat, Orders: 3, PurchaseDays: 3, Currency: "EUR", FirstOrder: now - 272*schemas.Day, LastOrder: now - 59*schemas.Day,
		Scores: &schemas.Scores{At: now - 50*schemas.Day + 12*schemas.Hour, Models: 2, RepeatDays: 2, RepeatSpan: 213, Tenure: 222, AliveMBGNBD: 0.99, Gap: 12, NPS: 9, CSAT: -1,
			NextOrder: now - 5*schemas.Day, LifetimeValue: 7 * schemas.DecimalOne, Categories: []schemas.Weighed{{Word: "wine", Weight: 2}, {Word: "ale", Weight: 1}}}}
	p.Scores.ChannelBuy[schemas.ChannelStore], p.Scores.ChannelBuy[schemas.ChannelWeb], p.Scores.ChannelBrowse[schemas.ChannelApp] = 0.7, 0.3, 1
	p.Scores.Consent[schemas.PurposeSMSMarketing], p.Scores.Consent[schemas.PurposeAnalytics], p.Scores.Consent[schemas.PurposeAdsStorage] = 1, 1, 2
	model := func(version uint32, r, alpha, a, b float64) schemas.Model {
		return schemas.Model{Name: "mbgnbd", Version: version, Parameters: []schemas.Parameter{{Name: "r", Value: r}, {Name: "alpha", Value: alpha}, {Name: "a", Value: a}, {Name: "b", Value: b}}}
	}
	write(t, s, &schemas.Batch{Number: 2, Now: now, Profiles: []schemas.Profile{p, {ID: id(2), Version: 2}}, Models: []schemas.Model{model(1, 1, 1, 1, 1), model(2, 0.525, 6.183, 0.891, 1.614)}})
	r := read(t, cfg, "SELECT "+scoreViewColumns+" FROM customers WHERE orders > 0")[0]
	tx, age := 213.0/7, 272.0/7
	near(t, "alive_now", r["alive_now"], 1/(1+0.891/(1.614+2)*math.Pow((6.183+age)/(6.183+tx), 0.525+2)), 1e-9)
	near(t, "alive_now of the published customer", r["alive_now"], 0.7062, 1e-3)
	for column, want := range map[string]string{"days_overdue": "5", "hiatus_churn_now": "true", "lifetime_value": "7", "preferred_channel": text("store"), "nps": "9",
		"csat": "NULL", "categories": text([]string{"wine", "ale"}), "consents": text([]string{"analytics", "sms_marketing"}), "models": "2"} {
		if r[column] != want {
			t.Errorf("customers.%s is %s, want %s", column, r[column], want)
		}
	}
	expectLines(t, cfg, "SELECT alive_now, churn_now, next_order, nps, scored_at, preferred_channel FROM customers WHERE orders = 0", "NULL NULL NULL NULL NULL ")
}

func TestCustomerTimeline(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	s := open(t, cfg)
	at := lately()
	view := happened("view", at, 1, schemas.ChannelWeb, schemas.TypeProductView)
	view.SKU, view.SessionID = "lamp", 7
	opened := happened("open", at+2, 2, schemas.ChannelEmail, schemas.TypeMessageOpen)
	opened.Campaign.Name, opened.Machine = "spring", true
	moved := happened("moved", at+3, 3, schemas.ChannelStore, schemas.TypeStoreVisit)
	moved.StoreID = "north"
	write(t, s, &schemas.Batch{Number: 1, Now: at, Events: []*schemas.Event{view, sold("order", at+1, 1, schemas.ChannelWeb, 20), opened, moved,
		happened("other", at, 9, schemas.ChannelWeb, schemas.TypePageView)}})
	query := "SELECT event_id, what, amount, session_id FROM customer_timeline WHERE profile_id = '" + id(1).String() + "' ORDER BY time"
	expectLines(t, cfg, query, "view looked at product lamp 0 7", "order ordered, order order 20 0")
	// Person 2 is merged into 1, a piece of history of person 3 moves to 1, and the session became another.
	write(t, s, &schemas.Batch{Number: 2, Now: at, Aliases: []schemas.Alias{{AliasID: id(2), ProfileID: id(1), Since: at}},
		Attributions: []schemas.Attribution{{Leaf: 3, ProfileID: id(2), Since: at}}, SessionAliases: []schemas.SessionAlias{{SessionID: 7, Became: 6}}})
	expectLines(t, cfg, query, "view looked at product lamp 0 6", "order ordered, order order 20 0", "open a machine opened spring 0 0", "moved visited store north 0 0")
	expectLines(t, cfg, "SELECT count(), uniqExact(event_id) FROM customer_timeline", "5 5")
}

func TestChannelSwitches(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	s := open(t, cfg)
	day := lately() - 60*schemas.Day
	sent := happened("sent", day+schemas.Day/2, 1, schemas.ChannelEmail, schemas.TypeMessageSent) // no touch
	machine := happened("machine", day+schemas.Day/2, 1, schemas.ChannelEmail, schemas.TypeMessageOpen)
	machine.Machine = true
	events := []*schemas.Event{
		happened("1a", day, 1, schemas.ChannelWeb, schemas.TypePageView), happened("1b", day+schemas.Hour, 1, schemas.ChannelWeb, schemas.TypeProductView), sent, machine,
		sold("1c", day+2*schemas.Day, 1, schemas.ChannelStore, 5),                             // web to store, an order itself
		happened("1d", day+3*schemas.Day, 1, schemas.ChannelWeb, schemas.TypePageView),        // store to web, no order after it
		happened("1e", day+20*schemas.Day, 1, schemas.ChannelStore, schemas.TypeStoreVisit),   // too late for a journey
		happened("2a", day, 2, schemas.ChannelWeb, schemas.TypePageView),                      // of person 1 after the merge
		happened("3a", day+21*schemas.Day, 3, schemas.ChannelApp, schemas.TypeScreenView),     // of another
		happened("3b", day+22*schemas.Day, 3, schemas.ChannelEmail, schemas.TypeMessageClick), // app to e-mail
		sold("3c", day+29*schemas.Day, 3, schemas.ChannelEmail, 9),                            // seven days later
		happened("3d", day+30*schemas.Day, 3, schemas.ChannelApp, schemas.TypeScreenView),     // e-mail to app
		happened("3e", day+31*schemas.Day, 3, schemas.ChannelEmail, schemas.TypeMessageClick), // and app to e-mail again, without an order
	}
	write(t, s, &schemas.Batch{Number: 1, Now: day, Events: events})
	query := "SELECT * FROM channel_switches ORDER BY from_channel, to_channel"
	expectLines(t, cfg, query, "app email 1 2 1 0.5", "email app 1 1 0 0", "store web 1 1 0 0", "web store 1 1 1 1")
	write(t, s, &schemas.Batch{Number: 2, Now: day, Aliases: []schemas.Alias{{AliasID: id(3), ProfileID: id(1), Since: day}}})
	expectLines(t, cfg, query, "app email 1 2 1 0.5", "email app 1 1 0 0", "store app 1 1 0 0", "store web 1 1 0 0", "web store 1 1 1 1")
}

func TestSpendByChannelCount(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	s := open(t, cfg)
	person := func(n byte, orders int64, revenue schemas.Decimal, bought ...schemas.Channel) schemas.Profile {
		p := schemas.Profile{ID: id(n), Version: 1, Orders: orders, Revenue: revenue * schemas.DecimalOne, Currency: "EUR"}
		p.Channels[schemas.ChannelWeb].Events = 1
		for _, c := range bought {
			p.Channels[c].Events, p.Channels[c].Orders = 1, 1
		}
		return p
	}
	write(t, s, &schemas.Batch{Number: 1, Now: start, Profiles: []schemas.Profile{person(1, 2, 30, schemas.ChannelWeb, schemas.ChannelStore),
		person(2, 1, 10, schemas.ChannelStore), person(3, 3, 50, schemas.ChannelWeb)}})
	expectLines(t, cfg, "SELECT counted, channels, people, orders, revenue, revenue_per_person, average_order_value FROM spend_by_channel_count ORDER BY counted, channels",
		"bought 1 2 4 60 30 15", "bought 2 1 2 30 30 15", "seen 1 1 3 50 50 16.666666666666668", "seen 2 2 3 40 20 13.333333333333334")
}

func TestEmailEngagement(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	s := open(t, cfg)
	var events []*schemas.Event
	add := func(message string, kind schemas.Type, isMachine bool) {
		e := happened(fmt.Sprint(len(events)), start+schemas.Time(len(events)), 1, schemas.ChannelEmail, kind)
		e.MessageID, e.Machine, e.Campaign = message, isMachine, schemas.Campaign{ID: "c1", Name: "Spring"}
		events = append(events, e)
	}
	for _, message := range []string{"a", "b", "c", "d", "e"} {
		add(message, schemas.TypeMessageSent, false)
		if message < "d" {
			add(message, schemas.TypeMessageDelivered, false)
		}
	}
	add("d", schemas.TypeMessageOpen, true) // proves delivery
	add("a", schemas.TypeMessageOpen, true)
	add("a", schemas.TypeMessageOpen, false)
	add("a", schemas.TypeMessageOpen, false)
	add("b", schemas.TypeMessageClick, false)
	add("c", schemas.TypeMessageClick, true)
	add("e", schemas.TypeMessageBounce, false)
	add("b", schemas.TypeMessageUnsubscribe, false)
	add("a", schemas.TypeMessageComplaint, false)
	write(t, s, &schemas.Batch{Number: 1, Now: start, Events: events})
	expectLines(t, cfg, `SELECT channel, campaign_id, campaign_name, sent, delivered, bounces, human_opens, machine_opens, human_clicks, machine_clicks, opened, clicked,
		open_rate, click_rate, click_to_open, unsubscribes, complaints FROM email_engagement`, "email c1 Spring 5 4 1 2 2 1 1 2 1 0.5 0.25 0.5 1 1")
}

func TestJourneyFunnel(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	s := open(t, cfg)
	day := lately() - 30*schemas.Day
	person := func(n byte, stage schemas.JourneyStage, first schemas.Channel) schemas.Profile {
		p := schemas.Profile{ID: id(n), Version: 1, Stage: stage, FirstSeen: day, Sessions: 1}
		p.Channels[first] = schemas.ChannelTotals{Events: 1, FirstSeen: day}
		p.Channels[schemas.ChannelApp] = schemas.ChannelTotals{Events: 1, FirstSeen: day + 1}
		return p
	}
	buyer := person(1, schemas.JourneyRepeat, schemas.ChannelWeb)
	buyer.Orders, buyer.PurchaseDays, buyer.FirstOrder, buyer.Emails = 2, 2, day+4*schemas.Day, 1
	known := person(2, schemas.JourneyKnown, schemas.ChannelWeb)
	known.Emails = 1
	visitor := person(3, schemas.JourneyVisitor, schemas.ChannelEmail)
	write(t, s, &schemas.Batch{Number: 1, Now: day, Profiles: []schemas.Profile{buyer, known, visitor}, Events: []*schemas.Event{
		happened("known", day+schemas.Day, 1, schemas.ChannelWeb, schemas.TypeSignup), happened("cart", day+3*schemas.Day, 1, schemas.ChannelWeb, schemas.TypeCartAdd),
		sold("one", day+4*schemas.Day, 1, schemas.ChannelWeb, 5), sold("two", day+9*schemas.Day, 1, schemas.ChannelWeb, 5),
		happened("known too", day+3*schemas.Day, 2, schemas.ChannelWeb, schemas.TypeLogin)}})
	expectLines(t, cfg, `SELECT step, stage, people, conversion, from_previous, timed, median_days, median_days_from_previous FROM journey_funnel
		WHERE first_channel = 'web' ORDER BY step`,
		"1 visitor 2 1 1 2 0 NULL", "2 engaged 2 1 1 0 NULL NULL", "3 known 2 1 1 2 2 2", "4 considering 1 0.5 0.5 1 3 2", "5 customer 1 0.5 1 1 4 1",
		"6 repeat 1 0.5 1 1 9 5", "7 loyal 0 0 0 0 NULL NULL")
	expectLines(t, cfg, "SELECT groupArray(people) FROM (SELECT people FROM journey_funnel WHERE first_channel = 'email' ORDER BY step)", "[1 0 0 0 0 0 0]")
}
