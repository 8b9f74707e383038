package stitch

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/seamline/seamline/schemas"
)

// unsaved names what changed since the last Save.
type unsaved struct {
	identifiers, leaves, profiles, moves set
	links                                []uint64
	names                                int // namespaces already saved
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

var errEntry = errors.New("an entry of the stitch state has the wrong size")

func key32(kind byte, i uint32) []byte { return binary.BigEndian.AppendUint32([]byte{kind}, i) }

// Save writes what changed since the last Save.
func (s *Stage) Save(w schemas.StateWriter) error {
	g, u := s.g, &s.unsaved
	put := func(key, value []byte, err error) error {
		if err != nil {
			return err
		}
		return w.Put(key, value)
	}
	var err error
	for ; u.names < len(g.names); u.names++ {
		err = put(key32(keyName, uint32(u.names)), []byte(g.names[u.names]), err)
	}
	for _, id := range u.identifiers.sorted() {
		err = put(key32(keyIdentifier, id), g.encodeIdentifier(&g.identifiers[id]), err)
	}
	for _, l := range u.leaves.sorted() {
		v := binary.LittleEndian.AppendUint32(nil, g.leaves[l].identifier)
		err = put(key32(keyLeaf, l), binary.LittleEndian.AppendUint32(v, g.profileOf(l)), err)
	}
	for _, p := range u.profiles.sorted() {
		err = put(key32(keyProfile, p), encodeProfile(&g.profiles[p]), err)
	}
	for _, id := range u.moves.sorted() {
		var v []byte
		for _, m := range g.moves[id] {
			v = binary.LittleEndian.AppendUint64(v, uint64(m.since))
			v = binary.LittleEndian.AppendUint32(v, m.leaf)
		}
		err = put(key32(keyMoves, id), v, err)
	}
	for _, l := range u.links {
		err = put(binary.BigEndian.AppendUint64([]byte{keyLink}, l), []byte{byte(g.links[l])}, err)
	}
	err = put([]byte{keyPosition}, binary.LittleEndian.AppendUint64(nil, g.position), err)
	u.identifiers.reset()
	u.leaves.reset()
	u.profiles.reset()
	u.moves.reset()
	u.links = u.links[:0]
	return err
}

func (g *graph) encodeIdentifier(i *identifier) []byte {
	v := make([]byte, 0, 80)
	v = binary.LittleEndian.AppendUint64(v, i.print[0])
	v = binary.LittleEndian.AppendUint64(v, i.print[1])
	v = append(v, i.hash[:]...)
	v = binary.LittleEndian.AppendUint16(v, i.namespace)
	v = binary.LittleEndian.AppendUint32(v, i.leaf)
	v = binary.LittleEndian.AppendUint32(v, i.leaves)
	v = binary.LittleEndian.AppendUint64(v, uint64(i.first))
	v = binary.LittleEndian.AppendUint64(v, uint64(i.last))
	v = append(v, bit(i.blocked)|bit(i.kiosk)<<1)
	return append(v, g.texts[i.text:i.text+uint64(i.textBytes)]...)
}

func bit(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// identifierBytes is the size of an encoded identifier without its display text.
const identifierBytes = 16 + 16 + 2 + 4 + 4 + 8 + 8 + 1

func (g *graph) decodeIdentifier(id uint32, v []byte) error {
	if len(v) < identifierBytes || int(id) != len(g.identifiers) {
		return errEntry
	}
	i := identifier{print: fingerprint{binary.LittleEndian.Uint64(v), binary.LittleEndian.Uint64(v[8:])},
		hash: [16]byte(v[16:32]), namespace: binary.LittleEndian.Uint16(v[32:]), leaf: binary.LittleEndian.Uint32(v[34:]),
		leaves: binary.LittleEndian.Uint32(v[38:]),
		first:  schemas.Time(binary.LittleEndian.Uint64(v[42:])), last: schemas.Time(binary.LittleEndian.Uint64(v[50:])),
		blocked: v[58]&1 != 0, kiosk: v[58]&2 != 0, text: uint64(len(g.texts)), textBytes: uint16(len(v) - identifierBytes)}
	g.texts = append(g.texts, v[identifierBytes:]...)
	g.identifiers = append(g.identifiers, i)
	g.index[i.print] = id
	return nil
}

func encodeProfile(p *profile) []byte {
	v := append(make([]byte, 0, 48), p.id[:]...)
	v = binary.LittleEndian.AppendUint32(v, p.into)
	v = binary.LittleEndian.AppendUint64(v, uint64(p.since))
	return binary.LittleEndian.AppendUint64(v, uint64(p.merged))
}

// Load reads the graph. Leaves come back as flat components: every leaf directly below the first of its profile.
func (s *Stage) Load(r schemas.StateReader) error {
	g := s.g
	err := r.Each(func(key, v []byte) error {
		switch key[0] {
		case keyName:
			g.namespaceIndex(string(v))
		case keyIdentifier:
			return g.decodeIdentifier(binary.BigEndian.Uint32(key[1:]), v)
		case keyLeaf:
			l := binary.BigEndian.Uint32(key[1:])
			if len(v) != 8 || int(l) != len(g.leaves) {
				return errEntry
			}
			g.leaves = append(g.leaves, leaf{identifier: binary.LittleEndian.Uint32(v), parent: l, next: l, profile: binary.LittleEndian.Uint32(v[4:])})
		case keyProfile:
			p := binary.BigEndian.Uint32(key[1:])
			if len(v) != 36 || int(p) != len(g.profiles) {
				return errEntry
			}
			g.profiles = append(g.profiles, profile{id: schemas.ProfileID(v[:16]), into: binary.LittleEndian.Uint32(v[16:]),
				since: schemas.Time(binary.LittleEndian.Uint64(v[20:])), merged: schemas.Time(binary.LittleEndian.Uint64(v[28:]))})
		case keyMoves:
			var moves []move
			for ; len(v) >= 12; v = v[12:] {
				moves = append(moves, move{since: schemas.Time(binary.LittleEndian.Uint64(v)), leaf: binary.LittleEndian.Uint32(v[8:])})
			}
			g.moves[binary.BigEndian.Uint32(key[1:])] = moves
		case keyLink:
			g.links[binary.BigEndian.Uint64(key[1:])] = linkKind(v[0])
		case keyPosition:
			g.position = binary.LittleEndian.Uint64(v)
		default:
			return fmt.Errorf("unknown entry %q", key[0])
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.unsaved.names = len(g.names)
	return g.rebuild()
}

// rebuild derives components and alias lists after loading.
func (g *graph) rebuild() error {
	for l := 1; l < len(g.leaves); l++ {
		if p := g.leaves[l].profile; p == 0 || int(p) >= len(g.profiles) {
			return errEntry
		}
		p := g.living(g.leaves[l].profile)
		g.leaves[l].profile = p
		if g.profiles[p].root == 0 {
			g.profiles[p].root = uint32(l)
			continue
		}
		g.join(uint32(l), p)
	}
	for p := 1; p < len(g.profiles); p++ {
		if g.profiles[p].into == 0 {
			g.alive++
			continue
		}
		survivor := g.living(uint32(p))
		s := &g.profiles[survivor]
		if s.lastAlias == 0 {
			s.aliases = uint32(p)
		} else {
			g.profiles[s.lastAlias].nextAlias = uint32(p)
		}
		s.lastAlias = uint32(p)
		g.profiles[p].into = survivor
	}
	return nil
}
