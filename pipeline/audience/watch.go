package audience

import (
	"fmt"
	"slices"

	"github.com/seamline/seamline/schemas"
)

// watched is a predicate that some rule of a stage asks about.
type watched struct {
	*predicate
	number  uint32       // stands for it in the state; never used again for another
	reach   schemas.Time // how far back any window looks
	rules   []uint32     // places of the rules that ask
	ladders []*ladder    // of rules that are false unless enough of these events happened
	hit     uint64       // the look for which an event of the moment satisfies it, or time passed an instant that it is due at

	// Of the profile at hand, where look is that of the stage.
	look     uint64
	heads    []uint32
	due      schemas.Time // the earliest of heads
	noted    schemas.Time // the earliest instant after the one at hand that rules looked at; 0 for none
	list     []occurrence // of heads, in order of time
	isListed bool
}

// match is a predicate that an event satisfies.
type match struct {
	*watched
	amount schemas.Decimal
}

// watchesOf are the predicates that events of one type may satisfy.
type watchesOf struct {
	plain   []*watched // those that every event is asked about
	byField []byField
}

// byField finds predicates by a value that they require.
type byField struct {
	name   string
	offset uintptr
	ofItem bool
	values map[string][]*watched
}

// watcher finds the predicates that an event satisfies.
type watcher struct {
	all     []*watched
	byKey   map[string]*watched
	types   [schemas.TypeCount]watchesOf
	event   *schemas.Event // that matches are of; nil for none
	matches []match
}

// watch gives the watched predicate for one of a rule.
func (w *watcher) watch(p *predicate, reach schemas.Time) *watched {
	found := w.byKey[p.key]
	if found == nil {
		found = &watched{predicate: p}
		w.byKey[p.key] = found
		w.all = append(w.all, found)
		for t := range w.types {
			if p.types&(1<<t) != 0 {
				w.types[t].add(found)
			}
		}
	}
	found.reach = max(found.reach, reach)
	return found
}

func (t *watchesOf) add(w *watched) {
	if w.field == "" {
		t.plain = append(t.plain, w)
		return
	}
	i := slices.IndexFunc(t.byField, func(f byField) bool { return f.name == w.field })
	if i < 0 {
		i = len(t.byField)
		t.byField = append(t.byField, byField{name: w.field, offset: eventFields[w.field].offset, ofItem: slices.Contains(itemFields, w.field), values: map[string][]*watched{}})
	}
	for _, value := range w.values {
		t.byField[i].values[value] = append(t.byField[i].values[value], w)
	}
}

// match gives the predicates that an event satisfies. The answer is kept until forget.
func (s *Stage) match(e *schemas.Event) ([]match, error) {
	w := &s.watcher
	if w.event == e {
		return w.matches, nil
	}
	w.event, w.matches = e, w.matches[:0]
	t := &w.types[e.Type]
	if e.Leaf == 0 || len(t.plain) == 0 && len(t.byField) == 0 {
		return w.matches, nil
	}
	s.eval.setEvent(e)
	if len(e.Items) == 0 {
		return w.matches, s.matchItem(t, e, nil)
	}
	for i := range e.Items {
		s.eval.setItem(&e.Items[i])
		if err := s.matchItem(t, e, &e.Items[i]); err != nil {
			return nil, err
		}
	}
	return w.matches, nil
}

