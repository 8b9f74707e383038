package main

import (
	"context"
	"time"

	"github.com/seamline/seamline/cmd/seamline/bench"
	"github.com/seamline/seamline/deploy/shoppers"
	producer "github.com/seamline/seamline/sinks/kafka"
)

// People whose state, with what else a process needs, is several times the ceiling.
const ceilingPeople = 60_000

// underCeiling runs processes without and with a ceiling of their memory.
func (b *benchRun) underCeiling(ctx context.Context) error {
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
		b.part.Add("records per second, "+run.name, float64(records)/time.Since(start).Seconds(), "records/s")
		if run.ceiling == 0 {
			b.part.Add("peak memory, "+run.name, float64(most>>20), "MiB")
			continue
		}
		b.part.Targets = append(b.part.Targets, bench.AtMost("peak memory under a ceiling", float64(most>>20), float64(run.ceiling>>20), "MiB"))
	}
	return nil
}

// publish sends the traffic of some shoppers, flat out.
func (b *benchRun) publish(ctx context.Context, count, days int) (int64, error) {
	publisher, err := openPublisher(&b.settings.Kafka)
	if err != nil {
		return 0, err
	}
	defer publisher.Close()
	b.say("publishing %d days of %d shoppers", days, count)
	return b.traffic(publisher, count, days, 0).send(ctx)
}

// traffic is that of some shoppers, in their own time, at so many records per second; 0 for flat out.
func (b *benchRun) traffic(publisher *producer.Publisher, count, days int, rate float64) *traffic {
	cfg := shoppers.DefaultConfig()
	cfg.Shoppers, cfg.Duration = count, time.Duration(days)*24*time.Hour
	cfg.Start = time.Now().UTC().Add(-cfg.Duration - 96*time.Hour).Truncate(time.Hour)
	return &traffic{kafka: &b.settings.Kafka, publisher: publisher, generator: shoppers.New(cfg), stamp: true, rate: rate}
}
