package main

import (
	"context"
	"fmt"
	"time"

	"github.com/seamline/seamline/cmd/seamline/bench"
	"github.com/seamline/seamline/consumers/decode"
	"github.com/seamline/seamline/deploy/shoppers"
	"github.com/seamline/seamline/schemas"
	"github.com/seamline/seamline/sinks/clickhouse"
)

// Names of how rows are inserted, and how many rows an INSERT has.
const (
	nameNative    = "Seamline's inserts"
	nameJSON      = "INSERT FORMAT JSONEachRow"
	insertRows    = 100_000
	insertCostMax = 0.45

	shoppersPerInsert = 1500 // who send more calls than that together
)

// inserting sends the same rows of events to two tables alike: as the sink does, and as JSON objects. Both have the same columns, codecs and
// indexes, the same rows in each INSERT, and the same durability; merges are stopped. Only the server's CPU counts.
func (b *benchRun) inserting(ctx context.Context) error {
	native, json := b.settings.ClickHouse, b.settings.ClickHouse
	native.Database, json.Database = "bench_native", "bench_json"
	if err := clickhouse.Migrate(ctx, json, b.log); err != nil {
		return err
	}
	sink, err := clickhouse.Open(ctx, native, clickhouse.Options{PipelineID: "bench", Report: func(error) {}, Log: b.log, Registry: newRegistry()})
	if err != nil {
		return err
	}
	defer func() { _ = sink.Close() }() // what it wrote is durable
	for _, database := range []string{native.Database, json.Database} {
		if _, err := b.askClickHouse(ctx, "SYSTEM STOP MERGES "+database+".events", nil); err != nil {
			return err
		}
	}
	source := &rowSource{calls: schemas.FeedClickstream, generator: shoppers.New(shoppersConfig(max(b.shoppers, shoppersPerInsert*(b.roundCount+1)))), batch: &schemas.Batch{},
		stage: decode.New(b.settings.Decode, sources(&b.settings), newRegistry())}
	ours, theirs := &bench.Variant{Name: nameNative}, &bench.Variant{Name: nameJSON}
	b.part.Variants = []*bench.Variant{ours, theirs}
	for round := range b.roundCount + 1 {
		batch, err := source.next()
		if err != nil {
			return err
		}
		first, err := b.serverCPU(len(batch.Events), func() error { return sink.Write(ctx, batch) })
		if err != nil {
			return err
		}
		rows, err := b.askClickHouse(ctx, fmt.Sprintf("SELECT * FROM %s.events WHERE _batch = %d ORDER BY kafka_offset, element FORMAT JSONEachRow",
			native.Database, batch.Number), nil)
		if err != nil {
			return err
		}
		second, err := b.serverCPU(len(batch.Events), func() error {
			_, err := b.askClickHouse(ctx, "INSERT INTO "+json.Database+".events FORMAT JSONEachRow", rows)
			return err
		})
		if err != nil {
			return err
		}
		b.say("round %d of %d: %.2f us per row, %.2f as JSON", round, b.roundCount, first[bench.Inserts], second[bench.Inserts])
		if round > 0 { // the first warms up
			ours.Rounds, theirs.Rounds = append(ours.Rounds, first), append(theirs.Rounds, second)
		}
	}
	if err := b.sameRows(ctx, native.Database, json.Database); err != nil {
		return err
	}
	b.part.Targets = append(b.part.Targets, bench.AtMost("the server's CPU for our inserts against JSONEachRow",
		ours.Median(bench.Inserts)/theirs.Median(bench.Inserts), insertCostMax, "times").With("equal columns, 100,000 rows in each INSERT, merges stopped"))
	return nil
}

// serverCPU gives what ClickHouse used for some rows.
func (b *benchRun) serverCPU(rows int, insert func() error) (bench.Round, error) {
	before, err := b.processes.Usage()
	if err != nil {
		return nil, err
	}
	start := time.Now()
	if err := insert(); err != nil {
		return nil, err
	}
	took := time.Since(start).Seconds()
	after, err := b.processes.Usage()
	if err != nil {
		return nil, err
	}
	each := (after.ClickHouse - before.ClickHouse).Seconds() * 1e6 / float64(rows)
	return bench.Round{bench.Events: float64(rows), bench.Seconds: took, bench.Rate: float64(rows) / took, bench.Inserts: each, bench.Total: each}, nil
}

// sameRows makes sure that both tables hold the same.
func (b *benchRun) sameRows(ctx context.Context, one, other string) error {
	var sums [2]string
	for i, database := range []string{one, other} {
		answer, err := b.askClickHouse(ctx, "SELECT count(), sum(cityHash64(*)) FROM "+database+".events FORMAT TSV", nil)
		if err != nil {
			return err
		}
		sums[i] = string(answer)
	}
	if sums[0] != sums[1] {
		return fmt.Errorf("the tables differ: rows and checksum are %q and %q", sums[0], sums[1])
	}
	return nil
}

// rowSource makes batches of decoded events, whose people nobody knows.
type rowSource struct {
	calls     schemas.Feed
	generator *shoppers.Generator
	stage     schemas.Stage
	batch     *schemas.Batch
	offset    int64
	number    uint64
}

// next gives the next batch; it is valid until the call after.
func (s *rowSource) next() (*schemas.Batch, error) {
	b := s.batch
	b.Reset()
	s.number++
	b.Number, b.Now = s.number, schemas.TimeOf(time.Now())
	from := s.offset
	for len(b.Records) < insertRows {
		r, ok := s.generator.Next()
		if !ok {
			return nil, fmt.Errorf("the generator has fewer than %d records for %d rounds", insertRows, s.number)
		}
		if schemas.Feed(r.Topic) != s.calls {
			continue
		}
		calls, err := callsOf(r.Value)
		if err != nil {
			continue // framed
		}
		for _, call := range calls {
			b.Records = append(b.Records, schemas.Record{Topic: "calls", Feed: s.calls, Offset: s.offset, Time: schemas.TimeOf(r.Time), Value: call})
			s.offset++
		}
	}
	b.Ranges = append(b.Ranges, schemas.Range{Topic: "calls", From: from, To: s.offset})
	if err := s.stage.Apply(b); err != nil {
		return nil, err
	}
	for _, e := range b.Events {
		e.Items = e.Items[:0] // they would be rows of another table
	}
	return b, nil
}
