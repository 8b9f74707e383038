package stitch

import (
	"cmp"
	"slices"

	"github.com/seamline/seamline/schemas"
)

// region is all that a change of the links in force can reach: it is closed over the links in force, so that what is outside stays as it
// is. Its memory is used again.
type region struct {
	nodes    []uint32 // in order
	before   []nodeStanding
	links    []uint32 // in force after the change, in order
	steps    []step   // those links and their renewals, in order
	outcomes map[uint32]outcome
	standing map[uint32]linkState // what was decided about the links before; linkNone is not kept
	leaves   []uint32
	owners   []uint32 // of the leaves before
	changed  []uint32 // profiles that gained or lost something
	alive    int      // profiles before
}

// nodeStanding is how an identifier stood before the change.
type nodeStanding struct {
	profile uint32 // of its group; 0 for none yet
	holder  uint32 // the identifier that had it
	held    uint32 // the profile of the holder's group
	own     uint32 // the profile that it founded; 0 for none
	changed schemas.Time
}

// step is one step of a fold: a link, or a renewal of one.
type step struct {
	order uint64
	link  uint32
	at    schemas.Time
}

// outcome is what a fold decided about a link.
type outcome struct {
	rule string
	gone uint32 // the profile that became an alias; 0 for none
}

// refold changes which links are in force, folds all groups again that this can reach, and notes what became different. Seeds are the ends of
// every link that comes into force or goes out of it. Why stands before the rule in the rows of the log.
func (s *Stage) refold(why string, seeds []uint32, change func()) {
	s.enclose(seeds)
	s.remember()
	change()
	s.fold()
	s.compare(why)
	for _, id := range s.region.nodes {
		s.g.nodes.At(id).flags &^= inRegion
	}
}

// linkable tells whether an identifier may link at all.
func (s *Stage) linkable(id uint32) bool {
	n := s.g.nodes.At(id)
	return !n.is(isKiosk) && s.ruleOf(n.namespace).links()
}

// enclose finds the region around the seeds.
func (s *Stage) enclose(seeds []uint32) {
	r := &s.region
	r.nodes = r.nodes[:0]
	add := func(id uint32) {
		if n := s.g.nodes.At(id); !n.is(inRegion) && s.linkable(id) {
			n.flags |= inRegion
			r.nodes = append(r.nodes, id)
		}
	}
	for _, id := range seeds {
		add(id)
	}
	for i := 0; i < len(r.nodes); i++ {
		id := r.nodes[i]
		s.g.eachLink(id, func(_ uint32, l *link) {
			if s.g.inForce(l) {
				add(l.other(id))
			}
		})
	}
	slices.Sort(r.nodes)
}

// remember notes how the region is before the change.
func (s *Stage) remember() {
	r := &s.region
	r.before, r.leaves, r.owners, r.alive, r.standing = r.before[:0], r.leaves[:0], r.owners[:0], s.g.alive, map[uint32]linkState{}
	for _, id := range r.nodes {
		b := nodeStanding{profile: s.founded(s.g.root(id)), holder: s.holder(id), own: s.founded(id)}
		b.held = s.founded(s.g.root(b.holder))
		if b.own != 0 {
			b.changed = s.g.profiles.At(b.own).changed
			if b.own == b.profile {
				r.alive--
			}
		}
		r.before = append(r.before, b)
		s.g.eachOwnLeaf(id, func(l uint32) {
			r.leaves = append(r.leaves, l)
			r.owners = append(r.owners, s.g.ownerOf(l))
		})
		s.g.eachLink(id, func(i uint32, l *link) {
			if l.a == id && l.state != linkNone {
				r.standing[i] = l.state
			}
		})
	}
}

// founded gives the profile that an identifier founded; 0 for none.
func (s *Stage) founded(id uint32) uint32 { return s.g.rows.At(id).profile }

// fold takes the region's groups apart and decides about its links once more, in their order.
func (s *Stage) fold() {
	g, r := s.g, &s.region
	r.links = r.links[:0]
	for _, id := range r.nodes {
		n, one := g.nodes.At(id), g.rows.At(id)
		g.dropSums(id)
		n.parent, n.next = id, id
		n.flags &^= isLender
		if one.profile != 0 {
			p := g.profiles.At(one.profile)
			p.leaves, p.held = 0, [heldCount]uint32{}
		}
		s.changeIdentifier(id)
		g.eachLink(id, func(i uint32, l *link) {
			if l.a != id {
				return
			}
			if l.state != linkNone {
				l.state = linkNone
				s.changeLink(i)
			}
			if g.inForce(l) {
				r.links = append(r.links, i)
			}
		})
	}
	slices.Sort(r.links)
	r.steps, r.outcomes = r.steps[:0], map[uint32]outcome{}
	for _, i := range r.links {
		l := g.links.At(i)
		r.steps = append(r.steps, step{order: uint64(i) << 32, link: i, at: l.time})
		for n := l.renewal; n != 0; n = g.renewals.At(n).next {
			again := g.renewals.At(n)
			r.steps = append(r.steps, step{order: uint64(again.order)<<32 | uint64(n), link: i, at: again.time})
		}
	}
	slices.SortFunc(r.steps, func(a, b step) int { return cmp.Compare(a.order, b.order) })
	for _, e := range r.steps {
		if l := g.links.At(e.link); l.state == linkNone || l.state == linkRefused || l.state == linkLent {
			r.outcomes[e.link] = s.decideAgain(e)
		}
	}
	s.gather()
}

