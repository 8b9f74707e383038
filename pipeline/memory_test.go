package pipeline_test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/seamline/seamline/pipeline"
	"github.com/seamline/seamline/pipeline/audience"
	"github.com/seamline/seamline/pipeline/dedup"
	"github.com/seamline/seamline/pipeline/score"
	"github.com/seamline/seamline/pipeline/slab"
	"github.com/seamline/seamline/pipeline/state"
	"github.com/seamline/seamline/pipeline/stitch"
	"github.com/seamline/seamline/pipeline/timers"
	"github.com/seamline/seamline/schemas"
)

var memorySeed = flag.Uint64("memory.seed", 0, "seed of the test of state larger than memory; 0 for a random one")

// crowd is a source of records, and the stage that makes events of them. Every other record is somebody's first, and the others come
// back to anybody seen so far, so that most of them find that person cold.
type crowd struct {
	seed      uint64
	next, end int64
}

const crowdBatch = 4000

var crowdStart = schemas.TimeOf(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC))

func (c *crowd) Next(_ context.Context, b *schemas.Batch) error {
	if c.next >= c.end {
		return io.EOF
	}
	to := min(c.next+crowdBatch, c.end)
	b.Ranges = append(b.Ranges, schemas.Range{Topic: "t", From: c.next, To: to})
	for o := c.next; o < to; o++ {
		b.Records = append(b.Records, schemas.Record{Topic: "t", Offset: o, Time: crowdStart + schemas.Time(o)*20})
	}
	b.Now = crowdStart + schemas.Time(to)*20
	c.next = to
	return nil
}

func (*crowd) Committed(context.Context, []schemas.Range) error { return nil }
func (*crowd) Name() string                                     { return "crowd" }

func (c *crowd) Apply(b *schemas.Batch) error {
	for i := range b.Records {
		b.Events = append(b.Events, c.event(&b.Records[i]))
	}
	return nil
}

func (c *crowd) event(r *schemas.Record) *schemas.Event {
	rng := rand.New(rand.NewPCG(c.seed, uint64(r.Offset)))
	person := r.Offset / 2
	if r.Offset%2 == 1 {
		person = rng.Int64N(person + 1)
	}
	e := &schemas.Event{ID: fmt.Sprint("e", r.Offset), Source: "crowd", Channel: schemas.ChannelWeb, Time: r.Time, Received: r.Time, Record: r,
		SKU: fmt.Sprint("sku-", rng.IntN(500)), Currency: "EUR"}
	e.Identify(schemas.NamespaceAnonymousID, fmt.Sprintf("device-%d-%d", person, rng.IntN(2)))
	switch rng.IntN(5) {
	case 0:
		e.Identify(schemas.NamespaceUserID, fmt.Sprint("user-", person))
		e.Type, e.OrderID, e.Amount = schemas.TypeOrder, fmt.Sprint("o", r.Offset), schemas.Decimal(1+rng.IntN(90))*schemas.DecimalOne
	case 1:
		e.Identify(schemas.NamespaceUserID, fmt.Sprint("user-", person))
		e.Type, e.Quantity, e.Amount = schemas.TypeCartAdd, schemas.DecimalOne, schemas.DecimalOne*5
	default:
		e.Type = schemas.TypeProductView
	}
	return e
}

// fingerprints is a sink that keeps one number per batch, made of all rows.
type fingerprints struct {
	mu       sync.Mutex // guards the following
	batches  []uint64
	rows     int
	resident func()
}

func (*fingerprints) Name() string { return "fingerprints" }

