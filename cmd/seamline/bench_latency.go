package main

import (
	"context"
	"fmt"
	"time"

	"github.com/seamline/seamline/cmd/seamline/bench"
)

// How latency is measured.
const (
	driveWarm       = 4.0 // seconds of load before latencies count
	driveTries      = 6   // rates that are tried for the highest that lasts
	driveTriesShort = 3
	driveStep       = 0.85 // from one try to the next
	lagGradientMax  = 20.0 // milliseconds of latency that a second of load may add: beyond, the rate does not last
	sustainedShare  = 0.7
	fixedRate       = 50_000.0
	fixedP99Max     = 1000.0 // milliseconds
	flushLatencyMax = 1.5    // times the flush interval
	driverCost      = 4e-6   // seconds of CPU that the driver and the broker take for a record, to begin with
)

// latency finds the highest rate that lasts while the driver of the load runs on the same machine, and measures at a share of it, and at a
// fixed rate.
func (b *benchRun) latency(ctx context.Context) error {
	cfg := shoppersConfig(max(1, keptCalls/100))
	file := b.dir + "/calls.ndjson"
	calls, err := b.fillCalls(ctx, "calls", cfg, file)
	if err != nil {
		return err
	}
	seconds := 12.0
	if b.isShort {
		seconds = 5
	}
	if b.flatRate == 0 {
		r, _, err := b.pipeline(ctx, calls, b.job("flat", calls), 0)
		if err != nil {
			return err
		}
		b.flatRate = r[bench.Rate]
	}
	rate, err := b.lastingRate(ctx, file, seconds)
	if err != nil {
		return err
	}
	share, err := b.reported(ctx, file, sustainedShare*rate, seconds)
	if err != nil {
		return err
	}
	wait := float64(b.settings.Kafka.Wait.Milliseconds())
	b.part.Targets = append(b.part.Targets, bench.AtMost("latency at 70 % of the highest rate that lasts, p99", share.P99, flushLatencyMax*wait, "ms").
		With(fmt.Sprintf("1.5 times batch.wait, which is %s", b.settings.Kafka.Wait)))
	fixed, err := b.reported(ctx, file, fixedRate, seconds)
	if err != nil {
		return err
	}
	b.part.Targets = append(b.part.Targets, bench.AtMost("latency at 50,000 events per second, p99", fixed.P99, fixedP99Max, "ms").With("default settings"))
	return nil
}

// lastingRate looks for the highest rate that lasts. It begins with the rate flat out, less what the driver and the broker take, and goes
// down by a step, or to what the line did write where that is less.
func (b *benchRun) lastingRate(ctx context.Context, file string, seconds float64) (float64, error) {
	tries := driveTries
	if b.isShort {
		tries = driveTriesShort
	}
	rate := 1 / (1/b.flatRate + driverCost/float64(b.report.Machine.Cores))
	for range tries {
		l, err := b.underLoad(ctx, file, rate, seconds)
		if err != nil {
			return 0, err
		}
		gradient := bench.Gradient(l.Lag)
		lasts := isWhole(l.latencies, rate, seconds) && gradient <= lagGradientMax
		b.say("%.0f events per second: each second adds %.1f ms of latency, and %.0f a second are written; it lasts: %t", rate, gradient, l.written, lasts)
		if lasts {
			b.part.Add("highest rate that lasts, beside the driver of the load", rate, "events/s")
			return rate, nil
		}
		rate = min(driveStep*rate, l.written)
	}
	b.part.Add("no rate that was tried lasts; the next would have been", rate, "events/s")
	return rate, nil
}

// reported measures at a rate, and remembers all percentiles.
func (b *benchRun) reported(ctx context.Context, file string, rate, seconds float64) (latencies, error) {
	measured, err := b.underLoad(ctx, file, rate, seconds)
	l := measured.latencies
	if err != nil {
		return l, err
	}
	if !isWhole(l, rate, seconds) {
		// Those that are missing waited at least for this long, and they are more than a percent.
		l.P99 = max(l.P99, float64(drainWait.Milliseconds()))
		b.say("%.0f events per second is more than the line writes: of %.0f planned events %d were written when it was stopped", rate, rate*seconds, l.Count)
	}
	name := fmt.Sprintf("latency at %.0f events/s, ", rate)
	for _, q := range []struct {
		name  string
		value float64
	}{{"p50", l.P50}, {"p90", l.P90}, {"p99", l.P99}, {"p99.9", l.P999}, {"max", l.Most}} {
		b.part.Add(name+q.name, q.value, "ms")
	}
	b.part.Add(name+"events counted", float64(l.Count), "")
	return l, nil
}

// loaded is what a line did under load.
type loaded struct {
	latencies
	written float64 // events per second
}

// underLoad runs a pipeline and a driver, each in a process of its own, and gives the latencies of what was planned after the warm-up.
func (b *benchRun) underLoad(ctx context.Context, file string, rate, seconds float64) (loaded, error) {
	b.runs++
	name := fmt.Sprintf("latency_%d", b.runs)
	d := &dataset{topics: topicOfCalls(name)}
	if err := b.createTopics(ctx, d, b.settings.Kafka.Partitions); err != nil {
		return loaded{}, err
	}
	job := b.job(name, d)
	start := time.Now().Add(driverReady)
	job.Endless = true
	job.From = start.Add(time.Duration(driveWarm * float64(time.Second))).UnixMilli()
	job.Until = job.From + int64(seconds*1000)
	line, err := b.startJob(job, 0)
	if err != nil {
		return loaded{}, err
	}
	defer line.kill()
	if err := line.running(); err != nil {
		return loaded{}, err
	}
	load, err := b.startJob(benchJob{Kind: "drive", Settings: map[string]string{"kafka.brokers": b.settings.Kafka.Brokers}, Topics: d.names(), File: file,
		Rate: rate, Seconds: driveWarm + seconds, From: start.UnixMilli()}, 0)
	if err != nil {
		return loaded{}, err
	}
	defer load.kill()
	if _, err := load.result(); err != nil {
		return loaded{}, fmt.Errorf("drive %.0f events per second: %w", rate, err)
	}
	// What was planned within the time counts even if it comes late.
	if err := pause(ctx, drainWait); err != nil {
		return loaded{}, err
	}
	result, err := line.stop()
	if err != nil {
		return loaded{}, err
	}
	busy := result.Seconds - driverReady.Seconds()
	return loaded{result.Latency, float64(result.Records) / max(1, busy)}, b.drop(ctx, job.Name)
}

// writtenMin is the share of planned events that is all of them: the generator sends some twice, which do not count again.
const writtenMin = 0.95

// isWhole tells whether what was planned was written.
func isWhole(l latencies, rate, seconds float64) bool {
	return float64(l.Count) >= writtenMin*rate*seconds
}

// driverReady is how long a driver may take to read what it sends.
const driverReady = 3 * time.Second

// drainWait is how long a line is left to catch up after the load ended.
const drainWait = 3 * time.Second
