package pipeline

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/seamline/seamline/pipeline/state"
	"github.com/seamline/seamline/schemas"
)

// Backup keeps copies of the state elsewhere: a base, which is all of it, and the changes since, each in parts. A generation is a base
// and its changes.
type Backup interface {
	SaveState(ctx context.Context, p schemas.StatePart) error
	// LastState tells the newest generation and the batch of its latest checkpoint; zero where there is none.
	LastState(ctx context.Context) (generation, batch uint64, err error)
	// DropState forgets the generations before one.
	DropState(ctx context.Context, generation uint64) error
}

// Limits of a backup.
const (
	backupBytesMax  = 128 << 20 // what BackupBytesMax is by default
	backupGrowthMin = 32 << 20  // bytes of changes before a new base may be worth it
	backupRetry     = 5 * time.Second
)

// backup copies checkpoints in the background, so that the line never waits for it.
type backup struct {
	cfg    Config
	to     Backup
	every  time.Duration
	wake   chan struct{}
	done   chan struct{}
	cancel context.CancelFunc

	mu      sync.Mutex // guards the following
	queue   []change
	bytes   int
	stop    bool
	rebase  bool // the changes since the last copy are not all in the queue
	started bool

	generation uint64 // 0: none yet
	last       uint64 // batch of the last checkpoint that was copied
	began      uint64 // batch of the checkpoint that this process began with; 0 once the copy was looked at
	base       int    // bytes
	grown      int    // bytes of changes since
}

// change is what one checkpoint changed.
type change struct {
	batch uint64
	parts [][]byte
}

func newBackup(cfg Config) *backup {
	if cfg.Backup == nil || cfg.BackupEvery <= 0 {
		return nil
	}
	began := cfg.Store.Point().Batch
	return &backup{cfg: cfg, to: cfg.Backup, every: cfg.BackupEvery, wake: make(chan struct{}, 1), done: make(chan struct{}), began: began, rebase: began == 0}
}

// add takes over what a checkpoint changed.
func (k *backup) add(ctx context.Context, batch uint64, parts [][]byte) {
	if k == nil || !k.cfg.Leads() {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.started {
		k.started = true
		var run context.Context
		run, k.cancel = context.WithCancel(context.WithoutCancel(ctx))
		go k.run(run) // finish waits for its end
	}
	if k.rebase {
		return // the next base has it
	}
	k.queue = append(k.queue, change{batch, parts})
	for _, p := range parts {
		k.bytes += len(p)
	}
	if k.bytes > k.cfg.BackupBytesMax {
		k.queue, k.bytes, k.rebase = nil, 0, true
	}
}

// finish copies what waits, as long as ctx lets it, and ends the copying.
func (k *backup) finish(ctx context.Context) {
	if k == nil || !k.started {
		return
	}
	k.mu.Lock()
	k.stop = true
	k.mu.Unlock()
	select {
	case k.wake <- struct{}{}:
	default:
	}
	select {
	case <-k.done:
	case <-ctx.Done():
	}
	k.cancel()
	<-k.done
}

func (k *backup) run(ctx context.Context) {
	defer close(k.done)
	tick := time.NewTicker(k.every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-k.wake:
		case <-ctx.Done():
			return
		}
		err := k.copy(ctx)
		k.mu.Lock()
		stop := k.stop
		k.mu.Unlock()
		if err != nil && ctx.Err() == nil {
			// The line does not depend on it: the next try begins with a new base.
			k.cfg.Log.Warn("could not copy the state", "err", err)
			k.cfg.Metrics.backupFailures.Inc()
		}
		if stop {
			return
		}
	}
}

// goOn sees at the first time whether the copy stands where this process began, so that it needs no new base.
func (k *backup) goOn(ctx context.Context) error {
	if k.generation != 0 || k.began == 0 {
		return nil
	}
	generation, batch, err := k.to.LastState(ctx)
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if batch == k.began && generation != 0 {
		k.generation, k.last = generation, batch
	} else {
		k.queue, k.bytes, k.rebase = nil, 0, true
	}
	k.began = 0
	return nil
}

// copy makes a new base where one is due, and else copies the changes that wait.
func (k *backup) copy(ctx context.Context) error {
	if err := k.goOn(ctx); err != nil {
		return err
	}
	k.mu.Lock()
	// Of a generation that an earlier process began the base's size is not known, and a new one comes the earlier for it.
	rebase := k.rebase || k.generation == 0 || k.grown > 2*k.base+backupGrowthMin
	queue := k.queue
	k.queue, k.bytes = nil, 0
	if rebase {
		k.rebase = false // what is committed from here on is in the base or in the queue
	}
	k.mu.Unlock()
	if rebase {
		err := k.copyAll(ctx)
		if err != nil {
			k.startOver()
		}
		return err
	}
	for _, c := range queue {
		if c.batch <= k.last {
			continue // the base has it, or nothing changed
		}
		if err := k.save(ctx, c); err != nil {
			k.startOver()
			return err
		}
	}
	return nil
}

// startOver makes the next copy a new base.
func (k *backup) startOver() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.queue, k.bytes, k.rebase = nil, 0, true
}

// copyAll begins a generation.
func (k *backup) copyAll(ctx context.Context) error {
	start := k.cfg.Clock()
	export, err := k.cfg.Store.BeginExport()
	if err != nil {
		return err
	}
	defer func() {
		if err := export.Close(); err != nil {
			k.cfg.Log.Warn("could not end the copying of the state", "err", err)
		}
	}()
	if export.Batch() == 0 {
		return errors.New("there is no checkpoint yet")
	}
	p := schemas.StatePart{Generation: export.Batch(), Batch: export.Batch(), Format: state.Format}
	if err := export.Each(func([]byte) error { p.Parts++; return nil }); err != nil {
		return err
	}
	bytes := 0
	err = export.Each(func(data []byte) error {
		p.Data = data
		bytes += len(data)
		err := k.to.SaveState(ctx, p)
		p.Part++
		return err
	})
	if err != nil {
		return fmt.Errorf("copy the whole state: %w", err)
	}
	k.generation, k.last, k.base, k.grown = p.Batch, p.Batch, bytes, 0
	k.cfg.Log.Info("the whole state was copied", "batch", p.Batch, "bytes", bytes, "took_ms", k.cfg.Clock().Sub(start).Milliseconds())
	return k.to.DropState(ctx, p.Generation)
}

// save copies the changes of one checkpoint.
func (k *backup) save(ctx context.Context, c change) error {
	p := schemas.StatePart{Generation: k.generation, After: k.last, Batch: c.batch, Parts: uint32(len(c.parts)), Format: state.Format}
	for _, p.Data = range c.parts {
		if err := k.to.SaveState(ctx, p); err != nil {
			return fmt.Errorf("copy a checkpoint: %w", err)
		}
		p.Part++
		k.grown += len(p.Data)
	}
	k.last = c.batch
	return nil
}
