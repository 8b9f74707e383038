package stitch

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"github.com/dchest/siphash"

	"github.com/seamline/seamline/schemas"
)

// fingerprint names a namespace and a normalised value.
type fingerprint [2]uint64

// identifier is one value of one namespace. It holds no pointer.
type identifier struct {
	print     fingerprint
	hash      [16]byte // first bytes of HMAC-SHA-256 under the installation's key
	text      uint64   // offset of the display text in the arena
	textBytes uint16
	namespace uint16 // index into graph.names
	leaf      uint32 // the leaf that its events belong to now; 0 for none
	leaves    uint32 // leaves made for it so far
	first     schemas.Time
	last      schemas.Time
	blocked   bool
	kiosk     bool
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
	root   uint32 // any leaf of the component; 0 once merged away
	into   uint32 // the profile that it was merged into; 0 while it lives
	since  schemas.Time
	merged schemas.Time // event time of the merge into another
	// aliases is the head of a list of profiles merged into this one, through nextAlias.
	aliases, lastAlias, nextAlias uint32
}

// move is a change of hands: from since on, by event time, the identifier's events belong to leaf.
type move struct {
	since schemas.Time
	leaf  uint32
}

// linkKind is what was decided about a pair of identifiers, so that a known pair is not decided and logged again.
type linkKind uint8

const (
	linkMade linkKind = iota + 1
	linkRefused
)

// movesMax bounds the changes of hands that are kept per identifier; older ones are folded into the oldest kept.
const movesMax = 256

// graph is the identity graph. Index 0 of each slab is unused, so that 0 means none.
type graph struct {
	key         []byte
	k0, k1      uint64
	names       []string // namespaces by index
	nameIndex   map[string]uint16
	index       map[fingerprint]uint32
	identifiers []identifier
	leaves      []leaf
	profiles    []profile
	links       map[uint64]linkKind
	moves       map[uint32][]move
	texts       []byte
	position    uint64 // of the last decision
	alive       int    // profiles that are not merged away
}

func newGraph(key []byte) *graph {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("fingerprint"))
	sum := mac.Sum(nil)
	return &graph{
		key: key, k0: binary.LittleEndian.Uint64(sum), k1: binary.LittleEndian.Uint64(sum[8:]),
		nameIndex: map[string]uint16{}, index: map[fingerprint]uint32{}, links: map[uint64]linkKind{}, moves: map[uint32][]move{},
		identifiers: make([]identifier, 1), leaves: make([]leaf, 1), profiles: make([]profile, 1),
	}
}

// print fingerprints a value with a keyed hash, so that nobody can choose values that collide.
func (g *graph) print(scratch []byte, namespace, value string) (fingerprint, []byte) {
	scratch = append(append(append(scratch[:0], namespace...), 0), value...)
	hi, lo := siphash.Hash128(g.k0, g.k1, scratch)
	return fingerprint{hi, lo}, scratch
}

func (g *graph) mac(parts ...string) (sum [16]byte) {
	mac := hmac.New(sha256.New, g.key)
	for i, p := range parts {
		if i > 0 {
			mac.Write([]byte{0})
		}
		mac.Write([]byte(p))
	}
	copy(sum[:], mac.Sum(nil))
	return sum
}

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
	text := display(ns, value)
	id := uint32(len(g.identifiers))
	g.identifiers = append(g.identifiers, identifier{
		print: print, hash: g.mac(value), namespace: g.namespaceIndex(ns.Name), first: at, last: at,
		text: uint64(len(g.texts)), textBytes: uint16(len(text)),
	})
	g.texts = append(g.texts, text...)
	g.index[print] = id
	return id
}

func (g *graph) display(i *identifier) string {
	return string(g.texts[i.text : i.text+uint64(i.textBytes)])
}

// addLeaf gives an identifier a leaf that no component holds yet.
func (g *graph) addLeaf(id uint32) uint32 {
	l := uint32(len(g.leaves))
	g.leaves = append(g.leaves, leaf{identifier: id, parent: l, next: l})
	g.identifiers[id].leaf = l
	g.identifiers[id].leaves++
	return l
}

// found makes a profile of a single leaf. Its id is derived from the leaf's identifier and number among the identifier's leaves,
// so that a replay gives the same.
func (g *graph) found(l uint32, at schemas.Time) uint32 {
	i := &g.identifiers[g.leaves[l].identifier]
	var generation [4]byte
	binary.BigEndian.PutUint32(generation[:], i.leaves)
	id := schemas.ProfileID(g.mac("profile", g.names[i.namespace], string(i.hash[:]), string(generation[:])))
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80 // UUID version 8: custom
	p := uint32(len(g.profiles))
	g.profiles = append(g.profiles, profile{id: id, root: l, since: at})
	g.leaves[l].profile = p
	g.alive++
	return p
}

