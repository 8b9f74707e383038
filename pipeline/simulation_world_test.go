package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seamline/seamline/consumers/kafka"
	"github.com/seamline/seamline/pipeline"
	"github.com/seamline/seamline/schemas"
)

// Limits of a simulation, in virtual time.
const (
	troubleMax   = 8 * time.Second // after which nothing goes wrong any more
	patience     = 3 * time.Minute // within which all must be done
	livesMax     = 60              // of one machine
	brokersMax   = 3
	fatesMax     = 4
	topicInput   = "clickstream"
	topicIntents = "seamline.intents"
	topicCalm    = "seamline.intents.calm"
)

// world is one simulation: brokers, machines with processes, tables, and what goes wrong.
type world struct {
	chance     *chance
	rng        *rand.Rand // for what is decided before the start
	network    *network
	cluster    *kfake.Cluster
	brokers    string
	start      time.Time
	partitions int
	takeover   time.Duration
	fixedNow   schemas.Time
	advanceTo  schemas.Time
	isLive     bool // the traffic comes while the line runs, and time passes
	traffic    *traffic
	fitEvery   time.Duration // of the population's models
	tables     *tables       // that the processes in trouble write to

	mu       sync.Mutex // guards the following
	history  []string
	problems []string
	isQuiet  bool // no more history
}

func newWorld(seed uint64) *world {
	c := &chance{seed: seed}
	w := &world{chance: c, rng: c.rng("plan"), network: newNetwork(c), start: time.Now(), tables: newTables()}
	w.isLive = w.rng.IntN(2) == 0
	w.partitions = 1 + w.rng.IntN(4)
	w.takeover = time.Second + time.Duration(w.rng.IntN(2000))*time.Millisecond
	w.traffic = makeTraffic(w.rng, w.start, 6*time.Second, w.partitions)
	w.fixedNow = schemas.TimeOf(w.start.Add(time.Hour))
	w.fitEvery = []time.Duration{time.Minute, time.Hour, 24 * time.Hour}[w.rng.IntN(3)]
	w.advanceTo = schemas.TimeOf(w.start.Add(time.Duration(w.rng.Int64N(int64(48 * time.Hour)))))
	return w
}

// note writes history.
func (w *world) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.isQuiet {
		w.history = append(w.history, fmt.Sprintf("%12.6f ", time.Since(w.start).Seconds())+fmt.Sprintf(format, args...))
	}
}

// noteEnd writes the end of a process into history. When exactly all its connections are closed is the one thing that a seed does not fix.
func (w *world) noteEnd(name string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.history = append(w.history, fmt.Sprintf("%12s %s: end: %s", "", name, class(err)))
}

// problem notes what must not be.
func (w *world) problem(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.problems = append(w.problems, fmt.Sprintf(format, args...))
}

// open starts the brokers.
func (w *world) open() error {
	n := 1 + w.rng.IntN(brokersMax)
	ports := []int{9001, 9002, 9003}[:n]
	var err error
	w.cluster, err = kfake.NewCluster(kfake.NumBrokers(n), kfake.Ports(ports...), kfake.ListenFn(w.network.listen),
		kfake.SeedTopics(int32(w.partitions), topicInput), kfake.SeedTopics(1, topicIntents, topicCalm))
	if err != nil {
		return err
	}
	w.brokers = strings.Join(w.cluster.ListenAddrs(), ",")
	for p := range w.partitions {
		err = errors.Join(err, w.cluster.MoveTopicPartition(topicInput, int32(p), int32(w.rng.IntN(n))))
	}
	for _, topic := range []string{topicIntents, topicCalm} {
		err = errors.Join(err, w.cluster.MoveTopicPartition(topic, 0, int32(w.rng.IntN(n))))
	}
	for range w.rng.IntN(4) * min(1, n-1) {
		at, topic, to := time.Duration(w.rng.Int64N(int64(troubleMax))), topicInput, int32(w.rng.IntN(n))
		partition := int32(w.rng.IntN(w.partitions))
		if w.rng.IntN(2) == 0 {
			topic, partition = topicIntents, 0
		}
		time.AfterFunc(at, func() {
			w.note("%s/%d moves to broker %d", topic, partition, to)
			_ = w.cluster.MoveTopicPartition(topic, partition, to) // it may be there already
		})
	}
	w.injectErrors()
	return err
}

