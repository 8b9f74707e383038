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

// wireStages makes the stages with their rules.
func (r *pipelineRun) wireStages() (*line, error) {
	rules, err := stitch.ReadRules(r.Identity.Rules)
	if err != nil {
		return nil, err
	}
	key, isSecret, err := r.Identity.Secret()
	if err != nil {
		return nil, err
	}
	if !isSecret {
		r.log.Warn("identity.key is not set: identifier hashes are made with the published default key")
	}
	audiences, err := audience.ReadRules(r.Audiences.Rules)
	if err != nil {
		return nil, err
	}
	reg := r.registry
	l := &line{stitch: stitch.New(rules, key, reg), audience: audience.New(audiences, reg), timers: timers.New(reg)}
	l.stages = []schemas.Stage{
		decode.New(r.Decode, sources(r.settings), reg),
		dedup.New(r.Dedup, reg),
		l.stitch,
		l.timers.Due(),
		score.New(r.Score, l.stitch, reg),
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

// pipelineRun is one running pipeline and what its parts share.
type pipelineRun struct {
	*settings
	runOptions
	health *pipeline.Health
	store  *state.Store
}

// runPipeline processes the topics until ctx ends or the topics' ends are reached.
func runPipeline(ctx context.Context, s *settings, opt runOptions) error {
	if s.StateMemory > 0 {
		debug.SetMemoryLimit(int64(s.StateMemory))
	}
	if opt.registry == nil {
		opt.registry = newRegistry()
	}
	r := &pipelineRun{settings: s, runOptions: opt, health: pipeline.NewHealth("kafka", "clickhouse", "line")}
	addr, stopHTTP, err := r.serveHTTP(ctx)
	if err != nil {
		return err
	}
	defer stopHTTP()
	if opt.started != nil {
		opt.started(addr)
	}
	r.log.Info("starting", "version", version(), "pipeline", s.PipelineID, "state_dir", s.StateDir, "http", addr)
	if r.store, err = state.Open(state.Config{Dir: s.StateDir, PipelineID: s.PipelineID, Log: r.log}); err != nil {
		return err
	}
	defer r.store.Close()
	return r.process(ctx)
}

// process wires source, stages and sinks, and runs the line.
func (r *pipelineRun) process(ctx context.Context) error {
	stages, err := r.wireStages()
	if err != nil {
		return err
	}
	sinks, closeSinks, err := r.openSinks(ctx)
	if err != nil {
		return err
	}
	defer closeSinks()
	if err := r.goOnFrom(ctx, sinks); err != nil {
		return err
	}
	l, err := pipeline.New(pipeline.Config{Stages: stages.stages, Sinks: sinks, Store: r.store, CheckpointEvery: r.CheckpointEvery,
		Clock: time.Now, Metrics: pipeline.NewMetrics(r.registry, stages.stages, sinks), Log: r.log, Health: r.health})
	if err != nil {
		return err
	}
	if stages.audience.Changed() {
		r.log.Info("the audiences' rules have changed: every profile is looked at again")
		stages.stitch.Profiles(stages.timers.Call)
	}
	source, err := r.openSource(ctx)
	if err != nil {
		return err
	}
	defer source.Close()
	r.health.Set("line", nil)
	r.log.Info("running", "batch", r.store.Point().Batch)
	if err := l.Run(ctx, source); err != nil {
		return err
	}
	r.log.Info("stopped, everything is committed", "batch", r.store.Point().Batch)
	return nil
}

// goOnFrom sees to it that a new state directory over tables with rows of this pipeline numbers its batches above theirs, so that what
// it writes replaces what is there: everything is processed from the topics' beginnings again.
func (r *pipelineRun) goOnFrom(ctx context.Context, sinks []schemas.Sink) error {
	intents, err := r.store.Intents()
	if err != nil || r.store.Point().Batch > 0 || len(intents) > 0 {
		return err
	}
	for _, s := range sinks {
		numbered, ok := s.(interface {
			LastBatch(ctx context.Context) (uint64, error)
		})
		if !ok {
			continue
		}
		last, err := numbered.LastBatch(ctx)
		if err != nil || last == 0 {
			return err
		}
		r.log.Warn("the state directory is new, but the tables hold batches of this pipeline: processing the topics from their beginnings over them",
			"sink", s.Name(), "batches", last)
		c, err := r.store.Collect(nil, last, nil)
		if err != nil {
			return err
		}
		if err := c.Commit(); err != nil {
			return err
		}
	}
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
	return consumer.EnsureTopics(ctx, s.Kafka, consumer.TopicOptions{Feeds: feeds(), Report: report, Log: log})
}

// report gives a function that tells what a part waits for.
func (r *pipelineRun) report(part string) func(error) {
	return func(err error) { r.health.Set(part, err) }
}

// openSinks makes sure that topics and tables exist and opens what is written to.
func (r *pipelineRun) openSinks(ctx context.Context) ([]schemas.Sink, func(), error) {
	if err := ensureTopics(ctx, r.settings, r.report("kafka"), r.log); err != nil {
		return nil, nil, err
	}
	opts, err := r.Kafka.Options()
	if err != nil {
		return nil, nil, err
	}
	letters, err := producer.Open(producer.Config{DeadLetters: r.Kafka.DeadLetters, Audiences: r.Kafka.Audiences,
		Source: "seamline/" + r.PipelineID}, opts, r.registry)
	if err != nil {
		return nil, nil, err
	}
	tables, err := clickhouse.Open(ctx, r.ClickHouse, clickhouse.Options{PipelineID: r.PipelineID, Report: r.report("clickhouse"),
		Log: r.log, Registry: r.registry})
	if err != nil {
		letters.Close()
		return nil, nil, err
	}
	closeAll := func() {
		letters.Close()
		if err := tables.Close(); err != nil {
			r.log.Warn("could not close ClickHouse", "err", err)
		}
	}
	return []schemas.Sink{tables, letters}, closeAll, nil
}

// openSource opens the topics where the checkpoint ends, with the intents behind it to replay.
func (r *pipelineRun) openSource(ctx context.Context) (*consumer.Gatherer, error) {
	intents, err := r.store.Intents()
	if err != nil {
		return nil, err
	}
	replays := make([]consumer.Replay, 0, len(intents))
	for _, i := range intents {
		replays = append(replays, consumer.Replay{Now: i.Now, Fixed: i.Fixed, Advance: i.Advance, Ranges: i.Ranges})
	}
	if len(replays) > 0 {
		r.log.Info("replaying batches that may have been written before the last stop", "batches", len(replays))
	}
	source, err := consumer.Open(ctx, r.Kafka, consumer.Options{Feeds: feeds(), Group: r.PipelineID, Start: r.store.Point().Positions,
		Replays: replays, Now: time.Now, FixedNow: r.now, AdvanceTo: r.advanceTo, UntilCaughtUp: r.untilCaughtUp,
		Report: r.report("kafka"), Log: r.log, Registry: r.registry})
	if err != nil {
		return nil, fmt.Errorf("open topics: %w", err)
	}
	return source, nil
}