// matchItem asks about one item, or about an event without items. What is not about items is asked once.
func (s *Stage) matchItem(t *watchesOf, e *schemas.Event, it *schemas.Item) error {
	isFirst := it == nil || it == &e.Items[0]
	for _, p := range t.plain {
		if isFirst || p.ofItems {
			if err := s.ask(p, e, it); err != nil {
				return err
			}
		}
	}
	for i := range t.byField {
		f := &t.byField[i]
		for _, p := range f.values[*fieldOf[string](s.eval, f.offset)] {
			if isFirst || p.ofItems {
				if err := s.ask(p, e, it); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// ask asks whether an event, by one of its items, satisfies a predicate, and notes it.
func (s *Stage) ask(p *watched, e *schemas.Event, it *schemas.Item) error {
	if p.program != nil {
		isTrue := false
		if p.condition != nil {
			isTrue = p.condition(s.eval)
		} else {
			out, err := s.machine.Run(p.program, &s.eval.event)
			if err != nil {
				return fmt.Errorf("filter %s: %w", p.key, err)
			}
			isTrue = out.(bool)
		}
		if !isTrue {
			return nil
		}
	}
	amount := schemas.Decimal(0)
	switch p.measure {
	case measureAmount:
		amount = e.Amount
	case measureRevenue:
		amount = e.Revenue
	case measureQuantity:
		amount = e.Quantity
		if it != nil {
			amount = it.Quantity
		}
	case measureTotal:
		amount = e.Amount
		if it != nil {
			amount = it.Total
		}
	}
	list := s.watcher.matches
	for i := range list {
		if list[i].watched == p {
			if p.measure == measureQuantity || p.measure == measureTotal {
				list[i].amount += amount
			}
			return nil
		}
	}
	s.watcher.matches = append(list, match{p, amount})
	return nil
}

// forget forgets the event that was matched: its memory is used again.
func (w *watcher) forget() { w.event = nil }

// record remembers a moment's event for the windows that it is in.
func (s *Stage) record(e *schemas.Event, clock schemas.Time) error {
	matches, err := s.match(e)
	if err != nil {
		return err
	}
	if n := int64(len(matches)) - entriesPerEvent; n > 0 {
		if err := s.space.Reserve(n * (headBytes + entryBytes)); err != nil {
			return fmt.Errorf("events that %d windows remember: %w", len(matches), err)
		}
	}
	for _, m := range matches {
		h, i := s.history.head(e.Leaf, m.number)
		at := e.Time
		if m.watched == s.deleted || m.watched == s.signedUp { // who asks is gone, or back, at once, whatever a device's clock says
			at = min(at, clock)
		}
		if m.watched == s.deleted && h.count == 0 {
			s.deletions++
		}
		s.history.add(h, occurrence{at, m.amount, 1}, clock-m.reach-s.lateness)
		s.changedHead(h, i)
	}
	return nil
}

// changedHead marks what a leaf remembers of a predicate to be saved.
func (s *Stage) changedHead(h *head, index uint32) {
	if !h.unsaved {
		h.unsaved = true
		s.unsavedHeads = append(s.unsavedHeads, index)
	}
}

// gather finds what the history of a profile remembers.
func (s *Stage) gather(profile uint32) {
	if s.gathered == s.look {
		return
	}
	s.gathered = s.look
	s.found = s.found[:0]
	s.graph.Leaves(profile, s.gatherLeaf)
}

// noteHead notes one head of the profile at hand.
func (s *Stage) noteHead(index uint32, h *head) {
	w := s.byNumber[h.predicate]
	if w.look != s.look {
		w.look, w.heads, w.due, w.noted, w.isListed = s.look, w.heads[:0], 0, 0, false
		s.found = append(s.found, w)
	}
	w.heads = append(w.heads, index)
	w.due = schemas.Earlier(w.due, h.due)
}

// schedule notes, for all that the profile at hand remembers, when rules that ask about it must be looked at again, and gives the earliest of
// these instants. Where all such rules were looked at now, it is what they said; else what was known before counts as well.
func (s *Stage) schedule(isAll bool, clock schemas.Time) (next schemas.Time) {
	for _, w := range s.found {
		due := w.noted
		if w.isListed {
			for _, o := range slices.Backward(w.list) {
				if o.time <= clock {
					break
				}
				due = schemas.Earlier(due, o.time)
			}
		}
		if !isAll && w.due > clock {
			due = schemas.Earlier(due, w.due)
		}
		next = schemas.Earlier(next, due)
		for _, i := range w.heads {
			if h := s.history.heads.At(i); h.due != due {
				h.due = due
				s.changedHead(h, i)
			}
		}
	}
	return next
}

// occurrences gives what the profile at hand remembers of a predicate, in order of time.
func (s *Stage) occurrences(w *watched) []occurrence {
	s.gather(s.profile)
	if w.look != s.look {
		return nil
	}
	if !w.isListed {
		w.isListed, w.list = true, w.list[:0]
		since := s.clock - s.lateness - w.reach // nothing is looked at as of earlier than the allowed lateness
		for _, i := range w.heads {
			n := len(w.list)
			w.list = s.history.collect(w.list, s.history.heads.At(i), since)
			slices.Reverse(w.list[n:]) // of one piece of history they stand in order, the newest first
			s.merge(w.list, n)
		}
	}
	return w.list
}

// merge brings a list into order whose first n elements are in order, and so are the others.
func (s *Stage) merge(list []occurrence, n int) {
	if n == 0 || n == len(list) || compareOccurrences(list[n-1], list[n]) <= 0 {
		return
	}
	s.spare = append(s.spare[:0], list[:n]...)
	a, b := s.spare, list[n:]
	for i := range list {
		if len(a) == 0 {
			return // the rest stands where it belongs
		}
		if len(b) > 0 && compareOccurrences(b[0], a[0]) < 0 {
			list[i], b = b[0], b[1:]
		} else {
			list[i], a = a[0], a[1:]
		}
	}
}
