package explain

import (
	"slices"

	"github.com/seamline/seamline/schemas"
)

// next chooses whose turn it is and what is wanted, or ends the search.
func (s *Search) next() {
	s.wave = nil
	if s.met != nil && (!s.limits.Whole || s.beyond) {
		return
	}
	for s.wave == nil && !s.isOver {
		s.turn = s.smaller()
		switch sd := &s.sides[s.turn]; {
		case len(sd.frontier) > 0:
			s.take(sd)
		case !s.beyond:
			sd.isDone = true
			s.exhausted()
		case sd.level >= s.limits.Broken || !s.cross(sd):
			s.isOver = true
		}
		if s.met != nil && (s.beyond || !s.limits.Whole) {
			s.wave, s.isOver = nil, true
		}
	}
}

// smaller gives the side to go on with: across links that do not hold, the one that was found whole first; else the one with less to
// look at of those that are not whole.
func (s *Search) smaller() int {
	switch x, y := &s.sides[0], &s.sides[1]; {
	case s.beyond && x.isDone, !s.beyond && y.isDone:
		return 0
	case s.beyond, x.isDone, len(y.frontier) < len(x.frontier):
		return 1
	}
	return 0
}

// take makes the frontier the next wave, within the limits.
func (s *Search) take(sd *side) {
	if s.waves >= s.limits.Waves || s.loaded+len(sd.frontier) > s.limits.Identifiers {
		s.isCut, s.isOver = true, true
		return
	}
	slices.Sort(sd.frontier)
	sd.looking, sd.frontier = sd.frontier, nil
	for _, id := range sd.looking {
		if !s.node(id).loaded {
			s.wave = append(s.wave, id)
		}
	}
	if s.wave == nil {
		s.arrive(sd)
	}
}

// exhausted is called when a side has nothing left to look at by links that hold. One whole group is enough to know that the two are
// apart; where the groups themselves are asked for, the other follows.
func (s *Search) exhausted() {
	if s.limits.Whole && !(s.sides[0].isDone && s.sides[1].isDone) {
		return
	}
	if s.met != nil {
		s.isOver = true
		return
	}
	s.beyond = true
}

// cross goes from what a side has reached over the links that do not hold, and tells whether there were any.
func (s *Search) cross(sd *side) bool {
	sd.level++
	var to []uint64
	seen := map[uint64]bool{}
	for id := range sd.reached {
		for _, l := range s.node(id).links {
			if o := l.other(id); !seen[o] {
				if _, is := sd.reached[o]; !is {
					seen[o] = true
					to = append(to, o)
				}
			}
		}
	}
	slices.Sort(to)
	for _, id := range to {
		sd.planned[id] = true
		sd.frontier = append(sd.frontier, id)
	}
	return len(to) > 0
}

// Answer tells what was found.
func (s *Search) Answer() Answer {
	a := Answer{Seen: s.loaded, Truncated: s.isCut && (s.met == nil || s.limits.Whole)}
	if s.met != nil {
		a.Together = s.met.broken == 0
		a.Chain = append(s.chain(0, s.met.at), s.chain(1, s.met.at)...)
	}
	if s.limits.Whole && !s.isCut {
		a.ProfileA, a.ProfileB = s.person(0), s.person(1)
	}
	return a
}

// person gives the profile of the group that a side found whole: that of the newest row which tells it of one of the group's members.
func (s *Search) person(i int) schemas.ProfileID {
	var newest schemas.Decision
	var person schemas.ProfileID
	tell := func(d schemas.Decision, p schemas.ProfileID) {
		if d.Position > newest.Position && !p.IsZero() {
			newest, person = d, p
		}
	}
	reached := s.sides[i].reached
	for id, h := range reached {
		if h.broken > 0 {
			continue
		}
		n := s.node(id)
		for _, d := range []schemas.Decision{n.retracted, n.quarantined, n.split} {
			tell(d, d.ProfileID)
		}
		for _, l := range n.links {
			other, is := reached[l.other(id)]
			state, _ := s.stateOf(l)
			switch inside := is && other.broken == 0 && state == Holds; {
			case l.now.Kind == schemas.DecisionRefused && l.now.B == id:
				tell(l.now, l.now.OtherProfile)
			case l.now.A == id && l.now.Kind != schemas.DecisionLinked && l.now.Kind != schemas.DecisionMerged, inside:
				tell(l.now, l.now.ProfileID)
			}
		}
	}
	return person
}

// chain gives the steps between an end and an identifier, in the direction from a to b.
func (s *Search) chain(i int, at uint64) []Step {
	var steps []Step
	for h := s.sides[i].reached[at]; h.link != nil; h = s.sides[i].reached[at] {
		step := Step{From: h.from, To: at, First: h.link.first}
		if step.First.Position == 0 {
			step.First = h.link.hands
		}
		step.State, step.Now = s.stateOf(h.link)
		step.Lent = step.State == Refused && h.link.hands.Position != 0
		if i == 1 {
			step.From, step.To = step.To, step.From
		}
		steps = append(steps, step)
		at = h.from
	}
	if i == 0 {
		slices.Reverse(steps)
	}
	return steps
}

// Pair gives what the log says of the link between two identifiers, of which one was looked at; false where it has no such link.
func (s *Search) Pair(a, b uint64) (Step, bool) {
	for _, l := range s.node(a).links {
		if l.other(a) == b {
			step := Step{From: a, To: b, First: l.first}
			step.State, step.Now = s.stateOf(l)
			step.Lent = step.State == Refused && l.hands.Position != 0
			return step, true
		}
	}
	return Step{}, false
}
