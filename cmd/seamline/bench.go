package main

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/seamline/seamline/cmd/seamline/bench"
)

// benchRun measures whole processes: from the topics to durable in ClickHouse.
type benchRun struct {
	shoppers   int
	roundCount int
	profile    string
	rate       float64  // records per second under which a process is killed
	memory     byteSize // ceiling of a run with more state than that
	edges      int      // that are stitched by the engine and in SQL
	isShort    bool
	dir        string // for everything
	audiences  string // file of twenty rules
	report     bench.Report
	log        *slog.Logger

	// Of the part that runs.
	part         *bench.Part
	began        time.Time
	settings     settings
	processes    bench.Stack // the broker and ClickHouse, so that their CPU is counted apart from ours
	clickHouse   string      // its address for HTTP
	busiestTable string      // that got most parts in the last run

	runs     int     // of a line under load
	flatRate float64 // events per second of the whole line, once that is measured
}

// benchPart is a part of the benchmark, on a broker and a ClickHouse of its own.
type benchPart struct {
	name  string
	about string
	run   func(b *benchRun, ctx context.Context) error
}

// benchParts lists the parts in the order in which they run.
func benchParts() []benchPart {
	return []benchPart{
		{"versus", "the same Segment calls through Seamline, ClickHouse's Kafka engine, and a bare consumer", (*benchRun).versus},
		{"mix", "clickstream, e-mail and till in all their formats", (*benchRun).mix},
		{"insert", "ClickHouse's CPU for inserting the same rows of events", (*benchRun).inserting},
		{"latency", "from when a record is planned to be sent until its row is durable, under an open-loop load", (*benchRun).latency},
		{"laws", "how the cost of an event grows", (*benchRun).laws},
		{"audiences", "how the cost of an event grows with the number of audiences", (*benchRun).many},
		{"stitching", "the identity engine on one thread beside label propagation in SQL", (*benchRun).stitching},
		{"scoring", "the state of people and their scores on one thread, with few people and with many", (*benchRun).scoring},
		{"views", "what the views for analysts take over many events", (*benchRun).views},
		{"exports", "lists of audiences for platforms: made, pulled, and their changes followed", (*benchRun).exporting},
		{"catchup", "making up after a kill -9, under load", (*benchRun).catchUp},
		{"memory", "a process under a ceiling of its memory", (*benchRun).underCeiling},
	}
}

//go:embed bench_audiences.yaml
var benchAudiences []byte

func runBench(ctx context.Context, args []string) error {
	if len(args) > 0 && args[0] == "job" {
		return runBenchJob(ctx) // a process that this command started
	}
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	b := benchRun{log: slog.New(slog.DiscardHandler), memory: 256 << 20}
	var only, out string
	fs.BoolVar(&b.isShort, "short", false, "smaller sizes and fewer rounds: less than five minutes on two cores")
	fs.StringVar(&only, "only", "", "parts to run, comma separated: "+strings.Join(partNames(), ", ")+"; empty for all")
	fs.StringVar(&out, "out", filepath.Join("build", "bench"), "directory for the report as JSON and the plots as SVG")
	fs.IntVar(&b.shoppers, "shoppers", 0, "simulated shoppers whose traffic is taken flat out, about 109 events each; 0 for the size of the form")
	fs.IntVar(&b.roundCount, "rounds", 0, "rounds of each comparison; 0 for 5, or 3 in the short form")
	fs.StringVar(&b.profile, "cpuprofile", "", "file for a CPU profile of the pipeline, in the last of the parts versus, mix and audiences")
	fs.Float64Var(&b.rate, "rate", 10_000, "records per second under which a process is killed and catches up")
	fs.IntVar(&b.edges, "edges", 1_000_000, "pairs of identifiers that the engine and ClickHouse stitch side by side")
	fs.Var(&b.memory, "memory", "ceiling of a run that needs more than that")
	if err := parseFlags(fs, args); err != nil {
		return err
	}
	parts, err := chooseParts(only, b.isShort)
	if err != nil {
		return usageError{err}
	}
	b.sizes()
	if b.dir, err = os.MkdirTemp("", "seamline-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	b.audiences = filepath.Join(b.dir, "audiences.yaml")
	if err := os.WriteFile(b.audiences, benchAudiences, 0o600); err != nil {
		return err
	}
	b.began = time.Now()
	b.report.Started, b.report.Command = b.began.UTC().Format(time.RFC3339), append([]string{"seamline", "bench"}, args...)
	b.report.Machine = bench.Machine{Cores: runtime.NumCPU(), Go: runtime.Version(), Version: version(), Commit: commit()}
	b.report.Machine.Look()
	return b.runParts(ctx, parts, out)
}

// sizes fills what was not given.
func (b *benchRun) sizes() {
	choose := func(long, short int) int {
		if b.isShort {
			return short
		}
		return long
	}
	if b.shoppers == 0 {
		b.shoppers = choose(10_000, 1_500)
	}
	if b.roundCount == 0 {
		b.roundCount = choose(5, 3)
	}
}

// shortParts are those of the short form: the comparisons that the targets are about, and what takes little time.
var shortParts = []string{"versus", "insert", "latency", "laws", "audiences", "scoring", "views", "exports"}

// chooseParts gives the parts that are named, or all of the form.
func chooseParts(only string, isShort bool) ([]benchPart, error) {
	parts := benchParts()
	names := shortParts
	switch {
	case only != "":
		names = strings.Split(only, ",")
	case !isShort:
		return parts, nil
	}
	for _, name := range names {
		if !slices.Contains(partNames(), name) {
			return nil, fmt.Errorf("there is no part %q; parts are %s", name, strings.Join(partNames(), ", "))
		}
	}
	return slices.DeleteFunc(parts, func(p benchPart) bool { return !slices.Contains(names, p.name) }), nil
}

func partNames() []string {
	var names []string
	for _, p := range benchParts() {
		names = append(names, p.name)
	}
	return names
}

// runParts runs the parts and writes the report, also of the parts before one that fails.
func (b *benchRun) runParts(ctx context.Context, parts []benchPart, out string) error {
	var failed error
	for _, p := range parts {
		start := time.Now()
		b.part = &bench.Part{Name: p.name, About: p.about}
		fmt.Printf("\n%s: %s\n", p.name, p.about)
		if err := b.onNewStack(ctx, p); err != nil {
			failed = fmt.Errorf("%s: %w", p.name, err)
			break
		}
		b.part.Seconds = time.Since(start).Seconds()
		b.part.Print(os.Stdout)
		b.report.Parts = append(b.report.Parts, b.part)
	}
	b.report.Seconds = time.Since(b.began).Seconds()
	files, err := b.report.Write(out)
	if err == nil {
		fmt.Println("\nall targets")
		for _, p := range b.report.Parts {
			bench.PrintTargets(os.Stdout, p.Targets)
		}
		fmt.Printf("\ntook %s; wrote %s\n", time.Since(b.began).Round(time.Second), strings.Join(files, ", "))
	}
	return errors.Join(failed, err)
}

// say tells how far the benchmark is.
func (b *benchRun) say(format string, args ...any) {
	fmt.Printf("  [%s] %s\n", time.Since(b.began).Round(time.Second), fmt.Sprintf(format, args...))
}

// calls fills the topic of single calls.
func (b *benchRun) calls(ctx context.Context) (*dataset, error) {
	return b.fillCalls(ctx, "calls", shoppersConfig(b.shoppers), "")
}
