package main

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/seamline/seamline/schemas"
	producer "github.com/seamline/seamline/sinks/kafka"
)

// storyMinute is a minute of the story of companies.
func storyMinute(n int) time.Time { return start.Add(time.Duration(n) * time.Minute) }

// told is a Segment call that arrives in one minute and tells of another.
func told(arrives, minute int, id, rest string) producer.Message {
	return message(schemas.FeedClickstream, storyMinute(arrives), fmt.Sprintf(`{"messageId":"%s","timestamp":"%s",%s}`, id, storyMinute(minute).Format(time.RFC3339), rest))
}

// ordered is the call of an order by somebody.
func ordered(minute int, who, order, total string) producer.Message {
	return told(minute, minute, "order "+order, who+`,"type":"track","event":"Order Completed","properties":{"order_id":"`+order+`","total":`+total+
		`,"currency":"USD","products":[{"sku":"SHOE-1","price":`+total+`,"quantity":1}]}`)
}

// Minutes of the story at which two people turn out to be one, and somebody moves to the other company.
const storyMerge, storyMove = 60, 70

// companyStory tells of three people who act for two companies, of a browser whose events come late, and of somebody who buys once.
func companyStory() []producer.Message {
	const forAcme, forBeta = `,"context":{"groupId":"acme"}`, `,"context":{"groupId":"beta"}`
	page := func(arrives, minute int, id, rest string) producer.Message {
		return told(arrives, minute, id, rest+`,"type":"page","properties":{"path":"/"}`)
	}
	at := func(minute int) string { return storyMinute(minute).Format(time.RFC3339) }
	return []producer.Message{
		told(0, 0, "a1", `"type":"group","userId":"buyer-1","groupId":"acme","traits":{"name":"Acme"}`),
		told(2, 2, "c1", `"type":"group","userId":"buyer-3","groupId":"beta"`),
		page(5, 5, "b1", `"anonymousId":"browser-2"`+forAcme),
		told(6, 6, "b2", `"type":"track","event":"Product Viewed","anonymousId":"browser-2","properties":{"sku":"SHOE-1"}`),
		ordered(10, `"userId":"buyer-1"`+forAcme, "O-1", "100"),
		ordered(20, `"userId":"buyer-3"`+forBeta, "O-2", "200"),
		told(25, 25, "c2", `"type":"track","event":"Demo Requested","userId":"buyer-3"`+forBeta),
		ordered(30, `"anonymousId":"browser-2"`+forAcme, "O-3", "50"),
		told(storyMerge, storyMerge, "ab", `"type":"identify","anonymousId":"browser-2","userId":"buyer-1","traits":{"email":"customer-901@example.com"}`),
		told(storyMove, storyMove, "c3", `"type":"group","userId":"buyer-3","groupId":"acme"`),

		page(100, 100, "s1", `"anonymousId":"late-1"`),
		page(150, 150, "s2", `"anonymousId":"late-1"`),
		page(155, 125, "s3", `"anonymousId":"late-1"`), // joins both
		page(156, 80, "s4", `"anonymousId":"late-1"`),  // moves their start
		page(157, 151, "s5", `"anonymousId":"late-1"`),

		page(160, 160, "j1", `"anonymousId":"journey-1"`),
		ordered(200, `"anonymousId":"journey-1"`, "O-4", "70"),

		message(schemas.FeedCatalog, storyMinute(1), `{"id":"SHOE-1","title":"Running Shoe","price":"60.00 USD","availability":"in stock","product_type":"Shoes","brand":"Acme","updated":"`+at(1)+`"}`),
		message(schemas.FeedCatalog, storyMinute(3), `[{"store_code":"S-1","id":"SHOE-1","quantity":7,"availability":"in_stock"},{"store_code":"S-1","id":"S3","quantity":1,"availability":"in_stock"}]`),
		message(schemas.FeedConsent, storyMinute(75), `{"time":"`+at(75)+`","customer":{"email":"customer-901@example.com"},"consents":{"email_marketing":"granted"}}`),
		message(schemas.FeedSurvey, storyMinute(76), `{"time":"`+at(76)+`","survey_id":"nps-1","answer_id":"A-1","kind":"nps","score":9,"customer":{"user_id":"buyer-1"}}`),
	}
}

