package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	consumer "github.com/seamline/seamline/consumers/kafka"
	"github.com/seamline/seamline/schemas"
	"github.com/seamline/seamline/sinks/clickhouse"
	producer "github.com/seamline/seamline/sinks/kafka"
)

// streetTraffic is some story-less traffic with everything in it that order matters for: people who share devices, log in, merge, buy, return,
// send late and send twice.
func streetTraffic(rnd *rand.Rand, people, events int) []producer.Message {
	var out []producer.Message
	at := start
	for i := range events {
		at = at.Add(time.Duration(rnd.IntN(20_000)) * time.Millisecond)
		p, when := rnd.IntN(people), at.Add(-time.Duration(rnd.IntN(4)*rnd.IntN(3600))*time.Second)
		stamp := when.Format(time.RFC3339Nano)
		id := fmt.Sprint("m", i)
		if rnd.IntN(20) == 0 && i > 0 {
			id = fmt.Sprint("m", rnd.IntN(i)) // sent again
		}
		device := fmt.Sprint("d", (p+rnd.IntN(2)*rnd.IntN(3))%people)
		user := ""
		if rnd.IntN(4) == 0 {
			user = fmt.Sprintf(`"userId":"u%d",`, p)
		}
		switch rnd.IntN(10) {
		case 0:
			if rnd.IntN(3) == 0 {
				out = append(out, operatorCommand(rnd, at, fmt.Sprint("c", i), people))
				continue
			}
			fallthrough
		case 1, 2, 3:
			out = append(out, message(schemas.FeedClickstream, at, fmt.Sprintf(`{"type":"page","messageId":"%s","anonymousId":"%s",%s"timestamp":"%s","properties":{"path":"/%d"}}`, id, device, user, stamp, i%9)))
		case 4, 5:
			out = append(out, message(schemas.FeedClickstream, at, fmt.Sprintf(`{"type":"track","event":"Product Added","messageId":"%s","anonymousId":"%s",%s"timestamp":"%s","properties":{"sku":"S%d","price":%d,"quantity":1}}`, id, device, user, stamp, i%7, 1+i%5)))
		case 6:
			out = append(out, message(schemas.FeedClickstream, at, fmt.Sprintf(`{"type":"identify","messageId":"%s","anonymousId":"%s","userId":"u%d","timestamp":"%s","traits":{"email":"customer-%d@example.com"}}`, id, device, p, stamp, p)))
		case 7:
			out = append(out, message(schemas.FeedEmail, at, fmt.Sprintf(`[{"email":"customer-%d@example.com","event":"%s","sg_event_id":"%s","sg_message_id":"g%d","timestamp":%d}]`, p, []string{"open", "click", "delivered"}[i%3], id, i, when.Unix())))
		case 8:
			kind, original := "sale", ""
			if rnd.IntN(4) == 0 {
				kind, original = "refund", fmt.Sprintf(`"original_receipt_id":"R%d",`, rnd.IntN(i+1))
			}
			out = append(out, message(schemas.FeedPOS, at, fmt.Sprintf(`{"receipt_id":"R%d","store_id":"S1","time":"%s","type":"%s",%s"currency":"EUR","customer":{"loyalty_id":"l%d","email":"customer-%d@example.com"},"lines":[{"line_id":"1","sku":"S%d","quantity":1,"unit_price":"%d.50","total":"%d.50"}],"total":"%d.50"}`, i, stamp, kind, original, p, p, i%7, 3+i%9, 3+i%9, 3+i%9)))
		case 9:
			out = append(out, message(schemas.FeedClickstream, at, []string{`{"type":"track"`, `{"type":"page","messageId":"x"}`, `nonsense`}[i%3]))
		}
	}
	return out
}

