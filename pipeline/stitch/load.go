package stitch

import (
	"encoding/binary"
	"fmt"

	"github.com/seamline/seamline/pipeline/slab"
	"github.com/seamline/seamline/schemas"
)

// Sizes of encoded entries.
const (
	identifierBytes = 16 + 2 + 2 + 3*4 + 3*8 + 2 // and its display text
	printBytes      = 8 + 4
	profileBytes    = 16 + 4 + 8 + 1
	linkBytes       = 4 + 4 + 8 + 4 + 2
	renewalBytes    = 8 + 4 + 4
	leafBytes       = 4 * 4
	claimBytes      = 8 + 4 + 4
	toldEntryBytes  = 4 + 8
	displayBytesMax = 4 * valueBytesMax // normal forms of letters can be longer than the letters
)

// While state is loaded, room is made and the ceiling is kept every so many entries. No entry adds more than so many bytes.
const (
	loadEntries    = 1 << 13
	loadEntryBytes = newBytes + displayBytesMax
)

// Load reads the graph into a new stage.
func (s *Stage) Load(r schemas.StateReader) error {
	if s.g.nodes.Len() > 1 || len(s.g.names) > 0 {
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
		if len(key) == 5 && key[0] == keyName {
			return s.decodeName(binary.BigEndian.Uint32(key[1:]), v)
		}
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
	if len(key) == 1 && key[0] == keyPosition && len(v) == 8 {
		g.position = binary.LittleEndian.Uint64(v)
		return nil
	}
	if len(key) == 6 && key[0] == keyTold {
		return g.decodeTold(binary.BigEndian.Uint32(key[1:]), schemas.ContactKind(key[5]), v)
	}
	if len(key) != 5 {
		return errEntry
	}
	i := binary.BigEndian.Uint32(key[1:])
	switch key[0] {
	case keyIdentifier:
		return g.decodeIdentifier(i, v)
	case keyPrint:
		if len(v) != printBytes || int(i) >= g.nodes.Len() {
			return errEntry
		}
		if i == 0 {
			return errEntry
		}
		g.index.Put(slab.Print{Hash: binary.LittleEndian.Uint64(v), Check: binary.LittleEndian.Uint32(v[8:])}, i)
		return nil
	case keyProfile:
		return g.decodeProfile(i, v)
	case keyLink:
		return g.decodeLink(i, v)
	case keyLeaf:
		return g.decodeLeaf(i, v)
	case keyClaims:
		return g.decodeClaims(i, v)
	case keyRenewal:
		return g.decodeRenewal(i, v)
	}
	return errEntry
}

// decodeName takes a namespace. What its identifiers may do must be what it was, as to linking: groups are made of those that may.
func (s *Stage) decodeName(i uint32, v []byte) error {
	if len(v) < 1 || v[0] > 1 || s.g.namespaceIndex(string(v[1:])) != uint16(i) {
		return errEntry
	}
	if ns := s.ruleOf(uint16(i)); ns.links() != (v[0] != 0) {
		return fmt.Errorf("%w: namespace %s has class %s now; go back, or apply the rules to everything with seamline replay --from-start", errRules, ns.Name, ns.Class)
	}
	return nil
}

// fields reads numbers of 32 bits from the front of v.
func fields(v []byte, into ...*uint32) []byte {
	for _, to := range into {
		*to, v = binary.LittleEndian.Uint32(v), v[4:]
	}
	return v
}

func (g *graph) decodeIdentifier(id uint32, v []byte) error {
	if len(v) < identifierBytes || len(v) > identifierBytes+displayBytesMax || int(id) != g.nodes.Len() {
		return errEntry
	}
	r := row{hash: [16]byte(v)}
	n := node{next: id, namespace: binary.LittleEndian.Uint16(v[16:]), flags: nodeFlags(binary.LittleEndian.Uint16(v[18:]))}
	v = fields(v[20:], &n.parent, &n.leaf, &r.generation)
	for _, t := range [...]*schemas.Time{&r.first, &r.last, &r.born} {
		*t, v = schemas.Time(binary.LittleEndian.Uint64(v)), v[8:]
	}
	r.users, r.mails = v[0], v[1]
	if int(n.namespace) >= len(g.names) || n.parent > id || n.parent == 0 || n.flags&^storedFlags != 0 {
		return errEntry
	}
	setDisplay(g, &r, v[2:])
	g.nodes.Append(n)
	g.rows.Append(r)
	return nil
}

func (g *graph) decodeProfile(p uint32, v []byte) error {
	if len(v) != profileBytes || int(p) != g.profiles.Len() {
		return errEntry
	}
	one := profile{id: schemas.ProfileID(v[:16]), founder: binary.LittleEndian.Uint32(v[16:]),
		changed: schemas.Time(binary.LittleEndian.Uint64(v[20:])), alone: v[28] != 0}
	if one.founder == 0 || int(one.founder) >= g.nodes.Len() {
		return errEntry
	}
	if one.alone {
		one.held[heldAll] = 1
		g.alive++
	} else {
		g.rows.At(one.founder).profile = p
		g.nodes.At(one.founder).flags |= isFounder
	}
	g.profiles.Append(one)
	return nil
}

func (g *graph) decodeLink(i uint32, v []byte) error {
	if len(v) != linkBytes || int(i) != g.links.Len() {
		return errEntry
	}
	var l link
	var day uint32
	fields(v, &l.a, &l.b)
	l.time = schemas.Time(binary.LittleEndian.Uint64(v[8:]))
	fields(v[16:], &day)
	l.day, l.state, l.flags = int32(day), linkState(v[20]), linkFlags(v[21])
	if l.a == 0 || l.b == 0 || l.a == l.b || int(max(l.a, l.b)) >= g.nodes.Len() || l.state >= linkStates || l.flags&^storedLinkFlags != 0 {
		return errEntry
	}
	g.addLink(l)
	if l.flags&linkVoid != 0 {
		g.kept--
	}
	if l.state == linkLent {
		g.nodes.At(l.a).flags |= isLender
	}
	return nil
}

func (g *graph) decodeTold(id uint32, kind schemas.ContactKind, v []byte) error {
	if len(v) != toldEntryBytes || id == 0 || int(id) >= g.nodes.Len() || int(kind) >= schemas.ContactCount {
		return errEntry
	}
	t := told{print: binary.LittleEndian.Uint32(v)}
	t.setTime(schemas.Time(binary.LittleEndian.Uint64(v[4:])))
	g.told.Put(toldKey(id, kind), t)
	return nil
}

func (g *graph) decodeRenewal(n uint32, v []byte) error {
	if len(v) != renewalBytes || int(n) != g.renewals.Len() {
		return errEntry
	}
	again := renewal{time: schemas.Time(binary.LittleEndian.Uint64(v))}
	fields(v[8:], &again.link, &again.order)
	if again.link == 0 || int(again.link) >= g.links.Len() {
		return errEntry
	}
	l := g.links.At(again.link)
	again.next = l.renewal
	l.renewal = g.renewals.Append(again)
	return nil
}

func (g *graph) decodeLeaf(i uint32, v []byte) error {
	if len(v) != leafBytes || int(i) != g.leaves.Len() {
		return errEntry
	}
	var l leaf
	fields(v, &l.identifier, &l.link, &l.pred, &l.anchor)
	if l.identifier == 0 || int(l.identifier) >= g.nodes.Len() || l.pred >= i || l.pred != 0 && g.leaves.At(l.pred).identifier != l.identifier {
		return errEntry
	}
	l.next = i
	if l.link == aloneLink {
		if l.anchor == 0 || int(l.anchor) >= g.profiles.Len() {
			return errEntry
		}
		g.leaves.Append(l)
		g.joinRing(g.profiles.At(l.anchor), i)
		return nil
	}
	if int(l.link) >= g.links.Len() || l.link != 0 && !g.links.At(l.link).has(l.identifier) || (l.link == 0) != (l.pred == 0) || (l.link == 0) != (g.nodes.At(l.identifier).leaf == i) {
		return errEntry
	}
	g.leaves.Append(l)
	if l.link != 0 {
		first := g.leaves.At(g.nodes.At(l.identifier).leaf)
		g.leaves.At(i).sibling, first.sibling = first.sibling, i
	}
	return nil
}

func (g *graph) decodeClaims(id uint32, v []byte) error {
	if len(v)%claimBytes != 0 || len(v)/claimBytes > claimsMax || int(id) >= g.nodes.Len() {
		return errEntry
	}
	r := g.rows.At(id)
	for ; len(v) > 0; v = v[claimBytes:] {
		c := claim{since: schemas.Time(binary.LittleEndian.Uint64(v)), next: r.claims}
		fields(v[8:], &c.link, &c.leaf)
		if int(c.leaf) >= g.leaves.Len() || int(c.link) >= g.links.Len() || c.link != 0 && !g.links.At(c.link).has(id) ||
			c.leaf != 0 && g.leaves.At(c.leaf).identifier != id {
			return errEntry
		}
		r.claims = g.claims.Append(c)
		r.claimCount++
	}
	return nil
}

// rebuild derives groups, lists and counts after loading.
func (s *Stage) rebuild() error {
	g := s.g
	for id := uint32(1); int(id) < g.nodes.Len(); id++ {
		if id%loadEntries == 0 {
			if err := s.breathe(); err != nil {
				return err
			}
		}
		n := g.nodes.At(id)
		if int(n.leaf) >= g.leaves.Len() {
			return errEntry
		}
		if n.parent != id {
			root := g.root(id)
			top := g.nodes.At(root)
			n.next, top.next = top.next, id
		}
		if n.is(isQuarantined) {
			s.metrics.quarantine(s.nameOf(id), id)
		}
	}
	for id := uint32(1); int(id) < g.nodes.Len(); id++ {
		if err := s.rebuildOne(id); err != nil {
			return err
		}
	}
	for l := uint32(1); int(l) < g.leaves.Len(); l++ {
		at := g.leaves.At(l)
		if at.link == aloneLink {
			continue
		}
		at.anchor = s.anchorOf(l)
		g.joinRing(g.profiles.At(g.profileOf(at.anchor)), l)
	}
	return nil
}

// rebuildOne derives what an identifier counts for.
func (s *Stage) rebuildOne(id uint32) error {
	g := s.g
	n := g.nodes.At(id)
	if n.is(isBlocked) || !s.linkable(id) {
		return nil
	}
	if g.rows.At(g.root(id)).profile == 0 {
		return errEntry
	}
	if n.parent == id {
		g.alive++
	}
	s.hold(id, g.profileOf(s.holder(id)), 1)
	return nil
}
