package kafka

import (
	"bytes"
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seamline/seamline/deploy/local/localtest"
	"github.com/seamline/seamline/schemas"
)

func TestMain(m *testing.M) { localtest.Main(m) }

var topics = Config{DeadLetters: "dl", Audiences: "au", Source: "seamline/test"}

func openSink(t *testing.T, addr string) *Sink {
	t.Helper()
	s, err := Open(topics, []kgo.Opt{kgo.SeedBrokers(addr), kgo.ProducerBatchMaxBytes(100_000)}, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// read consumes n records of a topic.
func read(t *testing.T, addr, topic string, n int) []*kgo.Record {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var records []*kgo.Record
	for len(records) < n {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			t.Fatalf("%d of %d records of %s: %v", len(records), n, topic, err)
		}
		records = append(records, fetches.Records()...)
	}
	return records
}

func headers(r *kgo.Record) map[string]string {
	out := map[string]string{}
	for _, h := range r.Headers {
		out[h.Key] = string(h.Value)
	}
	return out
}

func TestDeadLetters(t *testing.T) {
	t.Parallel()
	addr := localtest.Kafka(t, "dl", "au").Addr()
	s := openSink(t, addr)
	record := &schemas.Record{Topic: "pos", Partition: 3, Offset: 17, Key: []byte("k"), Value: []byte("\x00\xffraw"), Headers: []schemas.Header{{Key: "h", Value: []byte("v")}}}
	large := &schemas.Record{Topic: "pos", Offset: 18, Key: []byte("large"), Value: bytes.Repeat([]byte("x"), 200_000)}
	b := &schemas.Batch{Rejects: []schemas.Reject{
		{Record: record, Reason: schemas.ReasonMalformed, Detail: "not JSON", Element: 2, Value: record.Value},
		{Record: large, Reason: schemas.ReasonOversize, Detail: "200000 bytes", Value: large.Value},
	}}
	if err := s.Write(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	for _, r := range read(t, addr, "dl", 2) {
		h := headers(r)
		switch string(r.Key) {
		case "k":
			if string(r.Value) != "\x00\xffraw" || h["h"] != "v" || h["seamline_reason"] != "malformed" || h["seamline_detail"] != "not JSON" || h["seamline_topic"] != "pos" ||
				h["seamline_partition"] != "3" || h["seamline_offset"] != "17" || h["seamline_element"] != "2" {
				t.Errorf("the dead letter is %q with %v", r.Value, h)
			}
		case "large":
			// More than the topic takes: the table has the bytes, and the topic says so.
			if len(r.Value) != 0 || h["seamline_value_bytes"] != "200000" || h["seamline_offset"] != "18" {
				t.Errorf("the large dead letter has %d bytes and %v", len(r.Value), h)
			}
		default:
			t.Errorf("unexpected key %q", r.Key)
		}
	}
}

func TestAudienceChangesAreCloudEvents(t *testing.T) {
	t.Parallel()
	addr := localtest.Kafka(t, "dl", "au").Addr()
	s := openSink(t, addr)
	id := schemas.ProfileID{1, 2, 3}
	b := &schemas.Batch{Changes: []schemas.AudienceChange{
		{Audience: "a", Sequence: 1, ProfileID: id, Enter: true, Time: 1000, Reason: "its events"},
		{Audience: "a", Sequence: 2, ProfileID: id, Time: 2000, Reason: "time passed"},
	}}
	for range 2 { // a batch that is written again repeats the ids
		if err := s.Write(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	ids := map[string]int{}
	for _, r := range read(t, addr, "au", 4) {
		h := headers(r)
		ids[h["ce_id"]]++
		if string(r.Key) != id.String() || h["ce_subject"] != id.String() || h["ce_specversion"] != "1.0" || h["ce_source"] != "seamline/test" || h["content-type"] != "application/json" {
			t.Errorf("key %s, headers %v", r.Key, h)
		}
		entered := h["ce_type"] == "io.seamline.audience_entered.v1" && h["ce_time"] == "1970-01-01T00:00:01.000Z" && strings.Contains(string(r.Value), `"sequence":1`)
		exited := h["ce_type"] == "io.seamline.audience_exited.v1" && h["ce_time"] == "1970-01-01T00:00:02.000Z" && strings.Contains(string(r.Value), `"reason":"time passed"`)
		if !entered && !exited {
			t.Errorf("headers %v, data %s", h, r.Value)
		}
	}
	if len(ids) != 2 {
		t.Errorf("the ids are %v; want two, each twice", ids)
	}
}

func TestFailureIsReturned(t *testing.T) {
	t.Parallel()
	addr := localtest.Kafka(t, "au").Addr() // the topic of dead letters is missing
	s := openSink(t, addr)
	b := &schemas.Batch{Rejects: []schemas.Reject{{Record: &schemas.Record{Topic: "pos"}, Reason: schemas.ReasonMalformed}}}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := s.Write(ctx, b); err == nil || !strings.Contains(err.Error(), "dl") {
		t.Errorf("got error %v, want one that names the topic", err)
	}
}

func TestPublisher(t *testing.T) {
	t.Parallel()
	addr := localtest.Kafka(t, "in").Addr()
	p, err := OpenPublisher([]kgo.Opt{kgo.SeedBrokers(addr)})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	old := time.Date(1999, 1, 2, 3, 4, 5, 0, time.UTC)
	m := Message{Topic: "in", Key: []byte("k"), Value: []byte("v"), Headers: []schemas.Header{{Key: "h", Value: []byte("1")}}, Time: old}
	if err := p.Publish(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if err := p.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if records, size := p.Published(); records != 1 || size != 1 {
		t.Errorf("published %d records of %d bytes", records, size)
	}
	r := read(t, addr, "in", 1)[0]
	if string(r.Value) != "v" || headers(r)["h"] != "1" || !r.Timestamp.Equal(old) {
		t.Errorf("got %q at %s with %v", r.Value, r.Timestamp, headers(r))
	}
	if err := p.Publish(t.Context(), Message{Topic: "missing", Value: []byte("v")}); err != nil {
		t.Fatal(err)
	}
	if err := p.Flush(t.Context()); err == nil || !strings.Contains(err.Error(), "missing") {
		t.Errorf("a missing topic: got error %v", err)
	}
}

// TestChangesUseMemoryAgain: the records of a batch are those that were made one by one, and the next batch takes no new memory.
func TestChangesUseMemoryAgain(t *testing.T) { // not in parallel: allocations are counted
	c := changes{topic: "au", source: []byte("seamline/test")}
	list := make([]schemas.AudienceChange, 500)
	for i := range list {
		list[i] = schemas.AudienceChange{Audience: "cart_abandoners", Sequence: uint64(i), ProfileID: schemas.ProfileID{byte(i), byte(i >> 8), 7}, Enter: i%3 == 0,
			Time: schemas.Time(i) * schemas.Hour, Reason: `its "events" <&>`}
	}
	turn := func() {
		c.begin(len(list))
		for i := range list {
			if _, err := c.add(&list[i]); err != nil {
				t.Fatal(err)
			}
		}
	}
	turn()
	for i := range list {
		want, r := &list[i], &c.records[i]
		value, err := json.Marshal(changeData{want.Audience, want.ProfileID.String(), want.Sequence, want.Reason})
		if err != nil {
			t.Fatal(err)
		}
		h := headers(r)
		id := uuid.NewSHA1(idSpace, []byte(want.Audience+"/"+strconv.Itoa(i))).String()
		if string(r.Value) != string(value) || string(r.Key) != want.ProfileID.String() || h["ce_id"] != id || h["ce_subject"] != want.ProfileID.String() ||
			h["ce_time"] != want.Time.String() || h["ce_source"] != "seamline/test" || len(h) != headersPerChange {
			t.Fatalf("change %d: %q %q %v, want %q and id %s", i, r.Key, r.Value, h, value, id)
		}
	}
	if n := testing.AllocsPerRun(5, turn); n > 0 {
		t.Errorf("%v allocations for %d changes", n, len(list))
	}
}
