package audience

import (
	"slices"

	"github.com/seamline/seamline/schemas"
)

// plan is a rule as a stage evaluates it.
type plan struct {
	rule       *Rule
	audience   uint32
	questions  []question
	others     []uint32 // audiences that the condition asks about
	excluded   []uint32 // audiences whose members do not belong
	dependents []uint32 // places of the plans that ask about this one's members
	isGuarded  bool     // false unless the person has an event of some predicates
	isPure     bool     // reads nothing but events, so that it can be evaluated as of any time
	reads      schemas.Fields
	allReads   schemas.Fields // with those of all that depend on it
	keepsOut   uint64         // hashes of profile ids below are held out
}

// define gives every rule its audience, its plan and its predicates, whose numbers in the state are known already or drawn anew.
func (s *Stage) define(numbers map[string]uint32) {
	s.plans, s.choice = make([]plan, len(s.rules)), choice{}
	s.watcher, s.removed = watcher{byKey: map[string]*watched{}}, 0
	place := map[string]uint32{}
	for i := range s.rules {
		r, p := &s.rules[i], &s.plans[i]
		place[r.Name] = uint32(i)
		*p = plan{rule: r, audience: s.audience(r.Name), isGuarded: r.guards != nil, reads: r.reads, keepsOut: uint64(r.Holdout * (1 << 63) * 2)}
		for _, name := range r.others {
			p.others = append(p.others, s.audience(name))
			s.plans[place[name]].dependents = append(s.plans[place[name]].dependents, uint32(i))
		}
		for _, name := range r.excluded {
			p.excluded = append(p.excluded, s.audience(name))
			s.plans[place[name]].dependents = append(s.plans[place[name]].dependents, uint32(i))
		}
		p.isPure = r.reads == 0 && len(p.others) == 0 && len(p.excluded) == 0
		s.pose(uint32(i), p)
		a := &s.audiences[p.audience]
		a.plan, a.place = p, uint32(i)
		if hash := hashOf(r); a.hash != hash {
			a.hash, a.changed, s.changed = hash, true, true
		}
	}
	s.deleted = s.watcher.watch(mustPredicate(schemas.TypeAccountDeleted), foreverBack)
	s.signedUp = s.watcher.watch(mustPredicate(schemas.TypeSignup), foreverBack)
	for i := len(s.plans) - 1; i >= 0; i-- { // dependents come behind
		p := &s.plans[i]
		p.allReads = p.reads
		for _, d := range p.dependents {
			p.allReads |= s.plans[d].allReads
		}
	}
	for i := range s.audiences {
		if a := &s.audiences[i]; a.plan == nil && a.size > 0 {
			s.removed++
		}
	}
	s.number(numbers)
	s.todo = todo{marks: make([]uint64, len(s.plans))}
}

// foreverBack is a reach that no event is too old for.
const foreverBack = 100 * 365 * schemas.Day

func mustPredicate(t schemas.Type) *predicate {
	return &predicate{key: t.String() + "||", types: 1 << t}
}

// number gives every predicate the number that stands for it in the state. A number whose predicate nobody asks about is retired.
func (s *Stage) number(known map[string]uint32) {
	s.retired = s.retired[:0]
	for key, n := range known {
		s.numbers = max(s.numbers, n)
		if s.watcher.byKey[key] == nil {
			s.retired = append(s.retired, n)
		}
	}
	slices.Sort(s.retired)
	for _, w := range s.watcher.all {
		if w.number = known[w.key]; w.number == 0 {
			s.numbers++
			w.number = s.numbers
		}
	}
	s.byNumber = make([]*watched, s.numbers+1)
	for _, w := range s.watcher.all {
		s.byNumber[w.number] = w
	}
}

// pose gives a plan the predicates of its windows.
func (s *Stage) pose(place uint32, p *plan) {
	watch := func(list []*predicate, reach schemas.Time) (all []*watched) {
		for _, one := range list {
			w := s.watcher.watch(one, reach)
			if !slices.Contains(w.rules, place) {
				w.rules = append(w.rules, place)
			}
			all = append(all, w)
		}
		return all
	}
	for i := range p.rule.windows {
		w := &p.rule.windows[i]
		p.questions = append(p.questions, question{steps: watch(w.steps, w.reach()), without: watch(w.without, w.reach()), span: w.span, during: w.during})
	}
	for _, i := range p.rule.guards {
		for _, w := range p.questions[i].steps[:1] {
			if !slices.Contains(w.guarded, place) {
				w.guarded = append(w.guarded, place)
			}
		}
	}
}

