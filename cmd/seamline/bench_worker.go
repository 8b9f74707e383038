package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"runtime/metrics"
	"runtime/pprof"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/seamline/seamline/cmd/seamline/bench"
	"github.com/seamline/seamline/pipeline/slab"
	"github.com/seamline/seamline/schemas"
	"github.com/seamline/seamline/sinks/clickhouse"
)

// benchJob tells a process of its own what to run, so that no run meets what another left in memory.
type benchJob struct {
	Kind     string            // pipeline, consume or drive
	Settings map[string]string // by the names of their flags

	// Of a pipeline.
	Name        string   // of the pipeline and its database
	Without     []string // stages that are left out
	Discard     bool     // what would be written is discarded
	AtLeastOnce bool
	Endless     bool    // until a signal, and not until caught up
	Records     int64   // that there are: allocations are counted after some of them
	Marks       []int64 // records after which the CPU time is noted
	Settle      bool    // at the first mark of each size the line is held until nothing is left to do in the background
	Profile     string  // file for a CPU profile; empty for none
	Heap        int64   // bytes that the heap is held to, beside the state; 0 for the default
	From, Until int64   // Unix milliseconds: latencies of records planned between them count; 0 for none

	// Of consume and drive.
	Topics  []string
	File    string  // with a record a line
	Rate    float64 // records per second
	Seconds float64
}

// benchResult is what a process says at its end.
type benchResult struct {
	Records    int64
	Events     int64
	Seconds    float64 // until the last write
	CPU        float64 // seconds, from when the line began to read until the process ended
	Collection float64 // share of the collector
	Allocs     float64 // per event, in steady state
	Resident   int64   // bytes, at most
	StateDir   int64   // bytes, in the end
	Marks      []benchMark
	Latency    latencies
}

// benchMark is how much was used when so many records were written.
type benchMark struct {
	Records  int64
	CPU      float64 // seconds
	Seconds  float64
	Resident int64
	State    int64 // bytes
}

// benchRunning is the line that a process writes when it begins to read.
const benchRunning = "running"

// runBenchJob does what the job on standard input says.
func runBenchJob(ctx context.Context) error {
	var job benchJob
	if err := json.NewDecoder(os.Stdin).Decode(&job); err != nil {
		return fmt.Errorf("read the job: %w", err)
	}
	s := defaultSettings()
	fs := flag.NewFlagSet("job", flag.ContinueOnError)
	s.flags(fs)
	for name, value := range job.Settings {
		if err := fs.Set(name, value); err != nil {
			return fmt.Errorf("setting %s of a job: %w", name, err)
		}
	}
	var result benchResult
	var err error
	switch job.Kind {
	case "pipeline":
		result, err = job.pipeline(ctx, &s)
	case "consume":
		result, err = job.consume(ctx, &s)
	case "drive":
		result, err = job.drive(ctx, &s)
	default:
		err = fmt.Errorf("there is no job of kind %q", job.Kind)
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(result)
}

// pipeline runs the line and watches it.
func (j *benchJob) pipeline(ctx context.Context, s *settings) (benchResult, error) {
	if err := s.validate(); err != nil {
		return benchResult{}, err
	}
	p := &probe{job: j}
	var profile bytes.Buffer
	if j.Profile != "" {
		if err := pprof.StartCPUProfile(&profile); err != nil {
			return benchResult{}, err
		}
	}
	registry := newRegistry()
	err := runPipeline(ctx, s, runOptions{untilCaughtUp: !j.Endless, registry: registry, log: slog.New(slog.DiscardHandler), atLeastOnce: j.AtLeastOnce,
		watch: &watch{stages: p.stages, sinks: p.sinks, running: p.running}})
	pprof.StopCPUProfile()
	if err != nil && (!j.Endless || ctx.Err() == nil) { // under more load than it bears, a line does not end in time
		return benchResult{}, err
	}
	if j.Profile != "" {
		if err := os.WriteFile(j.Profile, profile.Bytes(), 0o600); err != nil {
			return benchResult{}, err
		}
	}
	result, err := p.result()
	if err != nil {
		return result, err
	}
	result.StateDir, err = bytesUnder(s.StateDir)
	if err != nil {
		return result, err
	}
	return result, err
}

// consume reads topics and does nothing with what they hold.
func (j *benchJob) consume(ctx context.Context, s *settings) (benchResult, error) {
	fmt.Println(benchRunning)
	before := ownCPU()
	records, took, err := bench.Discard(ctx, s.Kafka.Brokers, j.Topics...)
	return benchResult{Records: records, Events: records, Seconds: took.Seconds(), CPU: ownCPU() - before}, err
}

// stages leaves out those that the job names, and notes where the state is.
func (p *probe) stages(space *slab.Space, stages []schemas.Stage) []schemas.Stage {
	p.space = space
	return slices.DeleteFunc(stages, func(s schemas.Stage) bool { return slices.Contains(p.job.Without, s.Name()) })
}

// sinks puts the probe around ClickHouse, or in the place of all sinks.
func (p *probe) sinks(tables *clickhouse.Sink, sinks []schemas.Sink) []schemas.Sink {
	if p.job.Discard {
		return []schemas.Sink{p}
	}
	return append([]schemas.Sink{&watchedTables{tables, p}}, sinks[1:]...)
}

// watchedTables is ClickHouse with a probe that looks at each batch once its rows are durable.
type watchedTables struct {
	*clickhouse.Sink
	probe *probe
}

// Write writes the batch, and tells the probe.
func (w *watchedTables) Write(ctx context.Context, b *schemas.Batch) error {
	if err := w.Sink.Write(ctx, b); err != nil {
		return err
	}
	return w.probe.Write(ctx, b)
}

// ownCPU is the CPU time of this process in seconds.
func ownCPU() float64 {
	var self syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &self); err != nil {
		return 0 // it fails for wrong arguments only
	}
	return time.Duration(self.Utime.Nano() + self.Stime.Nano()).Seconds()
}