// decideAgain decides about a link of the region.
func (s *Stage) decideAgain(e step) (out outcome) {
	l := s.g.links.At(e.link)
	rule, loser := s.reconsider(l, e.at)
	s.changeLink(e.link)
	out.rule = rule
	if loser == 0 {
		return out
	}
	out.gone = s.founded(loser)
	if out.gone == 0 && !(l.a == loser && l.flags&linkNewA != 0 || l.b == loser && l.flags&linkNewB != 0) {
		out.gone = s.g.found(loser)
	}
	if out.gone != 0 {
		s.g.profiles.At(out.gone).changed = e.at
	}
	return out
}

// gather gives the region's leaves and identifiers to the profiles that they belong to now.
func (s *Stage) gather() {
	g, r := s.g, &s.region
	for _, l := range r.leaves {
		at := g.leaves.At(l)
		at.anchor = s.anchorOf(l)
		g.joinRing(g.profiles.At(g.profileOf(at.anchor)), l)
	}
	for _, id := range r.nodes {
		if id < s.newFrom { // the rest is counted when the event is settled
			s.hold(id, g.profileOf(s.holder(id)), 1)
		}
	}
}

// compare notes everything that the fold changed.
func (s *Stage) compare(why string) {
	r := &s.region
	r.changed = r.changed[:0]
	differ := func(was, now uint32) bool {
		if was == now {
			return false
		}
		for _, p := range [2]uint32{was, now} {
			if p != 0 && !s.g.profiles.At(p).in.changed {
				s.g.profiles.At(p).in.changed = true
				r.changed = append(r.changed, p)
			}
		}
		return true
	}
	s.logLinks(why)
	for i, id := range r.nodes {
		b, now := &r.before[i], s.g.profileOf(id)
		holder := s.holder(id)
		held := s.g.profileOf(holder)
		if differ(b.profile, now) && now == s.founded(id) && b.profile != 0 {
			s.g.profiles.At(now).changed = s.event.Time
			s.log(pendingRow{kind: schemas.DecisionSplit, a: id, profile: now, other: b.profile, rule: why})
		}
		if differ(b.held, held) {
			s.touchIdentifier(id)
			if holder != b.holder && holder != id {
				s.log(pendingRow{kind: schemas.DecisionDemoted, a: holder, b: id, profile: held, other: b.held, rule: why})
			}
		}
		s.compareAlias(b, id, now)
	}
	for i, l := range r.leaves {
		differ(r.owners[i], s.g.ownerOf(l))
	}
	for i, l := range r.leaves {
		// Its events may name profiles that resolve to another person now.
		if s.g.profiles.At(r.owners[i]).in.changed || s.g.profiles.At(s.g.ownerOf(l)).in.changed {
			s.attribute(l)
		}
	}
	slices.Sort(r.changed)
	for _, p := range r.changed {
		s.g.profiles.At(p).in.changed = false
		s.touch(p)
	}
	s.g.alive = r.alive
}

// compareAlias notes whether what an identifier founded resolves to another profile, or does so from another time on.
func (s *Stage) compareAlias(b *nodeStanding, id, now uint32) {
	own := s.founded(id)
	if own == 0 {
		return
	}
	if own == now {
		s.region.alive++
	}
	s.changeProfile(own)
	wasAlias := b.own != 0 && b.own != b.profile
	isAlias := own != now
	if wasAlias != isAlias && b.own != 0 || isAlias && (b.profile != now || b.own == 0 || b.changed != s.g.profiles.At(own).changed) {
		s.touchAlias(own)
		s.touch(own)
	}
}

// logLinks writes down what is decided otherwise than before about links that are in force.
func (s *Stage) logLinks(why string) {
	r := &s.region
	for _, index := range r.links {
		l, out := s.g.links.At(index), r.outcomes[index]
		was := r.standing[index]
		held, holds := was == linkLinked || was == linkUnited, l.state == linkLinked || l.state == linkUnited
		if was != linkNone && held == holds {
			continue
		}
		row := pendingRow{kind: schemas.DecisionLinked, a: l.a, b: l.b, rule: why}
		switch {
		case !holds:
			row.kind, row.otherOf, row.rule = schemas.DecisionRefused, l.b, why+": "+out.rule
		case out.gone != 0:
			row.kind, row.other = schemas.DecisionMerged, out.gone
		}
		s.log(row)
	}
}