// injectErrors makes brokers refuse some requests.
func (w *world) injectErrors() {
	sometimes := func(permille uint64, err *kerr.Error, keys ...kmsg.Key) kfake.Fault {
		return kfake.Fault{Keys: keys, Err: err, Count: -1, When: func(r kmsg.Request) bool {
			if init, ok := r.(*kmsg.InitProducerIDRequest); ok && init.TransactionalID == nil {
				return false // of who publishes
			}
			return w.chance.happens(permille, "error", err.Message, r.Key(), time.Now().UnixNano())
		}}
	}
	w.cluster.Fault(
		sometimes(15, kerr.NotLeaderForPartition, kmsg.Produce, kmsg.Fetch, kmsg.ListOffsets),
		sometimes(10, kerr.RequestTimedOut, kmsg.Produce),
		sometimes(10, kerr.NotEnoughReplicasAfterAppend, kmsg.Produce),
		sometimes(20, kerr.CoordinatorNotAvailable, kmsg.EndTxn, kmsg.InitProducerID, kmsg.AddPartitionsToTxn, kmsg.FindCoordinator),
		sometimes(20, kerr.ConcurrentTransactions, kmsg.AddPartitionsToTxn, kmsg.InitProducerID),
		sometimes(10, kerr.CoordinatorLoadInProgress, kmsg.EndTxn, kmsg.OffsetCommit),
		sometimes(10, kerr.UnknownServerError, kmsg.EndTxn, kmsg.ListOffsets),
	)
}

// publish writes the traffic: all of it at once, or each message at its time.
func (w *world) publish(ctx context.Context) error {
	link := w.network.link("producer")
	link.isSafe = true
	client, err := kgo.NewClient(append(w.clientOptions(link), kgo.SeedBrokers(strings.Split(w.brokers, ",")...),
		kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		return err
	}
	defer client.Close()
	// The library asks for its id under a mutex: where several wait for that, virtual time stands still.
	if _, _, err := client.ProducerID(ctx); err != nil {
		return err
	}
	var records []*kgo.Record
	for _, m := range w.traffic.messages {
		r := &kgo.Record{Topic: topicInput, Partition: m.partition, Value: []byte(m.value)}
		if !w.isLive {
			r.Timestamp = w.start.Add(m.stamp)
			records = append(records, r)
			continue
		}
		time.Sleep(time.Until(w.start.Add(m.at)))
		if err := client.ProduceSync(ctx, r).FirstErr(); err != nil {
			return err
		}
		m.offset = r.Offset
	}
	if err := client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return err
	}
	for i, r := range records {
		w.traffic.messages[i].offset = r.Offset
	}
	return nil
}

// machine runs one process after another over its disk.
type machine struct {
	w     *world
	name  string
	disk  *vfs.MemFS
	skew  time.Duration
	fates []fate // of its first processes
	duty  duty
}

func (w *world) machine(name string, d duty) *machine {
	m := &machine{w: w, name: name, disk: vfs.NewCrashableMem(), duty: d}
	if w.isLive {
		m.skew = time.Duration(w.rng.Int64N(int64(400*time.Millisecond))) - 200*time.Millisecond
	}
	for range w.rng.IntN(fatesMax + 1) {
		f := fate{kind: fateKind(1 + w.rng.IntN(int(fateEnd)-1)), at: time.Duration(w.rng.Int64N(int64(3 * time.Second))),
			pause: time.Duration(w.rng.Int64N(int64(4 * w.takeover))), away: time.Duration(w.rng.Int64N(int64(2 * w.takeover))),
			unsynced: []int{0, 30, 100}[w.rng.IntN(3)], isDiskLost: w.rng.IntN(5) == 0}
		f.count = map[fateKind]uint64{fateSync: 1 + w.rng.Uint64N(30), fateMessage: 2 + w.rng.Uint64N(120), fateInsert: 2 + w.rng.Uint64N(60)}[f.kind]
		m.fates = append(m.fates, f)
	}
	return m
}

// live runs processes until one ends by itself, or ctx does.
func (m *machine) live(ctx context.Context, corpses *sync.WaitGroup) {
	for life := range livesMax {
		p := m.w.process(m.duty, m.name, life, m.disk)
		p.skew = m.skew
		if life < len(m.fates) && !m.w.chance.isCalm.Load() {
			p.fate = m.fates[life]
		}
		ended := make(chan error, 1)
		corpses.Go(func() { ended <- p.run(ctx) })
		select {
		case <-p.crashed:
			m.disk = p.left
		case err := <-ended:
			if p.isCrashed() {
				m.disk = p.left
				break
			}
			m.w.noteEnd(p.name, err)
			if m.judge(ctx, p, err); err == nil || ctx.Err() != nil {
				return
			}
		}
		if p.fate.isDiskLost {
			m.w.note("%s: the disk is lost", m.name)
			m.disk = vfs.NewCrashableMem()
		}
		time.Sleep(p.fate.away + time.Millisecond)
	}
	m.w.problem("%s was started %d times", m.name, livesMax)
}

