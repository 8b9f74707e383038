// Package state keeps what the stages know on disk. Changed entries come in, and after a restart they come out again.
// A checkpoint is atomic: the entries, the batch that they stand for and the positions are stored together or not at all.
// It never decides anything and never runs on the line's hot path: stages write to memory and save now and then.
package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"

	"github.com/seamline/seamline/schemas"
)

// Format is the version of the layout that this build writes. Format 1 kept the intents in the store, and had other entries.
const Format = 3

// Errors of Open, Load and Commit. Damage is schemas.ErrDamaged.
var (
	ErrLocked = errors.New("the state directory is in use by another process")
	ErrNewer  = errors.New("the state directory was written by a newer build")
	ErrOlder  = errors.New("the state directory was written by an older build")
	ErrFull   = errors.New("the disk of the state directory is nearly full")
)

// Config says where the state lives.
type Config struct {
	Dir        string
	PipelineID string
	FS         vfs.FS // nil: the operating system's; tests use a memory one
	Log        *slog.Logger
}

// Point is the batch up to which everything is stored, and the next offset of every partition.
type Point struct {
	Format       int             `json:"format"`
	PipelineID   string          `json:"pipeline_id"`
	Installation string          `json:"installation,omitempty"` // the tables that the batches were written to; empty before the first
	Batch        uint64          `json:"batch"`
	Positions    []schemas.Range `json:"positions"`         // From is 0, To the next offset to read
	Journal      int64           `json:"journal,omitempty"` // where in the journal the batch's intent is; 0 where that is not known
	Ordinal      uint64          `json:"ordinal"`           // of the checkpoint
	Rebuild      uint64          `json:"rebuild,omitempty"` // first batch of a rebuild that is under way; 0 for none
}

// Store is the embedded store of one pipeline.
type Store struct {
	cfg      Config
	fs       vfs.FS
	db       *pebble.DB
	lock     *pebble.Lock
	instance string

	mu    sync.Mutex // guards the following: the line collects one checkpoint while it commits the one before
	point Point
	bytes int // of the largest checkpoint lately
}

var (
	keyPoint    = []byte("m/point")
	keyInstance = []byte("m/instance") // names the directory; never copied elsewhere
	prefixStage = "s/"
)

// Open opens or creates the store. It fails with ErrLocked, ErrNewer, ErrOlder or schemas.ErrDamaged where that is the cause.
func Open(cfg Config) (*Store, error) {
	s := &Store{cfg: cfg, fs: cfg.FS}
	if s.fs == nil {
		s.fs = vfs.Default
	}
	if err := s.fs.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("create state directory: %w", err)
	}
	var err error
	if s.lock, err = pebble.LockDirectory(cfg.Dir, s.fs); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrLocked, cfg.Dir, err)
	}
	if s.db, err = s.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("open state in %s: %w", cfg.Dir, damage(err)), s.lock.Close())
	}
	if err = s.readPoint(); err == nil {
		err = s.checkCanaries()
	}
	if err == nil {
		err = s.readInstance()
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// memTableBytes is how much changed state the database gathers before it writes a table: with less it writes the same entries often.
const memTableBytes = 16 << 20

// Tables of the newest changes that may lie on top of each other before they are merged, and before a checkpoint waits for that. State is
// read at a start and for a copy, which merges on the way, and otherwise only written: merging late costs a third less.
const (
	levelsMin = 32
	levelsMax = 128
)

// open opens the database. What it panics with has found damage: it reads its own files before it returns.
func (s *Store) open() (db *pebble.DB, err error) {
	defer func() {
		if r := recover(); r != nil {
			db, err = nil, fmt.Errorf("%w: %v", schemas.ErrDamaged, r)
		}
	}()
	return pebble.Open(filepath.Clean(s.cfg.Dir), &pebble.Options{
		FS: s.fs, Lock: s.lock, Logger: quietLogger{s.cfg.Log}, FormatMajorVersion: pebble.FormatNewest,
		MemTableSize: memTableBytes, L0CompactionThreshold: levelsMin, L0StopWritesThreshold: levelsMax,
		// Whoever reads gets the error; by default the process would end here.
		EventListener: &pebble.EventListener{DataCorruption: func(info pebble.DataCorruptionInfo) {
			if s.cfg.Log != nil {
				s.cfg.Log.Error("state store: damaged file", "path", info.Path, "err", info.Details)
			}
		}},
	})
}

// damage marks errors of reading that mean neither a missing right nor a full disk, nor settings that do not fit, as damage.
func damage(err error) error {
	if err == nil || errors.Is(err, schemas.ErrFatal) || errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, schemas.ErrDamaged) {
		return err
	}
	return fmt.Errorf("%w: %w", schemas.ErrDamaged, err)
}

