package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seamline/seamline/deploy/local"
	"github.com/seamline/seamline/deploy/shoppers"
	producer "github.com/seamline/seamline/sinks/kafka"
)

// benchRun measures whole processes: from the topics to durable in ClickHouse, as fast as it goes.
type benchRun struct {
	shoppers int
	days     int
	profile  string
	rounds   int       // of what exactly-once costs; 0 for none
	rate     float64   // records per second under which a process is killed; 0 for not
	memory   byteSize  // ceiling of a run with more state than that; 0 for none
	edges    int       // that are stitched by the engine and in SQL; 0 for none
	dir      string    // for everything
	stack    *exec.Cmd // `seamline local`, so that the broker's and ClickHouse's CPU are counted apart from ours
	settings settings
	log      *slog.Logger

	clickHouseHTTP string // of the stack
}

func runBench(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	b := benchRun{log: slog.New(slog.DiscardHandler), memory: 256 << 20}
	fs.IntVar(&b.shoppers, "shoppers", 5000, "simulated shoppers, whose traffic is taken flat out; 0 for none")
	fs.IntVar(&b.days, "days", 7, "days of their traffic")
	fs.StringVar(&b.profile, "cpuprofile", "", "file for a CPU profile of the pipeline")
	fs.IntVar(&b.rounds, "rounds", 5, "rounds of measuring what exactly-once costs; 0 for none")
	fs.Float64Var(&b.rate, "rate", 10_000, "records per second under which a process is killed and catches up; 0 for not")
	fs.IntVar(&b.edges, "edges", 1_000_000, "pairs of identifiers that the engine and ClickHouse stitch side by side; 0 for none")
	fs.Var(&b.memory, "memory", "ceiling of a run that needs more than that; 0 for none")
	if err := parseFlags(fs, args); err != nil {
		return err
	}
	var err error
	if b.dir, err = os.MkdirTemp("", "seamline-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	var parts []func(context.Context) error
	if b.shoppers > 0 {
		parts = append(parts, b.flatOut)
	}
	if b.edges > 0 {
		parts = append(parts, b.stitching)
	}
	if b.rate > 0 {
		parts = append(parts, b.catchUp)
	}
	if b.memory > 0 {
		parts = append(parts, b.underCeiling)
	}
	for i, part := range parts {
		if err := b.onNewStack(ctx, fmt.Sprint(i), part); err != nil {
			return err
		}
	}
	return nil
}

// onNewStack runs a part of the benchmark on a broker and a ClickHouse of its own.
func (b *benchRun) onNewStack(ctx context.Context, name string, part func(context.Context) error) error {
	dir := filepath.Join(b.dir, name)
	addresses, stop, err := b.startLocal(dir)
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	defer stop()
	b.settings = defaultSettings()
	b.settings.Kafka.Brokers, b.settings.Kafka.CreateTopics = addresses.Kafka, true
	b.settings.ClickHouse.Addr, b.clickHouseHTTP = addresses.ClickHouse, addresses.ClickHouseHTTP
	b.settings.StateDir, b.settings.HTTPAddr = filepath.Join(dir, "state"), ""
	b.settings.Identity.Key = "bench"
	if err := b.settings.validate(); err != nil {
		return err
	}
	if err := ensureTopics(ctx, &b.settings, func(error) {}, b.log); err != nil {
		return err
	}
	return part(ctx)
}

// startLocal runs `seamline local` as a child and reads its addresses.
func (b *benchRun) startLocal(dir string) (local.Addresses, func(), error) {
	var a local.Addresses
	self, err := os.Executable()
	if err != nil {
		return a, nil, err
	}
	b.stack = exec.Command(self, "local", "--data-dir", filepath.Join(dir, "data"))
	b.stack.Stderr = os.Stderr
	out, err := b.stack.StdoutPipe()
	if err != nil {
		return a, nil, err
	}
	if err := b.stack.Start(); err != nil {
		return a, nil, err
	}
	stop := func() {
		_ = b.stack.Process.Signal(syscall.SIGTERM)
		_ = b.stack.Wait()
	}
	if err := json.NewDecoder(out).Decode(&a); err != nil {
		stop()
		return a, nil, fmt.Errorf("start Kafka and ClickHouse: %w", err)
	}
	return a, stop, nil
}

// publish sends the traffic of some shoppers, flat out.
func (b *benchRun) publish(ctx context.Context, count, days int) (int64, error) {
	publisher, err := openPublisher(&b.settings.Kafka)
	if err != nil {
		return 0, err
	}
	defer publisher.Close()
	fmt.Printf("publishing %d days of %d shoppers ...\n", days, count)
	return b.traffic(publisher, count, days, 0).send(ctx)
}

// traffic is that of some shoppers, in their own time, at so many records per second; 0 for flat out.
func (b *benchRun) traffic(publisher *producer.Publisher, count, days int, rate float64) *traffic {
	cfg := shoppers.DefaultConfig()
	cfg.Shoppers, cfg.Duration = count, time.Duration(days)*24*time.Hour
	cfg.Start = time.Now().UTC().Add(-cfg.Duration - 96*time.Hour).Truncate(time.Hour)
	return &traffic{kafka: &b.settings.Kafka, publisher: publisher, generator: shoppers.New(cfg), stamp: true, rate: rate}
}

// flatOut takes a fixed number of records from the topics into ClickHouse, and then the same again and again to tell what
// exactly-once costs.
func (b *benchRun) flatOut(ctx context.Context) error {
	records, err := b.publish(ctx, b.shoppers, b.days)
	if err != nil {
		return err
	}
	var profile bytes.Buffer
	if err := pprof.StartCPUProfile(&profile); err != nil {
		return err
	}
	m, err := b.measure(ctx, variants[0], "first")
	pprof.StopCPUProfile()
	if err != nil {
		return err
	}
	if b.profile != "" {
		if err := os.WriteFile(b.profile, profile.Bytes(), 0o600); err != nil {
			return err
		}
	}
	if err := m.print(os.Stdout, records); err != nil {
		return err
	}
	if err := printStitch(os.Stdout, profile.Bytes()); err != nil {
		return err
	}
	return b.exactlyOnce(ctx)
}

// measurement is one run over all that was published.
type measurement struct {
	registry *prometheus.Registry
	counters counters
	took     time.Duration
	used     usage
}

// measure runs the pipeline in this process over all that was published, into tables of its own.
func (b *benchRun) measure(ctx context.Context, v variant, name string) (measurement, error) {
	s := b.settings
	s.PipelineID, s.ClickHouse.Database = "bench_"+name, "bench_"+name
	s.StateDir = filepath.Join(b.settings.StateDir, name)
	v.change(&s)
	before, err := b.usage()
	if err != nil {
		return measurement{}, err
	}
	m := measurement{registry: newRegistry()}
	start := time.Now()
	if err := runPipeline(ctx, &s, runOptions{untilCaughtUp: true, registry: m.registry, log: b.log, atLeastOnce: v.atLeastOnce}); err != nil {
		return m, err
	}
	m.took = time.Since(start)
	after, err := b.usage()
	m.used = usage{after.pipeline - before.pipeline, after.broker - before.broker, after.clickHouse - before.clickHouse}
	m.counters = (&demo{registry: m.registry}).count()
	if err == nil && m.counters.events == 0 {
		err = fmt.Errorf("no event was processed")
	}
	return m, err
}

// each gives microseconds per event.
func (m *measurement) each(d time.Duration) float64 {
	return float64(d.Microseconds()) / m.counters.events
}

// print writes the figures per event.
func (m *measurement) print(out io.Writer, records int64) error {
	fmt.Fprintf(out, "\n%d records, %.0f events, %.0f people in %.2f s: %.0f events per second, Kafka to durable in ClickHouse\n\n",
		records, m.counters.events, m.counters.profiles, m.took.Seconds(), m.counters.events/m.took.Seconds())
	fmt.Fprintf(out, "  %-12s %10s\n", "CPU", "us/event")
	for _, part := range []struct {
		name string
		used time.Duration
	}{{"pipeline", m.used.pipeline}, {"broker", m.used.broker}, {"clickhouse", m.used.clickHouse}, {"all", m.used.all()}} {
		fmt.Fprintf(out, "  %-12s %10.2f\n", part.name, m.each(part.used))
	}
	families, err := m.registry.Gather()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\n  %-12s %10s\n", "wall time of", "us/event")
	for _, f := range families {
		name := f.GetName()
		if name != "seamline_line_stage_seconds" && name != "seamline_line_sink_seconds" && name != "seamline_state_checkpoint_seconds" {
			continue
		}
		for _, metric := range f.GetMetric() {
			label := "checkpoint"
			if len(metric.GetLabel()) > 0 {
				label = metric.GetLabel()[0].GetValue()
			}
			fmt.Fprintf(out, "  %-12s %10.3f\n", label, metric.GetHistogram().GetSampleSum()*1e6/m.counters.events)
		}
	}
	return nil
}
