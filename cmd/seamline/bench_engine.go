package main

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seamline/seamline/cmd/seamline/bench"
	"github.com/seamline/seamline/sinks/clickhouse"
)

// engineFile is what a user of ClickHouse would write instead of running Seamline: a table that reads the topic of calls, and a view that
// takes them apart into our own table of events. It gets that table as we make it, with all columns, codecs and indexes; what it cannot
// know stays at its default: profile_id, session_id, identifiers, leaf and revenue. It need not flush rows to disk, keep duplicates out,
// correct clocks, or refuse what is malformed, all of which favours it.
//
//go:embed bench_engine.sql
var engineFile string

// engineForms are the two ways to read JSON.
var engineForms = []string{"JSONAsString", "JSONEachRow"}

// How the engine is waited for.
const (
	engineLook = 50 * time.Millisecond
	engineMax  = 10 * time.Minute
)

// engine measures ClickHouse's own Kafka engine over a dataset of single calls.
func (b *benchRun) engine(ctx context.Context, d *dataset, form, name string) (bench.Round, error) {
	database := "bench_" + name
	cfg := b.settings.ClickHouse
	cfg.Database, cfg.Fsync = database, false
	if err := clickhouse.Migrate(ctx, cfg, b.log); err != nil {
		return nil, err
	}
	kafka, err := bench.OpenKafka(b.settings.Kafka.Brokers)
	if err != nil {
		return nil, err
	}
	defer kafka.Close()
	queue, view, err := engineStatements(form, strings.NewReplacer("{database}", database, "{brokers}", b.settings.Kafka.Brokers,
		"{topic}", d.names()[0], "{group}", name, "{consumers}", strconv.Itoa(engineConsumers)))
	if err != nil {
		return nil, err
	}
	if _, err := b.askClickHouse(ctx, queue, nil); err != nil {
		return nil, err
	}
	before, err := b.processes.Usage()
	if err != nil {
		return nil, err
	}
	if _, err := b.askClickHouse(ctx, view, nil); err != nil {
		return nil, err
	}
	took, err := b.watchEngine(ctx, kafka, name, d.records)
	if err != nil {
		return nil, err
	}
	used, err := b.stopEngine(ctx, before, database)
	if err != nil {
		return nil, err
	}
	round := roundOf(d, benchResult{Records: d.records, Seconds: took.Seconds(), CPU: 1e-12}, used)
	_, parts, err := b.mostParts(ctx, database)
	if err != nil {
		return nil, err
	}
	round[bench.Pipeline], round[bench.Parts] = 0, parts/took.Seconds()
	return round, b.drop(ctx, database)
}

// stopEngine gives what was used until the last commit, and for merges from then on. What an engine without work uses until it is gone
// does not count.
func (b *benchRun) stopEngine(ctx context.Context, before bench.Usage, database string) (bench.Usage, error) {
	committed, err := b.processes.Usage()
	if err != nil {
		return bench.Usage{}, err
	}
	for _, object := range []string{"VIEW " + database + ".engine_view", "TABLE " + database + ".engine_queue"} {
		if _, err := b.askClickHouse(ctx, "DROP "+object+" SYNC", nil); err != nil {
			return bench.Usage{}, err
		}
	}
	gone, err := b.processes.Usage()
	if err != nil {
		return bench.Usage{}, err
	}
	rest, err := b.usedUntilQuiet(ctx, gone, database)
	used, idle := committed.Since(before), gone.Since(committed)
	used.Merges += idle.Merges + rest.Merges
	used.ClickHouse += idle.Merges + rest.ClickHouse
	return used, err
}

// engineConsumers is one for each core of a small machine.
const engineConsumers = 2

// engineStatements takes the table and the view of a form from the file.
func engineStatements(form string, fill *strings.Replacer) (queue, view string, err error) {
	statements := strings.Split(engineFile, ";\n")
	i := slices.IndexFunc(statements, func(s string) bool { return strings.Contains(s, "kafka_format = '"+form+"'") })
	if i < 0 || i+1 >= len(statements) {
		return "", "", fmt.Errorf("no statements read %s", form)
	}
	return fill.Replace(statements[i]), fill.Replace(statements[i+1]), nil
}

// watchEngine waits until the engine has committed all records, which it does once their rows are inserted, and gives how long it took
// from the first that it read.
func (b *benchRun) watchEngine(ctx context.Context, kafka *bench.Kafka, group string, records int64) (time.Duration, error) {
	const query = "SELECT sum(value) FROM system.events WHERE event = 'KafkaMessagesRead'"
	read := func() (string, error) {
		answer, err := b.askClickHouse(ctx, query, nil)
		return string(answer), err
	}
	before, err := read()
	if err != nil {
		return 0, err
	}
	start, first := time.Now(), time.Time{}
	for time.Since(start) < engineMax {
		if err := pause(ctx, engineLook); err != nil {
			return 0, err
		}
		if first.IsZero() {
			now, err := read()
			if err != nil {
				return 0, err
			}
			if now != before {
				first = time.Now()
			}
			continue
		}
		committed, err := kafka.Committed(ctx, group)
		if err != nil {
			return 0, err
		}
		if committed >= records {
			return time.Since(first), nil
		}
	}
	return 0, fmt.Errorf("the Kafka engine did not read %d records within %s", records, engineMax)
}
