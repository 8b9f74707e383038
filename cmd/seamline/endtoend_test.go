package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seamline/seamline/deploy/local/localtest"
	"github.com/seamline/seamline/schemas"
	"github.com/seamline/seamline/sinks/clickhouse"
	producer "github.com/seamline/seamline/sinks/kafka"
)

// stand is one Seamline with topics and a database of its own, on a real ClickHouse and the broker that the environment names.
type stand struct {
	t        *testing.T
	settings settings
	registry *prometheus.Registry // of the last run
}

var stands atomic.Int64

func newStand(t *testing.T) *stand {
	t.Helper()
	s := &stand{t: t, settings: defaultSettings()}
	prefix := fmt.Sprintf("e2e%d-%d-", os.Getpid(), stands.Add(1))
	k := &s.settings.Kafka
	k.Brokers, k.CreateTopics, k.Wait = localtest.Broker(t), true, 100*time.Millisecond
	for _, topic := range []*string{&k.Clickstream, &k.Email, &k.POS, &k.Catalog, &k.Consent, &k.Survey, &k.Identity, &k.Activations, &k.Audiences, &k.DeadLetters} {
		*topic = prefix + *topic
	}
	c := &s.settings.ClickHouse
	c.Addr, c.Database = localtest.Server(t), strings.ReplaceAll(prefix, "-", "_")+"db"
	t.Cleanup(func() {
		server := *c
		server.Database = "default"
		if _, _, err := clickhouse.Query(context.Background(), server, "DROP DATABASE IF EXISTS "+c.Database+" SYNC"); err != nil {
			t.Errorf("drop the database: %v", err)
		}
	})
	s.settings.StateDir = t.TempDir()
	s.settings.HTTPAddr = ""
	s.settings.Identity.Key = "test"
	s.settings.LogLevel = "warn"
	return s
}

// publish sends messages and waits for their acknowledgement. Topic is the feed's name.
func (s *stand) publish(messages ...producer.Message) {
	s.t.Helper()
	p, err := openPublisher(&s.settings.Kafka)
	if err != nil {
		s.t.Fatal(err)
	}
	defer p.Close()
	for _, m := range messages {
		m.Topic = s.settings.Kafka.Topic(schemas.Feed(m.Topic))
		if err := p.Publish(s.t.Context(), m); err != nil {
			s.t.Fatal(err)
		}
	}
	if err := p.Flush(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
}

// create makes the topics, so that tests may publish before the first run.
func (s *stand) create() {
	s.t.Helper()
	if err := ensureTopics(s.t.Context(), &s.settings, func(error) {}, slog.New(slog.DiscardHandler)); err != nil {
		s.t.Fatal(err)
	}
}

// run processes everything that is in the topics.
func (s *stand) run(change func(*runOptions)) {
	s.t.Helper()
	s.registry = newRegistry()
	opt := runOptions{untilCaughtUp: true, registry: s.registry, log: s.settings.logger(testWriter{s.t})}
	if change != nil {
		change(&opt)
	}
	if err := s.settings.validate(); err != nil {
		s.t.Fatal(err)
	}
	if err := runPipeline(s.t.Context(), &s.settings, opt); err != nil {
		s.t.Fatal(err)
	}
}

// query gives rows as text, cells joined by a bar.
func (s *stand) query(sql string, args ...any) []string {
	s.t.Helper()
	_, rows, err := clickhouse.Query(s.t.Context(), s.settings.ClickHouse, sql, args...)
	if err != nil {
		s.t.Fatalf("%s: %v", sql, err)
	}
	out := make([]string, 0, len(rows))
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, v := range row {
			cells[i] = cell(v)
		}
		out = append(out, strings.Join(cells, "|"))
	}
	return out
}

// one gives the only cell of a query.
func (s *stand) one(sql string, args ...any) string {
	s.t.Helper()
	rows := s.query(sql, args...)
	if len(rows) != 1 {
		s.t.Fatalf("%s: got %d rows, want 1", sql, len(rows))
	}
	return rows[0]
}

