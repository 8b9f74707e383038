package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/seamline/seamline/schemas"
	"github.com/seamline/seamline/sinks/clickhouse"
)

// variant is a way to run the pipeline whose cost is compared.
type variant struct {
	name        string
	atLeastOnce bool
	change      func(s *settings)
}

// variants are exactly-once as it is by default; without intents, tokens, verification, checkpoints but the last, and backups; and as by
// default, but without flushing rows to disk, which is durability and the same in the first two.
var variants = []variant{
	{name: "exactly once", change: func(*settings) {}},
	{name: "at least once", atLeastOnce: true, change: func(s *settings) { s.CheckpointEvery, s.BackupEvery = never, 0 }},
	{name: "exactly once, no fsync", change: func(s *settings) { s.ClickHouse.Fsync = false }},
}

const never = 1000 * time.Hour

// exactlyOnceCostMax is the goal: how much more CPU an event may cost than at least once.
const exactlyOnceCostMax = 1.05

// exactlyOnce measures the variants in turn, round by round, so that what else the machine does meets all of them.
func (b *benchRun) exactlyOnce(ctx context.Context) error {
	if b.rounds == 0 {
		return nil
	}
	cpu, took := make([][]float64, len(variants)), make([][]float64, len(variants))
	fmt.Printf("\nwhat exactly-once costs: %d rounds of the same records\n", b.rounds)
	for round := range b.rounds {
		for k := range variants {
			i := k
			if round%2 == 1 {
				i = len(variants) - 1 - k // who comes first has no advantage
			}
			runtime.GC()
			name := fmt.Sprintf("%d_%d", round, i)
			m, err := b.measure(ctx, variants[i], name)
			if err != nil {
				return fmt.Errorf("%s: %w", variants[i].name, err)
			}
			cpu[i], took[i] = append(cpu[i], m.each(m.used.all())), append(took[i], m.each(m.took))
			if err := b.drop(ctx, name); err != nil {
				return err
			}
		}
	}
	fmt.Printf("\n  %-24s %8s %8s %8s   %s\n", "CPU us/event, all parts", "min", "median", "max", "wall us/event, median")
	for i, v := range variants {
		low, middle, high := spread(cpu[i])
		_, wall, _ := spread(took[i])
		fmt.Printf("  %-24s %8.2f %8.2f %8.2f   %.2f\n", v.name, low, middle, high, wall)
	}
	_, exact, _ := spread(cpu[0])
	_, plain, _ := spread(cpu[1])
	_, cached, _ := spread(cpu[2])
	var rounds []float64
	for i := range cpu[0] {
		rounds = append(rounds, cpu[0][i]/cpu[1][i])
	}
	low, middle, high := spread(rounds)
	fmt.Printf("  exactly once / at least once: %.3f of the medians; round by round min %.3f, median %.3f, max %.3f; goal at most %.2f: %s\n",
		exact/plain, low, middle, high, exactlyOnceCostMax, verdict(exact/plain <= exactlyOnceCostMax))
	fmt.Printf("  flushing rows to disk costs %.3f of the medians\n", exact/cached)
	return nil
}

// drop makes room after a run.
func (b *benchRun) drop(ctx context.Context, name string) error {
	cfg := b.settings.ClickHouse
	cfg.Database = "default"
	if _, _, err := clickhouse.Query(ctx, cfg, "DROP DATABASE bench_"+name+" SYNC"); err != nil {
		return fmt.Errorf("drop the tables of a run: %w", err)
	}
	return os.RemoveAll(b.settings.StateDir + "/" + name)
}

// spread gives the least, the middle and the largest value.
func spread(values []float64) (low, middle, high float64) {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[0], sorted[len(sorted)/2], sorted[len(sorted)-1]
}

// noJournal keeps no intents: after a crash, batches would be cut otherwise.
type noJournal struct{}

func (noJournal) Write(context.Context, *schemas.Intent) error { return nil }
func (noJournal) Finished(uint64)                              {}
func (noJournal) Offset(uint64) int64                          { return 0 }