func (s *Store) readPoint() error {
	if _, closer, err := s.db.Get(keyRestoring); err == nil {
		return errors.Join(fmt.Errorf("%w: %s was being restored and is not whole", schemas.ErrDamaged, s.cfg.Dir), closer.Close())
	} else if !errors.Is(err, pebble.ErrNotFound) {
		return fmt.Errorf("read checkpoint: %w", damage(err))
	}
	return s.loadPoint()
}

func (s *Store) loadPoint() error {
	value, closer, err := s.db.Get(keyPoint)
	if errors.Is(err, pebble.ErrNotFound) {
		s.point = Point{Format: Format, PipelineID: s.cfg.PipelineID}
		return nil
	}
	if err != nil {
		return fmt.Errorf("read checkpoint: %w", damage(err))
	}
	defer closer.Close()
	if s.point, err = pointOf(value); err != nil {
		return err
	}
	if s.point.Format != Format {
		class, hint := ErrNewer, "; use the build that wrote it"
		if s.point.Format < Format {
			class, hint = ErrOlder, ""
		}
		return fmt.Errorf("%w: %s has format %d and this build reads %d%s", class, s.cfg.Dir, s.point.Format, Format, hint)
	}
	if s.point.PipelineID != s.cfg.PipelineID {
		return fmt.Errorf("the state in %s belongs to pipeline %q, not %q; set pipeline.id or state.dir", s.cfg.Dir, s.point.PipelineID, s.cfg.PipelineID)
	}
	return nil
}

func pointOf(value []byte) (p Point, err error) {
	if err := json.Unmarshal(value, &p); err != nil {
		return p, fmt.Errorf("read checkpoint: %w", damage(err))
	}
	return p, nil
}

// readInstance names the directory, at its first use for ever.
func (s *Store) readInstance() error {
	value, closer, err := s.db.Get(keyInstance)
	if err == nil {
		s.instance = string(value)
		return closer.Close()
	}
	if !errors.Is(err, pebble.ErrNotFound) {
		return fmt.Errorf("read the state's name: %w", damage(err))
	}
	s.instance = uuid.NewString()
	if err := s.db.Set(keyInstance, []byte(s.instance), pebble.Sync); err != nil {
		return fmt.Errorf("name the state directory: %w", err)
	}
	return nil
}

// Instance names the directory, so that a new process over it is known to follow the old one.
func (s *Store) Instance() string { return s.instance }

// Point gives the checkpoint that the store stands at; batch 0 with no positions for a new one.
func (s *Store) Point() Point {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.point
}

// Checkpoint is a set of changed entries that waits to be committed.
type Checkpoint struct {
	store *Store
	batch *pebble.Batch
	point Point
}

