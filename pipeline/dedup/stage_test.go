package dedup

import (
	"fmt"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/seamline/seamline/pipeline/state"
	"github.com/seamline/seamline/schemas"
)

const day0 = 20_000 * schemas.Day

func seen(t *testing.T, s *Stage, at schemas.Time, ids ...string) (kept []string, dropped int) {
	t.Helper()
	b := &schemas.Batch{}
	for _, id := range ids {
		b.Events = append(b.Events, &schemas.Event{ID: id, Source: "test", Record: &schemas.Record{Time: at}})
	}
	if err := s.Apply(b); err != nil {
		t.Fatal(err)
	}
	for _, e := range b.Events {
		kept = append(kept, e.ID)
	}
	return kept, len(b.Dropped)
}

func TestWindow(t *testing.T) {
	t.Parallel()
	s := New(Config{Window: 7 * 24 * time.Hour, Memory: 1 << 20}, prometheus.NewRegistry())
	f := func(at schemas.Time, kept string, dropped int, ids ...string) {
		t.Helper()
		k, d := seen(t, s, at, ids...)
		if fmt.Sprint(k) != kept || d != dropped {
			t.Errorf("at %s: kept %v, dropped %d; want %s and %d", at, k, d, kept, dropped)
		}
	}
	f(day0, "[a b]", 1, "a", "b", "a")
	f(day0+6*schemas.Day, "[c]", 1, "a", "c")
	f(day0-schemas.Day, "[]", 1, "a") // a record that is older than the first sight
	f(day0+8*schemas.Day, "[a]", 1, "a", "c")
	f(day0+8*schemas.Day, "[]", 2, "a", "c")
}

func TestSourcesDoNotCollide(t *testing.T) {
	t.Parallel()
	s := New(DefaultConfig(), prometheus.NewRegistry())
	b := &schemas.Batch{Events: []*schemas.Event{{ID: "1", Source: "square", Record: &schemas.Record{Time: day0}}, {ID: "1", Source: "shopify", Record: &schemas.Record{Time: day0}}}}
	if err := s.Apply(b); err != nil || len(b.Events) != 2 {
		t.Errorf("kept %d events, error %v; want both", len(b.Events), err)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	cfg := Config{Window: 28 * time.Hour, Memory: 4 * tableSlotsMin * entryBytes}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	s := New(cfg, prometheus.NewRegistry())
	for hour := range 20 {
		ids := make([]string, 1000)
		for i := range ids {
			ids[i] = fmt.Sprint(hour, "-", i)
		}
		if kept, _ := seen(t, s, day0+schemas.Time(hour)*schemas.Hour, ids...); len(kept) != len(ids) {
			t.Fatalf("hour %d: kept %d of %d", hour, len(kept), len(ids))
		}
		if bytes := len(s.seen.slots) * entryBytes; bytes > cfg.Memory {
			t.Fatalf("hour %d: %d bytes, the limit is %d", hour, bytes, cfg.Memory)
		}
	}
	// What is within the memory is still known.
	if kept, _ := seen(t, s, day0+19*schemas.Hour, "19-5", "18-5"); len(kept) != 0 {
		t.Errorf("recent ids are forgotten: %v", kept)
	}
}

func TestRestart(t *testing.T) {
	t.Parallel()
	store, err := state.Open(state.Config{Dir: "state", PipelineID: "test", FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	s := New(DefaultConfig(), prometheus.NewRegistry())
	for day := range 10 {
		seen(t, s, day0+schemas.Time(day)*schemas.Day, fmt.Sprint("id-", day))
		c, err := store.Collect([]schemas.Keeper{s}, uint64(day+1), nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	again := New(DefaultConfig(), prometheus.NewRegistry())
	if err := store.Load([]schemas.Keeper{again}); err != nil {
		t.Fatal(err)
	}
	if again.seen.count != s.seen.count {
		t.Errorf("%d ids after the restart, %d before", again.seen.count, s.seen.count)
	}
	if kept, _ := seen(t, again, day0+9*schemas.Day, "id-9", "id-3", "id-0"); fmt.Sprint(kept) != "[id-0]" {
		t.Errorf("kept %v, want only the one outside the window", kept)
	}
}

func BenchmarkApply(b *testing.B) {
	s := New(DefaultConfig(), prometheus.NewRegistry())
	const events = 10_000
	batch := &schemas.Batch{}
	list := make([]schemas.Event, events)
	record := &schemas.Record{Time: day0}
	ids := make([]byte, 0, 64)
	b.ReportAllocs()
	for n := 0; n < b.N; n += events {
		b.StopTimer()
		batch.Reset()
		for i := range list {
			ids = fmt.Appendf(ids[:0], "message-%d-%d", n, i)
			list[i] = schemas.Event{ID: string(ids), Source: "segment", Record: record}
			batch.Events = append(batch.Events, &list[i])
		}
		b.StartTimer()
		if err := s.Apply(batch); err != nil {
			b.Fatal(err)
		}
	}
}
