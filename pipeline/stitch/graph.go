package stitch

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"hash"

	"github.com/dchest/siphash"

	"github.com/seamline/seamline/pipeline/slab"
	"github.com/seamline/seamline/schemas"
)

// fingerprint names a namespace and a normalised value.
type fingerprint [2]uint64

// identifier is one value of one namespace.
type identifier struct {
	print     fingerprint
	hash      [16]byte // first bytes of HMAC-SHA-256 under the installation's key
	first     schemas.Time
	last      schemas.Time
	text      uint32 // where the display text begins
	leaf      uint32 // the leaf that its events belong to now; 0 for none
	leaves    uint32 // leaves made for it so far
	moves     uint32 // the newest change of hands; 0 for none
	moveCount uint16
	textBytes uint16
	namespace uint16 // index into graph.names
	blocked   bool
	kiosk     bool
	// Each tells that the identifier stands in the list of this name.
	inBatch, inUnsaved, inUnsavedMoves bool
}

// leaf is a piece of history that never divides: an identifier, or the part of it between two changes of hands.
type leaf struct {
	identifier uint32
	parent     uint32 // union-find over leaves
	next       uint32 // circular list of the component's leaves
	profile    uint32 // valid at the root of a component
}

// profile is a component's name. Index order is the order of creation, so the lower of two is the older.
type profile struct {
	id     schemas.ProfileID
	since  schemas.Time
	merged schemas.Time // event time of the merge into another
	root   uint32       // any leaf of the component; 0 once merged away
	into   uint32       // the profile that it was merged into; 0 while it lives
	// aliases is the head of a list of profiles merged into this one, through nextAlias.
	aliases, lastAlias, nextAlias uint32
	// Each tells that the profile stands in the list of this name.
	inBatch, inAliases, inUnsaved bool
}

// move is a change of hands: from since on, by event time, the identifier's events belong to leaf. The oldest of an identifier holds
// for all time before, too.
type move struct {
	since schemas.Time
	leaf  uint32
	next  uint32 // the one before, by event time
}

// text is a piece of a display text. A text lies in as many pieces as it needs, one after the other.
type text [8]byte

// linkKind is what was decided about a pair of identifiers, so that a known pair is not decided and logged again.
type linkKind uint8

const (
	linkMade linkKind = iota + 1
	linkRefused
)

// link is what is known about a pair of identifiers.
type link struct {
	kind      linkKind
	inUnsaved bool // the pair stands in the list of this name
}

// graph is the identity graph. Index 0 of each slab is unused, so that 0 means none.
type graph struct {
	hash        hash.Hash // HMAC-SHA-256 under the installation's key
	sum         []byte
	k0, k1      uint64
	names       []string // namespaces by index
	nameIndex   map[string]uint16
	index       *slab.Table[fingerprint, uint32]
	identifiers *slab.Slab[identifier]
	leaves      *slab.Slab[leaf]
	profiles    *slab.Slab[profile]
	links       *slab.Table[uint64, link]
	moves       *slab.Slab[move]
	freeMoves   uint32 // list of moves to use again
	texts       *slab.Slab[text]
	position    uint64 // of the last decision
	alive       int    // profiles that are not merged away
}

func newGraph(key []byte, space *slab.Space) *graph {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("fingerprint"))
	sum := mac.Sum(nil)
	g := &graph{
		hash: mac, sum: sum, k0: binary.LittleEndian.Uint64(sum), k1: binary.LittleEndian.Uint64(sum[8:]), nameIndex: map[string]uint16{},
		// A fingerprint is a keyed hash already.
		index:       slab.NewTable[fingerprint, uint32](space, func(f fingerprint) uint64 { return f[0] }),
		links:       slab.NewTable[uint64, link](space, slab.Hash64),
		identifiers: slab.NewSlab[identifier](space), leaves: slab.NewSlab[leaf](space), profiles: slab.NewSlab[profile](space),
		moves: slab.NewSlab[move](space), texts: slab.NewSlab[text](space),
	}
	g.identifiers.Extend(1)
	g.leaves.Extend(1)
	g.profiles.Extend(1)
	g.moves.Extend(1)
	return g
}

// print fingerprints a value with a keyed hash, so that nobody can choose values that collide.
func (g *graph) print(scratch []byte, namespace, value string) (fingerprint, []byte) {
	scratch = append(append(append(scratch[:0], namespace...), 0), value...)
	hi, lo := siphash.Hash128(g.k0, g.k1, scratch)
	return fingerprint{hi, lo}, scratch
}

// mac gives the first bytes of the HMAC of parts, which a zero byte separates.
func (g *graph) mac(parts ...string) (sum [16]byte) {
	g.hash.Reset()
	for i, p := range parts {
		g.sum = g.sum[:0]
		if i > 0 {
			g.sum = append(g.sum, 0)
		}
		g.sum = append(g.sum, p...)
		g.hash.Write(g.sum)
	}
	g.sum = g.hash.Sum(g.sum[:0])
	copy(sum[:], g.sum)
	return sum
}

// namespacesMax bounds the namespaces: producers may invent names, and each takes memory for ever.
const namespacesMax = 1 << 12

func (g *graph) namespaceIndex(name string) uint16 {
	if i, ok := g.nameIndex[name]; ok {
		return i
	}
	i := uint16(len(g.names))
	name = string([]byte(name)) // events alias their record's bytes
	g.names = append(g.names, name)
	g.nameIndex[name] = i
	return i
}

