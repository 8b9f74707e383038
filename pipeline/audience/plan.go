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
	watches    []*watched // all that it asks about
	others     []uint32   // audiences that the condition asks about
	excluded   []uint32   // audiences whose members do not belong
	dependents []uint32   // places of the plans that ask about this one's members
	isPure     bool       // reads nothing but events, so that it can be evaluated as of any time
	isTimed    bool       // time alone may change it, by more than what leaves its windows
	reads      schemas.Fields
	allReads   schemas.Fields // with those of all that depend on it
	keepsOut   uint64         // hashes of profile ids below are held out
}

// define gives every rule its audience, its plan and its predicates, whose numbers in the state are known already or drawn anew.
func (s *Stage) define(numbers map[string]uint32) {
	s.plans, s.choice, s.ladders = make([]plan, len(s.rules)), choice{}, map[string]*ladder{}
	s.watcher, s.removed, s.depends = watcher{byKey: map[string]*watched{}}, 0, false
	place := map[string]uint32{}
	for i := range s.rules {
		r, p := &s.rules[i], &s.plans[i]
		place[r.Name] = uint32(i)
		*p = plan{rule: r, audience: s.audience(r.Name), reads: r.reads, keepsOut: uint64(r.Holdout * (1 << 63) * 2)}
		for _, name := range r.others {
			p.others = append(p.others, s.audience(name))
			s.plans[place[name]].dependents = append(s.plans[place[name]].dependents, uint32(i))
		}
		for _, name := range r.excluded {
			p.excluded = append(p.excluded, s.audience(name))
			s.plans[place[name]].dependents = append(s.plans[place[name]].dependents, uint32(i))
		}
		p.isPure = r.reads == 0 && len(p.others) == 0 && len(p.excluded) == 0
		p.isTimed = r.MaxAge > 0 || r.reads&schemas.FieldsClock != 0
		s.pose(uint32(i), p)
		a := &s.audiences[p.audience]
		a.plan, a.place = p, uint32(i)
		if hash := hashOf(r); a.hash != hash {
			a.hash, a.changed, s.changed = hash, true, true
		}
	}
	s.deleted = s.watcher.watch(ofType(schemas.TypeAccountDeleted), foreverBack)
	s.signedUp = s.watcher.watch(ofType(schemas.TypeSignup), foreverBack)
	for i := len(s.plans) - 1; i >= 0; i-- { // dependents come behind
		p := &s.plans[i]
		p.allReads = p.reads
		s.depends = s.depends || len(p.dependents) > 0
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
	s.asking = s.selected(func(p *plan) bool { return len(p.questions) > 0 })
	s.todo = todo{marks: make([]uint64, len(s.plans))}
}

// foreverBack is a reach that no event is too old for.
const foreverBack = 100 * 365 * schemas.Day

// ofType is the predicate of all events of a type.
func ofType(t schemas.Type) *predicate {
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

// pose gives a plan the predicates of its windows, and its places on ladders.
func (s *Stage) pose(place uint32, p *plan) {
	watch := func(list []*predicate, reach schemas.Time) (all []*watched) {
		for _, one := range list {
			w := s.watcher.watch(one, reach)
			if !slices.Contains(p.watches, w) {
				w.rules, p.watches = append(w.rules, place), append(p.watches, w)
			}
			all = append(all, w)
		}
		return all
	}
	for i := range p.rule.windows {
		w := &p.rule.windows[i]
		p.questions = append(p.questions, question{steps: watch(w.steps, w.reach()), without: watch(w.without, w.reach()), span: w.span, during: w.during})
	}
	for i := range p.rule.guards {
		s.ladderOf(p, &p.rule.guards[i]).add(rung{p.rule.guards[i].least, place})
	}
}

// ladderOf gives the ladder that a guard of a plan is on.
func (s *Stage) ladderOf(p *plan, g *guard) *ladder {
	if g.window >= 0 {
		q := &p.questions[g.window]
		w := q.steps[0]
		for _, l := range w.ladders {
			if l.isSum == g.isSum && max(l.question.span, l.question.during) == max(q.span, q.during) {
				return l
			}
		}
		l := &ladder{question: q, isSum: g.isSum}
		w.ladders = append(w.ladders, l)
		return l
	}
	l := s.ladders[g.key()]
	if l == nil {
		l = &ladder{}
		if g.time != nil {
			l.time = fields.time(g.time)
		} else {
			l.value = fields.operand(g.value).asNumber()
		}
		s.ladders[g.key()] = l
	}
	return l
}

// choice gives the plans to look at when some fields may have changed. There are few different sets of fields, so that each choice is made
// once.
type choice map[schemas.Fields]*chosen

// chosen are the places of plans to look at, and all that may be read.
type chosen struct {
	plans     []uint32 // whatever guards say, since they have none
	ladders   []chosenLadder
	isWindowy bool // others need events of a window to be true
	reads     schemas.Fields
}

// isEmpty tells whether there is nothing to look at.
func (c *chosen) isEmpty() bool { return len(c.plans) == 0 && len(c.ladders) == 0 && !c.isWindowy }

// chosenLadder is a part of a ladder.
type chosenLadder struct {
	*ladder
	rungs []rung
}

// of gives the plans that read any of some fields; all of them where nothing is known of what changed.
func (c choice) of(changed schemas.Fields, s *Stage) *chosen {
	if found, ok := c[changed]; ok {
		return found
	}
	found := s.selected(func(p *plan) bool { return p.isAffected(changed) })
	if changed&schemas.FieldsClock != 0 {
		found.reads |= s.asking.reads
	}
	c[changed] = found
	return found
}

// isAffected tells whether some fields matter to the plan.
func (p *plan) isAffected(changed schemas.Fields) bool {
	return changed == 0 || p.reads&changed != 0 || p.isTimed && changed&schemas.FieldsClock != 0
}

// selected gives the plans that which names.
func (s *Stage) selected(which func(p *plan) bool) *chosen {
	found, at := &chosen{}, map[*ladder]int{}
	for i := range s.plans {
		p := &s.plans[i]
		if !which(p) {
			continue
		}
		found.reads |= p.allReads | schemas.FieldsSeen
		if p.rule.guards == nil {
			found.plans = append(found.plans, uint32(i))
		}
		for n := range p.rule.guards {
			g := &p.rule.guards[n]
			if g.window >= 0 {
				found.isWindowy = true
				continue
			}
			l := s.ladders[g.key()]
			k, known := at[l]
			if !known {
				k = len(found.ladders)
				at[l] = k
				found.ladders = append(found.ladders, chosenLadder{ladder: l})
			}
			found.ladders[k].rungs = append(found.ladders[k].rungs, rung{g.least, uint32(i)})
		}
	}
	for _, l := range found.ladders {
		slices.SortFunc(l.rungs, compareRungs)
	}
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

// rulesFew is how many rules of a predicate are looked at without asking for their guards.
const rulesFew = 8

// choose gives the places of the plans to look at for the profile at hand, in their order: those that what changed may make true, and those
// of the audiences that the profile is in. It is as of now, or of any time before where the moment is late.
func (s *Stage) choose(m *schemas.Moment, t *schemas.Touch, isLate bool) []uint32 {
	var matches []match
	if m.Event != nil && m.Event.Profile == t.Profile {
		matches = s.watcher.matches
	}
	changed := t.Changed
	s.hits = s.hits[:0]
	for _, match := range matches {
		s.hits = append(s.hits, match.watched)
		if match.watched == s.deleted || match.watched == s.signedUp {
			changed = 0
		}
	}
	if t.Due != 0 {
		s.gather(t.Profile)
		for _, w := range s.found {
			if w.due != 0 && w.due <= t.Due {
				s.hits = append(s.hits, w)
			}
		}
	}
	found := s.choice.of(changed, s)
	d := &s.todo
	d.plans = append(d.plans[:0], found.plans...)
	if len(found.ladders) == 0 && !found.isWindowy && len(s.hits) == 0 && !s.depends {
		return d.plans
	}
	for _, i := range d.plans {
		d.marks[i] = s.look
	}
	s.climb(found.ladders, m.Clock, 0, isLate)
	isWide := false
	for _, w := range s.hits {
		w.hit = s.look
		if len(w.rules) <= rulesFew {
			d.add(s.look, w.rules...)
		} else {
			isWide = true
		}
	}
	if isWide && changed != 0 {
		for _, i := range s.asking.plans {
			if s.plans[i].isHit(s.look) {
				d.add(s.look, i)
			}
		}
		s.climb(s.asking.ladders, m.Clock, changed, isLate)
	}
	if isWide || found.isWindowy {
		s.gather(t.Profile)
		for _, w := range s.found {
			for _, l := range w.ladders {
				s.climb([]chosenLadder{{l, l.rungs}}, m.Clock, changed, isLate)
			}
		}
	}
	for _, i := range s.stays {
		if a := &s.audiences[i]; a.plan != nil && (a.plan.isAffected(changed) || a.plan.isHit(s.look)) {
			d.add(s.look, a.place)
		}
	}
	for n := 0; n < len(d.plans); n++ {
		d.add(s.look, s.plans[d.plans[n]].dependents...)
	}
	slices.Sort(d.plans)
	return d.plans
}

// isHit tells whether an event of the moment at look is one that the plan asks about.
func (p *plan) isHit(look uint64) bool {
	for _, w := range p.watches {
		if w.hit == look {
			return true
		}
	}
	return false
}

// climb adds the plans of ladders as far up as the profile at hand gets, all of them where it is not the present that counts. Where changed
// is not 0, only those that it, or the moment's event, matters to.
func (s *Stage) climb(ladders []chosenLadder, clock schemas.Time, changed schemas.Fields, isLate bool) {
	for _, l := range ladders {
		height := l.height(s.eval, l.rungs, clock)
		for _, r := range l.rungs {
			if r.least > height && !isLate {
				break
			}
			if p := &s.plans[r.place]; changed == 0 || p.isAffected(changed) || p.isHit(s.look) {
				s.todo.add(s.look, r.place)
			}
		}
	}
}
