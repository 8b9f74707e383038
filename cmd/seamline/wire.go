package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/seamline/seamline/consumers/catalog"
	"github.com/seamline/seamline/consumers/clickstream"
	"github.com/seamline/seamline/consumers/consent"
	"github.com/seamline/seamline/consumers/control"
	"github.com/seamline/seamline/consumers/decode"
	"github.com/seamline/seamline/consumers/email"
	consumer "github.com/seamline/seamline/consumers/kafka"
	"github.com/seamline/seamline/consumers/pos"
	"github.com/seamline/seamline/consumers/survey"
	"github.com/seamline/seamline/pipeline"
	"github.com/seamline/seamline/pipeline/audience"
	"github.com/seamline/seamline/pipeline/dedup"
	"github.com/seamline/seamline/pipeline/score"
	"github.com/seamline/seamline/pipeline/slab"
	"github.com/seamline/seamline/pipeline/state"
	"github.com/seamline/seamline/pipeline/stitch"
	"github.com/seamline/seamline/pipeline/timers"
	"github.com/seamline/seamline/schemas"
	"github.com/seamline/seamline/sinks/clickhouse"
	"github.com/seamline/seamline/sinks/export"
	producer "github.com/seamline/seamline/sinks/kafka"
)

// sources lists the feeds that are read, and who decodes them.
func sources(s *settings) map[schemas.Feed]schemas.Decoder {
	onBehaviour := s.Clickstream
	onBehaviour.Categories = s.Consent.Table()
	onConsent := onBehaviour
	onConsent.ConsentFeed = true
	calls := clickstream.New(onBehaviour)
	return map[schemas.Feed]schemas.Decoder{
		schemas.FeedClickstream: calls,
		schemas.FeedEmail:       email.New(s.Email, calls),
		schemas.FeedPOS:         pos.New(s.POS),
		schemas.FeedCatalog:     catalog.New(s.Catalog),
		schemas.FeedConsent:     consent.New(s.Consent, clickstream.New(onConsent)),
		schemas.FeedSurvey:      survey.New(s.Survey, calls),
		schemas.FeedIdentity:    control.New(),
	}
}

// feeds lists the feeds of sources in a fixed order.
func feeds() []schemas.Feed {
	return []schemas.Feed{schemas.FeedClickstream, schemas.FeedEmail, schemas.FeedPOS, schemas.FeedCatalog, schemas.FeedConsent, schemas.FeedSurvey,
		schemas.FeedIdentity}
}

// line is the stages in the order in which every batch walks them.
type line struct {
	stages   []schemas.Stage
	space    *slab.Space // that the stages' state is in
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
	scoring := r.Score
	if err := scoring.ReadRules(); err != nil {
		return nil, err
	}
	space, err := slab.NewSpace(slab.Config{Dir: r.StateDir, CeilingBytes: r.stateBytes()})
	if err != nil {
		return nil, err
	}
	reg := r.registry
	l := &line{space: space, stitch: stitch.New(rules, key, space, reg), timers: timers.New(space, reg)}
	l.audience = audience.New(r.Audiences, audiences, l.stitch, space, reg)
	scores := score.New(scoring, l.stitch, space, reg)
	scores.Serve(l.audience.Reads)
	decoded, first := decode.New(r.Decode, sources(r.settings), reg), dedup.New(r.Dedup, space, reg)
	decoded.PrepareFor(first, scores)
	l.stages = []schemas.Stage{
		decoded,
		&rewound{tables: r.tables},
		first,
		l.stitch,
		scores,
		l.audience,
		l.timers,
	}
	if r.watch != nil {
		l.stages = r.watch.stages(space, l.stages)
	}
	return l, nil
}

