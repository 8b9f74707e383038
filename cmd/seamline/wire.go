package main

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/seamline/seamline/consumers/clickstream"
	"github.com/seamline/seamline/consumers/decode"
	"github.com/seamline/seamline/consumers/email"
	consumer "github.com/seamline/seamline/consumers/kafka"
	"github.com/seamline/seamline/consumers/pos"
	"github.com/seamline/seamline/pipeline"
	"github.com/seamline/seamline/pipeline/audience"
	"github.com/seamline/seamline/pipeline/dedup"
	"github.com/seamline/seamline/pipeline/score"
	"github.com/seamline/seamline/pipeline/state"
	"github.com/seamline/seamline/pipeline/stitch"
	"github.com/seamline/seamline/pipeline/timers"
	"github.com/seamline/seamline/schemas"
	"github.com/seamline/seamline/sinks/clickhouse"
	producer "github.com/seamline/seamline/sinks/kafka"
)

// sources lists the feeds that are read, and who decodes them.
func sources(s *settings) map[schemas.Feed]schemas.Decoder {
	calls := clickstream.New(s.Clickstream)
	return map[schemas.Feed]schemas.Decoder{
		schemas.FeedClickstream: calls,
		schemas.FeedEmail:       email.New(s.Email, calls),
		schemas.FeedPOS:         pos.New(s.POS),
	}
}

// feeds lists the feeds of sources in a fixed order.
func feeds() []schemas.Feed {
	return []schemas.Feed{schemas.FeedClickstream, schemas.FeedEmail, schemas.FeedPOS}
}

// line is the stages in the order in which every batch walks them.
type line struct {
	stages   []schemas.Stage
	stitch   *stitch.Stage
	audience *audience.Stage
	timers   *timers.Queue
}

func wireStages(s *settings, reg prometheus.Registerer, log *slog.Logger) (*line, error) {
	rules, err := stitch.ReadRules(s.Identity.Rules)
	if err != nil {
		return nil, err
	}
	key, isSecret, err := s.Identity.Secret()
	if err != nil {
		return nil, err
	}
	if !isSecret {
		log.Warn("identity.key is not set: identifier hashes are made with the published default key")
	}
	audiences, err := audience.ReadRules(s.Audiences.Rules)
	if err != nil {
		return nil, err
	}
	l := &line{stitch: stitch.New(rules, key, reg), audience: audience.New(audiences, reg), timers: timers.New(reg)}
	l.stages = []schemas.Stage{
		decode.New(s.Decode, sources(s), reg),
		dedup.New(s.Dedup, reg),
		l.stitch,
		l.timers.Due(),
		score.New(s.Score, l.stitch, reg),
		l.audience,
		l.timers.Arm(),
	}
	return l, nil
}

// runOptions are what a run may be told beside its settings.
type runOptions struct {
	untilCaughtUp  bool
	now, advanceTo schemas.Time
	registry       *prometheus.Registry // nil: a new one
	log            *slog.Logger
	started        func(httpAddr string) // called once HTTP answers
}

