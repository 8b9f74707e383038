package audience

import (
	"cmp"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/seamline/seamline/schemas"
)

// Kinds of stored entry, the first byte of each key. Audiences come before members, and predicates before what is remembered of them.
const (
	keyAudience  = 'a'
	keyMember    = 'b'
	keyPredicate = 'c'
	keyHistory   = 'd'
	keyPublished = 'e'
)

var errEntry = errors.New("an entry of the audience state has the wrong size")

// member is a profile and an audience that it is or was in.
type member struct {
	audience uint32
	profile  uint32
}

func compareMembers(a, b member) int {
	return cmp.Or(cmp.Compare(a.audience, b.audience), cmp.Compare(a.profile, b.profile))
}

// key puts numbers behind a kind.
func key(b []byte, kind byte, numbers ...uint32) []byte {
	b = append(b[:0], kind)
	for _, n := range numbers {
		b = binary.BigEndian.AppendUint32(b, n)
	}
	return b
}

// Save writes what changed since the last Save. Where it fails, the next Save writes all of it again.
func (s *Stage) Save(w schemas.StateWriter) error {
	if err := errors.Join(s.saveAudiences(w), s.savePredicates(w)); err != nil {
		return err
	}
	if err := s.saveMembers(w); err != nil {
		return err
	}
	if err := s.saveHistory(w); err != nil {
		return err
	}
	for i := range s.audiences {
		s.audiences[i].changed = false
	}
	s.isDefined, s.retired, s.unsaved, s.unsavedHeads = true, s.retired[:0], s.unsaved[:0], s.unsavedHeads[:0]
	return nil
}

func (s *Stage) saveAudiences(w schemas.StateWriter) error {
	var k, value []byte
	for i := range s.audiences {
		a := &s.audiences[i]
		if !a.changed {
			continue
		}
		k = key(k, keyAudience, uint32(i))
		value = append(append(binary.BigEndian.AppendUint64(value[:0], a.sequence), a.hash[:]...), a.name...)
		if err := w.Put(k, value); err != nil {
			return err
		}
	}
	if s.unpublished || s.isDefined {
		return nil
	}
	published := s.definitions()
	return w.Put(key(k, keyPublished), published[:])
}

func (s *Stage) savePredicates(w schemas.StateWriter) error {
	var k, until []byte
	for _, n := range s.retired {
		k, until = key(k, keyHistory, n), key(until, keyHistory, n+1)
		if err := errors.Join(w.DeleteRange(k, until), w.Delete(key(k, keyPredicate, n))); err != nil {
			return err
		}
	}
	if s.isDefined {
		return nil
	}
	for _, one := range s.watcher.all {
		if err := w.Put(key(k, keyPredicate, one.number), []byte(one.key)); err != nil {
			return err
		}
	}
	return nil
}

func (s *Stage) saveMembers(w schemas.StateWriter) error {
	var k, value []byte
	slices.SortFunc(s.unsaved, compareMembers)
	s.unsaved = slices.Compact(s.unsaved)
	for _, m := range s.unsaved {
		k = key(k, keyMember, m.audience, m.profile)
		st, known := s.members.get(m.profile, m.audience)
		if !known {
			if err := w.Delete(k); err != nil {
				return err
			}
			continue
		}
		value = binary.BigEndian.AppendUint64(value[:0], uint64(st.since))
		if st.until != 0 {
			value = binary.BigEndian.AppendUint64(value, uint64(st.until))
		}
		if st.aged {
			value = append(value, 1)
		}
		if err := w.Put(k, value); err != nil {
			return err
		}
	}
	return nil
}

// saveHistory clears the marks of what it writes: a Save that fails is followed by one that writes all that is still in the list.
func (s *Stage) saveHistory(w schemas.StateWriter) error {
	var k, value []byte
	slices.SortFunc(s.unsavedHeads, func(a, b uint32) int {
		h, o := s.history.heads.At(a), s.history.heads.At(b)
		return cmp.Or(cmp.Compare(h.predicate, o.predicate), cmp.Compare(h.leaf, o.leaf))
	})
	for _, i := range s.unsavedHeads {
		h := s.history.heads.At(i)
		value = s.history.encode(value[:0], h)
		if err := w.Put(key(k, keyHistory, h.predicate, h.leaf), value); err != nil {
			return err
		}
		h.unsaved = false
	}
	return nil
}

