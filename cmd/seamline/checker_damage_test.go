package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seamline/seamline/schemas"
)

// crowdNow is the fixed clock of runs over crowd's traffic: late enough for no event to lie in its future.
var crowdNow = start.Add(30 * 24 * time.Hour)

// newCrowdStand gives a stand with the audiences that the checker knows, small batches and few partitions.
func newCrowdStand(t *testing.T) *stand {
	t.Helper()
	s := newStand(t)
	s.settings.Audiences.Rules = filepath.Join(t.TempDir(), "audiences.yaml")
	if err := os.WriteFile(s.settings.Audiences.Rules, []byte(crowdAudiences), 0o600); err != nil {
		t.Fatal(err)
	}
	s.settings.Kafka.Partitions, s.settings.Kafka.RecordsMax, s.settings.Kafka.TakeoverAfter = 3, 25, time.Second
	s.create()
	return s
}

func crowdClock(o *runOptions) { o.now = schemas.TimeOf(crowdNow) }

// TestCheckerFindsDamage: the checker is content with a right result, and with none that was damaged in one place.
func TestCheckerFindsDamage(t *testing.T) {
	t.Parallel()
	s := newCrowdStand(t)
	s.publish(newCrowd(seeded(t), 12).messages(400)...)
	s.run(crowdClock)
	c := &checker{settings: &s.settings}
	c.expectRight(t, "after a calm run")
	c.isFinal = true
	c.expectRight(t, "after a calm run, with FINAL")
	c.isFinal = false
	for _, d := range []damage{
		{"a lost event", "events", "DELETE WHERE kafka_offset = (SELECT max(kafka_offset) FROM events)", "events: "},
		{"an event of another kind", "events", "UPDATE type = 'search' WHERE type = 'page_view'", "was sent as"},
		{"another amount", "events", "UPDATE revenue = revenue + 1 WHERE type = 'order'", "was sent as"},
		{"another person", "events", "UPDATE profile_id = (SELECT max(profile_id) FROM profiles FINAL) WHERE 1", "belongs to"},
		{"no person", "events", "UPDATE profile_id = toUUID('00000000-0000-0000-0000-000000000000') WHERE 1", "events with a person"},
		{"a doubled event", "events", "", "is there 2 times"},
		{"a doubled dead letter", "dead_letters", "", "is there 2 times"},
		{"a lost dead letter", "dead_letters", "DELETE WHERE offset = (SELECT min(offset) FROM dead_letters)", "is there 0 times"},
		{"other bytes", "dead_letters", "UPDATE value = concat(value, ' ') WHERE 1", "has the bytes"},
		{"a lost line", "order_lines", "DELETE WHERE order_id = (SELECT min(order_id) FROM order_lines)", "order_lines: "},
		{"a wrong line", "order_lines", "UPDATE total = total + 1 WHERE order_id = (SELECT min(order_id) FROM order_lines)", "order_lines: "},
		{"a wrong count", "profiles", "UPDATE events = events + 1 WHERE profile_id = (SELECT max(profile_id) FROM profiles FINAL)", "profiles: events of"},
		{"a wrong sum", "profiles", "UPDATE revenue = revenue + 1 WHERE orders > 0", "profiles: revenue of"},
		{"a wrong time", "profiles", "UPDATE last_seen = last_seen + 1 WHERE 1", "profiles: last_seen of"},
		{"a lost profile", "profiles", "DELETE WHERE profile_id = (SELECT max(profile_id) FROM profiles FINAL)", "profiles: "},
		{"a lost name", "identifiers", "DELETE WHERE namespace = 'loyalty_id'", "is not in identifiers"},
		{"a stranger's name", "identifiers", "UPDATE profile_id = (SELECT max(profile_id) FROM profiles FINAL) WHERE namespace = 'email'", "identity: "},
		{"a lost hash", "contacts", "DELETE WHERE identifier_id = (SELECT min(identifier_id) FROM contacts)", "is not in contacts"},
		{"a stranger's hash", "contacts", "UPDATE plain = uid2, google = toFixedString('', 32) WHERE 1", "is there as"},
		{"a lost merge", "profile_aliases", "DELETE WHERE alias_id = (SELECT max(alias_id) FROM profile_aliases)", "differ from profile_aliases"},
		{"a gap in the log", "identity_log", "DELETE WHERE position = 3", "identity_log: "},
		{"a doubled decision", "identity_log", "", "identity_log: "},
		{"a member too many", "audience_members", "UPDATE member = true WHERE NOT member", "does not meet the definition"},
		{"a member too few", "audience_members", "UPDATE member = false WHERE audience = 'repeat_buyers' AND member", "is no member"},
		{"a skipped change", "audience_changes", "DELETE WHERE audience = 'repeat_buyers' AND sequence = 2", "number 2 is due"},
		{"a change turned round", "audience_changes", "UPDATE change = 'exit' WHERE audience = 'big_spenders' AND sequence = 1", "after \"\""},
		{"a lost change", "audience_changes", "DELETE WHERE audience = 'repeat_buyers' AND sequence = (SELECT max(sequence) FROM audience_changes WHERE audience = 'repeat_buyers')", "the audience topic"},
		{"a lost batch", "commits", "DELETE WHERE batch = 3", "commits: "},
		{"a doubled batch", "commits", "", "commits: "},
		{"a gap in the offsets", "commits", "UPDATE offsets_from = arrayMap(x -> x + 1, offsets_from) WHERE batch = 4", "is due"},
		{"another sum of a batch", "commits", "UPDATE duplicates = duplicates + 1 WHERE batch = 2", "totals: commits"},
		{"the end not reached", "commits", "UPDATE offsets_to = arrayMap(x -> x - 1, offsets_to) WHERE batch > 4", "commits: "},
	} {
		d.expectFound(s, c)
	}
	c.expectRight(t, "after every damage was mended")
	s.losesRecords(c)
}