// expect compares a query's rows.
func (s *stand) expect(sql string, want ...string) {
	s.t.Helper()
	if got := s.query(sql); strings.Join(got, "\n") != strings.Join(want, "\n") {
		s.t.Errorf("%s\n got %q\nwant %q", sql, got, want)
	}
}

// hash is how a normalised value stands in identifiers under the stand's key, written independently of the stitch room.
func hash(value string) string {
	mac := hmac.New(sha256.New, []byte("test"))
	mac.Write([]byte(value))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// testWriter sends log lines to the test.
type testWriter struct{ t *testing.T }

func (w testWriter) Write(b []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(b)))
	return len(b), nil
}

// message is a record of a feed with a time.
func message(feed schemas.Feed, at time.Time, value string) producer.Message {
	return producer.Message{Topic: string(feed), Value: []byte(value), Time: at}
}

var start = time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)

// TestEndToEndStory follows one person over four channels, by SQL only.
func TestEndToEndStory(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.create()
	at := func(minutes int) string { return start.Add(time.Duration(minutes) * time.Minute).Format(time.RFC3339) }
	when := func(minutes int) time.Time { return start.Add(time.Duration(minutes) * time.Minute) }
	s.publish(
		message(schemas.FeedClickstream, when(0), `{"type":"page","messageId":"m1","anonymousId":"anon-1","timestamp":"`+at(0)+`","properties":{"url":"https://shop.example.com/shoes?x=1","path":"/shoes"}}`),
		message(schemas.FeedClickstream, when(1), `{"type":"track","event":"Product Added","messageId":"m2","anonymousId":"anon-1","timestamp":"`+at(1)+`","properties":{"sku":"SHOE-1","price":50,"quantity":2,"currency":"USD"}}`),
		message(schemas.FeedClickstream, when(2), `{"type":"identify","messageId":"m3","anonymousId":"anon-1","userId":"user-1","timestamp":"`+at(2)+`","traits":{"email":"Customer-17@Example.com","phone":"(650) 555-1212"}}`),
		message(schemas.FeedClickstream, when(3), `{"type":"identify","messageId":"m3","anonymousId":"anon-1","userId":"user-1","timestamp":"`+at(2)+`","traits":{"email":"Customer-17@Example.com"}}`),
		message(schemas.FeedEmail, when(10), `[{"email":"customer-17@example.com","event":"open","sg_event_id":"e1","sg_message_id":"msg.filter","timestamp":`+fmt.Sprint(when(10).Unix())+`,"sg_machine_open":true}]`),
		message(schemas.FeedPOS, when(300), `{"receipt_id":"R-1","store_id":"S-1","time":"`+at(300)+`","type":"sale","currency":"USD","customer":{"phone":"+16505551212"},"lines":[{"line_id":"1","sku":"SHOE-1","quantity":1,"unit_price":"49.90","total":"49.90"}],"total":"49.90"}`),
		message(schemas.FeedPOS, when(400), `{"receipt_id":"R-2","store_id":"S-1","time":"`+at(400)+`","type":"refund","original_receipt_id":"R-1","currency":"USD","customer":{"phone":"+16505551212"},"lines":[{"line_id":"1","sku":"SHOE-1","quantity":1,"unit_price":"9.90","total":"9.90"}],"total":"9.90"}`),
		message(schemas.FeedPOS, when(401), `{"receipt_id":"R-3","store_id":"S-1","time":"`+at(401)+`","type":"sale","training":true,"total":"1.00","lines":[]}`),
		message(schemas.FeedClickstream, when(402), `{"type":"track"`),
		message(schemas.FeedClickstream, when(403), `{"type":"track","event":"X","messageId":"m9","timestamp":"`+at(403)+`","properties":{}}`),
		message(schemas.FeedClickstream, when(404), `{"type":"track","event":"Card","messageId":"m10","anonymousId":"anon-1","timestamp":"`+at(404)+`","properties":{"note":"4111111111111111"}}`),
	)
	s.run(func(o *runOptions) { o.now = schemas.TimeOf(when(500)) })

	s.expect("SELECT count(), uniqExact(profile_id) FROM events", "6|1")
	s.expect("SELECT type, channel, toString(revenue) FROM events ORDER BY event_time, type",
		"page_view|web|0", "cart_add|web|0", "identify|web|0", "message_open|email|0", "order|store|49.9", "refund|store|-9.9")
	s.expect("SELECT page_path, page_url FROM events WHERE type = 'page_view'", "/shoes|https://shop.example.com/shoes?x=1")
	s.expect("SELECT machine FROM events WHERE type = 'message_open'", "true")
	s.expect("SELECT orders, toString(revenue), currency, refunds, user_ids, emails, phones, anonymous_ids, toString(cart_quantity) FROM profiles FINAL",
		"1|40|USD|1|1|1|1|1|0")
	s.expect("SELECT stage, channels, toString(revenue) FROM customers", "customer|email store web|40")
	s.expect("SELECT audience FROM audience_members FINAL WHERE member ORDER BY audience", "recent_buyers", "store_only_customers")
	s.expect("SELECT reason, topic LIKE '%clickstream', position(value, '4111111111111111') FROM dead_letters FINAL ORDER BY reason",
		"card_number|1|0", "malformed|1|0", "missing_identifier|1|0")
	s.expect("SELECT line_id LIKE '%1', toString(quantity), toString(total) FROM order_lines FINAL ORDER BY total DESC", "1|1|49.9", "1|-1|-9.9")
	s.expect("SELECT display FROM identifiers FINAL WHERE namespace IN ('email', 'phone', 'anonymous_id') ORDER BY namespace",
		"anon-1", "c***@example.com", "+16***12")
	s.expect("SELECT hex(value_hash) = upper('"+hash("customer-17@example.com")+"') FROM identifiers FINAL WHERE namespace = 'email'", "1")
	s.expect("SELECT count() > 0, max(position) = count() FROM identity_log FINAL", "1|1")
	s.expect("SELECT sum(events), sum(rejects) FROM commits FINAL", "6|3")
}

