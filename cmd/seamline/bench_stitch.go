package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"github.com/seamline/seamline/cmd/seamline/bench"
	"github.com/seamline/seamline/pipeline/slab"
	"github.com/seamline/seamline/pipeline/stitch"
	"github.com/seamline/seamline/schemas"
)

const (
	stitchGoal     = 50.0   // how many times faster than SQL the engine has to be
	stitchBatch    = 10_000 // edges in a batch
	stitchMore     = 3      // batches that come when a graph is there
	stitchSeed     = 1
	stitchMostIDs  = 40  // identifiers of one person
	stitchAgain    = 0.2 // edges between identifiers that are tied already
	stitchGrowth   = 0.8 // chance of one more identifier
	stitchHub      = 0.5 // chance that a new identifier is met with the person's first one, and not with any
	stitchRules    = "kiosks: []\nnamespaces:\n  id: {class: personal, priority: 1, normalise: trim}\n"
	stitchStandsIn = "id" // the one namespace: it has no limit and no threshold, so that the engine computes plain components, too
)

// edge is a pair of identifiers that were on one record.
type edge struct{ a, b uint64 }

// stitchEdges draws pairs of identifiers of people, in the order in which records might come. Nobody has more than stitchMostIDs. It gives
// the edges and how many identifiers they are between: 0 up to that.
func stitchEdges(count int) (edges []edge, identifiers uint64) {
	rng := rand.New(rand.NewPCG(stitchSeed, stitchSeed))
	for len(edges) < count {
		first, n := identifiers, uint64(1)
		for len(edges) < count && n < stitchMostIDs && (n == 1 || rng.Float64() < stitchGrowth) {
			met := first
			if rng.Float64() > stitchHub {
				met += rng.Uint64N(n)
			}
			edges = append(edges, edge{met, first + n})
			n++
			if rng.Float64() < stitchAgain && len(edges) < count {
				if a, b := rng.Uint64N(n), rng.Uint64N(n); a != b {
					edges = append(edges, edge{first + a, first + b})
				}
			}
		}
		identifiers += n
	}
	rng.Shuffle(len(edges), func(i, j int) { edges[i], edges[j] = edges[j], edges[i] })
	return edges, identifiers
}

// stitching compares the engine, on one thread, with label propagation in SQL on all cores, over the same edges: first all but the last few
// batches, from nothing, and then those, batch by batch. Each time the groups must be right before it counts as done. SQL gets numbers
// for identifiers; the engine gets values, and also makes all rows about them. Where both get numbers, it is the graph alone that unites them.
func (b *benchRun) stitching(ctx context.Context) error {
	all := b.edges - stitchMore*stitchBatch
	if all <= 0 {
		return usageError{fmt.Errorf("edges is %d, want more than %d", b.edges, stitchMore*stitchBatch)}
	}
	edges, identifiers := stitchEdges(b.edges)
	b.say("%d edges between %d identifiers, without limits; seed %d", len(edges), identifiers, stitchSeed)
	engine, err := b.newStitchEngine(identifiers)
	if err != nil {
		return err
	}
	s := sideBySide{part: b.part, engine: engine, sql: labels{ask: b.askClickHouse}}
	if err := s.sql.create(ctx); err != nil {
		return err
	}
	if err := s.run(ctx, edges[:all]); err != nil {
		return err
	}
	s.print(fmt.Sprintf("%d edges from nothing", all))
	if s.fast, err = uniteNumbers(edges[:all], identifiers, engine.groups()); err != nil {
		return err
	}
	s.print("the same, as numbers for both")
	s.fast, s.slow, s.iterations = 0, 0, 0
	for from := all; from < len(edges); from += stitchBatch {
		if err := s.run(ctx, edges[from:from+stitchBatch]); err != nil {
			return err
		}
	}
	s.print(fmt.Sprintf("%d times %d edges more", stitchMore, stitchBatch))
	b.say("both have the same groups after each")
	return nil
}

// uniteNumbers gives how long the engine's graph takes to unite edges between dense numbers, as SQL gets them, with nothing else about them.
func uniteNumbers(edges []edge, identifiers uint64, want []edge) (time.Duration, error) {
	space, err := slab.NewSpace(slab.Config{})
	if err != nil {
		return 0, err
	}
	defer space.Close()
	graph, err := stitch.NewGroups(space, int(identifiers))
	if err != nil {
		return 0, err
	}
	pairs := make([][2]uint32, len(edges))
	for i, e := range edges {
		pairs[i] = [2]uint32{uint32(e.a), uint32(e.b)}
	}
	runtime.GC()
	start := time.Now()
	graph.UniteAll(pairs)
	took := time.Since(start)
	for _, one := range want {
		if first := graph.First(uint32(one.a)); uint64(first) != one.b {
			return 0, fmt.Errorf("%w: the group of %d begins with %d as numbers, with %d as values", errDifferentGroups, one.a, first, one.b)
		}
	}
	return took, nil
}