// runPipeline processes the topics until ctx ends or the topics' ends are reached.
func runPipeline(ctx context.Context, s *settings, opt runOptions) error {
	if s.StateMemory > 0 {
		debug.SetMemoryLimit(int64(s.StateMemory))
	}
	reg := opt.registry
	if reg == nil {
		reg = newRegistry()
	}
	health := pipeline.NewHealth("kafka", "clickhouse", "line")
	addr, stopHTTP, err := serveHTTP(ctx, s, health, reg, opt.log)
	if err != nil {
		return err
	}
	defer stopHTTP()
	if opt.started != nil {
		opt.started(addr)
	}
	opt.log.Info("starting", "version", version(), "pipeline", s.PipelineID, "state_dir", s.StateDir, "http", addr)

	store, err := state.Open(state.Config{Dir: s.StateDir, PipelineID: s.PipelineID, Log: opt.log})
	if err != nil {
		return err
	}
	defer store.Close()
	stages, err := wireStages(s, reg, opt.log)
	if err != nil {
		return err
	}
	sinks, closeSinks, err := openSinks(ctx, s, health, reg, opt.log)
	if err != nil {
		return err
	}
	defer closeSinks()
	l, err := pipeline.New(pipeline.Config{Stages: stages.stages, Sinks: sinks, Store: store, CheckpointEvery: s.CheckpointEvery,
		Clock: time.Now, Metrics: pipeline.NewMetrics(reg, stages.stages, sinks), Log: opt.log, Health: health})
	if err != nil {
		return err
	}
	if stages.audience.Changed() {
		opt.log.Info("the audiences' rules have changed: every profile is looked at again")
		stages.stitch.Profiles(stages.timers.Call)
	}
	source, err := openSource(ctx, s, opt, store, health, reg)
	if err != nil {
		return err
	}
	defer source.Close()
	health.Set("line", nil)
	opt.log.Info("running", "batch", store.Point().Batch)
	if err := l.Run(ctx, source); err != nil {
		return err
	}
	opt.log.Info("stopped, everything is committed", "batch", store.Point().Batch)
	return nil
}

// newRegistry makes a registry that also tells about the process.
func newRegistry() *prometheus.Registry {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return reg
}

// ensureTopics looks for every topic that is read or written, and creates missing ones where the settings say so.
func ensureTopics(ctx context.Context, s *settings, report func(error), log *slog.Logger) error {
	return consumer.EnsureTopics(ctx, s.Kafka, feeds(), report, log)
}

// openSinks makes sure that topics and tables exist and opens what is written to.
func openSinks(ctx context.Context, s *settings, health *pipeline.Health, reg prometheus.Registerer, log *slog.Logger) ([]schemas.Sink, func(), error) {
	report := func(part string) func(error) { return func(err error) { health.Set(part, err) } }
	if err := ensureTopics(ctx, s, report("kafka"), log); err != nil {
		return nil, nil, err
	}
	opts, err := s.Kafka.Options()
	if err != nil {
		return nil, nil, err
	}
	letters, err := producer.Open(producer.Config{DeadLetters: s.Kafka.DeadLetters, Audiences: s.Kafka.Audiences,
		Source: "seamline/" + s.PipelineID}, opts, reg)
	if err != nil {
		return nil, nil, err
	}
	tables, err := clickhouse.Open(ctx, s.ClickHouse, clickhouse.Options{PipelineID: s.PipelineID, Report: report("clickhouse"),
		Log: log, Registry: reg})
	if err != nil {
		letters.Close()
		return nil, nil, err
	}
	closeAll := func() {
		letters.Close()
		if err := tables.Close(); err != nil {
			log.Warn("could not close ClickHouse", "err", err)
		}
	}
	return []schemas.Sink{tables, letters}, closeAll, nil
}

// openSource opens the topics where the checkpoint ends, with the intents behind it to replay.
func openSource(ctx context.Context, s *settings, opt runOptions, store *state.Store, health *pipeline.Health, reg prometheus.Registerer) (*consumer.Gatherer, error) {
	intents, err := store.Intents()
	if err != nil {
		return nil, err
	}
	replays := make([]consumer.Replay, 0, len(intents))
	for _, i := range intents {
		replays = append(replays, consumer.Replay{Now: i.Now, Fixed: i.Fixed, Advance: i.Advance, Ranges: i.Ranges})
	}
	if len(replays) > 0 {
		opt.log.Info("replaying batches that may have been written before the last stop", "batches", len(replays))
	}
	source, err := consumer.Open(ctx, s.Kafka, consumer.Options{Feeds: feeds(), Group: s.PipelineID, Start: store.Point().Positions,
		Replays: replays, Now: time.Now, FixedNow: opt.now, AdvanceTo: opt.advanceTo, UntilCaughtUp: opt.untilCaughtUp,
		Report: func(err error) { health.Set("kafka", err) }, Log: opt.log, Registry: reg})
	if err != nil {
		return nil, fmt.Errorf("open topics: %w", err)
	}
	return source, nil
}
