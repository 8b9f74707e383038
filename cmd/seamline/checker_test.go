package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seamline/seamline/schemas"
	"github.com/seamline/seamline/sinks/clickhouse"
)

// checker knows nothing of the implementation. It reads the topics and the tables, recomputes everything from the records, and names
// what is wrong. The traffic must be that of crowd.
type checker struct {
	settings *settings
	isFinal  bool      // rows may stand twice until they are merged, as after a power loss
	clock    time.Time // at which audiences with a window are evaluated; zero for the latest event

	ctx    context.Context
	oracle *oracle
	wrong  []string
}

// wrongMax bounds what is told: one fault often shows in many rows.
const wrongMax = 40

// checkWaitMax bounds one check.
const checkWaitMax = time.Minute

// check gives what is wrong, nothing if all is right.
func (c *checker) check(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, checkWaitMax)
	defer cancel()
	c.ctx, c.wrong = ctx, nil
	records, err := c.read(schemas.FeedClickstream, schemas.FeedEmail, schemas.FeedPOS)
	if err != nil {
		return nil, err
	}
	c.oracle = recompute(records)
	for _, step := range []func() error{c.events, c.fates, c.totals, c.lines, c.deadLetters, c.deadLetterTopic, c.identity, c.contacts, c.profiles,
		c.audiences, c.changes, c.audienceTopic, c.positions, c.commits} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return c.wrong, nil
}

// expectRight fails a test at which something is wrong.
func (c *checker) expectRight(t *testing.T, when string) {
	t.Helper()
	var wrong []string
	patiently(t, func() (err error) {
		wrong, err = c.check(t.Context())
		return err
	})
	if len(wrong) > 0 {
		t.Fatalf("%s, the checker finds:\n%s", when, strings.Join(wrong, "\n"))
	}
}

func (c *checker) say(format string, args ...any) {
	if len(c.wrong) < wrongMax {
		c.wrong = append(c.wrong, fmt.Sprintf(format, args...))
	}
}

// read gives all committed records of feeds.
func (c *checker) read(feeds ...schemas.Feed) ([]rawRecord, error) {
	var all []rawRecord
	for _, feed := range feeds {
		records, err := c.readTopic(c.settings.Kafka.Topic(feed))
		if err != nil {
			return nil, err
		}
		for i := range records {
			records[i].feed = string(feed)
		}
		all = append(all, records...)
	}
	return all, nil
}

// readTopic gives all committed records of a topic.
func (c *checker) readTopic(topic string) ([]rawRecord, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(c.settings.Kafka.Brokers, ",")...), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.FetchMaxWait(100*time.Millisecond), kgo.KeepControlRecords())
	if err != nil {
		return nil, err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	starts, err := admin.ListStartOffsets(c.ctx, topic)
	if err != nil {
		return nil, err
	}
	ends, err := admin.ListEndOffsets(c.ctx, topic)
	if err != nil {
		return nil, err
	}
	left := map[int32]int64{}
	assigned := map[int32]kgo.Offset{}
	for p, o := range ends[topic] {
		if s, ok := starts.Lookup(topic, p); ok && o.Offset > s.Offset {
			left[p], assigned[p] = o.Offset, kgo.NewOffset().At(s.Offset)
		}
	}
	client.AddConsumePartitions(map[string]map[int32]kgo.Offset{topic: assigned})
	var all []rawRecord
	for len(left) > 0 {
		fetches := client.PollFetches(c.ctx)
		if err := fetches.Err(); err != nil {
			return nil, fmt.Errorf("read topic %s: %w", topic, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
			if !r.Attrs.IsControl() {
				all = append(all, plainRecord(r))
			}
		})
	}
	return all, nil
}

func plainRecord(r *kgo.Record) rawRecord {
	headers := map[string]string{}
	for _, h := range r.Headers {
		headers[h.Key] = string(h.Value)
	}
	return rawRecord{topic: r.Topic, partition: r.Partition, offset: r.Offset, at: r.Timestamp, key: r.Key, value: r.Value, headers: headers}
}

// rows runs a query whose columns are all strings.
func (c *checker) rows(sql string) ([][]string, error) {
	_, rows, err := clickhouse.Query(c.ctx, c.settings.ClickHouse, sql)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", sql, err)
	}
	out := make([][]string, len(rows))
	for i, row := range rows {
		for _, v := range row {
			out[i] = append(out[i], fmt.Sprint(v))
		}
	}
	return out, nil
}

// from names a table as a row must stand in it once.
func (c *checker) from(table string) string {
	if c.isFinal {
		return table + " FINAL"
	}
	return table
}

