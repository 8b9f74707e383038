package audience

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/dchest/siphash"

	"github.com/seamline/seamline/schemas"
)

// enter notes what is known of a profile and all audiences, and forgets stays that ended too long ago to matter.
func (s *Stage) enter(profile uint32, clock schemas.Time) {
	s.clock, s.stays = clock, s.stays[:0]
	s.members.each(profile, s.enterStay)
	for _, i := range s.forgotten {
		s.members.remove(profile, i)
		s.unsaved = append(s.unsaved, member{i, profile})
	}
	s.forgotten = s.forgotten[:0]
}

func (s *Stage) noteStay(i uint32, st *stay) {
	a := &s.audiences[i]
	a.look, a.stay, a.inside, a.isOut = s.look, *st, st.until == 0, st.until != 0
	if a.inside || st.aged {
		s.stays = append(s.stays, i)
	}
	if a.isOut && !st.aged && st.until < s.clock-s.lateness {
		a.isOut = false
		s.forgotten = append(s.forgotten, i)
	}
}

// isInside tells whether the profile at hand is a member.
func (s *Stage) isInside(a *audience) bool { return a.look == s.look && a.inside }

// changedAt tells when the profile at hand became, or ceased to be, a member; 0 where nothing is known.
func (s *Stage) changedAt(a *audience) schemas.Time {
	switch {
	case a.look != s.look:
		return 0
	case a.inside:
		return a.stay.since
	case a.isOut:
		return a.stay.until
	}
	return 0
}

// belongs tells whether the profile at hand is in another audience at the instant at hand.
func (s *Stage) belongs(i uint32) bool {
	a := &s.audiences[i]
	if a.turn == s.turn {
		return a.belongs
	}
	return s.isInside(a)
}

// follow evaluates rules over a profile at the time of its last event, or of the timer that fell due, and from there from edge to edge up
// to the moment's clock. So every entry and exit stands in the ledger with its own time, however late the events came. An event that came
// late may change what windows held before that: rules about nothing but events are followed from its own time on.
func (s *Stage) follow(b *schemas.Batch, m *schemas.Moment, i int) error {
	p, t := &m.Profiles[i], &m.Touched[i]
	if !s.concerns(m, t) {
		return nil
	}
	s.eval.look(p)
	at, reason := min(p.LastSeen, m.Clock), "pieces of history came or went"
	seen := at
	switch {
	case t.Due != 0:
		at, seen, reason = t.Due, t.Due, "time passed"
	case m.Event != nil && m.Event.Profile == p.Index:
		reason = eventReasons[m.Event.Type]
		at = min(at, m.Event.Time)
	}
	if t.Due == 0 {
		at = max(at, m.Clock-s.lateness) // what is older stands in the ledger, and stays
	}
	s.enter(p.Index, m.Clock)
	s.eval.now, s.eval.next = at, 0
	todo := s.choose(m, t, at < seen)
	pending := s.eval.next // when time alone may bring further plans
	for range evaluationsMax {
		s.eval.now, s.eval.next = at, 0
		s.eval.edge(pending)
		for _, w := range s.found {
			w.noted = 0
		}
		s.turn++
		for _, place := range todo {
			if at < seen && !s.plans[place].isPure {
				s.eval.edge(seen)
				continue
			}
			if err := s.evaluate(&s.plans[place], p); err != nil {
				return err
			}
		}
		isLast := s.eval.next == 0 || s.eval.next > m.Clock
		for _, place := range todo {
			if at >= seen || s.plans[place].isPure {
				s.settle(b, p, s.plans[place].audience, reason, isLast)
			}
		}
		if t.Changed == 0 && s.removed > 0 {
			s.leave(b, p, "the audience was removed", func(a *audience) bool { return a.plan == nil })
		}
		if isLast {
			break
		}
		if at = s.eval.next; at > seen {
			reason = "time passed"
		}
	}
	next := s.eval.next
	if s.gathered == s.look {
		next = schemas.Earlier(next, s.schedule(t.Changed == 0, m.Clock))
	}
	if next != 0 {
		m.Timers = append(m.Timers, schemas.Touch{Profile: p.Index, Due: next})
	}
	return nil
}

// concerns tells whether any plan may care for what touched a profile.
func (s *Stage) concerns(m *schemas.Moment, t *schemas.Touch) bool {
	if t.Changed == 0 || m.Event != nil && m.Event.Profile == t.Profile && len(s.watcher.matches) > 0 {
		return true
	}
	return t.Due != 0 && !s.asking.isEmpty() || !s.choice.of(t.Changed, s).isEmpty()
}

// eventReasons say in words that an event of a type changed something.
var eventReasons = func() (words [schemas.TypeCount]string) {
	for t, name := range schemas.TypeNames() {
		words[t] = strings.ReplaceAll(name, "_", " ")
	}
	words[schemas.TypeAccountDeleted] = "asked to be erased"
	words[schemas.TypeConsentUpdate] = "consent changed"
	return words
}()