// sideBySide is the engine and ClickHouse over the same edges, and what they took.
type sideBySide struct {
	part       *bench.Part
	engine     *stitchEngine
	sql        labels
	fast, slow time.Duration
	iterations int
}

// run adds edges to both, and compares the groups.
func (s *sideBySide) run(ctx context.Context, edges []edge) error {
	runtime.GC()
	fast, err := s.engine.add(edges)
	if err != nil {
		return err
	}
	if err := s.sql.load(ctx, edges); err != nil {
		return err
	}
	start := time.Now()
	iterations, err := s.sql.propagate(ctx)
	if err != nil {
		return err
	}
	s.fast, s.slow, s.iterations = s.fast+fast, s.slow+time.Since(start), s.iterations+iterations
	return s.sql.compare(ctx, s.engine.groups())
}

func (s *sideBySide) print(what string) {
	s.part.Add("engine, "+what, s.fast.Seconds(), "s")
	s.part.Add("SQL, "+what, s.slow.Seconds(), "s")
	s.part.Add("iterations of SQL, "+what, float64(s.iterations), "")
	s.part.Targets = append(s.part.Targets, bench.AtLeast("stitching against SQL, "+what, s.slow.Seconds()/s.fast.Seconds(), stitchGoal, "times"))
}

// stitchEngine sends edges through the stage as events.
type stitchEngine struct {
	stage  *stitch.Stage
	values []string
	ids    []uint32 // the engine's, of each identifier; 0 for those that did not come
	batch  schemas.Batch
	moment schemas.Moment
	arena  []schemas.Event
	count  int // of edges so far
}

// newStitchEngine makes a stage under rules without limits.
func (b *benchRun) newStitchEngine(identifiers uint64) (*stitchEngine, error) {
	path := filepath.Join(b.dir, "rules.yaml")
	if err := os.WriteFile(path, []byte(stitchRules), 0o600); err != nil {
		return nil, err
	}
	rules, err := stitch.ReadRules(path)
	if err != nil {
		return nil, err
	}
	e := &stitchEngine{stage: stitch.New(rules, []byte("bench"), nil, newRegistry()), ids: make([]uint32, identifiers), arena: make([]schemas.Event, stitchBatch)}
	for i := range identifiers {
		e.values = append(e.values, "identifier-"+strconv.FormatUint(i, 10))
	}
	return e, nil
}

// add stitches edges, and gives how long the stage took.
func (s *stitchEngine) add(edges []edge) (took time.Duration, err error) {
	for ; len(edges) > 0; edges = edges[min(stitchBatch, len(edges)):] {
		some := edges[:min(stitchBatch, len(edges))]
		s.batch.Reset()
		s.batch.Number++
		for i, one := range some {
			e := &s.arena[i]
			s.count++
			*e = schemas.Event{ID: "edge", Time: 20_000*schemas.Day + schemas.Time(s.count), Identifiers: e.Identifiers[:0]}
			e.Identify(stitchStandsIn, s.values[one.a])
			e.Identify(stitchStandsIn, s.values[one.b])
			s.batch.Events = append(s.batch.Events, e)
		}
		start := time.Now()
		if err := stitchThrough(s.stage, &s.batch, &s.moment); err != nil {
			return took, err
		}
		took += time.Since(start)
		for i, one := range some {
			s.ids[one.a], s.ids[one.b] = uint32(s.arena[i].IdentifierIDs[0]), uint32(s.arena[i].IdentifierIDs[1])
		}
	}
	return took, nil
}

// stitchThrough takes a batch through the stage.
func stitchThrough(stage *stitch.Stage, batch *schemas.Batch, moment *schemas.Moment) error {
	if err := stage.Begin(batch); err != nil {
		return err
	}
	for _, e := range batch.Events {
		moment.Event, moment.Touched = e, moment.Touched[:0]
		if err := stage.Step(batch, moment); err != nil {
			return err
		}
	}
	return stage.Apply(batch)
}

