package stitch

import (
	"fmt"

	"github.com/seamline/seamline/schemas"
)

// namespacesCounted bounds the namespaces whose limits hold: the first that an installation saw, those of the rules before all others.
const namespacesCounted = 64

// sums counts a group's values by namespace: its identifiers, and those lent to it.
type sums [namespacesCounted]uint32

// sumsMin is the size from which on a group's values are kept as sums. Smaller groups are counted when it matters.
const sumsMin = 64

func (s *sums) count(namespace uint16, n uint32) {
	if namespace < namespacesCounted {
		s[namespace] += n
	}
}

// values counts the values of a group. Where these are many, they are counted once and kept.
func (g *graph) values(root uint32) (out sums) {
	if g.nodes.At(root).is(hasSums) {
		return *g.sums.Ref(uint64(root))
	}
	n := 0
	g.eachValue(root, func(id uint32) {
		out.count(g.nodes.At(id).namespace, 1)
		n++
	})
	if n >= sumsMin {
		g.sums.Put(uint64(root), out)
		g.nodes.At(root).flags |= hasSums
	}
	return out
}

// eachValue calls f for every identifier of a group, and for those lent to it, once for each link that lends.
func (g *graph) eachValue(root uint32, f func(id uint32)) {
	g.eachMember(root, func(id uint32) {
		f(id)
		g.eachLent(id, f)
	})
}

// eachLent calls f for every identifier that a link lends to the group of one.
func (g *graph) eachLent(id uint32, f func(id uint32)) {
	if !g.nodes.At(id).is(isLender) {
		return
	}
	g.eachLink(id, func(_ uint32, l *link) {
		if l.state == linkLent && l.a == id {
			f(l.b)
		}
	})
}

// addSums prepares two groups to be one of which the values are kept. It comes before they are.
func (g *graph) addSums(survivor, loser uint32) {
	all, more := g.values(survivor), g.values(loser)
	for i, n := range more {
		all[i] += n
	}
	g.dropSums(loser)
	g.sums.Put(uint64(survivor), all)
	g.nodes.At(survivor).flags |= hasSums
}

// dropSums forgets the values of a group.
func (g *graph) dropSums(root uint32) {
	if n := g.nodes.At(root); n.is(hasSums) {
		g.sums.Delete(uint64(root))
		n.flags &^= hasSums
	}
}

// lend notes that b follows the records of a, or with -1 that it does no longer.
func (g *graph) lend(l *link, n int) {
	g.nodes.At(l.a).flags |= isLender
	if root := g.root(l.a); g.nodes.At(root).is(hasSums) {
		g.sums.Ref(uint64(root)).count(g.nodes.At(l.b).namespace, uint32(n))
	}
}

// recent counts the values of a namespace in a group that were first seen within the window before a time.
func (s *Stage) recent(root uint32, namespace uint16, from schemas.Time) (n int) {
	s.g.eachValue(root, func(id uint32) {
		if s.g.nodes.At(id).namespace == namespace && s.g.rows.At(id).born >= from {
			n++
		}
	})
	return n
}

// broken gives the namespace whose limit two groups would break as one; nil where all limits hold.
func (s *Stage) broken(a, b uint32, at schemas.Time) *Namespace {
	if !s.rules.limits {
		return nil
	}
	one, two := s.g.values(a), s.g.values(b)
	for i := range one {
		if one[i] == 0 || two[i] == 0 {
			continue
		}
		ns := s.ruleOf(uint16(i))
		if ns.Limit == 0 || int(one[i]+two[i]) <= ns.Limit {
			continue
		}
		if ns.Within != 0 {
			from := at - ns.Within
			m, n := s.recent(a, uint16(i), from), s.recent(b, uint16(i), from)
			if m == 0 || n == 0 || m+n <= ns.Limit {
				continue
			}
		}
		return ns
	}
	return nil
}

// hasRoom tells whether a group has fewer values of an identifier's namespace than the limit.
func (s *Stage) hasRoom(root, id uint32, at schemas.Time) bool {
	i := s.g.nodes.At(id).namespace
	ns := s.ruleOf(i)
	if ns.Limit == 0 || i >= namespacesCounted {
		return true
	}
	all := s.g.values(root)
	if int(all[i]) < ns.Limit {
		return true
	}
	return ns.Within != 0 && s.recent(root, i, at-ns.Within) < ns.Limit
}

// brokenLink gives the rule about links of one namespace with another that a link would break; nil where none.
func (s *Stage) brokenLink(l *link) *LinkLimit {
	for i := range s.rules.links {
		rule := &s.rules.links[i]
		of, to := s.nameOf(l.a), s.nameOf(l.b)
		if of == rule.Of && to == rule.To && s.linksTo(l.a, rule.To) >= rule.Limit ||
			to == rule.Of && of == rule.To && s.linksTo(l.b, rule.To) >= rule.Limit {
			return rule
		}
	}
	return nil
}

// linksTo counts the links that an identifier has with a namespace and that hold.
func (s *Stage) linksTo(id uint32, namespace string) (n int) {
	s.g.eachLink(id, func(_ uint32, l *link) {
		if (l.state == linkLinked || l.state == linkUnited) && s.nameOf(l.other(id)) == namespace {
			n++
		}
	})
	return n
}

// decide settles a link in force as of a time, and gives the rule that refused it and, where two groups became one, the root that is no
// longer one.
func (s *Stage) decide(l *link, at schemas.Time) (rule string, loser uint32) {
	a, b := s.g.root(l.a), s.g.root(l.b)
	if a == b {
		l.state = linkLinked
		return "", 0
	}
	if rule = s.forbids(l, a, b, at); rule == "" {
		l.state = linkUnited
		_, loser = s.g.unite(a, b)
		return "", loser
	}
	l.state = linkRefused
	if s.ruleOf(s.g.nodes.At(l.b).namespace).Class == schemas.ClassShared && s.hasRoom(a, l.b, at) {
		l.state = linkLent
		s.g.lend(l, 1)
	}
	return rule, 0
}

// forbids gives the rule that keeps two groups apart; empty where none does.
func (s *Stage) forbids(l *link, a, b uint32, at schemas.Time) string {
	if rule := s.brokenLink(l); rule != nil {
		return fmt.Sprintf("link %s %s %d", rule.Of, rule.To, rule.Limit)
	}
	if ns := s.broken(a, b, at); ns != nil {
		return limitText(ns)
	}
	return ""
}

// reconsider decides once more about a link that is refused.
func (s *Stage) reconsider(l *link, at schemas.Time) (rule string, loser uint32) {
	if l.state == linkLent {
		l.state = linkRefused
		s.g.lend(l, -1)
	}
	return s.decide(l, at)
}

// windowOf gives the time after which a link is renewed; 0 for never.
func (s *Stage) windowOf(l *link) schemas.Time {
	a, b := s.ruleOf(s.g.nodes.At(l.a).namespace).Within, s.ruleOf(s.g.nodes.At(l.b).namespace).Within
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

func limitText(ns *Namespace) string {
	if ns.Within != 0 {
		return fmt.Sprintf("limit %s %d within %dh", ns.Name, ns.Limit, ns.Within/schemas.Hour)
	}
	return fmt.Sprintf("limit %s %d", ns.Name, ns.Limit)
}