// runOptions are what a run may be told beside its settings.
type runOptions struct {
	untilCaughtUp  bool
	now, advanceTo schemas.Time
	strict         bool                 // now makes no events possible that a live line would have refused
	until          []schemas.Range      // not nil: the positions to stop at
	rewind         *rewind              // nil for none
	rebuild        bool                 // process everything again from the topics' beginnings, over the rows that are there
	silent         bool                 // write tables only: what goes to Kafka was published before
	atLeastOnce    bool                 // for a benchmark, over a new state and new tables: no intents, and INSERTs without tokens
	registry       *prometheus.Registry // nil: a new one
	log            *slog.Logger
	started        func(httpAddr string) // called once HTTP answers
	watch          *watch                // for a benchmark; nil otherwise
}

// watch lets a benchmark leave stages out, watch or replace the sinks, and know when the line begins to read.
type watch struct {
	stages  func(space *slab.Space, stages []schemas.Stage) []schemas.Stage
	sinks   func(tables *clickhouse.Sink, sinks []schemas.Sink) []schemas.Sink
	running func()
}

// pipelineRun is one running pipeline and what its parts share.
type pipelineRun struct {
	*settings
	runOptions
	health       *pipeline.Health
	store        *state.Store
	tables       *clickhouse.Sink
	exports      *export.Exporter // nil where nobody pulls
	journal      *consumer.Journal
	lost         func(error) // ends the run: another instance leads
	rulesDigest  string
	installation string // of the tables
	isRestored   bool   // the state directory was new, and the tables were not
}

// runPipeline processes the topics until ctx ends or the topics' ends are reached.
func runPipeline(ctx context.Context, s *settings, opt runOptions) error {
	if s.StateMemory > 0 {
		s = s.withinMemory()
	}
	s.tuneHeap()
	if opt.registry == nil {
		opt.registry = newRegistry()
	}
	r := &pipelineRun{settings: s, runOptions: opt, health: pipeline.NewHealth("kafka", "clickhouse", "state directory", "lead", "line")}
	if err := r.openExports(); err != nil {
		return err
	}
	addr, stopHTTP, err := r.serveHTTP(ctx)
	if err != nil {
		return err
	}
	defer stopHTTP()
	if opt.started != nil {
		opt.started(addr)
	}
	r.log.Info("starting", "version", version(), "pipeline", s.PipelineID, "state_dir", s.StateDir, "http", addr)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r.lost = cancel
	if r.rulesDigest, err = s.rules(); err != nil {
		return err
	}
	if err := r.openState(ctx); err != nil {
		return err
	}
	defer func() { _ = r.store.Close() }() // everything that counts was committed
	if err := r.process(ctx); err != nil {
		return err
	}
	if cause := context.Cause(ctx); errors.Is(cause, consumer.ErrFenced) {
		return cause
	}
	return nil
}

// process wires source, stages and sinks, and runs the line.
func (r *pipelineRun) process(ctx context.Context) error {
	sinks, closeSinks, err := r.openSinks(ctx)
	if err != nil {
		return err
	}
	defer closeSinks()
	if r.installation, err = r.tables.Installation(ctx); err != nil {
		return err
	}
	defer func() { r.closeJournal(ctx) }()
	if !r.atLeastOnce {
		if err := r.restore(ctx); err != nil {
			return err
		}
	}
	stages, l, err := r.openLine(sinks)
	if err != nil {
		return err
	}
	defer r.keepMemory(ctx, stages.space)()
	if stages.audience.Changed() {
		r.log.Info("the audiences' rules have changed: every profile is looked at again")
		stages.stitch.Profiles(stages.timers.Call)
	}
	source, err := r.openSource(ctx)
	if err != nil {
		return err
	}
	defer source.Close()
	defer r.keepSquashed(ctx)()
	defer r.keepExports(ctx)()
	r.health.Set("line", nil)
	r.log.Info("running", "batch", r.store.Point().Batch)
	if r.watch != nil {
		r.watch.running()
	}
	if err := l.Run(ctx, source); err != nil {
		return err
	}
	if r.rewind != nil && ctx.Err() == nil {
		if err := r.tables.SettleDeadLetters(ctx, source.Rewound()); err != nil {
			return err
		}
	}
	if r.rebuild && ctx.Err() == nil {
		if err := r.endRebuild(ctx); err != nil {
			return err
		}
	}
	r.log.Info("stopped, everything is committed", "batch", r.store.Point().Batch)
	return nil
}

