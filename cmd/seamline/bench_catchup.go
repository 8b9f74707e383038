package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/seamline/seamline/cmd/seamline/bench"
	"github.com/seamline/seamline/sinks/clickhouse"
)

// How a process is killed and catches up.
const (
	liveFor       = 10 * time.Second // under load before the process is killed
	downFor       = 10 * time.Second // while the load goes on
	catchUpMax    = 2 * time.Minute
	lookEvery     = 50 * time.Millisecond
	caughtUpBelow = 1.0 // seconds of load that are not written yet
	catchUpGoal   = 3.0 // times the live rate
	catchUpPeople = 20_000
)

// catchUp kills a process under an open-loop load, and tells how fast another one over the same state makes up for it while the load
// goes on.
func (b *benchRun) catchUp(ctx context.Context) error {
	publisher, err := openPublisher(&b.settings.Kafka)
	if err != nil {
		return err
	}
	loading, stopLoad := context.WithCancel(ctx)
	load := make(chan error, 1)
	go func() {
		_, err := b.traffic(publisher, catchUpPeople, 30, b.rate).send(loading)
		load <- ignoreEnd(loading, err)
	}()
	defer func() { stopLoad(); <-load; publisher.Close() }()
	first, err := b.startRun("catch_up")
	if err != nil {
		return err
	}
	defer first.kill()
	if err := pause(ctx, liveFor); err != nil {
		return err
	}
	first.kill()
	before, err := b.written(ctx, first)
	if err != nil {
		return err
	}
	if err := pause(ctx, downFor); err != nil {
		return err
	}
	start := time.Now()
	second, err := b.startRun("catch_up")
	if err != nil {
		return err
	}
	defer second.kill()
	return b.watchCatchUp(ctx, second, start, before, func() int64 { records, _ := publisher.Published(); return records })
}

// watchCatchUp looks at the tables until they hold everything but what was published within the last moment.
func (b *benchRun) watchCatchUp(ctx context.Context, run *benchProcess, start time.Time, before int64, published func() int64) error {
	behind, firstAt := published()-before, time.Duration(0)
	for {
		if err := pause(ctx, lookEvery); err != nil {
			return err
		}
		all := published()
		now, err := b.written(ctx, run)
		if err != nil {
			return err
		}
		took := time.Since(start)
		if firstAt == 0 && now > before {
			firstAt = took
		}
		if float64(all-now) <= b.rate*caughtUpBelow {
			drained := float64(now-before) / took.Seconds()
			b.part.Add("live rate", b.rate, "records/s")
			b.part.Add("records behind at the restart", float64(behind), "")
			b.part.Add("first commit after the restart", firstAt.Seconds(), "s")
			b.part.Add("all caught up after the restart", took.Seconds(), "s")
			b.part.Targets = append(b.part.Targets, bench.AtLeast("rate of catching up against the live rate", drained/b.rate, catchUpGoal, "times").
				With("the start of the process included"))
			return nil
		}
		if took > catchUpMax {
			return fmt.Errorf("not caught up within %s: %d records of %d are written", catchUpMax, now, all)
		}
	}
}

// written counts the records in the batches that the tables hold.
func (b *benchRun) written(ctx context.Context, run *benchProcess) (int64, error) {
	cfg := b.settings.ClickHouse
	cfg.Database = run.name
	_, rows, err := clickhouse.Query(ctx, cfg, "SELECT toInt64(sum(records)) FROM commits FINAL")
	if err != nil {
		return 0, err
	}
	n, ok := rows[0][0].(int64)
	if !ok {
		return 0, fmt.Errorf("the sum of records is a %T", rows[0][0])
	}
	return n, nil
}

// pause waits, unless ctx ends.
func pause(ctx context.Context, span time.Duration) error {
	select {
	case <-time.After(span):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// benchProcess is a `seamline run` of its own process.
type benchProcess struct {
	name  string
	cmd   *exec.Cmd
	log   *os.File
	ended chan error
}

// startRun starts a pipeline with a state and tables of its own.
func (b *benchRun) startRun(name string, flags ...string) (*benchProcess, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &benchProcess{name: "bench_" + name, ended: make(chan error, 1)}
	c.cmd = exec.Command(self, append([]string{"run", "--kafka.brokers", b.settings.Kafka.Brokers, "--clickhouse.addr", b.settings.ClickHouse.Addr,
		"--clickhouse.database", c.name, "--pipeline.id", c.name, "--state.dir", filepath.Join(b.settings.StateDir, name), "--kafka.topics.create",
		"--http.addr", "", "--identity.key", "bench"}, flags...)...)
	if c.log, err = os.Create(filepath.Join(b.dir, name+".log")); err != nil {
		return nil, err
	}
	c.cmd.Stderr = c.log
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { c.ended <- c.cmd.Wait() }()
	return c, nil
}

// kill ends the process at once, and waits for that.
func (c *benchProcess) kill() {
	_ = c.cmd.Process.Kill() // it may have ended
	err := <-c.ended
	c.ended <- err
	_ = c.log.Close()
}

// peak waits until the process ends by itself, and gives the most memory that it had.
func (c *benchProcess) peak(ctx context.Context) (most int64, err error) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case err := <-c.ended:
			c.ended <- err
			if err != nil {
				text, _ := os.ReadFile(c.log.Name())
				return most, fmt.Errorf("%s: %w: %s", c.name, err, text)
			}
			return most, nil
		case <-tick.C:
			most = max(most, bench.PeakResident(c.cmd.Process.Pid))
		case <-ctx.Done():
			return most, ctx.Err()
		}
	}
}