// evaluate finds whether the profile at hand belongs to a plan's audience at the instant at hand.
func (s *Stage) evaluate(pl *plan, p *schemas.Profile) error {
	a := &s.audiences[pl.audience]
	isTrue, err := s.test(pl)
	if err != nil {
		return fmt.Errorf("audience %s: %w", a.name, err)
	}
	inside := s.isInside(a)
	a.turn, a.belongs, a.why = s.turn, isTrue, ""
	if !isTrue {
		if a.look == s.look && a.stay.aged {
			a.stay.aged = false
			s.remember(p.Index, pl.audience, a.stay)
		}
		return nil
	}
	if a.why = s.objection(pl, a, p, inside); a.why != "" {
		a.belongs = false
		return nil
	}
	if age := pl.rule.MaxAge; age > 0 {
		since := s.eval.now
		if inside {
			since = a.stay.since
		}
		s.eval.edge(since + age)
	}
	return nil
}

// test runs a plan's condition.
func (s *Stage) test(pl *plan) (bool, error) {
	s.eval.questions, s.eval.others = pl.questions, pl.others
	if pl.rule.condition != nil {
		return pl.rule.condition(s.eval), nil
	}
	out, err := s.machine.Run(pl.rule.program, &s.eval.env)
	if err != nil {
		return false, err
	}
	return out.(bool), nil
}

// objection says why a profile does not belong although the condition is true; nothing where there is no reason.
func (s *Stage) objection(pl *plan, a *audience, p *schemas.Profile, inside bool) string {
	r := pl.rule
	if s.isErased() {
		return "asked to be erased"
	}
	for _, i := range pl.excluded {
		if s.belongs(i) {
			return "is in " + s.audiences[i].name
		}
	}
	if r.Holdout > 0 && isHeldOut(p.ID, pl) != (r.HoldoutOf != "") {
		return "held out"
	}
	if r.Cap > 0 && !inside && a.size >= r.Cap {
		return "the audience is full"
	}
	switch known := a.look == s.look; {
	case r.MaxAge == 0 || !known:
	case inside && s.eval.now >= a.stay.since+r.MaxAge, !inside && a.stay.aged:
		return longest
	}
	return ""
}

// longest is why somebody leaves who stayed as long as one may.
const longest = "stayed for the longest time allowed"

// isErased tells whether the person at hand asked to be erased and has not come back.
func (s *Stage) isErased() bool {
	if s.deletions == 0 {
		return false
	}
	gone, back := s.eval.known(s.deleted), s.eval.known(s.signedUp)
	return len(gone) > 0 && (len(back) == 0 || back[len(back)-1].time <= gone[len(gone)-1].time)
}

// isHeldOut tells whether a person is kept out to be compared with. It depends on nothing but the person, the salt and the share, and who is
// held out at some share is held out at any larger one.
func isHeldOut(id schemas.ProfileID, pl *plan) bool {
	salt := siphash.Hash(holdoutKey0, holdoutKey1, []byte(pl.rule.Salt))
	return siphash.Hash(binary.BigEndian.Uint64(id[:8]), binary.BigEndian.Uint64(id[8:])^salt, holdoutText) < pl.keepsOut
}

const holdoutKey0, holdoutKey1 = 0x7365616d6c696e65, 0x686f6c646f757473

var holdoutText = []byte("holdout")

// settle writes down where an answer differs from what was known. Answers as of an instant before the latest known change are no news,
// unless they last until after it, or nothing later is looked at.
func (s *Stage) settle(b *schemas.Batch, p *schemas.Profile, i uint32, reason string, isLast bool) {
	a := &s.audiences[i]
	if a.belongs == s.isInside(a) {
		return
	}
	known := s.changedAt(a)
	if !isLast && s.eval.next <= known {
		return
	}
	if !a.belongs && a.why != "" {
		reason = a.why
	}
	s.change(b, i, p, max(s.eval.now, known), reason)
}

// leave takes the profile out of every audience that which names.
func (s *Stage) leave(b *schemas.Batch, p *schemas.Profile, reason string, which func(a *audience) bool) {
	for i := range s.audiences {
		if a := &s.audiences[i]; s.isInside(a) && which(a) {
			s.change(b, uint32(i), p, max(s.eval.now, a.stay.since), reason)
		}
	}
}

// change writes an entry or an exit into the ledger.
func (s *Stage) change(b *schemas.Batch, i uint32, p *schemas.Profile, at schemas.Time, reason string) {
	a := &s.audiences[i]
	enter := !s.isInside(a)
	a.sequence++
	a.changed = true
	row := schemas.Membership{Audience: a.name, ProfileID: p.ID, Member: enter, Since: at, Reason: reason}
	if enter {
		a.stay = stay{since: at}
		a.size++
		a.entered.Inc()
	} else {
		row.Since, row.Until = a.stay.since, at
		a.stay.until, a.stay.aged = at, reason == longest
		a.size--
		a.left.Inc()
	}
	a.inside, a.isOut, a.look = enter, !enter, s.look
	s.remember(p.Index, i, a.stay)
	b.Memberships = append(b.Memberships, row)
	b.Changes = append(b.Changes, schemas.AudienceChange{Audience: a.name, Sequence: a.sequence, ProfileID: p.ID, Enter: enter, Time: at, Reason: reason})
}

func (s *Stage) remember(profile, audience uint32, st stay) {
	s.members.set(profile, audience, st)
	s.unsaved = append(s.unsaved, member{audience, profile})
}
