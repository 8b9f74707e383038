package stitch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/seamline/seamline/schemas"
)

// unsaved names what changed since the last Save. The records say whether they stand in a list.
type unsaved struct {
	identifiers, profiles, moves []uint32
	links                        []uint64
	names                        int    // namespaces already saved
	leaves                       uint32 // the first leaf that was not saved yet: a leaf's entry never changes
}

// changeIdentifier remembers that an identifier must be saved.
func (s *Stage) changeIdentifier(id uint32) {
	if i := s.g.identifiers.At(id); !i.inUnsaved {
		i.inUnsaved = true
		s.unsaved.identifiers = append(s.unsaved.identifiers, id)
	}
}

// changeMoves remembers that an identifier's changes of hands must be saved.
func (s *Stage) changeMoves(id uint32) {
	if i := s.g.identifiers.At(id); !i.inUnsavedMoves {
		i.inUnsavedMoves = true
		s.unsaved.moves = append(s.unsaved.moves, id)
	}
}

// changeProfile remembers that a profile must be saved.
func (s *Stage) changeProfile(p uint32) {
	if at := s.g.profiles.At(p); !at.inUnsaved {
		at.inUnsaved = true
		s.unsaved.profiles = append(s.unsaved.profiles, p)
	}
}

// saved empties the lists of what must be saved.
func (s *Stage) saved() {
	g, u := s.g, &s.unsaved
	for _, id := range u.identifiers {
		g.identifiers.At(id).inUnsaved = false
	}
	for _, id := range u.moves {
		g.identifiers.At(id).inUnsavedMoves = false
	}
	for _, p := range u.profiles {
		g.profiles.At(p).inUnsaved = false
	}
	for _, key := range u.links {
		g.links.Ref(key).inUnsaved = false
	}
	*u = unsaved{identifiers: u.identifiers[:0], moves: u.moves[:0], profiles: u.profiles[:0], links: u.links[:0],
		names: len(g.names), leaves: uint32(g.leaves.Len())}
}

// Kinds of stored entry, the first byte of each key.
const (
	keyName       = 'a'
	keyIdentifier = 'b'
	keyLeaf       = 'c'
	keyProfile    = 'd'
	keyMoves      = 'e'
	keyLink       = 'f'
	keyPosition   = 'g'
)

// entryWriter puts entries until one fails. Its memory serves for all of them.
type entryWriter struct {
	w          schemas.StateWriter
	key, value []byte
	err        error
}

// put stores what is in value under the kind and a 32-bit number.
func (e *entryWriter) put(kind byte, i uint32) {
	e.key = binary.BigEndian.AppendUint32(append(e.key[:0], kind), i)
	e.putKey()
}

func (e *entryWriter) putKey() {
	if e.err == nil {
		e.err = e.w.Put(e.key, e.value)
	}
}

// Save writes what changed since the last Save, kind by kind in the order of the indexes. Where it fails, the next Save writes all of
// it again.
func (s *Stage) Save(w schemas.StateWriter) error {
	g, u := s.g, &s.unsaved
	e := &entryWriter{w: w}
	for i := u.names; i < len(g.names); i++ {
		e.value = append(e.value[:0], g.names[i]...)
		e.put(keyName, uint32(i))
	}
	slices.Sort(u.identifiers)
	for _, id := range u.identifiers {
		e.value = g.appendIdentifier(e.value[:0], g.identifiers.At(id))
		e.put(keyIdentifier, id)
	}
	for l := u.leaves; int(l) < g.leaves.Len(); l++ {
		e.value = binary.LittleEndian.AppendUint32(e.value[:0], g.leaves.At(l).identifier)
		e.value = binary.LittleEndian.AppendUint32(e.value, g.profileOf(l))
		e.put(keyLeaf, l)
	}
	slices.Sort(u.profiles)
	for _, p := range u.profiles {
		e.value = appendProfile(e.value[:0], g.profiles.At(p))
		e.put(keyProfile, p)
	}
	slices.Sort(u.moves)
	for _, id := range u.moves {
		e.value = g.appendMoves(e.value[:0], g.identifiers.At(id))
		e.put(keyMoves, id)
	}
	slices.Sort(u.links)
	for _, pair := range u.links {
		e.key = binary.BigEndian.AppendUint64(append(e.key[:0], keyLink), pair)
		e.value = append(e.value[:0], byte(g.links.Ref(pair).kind))
		e.putKey()
	}
	e.key, e.value = append(e.key[:0], keyPosition), binary.LittleEndian.AppendUint64(e.value[:0], g.position)
	e.putKey()
	if e.err != nil {
		return fmt.Errorf("save identity graph: %w", e.err)
	}
	s.saved()
	return nil
}

func (g *graph) appendIdentifier(v []byte, i *identifier) []byte {
	v = binary.LittleEndian.AppendUint64(v, i.print[0])
	v = binary.LittleEndian.AppendUint64(v, i.print[1])
	v = append(v, i.hash[:]...)
	v = binary.LittleEndian.AppendUint16(v, i.namespace)
	v = binary.LittleEndian.AppendUint32(v, i.leaf)
	v = binary.LittleEndian.AppendUint32(v, i.leaves)
	v = binary.LittleEndian.AppendUint64(v, uint64(i.first))
	v = binary.LittleEndian.AppendUint64(v, uint64(i.last))
	v = append(v, bit(i.blocked)|bit(i.kiosk)<<1)
	return g.appendDisplay(v, i)
}

func bit(b bool) byte {
	if b {
		return 1
	}
	return 0
}

func appendProfile(v []byte, p *profile) []byte {
	v = append(v, p.id[:]...)
	v = binary.LittleEndian.AppendUint32(v, p.into)
	v = binary.LittleEndian.AppendUint64(v, uint64(p.since))
	return binary.LittleEndian.AppendUint64(v, uint64(p.merged))
}

// appendMoves encodes an identifier's changes of hands, oldest first.
func (g *graph) appendMoves(v []byte, i *identifier) []byte {
	moves := make([]move, 0, movesMax)
	g.eachMove(i, func(m *move) bool {
		moves = append(moves, *m)
		return true
	})
	for _, m := range slices.Backward(moves) {
		v = binary.LittleEndian.AppendUint64(v, uint64(m.since))
		v = binary.LittleEndian.AppendUint32(v, m.leaf)
	}
	return v
}

var (
	errEntry = errors.New("an entry of the stitch state has the wrong form")
	errUsed  = errors.New("stitch state is loaded into a stage that has state")
)
