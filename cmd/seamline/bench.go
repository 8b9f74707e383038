package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seamline/seamline/deploy/local"
	"github.com/seamline/seamline/deploy/shoppers"
)

// benchRun is one measured run: a fixed number of records from the topics into ClickHouse, as fast as it goes.
type benchRun struct {
	shoppers int
	days     int
	profile  string
	settings settings
	stack    *exec.Cmd // `seamline local`, so that the broker's and ClickHouse's CPU are counted apart from ours
}

// usage is the CPU time of the three parts.
type usage struct{ pipeline, broker, clickHouse time.Duration }

func runBench(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	var b benchRun
	fs.IntVar(&b.shoppers, "shoppers", 5000, "simulated shoppers")
	fs.IntVar(&b.days, "days", 7, "days of their traffic")
	fs.StringVar(&b.profile, "cpuprofile", "", "file for a CPU profile of the pipeline")
	if err := parseFlags(fs, args); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "seamline-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	addresses, stop, err := b.startLocal(dir)
	if err != nil {
		return err
	}
	defer stop()
	b.settings = defaultSettings()
	b.settings.Kafka.Brokers, b.settings.Kafka.CreateTopics = addresses.Kafka, true
	b.settings.ClickHouse.Addr = addresses.ClickHouse
	b.settings.StateDir, b.settings.HTTPAddr = filepath.Join(dir, "state"), ""
	b.settings.Identity.Key = "bench"
	if err := b.settings.validate(); err != nil {
		return err
	}
	return b.measure(ctx)
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

func (b *benchRun) measure(ctx context.Context) error {
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	if err := ensureTopics(ctx, &b.settings, func(error) {}, log); err != nil {
		return err
	}
	publisher, err := openPublisher(&b.settings.Kafka)
	if err != nil {
		return err
	}
	cfg := shoppers.DefaultConfig()
	cfg.Shoppers, cfg.Duration = b.shoppers, time.Duration(b.days)*24*time.Hour
	cfg.Start = time.Now().UTC().Add(-cfg.Duration - 96*time.Hour).Truncate(time.Hour)
	t := &traffic{kafka: &b.settings.Kafka, publisher: publisher, generator: shoppers.New(cfg), stamp: true}
	fmt.Printf("publishing %d days of %d shoppers, seed %d ...\n", b.days, b.shoppers, cfg.Seed)
	records, err := t.send(ctx)
	publisher.Close()
	if err != nil {
		return err
	}
	before, err := b.usage()
	if err != nil {
		return err
	}
	if b.profile != "" {
		file, err := os.Create(b.profile)
		if err != nil {
			return err
		}
		defer file.Close()
		if err := pprof.StartCPUProfile(file); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	registry, start := newRegistry(), time.Now()
	if err := runPipeline(ctx, &b.settings, runOptions{untilCaughtUp: true, registry: registry, log: log}); err != nil {
		return err
	}
	took := time.Since(start)
	after, err := b.usage()
	if err != nil {
		return err
	}
	return report(registry, records, took, usage{after.pipeline - before.pipeline, after.broker - before.broker, after.clickHouse - before.clickHouse})
}

// report prints the figures per event.
func report(registry *prometheus.Registry, records int64, took time.Duration, used usage) error {
	d := &demo{registry: registry}
	c := d.count()
	if c.events == 0 {
		return errors.New("no event was processed")
	}
	each := func(d time.Duration) float64 { return float64(d.Microseconds()) / c.events }
	fmt.Printf("\n%d records, %.0f events, %.0f people in %.2f s: %.0f events per second, Kafka to durable in ClickHouse\n\n",
		records, c.events, c.profiles, took.Seconds(), c.events/took.Seconds())
	fmt.Printf("  %-12s %10s\n", "CPU", "us/event")
	for _, part := range []struct {
		name string
		used time.Duration
	}{{"pipeline", used.pipeline}, {"broker", used.broker}, {"clickhouse", used.clickHouse}, {"all", used.pipeline + used.broker + used.clickHouse}} {
		fmt.Printf("  %-12s %10.2f\n", part.name, each(part.used))
	}
	families, err := registry.Gather()
	if err != nil {
		return err
	}
	fmt.Printf("\n  %-12s %10s\n", "wall time of", "us/event")
	for _, f := range families {
		name := f.GetName()
		if name != "seamline_line_stage_seconds" && name != "seamline_line_sink_seconds" && name != "seamline_state_checkpoint_seconds" {
			continue
		}
		for _, m := range f.GetMetric() {
			label := "checkpoint"
			if len(m.GetLabel()) > 0 {
				label = m.GetLabel()[0].GetValue()
			}
			fmt.Printf("  %-12s %10.3f\n", label, m.GetHistogram().GetSampleSum()*1e6/c.events)
		}
	}
	return nil
}

// usage reads the CPU time used so far by this process, the broker and ClickHouse.
func (b *benchRun) usage() (usage, error) {
	var self syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &self); err != nil {
		return usage{}, err
	}
	u := usage{pipeline: time.Duration(self.Utime.Nano() + self.Stime.Nano())}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(stats) == 0 {
		return u, errors.New("the CPU time of other processes can be read on Linux only")
	}
	for _, path := range stats {
		pid, parent, used, ok := processStat(path)
		switch {
		case !ok:
		case pid == b.stack.Process.Pid:
			u.broker += used
		case parent == b.stack.Process.Pid:
			u.clickHouse += used
		}
	}
	return u, nil
}

// clockTick is the unit of the times in /proc/PID/stat on every Linux that Go runs on.
const clockTick = 10 * time.Millisecond

// processStat reads number, parent and CPU time of a process; false where it is gone.
func processStat(path string) (pid, parent int, used time.Duration, ok bool) {
	file, err := os.Open(path)
	if err != nil {
		return 0, 0, 0, false
	}
	defer file.Close()
	line, _ := bufio.NewReader(file).ReadString('\n')
	// The command's name stands in parentheses and may hold blanks.
	end := strings.LastIndexByte(line, ')')
	begin := strings.IndexByte(line, ' ')
	if end < 0 || begin < 0 {
		return 0, 0, 0, false
	}
	fields := strings.Fields(line[end+1:])
	if len(fields) < 13 {
		return 0, 0, 0, false
	}
	pid, _ = strconv.Atoi(line[:begin])
	parent, _ = strconv.Atoi(fields[1])
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return pid, parent, time.Duration(user+system) * clockTick, true
}
