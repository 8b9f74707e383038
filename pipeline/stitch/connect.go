package stitch

import "github.com/seamline/seamline/schemas"

// connect links the head with the event's other identifiers.
func (s *Stage) connect(head int) {
	h := &s.found[head]
	for i := range s.found {
		if c := &s.found[i]; i != head && c.linkable() {
			c.link = s.see(h, c)
		}
	}
}

// see notes that head and other were on one event, decides about their link where that is new, and gives it.
func (s *Stage) see(h, c *candidate) uint32 {
	day := dayOf(s.event.Time)
	i := s.g.linkBetween(h.id, c.id)
	if i != 0 && s.g.links.At(i).flags&linkSeenOnly != 0 {
		s.g.links.At(i).flags |= linkVoid
		s.g.kept--
		s.changeLink(i)
		day = max(day, s.g.links.At(i).day)
		i = 0
	} else if i == 0 {
		s.meet(h.id, c.id)
	}
	if i == 0 {
		one := link{a: h.id, b: c.id, time: s.event.Time, day: day}
		if h.isNew {
			one.flags |= linkNewA
		}
		if c.isNew {
			one.flags |= linkNewB
		}
		if s.windowOf(&one) != 0 {
			one.flags |= linkWindowed
		}
		i = s.g.addLink(one)
		s.changeLink(i)
		s.decideNew(i)
		return i
	}
	l := s.g.links.At(i)
	if l.flags&(linkRetracted|linkForbidden) == linkRetracted {
		s.refold("again", []uint32{l.a, l.b}, func() { l.flags &^= linkRetracted })
		s.changeLink(i)
	}
	if day > l.day {
		l.day = day
		s.changeLink(i)
	}
	if l.flags&linkWindowed != 0 {
		s.renew(i)
	}
	return i
}

// renew notes that a link was seen again after the window of one of its ends, and decides about it once more where it is refused.
func (s *Stage) renew(i uint32) {
	l := s.g.links.At(i)
	window, since := s.windowOf(l), l.time
	if l.renewal != 0 {
		since = s.g.renewals.At(l.renewal).time
	}
	if s.event.Time-since < window {
		return
	}
	again := func() {
		l.renewal = s.g.renewals.Append(renewal{time: s.event.Time, link: i, order: uint32(s.g.links.Len() - 1), next: l.renewal})
	}
	if l.state == linkRefused || l.state == linkLent {
		s.refold("renewed", []uint32{l.a, l.b}, again)
	} else {
		again()
	}
}

// decideNew decides about a link that came as the last of all.
func (s *Stage) decideNew(i uint32) {
	l := s.g.links.At(i)
	if !s.g.inForce(l) {
		return
	}
	rule, loser := s.decide(l, l.time)
	switch {
	case rule != "":
		s.log(pendingRow{kind: schemas.DecisionRefused, a: l.a, b: l.b, otherOf: l.b, rule: rule})
		return
	case loser == 0:
		s.log(pendingRow{kind: schemas.DecisionLinked, a: l.a, b: l.b})
		return
	}
	s.changeIdentifier(loser)
	gone := s.g.rows.At(loser).profile
	if gone == 0 {
		s.log(pendingRow{kind: schemas.DecisionLinked, a: l.a, b: l.b})
		return
	}
	s.renameMembers(l, loser)
	s.log(pendingRow{kind: schemas.DecisionMerged, a: l.a, b: l.b, other: gone})
}

// renameMembers notes that the identifiers and profiles of a group that just became part of an older one have another profile.
func (s *Stage) renameMembers(l *link, loser uint32) {
	gone := s.g.rows.At(loser).profile
	s.g.profiles.At(gone).changed = l.time
	s.g.alive--
	s.touch(gone)
	s.touch(s.g.profileOf(loser))
	s.changeProfile(gone)
	// The lists of members are one now: behind the survivor come those of the loser, itself the last.
	for id := s.g.nodes.At(loser).parent; id != loser; {
		id = s.g.nodes.At(id).next
		s.touchIdentifier(id)
		s.g.eachLent(id, s.touchIdentifier)
		if p := s.g.rows.At(id).profile; p != 0 {
			s.touchAlias(p)
		}
	}
}
