package state

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/batchrepr"

	"github.com/seamline/seamline/schemas"
)

// partBytes is about how large a part of a copy is.
const partBytes = 4 << 20

// copied tells whether a key is part of a copy: canaries and the directory's name are the directory's own.
func copied(key []byte) bool {
	return bytes.HasPrefix(key, []byte(prefixStage)) || bytes.Equal(key, keyPoint)
}

// collector gathers operations into parts, each the representation of a database batch.
type collector struct {
	batch *pebble.Batch
	emit  func(part []byte) error
}

func (c *collector) flush() error {
	if c.batch.Empty() {
		return nil
	}
	part := append([]byte(nil), c.batch.Repr()...)
	c.batch.Reset()
	return c.emit(part)
}

func (c *collector) flushLarge() error {
	if c.batch.Len() < partBytes {
		return nil
	}
	return c.flush()
}

// parts cuts the representation of a batch of operations into parts, each of which is one as well.
func parts(repr []byte) (out [][]byte, err error) {
	reader := batchrepr.Read(repr)
	start, count := len(repr)-len(reader), uint32(0)
	for len(reader) > 0 {
		if _, _, _, _, err := reader.Next(); err != nil {
			return nil, fmt.Errorf("copy checkpoint: %w", err)
		}
		count++
		if end := len(repr) - len(reader); end-start >= partBytes || len(reader) == 0 {
			// The header: a sequence number, which is 0 before a batch is applied, and the number of operations.
			part := binary.LittleEndian.AppendUint32(make([]byte, 8, batchrepr.HeaderLen+end-start), count)
			out = append(out, append(part, repr[start:end]...))
			start, count = end, 0
		}
	}
	return out, nil
}

// Export is the whole state as of one checkpoint.
type Export struct {
	store    *Store
	snapshot *pebble.Snapshot
	point    Point
}

// BeginExport holds the state as of the last checkpoint until Close.
func (s *Store) BeginExport() (*Export, error) {
	x := &Export{store: s, snapshot: s.db.NewSnapshot()}
	value, closer, err := x.snapshot.Get(keyPoint)
	if err == nil {
		x.point, err = pointOf(value)
		err = errors.Join(err, closer.Close())
	}
	if err != nil && !errors.Is(err, pebble.ErrNotFound) {
		return nil, errors.Join(fmt.Errorf("export state: %w", err), x.snapshot.Close())
	}
	return x, nil
}

// Batch is the batch that the state stands for; 0 before the first checkpoint.
func (x *Export) Batch() uint64 { return x.point.Batch }

// Each gives the state in parts.
func (x *Export) Each(emit func(part []byte) error) error {
	it, err := x.snapshot.NewIter(nil)
	if err != nil {
		return fmt.Errorf("export state: %w", err)
	}
	defer it.Close()
	c := &collector{batch: x.store.db.NewBatch(), emit: emit}
	defer c.batch.Close()
	for it.First(); it.Valid(); it.Next() {
		if !copied(it.Key()) {
			continue
		}
		if err := errors.Join(c.batch.Set(it.Key(), it.Value(), nil), c.flushLarge()); err != nil {
			return fmt.Errorf("export state: %w", err)
		}
	}
	if err := errors.Join(it.Error(), c.flush()); err != nil {
		return fmt.Errorf("export state: %w", err)
	}
	return nil
}

// Close lets the state go.
func (x *Export) Close() error { return x.snapshot.Close() }

// keyRestoring stands while a restore is under way: a store that has it is not whole.
var keyRestoring = []byte("m/restoring")

// Restore fills an empty store with the parts of an export and of the checkpoints that followed it.
func (s *Store) Restore(each func(apply func(part []byte) error) error) error {
	if err := s.db.Set(keyRestoring, nil, pebble.Sync); err != nil {
		return fmt.Errorf("restore state: %w", err)
	}
	err := each(func(part []byte) error {
		b := s.db.NewBatch()
		if err := b.SetRepr(bytes.Clone(part)); err != nil {
			return fmt.Errorf("%w: %w", schemas.ErrDamaged, err)
		}
		return b.Commit(pebble.NoSync)
	})
	if err != nil {
		return fmt.Errorf("restore state: %w", err)
	}
	if err := s.loadPoint(); err != nil {
		return err
	}
	b := s.db.NewBatch()
	first := binary.BigEndian.AppendUint64(nil, s.point.Ordinal)
	if err := errors.Join(b.Set(keyCanaryFirst, first, nil), s.addCanary(b, s.point.Ordinal), b.Delete(keyRestoring, nil),
		b.Commit(pebble.Sync)); err != nil {
		return fmt.Errorf("restore state: %w", err)
	}
	return nil
}