// TestEndToEndRestart: stopping and going on, with other batch sizes, repeats and loses nothing.
func TestEndToEndRestart(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.create()
	page := func(i int) producer.Message {
		when := start.Add(time.Duration(i) * time.Second)
		return message(schemas.FeedClickstream, when, fmt.Sprintf(`{"type":"page","messageId":"m%d","anonymousId":"a%d","timestamp":"%s","properties":{"path":"/%d"}}`, i, i%7, when.Format(time.RFC3339), i))
	}
	for round := range 3 {
		var messages []producer.Message
		for i := range 50 {
			messages = append(messages, page(round*40+i)) // ten of each round are repeats of the round before
		}
		s.publish(messages...)
		s.settings.Kafka.RecordsMax = 7 + round
		s.run(nil)
	}
	s.expect("SELECT count(), uniqExact(event_id), uniqExact(profile_id) FROM events", "130|130|7")
	s.expect("SELECT count(), sum(events) FROM profiles FINAL", "7|130")
	s.expect("SELECT sum(events), sum(duplicates) FROM commits FINAL", "130|20")
}

// TestEndToEndNewState: with the state directory gone, it is restored from ClickHouse, and nothing is written twice.
func TestEndToEndNewState(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.create()
	var messages []producer.Message
	for i := range 60 {
		when := start.Add(time.Duration(i) * time.Minute)
		messages = append(messages, message(schemas.FeedClickstream, when, fmt.Sprintf(`{"type":"track","event":"Product Added","messageId":"m%d","anonymousId":"a%d","userId":"u%d","timestamp":"%s","properties":{"sku":"S%d","price":1,"quantity":1}}`,
			i, i%10, i%5, when.Format(time.RFC3339), i)))
	}
	s.publish(messages...)
	fixed := func(o *runOptions) { o.now = schemas.TimeOf(start.Add(24 * time.Hour)) }
	ask := func() []string {
		rows := s.query(`SELECT 'e', toString(count()), toString(sum(cityHash64(event_id, profile_id, session_id))) FROM events FINAL
			UNION ALL SELECT 'p', toString(count()), toString(sum(cityHash64(profile_id, events, state, stage))) FROM profiles FINAL
			UNION ALL SELECT 'i', toString(count()), toString(sum(cityHash64(identifier_id, value_hash, profile_id, last_seen))) FROM identifiers FINAL
			UNION ALL SELECT 'l', toString(count()), toString(sum(cityHash64(position, kind, a_id, b_id, profile_id))) FROM identity_log FINAL
			UNION ALL SELECT 'a', toString(count()), toString(sum(cityHash64(audience, sequence, profile_id, time))) FROM audience_changes FINAL`)
		slices.Sort(rows)
		return rows
	}
	s.settings.Kafka.RecordsMax = 7
	s.run(fixed)
	want := ask()
	s.settings.StateDir, s.settings.Kafka.RecordsMax = t.TempDir(), 1000
	s.run(fixed)
	if got := ask(); strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("got %q, want %q", got, want)
	}
	s.expect("SELECT max(batch) = 9, count() = uniqExact(batch), count() FROM commits", "1|1|9")
	s.expect("SELECT count() = uniqExact(event_id) FROM events", "1")
}

