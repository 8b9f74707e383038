package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seamline/seamline/consumers/clickstream"
	"github.com/seamline/seamline/consumers/control"
	"github.com/seamline/seamline/consumers/decode"
	"github.com/seamline/seamline/consumers/kafka"
	"github.com/seamline/seamline/pipeline"
	"github.com/seamline/seamline/pipeline/audience"
	"github.com/seamline/seamline/pipeline/dedup"
	"github.com/seamline/seamline/pipeline/score"
	"github.com/seamline/seamline/pipeline/slab"
	"github.com/seamline/seamline/pipeline/state"
	"github.com/seamline/seamline/pipeline/stitch"
	"github.com/seamline/seamline/pipeline/timers"
	"github.com/seamline/seamline/schemas"
)

// duty is what a process is to do.
type duty struct {
	key       string // of the pipeline
	intents   string // topic
	tables    *tables
	records   int // most per batch
	wait      time.Duration
	every     time.Duration // between checkpoints
	isFixed   bool          // the clock stands
	untilEnd  bool          // stop at the topic's end
	advanceTo schemas.Time
	rewrite   bool // write what the sinks have already once more
}

// fateKind is how a process's life is cut short.
type fateKind int

const (
	fateNone    fateKind = iota
	fateTime             // a crash at a time
	fateSync             // a crash at a step that makes something durable on disk
	fateMessage          // a crash at a message to a broker
	fateInsert           // a crash at an insert into a table
	fatePause            // the process stands still for a while
	fateStop             // it is asked to stop
	fateEnd
)

// fate is what happens to a process, and what happens to its machine after that.
type fate struct {
	kind       fateKind
	count      uint64        // of the step
	at         time.Duration // after the process's start
	pause      time.Duration
	away       time.Duration // until the next process starts
	unsynced   int           // percent of what was not made durable that survives a crash
	isDiskLost bool
}

// is tells whether a step is the one.
func (f *fate) is(kind fateKind, count uint64) bool { return f.kind == kind && f.count == count }

// process is one life of an instance of Seamline: its parts are the real ones.
type process struct {
	duty
	w      *world
	name   string
	host   string
	memory *vfs.MemFS // the disk
	link   *link
	fate   fate
	skew   time.Duration // of the clock
	cancel context.CancelCauseFunc

	crashed chan struct{}
	once    sync.Once
	left    *vfs.MemFS // what a crash leaves of the disk

	mu    sync.Mutex // guards syncs
	syncs uint64
}

var quiet = slog.New(slog.DiscardHandler)

var (
	errCrashed = errors.New("crashed")
	errStopped = errors.New("stopped")
)

func (w *world) process(d duty, host string, life int, memory *vfs.MemFS) *process {
	p := &process{duty: d, w: w, host: host, name: fmt.Sprintf("%s.%d", host, life), memory: memory, crashed: make(chan struct{})}
	p.link = w.network.link(p.name)
	p.link.sending = func(n uint64, isSent bool) {
		if n *= 2; isSent {
			n++
		}
		if p.fate.is(fateMessage, n) {
			p.crash()
		}
	}
	return p
}

func (p *process) now() time.Time { return time.Now().Add(p.skew) }

// note writes history, of which a crash is the end: what still moves of a process then does so beside what comes next.
func (p *process) note(format string, args ...any) {
	if !p.isCrashed() {
		p.w.note(p.name+": "+format, args...)
	}
}

// crash ends the process at this instant: nothing that it does from here on can be seen by anybody.
func (p *process) crash() {
	p.once.Do(func() {
		p.note("crash")
		p.left = p.memory.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: p.fate.unsynced, RNG: p.w.chance.rng("left of", p.name)})
		p.link.cut()
		close(p.crashed)
		p.cancel(errCrashed)
	})
}

func (p *process) isCrashed() bool {
	select {
	case <-p.crashed:
		return true
	default:
		return false
	}
}

func (p *process) synced() {
	p.mu.Lock()
	p.syncs++
	n := p.syncs
	p.mu.Unlock()
	if p.fate.is(fateSync, n) {
		p.crash()
	}
}

// openState opens the state, and sets one aside that is damaged: a disk that lost its power while a directory was made may hold half
// of it.
func (p *process) openState() (*state.Store, error) {
	open := func() (*state.Store, error) {
		return state.Open(state.Config{Dir: "state", PipelineID: "simulation", FS: &disk{p.memory, p.synced}, Log: quiet})
	}
	store, err := open()
	if !errors.Is(err, schemas.ErrDamaged) {
		return store, err
	}
	p.note("sets its state aside")
	if err := p.memory.RemoveAll("state"); err != nil {
		return nil, err
	}
	return open()
}

