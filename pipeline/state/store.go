// Package state keeps what the stages know on disk. Changed entries and intents come in, and after a restart they come out again.
// A checkpoint is atomic: the entries, the batch that they stand for and the positions are stored together or not at all.
// It never decides anything and never runs on the line's hot path: stages write to memory and save now and then.
package state

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/seamline/seamline/schemas"
)

// Format is the version of the layout that this build writes.
const Format = 1

// Errors of Open.
var (
	ErrLocked = errors.New("the state directory is in use by another process")
	ErrFormat = errors.New("the state directory has another format")
)

// Config says where the state lives.
type Config struct {
	Dir        string
	PipelineID string
	FS         vfs.FS // nil: the operating system's; tests use a memory one
	Log        *slog.Logger
}

// Intent is what a batch consists of, written durably before any sink sees it. Replaying it gives the same rows.
type Intent struct {
	Batch   uint64          `json:"batch"`
	Now     schemas.Time    `json:"now_ms"`
	Fixed   bool            `json:"fixed,omitempty"`
	Advance schemas.Time    `json:"advance_ms,omitempty"`
	Ranges  []schemas.Range `json:"ranges"`
}

// Point is the batch up to which everything is stored, and the next offset of every partition.
type Point struct {
	Format     int             `json:"format"`
	PipelineID string          `json:"pipeline_id"`
	Batch      uint64          `json:"batch"`
	Positions  []schemas.Range `json:"positions"` // From is 0, To the next offset to read
}

// Store is the embedded store of one pipeline.
type Store struct {
	db         *pebble.DB
	lock       *pebble.Lock
	pipelineID string

	mu    sync.Mutex // guards point: the line collects one checkpoint while it commits the one before
	point Point
}

var (
	keyPoint     = []byte("m/point")
	prefixIntent = []byte("i/")
	prefixStage  = "s/"
)

// Open opens or creates the store. It fails with ErrLocked or ErrFormat where that is the cause.
func Open(cfg Config) (*Store, error) {
	fs := cfg.FS
	if fs == nil {
		fs = vfs.Default
	}
	if err := fs.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("create state directory: %w", err)
	}
	lock, err := pebble.LockDirectory(cfg.Dir, fs)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrLocked, cfg.Dir, err)
	}
	db, err := pebble.Open(filepath.Clean(cfg.Dir), &pebble.Options{
		FS: fs, Lock: lock, Logger: quietLogger{cfg.Log}, FormatMajorVersion: pebble.FormatNewest,
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open state in %s: %w", cfg.Dir, err), lock.Close())
	}
	s := &Store{db: db, lock: lock, pipelineID: cfg.PipelineID}
	if err := s.readPoint(cfg); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Store) readPoint(cfg Config) error {
	value, closer, err := s.db.Get(keyPoint)
	if errors.Is(err, pebble.ErrNotFound) {
		s.point = Point{Format: Format, PipelineID: cfg.PipelineID}
		return nil
	}
	if err != nil {
		return fmt.Errorf("read checkpoint: %w", err)
	}
	defer closer.Close()
	if err := json.Unmarshal(value, &s.point); err != nil {
		return fmt.Errorf("read checkpoint: %w", err)
	}
	if s.point.Format != Format {
		return fmt.Errorf("%w: %s has format %d and this build reads %d; use the build that wrote it, or rebuild from the topics with an empty directory",
			ErrFormat, cfg.Dir, s.point.Format, Format)
	}
	if s.point.PipelineID != cfg.PipelineID {
		return fmt.Errorf("the state in %s belongs to pipeline %q, not %q; set pipeline.id or state.dir", cfg.Dir, s.point.PipelineID, cfg.PipelineID)
	}
	return nil
}

// Point gives the checkpoint that the store stands at; batch 0 with no positions for a new one.
func (s *Store) Point() Point {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.point
}

// Intents gives the intents after the checkpoint, oldest first: batches whose rows may have been written.
func (s *Store) Intents() ([]Intent, error) {
	after := s.Point().Batch
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: intentKey(after + 1), UpperBound: prefixEnd(prefixIntent)})
	if err != nil {
		return nil, fmt.Errorf("read intents: %w", err)
	}
	defer it.Close()
	var intents []Intent
	for it.First(); it.Valid(); it.Next() {
		var intent Intent
		if err := json.Unmarshal(it.Value(), &intent); err != nil {
			return nil, fmt.Errorf("read intent: %w", err)
		}
		if want := after + uint64(len(intents)) + 1; intent.Batch != want {
			return nil, fmt.Errorf("read intents: batch %d follows where batch %d must", intent.Batch, want)
		}
		intents = append(intents, intent)
	}
	return intents, it.Error()
}

