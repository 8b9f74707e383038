// Package explain finds why two identifiers are one person, or why they are not. Rows of the identity log come in, as the search asks for
// them; a chain of links goes out, of links that hold, or with those marked that would have joined the two and do not.
// It never reads by itself, and decides nothing: it repeats what the log says.
package explain

import (
	"cmp"

	"github.com/seamline/seamline/schemas"
)

// State says whether a link holds, and why not.
type State uint8

// The states of a link.
const (
	Holds       State = iota
	Refused           // a limit would have broken
	Retracted         // taken back by a command, or one of its ends was
	Quarantined       // one of its ends is quarantined
	stateEnd
)

var stateNames = [stateEnd]string{"holds", "refused", "retracted", "quarantined"}

// String gives the name that stands in answers.
func (s State) String() string {
	if s < stateEnd {
		return stateNames[s]
	}
	return ""
}

// MarshalText writes the same form as String.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Step is one link of a chain, in the direction of the chain.
type Step struct {
	From, To uint64
	State    State
	First    schemas.Decision // the link's oldest row: its first evidence
	Now      schemas.Decision // the row that says what holds: of the link, or of the end that is quarantined or retracted
	Lent     bool             // refused, but the shared end follows the other's records
}

// Answer is what a search found.
type Answer struct {
	Together  bool
	Chain     []Step // from a to b; where they are apart, it has links that do not hold; empty without any evidence
	Truncated bool   // the limits ended the search before it was sure
	Seen      int    // identifiers that were looked at
	// The person of each end's group by the newest row that tells, where the whole groups were asked for and looked at; else zero.
	ProfileA, ProfileB schemas.ProfileID
}

// Limits bound a search.
type Limits struct {
	Identifiers int  // that are looked at
	Waves       int  // of questions
	Broken      int  // links that do not hold, in a chain
	Whole       bool // look at the whole groups of both ends, to find whose they are
}

// DefaultLimits are enough for groups of 100,000 identifiers.
func DefaultLimits() Limits { return Limits{Identifiers: 250_000, Waves: 1000, Broken: 4} }

// Search looks for a chain between two identifiers, breadth first from both ends. Its caller reads what it wants:
//
//	for ids := s.Wanted(); len(ids) > 0; ids = s.Wanted() {
//		s.Add(rows(ids))
//	}
//	answer := s.Answer()
type Search struct {
	limits Limits
	a, b   uint64
	nodes  map[uint64]*node
	sides  [2]side
	wave   []uint64 // wanted now
	turn   int      // the side whose turn it is
	waves  int
	loaded int // nodes whose rows are known
	met    *meeting
	isCut  bool
	isOver bool
	beyond bool // links that hold have led nowhere: the search goes across others
}

// node is what is known about an identifier.
type node struct {
	id     uint64
	loaded bool
	// The newest rows about the identifier as a whole; Position 0 for none.
	retracted, quarantined, split schemas.Decision
	links                         []*link
}

// link is what is known about a pair.
type link struct {
	a, b       uint64
	first, now schemas.Decision // now is never a change of hands
	hands      schemas.Decision // the newest change of hands; Position 0 for none
}

func (l *link) other(id uint64) uint64 {
	if l.a == id {
		return l.b
	}
	return l.a
}

// side is the search from one end.
type side struct {
	reached  map[uint64]hop
	frontier []uint64 // to look at next
	looking  []uint64 // the frontier that is being looked at
	planned  map[uint64]bool
	level    int // links that do not hold and that may be on the way
	isDone   bool
}

// hop is how an identifier was reached.
type hop struct {
	link          *link // nil at the end itself
	from          uint64
	broken, depth int
}

// meeting is where the sides meet.
type meeting struct {
	at            uint64
	broken, depth int
}

// New begins a search. The two may be the same: then the answer tells about the group.
func New(a, b uint64, limits Limits) *Search {
	s := &Search{limits: limits, a: a, b: b, nodes: map[uint64]*node{}}
	for i, id := range [2]uint64{a, b} {
		s.sides[i] = side{reached: map[uint64]hop{id: {}}, planned: map[uint64]bool{id: true}}
	}
	s.wave = []uint64{a}
	if b != a {
		s.wave = append(s.wave, b)
	}
	return s
}

// Wanted gives the identifiers whose rows are needed next, in ascending order; none when the search is over.
func (s *Search) Wanted() []uint64 { return s.wave }

// Add takes all rows that name one of the wanted identifiers, in any order. With isCut, there were more than could be read.
func (s *Search) Add(rows []schemas.Decision, isCut bool) {
	s.isCut = s.isCut || isCut
	for _, id := range s.wave {
		s.node(id).loaded = true
	}
	s.loaded += len(s.wave)
	for i := range rows {
		s.learn(rows[i])
	}
	if s.waves == 0 {
		for i := range s.sides {
			s.expand(&s.sides[i], [2]uint64{s.a, s.b}[i])
		}
		if s.a == s.b {
			s.meet(s.a)
		}
	} else {
		s.arrive(&s.sides[s.turn])
	}
	s.waves++
	s.next()
}

