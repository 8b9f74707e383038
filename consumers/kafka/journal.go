package kafka

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seamline/seamline/schemas"
	"github.com/seamline/seamline/schemas/fault"
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

// createJournal makes the topic where it is missing, whatever kafka.topics.create says: it is the pipeline's own.
func createJournal(ctx context.Context, cfg *Config) error {
	opts, err := cfg.Options()
	if err != nil {
		return err
	}
	// A client of its own, since a client remembers for a moment that a topic was missing.
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return fmt.Errorf("connect to Kafka: %w", err)
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	topics, err := admin.ListTopics(ctx, cfg.Intents)
	if err != nil {
		return fmt.Errorf("list topics: %w", err)
	}
	if t := topics[cfg.Intents]; t.Err == nil && len(t.Partitions) > 0 {
		return nil
	}
	retention := journalRetention
	_, err = admin.CreateTopic(ctx, 1, int16(cfg.Replication), map[string]*string{"retention.ms": &retention}, cfg.Intents)
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return fmt.Errorf("create topic %s for the intents (create it with one partition, or allow that): %w", cfg.Intents, err)
	}
	return nil
}

// begin reads what is there.
func (j *Journal) begin(ctx context.Context, from int64) error {
	starts, err := j.admin.ListStartOffsets(ctx, j.cfg.Intents)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return fmt.Errorf("list offsets of topic %s: %v", j.cfg.Intents, err) // not known everywhere as soon as it is created
	}
	end, err := j.end(ctx)
	if err != nil {
		return err
	}
	if from > end {
		from = 0 // the topic is another one than the offset is of
	}
	if o, ok := starts.Lookup(j.cfg.Intents, 0); ok {
		from = max(from, o.Offset)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.read = from
	j.consumer.AddConsumePartitions(map[string]map[int32]kgo.Offset{j.cfg.Intents: {0: kgo.NewOffset().At(from)}})
	return j.readUpTo(ctx, end, true)
}

func (j *Journal) end(ctx context.Context) (int64, error) {
	ends, err := j.admin.ListEndOffsets(ctx, j.cfg.Intents)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return 0, fmt.Errorf("list offsets of topic %s: %w", j.cfg.Intents, err)
	}
	o, _ := ends.Lookup(j.cfg.Intents, 0)
	return o.Offset, nil
}

func (j *Journal) readUpTo(ctx context.Context, end int64, isPast bool) error {
	for j.read < end {
		if err := j.poll(ctx, time.Second, isPast); err != nil {
			return err
		}
	}
	return nil
}

// poll reads entries, waiting for some as long as wait.
func (j *Journal) poll(ctx context.Context, wait time.Duration, isPast bool) error {
	within, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	fetches := j.consumer.PollFetches(within)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var failed error
	fetches.EachError(func(topic string, _ int32, err error) {
		var loss *kgo.ErrDataLoss
		switch {
		case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		case errors.Is(err, kerr.OffsetOutOfRange), errors.As(err, &loss):
			failed = fmt.Errorf("read the journal: %w: topic %s: %w", ErrGap, topic, err)
		default: // an outage, however long
			j.opt.Report(err)
			j.opt.Log.Warn("could not read the journal", "topic", topic, "err", err)
		}
	})
	fetches.EachRecord(func(r *kgo.Record) {
		j.read = r.Offset + 1
		if failed == nil && !r.Attrs.IsControl() && string(r.Key) == j.opt.Key {
			failed = j.take(r, isPast)
		}
	})
	return failed
}

// take understands one entry.
func (j *Journal) take(r *kgo.Record, isPast bool) error {
	kind, process := "", ""
	for _, h := range r.Headers {
		switch h.Key {
		case "kind":
			kind = string(h.Value)
		case "instance":
			j.leader = string(h.Value)
		case "process":
			process = string(h.Value)
		}
	}
	j.last = process
	j.heard = j.opt.Now()
	if isPast {
		j.heard = r.Timestamp
	} else {
		j.alive = true
	}
	if kind == entryIntent {
		intent, err := schemas.DecodeIntent(r.Value)
		if err != nil {
			return fmt.Errorf("topic %s, offset %d: %w", r.Topic, r.Offset, err)
		}
		j.facts.mark(intent.Batch, r.Offset)
		j.newest = intent.Batch
		if process == j.process {
			j.mine = intent.Batch
		}
		j.facts.finish(intent.Batch - 1)
		if intent.Batch > j.given && !j.leading.Load() {
			// A leader that started over numbers on, but never back: what follows replaces what it did not build upon.
			j.queue = slices.DeleteFunc(j.queue, func(i schemas.Intent) bool { return i.Batch >= intent.Batch })
			j.queue = append(j.queue, intent)
		}
		return nil
	}
	var n note
	if err := json.Unmarshal(r.Value, &n); err != nil {
		return fmt.Errorf("topic %s, offset %d: %w: %w", r.Topic, r.Offset, schemas.ErrDamaged, err)
	}
	j.facts.finish(n.Done)
	if kind == entryResign {
		j.leader = ""
	}
	return nil
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

// enlist makes a producer that bars all earlier ones.
func (j *Journal) enlist(ctx context.Context) error {
	opts, err := j.cfg.Options()
	if err != nil {
		return err
	}
	opts = append(opts, kgo.RequiredAcks(kgo.AllISRAcks()), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0),
		kgo.RecordDeliveryTimeout(transactionTimeout/2))
	if !fault.Off(fault.Fence) {
		opts = append(opts, kgo.TransactionalID(j.cfg.Intents+"/"+j.opt.Key), kgo.TransactionTimeout(transactionTimeout))
	}
	producer, err := kgo.NewClient(opts...)
	if err != nil {
		return fmt.Errorf("connect to Kafka: %w", err)
	}
	if _, _, err := producer.ProducerID(ctx); err != nil {
		producer.Close()
		return fmt.Errorf("start a transactional producer (the brokers must allow transactions, and the user the transactional id %s): %w",
			j.cfg.Intents+"/"+j.opt.Key, err)
	}
	if j.producer != nil {
		j.producer.Close()
	}
	j.producer = producer
	return nil
}