// WriteIntent stores an intent durably.
func (s *Store) WriteIntent(b *schemas.Batch) error {
	value, err := json.Marshal(Intent{Batch: b.Number, Now: b.Now, Fixed: b.Fixed, Advance: b.Advance, Ranges: b.Ranges})
	if err != nil {
		return err
	}
	if err := s.db.Set(intentKey(b.Number), value, pebble.Sync); err != nil {
		return fmt.Errorf("write intent of batch %d: %w", b.Number, err)
	}
	return nil
}

// Checkpoint is a set of changed entries that waits to be committed.
type Checkpoint struct {
	store *Store
	batch *pebble.Batch
	point Point
}

// Collect asks every keeper for what changed and gives a checkpoint that stands for batch number and positions.
func (s *Store) Collect(keepers []schemas.Keeper, number uint64, positions []schemas.Range) (*Checkpoint, error) {
	c := &Checkpoint{store: s, batch: s.db.NewBatch()}
	c.point = Point{Format: Format, PipelineID: s.pipelineID, Batch: number, Positions: positions}
	for _, k := range keepers {
		if err := k.Save(&writer{batch: c.batch, prefix: stagePrefix(k)}); err != nil {
			return nil, errors.Join(fmt.Errorf("save state of %s: %w", k.Name(), err), c.batch.Close())
		}
	}
	return c, nil
}

// Bytes is the size of the checkpoint.
func (c *Checkpoint) Bytes() int { return c.batch.Len() }

// Commit stores the checkpoint durably and forgets the intents that it covers.
func (c *Checkpoint) Commit() error {
	value, err := json.Marshal(c.point)
	if err != nil {
		return err
	}
	if err := errors.Join(c.batch.Set(keyPoint, value, nil), c.batch.DeleteRange(intentKey(0), intentKey(c.point.Batch+1), nil)); err != nil {
		return fmt.Errorf("commit checkpoint: %w", err)
	}
	if err := c.batch.Commit(pebble.Sync); err != nil {
		return fmt.Errorf("commit checkpoint: %w", err)
	}
	c.store.mu.Lock()
	c.store.point = c.point
	c.store.mu.Unlock()
	return c.batch.Close()
}

// Load gives every keeper what it saved.
func (s *Store) Load(keepers []schemas.Keeper) error {
	for _, k := range keepers {
		if err := k.Load(&reader{db: s.db, prefix: stagePrefix(k)}); err != nil {
			return fmt.Errorf("load state of %s: %w", k.Name(), err)
		}
	}
	return nil
}

// Close closes the store. Checkpoints that were not committed are lost, as they must be.
func (s *Store) Close() error { return errors.Join(s.db.Close(), s.lock.Close()) }

type writer struct {
	batch  *pebble.Batch
	prefix []byte
	key    []byte
}

func (w *writer) Put(key, value []byte) error {
	w.key = append(append(w.key[:0], w.prefix...), key...)
	return w.batch.Set(w.key, value, nil)
}

func (w *writer) Delete(key []byte) error {
	w.key = append(append(w.key[:0], w.prefix...), key...)
	return w.batch.Delete(w.key, nil)
}

func (w *writer) DeleteRange(from, to []byte) error {
	w.key = append(append(w.key[:0], w.prefix...), from...)
	return w.batch.DeleteRange(w.key, append(append([]byte(nil), w.prefix...), to...), nil)
}

type reader struct {
	db     *pebble.DB
	prefix []byte
}

func (r *reader) Each(f func(key, value []byte) error) error {
	it, err := r.db.NewIter(&pebble.IterOptions{LowerBound: r.prefix, UpperBound: prefixEnd(r.prefix)})
	if err != nil {
		return err
	}
	defer it.Close()
	for it.First(); it.Valid(); it.Next() {
		if err := f(it.Key()[len(r.prefix):], it.Value()); err != nil {
			return err
		}
	}
	return it.Error()
}

func stagePrefix(k schemas.Keeper) []byte { return []byte(prefixStage + k.Name() + "/") }

func intentKey(batch uint64) []byte {
	return binary.BigEndian.AppendUint64(append([]byte(nil), prefixIntent...), batch)
}

// prefixEnd gives the smallest key after all keys with the prefix; prefixes here end in '/', which has a successor.
func prefixEnd(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	end[len(end)-1]++
	return end
}

// quietLogger passes Pebble's errors on and keeps its routine messages back.
type quietLogger struct{ log *slog.Logger }

func (l quietLogger) Infof(string, ...any) {}
func (l quietLogger) Errorf(format string, args ...any) {
	if l.log != nil {
		l.log.Error("state store", "err", fmt.Sprintf(format, args...))
	}
}
func (l quietLogger) Fatalf(format string, args ...any) {
	panic("state store: " + fmt.Sprintf(format, args...))
}
