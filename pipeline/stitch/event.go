package stitch

import (
	"fmt"
	"math"

	"github.com/seamline/seamline/schemas"
)

// hands notes the claims of the event's head on its shared identifiers.
func (s *Stage) hands(head int) {
	h := &s.found[head]
	for i := range s.found {
		c := &s.found[i]
		if c.link == 0 || c.ns.Class != schemas.ClassShared {
			continue
		}
		before := uint32(0) // of a new identifier: nobody had it
		if !c.isNew {
			before = s.g.profileOf(s.holder(c.id))
		}
		if !s.g.claim(c.id, c.link, s.event.Time) {
			continue
		}
		s.changeClaims(c.id)
		s.changeIdentifier(c.id)
		after := s.g.profileOf(s.holder(c.id))
		own := s.g.profileOf(c.id)
		if before == after || before == 0 && after == own {
			continue
		}
		if before != 0 {
			s.hold(c.id, before, -1)
			s.hold(c.id, after, 1)
		} else {
			before = own
		}
		s.touch(before)
		s.touch(after)
		if c.ns.HistoryMoves {
			s.anchorAgain(s.g.nodes.At(c.id).leaf)
		}
		l := s.g.links.At(c.link)
		rule := ""
		if l.state == linkLent {
			rule = s.forbids(l, s.g.root(l.a), s.g.root(l.b), s.event.Time)
		}
		s.log(pendingRow{kind: schemas.DecisionDemoted, a: h.id, b: c.id, profile: after, other: before, rule: rule})
	}
}

// anchorAgain gives a leaf to whom it belongs now, with all its history.
func (s *Stage) anchorAgain(l uint32) {
	if l == 0 {
		return
	}
	at := s.g.leaves.At(l)
	old, anchor := s.g.profileOf(at.anchor), s.anchorOf(l)
	at.anchor = anchor
	if now := s.g.profileOf(anchor); now != old {
		s.g.leaveRing(s.g.profiles.At(old), l)
		s.g.joinRing(s.g.profiles.At(now), l)
		s.attribute(l)
	}
}

// attribute notes that a leaf's events may name profiles that resolve to another person than the one that it belongs to now.
func (s *Stage) attribute(l uint32) {
	s.moved = true
	s.attributed = append(s.attributed, schemas.Attribution{Leaf: l, ProfileID: s.g.profiles.At(s.g.ownerOf(l)).id, Since: s.event.Time})
}

// The columns that identifiers are counted in.
const (
	heldUsers = iota
	heldLoyalty
	heldEmails
	heldPhones
	heldCards
	heldDevices
	heldAnonymous
	heldAll
	heldCount
)

var heldNames = map[string]int{schemas.NamespaceUserID: heldUsers, schemas.NamespaceLoyaltyID: heldLoyalty, schemas.NamespaceEmail: heldEmails,
	schemas.NamespacePhone: heldPhones, schemas.NamespaceCard: heldCards, schemas.NamespaceDeviceID: heldDevices,
	schemas.NamespaceAnonymousID: heldAnonymous}

// hold counts that a profile has one identifier more, or one less.
func (s *Stage) hold(id, p uint32, n int) {
	s.moved = true
	held := &s.g.profiles.At(p).held
	held[heldAll] += uint32(n)
	if column, ok := heldNames[s.nameOf(id)]; ok {
		held[column] += uint32(n)
	}
}

// settle gives the event's new identifiers a profile, where they have joined none.
func (s *Stage) settle() {
	for i := range s.found {
		c := &s.found[i]
		if !c.isNew || !c.linkable() {
			continue
		}
		p := s.g.profileOf(s.holder(c.id))
		s.hold(c.id, p, 1)
		s.touch(p)
		s.changeProfile(p)
		if own := s.g.profileOf(c.id); own != p {
			s.touch(own)
			s.changeProfile(own)
		}
	}
}

// learnDays is how long it counts that an identifier was seen with somebody.
const learnDays = 90

// learn quarantines identifiers that were seen with more people than their fan-out allows.
func (s *Stage) learn() {
	for i := range s.found {
		if x := &s.found[i]; x.ns.Fanout > 0 && x.linkable() {
			s.notePeople(x)
			s.suspect(x)
		}
	}
}

// notePeople notes with whom an identifier is on the event, where its link does not say that already.
func (s *Stage) notePeople(x *candidate) {
	for i := range s.found {
		y := &s.found[i]
		if y.id == x.id || !y.linkable() || y.link != 0 && x.link == 0 || x.link != 0 && y.link == 0 {
			continue // the head's pairs are links
		}
		isUser := y.ns.Name == schemas.NamespaceUserID
		if !isUser && (y.ns.Name != schemas.NamespaceEmail || s.g.rows.At(x.id).users > 0) {
			continue
		}
		day := dayOf(s.event.Time)
		l := s.g.linkBetween(x.id, y.id)
		if l == 0 {
			l = s.g.addLink(link{a: x.id, b: y.id, time: s.event.Time, day: day, flags: linkSeenOnly})
			s.meet(x.id, y.id)
			s.changeLink(l)
		} else if at := s.g.links.At(l); day > at.day {
			at.day = day
			s.changeLink(l)
		}
	}
}

