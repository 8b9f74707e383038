package dedup

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/seamline/seamline/schemas"
)

// keyWindow is the key of the span of a bucket, the floor and the newest bucket. It stands before those of all pages, whose keys are a
// bucket, which is never 0, and the number of the page within it. A page's value is its ids.
var keyWindow = []byte{0}

const (
	pageKeyBytes = 8
	idKeyBytes   = 20 // of builds that kept each id by itself: a bucket and a fingerprint
	windowBytes  = 16
)

func bucketKey(b uint32) []byte { return binary.BigEndian.AppendUint32(nil, b) }

// Save writes the window and the pages with ids seen since the last Save, and deletes the forgotten buckets.
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
	m.saved()
	s.floorSaved, s.recut = m.floor, false
	return nil
}

func (s *Stage) saveIDs(w schemas.StateWriter) error {
	m := s.memory
	if s.recut {
		if err := w.DeleteRange(bucketKey(0), []byte{0xff}); err != nil {
			return err
		}
		for i := m.floor; i <= m.newest; i++ {
			if err := s.saveBucket(w, i, 0); err != nil {
				return err
			}
		}
		return nil
	}
	if m.floor > s.floorSaved {
		if err := w.DeleteRange(bucketKey(0), bucketKey(m.floor)); err != nil {
			return err
		}
	}
	for _, i := range m.unsaved {
		if i < m.floor {
			continue
		}
		if err := s.saveBucket(w, i, m.at(i).saved); err != nil {
			return err
		}
	}
	return nil
}

// saveBucket writes the pages of a bucket that hold more than so many ids of it, which are saved.
func (s *Stage) saveBucket(w schemas.StateWriter, bucket uint32, saved int) error {
	b, m := s.memory.at(bucket), s.memory
	at := b.last
	for n := b.pages() - 1; n >= 0 && (n+1)*pageIDs > saved; n-- {
		p := m.pages.At(at)
		s.scratch = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(s.scratch[:0], bucket), uint32(n))
		for _, id := range p.ids[:p.used] {
			s.scratch = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(s.scratch, id.hi), id.lo)
		}
		if err := w.Put(s.scratch[:pageKeyBytes], s.scratch[pageKeyBytes:]); err != nil {
			return err
		}
		at = p.next
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
	n, isMoved := 0, false
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
		case len(key) == pageKeyBytes && len(v)%idBytes == 0 && len(v) <= pageIDs*idBytes:
			bucket := into(binary.BigEndian.Uint32(key))
			// A page that is not where it was would be saved over another.
			isMoved = isMoved || bucket >= m.floor && m.at(bucket).count != int(binary.BigEndian.Uint32(key[4:]))*pageIDs
			for ; len(v) > 0; v = v[idBytes:] {
				isMoved = !m.load(v, bucket) || isMoved
			}
		case len(key) == idKeyBytes && len(v) == 0:
			isMoved = true
			m.load(key[4:], into(binary.BigEndian.Uint32(key)))
		default:
			return fmt.Errorf("an entry of the event ids has a key of %d and a value of %d bytes", len(key), len(v))
		}
		return nil
	})
	m.saved()
	s.floorSaved, s.recut = m.floor, span != s.span || isMoved
	m.shrink(m.max, m.maxList) // less memory than before
	return err
}

// idBytes is the size of a fingerprint in a page's value.
const idBytes = 16

// load remembers an id that was saved in a bucket. It tells whether that is its place: below the floor it is nobody's, and one that is
// known elsewhere is not there.
func (m *memory) load(v []byte, bucket uint32) bool {
	id := fingerprint{hi: binary.BigEndian.Uint64(v), lo: binary.BigEndian.Uint64(v[8:])}
	if m.reach(bucket); bucket < m.floor {
		return true
	}
	if m.known(id) {
		return false
	}
	// What was saved fitted, also where the next id would not have: nothing is forgotten on the way.
	m.put(id, bucket)
	return true
}
