package stitch

import (
	"encoding/binary"
	"fmt"

	"github.com/seamline/seamline/schemas"
)

// Sizes of encoded entries.
const (
	identifierBytes = 16 + 16 + 2 + 4 + 4 + 8 + 8 + 1 // and its display text
	leafBytes       = 4 + 4
	profileBytes    = 16 + 4 + 8 + 8
	moveBytes       = 8 + 4
	displayBytesMax = 4 * valueBytesMax // normal forms of letters can be longer than the letters
)

// While state is loaded, room is made and the ceiling is kept every so many entries. No entry adds more than so many bytes.
const (
	loadEntries    = 1 << 13
	loadEntryBytes = newBytes + displayBytesMax
)

// Load reads the graph into a new stage. Leaves come back as flat components: every leaf directly below the first of its profile.
func (s *Stage) Load(r schemas.StateReader) error {
	if s.g.identifiers.Len() > 1 || len(s.g.names) > 0 {
		return errUsed
	}
	count := 0
	err := r.Each(func(key, v []byte) error {
		if count%loadEntries == 0 {
			if err := s.breathe(); err != nil {
				return err
			}
		}
		count++
		if err := s.g.decode(key, v); err != nil {
			return fmt.Errorf("entry %x: %w", key, err)
		}
		return nil
	})
	if err == nil {
		err = s.rebuild()
	}
	if err != nil {
		return fmt.Errorf("load identity graph: %w", err)
	}
	s.saved()
	return nil
}

// breathe keeps the ceiling and makes room for loadEntries more.
func (s *Stage) breathe() error {
	if err := s.space.Trim(); err != nil {
		return err
	}
	return s.space.Reserve(loadEntries * loadEntryBytes)
}

// decode takes one stored entry. They come in the order of their kinds.
func (g *graph) decode(key, v []byte) error {
	switch {
	case len(key) == 5 && key[0] == keyName:
		if g.namespaceIndex(string(v)) != uint16(binary.BigEndian.Uint32(key[1:])) {
			return errEntry
		}
		return nil
	case len(key) == 5 && key[0] == keyIdentifier:
		return g.decodeIdentifier(binary.BigEndian.Uint32(key[1:]), v)
	case len(key) == 5 && key[0] == keyLeaf:
		return g.decodeLeaf(binary.BigEndian.Uint32(key[1:]), v)
	case len(key) == 5 && key[0] == keyProfile:
		return g.decodeProfile(binary.BigEndian.Uint32(key[1:]), v)
	case len(key) == 5 && key[0] == keyMoves:
		return g.decodeMoves(binary.BigEndian.Uint32(key[1:]), v)
	case len(key) == 9 && key[0] == keyLink:
		pair := binary.BigEndian.Uint64(key[1:])
		if len(v) != 1 || linkKind(v[0]) < linkMade || linkKind(v[0]) > linkRefused || int(pair>>32) >= g.identifiers.Len() ||
			int(uint32(pair)) >= g.identifiers.Len() {
			return errEntry
		}
		g.links.Put(pair, link{kind: linkKind(v[0])})
		return nil
	case len(key) == 1 && key[0] == keyPosition && len(v) == 8:
		g.position = binary.LittleEndian.Uint64(v)
		return nil
	}
	return errEntry
}

func (g *graph) decodeIdentifier(id uint32, v []byte) error {
	if len(v) < identifierBytes || len(v) > identifierBytes+displayBytesMax || int(id) != g.identifiers.Len() {
		return errEntry
	}
	i := identifier{print: fingerprint{binary.LittleEndian.Uint64(v), binary.LittleEndian.Uint64(v[8:])},
		hash: [16]byte(v[16:32]), namespace: binary.LittleEndian.Uint16(v[32:]), leaf: binary.LittleEndian.Uint32(v[34:]),
		leaves: binary.LittleEndian.Uint32(v[38:]),
		first:  schemas.Time(binary.LittleEndian.Uint64(v[42:])), last: schemas.Time(binary.LittleEndian.Uint64(v[50:])),
		blocked: v[58]&1 != 0, kiosk: v[58]&2 != 0}
	if int(i.namespace) >= len(g.names) {
		return errEntry
	}
	setDisplay(g, &i, v[identifierBytes:])
	g.identifiers.Append(i)
	g.index.Put(i.print, id)
	return nil
}

func (g *graph) decodeLeaf(l uint32, v []byte) error {
	if len(v) != leafBytes || int(l) != g.leaves.Len() || int(binary.LittleEndian.Uint32(v)) >= g.identifiers.Len() {
		return errEntry
	}
	g.leaves.Append(leaf{identifier: binary.LittleEndian.Uint32(v), parent: l, next: l, profile: binary.LittleEndian.Uint32(v[4:])})
	return nil
}

func (g *graph) decodeProfile(p uint32, v []byte) error {
	// The older profile survives a merge, so that into is less than p and living ends.
	if len(v) != profileBytes || int(p) != g.profiles.Len() || binary.LittleEndian.Uint32(v[16:]) >= p {
		return errEntry
	}
	g.profiles.Append(profile{id: schemas.ProfileID(v[:16]), into: binary.LittleEndian.Uint32(v[16:]),
		since: schemas.Time(binary.LittleEndian.Uint64(v[20:])), merged: schemas.Time(binary.LittleEndian.Uint64(v[28:]))})
	return nil
}

func (g *graph) decodeMoves(id uint32, v []byte) error {
	if len(v)%moveBytes != 0 || len(v)/moveBytes > movesMax || int(id) >= g.identifiers.Len() {
		return errEntry
	}
	i := g.identifiers.At(id)
	for ; len(v) > 0; v = v[moveBytes:] {
		m := move{since: schemas.Time(binary.LittleEndian.Uint64(v)), leaf: binary.LittleEndian.Uint32(v[8:]), next: i.moves}
		if int(m.leaf) >= g.leaves.Len() {
			return errEntry
		}
		i.moves = g.moves.Append(m)
		i.moveCount++
	}
	return nil
}

// rebuild derives components and alias lists after loading.
func (s *Stage) rebuild() error {
	g := s.g
	for l := uint32(1); int(l) < g.leaves.Len(); l++ {
		if l%loadEntries == 0 {
			if err := s.breathe(); err != nil {
				return err
			}
		}
		at := g.leaves.At(l)
		if at.profile == 0 || int(at.profile) >= g.profiles.Len() {
			return errEntry
		}
		at.profile = g.living(at.profile)
		if p := g.profiles.At(at.profile); p.root == 0 {
			p.root = l
		} else {
			g.join(l, at.profile)
		}
	}
	for p := uint32(1); int(p) < g.profiles.Len(); p++ {
		at := g.profiles.At(p)
		if at.into == 0 {
			g.alive++
			continue
		}
		at.into = g.living(p)
		survivor := g.profiles.At(at.into)
		if survivor.lastAlias == 0 {
			survivor.aliases = p
		} else {
			g.profiles.At(survivor.lastAlias).nextAlias = p
		}
		survivor.lastAlias = p
	}
	for id := uint32(1); int(id) < g.identifiers.Len(); id++ {
		if int(g.identifiers.At(id).leaf) >= g.leaves.Len() {
			return errEntry
		}
	}
	return nil
}
