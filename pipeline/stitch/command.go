package stitch

import "github.com/seamline/seamline/schemas"

// quarantine ends that an identifier's links carry.
func (s *Stage) quarantine(id uint32, rule string) {
	s.log(pendingRow{kind: schemas.DecisionQuarantined, a: id, rule: rule})
	s.refold("refold", s.neighbours(id), func() { s.g.nodes.At(id).flags |= isQuarantined })
	s.touchIdentifier(id)
	s.metrics.quarantine(s.nameOf(id), id)
}

// neighbours gives an identifier and the other ends of its links.
func (s *Stage) neighbours(id uint32) []uint32 {
	out := []uint32{id}
	s.g.eachLink(id, func(_ uint32, l *link) { out = append(out, l.other(id)) })
	return out
}

// command does what an operator asks.
func (s *Stage) command(e *schemas.Event) {
	forms := s.formsOf(e)
	var ids [2]uint32
	for i := range forms {
		if i < len(ids) && forms[i].ns != nil {
			ids[i] = s.known(&forms[i])
		}
	}
	a, b := ids[0], ids[1]
	if a == 0 || s.g.nodes.At(a).is(isErased) || b == 0 && len(forms) > 1 {
		s.metrics.commands.WithLabelValues("unknown").Inc()
		return
	}
	rule := "command: " + e.Command.Reason
	n := s.g.nodes.At(a)
	done := true
	switch e.Command.Kind {
	case schemas.CommandRetract:
		done = s.retract(a, b, rule)
	case schemas.CommandQuarantine:
		if done = !n.is(isQuarantined); done {
			n.flags &^= isExempt
			s.quarantine(a, rule)
		}
	case schemas.CommandRelease:
		if done = !n.is(isExempt); done {
			s.release(a)
		}
	case schemas.CommandErase:
		s.erase(a, "erase: "+e.Command.Reason)
	}
	outcome := "done"
	if !done {
		outcome = "nothing to do"
	}
	s.metrics.commands.WithLabelValues(outcome).Inc()
}

// retract takes a link, or all links of an identifier, out of force. It tells whether there was one.
func (s *Stage) retract(a, b uint32, rule string) bool {
	var links []uint32
	if b != 0 {
		if i := s.g.linkBetween(a, b); i != 0 && s.g.links.At(i).flags&(linkSeenOnly|linkForbidden) == 0 {
			links = append(links, i)
		}
	} else {
		s.g.eachLink(a, func(i uint32, l *link) {
			if l.flags&(linkSeenOnly|linkVoid|linkForbidden) == 0 {
				links = append(links, i)
			}
		})
	}
	if len(links) == 0 {
		return false
	}
	s.log(pendingRow{kind: schemas.DecisionRetracted, a: a, b: b, rule: rule})
	flags := linkRetracted
	if s.event.Command.Forbid {
		flags |= linkForbidden
	}
	s.withdraw(a, links, flags)
	return true
}

// withdraw takes links of an identifier out of force.
func (s *Stage) withdraw(id uint32, links []uint32, flags linkFlags) {
	seeds := []uint32{id}
	for _, i := range links {
		seeds = append(seeds, s.g.links.At(i).other(id))
	}
	s.refold("refold", seeds, func() {
		for _, i := range links {
			s.g.links.At(i).flags |= flags
			s.changeLink(i)
		}
	})
}

// release ends a quarantine. What the fan-out of the identifier is does not count any more.
func (s *Stage) release(id uint32) {
	n := s.g.nodes.At(id)
	if !n.is(isQuarantined) { // nothing will be learned about it
		n.flags |= isExempt
		s.changeIdentifier(id)
		return
	}
	s.refold("release", s.neighbours(id), func() { n.flags = n.flags&^isQuarantined | isExempt })
	s.touchIdentifier(id)
	s.metrics.release(s.nameOf(id), id)
}

// erase makes a value unknown.
func (s *Stage) erase(id uint32, rule string) {
	s.log(pendingRow{kind: schemas.DecisionRetracted, a: id, rule: rule})
	var links []uint32
	s.g.eachLink(id, func(i uint32, l *link) { links = append(links, i) })
	s.withdraw(id, links, linkRetracted|linkForbidden)
	s.untell(id)
	r := s.g.rows.At(id)
	s.g.nodes.At(id).flags |= isErased
	s.g.profileOf(id) // its id derives from the hash
	r.hash, r.text, r.textBytes = [16]byte{}, 0, 0
	s.touchIdentifier(id)
}