// append writes one entry, of which it gives the offset, and returns when no later leader can miss it.
func (j *Journal) append(ctx context.Context, kind string, value []byte) (int64, error) {
	if value == nil {
		var err error
		if value, err = json.Marshal(note{Done: j.facts.finished()}); err != nil {
			return 0, err
		}
	}
	r := &kgo.Record{Topic: j.cfg.Intents, Key: []byte(j.opt.Key), Value: value, Headers: []kgo.RecordHeader{
		{Key: "kind", Value: []byte(kind)}, {Key: "instance", Value: []byte(j.opt.Instance)}, {Key: "process", Value: []byte(j.process)}}}
	ctx, cancel := context.WithTimeout(ctx, appendWaitMax)
	defer cancel()
	if err := j.produce(ctx, r); err != nil {
		return 0, fmt.Errorf("write the journal: %w", err)
	}
	j.written = j.opt.Now()
	return r.Offset, nil
}

// produce writes one record in a transaction of its own. The library waits for the outcome of a record that may be on its way, however
// long: beyond ctx the producer is given up instead, and the next one bars it.
func (j *Journal) produce(ctx context.Context, r *kgo.Record) error {
	transactional := !fault.Off(fault.Fence)
	if transactional {
		if err := j.producer.BeginTransaction(); err != nil {
			return err
		}
	}
	done := make(chan error, 1)
	j.producer.Produce(ctx, r, func(_ *kgo.Record, err error) { done <- err })
	select {
	case err := <-done:
		if err != nil || !transactional {
			return err
		}
	case <-ctx.Done():
		j.producer.Close()
		return ctx.Err()
	}
	return j.producer.EndTransaction(ctx, kgo.TryCommit)
}

// Write makes an intent durable. It fails with ErrFenced where another instance has taken over; other failures it sits out.
func (j *Journal) Write(ctx context.Context, i *schemas.Intent) error {
	value, err := i.Encode()
	if err != nil {
		return err
	}
	if err := j.mu.LockWithin(ctx); err != nil {
		return err
	}
	defer j.mu.Unlock()
	return j.insist(ctx, func() error {
		if j.mine >= i.Batch {
			return nil // the attempt before was in fact successful
		}
		offset, err := j.append(ctx, entryIntent, value)
		if err != nil {
			return err
		}
		j.newest, j.mine = i.Batch, i.Batch
		j.facts.mark(i.Batch, offset)
		return nil
	})
}

// insist tries until it succeeds, each time after making sure that this process still leads.
func (j *Journal) insist(ctx context.Context, try func() error) error {
	var err error
	if j.opt.Now().Sub(j.written) < j.cfg.TakeoverAfter/2 {
		if err = try(); err == nil || ctx.Err() != nil {
			return err
		}
	} else {
		err = errors.New("this process was held up")
	}
	j.opt.Log.Warn("the journal could not be written; looking whether this instance still leads", "err", err)
	return j.cfg.outlast(ctx, j.opt.Report, j.opt.Log, func() error {
		// A look first, so that a leader that was replaced does not bar its successor for nothing.
		if err := j.stillLeads(ctx); err != nil {
			return err
		}
		if err := j.enlist(ctx); err != nil {
			return err
		}
		if err := j.stillLeads(ctx); err != nil {
			return err
		}
		return try()
	})
}

// stillLeads reads to the end of the log, and fails with ErrFenced where another process has written there since.
func (j *Journal) stillLeads(ctx context.Context) error {
	end, err := j.end(ctx)
	if err == nil {
		err = j.readUpTo(ctx, end, false)
	}
	if err == nil && j.last != j.process && !fault.Off(fault.Fence) {
		err = fmt.Errorf("%w: %s", ErrFenced, j.leader)
	}
	return err
}

// Finished says that all sinks have a batch.
func (j *Journal) Finished(batch uint64) { j.facts.finish(batch) }

// Offset gives where to begin reading for what comes after a batch; 0 where that is not known any more.
func (j *Journal) Offset(batch uint64) int64 { return j.facts.offset(batch) }

// Leads tells whether this instance may write.
func (j *Journal) Leads() bool { return j.leading.Load() }

// beat gives signs of life while there is nothing else to write.
func (j *Journal) beat(ctx context.Context) {
	every := j.cfg.TakeoverAfter / beatsPerTakeover
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		j.mu.Lock()
		if j.opt.Now().Sub(j.written) >= every {
			err := j.insist(ctx, func() error { _, err := j.append(ctx, entryBeat, nil); return err })
			if errors.Is(err, ErrFenced) {
				j.mu.Unlock()
				j.opt.Lost(err)
				return
			}
		}
		j.mu.Unlock()
	}
}

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