// TestEndToEndPeople: companies are folded of their people, and again when people are merged and move; sessions that late events join are
// one; stages begin with their reasons, by time alone as well; and none of it depends on where batches are cut.
func TestEndToEndPeople(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.create()
	messages := append(companyStory(), streetTraffic(seeded(t), 12, 120)...)
	slices.SortStableFunc(messages, func(a, b producer.Message) int { return a.Time.Compare(b.Time) })
	split, _ := slices.BinarySearchFunc(messages, storyMinute(storyMerge), func(m producer.Message, at time.Time) int { return m.Time.Compare(at) })
	later := func(days int) schemas.Time { return schemas.TimeOf(start.Add(time.Duration(days) * 24 * time.Hour)) }
	now := later(400)

	s.settings.Kafka.RecordsMax = 7
	s.publish(messages[:split]...)
	s.run(func(o *runOptions) { o.now = now })
	const companies = "SELECT id, people, events, orders, toString(revenue), currency, stage, toString(demo_at) FROM accounts FINAL ORDER BY id"
	const never, asked = "1970-01-01 00:00:00.000", "2026-09-01 12:25:00.000"
	s.expect(companies, "acme|2|5|2|150|USD|customer|"+never, "beta|1|3|1|200|USD|customer|"+asked)

	s.publish(messages[split:]...)
	s.run(func(o *runOptions) { o.now = now })
	s.expect(companies, "acme|2|12|3|350|USD|repeat|"+never, "beta|0|0|0|0||stranger|"+asked)
	s.run(func(o *runOptions) { o.now, o.advanceTo = now, later(200) })
	s.expect(companies, "acme|2|12|3|350|USD|customer|"+never, "beta|0|0|0|0||stranger|"+asked) // who are silent count as the customers that they were
	s.expect("SELECT toString(min(first_seen)), toString(max(last_seen)) FROM accounts FINAL WHERE id = 'acme'", "2026-09-01 12:00:00.000|2026-09-01 13:16:00.000")
	s.lateSessions()
	s.journeyByTime()

	for _, records := range []int{1, 500} {
		other := s.beside()
		other.settings.Kafka.RecordsMax = records
		other.run(func(o *runOptions) { o.now, o.advanceTo = now, later(200) })
		s.same(other, fmt.Sprintf("batches of %d records", records))
		other.exact()
	}
	for _, table := range []string{"accounts", "models", "journey_changes", "session_aliases", "catalog", "stock", "consents", "survey_answers", "profiles"} {
		if s.one("SELECT count() FROM "+table+" FINAL") == "0" {
			t.Errorf("%s is empty, so that its comparison says nothing", table)
		}
	}
	// A silence that goes on ends in the last stage.
	s.run(func(o *runOptions) { o.now, o.advanceTo = now, later(400) })
	s.expect("SELECT stage, stage_reason, toString(stage_since) FROM profiles FINAL WHERE profile_id = (SELECT profile_id FROM events FINAL WHERE event_id = 'j1')",
		"lapsed|bought nothing for very long|2027-09-01 15:20:00.000")
}

// lateSessions checks the browser whose events came late: what its rows of events say, what became of that, and its timeline.
func (s *stand) lateSessions() {
	s.t.Helper()
	s.expect("SELECT uniqExact(session_id) FROM events FINAL WHERE event_id LIKE 's_'", "3")
	session := func(event string) string {
		return s.one("SELECT session_id FROM events FINAL WHERE event_id = ?", event)
	}
	first, second, last := session("s1"), session("s2"), session("s4")
	if session("s3") != first || session("s5") != last {
		s.t.Errorf("sessions of s3 and s5: %s, %s; want %s, %s", session("s3"), session("s5"), first, last)
	}
	want := []string{first + "|" + last, second + "|" + last}
	slices.Sort(want)
	got := s.query("SELECT session_id, became FROM session_aliases FINAL WHERE session_id IN (SELECT session_id FROM events FINAL WHERE event_id LIKE 's_')")
	slices.Sort(got)
	if !slices.Equal(got, want) {
		s.t.Errorf("session aliases: got %v, want %v", got, want)
	}
	const person = "(SELECT profile_id FROM events FINAL WHERE event_id = 's1')"
	s.expect("SELECT groupArray(event_id), uniqExact(session_id), any(toString(session_id)) FROM (SELECT * FROM customer_timeline WHERE profile_id = "+person+" ORDER BY time)",
		"s4 s1 s3 s2 s5|1|"+last)
	s.expect("SELECT sessions, toString(last_session_id), toString(last_session_start) FROM profiles FINAL WHERE profile_id = "+person, "1|"+last+"|2026-09-01 13:20:00.000")
}

// journeyByTime checks the steps of somebody who came, bought, and was not seen again.
func (s *stand) journeyByTime() {
	s.t.Helper()
	s.expect("SELECT toString(time), from_stage, to_stage, reason FROM journey_changes FINAL WHERE profile_id = (SELECT profile_id FROM events FINAL WHERE event_id = 'j1') ORDER BY time",
		"2026-09-01 14:40:00.000||visitor|came to the site or app", "2026-09-01 15:20:00.000|visitor|customer|bought once",
		"2027-02-28 15:20:00.000|customer|at_risk|bought nothing for long")
}
