package main

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seamline/seamline/cmd/seamline/bench"
	"github.com/seamline/seamline/consumers/decode"
	"github.com/seamline/seamline/deploy/shoppers"
	"github.com/seamline/seamline/pipeline/audience"
	"github.com/seamline/seamline/schemas"
)

func TestCallsOf(t *testing.T) {
	t.Parallel()
	f := func(value string, want ...string) {
		t.Helper()
		calls, err := callsOf([]byte(value))
		if err != nil || string(bytes.Join(calls, []byte("|"))) != strings.Join(want, "|") {
			t.Errorf("the calls of %s are %q: %v", value, calls, err)
		}
	}
	f(`{"type":"page"}`, `{"type":"page"}`)
	f(`[{"type":"page"},{"type":"track"}]`, `{"type":"page"}`, `{"type":"track"}`)
	f(`{"batch":[{"type":"page","properties":{"a":[1,2]}}],"sentAt":"x"}`, `{"type":"page","properties":{"a":[1,2]}}`)
	for _, damaged := range []string{`[{"type"`, `{"batch":7}`} {
		if calls, err := callsOf([]byte(damaged)); err == nil {
			t.Errorf("%s gives %q", damaged, calls)
		}
	}
}

// TestLiveCall sends a call again at other times and under other ids, before and behind which times stand.
func TestLiveCall(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 4, 5, 6, 7, 89_000_000, time.UTC)
	f := func(value string, turn int64, want string) {
		t.Helper()
		c := newLiveCall([]byte(value))
		if got := string(c.at(now, turn)); got != want {
			t.Errorf("%s in turn %d became\n%s, want\n%s", value, turn, got, want)
		}
		if string(c.value) != value {
			t.Errorf("the call itself became %s", c.value)
		}
	}
	const both = `{"timestamp":"2026-01-01T00:00:00.000Z","messageId":"abc","receivedAt":"2026-01-01T00:00:01.500Z"}`
	f(both, 0, `{"timestamp":"2026-03-04T05:06:05.589Z","messageId":"abc","receivedAt":"2026-03-04T05:06:07.089Z"}`)
	f(both, 12, `{"timestamp":"2026-03-04T05:06:05.589Z","messageId":"12-abc","receivedAt":"2026-03-04T05:06:07.089Z"}`)
	f(`{"originalTimestamp":"2026-01-01T00:00:00.000Z"}`, 1, `{"originalTimestamp":"2026-03-04T05:06:07.089Z"}`)
	f(`{"timestamp":"yesterday"}`, 0, `{"timestamp":"yesterday"}`)
	f(`{}`, 3, `{}`)
}

// TestBenchAudiences compiles the rules that the benchmark uses.
func TestBenchAudiences(t *testing.T) {
	t.Parallel()
	for count, text := range map[int][]byte{20: benchAudiences, 10: manyAudiences(10), 1000: manyAudiences(1000)} {
		path := filepath.Join(t.TempDir(), "audiences.yaml")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if rules, err := audience.ReadRules(path); err != nil || len(rules) != count {
			t.Errorf("%d rules were read, want %d: %v", len(rules), count, err)
		}
	}
}

func TestEngineStatements(t *testing.T) {
	t.Parallel()
	for _, form := range engineForms {
		queue, view, err := engineStatements(form, strings.NewReplacer("{database}", "d"))
		if err != nil || !strings.Contains(queue, "CREATE TABLE d.engine_queue") || !strings.Contains(queue, form) || !strings.Contains(view, "CREATE MATERIALIZED VIEW d.engine_view TO d.events") {
			t.Errorf("%s: %v\n%s\n%s", form, err, queue, view)
		}
	}
	if _, _, err := engineStatements("CSV", strings.NewReplacer()); err == nil {
		t.Error("there are statements for CSV")
	}
}

func TestChooseParts(t *testing.T) {
	t.Parallel()
	f := func(only string, isShort bool, want string) {
		t.Helper()
		parts, err := chooseParts(only, isShort)
		var names []string
		for _, p := range parts {
			names = append(names, p.name)
		}
		if err != nil || strings.Join(names, ",") != want {
			t.Errorf("%q, short %t: %v, %v; want %s", only, isShort, names, err, want)
		}
	}
	f("", false, strings.Join(partNames(), ","))
	f("", true, strings.Join(shortParts, ","))
	f("laws,versus", false, "versus,laws")
	f("memory", true, "memory")
	if _, err := chooseParts("memory,nothing", false); err == nil {
		t.Error("a part that does not exist was chosen")
	}
}

