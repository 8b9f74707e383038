package stitch

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"unsafe"

	"github.com/dchest/siphash"

	"github.com/seamline/seamline/pipeline/slab"
	"github.com/seamline/seamline/schemas"
)

// node is what nearly every event reads of an identifier. It is small, so that many fit where reading is fast.
type node struct {
	parent    uint32 // towards the root of the group, which is its oldest identifier; never younger than the node
	next      uint32 // circular list of the group's identifiers
	link      uint32 // newest of its links; 0 for none
	leaf      uint32 // before any claim; the others hang on it. Of a kiosk: its newest session; of evidence: the leaf it was first seen with
	namespace uint16 // index into graph.names
	flags     nodeFlags
}

type nodeFlags uint16

const (
	isBlocked     nodeFlags = 1 << iota // a placeholder
	isKiosk                             // used by strangers in turn
	isQuarantined                       // its links do not carry
	isExempt                            // released by command: nothing is learned about it
	isErased                            // its value names a new identifier from the next event on
	isLender                            // a shared identifier was lent to its group through it
	isCrowded                           // its links stand in graph.pairs
	isFounder                           // it has a profile
	hasSums                             // its group's values stand in graph.sums
	inBatch                             // stands in the list of this name, as do the next
	inUnsaved
	inUnsavedClaims
	inRegion // while a region is folded
	isTold   // its own contact data is in the table contacts

	storedFlags = isBlocked | isKiosk | isQuarantined | isExempt | isErased | isTold
)

func (n *node) is(f nodeFlags) bool { return n.flags&f != 0 }

// row is what is read less often of an identifier.
type row struct {
	hash       [16]byte // first bytes of HMAC-SHA-256 under the installation's key
	first      schemas.Time
	last       schemas.Time
	born       schemas.Time // event time of the first event that came
	text       uint32       // where the display text begins
	claims     uint32       // the newest by event time; 0 for none
	profile    uint32       // that it founded; 0 for none
	generation uint32       // of the value: erasures, and of a kiosk sessions, count on
	links      uint32       // how many there are
	textBytes  uint16
	claimCount uint16
	users      uint8 // distinct user_ids that it was seen with, ever; stays at the most
	mails      uint8 // the same for e-mails
}

// leaf is a piece of an identifier's history that never divides: what it did before any claim, or between two of them.
type leaf struct {
	identifier uint32
	link       uint32 // of the claim that it came with; 0 for before any claim; aloneLink for a kiosk's session
	pred       uint32 // the leaf that its events would belong to without the claim
	anchor     uint32 // the identifier whose group it belongs to; of a kiosk's session, the profile
	next       uint32 // circular list of the profile's leaves
	sibling    uint32 // list of the identifier's leaves
}

// aloneLink stands in a leaf that is a profile of its own for ever.
const aloneLink = ^uint32(0)

// profile is a group's name.
type profile struct {
	id      schemas.ProfileID
	changed schemas.Time                                  // event time of the merge into another, or of its taking back
	founder uint32                                        // the identifier that it derives from
	leaves  uint32                                        // any of its leaves; 0 for none
	held    [heldCount]uint32                             // identifiers that it has, by namespace where there is a column for it, and all
	alone   bool                                          // a kiosk's session
	in      struct{ batch, alias, unsaved, changed bool } // each tells that the profile stands in the list of this name
}

// claim is a change of hands: from since on, by event time, an identifier's events belong to the other end of the link.
// Of a kiosk it is a session, which has no link.
type claim struct {
	since schemas.Time
	link  uint32
	leaf  uint32 // 0 while no event needed it
	next  uint32 // the one before, by event time
}

// text is a piece of a display text. A text lies in as many pieces as it needs, one after the other.
type text [8]byte

// graph is the identity graph. Index 0 of each slab is unused, so that 0 means none.
type graph struct {
	hash      hash.Hash // HMAC-SHA-256 under the installation's key
	sum       []byte
	k0, k1    uint64
	names     []string // namespaces by index
	nameIndex map[string]uint16
	index     *slab.Index // identifiers by print
	nodes     *slab.Slab[node]
	rows      *slab.Slab[row] // in step with nodes
	leaves    *slab.Slab[leaf]
	profiles  *slab.Slab[profile]
	links     *slab.Slab[link]
	renewals  *slab.Slab[renewal]
	pairs     *slab.Table[uint64, uint32] // links of crowded identifiers by pair
	sums      *slab.Table[uint64, sums]   // of large groups, by root
	claims    *slab.Slab[claim]
	freeClaim uint32 // list of claims to use again
	texts     *slab.Slab[text]
	told      *slab.Table[uint64, told] // contact data by identifier and kind
	position  uint64                    // of the last decision
	alive     int                       // profiles that are not merged away
	kept      int                       // links that are not void
}

func newGraph(key []byte, space *slab.Space) *graph {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("fingerprint"))
	sum := mac.Sum(nil)
	g := &graph{
		hash: mac, sum: sum, k0: binary.LittleEndian.Uint64(sum), k1: binary.LittleEndian.Uint64(sum[8:]), nameIndex: map[string]uint16{},
		index: slab.NewIndex(space),
		nodes: slab.NewSlab[node](space), rows: slab.NewSlab[row](space), leaves: slab.NewSlab[leaf](space),
		profiles: slab.NewSlab[profile](space), links: slab.NewSlab[link](space), renewals: slab.NewSlab[renewal](space), pairs: slab.NewTable[uint64, uint32](space, slab.Hash64),
		sums: slab.NewTable[uint64, sums](space, slab.Hash64), claims: slab.NewSlab[claim](space), texts: slab.NewSlab[text](space),
		told: slab.NewTable[uint64, told](space, slab.Hash64),
	}
	g.nodes.Extend(1)
	g.rows.Extend(1)
	g.leaves.Extend(1)
	g.profiles.Extend(1)
	g.links.Extend(1)
	g.renewals.Extend(1)
	g.claims.Extend(1)
	return g
}