// resolved gives who a profile id stands for after all merges.
const resolved = "WITH (SELECT mapFromArrays(groupArray(alias_id), groupArray(profile_id)) FROM profile_aliases FINAL) AS aliases "

// events: every accepted event is there exactly once, at a place where it was sent, as it was sent.
func (c *checker) events() error {
	rows, err := c.rows(`SELECT concat(kafka_topic, '/', toString(kafka_partition), '/', toString(kafka_offset), '/', toString(element)), toString(source), toString(type),
		toString(channel), toString(toUnixTimestamp64Milli(event_time)), toString(toInt64(revenue * 10000)), order_id FROM ` + c.from("events"))
	if err != nil {
		return err
	}
	byPlace := map[string][][]string{}
	for _, row := range rows {
		byPlace[row[0]] = append(byPlace[row[0]], row[1:])
	}
	for key, e := range c.oracle.events {
		var found [][]string
		for _, place := range c.oracle.places[key] {
			found = append(found, byPlace[place]...)
			delete(byPlace, place)
		}
		if len(found) != 1 {
			c.say("events: %s, sent at %v, is there %d times", key, c.oracle.places[key], len(found))
			continue
		}
		want := []string{e.source, e.kind, e.channel, fmt.Sprint(e.at.UnixMilli()), fmt.Sprint(e.revenue), e.order}
		if !slices.Equal(found[0], want) {
			c.say("events: %s is %q, and was sent as %q", key, found[0], want)
		}
	}
	for place, found := range byPlace {
		c.say("events: %q at %s is none that was accepted", found, place)
	}
	return nil
}

// fates: of each partition, every element was accepted, refused, repeated or dropped, and nothing else.
func (c *checker) fates() error {
	rows, err := c.rows(fmt.Sprintf(`SELECT place, toString(sum(n)) FROM (SELECT concat(kafka_topic, '/', toString(kafka_partition)) AS place, count() AS n FROM %s GROUP BY place
		UNION ALL SELECT concat(topic, '/', toString(partition)) AS place, count() AS n FROM %s GROUP BY place) GROUP BY place`, c.from("events"), c.from("dead_letters")))
	if err != nil {
		return err
	}
	got := map[string]string{}
	for _, row := range rows {
		got[row[0]] = row[1]
	}
	left := map[string]int{} // repeated or dropped
	for place := range c.oracle.dropped {
		left[place[:strings.LastIndexByte(place[:strings.LastIndexByte(place, '/')], '/')]]++
	}
	repeats := 0
	for key := range c.oracle.places {
		repeats += len(c.oracle.places[key]) - 1
	}
	total := 0
	for place, elements := range c.oracle.fates {
		n := 0
		_, _ = fmt.Sscan(got[place], &n)
		if n+left[place] > elements {
			c.say("fates: partition %s has %d elements, of which %d are dropped, and %d rows", place, elements, left[place], n)
		}
		total += elements - n - left[place]
	}
	if total != repeats {
		c.say("fates: %d elements have neither a row nor a reason, and %d were sent before", total, repeats)
	}
	return nil
}

// totals: what batches say of themselves adds up, and so do the profiles.
func (c *checker) totals() error {
	o := c.oracle
	repeats, revenue, orders := 0, int64(0), 0
	for key := range o.places {
		repeats += len(o.places[key]) - 1
	}
	for _, e := range o.events {
		revenue += e.revenue
		if e.kind == "order" {
			orders++
		}
	}
	for _, q := range []struct{ what, sql, want string }{
		{"commits add up to", `SELECT concat(toString(sum(records)), ' ', toString(sum(events)), ' ', toString(sum(rejects)), ' ', toString(sum(duplicates)), ' ',
			toString(sum(dropped['training']))) FROM ` + c.from("commits"), fmt.Sprintf("%d %d %d %d %d", o.records, len(o.events), len(o.refused), repeats, len(o.dropped))},
		{"events add up to", "SELECT concat(toString(toInt64(sum(revenue) * 10000)), ' ', toString(countIf(type = 'order'))) FROM " + c.from("events"),
			fmt.Sprintf("%d %d", revenue, orders)},
		{"profiles add up to", "SELECT concat(toString(toInt64(sum(revenue) * 10000)), ' ', toString(sum(orders))) FROM profiles FINAL", fmt.Sprintf("%d %d", revenue, orders)},
		{"the events of profiles are", "SELECT toString(sum(events)) FROM profiles FINAL", fmt.Sprint(len(o.events))},
		{"the events with a person are", "SELECT toString(countIf(toUInt128(profile_id) != 0)) FROM " + c.from("events"), fmt.Sprint(len(o.events))},
	} {
		rows, err := c.rows(q.sql)
		if err != nil {
			return err
		}
		if rows[0][0] != q.want {
			c.say("totals: %s %s, want %s", q.what, rows[0][0], q.want)
		}
	}
	return nil
}