// loadEntries is after how many entries Load keeps the ceiling of memory and makes room for as many more.
const loadEntries = 1 << 13

// loading is what Load finds on its way.
type loading struct {
	numbers   map[string]uint32 // of predicates
	active    map[uint32]bool   // numbers that rules still ask about
	published []byte
	entries   int
}

// Load reads ledgers, members and histories, and lays the rules over them.
func (s *Stage) Load(r schemas.StateReader) error {
	s.audiences, s.changed, s.isDefined = nil, false, false
	clear(s.byName)
	l := &loading{numbers: map[string]uint32{}, active: map[uint32]bool{}}
	asked := map[string]bool{}
	for _, w := range s.watcher.all {
		asked[w.key] = true
	}
	err := r.Each(func(k, v []byte) error {
		if l.entries%loadEntries == 0 {
			if err := errors.Join(s.space.Trim(), s.space.Reserve(loadEntries*(profileBytes+nodeBytes+headBytes+entryBytes))); err != nil {
				return err
			}
		}
		l.entries += 1 + len(v)/16 // many events may stand in one entry
		if len(k) == 5 && k[0] == keyPredicate {
			n := binary.BigEndian.Uint32(k[1:])
			l.numbers[string(v)], l.active[n] = n, asked[string(v)]
			return nil
		}
		return s.load(l, k, v)
	})
	had := len(s.audiences) > 0
	s.define(l.numbers)
	published := s.definitions()
	s.unpublished = string(l.published) != string(published[:])
	s.isDefined = len(s.retired) == 0 && len(l.numbers) == len(s.watcher.all) && !s.unpublished
	removed := slices.ContainsFunc(s.audiences, func(a audience) bool { return a.plan == nil && a.size > 0 })
	s.changed = had && (s.changed || removed)
	return err
}

// load takes one stored entry.
func (s *Stage) load(l *loading, k, v []byte) error {
	switch {
	case len(k) == 5 && k[0] == keyAudience && len(v) > 40:
		i := s.audience(string(v[40:]))
		if i != binary.BigEndian.Uint32(k[1:]) {
			return errEntry
		}
		s.audiences[i].sequence, s.audiences[i].hash = binary.BigEndian.Uint64(v), [32]byte(v[8:40])
	case len(k) == 9 && k[0] == keyMember && (len(v) == 8 || len(v) == 16 || len(v) == 17):
		m := member{binary.BigEndian.Uint32(k[1:]), binary.BigEndian.Uint32(k[5:])}
		if int(m.audience) >= len(s.audiences) {
			return errEntry
		}
		st := stay{since: schemas.Time(binary.BigEndian.Uint64(v)), aged: len(v) == 17}
		if len(v) > 8 {
			st.until = schemas.Time(binary.BigEndian.Uint64(v[8:]))
		} else {
			s.audiences[m.audience].size++
		}
		s.members.set(m.profile, m.audience, st)
	case len(k) == 9 && k[0] == keyHistory:
		return s.loadHistory(l, binary.BigEndian.Uint32(k[1:]), binary.BigEndian.Uint32(k[5:]), v)
	case len(k) == 1 && k[0] == keyPublished:
		l.published = slices.Clone(v)
	default:
		return errEntry
	}
	return nil
}

// loadHistory takes what a leaf remembers of a predicate, unless nobody asks about it any more.
func (s *Stage) loadHistory(l *loading, predicate, leaf uint32, v []byte) error {
	isActive, known := l.active[predicate]
	if !known {
		return errEntry
	}
	if !isActive {
		return nil
	}
	h, _ := s.history.head(leaf, predicate)
	if err := s.history.decode(h, v); err != nil {
		return err
	}
	if predicate == l.numbers[s.deleted.key] {
		s.deletions++
	}
	return nil
}
