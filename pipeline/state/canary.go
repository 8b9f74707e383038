package state

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/seamline/seamline/schemas"
	"github.com/seamline/seamline/schemas/fault"
)

// Every checkpoint leaves a canary, a key with its ordinal. The database finds damage within its files by checksums, but where the
// damage is in its log or its list of files it may come up without the last checkpoints, or without some in the middle. The former is
// an earlier checkpoint, and right; the latter shows in a missing canary.
var (
	prefixCanary   = []byte("k/")
	keyCanaryFirst = []byte("m/canary") // ordinal of the first canary ever in this directory
)

// canariesMax is how many canaries are kept. A loss in the middle concerns what was not yet in tables, which is far less.
const canariesMax = 4096

func canaryKey(ordinal uint64) []byte {
	return binary.BigEndian.AppendUint64(append([]byte(nil), prefixCanary...), ordinal)
}

// addCanary leaves the canary of a checkpoint.
func (s *Store) addCanary(b *pebble.Batch, ordinal uint64) error {
	if err := b.Set(canaryKey(ordinal), nil, nil); err != nil {
		return err
	}
	if ordinal > canariesMax {
		return b.Delete(canaryKey(ordinal-canariesMax), nil)
	}
	return nil
}

// checkCanaries finds checkpoints that are missing in the middle.
func (s *Store) checkCanaries() error {
	if s.point.Ordinal == 0 || fault.Off(fault.Canary) {
		return nil
	}
	want := uint64(1)
	value, closer, err := s.db.Get(keyCanaryFirst)
	if err == nil {
		if len(value) != 8 {
			return errors.Join(schemas.ErrDamaged, closer.Close())
		}
		want = binary.BigEndian.Uint64(value)
		if err := closer.Close(); err != nil {
			return err
		}
	} else if !errors.Is(err, pebble.ErrNotFound) {
		return fmt.Errorf("read canaries: %w", damage(err))
	}
	if s.point.Ordinal > canariesMax {
		want = max(want, s.point.Ordinal-canariesMax+1)
	}
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: prefixCanary, UpperBound: prefixEnd(prefixCanary)})
	if err != nil {
		return fmt.Errorf("read canaries: %w", damage(err))
	}
	defer it.Close()
	for it.First(); it.Valid(); it.Next() {
		if got := binary.BigEndian.Uint64(it.Key()[len(prefixCanary):]); got != want {
			return fmt.Errorf("%w: %s lacks its checkpoint %d", schemas.ErrDamaged, s.cfg.Dir, want)
		}
		want++
	}
	if err := it.Error(); err != nil {
		return fmt.Errorf("read canaries: %w", damage(err))
	}
	if want != s.point.Ordinal+1 {
		return fmt.Errorf("%w: %s lacks its checkpoint %d", schemas.ErrDamaged, s.cfg.Dir, want)
	}
	return nil
}

// Verify reads everything, so that damage is found before anything is built upon it. It fails with schemas.ErrDamaged.
func (s *Store) Verify() error {
	it, err := s.db.NewIter(nil)
	if err != nil {
		return fmt.Errorf("verify state: %w", damage(err))
	}
	defer it.Close()
	for it.First(); it.Valid(); it.Next() {
		if _, err := it.ValueAndErr(); err != nil {
			return fmt.Errorf("verify state in %s: %w", s.cfg.Dir, damage(err))
		}
	}
	if err := it.Error(); err != nil {
		return fmt.Errorf("verify state in %s: %w", s.cfg.Dir, damage(err))
	}
	return nil
}
