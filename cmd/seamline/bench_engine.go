package main

import (
	"context"
	_ "embed"
	"errors"
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
	engineMax  = 3 * time.Minute
	engineCalm = 3 * time.Second
)

// errEngineStuck says that the engine reads nothing any more.
var errEngineStuck = errors.New("the Kafka engine stands still")

// engine measures ClickHouse's own Kafka engine over a dataset of single calls. Now and then its consumer group never comes to read; then it
// gets another chance with another group.
func (b *benchRun) engine(ctx context.Context, d *dataset, form, name string) (bench.Round, error) {
	round, err := b.engineOnce(ctx, d, form, name)
	if !errors.Is(err, errEngineStuck) {
		return round, err
	}
	fmt.Printf("  %v; once more\n", err)
	if err := b.drop(ctx, "bench_"+name); err != nil {
		return nil, err
	}
	return b.engineOnce(ctx, d, form, name+"_again")
}

func (b *benchRun) engineOnce(ctx context.Context, d *dataset, form, name string) (bench.Round, error) {
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
	if _, err := b.askClickHouse(ctx, view, nil); err != nil {
		return nil, err
	}
	before, took, err := b.watchEngine(ctx, kafka, name, d.records)
	if err != nil {
		return nil, err
	}
	used, err := b.stopEngine(ctx, before, database)
	if err != nil {
		return nil, err
	}
	if err := b.checkEngine(ctx, database, d.records); err != nil {
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

// checkEngine makes sure that the engine did its work: nearly as many rows as records, since the generator sends some twice, and in none of
// them is a time missing, or what kind of event it is in more than a few.
func (b *benchRun) checkEngine(ctx context.Context, database string, records int64) error {
	query := "SELECT if(count() > %d * 0.95 AND countIf(toYear(event_time) < 2000 OR event_id = '') = 0 AND countIf(type IN ('', 'custom')) < 0.05 * count() AND " +
		"countIf(properties != '') > 0.8 * count(), '', toString((count(), min(event_time), countIf(type IN ('', 'custom')), countIf(properties != '')))) FROM %s.events FORMAT TSVRaw"
	answer, err := b.askClickHouse(ctx, fmt.Sprintf(query, records, database), nil)
	if err != nil {
		return err
	}
	if wrong := strings.TrimSpace(string(answer)); wrong != "" {
		return fmt.Errorf("the Kafka engine did not do its work: rows, first time, rows of no known type, rows with properties: %s", wrong)
	}
	return nil
}

// stopEngine gives what was used until the last commit, and for merges from then on. What an engine without work uses until it is gone
// does not count.
func (b *benchRun) stopEngine(ctx context.Context, before bench.Usage, database string) (bench.Usage, error) {
	committed, err := b.processes.Usage()
	if err != nil {
		return bench.Usage{}, err
	}
	// A view that is dropped at once leaves a consumer behind that keeps a core busy for a quarter of a minute.
	if err := pause(ctx, engineCalm); err != nil {
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

// watchEngine waits until the engine has committed all records, which it does once their rows are inserted, and gives what had been used
// when it read the first, and how long it took from then on: that its group has to form does not count.
func (b *benchRun) watchEngine(ctx context.Context, kafka *bench.Kafka, group string, records int64) (bench.Usage, time.Duration, error) {
	before, first, err := b.firstRead(ctx)
	if err != nil {
		return before, 0, err
	}
	for time.Since(first) < engineMax {
		if err := pause(ctx, engineLook); err != nil {
			return before, 0, err
		}
		committed, err := kafka.Committed(ctx, group)
		if err != nil {
			return before, 0, err
		}
		if committed >= records {
			return before, time.Since(first), nil
		}
	}
	return before, 0, fmt.Errorf("%w: it did not read %d records within %s", errEngineStuck, records, engineMax)
}

// firstRead waits until the engine reads, and gives what had been used a moment before, and when.
func (b *benchRun) firstRead(ctx context.Context) (used bench.Usage, at time.Time, err error) {
	const query = "SELECT sum(value) FROM system.events WHERE event = 'KafkaMessagesRead'"
	was, err := b.askClickHouse(ctx, query, nil)
	if err != nil {
		return used, at, err
	}
	for start := time.Now(); time.Since(start) < engineMax; {
		at = time.Now()
		if used, err = b.processes.Usage(); err != nil {
			return used, at, err
		}
		if err := pause(ctx, engineLook); err != nil {
			return used, at, err
		}
		now, err := b.askClickHouse(ctx, query, nil)
		if err != nil || string(now) != string(was) {
			return used, at, err
		}
	}
	return used, at, fmt.Errorf("%w: it read nothing within %s", errEngineStuck, engineMax)
}
