package stitch

import (
	"fmt"

	"github.com/seamline/seamline/schemas"
)

// link joins the event's other identifiers to the profile of its head, and gives the head's leaf.
func (s *Stage) link(head int) uint32 {
	h := &s.found[head]
	if h.leaf == 0 {
		// A new head founds no profile of its own where another identifier of the event already has one that takes it in.
		s.adoptHead(head)
	}
	for i := range s.found {
		c := &s.found[i]
		if i == head || c.kiosk || c.ns.Class == schemas.ClassEvidence {
			continue
		}
		if c.leaf == 0 {
			s.admit(h, c)
		} else if s.g.root(h.leaf) != s.g.root(c.leaf) {
			s.unite(h, c)
		} else if s.know(h, c, linkMade) {
			// Nothing changes hands, but the pair is evidence that the two belong together.
			s.log(schemas.DecisionLinked, h, c, 0, "")
		}
	}
	return h.leaf
}

// adoptHead gives a head without a leaf one: in the oldest profile of the event's other identifiers that takes it in, or in a
// profile of its own.
func (s *Stage) adoptHead(head int) {
	h := &s.found[head]
	var best uint32
	var with *candidate
	for i := range s.found {
		c := &s.found[i]
		if i == head || c.leaf == 0 || c.kiosk || c.ns.Class == schemas.ClassEvidence {
			continue
		}
		p := s.g.profileOf(c.leaf)
		if (best == 0 || p < best) && s.broken(p, 0, h.ns) == nil {
			best, with = p, c
		}
	}
	h.leaf = s.g.addLeaf(h.id)
	if best == 0 {
		s.foundProfile(h.leaf)
		return
	}
	s.g.join(h.leaf, best)
	s.touch(best)
	s.log(schemas.DecisionLinked, h, with, 0, "")
	s.know(h, with, linkMade)
}

// foundProfile makes a profile of a leaf.
func (s *Stage) foundProfile(l uint32) {
	p := s.g.found(l, s.event.Time)
	s.touch(p)
	s.changeProfile(p)
}

// admit gives a new identifier a leaf in the head's profile, or in one of its own where a limit forbids that.
func (s *Stage) admit(h, c *candidate) {
	c.leaf = s.g.addLeaf(c.id)
	p := s.g.profileOf(h.leaf)
	if rule := s.broken(p, 0, c.ns); rule != nil {
		s.foundProfile(c.leaf)
		s.refuse(h, c, rule)
		return
	}
	s.g.join(c.leaf, p)
	s.log(schemas.DecisionLinked, h, c, 0, "")
	s.know(h, c, linkMade)
}

// unite merges the profiles of two known identifiers, or refuses where a limit of the merged profile would break.
func (s *Stage) unite(h, c *candidate) {
	a, b := s.g.profileOf(h.leaf), s.g.profileOf(c.leaf)
	if rule := s.broken(a, b, nil); rule != nil {
		s.refuse(h, c, rule)
		return
	}
	loser := max(a, b)
	s.g.eachLeaf(loser, func(l uint32) { s.touchIdentifier(s.g.leaves.At(l).identifier) })
	survivor, loser := s.g.merge(a, b)
	s.touch(survivor)
	s.touch(loser)
	s.changeProfile(loser)
	s.g.profiles.At(loser).merged = s.event.Time
	s.g.eachAlias(loser, s.touchAlias)
	s.log(schemas.DecisionMerged, h, c, loser, "")
	s.know(h, c, linkMade)
}