func (s *Search) node(id uint64) *node {
	n := s.nodes[id]
	if n == nil {
		n = &node{id: id}
		s.nodes[id] = n
	}
	return n
}

// learn takes a row into what is known.
func (s *Search) learn(d schemas.Decision) {
	switch {
	case d.A == 0:
		return
	case d.B == 0:
		s.node(d.A).learn(d)
		return
	}
	l := s.linkOf(d.A, d.B)
	if d.Kind == schemas.DecisionDemoted {
		if d.Position > l.hands.Position {
			l.hands = d
		}
		return
	}
	if l.first.Position == 0 || d.Position < l.first.Position {
		l.first = d
	}
	if d.Position > l.now.Position {
		l.now = d
	}
}

// learn takes a row about the identifier as a whole.
func (n *node) learn(d schemas.Decision) {
	var newest *schemas.Decision
	switch d.Kind {
	case schemas.DecisionRetracted:
		newest = &n.retracted
	case schemas.DecisionQuarantined:
		newest = &n.quarantined
	case schemas.DecisionSplit:
		newest = &n.split
	default:
		return
	}
	if d.Position > newest.Position {
		*newest = d
	}
}

func (s *Search) linkOf(a, b uint64) *link {
	n, m := s.node(a), s.node(b)
	if len(m.links) < len(n.links) {
		n, m = m, n
	}
	for _, l := range n.links {
		if l.other(n.id) == m.id {
			return l
		}
	}
	l := &link{a: a, b: b}
	n.links, m.links = append(n.links, l), append(m.links, l)
	return l
}

// stateOf says what is known of a link, and the row that says so. A link with an end that is not loaded may turn out not to hold. A link
// that was retracted before one of its ends was quarantined is retracted still, when that ends.
func (s *Search) stateOf(l *link) (State, schemas.Decision) {
	a, b := s.node(l.a), s.node(l.b)
	retracted, quarantined := newer(a.retracted, b.retracted), newer(a.quarantined, b.quarantined)
	switch {
	case retracted.Position > l.now.Position:
		return Retracted, retracted
	case l.now.Position == 0:
		return Refused, l.hands // a change of hands without any link
	case l.now.Kind == schemas.DecisionRetracted:
		return Retracted, l.now
	case quarantined.Position > l.now.Position:
		return Quarantined, quarantined
	case l.now.Kind == schemas.DecisionRefused:
		return Refused, l.now
	}
	return Holds, l.now
}

func newer(d, e schemas.Decision) schemas.Decision {
	if e.Position > d.Position {
		return e
	}
	return d
}

// arrive reaches the identifiers that a side looks at, all of which are loaded, and plans to look at their neighbours. All are one step
// away from what was reached before, so that the first way to one is the shortest.
func (s *Search) arrive(sd *side) {
	hops := make([]hop, len(sd.looking))
	for i, id := range sd.looking {
		hops[i] = s.best(sd, id)
		delete(sd.planned, id)
	}
	for i, id := range sd.looking {
		if hops[i].link != nil {
			sd.reached[id] = hops[i]
			s.meet(id)
		}
	}
	for i, id := range sd.looking {
		if hops[i].link != nil {
			s.expand(sd, id)
		}
	}
	sd.looking = nil
}

// best gives the best way to a loaded identifier; one without a link where none leads there, since the identifier is quarantined or the
// like.
func (s *Search) best(sd *side, id uint64) (best hop) {
	for _, l := range s.node(id).links {
		from, ok := sd.reached[l.other(id)]
		if !ok {
			continue
		}
		h := hop{link: l, from: l.other(id), broken: from.broken, depth: from.depth + 1}
		if state, _ := s.stateOf(l); state != Holds {
			h.broken++
		}
		if h.broken <= sd.level && (best.link == nil || h.before(best)) {
			best = h
		}
	}
	return best
}

// before orders ways: those with fewer links that do not hold, then the shorter, then those with the older link.
func (h hop) before(o hop) bool {
	return cmp.Or(cmp.Compare(h.broken, o.broken), cmp.Compare(h.depth, o.depth), cmp.Compare(h.link.first.Position, o.link.first.Position)) < 0
}

// meet notes that an identifier was reached from both ends.
func (s *Search) meet(id uint64) {
	x, fromA := s.sides[0].reached[id]
	y, fromB := s.sides[1].reached[id]
	if !fromA || !fromB {
		return
	}
	m := meeting{at: id, broken: x.broken + y.broken, depth: x.depth + y.depth}
	if s.met == nil || cmp.Or(cmp.Compare(m.broken, s.met.broken), cmp.Compare(m.depth, s.met.depth), cmp.Compare(m.at, s.met.at)) < 0 {
		s.met = &m
	}
}

// expand plans to look at the neighbours of a reached identifier.
func (s *Search) expand(sd *side, id uint64) {
	for _, l := range s.node(id).links {
		to := l.other(id)
		if _, is := sd.reached[to]; is || sd.planned[to] {
			continue
		}
		if state, _ := s.stateOf(l); state == Holds {
			sd.planned[to] = true
			sd.frontier = append(sd.frontier, to)
		}
	}
}
