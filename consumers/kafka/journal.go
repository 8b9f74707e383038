package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seamline/seamline/schemas"
)

// Errors of a Journal.
var (
	// ErrFenced says that another instance has taken the lead: this one must write nothing more.
	ErrFenced = errors.New("another instance has taken over")
	// ErrLed says that another instance leads and that this one was not to wait for its end.
	ErrLed = errors.New("another instance leads this pipeline")
)

// JournalOptions are what a Journal needs beside a Config.
type JournalOptions struct {
	Key      string // names the pipeline and the tables that it writes to: instances with the same key exclude each other
	Instance string // names the state directory: a new process over the same one need not wait for the old one's silence
	After    uint64 // intents up to this batch are not needed
	Once     bool   // fail with ErrLed instead of waiting for a living leader's end
	Now      func() time.Time
	Waiting  func(leader string) // told when this instance is a standby
	Lost     func(error)         // told when the lead was lost while nothing was written
	Report   func(error)         // what is waited for; nil when nothing is
	Log      *slog.Logger
}

// Journal is the log of intents, and decides which instance leads. Only the leader writes intents, each before its batch: the log is a
// topic, written by a transactional producer, so that taking the lead bars all who led before. An instance that does not lead
// follows what the leader decides and makes the same state of it.
//
// An intent is written only after all sinks have the batch before. So of all intents only the newest is in doubt.
type Journal struct {
	cfg      Config
	opt      JournalOptions
	process  string // names this process, among all that ever lead
	consumer *kgo.Client
	admin    *kadm.Client
	leading  atomic.Bool // set by Next, before it says so
	facts    facts

	mu       lock // guards the following
	producer *kgo.Client
	queue    []schemas.Intent // read and not yet given out, oldest first
	given    uint64           // last batch given out
	newest   uint64           // last batch whose intent is in the log
	mine     uint64           // last batch whose intent this process wrote
	leader   string           // instance of the last entry; empty after it resigned
	last     string           // process of the last entry
	told     string           // leader that opt.Waiting was last told of
	heard    time.Time        // when the leader gave the last sign of life
	alive    bool             // it gave one since this journal was opened
	read     int64            // offset after the last entry read
	written  time.Time        // when this process wrote last
	listens  time.Time        // since when this process waits for a sign of life

	stopBeating context.CancelFunc
	beating     sync.WaitGroup
}

// lock is a mutex of which the holder may wait for the network: whoever waits for it waits for a channel, as for anything far away, so
// that in tests virtual time goes on.
type lock chan struct{}

// Lock waits until the lock is free, and takes it.
func (l lock) Lock() { l <- struct{}{} }

// LockWithin waits for the lock no longer than ctx lets it.
func (l lock) LockWithin(ctx context.Context) error {
	select {
	case l <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Unlock frees the lock.
func (l lock) Unlock() { <-l }

// mark is where an intent is in the log.
type mark struct {
	batch  uint64
	offset int64
}

// facts are what the line asks for and tells while somebody else may hold the journal's lock for as long as the brokers do not answer.
type facts struct {
	mu    sync.Mutex     // guards the following; nobody waits for anything while holding it
	done  uint64         // last batch that all sinks are known to have
	marks [marksMax]mark // where recent intents are
}

// finish notes that all sinks have the batches up to one.
func (f *facts) finish(batch uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.done = max(f.done, batch)
}

func (f *facts) finished() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.done
}

// mark notes where a batch's intent is.
func (f *facts) mark(batch uint64, offset int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.marks[batch%marksMax] = mark{batch, offset}
}

// offset gives where a batch's intent is; 0 where that is not known any more.
func (f *facts) offset(batch uint64) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if m := f.marks[batch%marksMax]; m.batch == batch {
		return m.offset
	}
	return 0
}

// Kinds of entry, in the header kind.
const (
	entryLead   = "lead"
	entryIntent = "intent"
	entryBeat   = "beat"
	entryResign = "resign"
)

// note is the value of an entry that is no intent.
type note struct {
	Done uint64 `json:"done"` // last batch that all sinks have
}

// Limits of the journal.
const (
	beatsPerTakeover   = 5
	appendWaitMax      = 10 * time.Second
	transactionTimeout = 60 * time.Second
	journalRetention   = "604800000" // ms
	marksMax           = 1024
	// A leader whose last entry is older than this many takeover.after is not listened for: no clock is that wrong.
	silencesMax = 6
)