// collectionShare is the collector's share of the time that this process's threads were busy. The runtime counts both alike, which is
// not how the operating system counts.
func collectionShare() float64 {
	samples := []metrics.Sample{{Name: "/cpu/classes/gc/total:cpu-seconds"}, {Name: "/cpu/classes/total:cpu-seconds"}, {Name: "/cpu/classes/idle:cpu-seconds"}}
	metrics.Read(samples)
	var seconds [3]float64
	for i, s := range samples {
		if s.Value.Kind() != metrics.KindFloat64 {
			return 0
		}
		seconds[i] = s.Value.Float64()
	}
	if busy := seconds[1] - seconds[2]; busy > 0 {
		return seconds[0] / busy
	}
	return 0
}

// jobProcess is a process that does a job.
type jobProcess struct {
	cmd     *exec.Cmd
	errText bytes.Buffer
	stdout  io.ReadCloser
}

// startJob starts a process for a job, on so many cores; 0 for all.
func (b *benchRun) startJob(job benchJob, cores int) (*jobProcess, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(job)
	if err != nil {
		return nil, err
	}
	p := &jobProcess{cmd: exec.Command(self, "bench", "job")}
	p.cmd.Stdin, p.cmd.Stderr = bytes.NewReader(text), &p.errText
	p.cmd.Env = os.Environ()
	if cores > 0 {
		p.cmd.Env = append(p.cmd.Env, "GOMAXPROCS="+strconv.Itoa(cores))
	}
	if job.Heap > 0 {
		p.cmd.Env = append(p.cmd.Env, "GOMEMLIMIT="+strconv.FormatInt(job.Heap, 10))
	}
	if p.stdout, err = p.cmd.StdoutPipe(); err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	return p, nil
}

// running waits until the line reads.
func (p *jobProcess) running() error {
	line := make([]byte, len(benchRunning)+1)
	if _, err := io.ReadFull(p.stdout, line); err != nil || string(line) != benchRunning+"\n" {
		return p.failed(errors.New("the process did not start to read"))
	}
	return nil
}

// result waits for the end.
func (p *jobProcess) result() (benchResult, error) {
	var r benchResult
	err := json.NewDecoder(p.stdout).Decode(&r)
	if err != nil {
		return r, p.failed(err)
	}
	return r, p.cmd.Wait()
}

// stop ends the process as an operator would, and gives what it says.
func (p *jobProcess) stop() (benchResult, error) {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return benchResult{}, err
	}
	return p.result()
}

// kill ends the process, where it still runs.
func (p *jobProcess) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	_ = p.cmd.Wait()
}

// failed ends the process and tells what it said.
func (p *jobProcess) failed(err error) error {
	p.kill()
	return fmt.Errorf("%w: %s", err, bytes.TrimSpace(p.errText.Bytes()))
}
