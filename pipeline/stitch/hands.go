package stitch

import "github.com/seamline/seamline/schemas"

// claimsMax bounds the claims that are kept per identifier; where there are more, the oldest goes.
const claimsMax = 256

// claim records that from since on, by event time, an identifier's events belong to the other end of a link; it tells whether that is news.
// Late claims sort in by event time. Leaves of later claims are made anew: what they hold was without the late one.
func (g *graph) claim(id, l uint32, since schemas.Time) bool {
	r := g.rows.At(id)
	later, at := uint32(0), r.claims
	for at != 0 && g.claims.At(at).since > since {
		later, at = at, g.claims.At(at).next
	}
	if at != 0 && l != 0 && g.claims.At(at).link == l {
		return false
	}
	if later != 0 && l != 0 && g.claims.At(later).link == l {
		g.claims.At(later).since = since
		return true
	}
	n := g.newClaim(claim{since: since, link: l, next: at})
	if later == 0 {
		r.claims = n
	} else {
		g.claims.At(later).next = n
		for c := r.claims; c != n; c = g.claims.At(c).next {
			g.claims.At(c).leaf = 0
		}
	}
	if r.claimCount++; r.claimCount > claimsMax {
		g.dropClaim(r)
	}
	return true
}

func (g *graph) newClaim(c claim) uint32 {
	if g.freeClaim == 0 {
		return g.claims.Append(c)
	}
	n := g.freeClaim
	at := g.claims.At(n)
	g.freeClaim = at.next
	*at = c
	return n
}

// dropClaim forgets the oldest claim of an identifier that has at least two.
func (g *graph) dropClaim(r *row) {
	at := g.claims.At(r.claims)
	for g.claims.At(at.next).next != 0 {
		at = g.claims.At(at.next)
	}
	dropped := at.next
	at.next = 0
	g.claims.At(dropped).next, g.freeClaim = g.freeClaim, dropped
	r.claimCount--
}

// claimAt gives the last claim on an identifier that is not later than a time; 0 for none.
func (g *graph) claimAt(id uint32, t schemas.Time) uint32 {
	c := g.rows.At(id).claims
	for c != 0 && g.claims.At(c).since > t {
		c = g.claims.At(c).next
	}
	return c
}

// holder gives the identifier in whose group one is now: by its newest claim that carries, else by its own.
func (s *Stage) holder(id uint32) uint32 {
	for c := s.g.rows.At(id).claims; c != 0; {
		at := s.g.claims.At(c)
		if at.link != 0 {
			if l := s.g.links.At(at.link); l.carries(id) {
				return l.other(id)
			}
		}
		c = at.next
	}
	return id
}

// leafAt gives the leaf that an identifier's events at a time belong to.
func (s *Stage) leafAt(id uint32, t schemas.Time) uint32 {
	ns := s.ruleOf(s.g.nodes.At(id).namespace)
	if ns.Class == schemas.ClassShared && !ns.HistoryMoves {
		if c := s.g.claimAt(id, t); c != 0 {
			return s.leafOf(id, c)
		}
	}
	return s.firstLeaf(id)
}

// leafOf gives the leaf of a claim.
func (s *Stage) leafOf(id, c uint32) uint32 {
	at := s.g.claims.At(c)
	if at.leaf != 0 {
		return at.leaf
	}
	// The leaf that would serve without this claim comes first: of many claims on end, the oldest.
	var pred uint32
	if at.next != 0 {
		pred = s.leafOf(id, at.next)
	} else {
		pred = s.firstLeaf(id)
	}
	at.leaf = s.addLeaf(leaf{identifier: id, link: at.link, pred: pred})
	s.changeClaims(id)
	return at.leaf
}

// firstLeaf gives the leaf of an identifier before any claim.
func (s *Stage) firstLeaf(id uint32) uint32 {
	if l := s.g.nodes.At(id).leaf; l != 0 {
		return l
	}
	l := s.addLeaf(leaf{identifier: id})
	s.g.nodes.At(id).leaf = l
	s.changeIdentifier(id)
	return l
}

// addLeaf makes a leaf and gives it to whom it belongs.
func (s *Stage) addLeaf(one leaf) uint32 {
	l := s.g.leaves.Append(one)
	at := s.g.leaves.At(l)
	if first := s.g.nodes.At(one.identifier).leaf; first != 0 {
		f := s.g.leaves.At(first)
		at.sibling, f.sibling = f.sibling, l
	}
	at.anchor = s.anchorOf(l)
	s.g.joinRing(s.g.profiles.At(s.g.profileOf(at.anchor)), l)
	return l
}

// anchorOf gives the identifier in whose group a leaf is: by the newest of its claims that carries.
func (s *Stage) anchorOf(l uint32) uint32 {
	at := s.g.leaves.At(l)
	for at.link != 0 {
		if by := s.g.links.At(at.link); by.carries(at.identifier) {
			return by.other(at.identifier)
		}
		at = s.g.leaves.At(at.pred)
	}
	if ns := s.ruleOf(s.g.nodes.At(at.identifier).namespace); ns.HistoryMoves && ns.Class == schemas.ClassShared {
		return s.holder(at.identifier)
	}
	return at.identifier
}

// ownerOf gives the profile that a leaf belongs to.
func (g *graph) ownerOf(l uint32) uint32 {
	at := g.leaves.At(l)
	if at.link == aloneLink {
		return at.anchor
	}
	return g.profileOf(at.anchor)
}

// eachOwnLeaf calls f for every leaf of an identifier.
func (g *graph) eachOwnLeaf(id uint32, f func(l uint32)) {
	for l := g.nodes.At(id).leaf; l != 0; {
		next := g.leaves.At(l).sibling
		f(l)
		l = next
	}
}

// joinRing puts a leaf into a profile's list.
func (g *graph) joinRing(p *profile, l uint32) {
	at := g.leaves.At(l)
	at.next = l
	g.joinRings(p, l)
}

// joinRings puts a list of leaves into a profile's list.
func (g *graph) joinRings(p *profile, l uint32) {
	if p.leaves == 0 {
		p.leaves = l
		return
	}
	a, b := g.leaves.At(p.leaves), g.leaves.At(l)
	a.next, b.next = b.next, a.next
}

// leaveRing takes a leaf out of a profile's list.
func (g *graph) leaveRing(p *profile, l uint32) {
	before := l
	for g.leaves.At(before).next != l {
		before = g.leaves.At(before).next
	}
	if before == l {
		p.leaves = 0
		return
	}
	g.leaves.At(before).next = g.leaves.At(l).next
	if p.leaves == l {
		p.leaves = before
	}
}

// eachLeaf calls f for every leaf of a living profile, in no certain order: it depends on restarts.
func (g *graph) eachLeaf(p uint32, f func(l uint32)) {
	start := g.profiles.At(p).leaves
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
