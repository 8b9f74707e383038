package audience

import (
	"cmp"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/seamline/seamline/schemas"
)

// Kinds of stored entry, the first byte of each key.
const (
	keyAudience = 'a'
	keyMember   = 'b'
)

var errEntry = errors.New("an entry of the audience state has the wrong size")

// member is a profile in an audience.
type member struct {
	audience uint32
	profile  uint32
}

func compareMembers(a, b member) int {
	if a.audience != b.audience {
		return cmp.Compare(a.audience, b.audience)
	}
	return cmp.Compare(a.profile, b.profile)
}

// Save writes what changed since the last Save. Where it fails, the next Save writes all of it again.
func (s *Stage) Save(w schemas.StateWriter) error {
	var key, value []byte
	for i := range s.audiences {
		a := &s.audiences[i]
		if !a.changed {
			continue
		}
		key = binary.BigEndian.AppendUint32(append(key[:0], keyAudience), uint32(i))
		value = append(append(binary.BigEndian.AppendUint64(value[:0], a.sequence), a.hash[:]...), a.name...)
		if err := w.Put(key, value); err != nil {
			return err
		}
	}
	slices.SortFunc(s.unsaved, compareMembers)
	s.unsaved = slices.Compact(s.unsaved)
	for _, m := range s.unsaved {
		key = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(append(key[:0], keyMember), m.audience), m.profile)
		since, in := s.members.get(m.profile, m.audience)
		var err error
		if in {
			err = w.Put(key, binary.BigEndian.AppendUint64(value[:0], uint64(since)))
		} else {
			err = w.Delete(key)
		}
		if err != nil {
			return err
		}
	}
	for i := range s.audiences {
		s.audiences[i].changed = false
	}
	s.unsaved = s.unsaved[:0]
	return nil
}

// loadEntries is after how many entries Load keeps the ceiling of memory and makes room for as many more.
const loadEntries = 1 << 13

// Load reads ledgers and members, and then lays the rules over them.
func (s *Stage) Load(r schemas.StateReader) error {
	s.audiences, s.changed = nil, false
	clear(s.byName)
	n := 0
	err := r.Each(func(key, v []byte) error {
		if n%loadEntries == 0 {
			if err := errors.Join(s.space.Trim(), s.space.Reserve(loadEntries*(profileBytes+nodeBytes))); err != nil {
				return err
			}
		}
		n++
		return s.load(key, v)
	})
	had := len(s.audiences) > 0
	s.define()
	removed := slices.ContainsFunc(s.audiences, func(a audience) bool { return a.rule == nil && a.size > 0 })
	s.changed = had && (s.changed || removed)
	return err
}

// load takes one stored entry. Audiences come before members.
func (s *Stage) load(key, v []byte) error {
	switch {
	case len(key) == 5 && key[0] == keyAudience && len(v) > 40:
		i := s.audience(string(v[40:]))
		if i != binary.BigEndian.Uint32(key[1:]) {
			return errEntry
		}
		s.audiences[i].sequence, s.audiences[i].hash = binary.BigEndian.Uint64(v), [32]byte(v[8:40])
	case len(key) == 9 && key[0] == keyMember && len(v) == 8:
		m := member{binary.BigEndian.Uint32(key[1:]), binary.BigEndian.Uint32(key[5:])}
		if int(m.audience) >= len(s.audiences) {
			return errEntry
		}
		s.members.add(m.profile, m.audience, schemas.Time(binary.BigEndian.Uint64(v)))
		s.audiences[m.audience].size++
	default:
		return errEntry
	}
	return nil
}
