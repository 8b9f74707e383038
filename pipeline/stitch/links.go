package stitch

import "github.com/seamline/seamline/schemas"

// link is a pair of identifiers that were on one event, one of them its head. The order of links is that of their first evidence, so that
// the graph is the fold of the links in force in the order of their index.
type link struct {
	a, b         uint32 // the head of the first evidence, and the other
	renewal      uint32 // the newest; 0 for none
	nextA, nextB uint32 // lists of the links of a and of b, newest first
	time         schemas.Time
	day          int32 // the newest day on which the pair was seen
	state        linkState
	flags        linkFlags
}

// renewal is later evidence of a link, with a place of its own in the order: a link that a window refused is decided again.
type renewal struct {
	time  schemas.Time
	link  uint32
	order uint32 // it comes behind all links with an index up to this one
	next  uint32 // the one before
}

// linkState is what was decided about a link.
type linkState uint8

const (
	linkNone    linkState = iota // it is not in force
	linkLinked                   // its ends were in one group already
	linkUnited                   // it united their groups
	linkRefused                  // a limit keeps them apart
	linkLent                     // a limit keeps them apart, and b follows the records of a
	linkStates
)

type linkFlags uint8

const (
	linkRetracted linkFlags = 1 << iota // by command, until the pair is seen again
	linkForbidden                       // by command, for ever
	linkNewA                            // its first evidence is the first event of a
	linkNewB                            // the same of b
	linkSeenOnly                        // none of the two was the event's head: counts for fan-out only
	linkVoid                            // was seen only, and is a link with an index of its own now
	linkWindowed                        // an end has a window, after which the link is renewed
	linkInUnsaved                       // stands in the list of this name

	storedLinkFlags = linkInUnsaved - 1
)

// other gives the end of a link that is not id.
func (l *link) other(id uint32) uint32 { return l.a ^ l.b ^ id }

// has tells whether an identifier is one of the ends.
func (l *link) has(id uint32) bool { return l.a == id || l.b == id }

// next gives the link behind this one in the list of id.
func (l *link) next(id uint32) uint32 {
	if l.a == id {
		return l.nextA
	}
	return l.nextB
}

// carries tells whether the events of an identifier that the other end claimed belong to that end.
func (l *link) carries(claimed uint32) bool {
	return l.state == linkLinked || l.state == linkUnited || l.state == linkLent && l.b == claimed
}

// crowdMin is how many links an identifier has before they are found through a table.
const crowdMin = 16

// linkBetween gives the link of two identifiers; 0 where there is none.
func (g *graph) linkBetween(a, b uint32) uint32 {
	if g.rows.At(b).links > g.rows.At(a).links {
		a, b = b, a
	}
	if g.nodes.At(b).is(isCrowded) { // and so is a
		l, _ := g.pairs.Get(pair(a, b))
		return l
	}
	for l := g.nodes.At(b).link; l != 0; {
		at := g.links.At(l)
		if at.other(b) == a && at.flags&linkVoid == 0 {
			return l
		}
		l = at.next(b)
	}
	return 0
}

// addLink appends a link to the lists of its ends.
func (g *graph) addLink(l link) uint32 {
	a, b := g.nodes.At(l.a), g.nodes.At(l.b)
	l.nextA, l.nextB = a.link, b.link
	i := g.links.Append(l)
	a.link, b.link = i, i
	g.crowd(l.a)
	g.crowd(l.b)
	if a.is(isCrowded) || b.is(isCrowded) {
		g.pairs.Put(pair(l.a, l.b), i)
	}
	g.kept++
	return i
}

// crowd counts one more link of an identifier, and puts all of them into the table when they have become many.
func (g *graph) crowd(id uint32) {
	r := g.rows.At(id)
	r.links++
	if r.links != crowdMin {
		return
	}
	g.nodes.At(id).flags |= isCrowded
	g.eachLink(id, func(i uint32, l *link) {
		if l.flags&linkVoid == 0 {
			g.pairs.Put(pair(l.a, l.b), i)
		}
	})
}

// eachLink calls f for every link of an identifier, newest first, those that are void or only seen as well.
func (g *graph) eachLink(id uint32, f func(i uint32, l *link)) {
	for i := g.nodes.At(id).link; i != 0; {
		l := g.links.At(i)
		next := l.next(id)
		f(i, l)
		i = next
	}
}

// inForce tells whether a link takes part in the fold.
func (g *graph) inForce(l *link) bool {
	const gone = linkRetracted | linkForbidden | linkSeenOnly | linkVoid
	return l.flags&gone == 0 && (g.nodes.At(l.a).flags|g.nodes.At(l.b).flags)&(isQuarantined|isErased) == 0
}

// dayOf gives the number of a time's day in UTC.
func dayOf(t schemas.Time) int32 { return int32(t.Whole(schemas.Day)) }