// refuse keeps two profiles apart. A personal identifier stays where it is; a shared one follows the record from its event time
// on, and its earlier events stay where they were.
func (s *Stage) refuse(h, c *candidate, rule *Namespace) {
	p, other := s.g.profileOf(h.leaf), s.g.profileOf(c.leaf)
	if s.know(h, c, linkRefused) {
		s.log(schemas.DecisionRefused, h, c, other, limitText(rule))
	}
	if c.ns.Class != schemas.ClassShared {
		return
	}
	// The leaf that the identifier had when it was last in these hands serves again.
	to := uint32(0)
	s.g.eachMove(s.g.identifiers.At(c.id), func(m *move) bool {
		if s.g.profileOf(m.leaf) == p {
			to = m.leaf
		}
		return to == 0
	})
	if to == 0 {
		if s.broken(p, 0, c.ns) != nil {
			return
		}
		to = s.g.addLeaf(c.id)
		s.g.identifiers.At(c.id).leaf = c.leaf // moveTo decides which leaf is the newest
		s.g.join(to, p)
	}
	s.g.moveTo(c.id, to, s.event.Time)
	s.changeMoves(c.id)
	s.touchIdentifier(c.id)
	s.touch(other)
	s.touch(p)
	s.log(schemas.DecisionDemoted, h, c, other, limitText(rule))
	s.know(h, c, linkMade) // from now on, which the row above says
	c.leaf = to
}

func limitText(ns *Namespace) string {
	if ns.Within != 0 {
		return fmt.Sprintf("limit %s %d within %dh", ns.Name, ns.Limit, ns.Within/schemas.Hour)
	}
	return fmt.Sprintf("limit %s %d", ns.Name, ns.Limit)
}

// loner gives the leaf of an event without an identifier that may link: a kiosk's session, or whom the evidence was first seen
// with. 0 means that nobody is known.
func (s *Stage) loner() uint32 {
	for i := range s.found {
		if c := &s.found[i]; c.kiosk {
			return s.kioskLeaf(c)
		}
	}
	for i := range s.found {
		if c := &s.found[i]; c.ns.Resolves && c.leaf != 0 {
			return c.leaf
		}
	}
	return 0
}

// kioskLeaf gives the leaf of a kiosk's session: a new one once nobody has used it for kioskGap.
func (s *Stage) kioskLeaf(c *candidate) uint32 {
	at := s.event.Time
	if c.leaf != 0 && at-c.last <= kioskGap {
		return c.leaf
	}
	newest := s.g.identifiers.At(c.id).leaf
	l := s.g.addLeaf(c.id)
	s.foundProfile(l)
	if newest != 0 {
		s.g.identifiers.At(c.id).leaf = newest // moveTo decides which leaf is the newest
		s.g.moveTo(c.id, l, at)
		s.changeMoves(c.id)
	}
	return l
}

// annotate remembers whom evidence was first seen with.
func (s *Stage) annotate(l uint32) {
	for i := range s.found {
		c := &s.found[i]
		if id := s.g.identifiers.At(c.id); c.ns.Resolves && id.leaf == 0 {
			id.leaf = l
		}
	}
}

// broken gives the namespace whose limit a profile would break by taking in another profile, or one more value of a namespace;
// nil where all limits hold. With a window, only values seen within it before the event count.
func (s *Stage) broken(p, other uint32, one *Namespace) *Namespace {
	var counts [64]uint16 // by namespace index; namespaces beyond have no limit
	var rules [64]*Namespace
	count := func(l uint32) {
		id := s.g.identifiers.At(s.g.leaves.At(l).identifier)
		if id.namespace >= uint16(len(counts)) || id.leaf != l {
			return // the identifier has changed hands: only its history is here
		}
		ns := s.ruleOf(id.namespace)
		if ns.Within != 0 && id.last < s.event.Time-ns.Within {
			return
		}
		rules[id.namespace] = ns
		counts[id.namespace]++
	}
	s.g.eachLeaf(p, count)
	if other != 0 {
		s.g.eachLeaf(other, count)
	}
	if one != nil {
		if i := s.g.namespaceIndex(one.Name); i < uint16(len(counts)) {
			rules[i] = one
			counts[i]++
		}
	}
	for i, ns := range rules {
		if ns != nil && ns.Limit > 0 && int(counts[i]) > ns.Limit {
			return ns
		}
	}
	return nil
}