// class gives of an error what does not depend on chance.
func class(err error) string {
	for _, c := range []error{kafka.ErrFenced, kafka.ErrGap, pipeline.ErrDiverged, pipeline.ErrRules, schemas.ErrDamaged, errStopped, context.Canceled} {
		if errors.Is(err, c) {
			return c.Error()
		}
	}
	if err == nil {
		return "done"
	}
	return err.Error()
}

// judge tells whether a process may have ended so.
func (m *machine) judge(ctx context.Context, p *process, err error) {
	isStopped := ctx.Err() != nil || p.fate.kind == fateStop // it need not finish what it cannot write in time
	for _, never := range []error{kafka.ErrGap, pipeline.ErrDiverged, pipeline.ErrRules, schemas.ErrDamaged} {
		isStopped = isStopped && !errors.Is(err, never)
	}
	if err != nil && !isStopped && !errors.Is(err, kafka.ErrFenced) {
		m.w.problem("%s ended: %v", p.name, err)
	}
}

// duties gives what the processes in trouble do.
func (w *world) duties() duty {
	return duty{key: "main", intents: topicIntents, tables: w.tables, records: 1 + w.rng.IntN(30), wait: time.Duration(20+w.rng.IntN(200)) * time.Millisecond,
		every: time.Duration(w.rng.IntN(500)) * time.Millisecond, isFixed: !w.isLive, untilEnd: !w.isLive, advanceTo: w.advanceTo}
}

// run lets everything happen, and then has two calm processes tell what is right: one that takes the journal's word for the batches, and
// one that has never heard of it.
func (w *world) run() (rewritten, rebuilt *tables, err error) {
	if err := w.open(); err != nil {
		return nil, nil, err
	}
	defer w.cluster.Close()
	ctx, cancel := context.WithTimeoutCause(context.Background(), patience, fmt.Errorf("not done after %s", patience))
	defer cancel()
	calm := time.AfterFunc(troubleMax, func() { w.chance.isCalm.Store(true) })
	defer calm.Stop()
	if !w.isLive {
		if err := w.publish(ctx); err != nil {
			return nil, nil, fmt.Errorf("publish: %w", err)
		}
	}
	var living, corpses sync.WaitGroup
	defer corpses.Wait()
	stopped, stop := context.WithCancelCause(ctx)
	machines := []*machine{w.machine("a", w.duties())}
	if w.rng.IntN(2) == 0 {
		machines = append(machines, w.machine("b", w.duties()))
	}
	for i, m := range machines {
		late := time.Duration(i) * time.Duration(w.rng.Int64N(int64(2*time.Second)))
		living.Go(func() { time.Sleep(late); m.live(stopped, &corpses) })
	}
	if w.isLive {
		if err = w.publish(ctx); err == nil {
			time.Sleep(time.Duration(w.rng.Int64N(int64(3 * time.Second))))
		}
		stop(errStopped)
	}
	living.Wait()
	corpses.Wait()
	stop(nil)
	w.chance.isCalm.Store(true)
	if err != nil || ctx.Err() != nil {
		return nil, nil, errors.Join(err, context.Cause(ctx))
	}
	return w.settle(ctx, machines[0])
}

// settle runs the calm processes, one after the other.
func (w *world) settle(ctx context.Context, m *machine) (rewritten, rebuilt *tables, err error) {
	last := m.duty
	last.isFixed, last.untilEnd = true, true
	rewritten, rebuilt = newTables(), newTables()
	again, anew := last, last
	again.tables, again.rewrite = rewritten, true
	anew.tables, anew.key, anew.intents, anew.records, anew.every = rebuilt, "calm", topicCalm, 1+w.rng.IntN(200), time.Hour
	run := func(d duty, name string, disk *vfs.MemFS) {
		if err == nil && ctx.Err() == nil {
			err = w.process(d, name, 0, disk).run(ctx)
		}
	}
	time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(2 * time.Second)))
	run(last, "last", m.disk)
	w.mu.Lock()
	w.isQuiet = true
	w.mu.Unlock()
	run(again, "rewrites", vfs.NewCrashableMem())
	run(anew, "rebuilds", vfs.NewCrashableMem())
	return rewritten, rebuilt, errors.Join(err, context.Cause(ctx))
}

// sorted sorts by less, and keeps the order of equals.
func sorted[T any](list []T, less func(a, b T) bool) {
	slices.SortStableFunc(list, func(a, b T) int {
		switch {
		case less(a, b):
			return -1
		case less(b, a):
			return 1
		}
		return 0
	})
}