// TestEndToEndMerge: after two profiles met, old rows resolve to the surviving one at once.
func TestEndToEndMerge(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.create()
	track := func(n int, ids string) producer.Message {
		when := start.Add(time.Duration(n) * time.Minute)
		return message(schemas.FeedClickstream, when, fmt.Sprintf(`{"type":"track","event":"Store Locator Used","messageId":"m%d",%s,"timestamp":"%s"}`, n, ids, when.Format(time.RFC3339)))
	}
	s.publish(track(1, `"anonymousId":"phone"`), track(2, `"anonymousId":"laptop"`))
	s.run(nil)
	s.expect("SELECT uniqExact(profile_id) FROM events_resolved", "2")
	s.publish(track(3, `"anonymousId":"phone","userId":"u"`), track(4, `"anonymousId":"laptop","userId":"u"`))
	s.run(nil)
	s.expect("SELECT uniqExact(profile_id), count() FROM events_resolved", "1|4")
	s.expect("SELECT count() FROM customers", "1")
	s.expect("SELECT kind, count() FROM identity_log FINAL GROUP BY kind ORDER BY kind", "linked|1", "merged|1")
	s.expect("SELECT (SELECT profile_id FROM profile_aliases FINAL) = (SELECT profile_id FROM customers)", "1")
	s.expect("SELECT name FROM (SELECT simpleJSONExtractString(properties, 'event') AS name FROM events) GROUP BY name", "Store Locator Used")
}

// TestEndToEndTimePasses: with a fixed clock, windows end by --advance-to, without any event.
func TestEndToEndTimePasses(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.create()
	s.publish(message(schemas.FeedClickstream, start, `{"type":"track","event":"Product Added","messageId":"m1","anonymousId":"a","timestamp":"`+start.Format(time.RFC3339)+`","properties":{"sku":"A","price":5,"quantity":1}}`))
	advance := func(d time.Duration) {
		s.run(func(o *runOptions) {
			o.now, o.advanceTo = schemas.TimeOf(start), schemas.TimeOf(start.Add(d))
		})
	}
	advance(30 * time.Minute)
	s.expect("SELECT count() FROM audience_changes FINAL", "0")
	advance(2 * time.Hour)
	s.expect("SELECT audience, change, time, reason FROM audience_changes FINAL", "cart_abandoners|enter|2026-09-01 13:00:00|time passed")
	advance(31 * 24 * time.Hour)
	s.expect("SELECT change, time, sequence FROM audience_changes FINAL ORDER BY sequence", "enter|2026-09-01 13:00:00|1", "exit|2026-10-01 12:00:00|2")
	s.expect("SELECT member, until FROM audience_members FINAL", "false|2026-10-01 12:00:00")
}

// shared gives a file of the data sets beside the repository, or skips.
func dataSet(t *testing.T, path string) string {
	t.Helper()
	root := os.Getenv("SEAMLINE_DATA")
	if root == "" {
		root = "../../../shared/data"
	}
	file := filepath.Join(root, path)
	if _, err := os.Stat(file); err != nil {
		t.Skipf("the data set %s is not here: SEAMLINE_DATA names the folder that holds it", path)
	}
	return file
}
