package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/seamline/seamline/cmd/seamline/bench"
)

// Names of what is measured.
const (
	nameFull    = "seamline"
	nameBare    = "seamline, no stitching, scoring, audiences"
	nameLoose   = "seamline, at least once, no intents"
	nameCached  = "seamline, no fsync"
	nameString  = "ClickHouse Kafka engine, JSONAsString"
	nameRows    = "ClickHouse Kafka engine, JSONEachRow"
	nameConsume = "franz-go, consume and discard"
	nameDiscard = "seamline, discarding sink"
	nameOneCore = "seamline, discarding sink, one core"
	nameMix     = "seamline, all formats"
)

// thinking is the stages that no mover of data has.
var thinking = []string{"stitch", "score", "audience"}

// versus takes the same topic of single calls through the line, in several forms, and through what others would use.
func (b *benchRun) versus(ctx context.Context) error {
	calls, err := b.calls(ctx)
	if err != nil {
		return err
	}
	line := func(name string, change func(*benchJob), cores int) variant {
		return variant{name, func(ctx context.Context, round string) (bench.Round, error) {
			job := b.job(round, calls)
			change(&job)
			r, _, err := b.pipeline(ctx, calls, job, cores)
			return r, err
		}}
	}
	engine := func(name, form string) variant {
		return variant{name, func(ctx context.Context, round string) (bench.Round, error) { return b.engine(ctx, calls, form, round) }}
	}
	variants := []variant{
		line(nameFull, func(*benchJob) {}, 0),
		engine(nameString, engineForms[0]),
		line(nameLoose, atLeastOnce, 0),
		line(nameDiscard, discard, 0),
		{nameConsume, func(ctx context.Context, _ string) (bench.Round, error) { return b.consume(ctx, calls) }},
		line(nameOneCore, discard, 1),
	}
	if !b.isShort {
		variants = append(variants,
			engine(nameRows, engineForms[1]),
			line(nameBare, func(j *benchJob) { j.Without = thinking }, 0),
			line(nameCached, func(j *benchJob) { j.Settings["clickhouse.fsync"] = "false" }, 0))
	}
	if err := b.rounds(ctx, b.part, variants); err != nil {
		return err
	}
	b.part.Add("bytes per event", float64(calls.bytes)/float64(calls.records), "bytes")
	b.judgeVersus(calls)
	return b.profiled(ctx, calls)
}

func atLeastOnce(j *benchJob) {
	j.AtLeastOnce = true
	j.Settings["state.checkpoint.every"], j.Settings["state.backup.every"] = never.String(), "0s"
}

func discard(j *benchJob) {
	j.Discard = true
	j.Settings["state.backup.every"] = "0s"
}

// consume measures a bare consumer.
func (b *benchRun) consume(_ context.Context, d *dataset) (bench.Round, error) {
	p, err := b.startJob(benchJob{Kind: "consume", Settings: map[string]string{"kafka.brokers": b.settings.Kafka.Brokers}, Topics: d.names()}, 0)
	if err != nil {
		return nil, err
	}
	if err := p.running(); err != nil {
		return nil, err
	}
	before, err := b.processes.Usage()
	if err != nil {
		p.kill()
		return nil, err
	}
	result, err := p.result()
	if err != nil {
		return nil, err
	}
	after, err := b.processes.Usage()
	if err != nil {
		return nil, err
	}
	return roundOf(d, result, bench.Usage{Broker: after.Broker - before.Broker}), nil
}

