package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seamline/seamline/consumers/decode"
	"github.com/seamline/seamline/pipeline/dedup"
	"github.com/seamline/seamline/pipeline/slab"
	"github.com/seamline/seamline/pipeline/stitch"
	"github.com/seamline/seamline/schemas"
	"github.com/seamline/seamline/sinks/clickhouse"
)

// dryRunOptions say what a dry run compares, and how much of it is shown.
type dryRunOptions struct {
	rules  string // a file
	source string // topics or log
	top    int
	out    io.Writer // of progress; nil for none
	log    *slog.Logger
}

// topMax bounds what is shown of each kind.
const topMax = 1000

func runIdentityDryRun(ctx context.Context, args []string) error {
	s := defaultSettings()
	fs := flag.NewFlagSet("identity dry-run", flag.ContinueOnError)
	opt := dryRunOptions{out: os.Stderr}
	fs.StringVar(&opt.rules, "rules", "", "file of identity rules to try")
	fs.StringVar(&opt.source, "from", "topics", "topics: fold all records that the topics have; log: fold the links of the identity log, without their values")
	fs.IntVar(&opt.top, "top", 10, "how many examples and clusters are shown of each kind")
	asJSON := fs.Bool("json", false, "print JSON")
	if err := s.parse(fs, args); err != nil {
		return err
	}
	if err := opt.validate(&s, fs.Args()); err != nil {
		return usageError{fmt.Errorf("identity dry-run: %w", err)}
	}
	opt.log = s.logger(os.Stderr)
	report, err := dryRun(ctx, &s, opt)
	if err != nil {
		return err
	}
	return show(os.Stdout, *asJSON, report)
}

func (o *dryRunOptions) validate(s *settings, args []string) error {
	switch {
	case len(args) > 0:
		return fmt.Errorf("it takes no arguments, only flags: %q", args[0])
	case o.rules == "":
		return errors.New("--rules is missing")
	case o.top < 0 || o.top > topMax:
		return fmt.Errorf("--top must be between 0 and %d", topMax)
	case o.source == "log":
		return s.ClickHouse.Validate()
	case o.source != "topics":
		return fmt.Errorf("--from %q is neither topics nor log", o.source)
	}
	return errors.Join(s.Kafka.Validate(), s.Decode.Validate(), s.Email.Validate(), s.POS.Validate(), s.Dedup.Validate())
}

// dryRun folds the same events under the rules in force and under others, and compares. It writes nothing but temporary state, joins no
// consumer group, and commits nothing.
func dryRun(ctx context.Context, s *settings, opt dryRunOptions) (report *dryReport, err error) {
	s = s.withinMemory()
	err = inPassing(ctx, s, func(space *slab.Space) error {
		report, err = dryRunIn(ctx, s, space, opt)
		return err
	})
	return report, err
}

// dryRunIn is dryRun with memory for its state.
func dryRunIn(ctx context.Context, s *settings, space *slab.Space, opt dryRunOptions) (*dryReport, error) {
	f, err := newDryFold(s, opt.rules, space)
	if err != nil {
		return nil, err
	}
	progress := newWaiting(opt.out)
	defer progress.end()
	began := time.Now()
	f.progress = func() {
		progress.update(fmt.Sprintf("folded %d records, %d events, %.0f s", f.records, f.events, time.Since(began).Seconds()))
	}
	if opt.source == "log" {
		return dryRunLog(ctx, s, f, opt)
	}
	if err := f.topics(ctx, s, space, opt.log); err != nil {
		return nil, err
	}
	progress.end()
	return f.report(s, opt)
}

// dryRunLog folds the identity log.
func dryRunLog(ctx context.Context, s *settings, f *dryFold, opt dryRunOptions) (*dryReport, error) {
	reader, err := clickhouse.OpenIdentityReader(s.ClickHouse)
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	if err := f.log(ctx, reader); err != nil {
		return nil, err
	}
	f.resolve = func(ids []uint64) (map[uint64]schemas.IdentifierRow, error) { return reader.Identifiers(ctx, ids) }
	return f.report(s, opt)
}

// topics folds all records that the topics have at the start.
func (f *dryFold) topics(ctx context.Context, s *settings, space *slab.Space, log *slog.Logger) error {
	reg := prometheus.NewRegistry()
	before := []schemas.Stage{decode.New(s.Decode, sources(s), reg), dedup.New(s.Dedup, space, reg)}
	return readTopics(ctx, s, 0, log, func(b *schemas.Batch) error {
		for _, stage := range before {
			if err := stage.Apply(b); err != nil {
				return fmt.Errorf("%s: %w", stage.Name(), err)
			}
		}
		f.records += uint64(len(b.Records))
		if err := f.fold(b); err != nil {
			return err
		}
		return space.Trim()
	})
}

// logBatchEvents is how many links of the log make a batch.
const logBatchEvents = 10_000

// log folds the links of the identity log, in the order of their first evidence, as if each were an event.
func (f *dryFold) log(ctx context.Context, reader *clickhouse.IdentityReader) error {
	f.isLog = true
	b := &schemas.Batch{}
	err := reader.Pairs(ctx, func(d schemas.Decision) error {
		b.Events = append(b.Events, &schemas.Event{ID: d.EventID, Time: max(d.Time, 1), Record: &schemas.Record{Time: d.Time},
			Identifiers: []schemas.Identifier{{Namespace: d.ANamespace, Value: f.inForce.rules.StandIn(f.other.rules, d.ANamespace, d.A)},
				{Namespace: d.BNamespace, Value: f.inForce.rules.StandIn(f.other.rules, d.BNamespace, d.B)}}})
		f.ends = append(f.ends, [2]uint64{d.A, d.B})
		if len(b.Events) < logBatchEvents {
			return nil
		}
		err := f.fold(b)
		b.Events, f.ends = b.Events[:0], f.ends[:0]
		return err
	})
	if err != nil {
		return err
	}
	return f.fold(b)
}

// dryRules reads both sets of rules.
func dryRules(s *settings, path string) (inForce, other *stitch.Rules, err error) {
	if inForce, err = stitch.ReadRules(s.Identity.Rules); err != nil {
		return nil, nil, err
	}
	if other, err = stitch.ReadRules(path); err != nil {
		return nil, nil, fmt.Errorf("--rules: %w", err)
	}
	return inForce, other, nil
}
