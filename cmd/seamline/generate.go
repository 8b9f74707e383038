package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	consumer "github.com/seamline/seamline/consumers/kafka"
	"github.com/seamline/seamline/deploy/shoppers"
	"github.com/seamline/seamline/schemas"
	producer "github.com/seamline/seamline/sinks/kafka"
)

// traffic publishes what simulated shoppers do.
type traffic struct {
	kafka     *consumer.Config
	publisher *producer.Publisher
	generator *shoppers.Generator
	rate      float64 // records per second; 0 for flat out
	live      bool    // records later than now wait for their time
	stamp     bool    // broker timestamps are the simulated send times

	from  time.Time        // leave out what was sent earlier; zero for nothing
	until time.Time        // stop before the first record that is sent later; zero for never
	held  *shoppers.Record // that record, for the next send
}

// send publishes until the simulation ends or ctx does, and gives the number of records.
func (t *traffic) send(ctx context.Context) (int64, error) {
	start, sent := time.Now(), int64(0)
	for ctx.Err() == nil {
		r, ok := t.next()
		if !ok {
			break
		}
		if err := t.pace(ctx, start, sent, r.Time); err != nil {
			break
		}
		m := producer.Message{Topic: t.kafka.Topic(schemas.Feed(r.Topic)), Key: r.Key, Value: r.Value}
		if t.stamp {
			m.Time = r.Time
		}
		for _, h := range r.Headers {
			m.Headers = append(m.Headers, schemas.Header{Key: h.Key, Value: h.Value})
		}
		if err := t.publisher.Publish(ctx, m); err != nil && ctx.Err() == nil {
			return sent, err
		}
		sent++
	}
	flush, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return sent, t.publisher.Flush(flush)
}

// next gives the next record that may be sent before until.
func (t *traffic) next() (shoppers.Record, bool) {
	r, ok := shoppers.Record{}, true
	if t.held != nil {
		r, t.held = *t.held, nil
	} else {
		for r, ok = t.generator.Next(); ok && r.Time.Before(t.from); r, ok = t.generator.Next() {
		}
	}
	if ok && !t.until.IsZero() && r.Time.After(t.until) {
		t.held = &r
		return r, false
	}
	return r, ok
}

// pace waits until the next record may be sent.
func (t *traffic) pace(ctx context.Context, start time.Time, sent int64, at time.Time) error {
	var wait time.Duration
	if t.rate > 0 {
		wait = time.Until(start.Add(time.Duration(float64(sent) / t.rate * float64(time.Second))))
	}
	if t.live {
		wait = max(wait, time.Until(at))
	}
	if wait < time.Millisecond {
		return nil
	}
	select {
	case <-time.After(wait):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func runGenerate(ctx context.Context, args []string) error {
	s := defaultSettings()
	fs := flag.NewFlagSet("generate", flag.ContinueOnError)
	cfg := shoppers.DefaultConfig()
	cfg.Flags(fs)
	var t traffic
	var truth string
	fs.Float64Var(&t.rate, "rate", 0, "records per second; 0 for flat out")
	fs.BoolVar(&t.live, "live", false, "records whose simulated time is in the future wait for it")
	fs.BoolVar(&t.stamp, "stamp", true, "broker timestamps are the simulated send times, not the wall clock")
	fs.StringVar(&truth, "truth", "", "file for the ground truth as JSON lines; empty for none")
	toStdout := fs.Bool("stdout", false, "print topic, tab and value of every record instead of publishing")
	if err := s.parse(fs, args); err != nil {
		return err
	}
	if err := cfg.Validate(); err != nil {
		return usageError{err}
	}
	t.kafka, t.generator = &s.Kafka, shoppers.New(cfg)
	if *toStdout {
		return printTraffic(ctx, t.generator, os.Stdout)
	}
	if err := s.Kafka.Validate(); err != nil {
		return usageError{err}
	}
	if err := ensureTopics(ctx, &s, func(error) {}, s.logger(os.Stderr)); err != nil {
		return err
	}
	var err error
	if t.publisher, err = openPublisher(&s.Kafka); err != nil {
		return err
	}
	defer t.publisher.Close()
	start := time.Now()
	sent, err := t.send(ctx)
	took := time.Since(start).Seconds()
	fmt.Printf("seed %d: published %d records in %.1f s (%.0f a second)\n", cfg.Seed, sent, took, float64(sent)/took)
	if err != nil || truth == "" {
		return err
	}
	return writeTruth(t.generator, truth)
}

func printTraffic(ctx context.Context, g *shoppers.Generator, out io.Writer) error {
	for ctx.Err() == nil {
		r, ok := g.Next()
		if !ok {
			return nil
		}
		if _, err := fmt.Fprintf(out, "%s\t%s\n", r.Topic, r.Value); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func writeTruth(g *shoppers.Generator, path string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = g.Truth().WriteTo(file)
	return errors.Join(err, file.Close())
}
