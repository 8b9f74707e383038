package main

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/seamline/seamline/schemas"
	producer "github.com/seamline/seamline/sinks/kafka"
)

// TestEndToEndUnmerge: after a link is retracted, people, scores, audiences, aliases and whose every event is are what they are in a run in
// which the link was forbidden before anything came of it, and an identifier's quarantine and release leave no trace.
func TestEndToEndUnmerge(t *testing.T) {
	t.Parallel()
	rnd := seeded(t)
	traffic := streetTraffic(rnd, 25, 700)
	// Strangers who are glued together by a mistake at the till, with a life of their own on both sides and before and after.
	mistake := start.Add(40 * time.Minute)
	var wrong []producer.Message
	for i, who := range []string{"left", "right"} {
		for n := range 6 {
			at := start.Add(time.Duration(n*20+i) * time.Minute)
			wrong = append(wrong,
				message(schemas.FeedClickstream, at, fmt.Sprintf(`{"type":"track","event":"Product Added","messageId":"%s-%d","anonymousId":"%s-device","timestamp":"%s","properties":{"sku":"S%d","price":3,"quantity":1}}`,
					who, n, who, at.Format(time.RFC3339), n)),
				message(schemas.FeedPOS, at.Add(time.Second), fmt.Sprintf(`{"receipt_id":"%s-R%d","store_id":"S1","time":"%s","type":"sale","currency":"EUR","customer":{"loyalty_id":"%s"},"lines":[{"line_id":"1","sku":"S1","quantity":1,"unit_price":"5.00","total":"5.00"}],"total":"5.00"}`,
					who, n, at.Format(time.RFC3339), who)))
		}
		at := start.Add(5 * time.Minute)
		wrong = append(wrong, message(schemas.FeedClickstream, at, fmt.Sprintf(`{"type":"identify","messageId":"%s-login","anonymousId":"%s-device","timestamp":"%s","traits":{"email":"%s@example.com","loyalty_id":"%s"}}`,
			who, who, at.Format(time.RFC3339), who, who)))
	}
	glue := message(schemas.FeedPOS, mistake, fmt.Sprintf(`{"receipt_id":"glue","store_id":"S1","time":"%s","type":"sale","currency":"EUR","customer":{"loyalty_id":"left","email":"right@example.com"},"lines":[{"line_id":"1","sku":"S2","quantity":1,"unit_price":"9.00","total":"9.00"}],"total":"9.00"}`,
		mistake.Format(time.RFC3339)))
	retract := func(at time.Time) producer.Message {
		return message(schemas.FeedIdentity, at, `{"id":"undo","kind":"retract","a":{"namespace":"loyalty_id","value":"LEFT"},"b":{"namespace":"email","value":"Right@example.com"},"forbid":true,"reason":"a slip at the till"}`)
	}
	end := start.Add(24 * time.Hour)
	// Scores are as of the last look: everybody who was concerned is looked at once more.
	for _, who := range []string{"left", "right"} {
		wrong = append(wrong, message(schemas.FeedClickstream, end.Add(30*time.Minute), fmt.Sprintf(`{"type":"page","messageId":"%s-last","anonymousId":"%s-device","timestamp":"%s"}`,
			who, who, end.Add(30*time.Minute).Format(time.RFC3339))))
	}
	run := func(size int, messages ...producer.Message) *stand {
		s := newStand(t)
		s.create()
		s.settings.Kafka.RecordsMax = size
		s.settings.Score.FitEvery = 0 // models are of the population at the time of the fit, which knew of no mistake
		slices.SortStableFunc(messages, func(a, b producer.Message) int { return a.Time.Compare(b.Time) })
		s.publish(messages...)
		s.run(func(o *runOptions) {
			o.now, o.advanceTo = schemas.TimeOf(start.Add(30*24*time.Hour)), schemas.TimeOf(end.Add(time.Hour))
		})
		return s
	}
	common := slices.Concat(traffic, wrong, []producer.Message{glue})
	never := run(1000, slices.Concat(common, []producer.Message{retract(mistake.Add(time.Millisecond))})...)
	glued := run(200, common...)
	person := "SELECT count(DISTINCT profile_id) FROM events_resolved WHERE event_id LIKE 'left%%' OR event_id LIKE 'right%%'"
	glued.expect(person, "1")

	late := run(40+rnd.IntN(60), slices.Concat(common, []producer.Message{retract(end)})...)
	late.expect(person, "2")
	late.likeWithout(never, "retracted at the end")
	if rows := late.one("SELECT count() FROM identity_log WHERE kind = 'retracted' AND event_id = 'undo' AND rule = 'command: a slip at the till'"); rows != "1" {
		t.Errorf("%s rows of the identity log name the command", rows)
	}
	if rows := late.one("SELECT count() FROM identity_log WHERE kind = 'split' AND event_id = 'undo'"); rows != "1" {
		t.Errorf("%s rows of the identity log tell of the split", rows)
	}

	quarantine := func(kind string, at time.Time) producer.Message {
		return message(schemas.FeedIdentity, at, fmt.Sprintf(`{"id":"%s","kind":"%s","a":{"namespace":"email","value":"right@example.com"},"reason":"a test"}`, kind, kind))
	}
	back := run(100, slices.Concat(common, []producer.Message{quarantine("quarantine", end), quarantine("release", end.Add(time.Second))})...)
	back.likeWithout(glued, "quarantined and released")
	back.expect("SELECT quarantined FROM identifiers FINAL WHERE display LIKE 'r***%'", "false")
	held := run(100, slices.Concat(common, []producer.Message{quarantine("quarantine", end)})...)
	held.expect(person, "2")
	held.expect("SELECT quarantined FROM identifiers FINAL WHERE display LIKE 'r***%'", "true")
}

// likeWithout compares what two stands know about people, however they came to know it.
func (s *stand) likeWithout(other *stand, what string) {
	s.t.Helper()
	for name, sql := range map[string]string{
		"whose the events are": "SELECT source, event_id, profile_id, session_id, revenue FROM events_resolved ORDER BY source, event_id",
		"whose the orders are": "SELECT order_id, line_id, profile_id, total FROM order_lines_current ORDER BY order_id, line_id",
		"profiles":             "SELECT * EXCEPT (version, stage_since) FROM profiles FINAL WHERE toUInt128(profile_id) != 0 ORDER BY profile_id",
		"audiences":            "SELECT audience, profile_id FROM audience_members FINAL WHERE member ORDER BY ALL",
		"identifiers":          "SELECT * EXCEPT (_batch) FROM identifiers FINAL ORDER BY identifier_id",
		// An identifier that was on its own while it was quarantined had a profile then, which is an alias after its release.
		"aliases": `SELECT alias_id, profile_id, since FROM profile_aliases FINAL
			WHERE alias_id != profile_id AND alias_id NOT IN (SELECT profile_id FROM identity_log WHERE event_id = 'quarantine' AND a_namespace = 'email') ORDER BY alias_id`,
	} {
		got, want := s.query(sql), other.query(sql)
		if len(want) == 0 || slices.Equal(got, want) {
			if len(want) == 0 {
				s.t.Errorf("%s: %s: nothing to compare", what, name)
			}
			continue
		}
		for i := range max(len(got), len(want)) {
			if i >= len(got) || i >= len(want) || got[i] != want[i] {
				s.t.Errorf("%s: %s differ: %d and %d rows; from row %d on\n%q\n%q", what, name, len(got), len(want), i, got[i:min(len(got), i+1)], want[i:min(len(want), i+1)])
				break
			}
		}
	}
}