func (f *fingerprints) Write(_ context.Context, b *schemas.Batch) error {
	d := xxhash.New()
	for i := range b.Profiles {
		p := &b.Profiles[i]
		d.Write(p.ID[:])
		d.Write(p.State)
		fmt.Fprint(d, p.Stage, p.StageSince, p.Merged)
	}
	for _, rows := range []any{b.Decisions, b.Changes, b.Memberships, b.Aliases} {
		fmt.Fprintln(d, rows)
	}
	for i := range b.Identifiers {
		fmt.Fprintln(d, b.Identifiers[i].ID, b.Identifiers[i].ProfileID, b.Identifiers[i].LastSeen)
	}
	for _, e := range b.Events {
		fmt.Fprintln(d, e.ID, e.ProfileID, e.SessionID, e.Revenue)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.batches = append(f.batches, d.Sum64())
	f.rows += len(b.Profiles) + len(b.Decisions) + len(b.Changes) + len(b.Events)
	if f.resident != nil {
		f.resident()
	}
	return nil
}

// forgetful is a journal for runs that end well.
type forgetful struct{}

func (forgetful) Write(context.Context, *schemas.Intent) error { return nil }
func (forgetful) Finished(uint64)                              {}
func (forgetful) Offset(uint64) int64                          { return 0 }

// footprint is one run's memory.
type footprint struct {
	bytes          int64 // of all state at the end
	loaded, during int64 // most of it in memory after loading, and while batches were processed
}

// runCrowd goes on from the checkpoint in a directory up to an offset.
func runCrowd(t *testing.T, dir string, ceiling int64, seed uint64, end int64, sink *fingerprints) (f footprint) {
	t.Helper()
	store, err := state.Open(state.Config{Dir: dir, PipelineID: "test"})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	space, err := slab.NewSpace(slab.Config{Dir: dir, CeilingBytes: ceiling})
	if err != nil {
		t.Fatal(err)
	}
	// Nobody calls space.Keep: the line itself keeps the ceiling, however late other goroutines get their turn.
	defer func() {
		if err := space.Close(); err != nil {
			t.Error(err)
		}
	}()
	rules, err := stitch.ReadRules("")
	if err != nil {
		t.Fatal(err)
	}
	audiences, err := audience.ReadRules("")
	if err != nil {
		t.Fatal(err)
	}
	reg, source := prometheus.NewRegistry(), &crowd{seed: seed, end: end}
	for _, p := range store.Point().Positions {
		source.next = p.To
	}
	graph := stitch.New(rules, []byte("key"), space, reg)
	stages := []schemas.Stage{source, dedup.New(dedup.DefaultConfig(), space, reg), graph, score.New(score.DefaultConfig(), graph, space, reg),
		audience.New(audience.DefaultConfig(), audiences, graph, space, reg), timers.New(space, reg)}
	sinks := []schemas.Sink{sink}
	line, err := pipeline.New(pipeline.Config{Stages: stages, Sinks: sinks, Store: store, Journal: forgetful{}, Room: space.Trim, Cool: space.Cool,
		CheckpointEvery: 2 * time.Second, Clock: time.Now, Metrics: pipeline.NewMetrics(reg, stages, sinks),
		Log: slog.New(slog.DiscardHandler), Health: pipeline.NewHealth()})
	if err != nil {
		t.Fatal(err)
	}
	if ceiling > 0 {
		f.loaded = space.Resident()
		sink.resident = func() { f.during = max(f.during, space.Resident()) }
	}
	if err := line.Run(t.Context(), source); err != nil {
		t.Fatal(err)
	}
	f.bytes = space.Bytes()
	return f
}

// TestStateLargerThanMemory gives the stages several times as much state as may be in memory, lets them come back to cold people at
// random, and stops and goes on in between. It is not parallel: the ceiling is kept by the memory of the whole process.
func TestStateLargerThanMemory(t *testing.T) {
	seed := *memorySeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d (-memory.seed)", seed)
	people, ceiling := int64(100_000), int64(32<<20)
	if testing.Short() {
		people, ceiling = 20_000, 8<<20
	}
	free, kept := &fingerprints{}, &fingerprints{}
	runCrowd(t, t.TempDir(), 0, seed, 2*people, free)

	dir, start := t.TempDir(), time.Now()
	first := runCrowd(t, dir, ceiling, seed, people/crowdBatch*crowdBatch, kept)
	second := runCrowd(t, dir, ceiling, seed, 2*people, kept)
	t.Logf("%d rows; %d MiB of state under a ceiling of %d MiB; in memory at most %d MiB after loading and %d MiB at work; took %s", kept.rows,
		second.bytes>>20, ceiling>>20, second.loaded>>20, max(first.during, second.during)>>20, time.Since(start).Round(time.Millisecond))
	if second.bytes < 3*ceiling {
		t.Fatalf("%d bytes do not test a ceiling of %d", second.bytes, ceiling)
	}
	// Between two looks some pages come back: those of some dozen moments, and of what was saved last.
	if slack := ceiling + 24<<20; max(second.loaded, first.during, second.during) > ceiling+slack {
		t.Errorf("%d bytes were in memory after loading, %d and %d at work; the ceiling is %d", second.loaded, first.during, second.during, ceiling)
	}
	if free.rows == 0 || !slices.Equal(free.batches, kept.batches) {
		t.Errorf("%d rows in %d batches under the ceiling are not the %d rows in %d batches without one", kept.rows, len(kept.batches), free.rows, len(free.batches))
	}
}
