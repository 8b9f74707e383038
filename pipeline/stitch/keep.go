package stitch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/seamline/seamline/pipeline/slab"
	"github.com/seamline/seamline/schemas"
)

// unsaved names what changed since the last Save. The records say whether they stand in a list.
type unsaved struct {
	identifiers, profiles, claims, links []uint32
	prints                               []fresh
	told                                 []uint64 // keys of contact data
	names                                int      // namespaces already saved
	leaves                               uint32   // the first that was not saved yet: a leaf's entry never changes
	founded, renewals                    uint32   // the same of profiles and renewals
}

// fresh is the fingerprint of a new identifier.
type fresh struct {
	print slab.Print
	id    uint32
}

// changeIdentifier remembers that an identifier must be saved.
func (s *Stage) changeIdentifier(id uint32) {
	if n := s.g.nodes.At(id); !n.is(inUnsaved) {
		n.flags |= inUnsaved
		s.unsaved.identifiers = append(s.unsaved.identifiers, id)
	}
}

// changeClaims remembers that the claims on an identifier must be saved.
func (s *Stage) changeClaims(id uint32) {
	if n := s.g.nodes.At(id); !n.is(inUnsavedClaims) {
		n.flags |= inUnsavedClaims
		s.unsaved.claims = append(s.unsaved.claims, id)
	}
}

// changeProfile remembers that a profile must be saved.
func (s *Stage) changeProfile(p uint32) {
	if at := s.g.profiles.At(p); !at.in.unsaved {
		at.in.unsaved = true
		s.unsaved.profiles = append(s.unsaved.profiles, p)
	}
}

// changeLink remembers that a link must be saved.
func (s *Stage) changeLink(i uint32) {
	if l := s.g.links.At(i); l.flags&linkInUnsaved == 0 {
		l.flags |= linkInUnsaved
		s.unsaved.links = append(s.unsaved.links, i)
	}
}

// saved empties the lists of what must be saved.
func (s *Stage) saved() {
	g, u := s.g, &s.unsaved
	for _, id := range u.identifiers {
		g.nodes.At(id).flags &^= inUnsaved
	}
	for _, id := range u.claims {
		g.nodes.At(id).flags &^= inUnsavedClaims
	}
	for _, p := range u.profiles {
		g.profiles.At(p).in.unsaved = false
	}
	for _, i := range u.links {
		g.links.At(i).flags &^= linkInUnsaved
	}
	for _, key := range u.told {
		g.told.Ref(key).hi &^= toldUnsaved
	}
	*u = unsaved{identifiers: u.identifiers[:0], claims: u.claims[:0], profiles: u.profiles[:0], links: u.links[:0], prints: u.prints[:0], told: u.told[:0],
		names: len(g.names), leaves: uint32(g.leaves.Len()), founded: uint32(g.profiles.Len()),
		renewals: uint32(g.renewals.Len())}
}

// Kinds of stored entry, the first byte of each key, in the order in which they are loaded.
const (
	keyName       = 'a'
	keyIdentifier = 'b'
	keyPrint      = 'c'
	keyProfile    = 'd'
	keyLink       = 'e'
	keyLeaf       = 'f'
	keyClaims     = 'g'
	keyRenewal    = 'h'
	keyPosition   = 'i'
	keyTold       = 'j'
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
		e.value = append(append(e.value[:0], bit(s.ruleOf(uint16(i)).links())), g.names[i]...)
		e.put(keyName, uint32(i))
	}
	slices.Sort(u.identifiers)
	for _, id := range u.identifiers {
		e.value = g.appendIdentifier(e.value[:0], id)
		e.put(keyIdentifier, id)
	}
	for _, f := range u.prints {
		e.value = binary.LittleEndian.AppendUint64(e.value[:0], f.print.Hash)
		e.value = binary.LittleEndian.AppendUint32(e.value, f.print.Check)
		e.put(keyPrint, f.id)
	}
	for p := u.founded; int(p) < g.profiles.Len(); p++ {
		s.changeProfile(p)
	}
	slices.Sort(u.profiles)
	for _, p := range u.profiles {
		e.value = appendProfile(e.value[:0], g.profiles.At(p))
		e.put(keyProfile, p)
	}
	slices.Sort(u.links)
	for _, i := range u.links {
		e.value = appendLink(e.value[:0], g.links.At(i))
		e.put(keyLink, i)
	}
	for l := u.leaves; int(l) < g.leaves.Len(); l++ {
		e.value = appendLeaf(e.value[:0], g.leaves.At(l))
		e.put(keyLeaf, l)
	}
	slices.Sort(u.claims)
	for _, id := range u.claims {
		e.value = g.appendClaims(e.value[:0], id)
		e.put(keyClaims, id)
	}
	for n := u.renewals; int(n) < g.renewals.Len(); n++ {
		e.value = appendRenewal(e.value[:0], g.renewals.At(n))
		e.put(keyRenewal, n)
	}
	e.key, e.value = append(e.key[:0], keyPosition), binary.LittleEndian.AppendUint64(e.value[:0], g.position)
	e.putKey()
	slices.Sort(u.told)
	for _, key := range u.told {
		e.value = appendTold(e.value[:0], g.told.Ref(key))
		e.key = append(binary.BigEndian.AppendUint32(append(e.key[:0], keyTold), uint32(key>>8)), byte(key))
		e.putKey()
	}
	if e.err != nil {
		return fmt.Errorf("save identity graph: %w", e.err)
	}
	s.saved()
	return nil
}