// run is what `seamline run` does, over this world's network, disk and tables.
func (p *process) run(ctx context.Context) (err error) {
	p.note("start")
	ctx, p.cancel = context.WithCancelCause(ctx)
	defer p.cancel(nil)
	p.meet(ctx)
	store, err := p.openState()
	if err != nil {
		return fmt.Errorf("open state: %w", err)
	}
	defer func() { _ = store.Close() }() // everything that counts was committed
	point := store.Point()
	p.note("at batch %d", point.Batch)
	journal, err := kafka.OpenJournal(ctx, p.config(), kafka.JournalOptions{Key: p.key, Instance: store.Instance(), After: point.Batch, Now: p.now,
		Waiting: func(string) { p.note("stands by") }, Lost: p.cancel, Report: func(error) {}, Log: quiet}, point.Journal)
	if err != nil {
		return err
	}
	defer func() { _ = journal.Close(context.WithoutCancel(ctx)) }() // a standby takes over later
	if first := journal.First(); first != 0 && first != point.Batch+1 {
		return fmt.Errorf("%w: the journal begins with batch %d, and the state is at %d", schemas.ErrDamaged, first, point.Batch)
	}
	space, err := slab.NewSpace(slab.Config{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, space.Close()) }()
	line, err := p.line(store, journal, space)
	if err != nil {
		return err
	}
	source, err := p.source(ctx, point, journal)
	if err != nil {
		return err
	}
	defer source.Close()
	err = line.Run(ctx, source)
	if cause := context.Cause(ctx); err == nil && cause != nil && !errors.Is(cause, errStopped) {
		err = cause
	}
	return err
}

// meet has the process meet a fate that comes with time.
func (p *process) meet(ctx context.Context) {
	var does func()
	switch p.fate.kind {
	case fateTime:
		does = p.crash
	case fatePause:
		does = func() {
			p.note("stands still for %s", p.fate.pause)
			p.link.hold(p.fate.pause)
		}
	case fateStop:
		does = func() { p.note("is asked to stop"); p.cancel(errStopped) }
	default:
		return
	}
	timer := time.AfterFunc(p.fate.at, does)
	context.AfterFunc(ctx, func() { timer.Stop() })
}

func (p *process) config() kafka.Config {
	cfg := kafka.DefaultConfig()
	cfg.Brokers, cfg.Intents, cfg.RecordsMax, cfg.Wait, cfg.Tick = p.w.brokers, p.intents, p.records, p.wait, time.Second
	cfg.TakeoverAfter, cfg.OrderWait = p.w.takeover, time.Minute
	cfg.Extra = p.w.clientOptions(p.link)
	return cfg
}

// clientOptions are what every client of this world needs.
func (w *world) clientOptions(l *link) []kgo.Opt {
	return []kgo.Opt{kgo.Dialer(l.dial), kgo.DisableClientMetrics(), kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.MetadataMinAge(250 * time.Millisecond), kgo.MetadataMaxAge(time.Minute),
		kgo.RetryBackoffFn(func(n int) time.Duration { return time.Duration(min(n, 10)) * 50 * time.Millisecond })}
}

// line makes the line, with the stages as cmd/seamline wires them.
func (p *process) line(store *state.Store, journal *kafka.Journal, space *slab.Space) (*pipeline.Line, error) {
	reg := prometheus.NewRegistry()
	identity := stitch.New(identityRules, []byte(stitch.DefaultKey), space, reg)
	remembered := dedup.DefaultConfig()
	remembered.Memory = 1 << 20
	scoring := score.DefaultConfig()
	scoring.FitEvery = p.w.fitEvery
	scores, audiences := score.New(scoring, identity, space, reg), audience.New(audience.DefaultConfig(), audienceRules, identity, space, reg)
	scores.Serve(audiences.Reads)
	stages := []schemas.Stage{
		decode.New(decode.DefaultConfig(), map[schemas.Feed]schemas.Decoder{schemas.FeedClickstream: commands{control.New(), calls}}, reg),
		dedup.New(remembered, space, reg),
		identity,
		scores,
		audiences,
		timers.New(space, reg),
	}
	sinks := []schemas.Sink{&sink{p: p, attempts: map[uint64]int{}}}
	return pipeline.New(pipeline.Config{Stages: stages, Sinks: sinks, Store: store, Journal: journal, Rules: "simulation", Installation: "simulation",
		CheckpointEvery: p.every, Clock: p.now, Metrics: pipeline.NewMetrics(reg, stages, sinks), Log: quiet, Health: pipeline.NewHealth()})
}

// source opens the topic.
func (p *process) source(ctx context.Context, point state.Point, journal *kafka.Journal) (*kafka.Gatherer, error) {
	opt := kafka.Options{Feeds: []schemas.Feed{schemas.FeedClickstream}, Group: "simulation", Start: point.Positions, Intents: journal, Now: p.now,
		UntilCaughtUp: p.untilEnd, Report: func(error) {}, Log: quiet, Registry: prometheus.NewRegistry()}
	if p.rewrite {
		opt.Intents = unwritten{journal}
	}
	if p.isFixed {
		opt.FixedNow, opt.AdvanceTo = p.w.fixedNow, p.advanceTo
	}
	return kafka.Open(ctx, p.config(), opt)
}

// unwritten gives a journal's intents as if no sink had their batches.
type unwritten struct{ journal *kafka.Journal }

// Next implements the gatherer's Intents.
func (u unwritten) Next(ctx context.Context) (*schemas.Intent, bool, error) {
	i, _, err := u.journal.Next(ctx)
	return i, false, err
}

// Rules and decoder that all processes share; none of them has state.
var (
	identityRules    = must(stitch.ReadRules(""))
	audienceRules, _ = audience.ReadRules("")
	calls            = clickstream.New(clickstream.DefaultConfig())
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
