package dedup

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seamline/seamline/pipeline/slab"
	"github.com/seamline/seamline/pipeline/state/statetest"
	"github.com/seamline/seamline/schemas"
)

var seed = flag.Uint64("seed", 0, "seed of randomised tests; 0 draws one")

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
	s := New(Config{Window: 7 * 24 * time.Hour, Memory: 1 << 20}, nil, prometheus.NewRegistry())
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
	s := New(DefaultConfig(), nil, prometheus.NewRegistry())
	b := &schemas.Batch{Events: []*schemas.Event{{ID: "1", Source: "square", Record: &schemas.Record{Time: day0}}, {ID: "1", Source: "shopify", Record: &schemas.Record{Time: day0}}}}
	if err := s.Apply(b); err != nil || len(b.Events) != 2 {
		t.Errorf("kept %d events, error %v; want both", len(b.Events), err)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	cfg := Config{Window: 28 * time.Hour, Memory: memoryMin}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	space, err := slab.NewSpace(slab.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer space.Close()
	s := New(cfg, space, prometheus.NewRegistry())
	for hour := range 100 {
		ids := make([]string, 1000)
		for i := range ids {
			ids[i] = fmt.Sprint(hour, "-", i)
		}
		if kept, _ := seen(t, s, day0+schemas.Time(hour)*schemas.Hour, ids...); len(kept) != len(ids) {
			t.Fatalf("hour %d: kept %d of %d", hour, len(kept), len(ids))
		}
	}
	// What is within the memory is still known.
	if kept, _ := seen(t, s, day0+99*schemas.Hour, "99-5", "92-5"); len(kept) != 0 {
		t.Errorf("recent ids are forgotten: %v", kept)
	}
	// A rush within one span does not fit, and must not grow either.
	for n := range 100_000 {
		seen(t, s, day0+100*schemas.Hour, fmt.Sprint(n))
	}
	// Slabs and tables take chunks: two of them may have been begun.
	if bytes := space.Bytes(); bytes > int64(cfg.Memory)+320<<10 {
		t.Errorf("%d bytes are taken, the limit is %d", bytes, cfg.Memory)
	}
	if kept, _ := seen(t, s, day0+100*schemas.Hour, "99999"); len(kept) != 0 {
		t.Error("the newest id is forgotten")
	}
}

func TestRestart(t *testing.T) {
	t.Parallel()
	kept := statetest.Shelf{}
	s := New(DefaultConfig(), nil, prometheus.NewRegistry())
	for day := range 10 {
		seen(t, s, day0+schemas.Time(day)*schemas.Day, fmt.Sprint("id-", day))
		if err := s.Save(kept); err != nil {
			t.Fatal(err)
		}
	}
	if len(kept) != 1+8 {
		t.Errorf("%d entries are stored, want the window and the ids of 8 days", len(kept))
	}
	// The same window, and another one: then the ids are put into other buckets.
	for _, window := range []time.Duration{7 * 24 * time.Hour, 8 * 24 * time.Hour, 30 * 24 * time.Hour} {
		again := New(Config{Window: window, Memory: 1 << 20}, nil, prometheus.NewRegistry())
		stored := maps.Clone(kept)
		for range 2 {
			if err := again.Load(stored); err != nil {
				t.Fatal(err)
			}
			if again.memory.live != 8 {
				t.Errorf("window %s: %d ids after the restart, want 8", window, again.memory.live)
			}
			fresh := New(Config{Window: window, Memory: 1 << 20}, nil, prometheus.NewRegistry())
			stored.Restart(t, again, fresh)
			if len(stored) != len(kept) {
				t.Errorf("window %s: %d entries are stored, want %d", window, len(stored), len(kept))
			}
			again = New(Config{Window: window, Memory: 1 << 20}, nil, prometheus.NewRegistry())
		}
		if err := again.Load(stored); err != nil {
			t.Fatal(err)
		}
		if kept, _ := seen(t, again, day0+9*schemas.Day, "id-9", "id-3", "id-0"); fmt.Sprint(kept) != "[id-0]" {
			t.Errorf("window %s: kept %v, want only the one outside the window", window, kept)
		}
	}
}

func TestDamagedEntries(t *testing.T) {
	t.Parallel()
	for _, s := range []statetest.Shelf{{"\x00": {1}}, {"\x00": make([]byte, windowBytes)}, {"\x00\x00\x00\x01": nil}} {
		if err := New(DefaultConfig(), nil, prometheus.NewRegistry()).Load(s); err == nil {
			t.Errorf("%q is loaded", s)
		}
	}
}

// sight is an event as far as dedup is concerned.
type sight struct {
	id string
	at schemas.Time
}

// firsts gives which of the sights are kept, in batches of at most size, with restarts after some of them, and what is stored then.
func firsts(t *testing.T, rng *rand.Rand, cfg Config, sights []sight, size int) ([]bool, statetest.Shelf) {
	t.Helper()
	var kept []bool
	stored := statetest.Shelf{}
	s := New(cfg, nil, prometheus.NewRegistry())
	for part := range slices.Chunk(sights, size) {
		b := &schemas.Batch{}
		for _, e := range part {
			b.Events = append(b.Events, &schemas.Event{ID: e.id, Source: "test", Record: &schemas.Record{Time: e.at}})
		}
		all := slices.Clone(b.Events)
		if err := s.Apply(b); err != nil {
			t.Fatal(err)
		}
		for _, e := range all {
			first := len(b.Events) > 0 && b.Events[0] == e
			if kept = append(kept, first); first {
				b.Events = b.Events[1:]
			}
		}
		switch rng.IntN(4) {
		case 0:
			again := New(cfg, nil, prometheus.NewRegistry())
			stored.Restart(t, s, again)
			s = again
		case 1:
			stored.Save(t, rng, s)
		}
	}
	if err := s.Save(stored); err != nil {
		t.Fatal(err)
	}
	return kept, stored
}

// naive decides the same by the definition, with nothing but a map from ids to buckets.
func naive(cfg Config, sights []sight) (kept []bool) {
	m := newMemory(cfg.Memory, 1, nil) // for its limits alone
	span, window := spanOf(schemas.Span(cfg.Window))
	buckets := map[string]uint32{}
	floor, newest := uint32(1), uint32(1)
	inside := func() (ids, pages int, oldest uint32) {
		counts := map[uint32]int{}
		for _, b := range buckets {
			if b >= floor {
				counts[b]++
				ids++
			}
		}
		for b, n := range counts {
			pages += (n + pageIDs - 1) / pageIDs
			if oldest == 0 || b < oldest {
				oldest = b
			}
		}
		return ids, pages, oldest
	}
	for _, e := range sights {
		b := bucketOf(e.at, span)
		newest = max(newest, b)
		floor = max(floor, newest-min(newest, window))
		if at, ok := buckets[e.id]; ok && at >= floor {
			kept = append(kept, false)
			continue
		}
		for len(buckets) >= m.max || len(buckets) >= m.maxList {
			ids, pages, oldest := inside()
			if ids < m.max && pages < m.maxList {
				break
			}
			floor = oldest + 1
			newest = max(newest, floor)
		}
		buckets[e.id] = max(b, floor)
		kept = append(kept, true)
	}
	return kept
}

// TestCuts: wherever batches are cut and the process is started anew, the same events are kept, and the same is stored.
func TestCuts(t *testing.T) {
	t.Parallel()
	n := *seed
	if n == 0 {
		n = uint64(time.Now().UnixNano())
	}
	t.Logf("replay with -seed %d", n)
	rng := rand.New(rand.NewPCG(n, n))
	f := func(name string, cfg Config, count, ids int, step schemas.Time, sizes ...int) {
		t.Helper()
		window := schemas.Span(cfg.Window)
		at := day0
		sights := make([]sight, 0, count)
		for range count {
			at += schemas.Time(rng.Int64N(int64(step)))
			e := sight{id: fmt.Sprint(rng.IntN(ids)), at: at}
			switch rng.IntN(10) {
			case 0: // late, perhaps from before the window
				e.at -= schemas.Time(rng.Int64N(int64(2 * window)))
			case 1: // a long time without events
				if rng.IntN(count/10) < 3 {
					at += window
				}
			}
			sights = append(sights, e)
		}
		want := naive(cfg, sights)
		var first statetest.Shelf
		for _, size := range sizes {
			kept, stored := firsts(t, rng, cfg, sights, size)
			if !slices.Equal(kept, want) {
				t.Fatalf("%s: batches of %d keep other events", name, size)
			}
			if first == nil {
				first = stored
			}
			if !stored.Equal(first) {
				t.Fatalf("%s: batches of %d store something else", name, size)
			}
		}
	}
	f("a wide window", Config{Window: 7 * 24 * time.Hour, Memory: 1 << 24}, 3000, 700, 20*schemas.Minute, 1, 7, 3000)
	f("a narrow window", Config{Window: time.Minute, Memory: 1 << 24}, 3000, 700, schemas.Second, 1, 7, 3000)
	f("little memory", Config{Window: 24 * time.Hour, Memory: 1 << 14}, 3000, 400, schemas.Minute, 1, 7, 3000)
	f("hardly any memory", Config{Window: time.Hour, Memory: 1 << 12}, 3000, 200, schemas.Second, 1, 7, 3000)
	f("less than a span", Config{Window: 24 * time.Hour, Memory: 1 << 13}, 3000, 400, 10, 1, 7, 3000)
}

func BenchmarkApply(b *testing.B) {
	s := New(DefaultConfig(), nil, prometheus.NewRegistry())
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

// TestIDsOneByOne: ids that an earlier build kept each by itself are known, and are put on pages at the next Save.
func TestIDsOneByOne(t *testing.T) {
	t.Parallel()
	s := New(DefaultConfig(), nil, prometheus.NewRegistry())
	for n := range 40 {
		seen(t, s, day0, fmt.Sprint("id-", n))
	}
	pages := statetest.Shelf{}
	if err := s.Save(pages); err != nil {
		t.Fatal(err)
	}
	single := statetest.Shelf{}
	for key, value := range pages {
		if len(key) != pageKeyBytes {
			single[key] = value
			continue
		}
		for v := value; len(v) > 0; v = v[idBytes:] {
			single[key[:4]+string(v[:idBytes])] = nil
		}
	}
	if len(single) != 41 || len(pages) != 1+3 {
		t.Fatalf("%d single ids and %d pages", len(single)-1, len(pages)-1)
	}
	again := New(DefaultConfig(), nil, prometheus.NewRegistry())
	fresh := New(DefaultConfig(), nil, prometheus.NewRegistry())
	if err := again.Load(single); err != nil {
		t.Fatal(err)
	}
	single.Restart(t, again, fresh)
	if len(single) != len(pages) {
		t.Errorf("%d entries after a Save, want %d", len(single), len(pages))
	}
	if kept, _ := seen(t, fresh, day0, "id-0", "id-39", "id-40"); fmt.Sprint(kept) != "[id-40]" {
		t.Errorf("kept %v", kept)
	}
}