// printKey is what the values of one namespace are hashed with.
type printKey struct{ k0, k1 uint64 }

// printKeyOf derives the key of a namespace from the installation's, so that nobody can choose values that collide.
func (g *graph) printKeyOf(namespace string) printKey {
	k0, k1 := siphash.Hash128(g.k0, g.k1, []byte(namespace))
	return printKey{k0, k1}
}

// print gives the print of a value.
func (k printKey) print(value string) slab.Print {
	hi, lo := siphash.Hash128(k.k0, k.k1, unsafe.Slice(unsafe.StringData(value), len(value)))
	return slab.Print{Hash: hi, Check: uint32(lo)}
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
func (g *graph) addIdentifier(f *form, at schemas.Time, generation uint32) uint32 {
	id := uint32(g.nodes.Len())
	g.nodes.Append(node{parent: id, next: id, namespace: g.namespaceIndex(f.ns.Name)})
	r := row{hash: g.mac(f.value), first: at, last: at, born: at, generation: generation}
	setDisplay(g, &r, display(f.ns, f.value))
	g.rows.Append(r)
	g.index.Put(f.print, id)
	return id
}

// setDisplay keeps the display text of an identifier that has none.
func setDisplay[S string | []byte](g *graph, r *row, display S) {
	r.text, r.textBytes = uint32(g.texts.Len()), uint16(len(display))
	for len(display) > 0 {
		var piece text
		display = display[copy(piece[:], display):]
		g.texts.Append(piece)
	}
}

// appendDisplay appends the display text of an identifier.
func (g *graph) appendDisplay(to []byte, r *row) []byte {
	for at, left := r.text, int(r.textBytes); left > 0; at, left = at+1, left-len(text{}) {
		piece := g.texts.At(at)
		to = append(to, piece[:min(left, len(piece))]...)
	}
	return to
}

// root finds the oldest identifier of a group, halving the path on the way.
func (g *graph) root(id uint32) uint32 {
	for {
		at := g.nodes.At(id)
		if at.parent == id {
			return id
		}
		// Written only where it changes something, so that a page which is only read stays as it is on the disk.
		if up := g.nodes.At(at.parent).parent; up != at.parent {
			at.parent = up
		}
		id = at.parent
	}
}

// profileOf gives the profile of an identifier's group, and makes it where the group has none yet.
func (g *graph) profileOf(id uint32) uint32 {
	root := g.root(id)
	if p := g.rows.At(root).profile; p != 0 {
		return p
	}
	return g.found(root)
}

// found makes the profile of an identifier.
func (g *graph) found(id uint32) uint32 {
	r := g.rows.At(id)
	r.profile = g.addProfile(id)
	g.nodes.At(id).flags |= isFounder
	return r.profile
}

// addProfile makes a profile, whose id derives from an identifier and its generation, so that a replay gives the same.
func (g *graph) addProfile(founder uint32) uint32 {
	r := g.rows.At(founder)
	var generation [4]byte
	binary.BigEndian.PutUint32(generation[:], r.generation)
	id := schemas.ProfileID(g.mac("profile", g.names[g.nodes.At(founder).namespace], string(r.hash[:]), string(generation[:])))
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80 // UUID version 8: custom
	g.alive++
	return g.profiles.Append(profile{id: id, founder: founder})
}

// living gives the profile that a profile resolves to: itself, or what it is united with.
func (g *graph) living(p uint32) uint32 {
	at := g.profiles.At(p)
	if at.alone {
		return p
	}
	return g.profileOf(at.founder)
}

// unite makes two groups one, and gives the root that is no longer one.
func (g *graph) unite(a, b uint32) (survivor, loser uint32) {
	survivor, loser = min(a, b), max(a, b)
	top, low := g.nodes.At(survivor), g.nodes.At(loser)
	if (top.flags|low.flags)&hasSums != 0 {
		g.addSums(survivor, loser)
	}
	low.parent = survivor
	top.next, low.next = low.next, top.next
	if low.is(isFounder) {
		g.endow(survivor, g.profiles.At(g.rows.At(loser).profile))
	}
	return survivor, loser
}

// endow gives what a profile has to the group that it became part of.
func (g *graph) endow(root uint32, gone *profile) {
	if gone.leaves == 0 && gone.held == [heldCount]uint32{} {
		return
	}
	into := g.profiles.At(g.profileOf(root))
	if gone.leaves != 0 {
		g.joinRings(into, gone.leaves)
		gone.leaves = 0
	}
	for i := range gone.held {
		into.held[i] += gone.held[i]
		gone.held[i] = 0
	}
}

// eachMember calls f for every identifier of a group, in no certain order: it depends on restarts.
func (g *graph) eachMember(id uint32, f func(id uint32)) {
	for at := id; ; {
		next := g.nodes.At(at).next
		f(at)
		if at = next; at == id {
			return
		}
	}
}

func pair(a, b uint32) uint64 { return uint64(min(a, b))<<32 | uint64(max(a, b)) }