// lines: every line of an order or a refund is there, whoever it belongs to.
func (c *checker) lines() error {
	rows, err := c.rows("SELECT concat(order_id, ' ', sku, ' ', toString(toInt64(quantity)), ' ', toString(toInt64(total * 10000))) FROM order_lines FINAL")
	if err != nil {
		return err
	}
	count := map[string]int{}
	for _, e := range c.oracle.events {
		for _, line := range e.lines {
			count[line]++
		}
	}
	for _, row := range rows {
		count[row[0]]--
	}
	for line, n := range count {
		if n != 0 {
			c.say("order_lines: %q is missing %d times", line, n)
		}
	}
	return nil
}

// deadLetters: every refused record is in the table once, with its bytes.
func (c *checker) deadLetters() error {
	rows, err := c.rows("SELECT concat(topic, '/', toString(partition), '/', toString(offset), '/', toString(element)), value, toString(reason != '') FROM " + c.from("dead_letters"))
	if err != nil {
		return err
	}
	seen := map[string]int{}
	for _, row := range rows {
		seen[row[0]]++
		if r := c.oracle.refused[row[0]]; r == nil {
			c.say("dead_letters: %s was not to be refused", row[0])
		} else if string(r.value) != row[1] || row[2] != "1" {
			c.say("dead_letters: %s has the bytes %q, want %q, and a reason: %s", row[0], row[1], r.value, row[2])
		}
	}
	for place := range c.oracle.refused {
		if seen[place] != 1 {
			c.say("dead_letters: %s is there %d times", place, seen[place])
		}
	}
	return nil
}

// deadLetterTopic: every refused record is in the topic, with its bytes and where it comes from.
func (c *checker) deadLetterTopic() error {
	records, err := c.readTopic(c.settings.Kafka.DeadLetters)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, r := range records {
		place := fmt.Sprintf("%s/%s/%s/0", r.headers["seamline_topic"], r.headers["seamline_partition"], r.headers["seamline_offset"])
		seen[place] = true
		if want := c.oracle.refused[place]; want == nil {
			c.say("the dead-letter topic: %s was not to be refused", place)
		} else if string(want.value) != string(r.value) || string(want.key) != string(r.key) || r.headers["seamline_reason"] == "" {
			c.say("the dead-letter topic: %s has the bytes %q, want %q", place, r.value, want.value)
		}
	}
	for place := range c.oracle.refused {
		if !seen[place] {
			c.say("the dead-letter topic: %s is not there", place)
		}
	}
	return nil
}

// audienceTopic: what consumers of the topic see are the changes of the table, each at least once.
func (c *checker) audienceTopic() error {
	records, err := c.readTopic(c.settings.Kafka.Audiences)
	if err != nil {
		return err
	}
	rows, err := c.rows("SELECT concat(audience, ' ', toString(sequence)), toString(profile_id), toString(change) FROM audience_changes FINAL")
	if err != nil {
		return err
	}
	want := map[string]string{}
	for _, row := range rows {
		want[row[0]] = row[1] + " " + row[2]
	}
	seen, ids := map[string]bool{}, map[string]string{}
	for _, r := range records {
		var data struct {
			Audience  string `json:"audience"`
			ProfileID string `json:"profile_id"`
			Sequence  uint64 `json:"sequence"`
		}
		if err := json.Unmarshal(r.value, &data); err != nil {
			c.say("the audience topic: offset %d: %v", r.offset, err)
			continue
		}
		key := fmt.Sprintf("%s %d", data.Audience, data.Sequence)
		seen[key] = true
		change := map[string]string{"io.seamline.audience_entered.v1": "enter", "io.seamline.audience_exited.v1": "exit"}[r.headers["ce_type"]]
		if got := data.ProfileID + " " + change; got != want[key] {
			c.say("the audience topic: change %s is %q, and %q in the table", key, got, want[key])
		}
		if id := r.headers["ce_id"]; ids[id] != "" && ids[id] != key || id == "" {
			c.say("the audience topic: the id %q stands for %q and %q", id, key, ids[id])
		} else {
			ids[id] = key
		}
	}
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if !seen[key] {
			c.say("the audience topic: change %s is not there", key)
		}
	}
	return nil
}