// TestThrong decodes the events of people who are made up: all of one have the same identifiers, as many as asked for.
func TestThrong(t *testing.T) {
	t.Parallel()
	s := defaultSettings()
	for each := 1; each <= identifiersPer; each++ {
		people, batch := newThrong(each), &schemas.Batch{Now: schemas.TimeOf(time.Now())}
		send := func(value []byte, at time.Time) error {
			if !json.Valid(value) {
				t.Errorf("%s is not JSON", value)
			}
			batch.Records = append(batch.Records, schemas.Record{Topic: "calls", Feed: schemas.FeedClickstream, Time: schemas.TimeOf(at), Value: value})
			return nil
		}
		for _, err := range []error{people.meet(send), people.meet(send), people.again(0, send)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := decode.New(s.Decode, sources(&s), newRegistry()).Apply(batch); err != nil || len(batch.Events) != 3 || len(batch.Rejects) > 0 {
			t.Fatalf("%d events, rejects %v: %v", len(batch.Events), batch.Rejects, err)
		}
		first, second, third := batch.Events[0], batch.Events[1], batch.Events[2]
		if len(first.Identifiers) != each || len(third.Identifiers) != each || first.ID == third.ID || first.Time >= third.Time {
			t.Errorf("%d identifiers each: %v and %v at %v and %v", each, first.Identifiers, third.Identifiers, first.Time, third.Time)
		}
		for i := range first.Identifiers {
			if first.Identifiers[i] != third.Identifiers[i] || first.Identifiers[i] == second.Identifiers[i] {
				t.Errorf("identifiers of the same person are %v and %v, of another %v", first.Identifiers[i], third.Identifiers[i], second.Identifiers[i])
			}
		}
	}
}

// TestRowSource makes batches as large as inserts, without rows of other tables.
func TestRowSource(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("skipped with -short: it decodes many events")
	}
	s := defaultSettings()
	source := &rowSource{calls: schemas.FeedClickstream, generator: shoppers.New(shoppersConfig(shoppersPerInsert)), batch: &schemas.Batch{},
		stage: decode.New(s.Decode, sources(&s), newRegistry())}
	batch, err := source.next()
	if err != nil || len(batch.Events) < insertRows*9/10 || batch.Number != 1 || batch.Ranges[0].To != source.offset {
		t.Fatalf("%d events, number %d, ranges %v: %v", len(batch.Events), batch.Number, batch.Ranges, err)
	}
	for _, e := range batch.Events {
		if len(e.Items) > 0 {
			t.Fatal("an event has lines")
		}
	}
	if _, err := source.next(); err == nil {
		t.Error("the generator had enough for two batches")
	}
}

// TestProbe writes batches and reads what the probe noted.
func TestProbe(t *testing.T) {
	t.Parallel()
	planned := time.Now().Add(-time.Second).UnixMilli()
	p := &probe{job: &benchJob{Records: 100, Marks: []int64{30, 100}, From: planned, Until: planned + 500}}
	p.start, p.last = time.Now(), time.Now()
	if err := p.Write(t.Context(), &schemas.Batch{}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.result(); err == nil {
		t.Error("a run without an event has a result")
	}
	for from := int64(0); from < 100; from += 20 {
		b := &schemas.Batch{Ranges: []schemas.Range{{Topic: "calls", From: from, To: from + 20}}}
		for i := range 18 {
			// The last of each batch were planned after the time that counts.
			at := planned + int64(i)*100
			b.Events = append(b.Events, &schemas.Event{Record: &schemas.Record{Time: schemas.Time(at)}})
		}
		if err := p.Write(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	r, err := p.result()
	if err != nil || r.Records != 100 || r.Events != 90 {
		t.Fatalf("%d records, %d events: %v", r.Records, r.Events, err)
	}
	if len(r.Marks) != 2 || r.Marks[0].Records != 40 || r.Marks[1].Records != 100 || r.Marks[0].Resident == 0 {
		t.Errorf("the marks are %+v", r.Marks)
	}
	if l := r.Latency; l.Count != 25 || l.P50 < 500 || l.P50 > l.P99 || l.P99 > l.Most || l.Most < 1000 || len(l.Lag) != 1 {
		t.Errorf("the latencies are %+v", l)
	}
	if p.steady[0].events != 36 || p.steady[1].events != 90 {
		t.Errorf("the steady state was from %d to %d events", p.steady[0].events, p.steady[1].events)
	}
}

func TestFitting(t *testing.T) {
	t.Parallel()
	sizes := []int{100, 300, 1000, 3000, 10_000}
	resident := []bench.Point{{X: 100, Y: 1100}, {X: 300, Y: 3100}} // ten a piece, and a hundred
	f := func(limit float64, want ...int) {
		t.Helper()
		if got := fitting(sizes, resident, limit); !slices.Equal(got, want) {
			t.Errorf("what fits into %v is %v, want %v", limit, got, want)
		}
	}
	f(1e6, 100, 300, 1000, 3000, 10_000)
	f(50_100, 100, 300, 1000, 3000, 5000)
	f(31_000, 100, 300, 1000, 3000)
	f(4_100, 100, 300)
	f(20, 100, 300)
	resident[1].Y = 1100
	f(20, sizes...)
}

func TestRoundOf(t *testing.T) {
	t.Parallel()
	result := benchResult{Records: 2000, Events: 1000, Seconds: 0.5, CPU: 0.004}
	used := bench.Usage{Broker: time.Millisecond, ClickHouse: 3 * time.Millisecond, Merges: time.Millisecond}
	f := func(isSingle bool, measure string, want float64) {
		t.Helper()
		if got := roundOf(&dataset{isSingle: isSingle}, result, used)[measure]; math.Abs(got-want) > 1e-9 {
			t.Errorf("%s is %v, want %v", measure, got, want)
		}
	}
	f(true, bench.Pipeline, 2)
	f(true, bench.Broker, 0.5)
	f(true, bench.Inserts, 1)
	f(true, bench.Merges, 0.5)
	f(true, bench.Total, 4)
	f(true, bench.Rate, 4000)
	f(false, bench.Total, 8)
	f(false, bench.Rate, 2000)
}