// addIdentifier gives a new value its dense id.
func (g *graph) addIdentifier(ns *Namespace, value string, print fingerprint, at schemas.Time) uint32 {
	i := identifier{print: print, hash: g.mac(value), namespace: g.namespaceIndex(ns.Name), first: at, last: at}
	setDisplay(g, &i, display(ns, value))
	id := g.identifiers.Append(i)
	g.index.Put(print, id)
	return id
}

// setDisplay keeps the display text of an identifier that has none.
func setDisplay[S string | []byte](g *graph, i *identifier, display S) {
	i.text, i.textBytes = uint32(g.texts.Len()), uint16(len(display))
	for len(display) > 0 {
		var piece text
		display = display[copy(piece[:], display):]
		g.texts.Append(piece)
	}
}

// appendDisplay appends the display text of an identifier.
func (g *graph) appendDisplay(to []byte, i *identifier) []byte {
	for at, left := i.text, int(i.textBytes); left > 0; at, left = at+1, left-len(text{}) {
		piece := g.texts.At(at)
		to = append(to, piece[:min(left, len(piece))]...)
	}
	return to
}

// addLeaf gives an identifier a leaf that no component holds yet.
func (g *graph) addLeaf(id uint32) uint32 {
	l := uint32(g.leaves.Len())
	g.leaves.Append(leaf{identifier: id, parent: l, next: l})
	i := g.identifiers.At(id)
	i.leaf = l
	i.leaves++
	return l
}

// found makes a profile of a single leaf. Its id is derived from the leaf's identifier and number among the identifier's leaves,
// so that a replay gives the same.
func (g *graph) found(l uint32, at schemas.Time) uint32 {
	first := g.leaves.At(l)
	i := g.identifiers.At(first.identifier)
	var generation [4]byte
	binary.BigEndian.PutUint32(generation[:], i.leaves)
	id := schemas.ProfileID(g.mac("profile", g.names[i.namespace], string(i.hash[:]), string(generation[:])))
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80 // UUID version 8: custom
	p := g.profiles.Append(profile{id: id, root: l, since: at})
	first.profile = p
	g.alive++
	return p
}

// root finds a leaf's root, halving the path on the way.
func (g *graph) root(l uint32) uint32 {
	for {
		at := g.leaves.At(l)
		if at.parent == l {
			return l
		}
		// Written only where it changes something, so that a page which is only read stays as it is on the disk.
		if up := g.leaves.At(at.parent).parent; up != at.parent {
			at.parent = up
		}
		l = at.parent
	}
}

// profileOf gives the profile that a leaf belongs to.
func (g *graph) profileOf(l uint32) uint32 { return g.leaves.At(g.root(l)).profile }

// join puts a leaf that no component holds into a profile's component.
func (g *graph) join(l, p uint32) {
	root := g.root(g.profiles.At(p).root)
	one, top := g.leaves.At(l), g.leaves.At(root)
	one.parent = root
	one.next, top.next = top.next, l
}

// merge unites two profiles; the older one survives. It gives survivor and loser.
func (g *graph) merge(a, b uint32) (survivor, loser uint32) {
	survivor, loser = min(a, b), max(a, b)
	ra, rb := g.root(g.profiles.At(survivor).root), g.root(g.profiles.At(loser).root)
	// Rem-style linking by index keeps paths short enough here.
	root, child := min(ra, rb), max(ra, rb)
	g.leaves.At(child).parent = root
	la, lb := g.leaves.At(ra), g.leaves.At(rb)
	la.next, lb.next = lb.next, la.next
	g.leaves.At(root).profile = survivor
	g.profiles.At(survivor).root = root
	g.adopt(survivor, loser)
	g.alive--
	return survivor, loser
}

// adopt makes the loser, and what was merged into it before, aliases of the survivor.
func (g *graph) adopt(survivor, loser uint32) {
	l := g.profiles.At(loser)
	l.into, l.root = survivor, 0
	l.nextAlias = l.aliases
	last := l.lastAlias
	if last == 0 {
		last = loser
	}
	l.aliases, l.lastAlias = 0, 0
	s := g.profiles.At(survivor)
	if s.lastAlias == 0 {
		s.aliases = loser
	} else {
		g.profiles.At(s.lastAlias).nextAlias = loser
	}
	s.lastAlias = last
}

// eachAlias calls f for a merged profile and for all that was merged into it before, in no certain order.
func (g *graph) eachAlias(loser uint32, f func(p uint32)) {
	end := g.profiles.At(g.profiles.At(loser).into).lastAlias
	for p := loser; ; p = g.profiles.At(p).nextAlias {
		f(p)
		if p == end {
			return
		}
	}
}

// living follows merges to the profile that lives.
func (g *graph) living(p uint32) uint32 {
	for {
		into := g.profiles.At(p).into
		if into == 0 {
			return p
		}
		p = into
	}
}

// appendLeaves appends the leaves of a profile in no certain order.
func (g *graph) appendLeaves(leaves []uint32, p uint32) []uint32 {
	g.eachLeaf(p, func(l uint32) { leaves = append(leaves, l) })
	return leaves
}

// eachLeaf calls f for every leaf of a profile, in no certain order: it depends on restarts.
func (g *graph) eachLeaf(p uint32, f func(l uint32)) {
	start := g.profiles.At(p).root
	if start == 0 {
		return
	}
	for l := start; ; {
		next := g.leaves.At(l).next
		f(l)
		if l = next; l == start {
			return
		}
	}
}

func pair(a, b uint32) uint64 { return uint64(min(a, b))<<32 | uint64(max(a, b)) }
