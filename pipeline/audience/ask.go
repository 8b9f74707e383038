package audience

import (
	"slices"
	"sort"

	"github.com/seamline/seamline/schemas"
)

// occurrence is an event as a window remembers it, or several of one day.
type occurrence struct {
	time   schemas.Time // of several: of the latest
	amount schemas.Decimal
	count  uint32
}

func compareOccurrences(a, b occurrence) int {
	switch {
	case a.time != b.time:
		return int(min(1, max(-1, a.time-b.time)))
	default:
		return int(min(1, max(-1, a.amount-b.amount)))
	}
}

// question is a window of a rule over the predicates that a stage watches.
type question struct {
	steps, without []*watched
	span, during   schemas.Time
}

// edge notes an instant to come at which an answer may change.
func (e *evaluator) edge(at schemas.Time) {
	if at > e.now && (e.next == 0 || at < e.next) {
		e.next = at
	}
}

// edgeOf notes an instant to come at which the answer of rules that ask about a predicate may change.
func (e *evaluator) edgeOf(w *watched, at schemas.Time) {
	if at > e.now {
		w.noted = schemas.Earlier(w.noted, at)
		e.edge(at)
	}
}

// known gives the occurrences up to now, in order of time.
func (e *evaluator) known(w *watched) []occurrence {
	list := e.stage.occurrences(w)
	n := len(list)
	for n > 0 && list[n-1].time > e.now {
		n--
	}
	if n < len(list) {
		e.edgeOf(w, list[n].time)
	}
	return list[:n]
}

// held gives the occurrences that a window holds now, in order of time.
func (e *evaluator) held(window int) ([]occurrence, *question) {
	q := &e.questions[window]
	return e.since(q.steps[0], e.now-q.span), q
}

// until notes when an occurrence leaves the window of a question.
func (e *evaluator) until(q *question, o occurrence) { e.edgeOf(q.steps[0], o.time+q.span) }

// since gives the occurrences after an instant and up to now, in order of time.
func (e *evaluator) since(w *watched, from schemas.Time) []occurrence {
	list := e.known(w)
	return list[sort.Search(len(list), func(i int) bool { return list[i].time > from }):]
}

// measure gives how many events the window of a question holds, or their sum, whenever that ends.
func (e *evaluator) measure(q *question, isSum bool) float64 {
	count, total := tally(e.since(q.steps[0], e.now-max(q.span, q.during)))
	if isSum {
		return total.Float()
	}
	return float64(count)
}

// tally gives how many events some occurrences are, and their sum.
func tally(list []occurrence) (count int, total schemas.Decimal) {
	for i := range list {
		count += int(list[i].count)
		total += list[i].amount
	}
	return count, total
}

func (e *evaluator) count(window int) int {
	list, q := e.held(window)
	if len(list) == 0 {
		return 0
	}
	e.until(q, list[0])
	n, _ := tally(list)
	return n
}

// atLeast tells whether a window holds so many events: until the last one of them that is needed leaves it.
func (e *evaluator) atLeast(window, count int) bool {
	if count <= 0 {
		return true
	}
	list, q := e.held(window)
	for _, o := range slices.Backward(list) {
		if count -= int(o.count); count <= 0 {
			e.until(q, o)
			return true
		}
	}
	return false
}

func (e *evaluator) sum(window int) float64 {
	list, q := e.held(window)
	if len(list) == 0 {
		return 0
	}
	e.until(q, list[0])
	_, total := tally(list)
	return total.Float()
}

func (e *evaluator) first(window int) schemas.Time {
	list, q := e.held(window)
	if len(list) == 0 {
		return 0
	}
	e.until(q, list[0])
	return list[0].time
}

func (e *evaluator) last(window int) schemas.Time {
	list, q := e.held(window)
	if len(list) == 0 {
		return 0
	}
	latest := list[len(list)-1]
	e.until(q, latest)
	return latest.time
}

// sequence tells whether some events of the steps came one after the other within the span, began within during, and had nothing of what
// must not come since. For each beginning the earliest continuation is the shortest. The latest beginning that will do lasts longest.
func (e *evaluator) sequence(window int) bool {
	q := &e.questions[window]
	barrier := schemas.Time(0) // the latest of what must not come
	for _, w := range q.without {
		if list := e.known(w); len(list) > 0 {
			barrier = max(barrier, list[len(list)-1].time)
		}
	}
	for _, w := range q.steps[1:] {
		e.known(w) // notes when events from the future come
	}
	for _, o := range slices.Backward(e.known(q.steps[0])) {
		if o.time < barrier || o.time <= e.now-q.during {
			return false
		}
		if e.follows(q, o.time) {
			e.edgeOf(q.steps[0], o.time+q.during)
			return true
		}
	}
	return false
}

// follows tells whether the further steps follow a beginning in time.
func (e *evaluator) follows(q *question, begin schemas.Time) bool {
	at := begin
	for _, w := range q.steps[1:] {
		list := e.known(w)
		i := sort.Search(len(list), func(i int) bool { return list[i].time > at })
		if i == len(list) || list[i].time-begin >= q.span {
			return false
		}
		at = list[i].time
	}
	return true
}

// member tells whether the profile is in an audience that the rule names.
func (e *evaluator) member(other int) bool { return e.stage.belongs(e.others[other]) }
