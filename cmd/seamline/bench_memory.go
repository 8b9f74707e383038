package main

import (
	"context"
	"fmt"
	"time"
)

// People whose state, with what else a process needs, is several times the ceiling.
const ceilingPeople = 60_000

// underCeiling runs processes without and with a ceiling of their memory.
func (b *benchRun) underCeiling(ctx context.Context) error {
	fmt.Printf("\nmemory of a process, under a ceiling of %s\n", b.memory.String())
	records, err := b.publish(ctx, ceilingPeople, 1)
	if err != nil {
		return err
	}
	for _, run := range []struct {
		name    string
		ceiling byteSize
	}{{"free", 0}, {"ceiling", b.memory}} {
		start := time.Now()
		c, err := b.startRun(run.name, "--until-caught-up", "--state.memory", run.ceiling.String())
		if err != nil {
			return err
		}
		most, err := c.peak(ctx)
		c.kill()
		if err != nil {
			return err
		}
		line := fmt.Sprintf("  %-8s at most %5d MiB resident; %.0f records per second", run.name, most>>20, float64(records)/time.Since(start).Seconds())
		if run.ceiling > 0 {
			line += fmt.Sprintf("; goal at most %d MiB: %s", run.ceiling>>20, verdict(most <= int64(run.ceiling)))
		}
		fmt.Println(line)
	}
	return nil
}