// operatorCommand is a command of an operator about some of the street's people.
func operatorCommand(rnd *rand.Rand, at time.Time, id string, people int) producer.Message {
	p := rnd.IntN(people)
	names := []string{fmt.Sprintf(`{"namespace":"anonymous_id","value":"d%d"}`, p), fmt.Sprintf(`{"namespace":"user_id","value":"u%d"}`, p),
		fmt.Sprintf(`{"namespace":"email","value":"customer-%d@example.com"}`, p)}
	a := rnd.IntN(len(names))
	kind, b := "retract", fmt.Sprintf(`"b":%s,"forbid":%t,`, names[(a+1)%len(names)], rnd.IntN(4) == 0)
	switch rnd.IntN(6) {
	case 0:
		b = ""
	case 1:
		kind, b = "quarantine", ""
	case 2, 3:
		kind, b = "release", ""
	}
	return message(schemas.FeedIdentity, at, fmt.Sprintf(`{"id":"%s","kind":"%s","a":%s,%s"reason":"an operator's word"}`, id, kind, names[a], b))
}

// beside gives a stand over the same topics with a database and a state of its own.
func (s *stand) beside() *stand {
	s.t.Helper()
	other := newStand(s.t)
	database := other.settings.ClickHouse.Database
	state := other.settings.StateDir
	other.settings = s.settings
	other.settings.ClickHouse.Database, other.settings.StateDir = database, state
	return other
}

// same compares the tables of two stands, by everything but how and when rows were written.
func (s *stand) same(other *stand, what string) {
	s.t.Helper()
	differences, err := clickhouse.Compare(s.t.Context(), s.settings.ClickHouse, other.settings.ClickHouse)
	if err != nil {
		s.t.Fatal(err)
	}
	var text bytes.Buffer
	if err := printDifferences(&text, differences); err != nil {
		s.t.Errorf("%s: %v\n%s", what, err, text.String())
	}
	rows := uint64(0)
	for _, d := range differences {
		rows += d.Rows
	}
	if rows < 100 {
		s.t.Errorf("%s: only %d rows are equal: the comparison says nothing", what, rows)
	}
}

// exact checks what must hold without FINAL: every event once, positions without a gap.
func (s *stand) exact() {
	s.t.Helper()
	s.expect("SELECT count() - uniqExact(source, event_id), count() - uniqExact(kafka_topic, kafka_partition, kafka_offset, element) FROM events", "0|0")
	s.expect("SELECT count() - uniqExact(batch), max(batch) - min(batch) + 1 - count() FROM commits", "0|0")
	s.expect(`SELECT count() FROM (SELECT topic, partition, since, lagInFrame(upto, 1, since) OVER (PARTITION BY topic, partition ORDER BY batch) AS before
		FROM commits ARRAY JOIN topics AS topic, partitions AS partition, offsets_from AS since, offsets_to AS upto WHERE NOT rewind) WHERE since != before`, "0")
}

// TestEndToEndBatchesDoNotShow: two rebuilds with other batch sizes, one of them stopped and gone on with many times, are the same.
func TestEndToEndBatchesDoNotShow(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.create()
	rnd := seeded(t)
	messages := streetTraffic(rnd, 40, 1500)
	s.publish(messages...)
	now := schemas.TimeOf(start.Add(30 * 24 * time.Hour))
	fixed := func(o *runOptions) { o.now, o.advanceTo = now, schemas.TimeOf(start.Add(3*24*time.Hour)) }
	s.settings.Kafka.RecordsMax = 7 + rnd.IntN(20)
	s.run(fixed)
	s.exact()
	other := s.beside()
	other.settings.Kafka.RecordsMax = 100_000
	other.run(fixed)
	s.same(other, "all in one batch")
	other.exact()
}

