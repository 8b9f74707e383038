package dedup

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/seamline/seamline/schemas"
)

// remembered is an id that was added since the last Save.
type remembered struct {
	id     fingerprint
	bucket uint32
}

// keyWindow is the key of the span of a bucket, the floor and the newest bucket. It stands before those of all ids, whose keys are a
// bucket, which is never 0, and a fingerprint.
var keyWindow = []byte{0}

const (
	keyBytes    = 20
	windowBytes = 16
)

func bucketKey(b uint32) []byte { return binary.BigEndian.AppendUint32(nil, b) }

// Save writes the window and the ids seen since the last Save, and deletes the forgotten buckets.
func (s *Stage) Save(w schemas.StateWriter) error {
	m := s.memory
	window := binary.BigEndian.AppendUint64(nil, uint64(s.span))
	window = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(window, m.floor), m.newest)
	if err := w.Put(keyWindow, window); err != nil {
		return err
	}
	if err := s.saveIDs(w); err != nil {
		return err
	}
	s.fresh, s.floorSaved, s.recut = s.fresh[:0], m.floor, false
	return nil
}

func (s *Stage) saveIDs(w schemas.StateWriter) error {
	var key [keyBytes]byte
	put := func(id fingerprint, bucket uint32) error {
		binary.BigEndian.PutUint32(key[0:], bucket)
		binary.BigEndian.PutUint64(key[4:], id.hi)
		binary.BigEndian.PutUint64(key[12:], id.lo)
		return w.Put(key[:], nil)
	}
	m := s.memory
	if s.recut {
		if err := w.DeleteRange(bucketKey(0), []byte{0xff}); err != nil {
			return err
		}
		return m.each(put)
	}
	if m.floor > s.floorSaved {
		if err := w.DeleteRange(bucketKey(0), bucketKey(m.floor)); err != nil {
			return err
		}
	}
	for _, r := range s.fresh {
		if r.bucket < m.floor {
			continue
		}
		if err := put(r.id, r.bucket); err != nil {
			return err
		}
	}
	return nil
}

// bucketsPerWindowBefore is into how many spans the window was cut where the state says nothing about it.
const bucketsPerWindowBefore = 28

// loadEntries is after how many entries Load keeps the ceiling of memory and makes room for as many more.
const loadEntries = 1 << 13

// Load reads the window and all remembered ids. Where buckets had another span the ids are put into new ones, which takes them for as old
// as their bucket, and the next Save writes all of them.
func (s *Stage) Load(r schemas.StateReader) error {
	m := s.memory
	span := s.window / bucketsPerWindowBefore
	into := func(stored uint32) uint32 {
		if span == s.span || stored == 0 {
			return stored
		}
		return bucketOf(schemas.Time(stored-1)*span, s.span)
	}
	n := 0
	err := r.Each(func(key, v []byte) error {
		if n%loadEntries == 0 {
			if err := errors.Join(s.space.Trim(), s.space.Reserve(reserve(loadEntries))); err != nil {
				return err
			}
		}
		n++
		switch {
		case len(key) == len(keyWindow) && len(v) == windowBytes:
			if span = schemas.Time(binary.BigEndian.Uint64(v)); span <= 0 {
				return fmt.Errorf("event ids in buckets of %d ms", span)
			}
			m.reach(into(binary.BigEndian.Uint32(v[12:])))
			m.floor = max(m.floor, into(binary.BigEndian.Uint32(v[8:])))
		case len(key) == keyBytes:
			id := fingerprint{hi: binary.BigEndian.Uint64(key[4:]), lo: binary.BigEndian.Uint64(key[12:])}
			bucket := into(binary.BigEndian.Uint32(key))
			if m.reach(bucket); bucket >= m.floor && !m.known(id) {
				// What was saved fitted, also where the next id would not have: nothing is forgotten on the way.
				m.put(id, bucket)
			}
		default:
			return fmt.Errorf("an entry of the event ids has a key of %d and a value of %d bytes", len(key), len(v))
		}
		return nil
	})
	s.floorSaved, s.recut = m.floor, span != s.span
	m.shrink(m.max, m.maxList) // less memory than before
	return err
}