func (g *graph) appendIdentifier(v []byte, id uint32) []byte {
	n, r := g.nodes.At(id), g.rows.At(id)
	v = append(v, r.hash[:]...)
	v = binary.LittleEndian.AppendUint16(v, n.namespace)
	v = binary.LittleEndian.AppendUint16(v, uint16(n.flags&storedFlags))
	for _, x := range [...]uint32{n.parent, n.leaf, r.generation} {
		v = binary.LittleEndian.AppendUint32(v, x)
	}
	for _, t := range [...]schemas.Time{r.first, r.last, r.born} {
		v = binary.LittleEndian.AppendUint64(v, uint64(t))
	}
	v = append(v, r.users, r.mails)
	return g.appendDisplay(v, r)
}

func appendProfile(v []byte, p *profile) []byte {
	v = append(v, p.id[:]...)
	v = binary.LittleEndian.AppendUint32(v, p.founder)
	v = binary.LittleEndian.AppendUint64(v, uint64(p.changed))
	return append(v, bit(p.alone))
}

func bit(b bool) byte {
	if b {
		return 1
	}
	return 0
}

func appendLink(v []byte, l *link) []byte {
	v = binary.LittleEndian.AppendUint32(v, l.a)
	v = binary.LittleEndian.AppendUint32(v, l.b)
	v = binary.LittleEndian.AppendUint64(v, uint64(l.time))
	v = binary.LittleEndian.AppendUint32(v, uint32(l.day))
	return append(v, byte(l.state), byte(l.flags&storedLinkFlags))
}

func appendTold(v []byte, t *told) []byte {
	return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint32(v, t.print), uint64(t.time()))
}

func appendRenewal(v []byte, r *renewal) []byte {
	v = binary.LittleEndian.AppendUint64(v, uint64(r.time))
	v = binary.LittleEndian.AppendUint32(v, r.link)
	return binary.LittleEndian.AppendUint32(v, r.order)
}

func appendLeaf(v []byte, l *leaf) []byte {
	anchor := uint32(0) // follows from the links
	if l.link == aloneLink {
		anchor = l.anchor
	}
	for _, x := range [...]uint32{l.identifier, l.link, l.pred, anchor} {
		v = binary.LittleEndian.AppendUint32(v, x)
	}
	return v
}

// appendClaims encodes the claims on an identifier, oldest first.
func (g *graph) appendClaims(v []byte, id uint32) []byte {
	claims := make([]claim, 0, claimsMax)
	for c := g.rows.At(id).claims; c != 0; c = g.claims.At(c).next {
		claims = append(claims, *g.claims.At(c))
	}
	for _, c := range slices.Backward(claims) {
		v = binary.LittleEndian.AppendUint64(v, uint64(c.since))
		v = binary.LittleEndian.AppendUint32(v, c.link)
		v = binary.LittleEndian.AppendUint32(v, c.leaf)
	}
	return v
}

var (
	errRules = fmt.Errorf("%w: identity.rules have changed what may link at all", schemas.ErrFatal)
	errEntry = errors.New("an entry of the stitch state has the wrong form")
	errUsed  = errors.New("stitch state is loaded into a stage that has state")
)