// Collect asks every keeper for what changed and gives a checkpoint that stands for a batch and the positions behind it.
func (s *Store) Collect(keepers []schemas.Keeper, number uint64, positions []schemas.Range) (*Checkpoint, error) {
	c := &Checkpoint{store: s, batch: s.db.NewBatchWithSize(s.expected())}
	point := s.Point()
	c.point = Point{Format: Format, PipelineID: s.cfg.PipelineID, Installation: point.Installation, Rebuild: point.Rebuild, Batch: number, Positions: positions}
	for _, k := range keepers {
		if err := k.Save(&writer{batch: c.batch, prefix: stagePrefix(k)}); err != nil {
			return nil, errors.Join(fmt.Errorf("save state of %s: %w", k.Name(), err), c.batch.Close())
		}
	}
	return c, nil
}

// expected guesses how large the next checkpoint is, so that it need not be copied while it grows.
func (s *Store) expected() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bytes + s.bytes/8
}

// Batch is the batch that the checkpoint stands for.
func (c *Checkpoint) Batch() uint64 { return c.point.Batch }

// Begin sets where the state stands without changing any of it: before a rebuild, and after it.
func (s *Store) Begin(p Point) error {
	c := &Checkpoint{store: s, batch: s.db.NewBatch(), point: p}
	c.point.Format, c.point.PipelineID = Format, s.cfg.PipelineID
	_, err := c.Commit(false)
	return err
}

// Bytes is the size of the checkpoint.
func (c *Checkpoint) Bytes() int { return c.batch.Len() }

// SetJournal notes where in the journal the intent of the checkpoint's batch is.
func (c *Checkpoint) SetJournal(offset int64) { c.point.Journal = offset }

// SetInstallation notes the tables that the batches are written to.
func (c *Checkpoint) SetInstallation(id string) { c.point.Installation = id }

// Commit stores the checkpoint durably. Where it fails with ErrFull nothing is stored, and it may be tried again. The data that it
// gives is the change, from which Restore makes it again; it is nil unless wanted.
func (c *Checkpoint) Commit(wantData bool) (data [][]byte, err error) {
	if err := c.store.room(uint64(c.batch.Len())); err != nil {
		return nil, err
	}
	c.point.Ordinal = c.store.Point().Ordinal + 1
	value, err := json.Marshal(c.point)
	if err != nil {
		return nil, err
	}
	if err := c.batch.Set(keyPoint, value, nil); err != nil {
		return nil, fmt.Errorf("commit checkpoint: %w", err)
	}
	if wantData { // before what belongs to the directory
		if data, err = parts(c.batch.Repr()); err != nil {
			return nil, err
		}
	}
	if err := c.store.addCanary(c.batch, c.point.Ordinal); err != nil {
		return nil, fmt.Errorf("commit checkpoint: %w", err)
	}
	if err := c.batch.Commit(pebble.Sync); err != nil {
		return nil, fmt.Errorf("commit checkpoint: %w", err)
	}
	c.store.mu.Lock()
	c.store.point, c.store.bytes = c.point, max(c.batch.Len(), c.store.bytes/2)
	c.store.mu.Unlock()
	return data, c.batch.Close()
}

// Space that must be free beyond what is written: the database dies when a write to its log fails.
const (
	freeBytesMin = 64 << 20
	freeFactor   = 3 // what is written goes to the log, to a table, and at some time through a compaction
)

// room tells whether the disk has space for a write.
func (s *Store) room(bytes uint64) error {
	usage, err := s.fs.GetDiskUsage(s.cfg.Dir)
	if err != nil {
		return nil // a file system that does not say
	}
	if need := freeFactor*bytes + freeBytesMin; usage.AvailBytes < need {
		return fmt.Errorf("%w: %s has %d MiB free and a checkpoint needs %d MiB", ErrFull, s.cfg.Dir, usage.AvailBytes>>20, need>>20)
	}
	return nil
}

// Load gives every keeper what it saved.
func (s *Store) Load(keepers []schemas.Keeper) error {
	for _, k := range keepers {
		if err := k.Load(&reader{db: s.db, prefix: stagePrefix(k)}); err != nil {
			return fmt.Errorf("load state of %s: %w", k.Name(), damage(err))
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