// meet counts two identifiers that were never on one event before as people of each other.
func (s *Stage) meet(a, b uint32) {
	for range 2 {
		r := s.g.rows.At(a)
		switch s.nameOf(b) {
		case schemas.NamespaceUserID:
			r.users = min(r.users, math.MaxUint8-1) + 1
		case schemas.NamespaceEmail:
			r.mails = min(r.mails, math.MaxUint8-1) + 1
		}
		s.changeIdentifier(a)
		a, b = b, a
	}
}

// suspect quarantines an identifier that was lately seen with too many people: user_ids, or e-mails where it never met a user_id.
func (s *Stage) suspect(x *candidate) {
	r, n := s.g.rows.At(x.id), s.g.nodes.At(x.id)
	ever, namespace := r.users, schemas.NamespaceUserID
	if ever == 0 {
		ever, namespace = r.mails, schemas.NamespaceEmail
	}
	if int(ever) <= min(x.ns.Fanout, math.MaxUint8-1) || n.is(isQuarantined) || n.is(isExempt) {
		return
	}
	from, people := dayOf(s.event.Time)-learnDays, 0
	s.g.eachLink(x.id, func(_ uint32, l *link) {
		if l.flags&linkVoid == 0 && l.day >= from && s.nameOf(l.other(x.id)) == namespace {
			people++
		}
	})
	if people > x.ns.Fanout {
		s.quarantine(x.id, fmt.Sprintf("fanout %d", x.ns.Fanout))
	}
}

// loner gives the leaf of an event without an identifier that may link: a kiosk's session, or whom the evidence was first seen
// with. 0 means that nobody is known.
func (s *Stage) loner() uint32 {
	for i := range s.found {
		if c := &s.found[i]; c.isKiosk {
			return s.kioskLeaf(c)
		}
	}
	for i := range s.found {
		c := &s.found[i]
		if l := s.g.nodes.At(c.id).leaf; c.ns.Resolves && l != 0 {
			return l
		}
	}
	return 0
}

// kioskLeaf gives the leaf of a kiosk's session: a new one once nobody has used it for kioskGap.
func (s *Stage) kioskLeaf(c *candidate) uint32 {
	at, r := s.event.Time, s.g.rows.At(c.id)
	if r.claims != 0 && at-c.previous <= kioskGap {
		session := s.g.claimAt(c.id, at)
		if session == 0 { // the oldest holds for all time before, too
			for session = r.claims; s.g.claims.At(session).next != 0; {
				session = s.g.claims.At(session).next
			}
		}
		return s.g.claims.At(session).leaf
	}
	if r.claims != 0 {
		r.generation++
	}
	p := s.g.addProfile(c.id)
	s.changeProfile(p)
	one := s.g.profiles.At(p)
	one.alone, one.held[heldAll] = true, 1
	l := s.g.leaves.Append(leaf{identifier: c.id, link: aloneLink, anchor: p})
	s.g.joinRing(one, l)
	s.g.claim(c.id, 0, at)
	s.g.claims.At(s.g.claimAt(c.id, at)).leaf = l
	s.g.nodes.At(c.id).leaf = s.g.claims.At(r.claims).leaf
	s.changeClaims(c.id)
	return l
}

// annotate remembers whom evidence was first seen with.
func (s *Stage) annotate(l uint32) {
	for i := range s.found {
		c := &s.found[i]
		if n := s.g.nodes.At(c.id); c.ns.Resolves && n.leaf == 0 {
			n.leaf = l
		}
	}
}

// ruleOf gives the rule of a namespace by its index.
func (s *Stage) ruleOf(index uint16) *Namespace {
	for i := len(s.ruled); i <= int(index); i++ {
		s.ruled = append(s.ruled, s.rules.namespace(s.g.names[i]))
	}
	return s.ruled[index]
}

// nameOf gives the namespace of an identifier.
func (s *Stage) nameOf(id uint32) string {
	if id == 0 {
		return ""
	}
	return s.g.names[s.g.nodes.At(id).namespace]
}

// pendingRow is a row of the identity log before the event at hand is settled.
type pendingRow struct {
	kind    schemas.DecisionKind
	a, b    uint32
	profile uint32 // 0: that of a's group
	other   uint32 // a profile; 0: that of otherOf's group
	otherOf uint32 // 0 for none
	rule    string
}

// log notes a decision. Which profiles it is about is known when the event is settled.
func (s *Stage) log(r pendingRow) { s.pending, s.moved = append(s.pending, r), true }

// flush writes the decisions noted so far into the identity log.
func (s *Stage) flush() {
	id := func(p uint32) schemas.ProfileID { return s.g.profiles.At(p).id }
	for _, r := range s.pending {
		s.g.position++
		d := schemas.Decision{Position: s.g.position, Time: s.event.Time, Kind: r.kind, A: uint64(r.a), ANamespace: s.nameOf(r.a),
			B: uint64(r.b), BNamespace: s.nameOf(r.b), Rule: r.rule, EventID: s.event.ID}
		if r.profile == 0 {
			r.profile = s.g.profileOf(r.a)
		}
		d.ProfileID = id(r.profile)
		switch {
		case r.other != 0:
			d.OtherProfile = id(r.other)
		case r.otherOf != 0:
			d.OtherProfile = id(s.g.profileOf(r.otherOf))
		}
		s.batch.Decisions = append(s.batch.Decisions, d)
		s.metrics.decisions[r.kind].Inc()
	}
	s.pending = s.pending[:0]
}