// seeded gives a source of chance whose seed is printed and may be given in SEAMLINE_TEST_SEED.
func seeded(t *testing.T) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("SEAMLINE_TEST_SEED"); text != "" {
		if _, err := fmt.Sscan(text, &seed); err != nil {
			t.Fatalf("SEAMLINE_TEST_SEED: %v", err)
		}
	}
	t.Logf("SEAMLINE_TEST_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// TestEndToEndLiveEqualsRebuild: a live run with steady traffic, stopped and restarted on the way, is what a rebuild gives, and
// replay --compare says so; after a change to the tables it says what differs.
func TestEndToEndLiveEqualsRebuild(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.create()
	rnd := seeded(t)
	messages := streetTraffic(rnd, 30, 600)
	for len(messages) > 0 {
		n := min(len(messages), 50+rnd.IntN(100))
		s.publish(messages[:n]...)
		messages = messages[n:]
		s.settings.Kafka.RecordsMax = 5 + rnd.IntN(60)
		if rnd.IntN(3) == 0 {
			s.settings.StateDir = t.TempDir() // lost on the way
		}
		s.run(func(o *runOptions) {
			o.now = schemas.TimeOf(start.Add(30 * 24 * time.Hour))
		})
	}
	s.exact()
	var printed bytes.Buffer
	opt := &replayOptions{runOptions: runOptions{log: s.settings.logger(testWriter{t})}, out: &printed}
	if err := replayCompare(t.Context(), &s.settings, opt); err != nil {
		t.Errorf("replay --compare: %v\n%s", err, printed.String())
	}
	s.query("ALTER TABLE profiles UPDATE orders = orders + 1 WHERE orders > 0 SETTINGS mutations_sync = 2")
	if err := replayCompare(t.Context(), &s.settings, opt); !errors.Is(err, errDifferent) || !strings.Contains(printed.String(), "orders: ") {
		t.Errorf("replay --compare after a change: %v\n%s", err, printed.String())
	}
}

// TestEndToEndRestore: with the state directory gone, the state comes from its copy in ClickHouse and the topics' ends: records that
// the copy stands for may be gone from the topics.
func TestEndToEndRestore(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.create()
	messages := streetTraffic(seeded(t), 30, 900)
	fixed := func(o *runOptions) { o.now = schemas.TimeOf(start.Add(30 * 24 * time.Hour)) }
	s.settings.Kafka.RecordsMax = 40
	s.publish(messages[:400]...)
	s.run(fixed)
	s.publish(messages[400:600]...)
	s.run(fixed)
	s.forget() // what is processed is gone from the topics
	s.settings.StateDir = t.TempDir()
	s.publish(messages[600:]...)
	s.run(fixed)
	s.exact()

	whole := newStand(t)
	whole.create()
	whole.publish(messages...)
	whole.run(fixed)
	for _, table := range []string{"profiles", "identifiers", "identity_log", "audience_changes"} {
		count := "SELECT count() FROM " + table + " FINAL"
		if got, want := s.one(count), whole.one(count); got != want {
			t.Errorf("%s has %s rows, and %s in one go", table, got, want)
		}
	}
	sums := "SELECT sum(events), sum(orders), sum(revenue), sum(sessions) FROM profiles FINAL"
	if got, want := s.one(sums), whole.one(sums); got != want {
		t.Errorf("profiles sum up to %s, and to %s in one go", got, want)
	}
}

// forget deletes the records that were processed from the topics.
func (s *stand) forget() {
	s.t.Helper()
	ranges, err := clickhouse.FirstOffsets(s.t.Context(), s.settings.ClickHouse, s.settings.PipelineID)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := consumer.DeleteUpTo(s.t.Context(), s.settings.Kafka, ranges); err != nil {
		s.t.Fatal(err)
	}
}

// TestEndToEndFromStart: seamline replay --from-start rebuilds over the tables, and over nothing; a rebuild that would lose events is
// refused.
func TestEndToEndFromStart(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.create()
	s.publish(streetTraffic(seeded(t), 30, 500)...)
	now := schemas.TimeOf(start.Add(30 * 24 * time.Hour))
	fixed := func(o *runOptions) { o.now = now }
	s.settings.Kafka.RecordsMax = 30
	s.run(fixed)
	reference := s.beside()
	reference.run(fixed)
	s.decide(1000)
	// Rows that a rebuild does not give are gone after it.
	s.query("INSERT INTO identity_log (position, kind, _batch) VALUES (1000000, 'linked', 1)")
	replay := func() error {
		opt := &replayOptions{runOptions: runOptions{log: s.settings.logger(testWriter{t}), untilCaughtUp: true, rebuild: true, silent: true, now: now}}
		return replayFromStart(t.Context(), &s.settings, opt)
	}
	if err := replay(); err != nil {
		t.Fatal(err)
	}
	s.same(reference, "rebuilt over the tables")
	s.expect("SELECT count() - uniqExact(event_id, source) FROM events", "0")
	s.run(fixed) // and goes on from there
	s.same(reference, "after the rebuild")
	s.settings.StateDir = t.TempDir()
	if err := clickhouse.Drop(t.Context(), s.settings.ClickHouse); err != nil {
		t.Fatal(err)
	}
	if err := replay(); err != nil {
		t.Fatal(err)
	}
	s.same(reference, "rebuilt from nothing")
	// A state whose tables are gone is not run on.
	if err := clickhouse.Drop(t.Context(), s.settings.ClickHouse); err != nil {
		t.Fatal(err)
	}
	opt := runOptions{untilCaughtUp: true, log: s.settings.logger(testWriter{t})}
	if err := runPipeline(t.Context(), &s.settings, opt); !errors.Is(err, errLost) || !strings.Contains(err.Error(), "replay --from-start") {
		t.Errorf("a run without its tables: %v", err)
	}
	if err := replay(); err != nil {
		t.Fatal(err)
	}
	s.forget()
	if err := replay(); err == nil || !strings.Contains(err.Error(), "would lose them") {
		t.Errorf("a rebuild that would lose events: %v", err)
	}
}

// decide leaves an intent in the journal that nobody acted upon, as a crash does.
func (s *stand) decide(batch uint64) {
	s.t.Helper()
	log := s.settings.logger(testWriter{s.t})
	tables, err := clickhouse.Open(s.t.Context(), s.settings.ClickHouse, clickhouse.Options{PipelineID: s.settings.PipelineID, Log: log})
	if err != nil {
		s.t.Fatal(err)
	}
	defer tables.Close()
	installation, err := tables.Installation(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	j, err := consumer.OpenJournal(s.t.Context(), s.settings.Kafka, consumer.JournalOptions{Key: s.settings.PipelineID + "/" + installation, Instance: "other",
		After: batch - 1, Now: time.Now, Log: log, Waiting: func(string) {}, Lost: func(error) {}, Report: func(error) {}}, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, _, err := j.Next(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	if err := j.Write(s.t.Context(), &schemas.Intent{Format: schemas.IntentFormat, Batch: batch}); err != nil {
		s.t.Fatal(err)
	}
	if err := j.Close(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
}

// TestEndToEndRewind: reading a topic once more adds what was refused and is accepted now, and nothing else.
func TestEndToEndRewind(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.create()
	messages := streetTraffic(seeded(t), 20, 300)
	s.publish(messages...)
	odd := message(schemas.FeedClickstream, start.Add(time.Hour), `{"type":"page","messageId":"early","anonymousId":"d1","timestamp":"1991-01-01T00:00:00Z","properties":{"path":"/"}}`)
	s.publish(odd)
	fixed := func(o *runOptions) { o.now = schemas.TimeOf(start.Add(30 * 24 * time.Hour)) }
	s.settings.Kafka.RecordsMax, s.settings.Decode.Earliest = 25, "2000-01-01T00:00:00Z"
	s.run(fixed)
	before := s.one("SELECT count(), sum(revenue) FROM events")
	letters := s.one("SELECT count() FROM dead_letters FINAL")
	rewindNow := func() {
		opt := &replayOptions{runOptions: runOptions{log: s.settings.logger(testWriter{t}),
			rewind: &rewind{topic: s.settings.Kafka.Clickstream, at: start.Add(-time.Hour)}}}
		if err := replayTopic(t.Context(), &s.settings, opt); err != nil {
			t.Fatal(err)
		}
	}
	s.settings.Dedup.Window = time.Hour // forgotten long ago: the tables know
	rewindNow()
	if got := s.one("SELECT count(), sum(revenue) FROM events"); got != before {
		t.Errorf("after a rewind there are %s, before %s", got, before)
	}
	s.settings.Decode.Earliest = "1990-01-01T00:00:00Z" // the mended decoder
	rewindNow()
	rewindNow()
	s.expect("SELECT count() FROM events WHERE event_id = 'early'", "1")
	s.expect("SELECT count() - uniqExact(source, event_id) FROM events", "0")
	s.expect("SELECT sum(events) - (SELECT count() FROM events WHERE toUInt128(profile_id) != 0) FROM profiles FINAL", "0")
	if got := s.one("SELECT count() + 1 FROM dead_letters FINAL"); got != letters {
		t.Errorf("%s dead letters are left of %s, less the one that was accepted", got, letters)
	}
	s.run(fixed)
	s.expect("SELECT count() FROM events WHERE event_id = 'early'", "1")
}