// choice gives the plans to look at when some fields may have changed. There are few different sets of fields, so that each choice is made
// once.
type choice map[schemas.Fields]*chosen

// chosen are the places of plans to look at, without those that are guarded, and all that may be read.
type chosen struct {
	plans   []uint32
	reads   schemas.Fields
	guarded bool // a guarded plan reads some of what changed
}

// of gives the plans that read any of some fields, with all that depend on them.
func (c choice) of(changed schemas.Fields, s *Stage) *chosen {
	if found, ok := c[changed]; ok {
		return found
	}
	found := &chosen{}
	isTime := changed&schemas.FieldsClock != 0
	for i := range s.plans {
		p := &s.plans[i]
		asks := p.reads&changed != 0 || isTime && (len(p.questions) > 0 || p.rule.MaxAge > 0)
		depends := slices.ContainsFunc(found.plans, func(other uint32) bool { return slices.Contains(s.plans[other].dependents, uint32(i)) })
		switch {
		case asks && p.isGuarded:
			found.guarded = true
			found.reads |= p.allReads | schemas.FieldsSeen
			if depends {
				found.plans = append(found.plans, uint32(i))
			}
		case asks || depends:
			found.plans = append(found.plans, uint32(i))
			found.reads |= p.allReads | schemas.FieldsSeen
		}
	}
	c[changed] = found
	return found
}

// todo is a list of plans in the making.
type todo struct {
	plans []uint32
	marks []uint64 // by place: the look for which it is in the list
}

func (t *todo) add(look uint64, places ...uint32) {
	for _, i := range places {
		if t.marks[i] != look {
			t.marks[i] = look
			t.plans = append(t.plans, i)
		}
	}
}

// choose gives the places of the plans to look at for a profile of a moment, in their order.
func (s *Stage) choose(m *schemas.Moment, i int) []uint32 {
	t := &m.Touched[i]
	var matches []match
	if m.Event != nil && m.Event.Profile == t.Profile {
		matches = s.watcher.matches
	}
	isAll := t.Changed == 0
	for _, match := range matches {
		isAll = isAll || match.watched == s.deleted || match.watched == s.signedUp
	}
	found := &chosen{guarded: true}
	if !isAll {
		if found = s.choice.of(t.Changed, s); !found.guarded && len(matches) == 0 {
			return found.plans
		}
	}
	d := &s.todo
	d.add(s.look, found.plans...)
	if isAll {
		s.addAll(t.Profile)
	}
	for _, match := range matches {
		d.add(s.look, match.rules...)
	}
	if found.guarded && !isAll {
		s.addGuarded(t.Changed)
	}
	for n := 0; n < len(d.plans); n++ {
		d.add(s.look, s.plans[d.plans[n]].dependents...)
	}
	slices.Sort(d.plans)
	return d.plans
}

// addAll adds all plans that may be true for a profile, and those of the audiences that it is in.
func (s *Stage) addAll(profile uint32) {
	for i := range s.plans {
		if !s.plans[i].isGuarded {
			s.todo.add(s.look, uint32(i))
		}
	}
	s.gather(profile)
	for _, w := range s.found {
		s.todo.add(s.look, w.guarded...)
	}
	s.members.each(profile, func(audience uint32, _ *stay) {
		if a := &s.audiences[audience]; a.plan != nil {
			s.todo.add(s.look, a.place)
		}
	})
}

// addGuarded adds the guarded plans that read some of what changed, as far as the profile has any of their events.
func (s *Stage) addGuarded(changed schemas.Fields) {
	s.gather(s.profile)
	for _, w := range s.found {
		for _, i := range w.guarded {
			if changed&schemas.FieldsClock != 0 || s.plans[i].reads&changed != 0 {
				s.todo.add(s.look, i)
			}
		}
	}
}