// keepMemory keeps the ceiling of a space until the function that it gives is called, which closes the space.
func (r *pipelineRun) keepMemory(ctx context.Context, space *slab.Space) (end func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	kept := make(chan error, 1)
	go func() { kept <- space.Keep(ctx) }()
	return func() {
		cancel()
		if err := errors.Join(<-kept, space.Close()); err != nil {
			r.log.Warn("could not keep the ceiling of memory, or give memory back", "err", err)
		}
	}
}

// openLine makes the stages and loads their state. Where that is damaged it is restored, once.
func (r *pipelineRun) openLine(sinks []schemas.Sink) (*line, *pipeline.Line, error) {
	stages, err := r.wireStages()
	if err != nil {
		return nil, nil, err
	}
	cfg := pipeline.Config{Stages: stages.stages, Sinks: sinks, Store: r.store, Journal: r.journal, Rules: r.rulesDigest, Installation: r.installation,
		Room: stages.space.Trim, Cool: stages.space.Cool, CheckpointEvery: r.CheckpointEvery, CheckpointMax: r.checkpointMax(), BackupBytesMax: r.backupBytesMax(), Clock: time.Now,
		Metrics: pipeline.NewMetrics(r.registry, stages.stages, sinks),
		Log:     r.log, Health: r.health}
	if r.atLeastOnce {
		cfg.Journal = noJournal{}
	}
	if r.BackupEvery > 0 {
		cfg.Backup, cfg.BackupEvery, cfg.Leads = r.tables, r.BackupEvery, r.journal.Leads
	}
	l, err := pipeline.New(cfg)
	if err != nil {
		return nil, nil, errors.Join(err, stages.space.Close())
	}
	return stages, l, nil
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
	sealer, err := r.Contacts.sealer()
	if err != nil {
		letters.Close()
		return nil, nil, err
	}
	tables, err := clickhouse.Open(ctx, r.ClickHouse, clickhouse.Options{PipelineID: r.PipelineID, Rules: r.rulesDigest, Report: r.report("clickhouse"),
		Log: r.log, Registry: r.registry, Plain: r.atLeastOnce, Clear: sealer})
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
	r.tables = tables
	sinks := []schemas.Sink{tables, letters}
	if r.silent {
		sinks = sinks[:1]
	}
	if r.watch != nil {
		sinks = r.watch.sinks(tables, sinks)
	}
	return sinks, closeAll, nil
}

// openSource opens the topics where the checkpoint ends, with the intents behind it to replay.
func (r *pipelineRun) openSource(ctx context.Context) (*consumer.Gatherer, error) {
	opt := consumer.Options{Feeds: feeds(), Group: r.PipelineID, Start: r.store.Point().Positions, Intents: &replaying{r: r}, Now: time.Now,
		FixedNow: r.now, AdvanceTo: r.advanceTo, Strict: r.strict, UntilCaughtUp: r.untilCaughtUp, Until: r.until,
		Report: r.report("kafka"), Log: r.log, Registry: r.registry}
	if r.atLeastOnce {
		opt.Intents = nil
	}
	if r.rewind != nil {
		var err error
		if opt.Rewind, err = consumer.Since(ctx, r.Kafka, r.rewind.topic, r.rewind.at, r.store.Point().Positions); err != nil {
			return nil, err
		}
	}
	source, err := consumer.Open(ctx, r.Kafka, opt)
	if err != nil {
		return nil, fmt.Errorf("open topics: %w", err)
	}
	return source, nil
}