// root finds a leaf's root, halving the path on the way.
func (g *graph) root(l uint32) uint32 {
	for g.leaves[l].parent != l {
		g.leaves[l].parent = g.leaves[g.leaves[l].parent].parent
		l = g.leaves[l].parent
	}
	return l
}

// profileOf gives the profile that a leaf belongs to.
func (g *graph) profileOf(l uint32) uint32 { return g.leaves[g.root(l)].profile }

// join puts a leaf that no component holds into a profile's component.
func (g *graph) join(l, p uint32) {
	root := g.root(g.profiles[p].root)
	g.leaves[l].parent = root
	g.leaves[l].next, g.leaves[root].next = g.leaves[root].next, l
}

// merge unites two profiles; the older one survives. It gives survivor and loser.
func (g *graph) merge(a, b uint32) (survivor, loser uint32) {
	survivor, loser = min(a, b), max(a, b)
	ra, rb := g.root(g.profiles[survivor].root), g.root(g.profiles[loser].root)
	// Rem-style linking by index keeps paths short enough here, and gives the same forest in every run.
	root, child := min(ra, rb), max(ra, rb)
	g.leaves[child].parent = root
	g.leaves[ra].next, g.leaves[rb].next = g.leaves[rb].next, g.leaves[ra].next
	g.leaves[root].profile = survivor
	g.profiles[survivor].root = root
	g.adopt(survivor, loser)
	g.alive--
	return survivor, loser
}

// adopt makes the loser, and what was merged into it before, aliases of the survivor.
func (g *graph) adopt(survivor, loser uint32) {
	l := &g.profiles[loser]
	l.into, l.root = survivor, 0
	l.nextAlias = l.aliases
	last := l.lastAlias
	if last == 0 {
		last = loser
	}
	l.aliases, l.lastAlias = 0, 0
	s := &g.profiles[survivor]
	if s.lastAlias == 0 {
		s.aliases = loser
	} else {
		g.profiles[s.lastAlias].nextAlias = loser
	}
	s.lastAlias = last
}

// eachAlias calls f for a merged profile and for all that was merged into it before.
func (g *graph) eachAlias(loser uint32, f func(p uint32)) {
	end := g.profiles[g.profiles[loser].into].lastAlias
	for p := loser; ; p = g.profiles[p].nextAlias {
		f(p)
		if p == end {
			return
		}
	}
}

// living follows merges to the profile that lives.
func (g *graph) living(p uint32) uint32 {
	for g.profiles[p].into != 0 {
		p = g.profiles[p].into
	}
	return p
}

// appendLeaves appends the leaves of a profile in no certain order.
func (g *graph) appendLeaves(leaves []uint32, p uint32) []uint32 {
	start := g.profiles[p].root
	if start == 0 {
		return leaves
	}
	for l := start; ; {
		leaves = append(leaves, l)
		if l = g.leaves[l].next; l == start {
			return leaves
		}
	}
}

// eachLeaf calls f for every leaf of a profile, in no certain order.
func (g *graph) eachLeaf(p uint32, f func(l uint32)) {
	start := g.profiles[p].root
	if start == 0 {
		return
	}
	for l := start; ; {
		next := g.leaves[l].next
		f(l)
		if l = next; l == start {
			return
		}
	}
}

// leafAt gives the leaf that an identifier's events at a time belong to.
func (g *graph) leafAt(id uint32, at schemas.Time) uint32 {
	moves := g.moves[id]
	for i := len(moves) - 1; i >= 0; i-- {
		if moves[i].since <= at || i == 0 {
			return moves[i].leaf
		}
	}
	return g.identifiers[id].leaf
}

// moveTo records that from since on an identifier's events belong to leaf l. Late moves sort in by event time.
func (g *graph) moveTo(id, l uint32, since schemas.Time) {
	moves := g.moves[id]
	if len(moves) == 0 {
		moves = append(moves, move{leaf: g.identifiers[id].leaf})
	}
	at := len(moves)
	for at > 1 && moves[at-1].since > since {
		at--
	}
	if moves[at-1].since == since {
		moves[at-1].leaf = l
	} else {
		moves = slices.Insert(moves, at, move{since: since, leaf: l})
	}
	if len(moves) > movesMax {
		moves = append(moves[:1], moves[2:]...)
	}
	g.moves[id] = moves
	g.identifiers[id].leaf = moves[len(moves)-1].leaf
}

func pair(a, b uint32) uint64 { return uint64(min(a, b))<<32 | uint64(max(a, b)) }