// OpenJournal makes sure that the topic exists and reads it from the offset from on, 0 for all of it.
func OpenJournal(ctx context.Context, cfg Config, opt JournalOptions, from int64) (*Journal, error) {
	j := &Journal{cfg: cfg, opt: opt, process: uuid.NewString(), mu: make(lock, 1), given: opt.After}
	j.facts.finish(opt.After)
	opts, err := cfg.Options()
	if err != nil {
		return nil, err
	}
	if err := cfg.await(ctx, opt.Report, opt.Log, func() error { return createJournal(ctx, &cfg) }); err != nil {
		return nil, fmt.Errorf("open the journal: %w", err)
	}
	// What a barred producer left in an open transaction counts as well: it may have been acted upon.
	j.consumer, err = kgo.NewClient(append(opts, kgo.ConsumeResetOffset(kgo.NoResetOffset()), kgo.FetchIsolationLevel(kgo.ReadUncommitted()), kgo.KeepControlRecords(),
		kgo.FetchMaxWait(200*time.Millisecond))...)
	if err != nil {
		return nil, fmt.Errorf("connect to Kafka: %w", err)
	}
	j.admin = kadm.NewClient(j.consumer)
	err = cfg.await(ctx, opt.Report, opt.Log, func() error { return j.begin(ctx, from) })
	if err != nil {
		j.consumer.Close()
		return nil, fmt.Errorf("open the journal: %w", err)
	}
	return j, nil
}

// Newest gives the number of the last batch whose intent is in the log; 0 for none.
func (j *Journal) Newest() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.newest
}

// First gives the number of the first intent that Next will give; 0 while there is none.
func (j *Journal) First() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.queue) == 0 {
		return 0
	}
	return j.queue[0].Batch
}

// Prepend puts intents before those of the journal, which has forgotten them. All sinks have their batches, but maybe the last.
func (j *Journal) Prepend(intents []schemas.Intent) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(intents) > 0 {
		j.queue = append(intents[:len(intents):len(intents)], j.queue...)
		j.facts.finish(intents[len(intents)-1].Batch - 1)
	}
}

// Next gives the next intent of those who led before, or of the leader while that is another instance, and whether all sinks have its
// batch. Nil means that this instance leads and has been given everything.
func (j *Journal) Next(ctx context.Context) (*schemas.Intent, bool, error) {
	if err := j.mu.LockWithin(ctx); err != nil {
		return nil, false, err
	}
	defer j.mu.Unlock()
	for {
		if len(j.queue) > 0 {
			i := j.queue[0]
			if written := len(j.queue) > 1 || i.Batch <= j.facts.finished(); written || j.leading.Load() {
				if i.Batch != j.given+1 {
					return nil, false, fmt.Errorf("%w: the intent of batch %d follows that of batch %d", schemas.ErrDamaged, i.Batch, j.given)
				}
				j.queue, j.given = j.queue[1:], i.Batch
				return &i, written, nil
			}
		}
		if j.leading.Load() {
			return nil, false, nil
		}
		if j.mayLead() {
			if err := j.lead(ctx); err != nil {
				return nil, false, err
			}
			continue
		}
		if j.opt.Once && j.alive {
			return nil, false, fmt.Errorf("%w: %s", ErrLed, j.leader)
		}
		if j.told != j.leader {
			j.told = j.leader
			j.opt.Waiting(j.leader)
		}
		if err := j.poll(ctx, 200*time.Millisecond, false); err != nil {
			return nil, false, err
		}
	}
}

// mayLead tells whether nobody else leads, as far as can be heard.
func (j *Journal) mayLead() bool {
	if j.leader == "" || j.leader == j.opt.Instance {
		return true
	}
	now := j.opt.Now()
	if !j.alive && now.Sub(j.heard) >= silencesMax*j.cfg.TakeoverAfter {
		return true
	}
	// A timestamp of another machine does not count: the leader must be silent while this one listens.
	if !j.alive && j.listens.IsZero() {
		j.listens, j.heard = now, now
	}
	return now.Sub(j.heard) >= j.cfg.TakeoverAfter
}

// lead bars those who led before, says so in the log, and reads what they wrote until then.
func (j *Journal) lead(ctx context.Context) error {
	if err := j.cfg.outlast(ctx, j.opt.Report, j.opt.Log, func() error { return j.enlist(ctx) }); err != nil {
		return err
	}
	if _, err := j.append(ctx, entryLead, nil); err != nil {
		if ctx.Err() != nil {
			return err
		}
		j.opt.Log.Warn("another instance took the lead at the same time", "err", err)
		j.heard, j.alive = j.opt.Now(), true
		return nil
	}
	if err := j.cfg.await(ctx, j.opt.Report, j.opt.Log, func() error { return j.stillLeads(ctx) }); err != nil {
		if !errors.Is(err, ErrFenced) {
			return err
		}
		j.heard, j.alive = j.opt.Now(), true
		return nil // barred in the meantime
	}
	j.leading.Store(true)
	beat, cancel := context.WithCancel(context.WithoutCancel(ctx))
	j.stopBeating = cancel
	j.beating.Go(func() { j.beat(beat) })
	j.opt.Log.Info("leading", "pipeline", j.opt.Key, "batch", j.newest)
	return nil
}

// Leads tells whether this instance may write.
func (j *Journal) Leads() bool { return j.leading.Load() }

// Close resigns, so that a standby need not wait for silence, and ends the connections.
func (j *Journal) Close(ctx context.Context) error {
	var err error
	if j.stopBeating != nil {
		j.stopBeating()
		j.beating.Wait()
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		j.mu.Lock()
		_, err = j.append(ctx, entryResign, nil)
		j.mu.Unlock()
	}
	if j.producer != nil {
		j.producer.Close()
	}
	j.consumer.Close()
	return err
}
