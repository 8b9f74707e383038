package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/seamline/seamline/cmd/seamline/bench"
	"github.com/seamline/seamline/pipeline/slab"
	"github.com/seamline/seamline/schemas"
)

// What counts as steady state of a run, in shares of its records.
const (
	steadyFrom  = 0.3
	steadyUntil = 0.9
)

// probe looks at each batch once it is written. Without a sink in it, it is one that discards.
type probe struct {
	job   *benchJob
	space *slab.Space // that the stages' state is in

	mu       sync.Mutex // guards the following
	start    time.Time
	startCPU float64
	last     time.Time // of a batch with records
	seen     int64     // records
	events   int64
	marks    []benchMark
	steady   [2]steadyPoint
	latency  latencyProbe
}

// steadyPoint is how much had been allocated after so many events.
type steadyPoint struct {
	events  int64
	mallocs uint64
}

// Name is that of the sink that discards.
func (p *probe) Name() string { return "discard" }

// running notes the beginning, and tells the parent.
func (p *probe) running() {
	p.mu.Lock()
	p.start, p.startCPU = time.Now(), ownCPU()
	p.last = p.start
	p.mu.Unlock()
	fmt.Println(benchRunning)
}

// Write notes what a batch tells, and keeps nothing of it.
func (p *probe) Write(ctx context.Context, b *schemas.Batch) error {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(b.Ranges) == 0 {
		return nil
	}
	p.last = now
	for _, r := range b.Ranges {
		p.seen += r.To - r.From
	}
	p.events += int64(len(b.Events))
	p.steadyState()
	if p.job.From > 0 {
		p.latency.add(p.job, b.Events, now)
	}
	return p.mark(ctx)
}

// steadyState notes allocations once at the beginning and, as long as it lasts, at the end of what counts as steady.
func (p *probe) steadyState() {
	if p.job.Records == 0 {
		return
	}
	share := float64(p.seen) / float64(p.job.Records)
	var at *steadyPoint
	switch {
	case share < steadyFrom:
		return
	case p.steady[0].events == 0:
		at = &p.steady[0]
	case share >= steadyUntil && p.steady[1].events == 0:
		at = &p.steady[1]
	default:
		return
	}
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	*at = steadyPoint{p.events, memory.Mallocs}
}

// mark notes what was used at the next mark that is reached, after what is left to do in the background where the job says so.
func (p *probe) mark(ctx context.Context) error {
	if len(p.marks) == len(p.job.Marks) || p.seen < p.job.Marks[len(p.marks)] {
		return nil
	}
	if p.job.Settle && len(p.marks)%marksEach == 0 {
		if err := settle(ctx); err != nil {
			return err
		}
	}
	p.marks = append(p.marks, benchMark{p.seen, ownCPU() - p.startCPU, time.Since(p.start).Seconds(), bench.ResidentNow(os.Getpid()), p.space.Bytes()})
	return nil
}

// How a process is held until nothing is left to do in the background.
const (
	settleLook = 250 * time.Millisecond
	settleBusy = 0.1 // of a core
	settleMax  = 30 * time.Second
)

// settle waits until this process uses next to no CPU time, and gives back what memory it does not need.
func settle(ctx context.Context) error {
	for start := time.Now(); time.Since(start) < settleMax; {
		before := ownCPU()
		if err := pause(ctx, settleLook); err != nil {
			return err
		}
		if ownCPU()-before < settleBusy*settleLook.Seconds() {
			break
		}
	}
	debug.FreeOSMemory() // so that what is resident is what is needed
	return nil
}

// result sums up.
func (p *probe) result() (benchResult, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	r := benchResult{Records: p.seen, Events: p.events, Seconds: p.last.Sub(p.start).Seconds(), CPU: ownCPU() - p.startCPU,
		Collection: collectionShare(), Resident: bench.PeakResident(os.Getpid()), Marks: p.marks}
	if p.events == 0 {
		return r, errors.New("no event was processed")
	}
	if events := p.steady[1].events - p.steady[0].events; events > 0 {
		r.Allocs = float64(p.steady[1].mallocs-p.steady[0].mallocs) / float64(events)
	}
	r.Latency = p.latency.result()
	return r, nil
}

// latencies are milliseconds from when a record was planned to be sent until its row was durable.
type latencies struct {
	Count                     int64
	P50, P90, P99, P999, Most float64
	Lag                       []bench.Point // milliseconds of latency, at the median, by second of planned time
}

// latencyProbe collects latencies.
type latencyProbe struct {
	all     *hdrhistogram.Histogram
	seconds []*hdrhistogram.Histogram
}

// The histograms' limits, in microseconds.
const (
	latencyMax    = 10 * 60 * 1_000_000
	latencyDigits = 3
)

func newHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(1, latencyMax, latencyDigits) }

// add records the events that were planned within the job's span.
func (l *latencyProbe) add(job *benchJob, events []*schemas.Event, now time.Time) {
	if l.all == nil {
		l.all = newHistogram()
	}
	for _, e := range events {
		planned := int64(e.Record.Time)
		if planned < job.From || planned >= job.Until {
			continue
		}
		took := max(1, min(latencyMax, now.UnixMicro()-planned*1000))
		_ = l.all.RecordValue(took) // within its limits
		second := int(planned-job.From) / 1000
		for len(l.seconds) <= second {
			l.seconds = append(l.seconds, newHistogram())
		}
		_ = l.seconds[second].RecordValue(took)
	}
}

// result reads the percentiles.
func (l *latencyProbe) result() latencies {
	if l.all == nil {
		return latencies{}
	}
	at := func(q float64) float64 { return float64(l.all.ValueAtQuantile(q)) / 1000 }
	r := latencies{Count: l.all.TotalCount(), P50: at(50), P90: at(90), P99: at(99), P999: at(99.9), Most: float64(l.all.Max()) / 1000}
	for i, second := range l.seconds {
		if second.TotalCount() > 0 {
			r.Lag = append(r.Lag, bench.Point{X: float64(i), Y: float64(second.ValueAtQuantile(50)) / 1000})
		}
	}
	return r
}

// bytesUnder sums the files of a directory; files may go away meanwhile.
func bytesUnder(dir string) (int64, error) {
	var total int64
	err := filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return ignoreMissing(err)
		}
		info, err := entry.Info()
		if err == nil {
			total += info.Size()
		}
		return ignoreMissing(err)
	})
	return total, err
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
