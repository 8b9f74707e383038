package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/seamline/seamline/cmd/seamline/bench"
	"github.com/seamline/seamline/sinks/clickhouse"
)

// variant is something that is measured round by round.
type variant struct {
	name    string
	measure func(ctx context.Context, round string) (bench.Round, error)
}

// rounds measures variants in turn, so that what else the machine does meets all of them. A first turn warms everything up and does not
// count.
func (b *benchRun) rounds(ctx context.Context, part *bench.Part, variants []variant) error {
	for _, v := range variants {
		part.Variants = append(part.Variants, &bench.Variant{Name: v.name})
	}
	added := part.Variants[len(part.Variants)-len(variants):]
	for round := range b.roundCount + 1 {
		for k := range variants {
			i := k
			if round%2 == 1 {
				i = len(variants) - 1 - k // who comes first has no advantage
			}
			r, err := variants[i].measure(ctx, fmt.Sprintf("%s_%d_%d", part.Name, round, i))
			if err != nil {
				return fmt.Errorf("%s: %w", variants[i].name, err)
			}
			if round == 0 {
				b.say("warm-up: %s: %.2f us per event, %.0f events per second", variants[i].name, r[bench.Total], r[bench.Rate])
				continue
			}
			b.say("round %d of %d: %s: %.2f us per event, %.0f events per second", round, b.roundCount, variants[i].name, r[bench.Total], r[bench.Rate])
			added[i].Rounds = append(added[i].Rounds, r)
		}
	}
	return nil
}

// job makes the job of a pipeline over a dataset, with a state and tables of its own.
func (b *benchRun) job(name string, d *dataset) benchJob {
	j := benchJob{Kind: "pipeline", Name: "bench_" + name, Records: d.records, Settings: map[string]string{
		"kafka.brokers": b.settings.Kafka.Brokers, "kafka.topics.create": "true", "kafka.topics.intents": "bench_" + name + ".intents",
		"clickhouse.addr": b.settings.ClickHouse.Addr, "clickhouse.database": "bench_" + name, "pipeline.id": "bench_" + name,
		"state.dir": filepath.Join(b.settings.StateDir, name), "http.addr": "", "identity.key": "bench", "audiences.rules": b.audiences,
	}}
	d.settings(j.Settings)
	return j
}

// pipeline measures a pipeline of its own process over a dataset.
func (b *benchRun) pipeline(ctx context.Context, d *dataset, job benchJob, cores int) (bench.Round, benchResult, error) {
	job.Settings = maps.Clone(job.Settings)
	p, err := b.startJob(job, cores)
	if err != nil {
		return nil, benchResult{}, err
	}
	if err := p.running(); err != nil {
		return nil, benchResult{}, err
	}
	before, err := b.processes.Usage()
	if err != nil {
		p.kill()
		return nil, benchResult{}, err
	}
	result, err := p.result()
	if err != nil {
		return nil, result, err
	}
	used, err := b.usedUntilQuiet(ctx, before, job.Name)
	if err != nil {
		return nil, result, err
	}
	round := roundOf(d, result, used)
	table, parts, err := b.mostParts(ctx, job.Name)
	if err != nil {
		return nil, result, err
	}
	round[bench.Parts] = parts / result.Seconds
	b.busiestTable = table
	return round, result, b.drop(ctx, job.Name)
}

// roundOf divides what was used by the events.
func roundOf(d *dataset, result benchResult, used bench.Usage) bench.Round {
	events := float64(result.Events)
	if d.isSingle {
		events = float64(result.Records) // with those that came twice
	}
	each := func(seconds float64) float64 { return seconds * 1e6 / events }
	r := bench.Round{
		bench.Events: events, bench.Seconds: result.Seconds, bench.Rate: events / result.Seconds,
		bench.Pipeline: each(result.CPU), bench.Broker: each(used.Broker.Seconds()),
		bench.Inserts: each((used.ClickHouse - used.Merges).Seconds()), bench.Merges: each(used.Merges.Seconds()),
		bench.Allocs: result.Allocs, bench.Collection: result.Collection, bench.Resident: float64(result.Resident),
	}
	r[bench.Total] = r[bench.Pipeline] + r[bench.Broker] + r[bench.Inserts] + r[bench.Merges]
	return r
}

// How ClickHouse is waited for.
const (
	quietLook = 300 * time.Millisecond
	quietMax  = 2 * time.Minute
	quietFor  = 4 // looks in a row without a merge or another set of parts
)

// usedUntilQuiet waits until ClickHouse has nothing to merge any more, and gives what was used since before.
func (b *benchRun) usedUntilQuiet(ctx context.Context, before bench.Usage, database string) (bench.Usage, error) {
	const query = "SELECT (SELECT count() FROM system.merges), count(), sum(rows) FROM system.parts WHERE active AND database = '%s' FORMAT TSV"
	start, last, same := time.Now(), "", 0
	for same < quietFor && time.Since(start) < quietMax {
		if err := pause(ctx, quietLook); err != nil {
			return bench.Usage{}, err
		}
		answer, err := b.askClickHouse(ctx, fmt.Sprintf(query, database), nil)
		if err != nil {
			return bench.Usage{}, err
		}
		now := string(answer)
		if strings.HasPrefix(now, "0\t") && now == last {
			same++
		} else {
			same = 0
		}
		last = now
	}
	after, err := b.processes.Usage()
	return after.Since(before), err
}

// mostParts gives the table into which most parts were inserted, and how many: parts of a table are numbered in order.
func (b *benchRun) mostParts(ctx context.Context, database string) (string, float64, error) {
	answer, err := b.askClickHouse(ctx, "SELECT table, toFloat64(max(max_block_number)) AS parts FROM system.parts WHERE active AND database = '"+
		database+"' GROUP BY table ORDER BY parts DESC, table LIMIT 1 FORMAT JSONCompactEachRow", nil)
	if err != nil || len(answer) == 0 {
		return "", 0, err
	}
	var row []any
	if err := json.Unmarshal(answer, &row); err != nil {
		return "", 0, fmt.Errorf("read parts: %w", err)
	}
	table, _ := row[0].(string)
	parts, _ := row[1].(float64)
	return table, parts, nil
}

// drop makes room after a run.
func (b *benchRun) drop(ctx context.Context, database string) error {
	cfg := b.settings.ClickHouse
	cfg.Database = "default"
	if _, _, err := clickhouse.Query(ctx, cfg, "DROP DATABASE IF EXISTS "+database+" SYNC"); err != nil {
		return fmt.Errorf("drop the tables of a run: %w", err)
	}
	return os.RemoveAll(filepath.Join(b.settings.StateDir, strings.TrimPrefix(database, "bench_")))
}