// judgeVersus holds the medians against the goals.
func (b *benchRun) judgeVersus(calls *dataset) {
	p := b.part
	full, engine := p.Variant(nameFull), p.Variant(nameString)
	if rows := p.Variant(nameRows); rows != nil && rows.Median(bench.Total) < engine.Median(bench.Total) {
		engine = rows
	}
	cpu := bench.SpreadOf(bench.Ratios(full.Values(bench.Total), engine.Values(bench.Total)))
	rate := bench.SpreadOf(bench.Ratios(full.Values(bench.Rate), engine.Values(bench.Rate)))
	ratio := func(over, under *bench.Variant, measure string) float64 {
		return over.Median(measure) / under.Median(measure)
	}
	between := func(s bench.Spread) string {
		return fmt.Sprintf("round by round min %.3f, median %.3f, max %.3f", s.Min, s.Median, s.Max)
	}
	once := bench.SpreadOf(bench.Ratios(full.Values(bench.Total), p.Variant(nameLoose).Values(bench.Total)))
	discard, one := p.Variant(nameDiscard), p.Variant(nameOneCore)
	p.Targets = append(p.Targets,
		bench.AtMost("CPU of all processes against the better form of the Kafka engine", ratio(full, engine, bench.Total), 0.6, "times").Stretched(0.45).
			With("the better form is "+engine.Name+"; "+between(cpu)),
		bench.AtLeast("events per second against the better form of the Kafka engine", ratio(full, engine, bench.Rate), 2.5, "times").With(between(rate)),
		bench.AtMost("CPU of the pipeline's process", full.Median(bench.Pipeline), 2.5, "us/event"),
		bench.AtLeast("rate per CPU with a discarding sink, against a bare consumer", ratio(p.Variant(nameConsume), discard, bench.Pipeline), 0.45, "times").
			With("CPU of the two processes that consume, without the broker's"),
		bench.AtMost("CPU exactly once against at least once", ratio(full, p.Variant(nameLoose), bench.Total), exactlyOnceCostMax, "times").With(between(once)),
		bench.AtLeast("two cores against one, with a discarding sink", ratio(discard, one, bench.Rate), 1.85, "times").
			With(coresNote(discard, one)),
		bench.AtMost("parts per second into the table that gets most", full.Median(bench.Parts), 1, "1/s").With("table "+b.busiestTable+", flat out"),
		bench.AtMost("allocations in steady state", full.Median(bench.Allocs), 0.01, "1/event").
			With(fmt.Sprintf("of the whole process, between %.0f and %.0f %% of the records", 100*steadyFrom, 100*steadyUntil)),
		bench.AtMost("share of the garbage collector", full.Median(bench.Collection), 0.02, "of CPU"),
	)
	if cached := p.Variant(nameCached); cached != nil {
		p.Add("flushing rows to disk, CPU with against without", ratio(full, cached, bench.Total), "times")
	}
	if bare := p.Variant(nameBare); bare != nil {
		p.Add("stitching, scoring and audiences, CPU with against without", ratio(full, bare, bench.Total), "times")
	}
	p.Add("peak memory of the pipeline", full.Median(bench.Resident)/(1<<20), "MiB")
	b.flatRate = full.Median(bench.Rate)
}

// coresNote says what else ran on the cores.
func coresNote(two, one *bench.Variant) string {
	alone := func(v *bench.Variant, cores float64) float64 {
		return v.Median(bench.Rate) / (cores - v.Median(bench.Rate)*v.Median(bench.Broker)/1e6)
	}
	return fmt.Sprintf("the broker runs on the same cores, and takes from the two but hardly from the one; per core that is left to the pipeline: %.2f times",
		2*alone(two, 2)/alone(one, 1))
}

// Shares of the pipeline's CPU time that are told, by what functions' names begin with; they are not disjoint.
var profileShares = []struct{ name, prefix string }{
	{"stitching", "github.com/seamline/seamline/pipeline/stitch."},
	{"scoring", "github.com/seamline/seamline/pipeline/score."},
	{"audiences", "github.com/seamline/seamline/pipeline/audience."},
	{"timers", "github.com/seamline/seamline/pipeline/timers."},
	{"decoding", "github.com/seamline/seamline/consumers/decode."},
	{"gathering", "github.com/seamline/seamline/consumers/kafka."},
	{"franz-go", "github.com/twmb/franz-go/"},
	{"duplicates", "github.com/seamline/seamline/pipeline/dedup."},
	{"ClickHouse sink", "github.com/seamline/seamline/sinks/clickhouse."},
	{"checkpoints and the store", "github.com/seamline/seamline/pipeline/state."},
	{"Pebble, in the background too", "github.com/cockroachdb/pebble/"},
	{"garbage collector", "runtime.gcBgMarkWorker"},
}

// profiled runs the line once more with a CPU profile, and tells what the time is spent on.
func (b *benchRun) profiled(ctx context.Context, calls *dataset) error {
	job := b.job("profiled", calls)
	job.Profile = b.profile
	if job.Profile == "" {
		job.Profile = filepath.Join(b.dir, "cpu.profile")
	}
	_, result, err := b.pipeline(ctx, calls, job, 0)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(job.Profile)
	if err != nil {
		return err
	}
	prefixes := make([]string, len(profileShares))
	for i, s := range profileShares {
		prefixes[i] = s.prefix
	}
	shares, err := bench.CPUShares(text, prefixes...)
	if err != nil {
		return err
	}
	for i, s := range profileShares {
		b.part.Shares = append(b.part.Shares, bench.Fact{Name: s.name, Value: shares[i], Unit: "of CPU"})
	}
	b.part.Add("state directory after the run", float64(result.StateDir)/(1<<20), "MiB")
	b.part.Targets = append(b.part.Targets, bench.AtMost("share of stitching", shares[0], stitchShareMax, "of CPU").With("by a CPU profile"),
		bench.AtMost("share of scoring", shares[1], 0.2, "of CPU").With("by a CPU profile"))
	return nil
}

// mix takes all formats through the line, as the generator makes them.
func (b *benchRun) mix(ctx context.Context) error {
	d, err := b.fillMix(ctx, "mix", shoppersConfig(b.shoppers))
	if err != nil {
		return err
	}
	return b.rounds(ctx, b.part, []variant{{nameMix, func(ctx context.Context, round string) (bench.Round, error) {
		job := b.job(round, d)
		job.Profile = b.profile
		r, _, err := b.pipeline(ctx, d, job, 0)
		return r, err
	}}})
}