// groups gives the least identifier of each identifier's group, in the order of identifiers, and leaves out those that did not come.
func (s *stitchEngine) groups() (pairs []edge) {
	least := map[uint32]uint64{}
	for n, id := range s.ids {
		if id == 0 {
			continue
		}
		group := s.stage.Group(id)
		if _, known := least[group]; !known {
			least[group] = uint64(n)
		}
		pairs = append(pairs, edge{uint64(n), least[group]})
	}
	return pairs
}

// labels is connected components in SQL: each identifier takes the least label of itself and its neighbours, again and again, until no
// label changes.
type labels struct {
	ask   func(ctx context.Context, query string, body []byte) ([]byte, error)
	sum   string // of the labels
	round int
}

// create makes the tables.
func (l *labels) create(ctx context.Context) error {
	for _, query := range []string{
		"CREATE TABLE default.edges (a UInt64, b UInt64) ENGINE = MergeTree ORDER BY a",
		"CREATE TABLE default.labels_0 (id UInt64, label UInt64) ENGINE = MergeTree ORDER BY id",
	} {
		if _, err := l.ask(ctx, query, nil); err != nil {
			return err
		}
	}
	return nil
}

// load adds edges, in both directions, and the first label of each new identifier: its own. What others have stays, since labels only get
// less by more edges.
func (l *labels) load(ctx context.Context, edges []edge) error {
	body := make([]byte, 0, 32*len(edges))
	for _, e := range edges {
		body = appendPair(appendPair(body, e.a, e.b), e.b, e.a)
	}
	if _, err := l.ask(ctx, "INSERT INTO default.edges FORMAT RowBinary", body); err != nil {
		return err
	}
	table := fmt.Sprintf("default.labels_%d", l.round)
	for _, query := range []string{
		"OPTIMIZE TABLE default.edges FINAL",
		"INSERT INTO " + table + " SELECT DISTINCT a, a FROM default.edges WHERE a NOT IN (SELECT id FROM " + table + ")",
		"OPTIMIZE TABLE " + table + " FINAL",
	} {
		if _, err := l.ask(ctx, query, nil); err != nil {
			return err
		}
	}
	return l.total(ctx)
}

// total sums the labels. They only ever get less, so an equal sum says that none changed.
func (l *labels) total(ctx context.Context) error {
	answer, err := l.ask(ctx, fmt.Sprintf("SELECT sum(toUInt128(label)) FROM default.labels_%d", l.round), nil)
	l.sum = string(answer)
	return err
}

// propagate iterates until nothing changes, and gives how often it had to; the last time nothing changed.
func (l *labels) propagate(ctx context.Context) (iterations int, err error) {
	for before := ""; l.sum != before; iterations++ {
		before = l.sum
		from, to := fmt.Sprintf("default.labels_%d", l.round), fmt.Sprintf("default.labels_%d", l.round+1)
		for _, query := range []string{
			"CREATE TABLE " + to + " (id UInt64, label UInt64) ENGINE = MergeTree ORDER BY id",
			"INSERT INTO " + to + " SELECT id, min(label) FROM (SELECT e.a AS id, l.label AS label FROM default.edges AS e INNER JOIN " + from +
				" AS l ON e.b = l.id UNION ALL SELECT id, label FROM " + from + ") GROUP BY id",
			"DROP TABLE " + from,
		} {
			if _, err := l.ask(ctx, query, nil); err != nil {
				return iterations, err
			}
		}
		l.round++
		if err := l.total(ctx); err != nil {
			return iterations, err
		}
	}
	return iterations, nil
}

// compare makes sure that ClickHouse has the same groups: their labels are their least identifiers.
func (l *labels) compare(ctx context.Context, groups []edge) error {
	answer, err := l.ask(ctx, fmt.Sprintf("SELECT id, label FROM default.labels_%d ORDER BY id FORMAT RowBinary", l.round), nil)
	if err != nil {
		return err
	}
	if len(answer) != 16*len(groups) {
		return fmt.Errorf("ClickHouse has labels of %d identifiers, the engine groups of %d", len(answer)/16, len(groups))
	}
	for n, want := range groups {
		if id, label := pairAt(answer, n); id != want.a || label != want.b {
			return fmt.Errorf("%w: the group of %d begins with %d for the engine, that of %d with %d for ClickHouse", errDifferentGroups, want.a, want.b, id, label)
		}
	}
	return nil
}

var errDifferentGroups = errors.New("the engine and ClickHouse do not agree on who belongs together")
