package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	consumer "github.com/seamline/seamline/consumers/kafka"
	"github.com/seamline/seamline/pipeline/slab"
	"github.com/seamline/seamline/schemas"
)

// inPassing gives f memory for state that nobody keeps, and takes it back. Beyond state.memory it is in a temporary file.
func inPassing(ctx context.Context, s *settings, f func(space *slab.Space) error) (err error) {
	dir, err := os.MkdirTemp("", "seamline-dry-run-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	space, err := slab.NewSpace(slab.Config{Dir: dir, CeilingBytes: s.stateBytes()})
	if err != nil {
		return err
	}
	keeping, cancel := context.WithCancel(ctx)
	kept := make(chan error, 1)
	go func() { kept <- space.Keep(keeping) }()
	defer func() {
		cancel()
		err = errors.Join(err, <-kept, space.Close())
	}()
	return f(space)
}

// existing gives the feeds whose topics exist.
func existing(ctx context.Context, cfg consumer.Config) ([]schemas.Feed, error) {
	var found []schemas.Feed
	for _, feed := range feeds() {
		switch _, err := consumer.Starts(ctx, cfg, []schemas.Feed{feed}); {
		case err == nil:
			found = append(found, feed)
		case !consumer.IsMissing(err):
			return nil, err
		}
	}
	if len(found) == 0 {
		return nil, errors.New("none of the topics exists")
	}
	return found, nil
}

// readTopics gives each all records that the topics have at the start, batch by batch. It joins no consumer group and commits nothing. The
// clock stands at now, and time passes by events up to there; 0 for the wall clock.
func readTopics(ctx context.Context, s *settings, now schemas.Time, log *slog.Logger, each func(b *schemas.Batch) error) error {
	read, err := existing(ctx, s.Kafka)
	if err != nil {
		return err
	}
	source, err := consumer.Open(ctx, s.Kafka, consumer.Options{Feeds: read, Now: time.Now, FixedNow: now, AdvanceTo: now, UntilCaughtUp: true,
		Report: func(error) {}, Log: log, Registry: prometheus.NewRegistry()})
	if err != nil {
		return fmt.Errorf("open topics: %w", err)
	}
	defer source.Close()
	var b schemas.Batch
	for {
		b.Reset()
		b.Number++
		switch err := source.Next(ctx, &b); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if err := each(&b); err != nil {
			return err
		}
	}
}