// damage changes one table: by a mutation, or with none by writing a row a second time.
type damage struct{ name, table, mutation, finding string }

// expectFound does the damage, sees that the checker names it, and mends it.
func (d damage) expectFound(s *stand, c *checker) {
	s.t.Helper()
	s.query("CREATE TABLE mended AS " + d.table)
	s.query("INSERT INTO mended SELECT * FROM " + d.table)
	if d.mutation == "" {
		s.query("SYSTEM STOP MERGES " + d.table)
		s.query("INSERT INTO " + d.table + " SELECT * FROM " + d.table + " LIMIT 1 SETTINGS insert_deduplicate = 0")
	} else {
		s.query("ALTER TABLE " + d.table + " " + d.mutation + " SETTINGS mutations_sync = 2, allow_nondeterministic_mutations = 1")
	}
	wrong, err := c.check(s.t.Context())
	if err != nil {
		s.t.Fatalf("%s: %v", d.name, err)
	}
	if !strings.Contains(strings.Join(wrong, "\n"), d.finding) {
		s.t.Errorf("%s: the checker finds %q, which does not name %q", d.name, wrong, d.finding)
	}
	s.query("EXCHANGE TABLES mended AND " + d.table)
	s.query("DROP TABLE mended SYNC")
}

// losesRecords sees that the checker misses what the topics should have.
func (s *stand) losesRecords(c *checker) {
	s.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(s.settings.Kafka.Brokers))
	if err != nil {
		s.t.Fatal(err)
	}
	defer client.Close()
	f := func(topic, finding string, send func(r *kgo.Record)) {
		s.t.Helper()
		r := &kgo.Record{Topic: topic, Value: []byte(`{"type":"page","messageId":"late","anonymousId":"a0-0","timestamp":"2026-09-01T12:00:00Z"}`), Timestamp: start}
		if send != nil {
			send(r)
		}
		if err := client.ProduceSync(s.t.Context(), r).FirstErr(); err != nil {
			s.t.Fatal(err)
		}
		wrong, err := c.check(s.t.Context())
		if err != nil || !strings.Contains(strings.Join(wrong, "\n"), finding) {
			s.t.Errorf("a record more in topic %s: the checker finds %q, which does not name %q: %v", topic, wrong, finding, err)
		}
	}
	f(s.settings.Kafka.DeadLetters, "the dead-letter topic: ", nil)
	f(s.settings.Kafka.Audiences, "the audience topic: ", nil)
	other := *c
	settings := *c.settings
	other.settings = &settings
	settings.Kafka.DeadLetters, settings.Kafka.Audiences = settings.Kafka.Activations, settings.Kafka.Activations
	wrong, err := other.check(s.t.Context())
	if text := strings.Join(wrong, "\n"); err != nil || !strings.Contains(text, "the dead-letter topic: ") || !strings.Contains(text, "is not there") {
		s.t.Errorf("empty topics: the checker finds %q: %v", wrong, err)
	}
	f(s.settings.Kafka.Clickstream, "is there 0 times", nil)
}
