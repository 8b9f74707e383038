package stitch

import (
	"fmt"
	"slices"

	"github.com/seamline/seamline/schemas"
)

// oracle folds a history as docs/identity.md says and knows nothing of the engine: it keeps the whole log, and after each entry it
// decides all links again from the start. Identifiers, links and events are numbers in the order in which they were first seen.
type oracle struct {
	rules  *oracleRules
	ids    []*oracleID
	known  map[schemas.Identifier]int // by namespace and normalised value; an erased one is not known
	links  []*oracleLink
	order  []oracleTurn // links and their renewals
	pairs  map[[2]int]*oracleLink
	events []*oracleEvent
	byName map[string]*oracleEvent
	group  []int // of each identifier: the oldest identifier of its group
	spaces []oracleSpace
	stale  bool      // something changed since the last fold
	barred [2]string // keys of a pair whose link never carries
}

// oracleSpace is a namespace that has identifiers, and their limit.
type oracleSpace struct {
	namespace string
	limit     int
}

type oracleID struct {
	schemas.Identifier
	key         string // namespace=value, and from the second identifier of an erased value on #2
	rule        *oracleNamespace
	first       schemas.Time // of its first event in the log
	quarantined bool
	released    bool
	erased      bool
	founded     bool // it had a profile of its own
	claims      []oracleClaim
	sights      []oracleSight
	sessions    []schemas.Time // of kiosks: when each began
	last        schemas.Time   // of kiosks: when it was last used
	firstWith   *oracleEvent   // of resolving evidence
}

func (i *oracleID) linkable() bool { return i.rule.Class == "personal" || i.rule.Class == "shared" }

// oracleClaim is a hand: from the event time on, the head has the identifier.
type oracleClaim struct {
	head int
	at   schemas.Time
}

type oracleSight struct {
	other int // a user_id or an e-mail
	day   schemas.Time
}

type oracleLink struct {
	head, other int          // as in the first evidence
	at          schemas.Time // of the first evidence
	renewed     schemas.Time // at the first evidence or the last renewal
	retracted   bool
	forbidden   bool
	decision    string // linked, refused, lent or out
}

// oracleTurn is a place in the order of links: a link's first evidence, or a renewal.
type oracleTurn struct {
	link *oracleLink
	at   schemas.Time
}

// oracleEvent is where an event belongs, as far as the log told when the event came.
type oracleEvent struct {
	name    string
	ids     []int         // by priority
	head    int           // -1 for none
	claims  []oracleClaim // of the head at the event's time, the last one last
	session string        // of a kiosk
	same    *oracleEvent  // through evidence: it belongs to whom this one belongs to
}

func newOracle(rules *oracleRules) *oracle {
	return &oracle{rules: rules, known: map[schemas.Identifier]int{}, pairs: map[[2]int]*oracleLink{}, byName: map[string]*oracleEvent{}}
}

// read takes the next entry of the log.
func (o *oracle) read(e *storyEntry) {
	if e.command.Kind != schemas.CommandNone {
		o.command(e)
	} else {
		ev := o.event(e)
		o.fold()
		o.learn(ev, e.at)
	}
	o.fold()
}

// event is rules 1, 2, 3 and 7.
func (o *oracle) event(e *storyEntry) *oracleEvent {
	ev := &oracleEvent{name: e.name, ids: o.sorted(e), head: -1}
	for _, i := range ev.ids {
		if o.ids[i].linkable() && (ev.head < 0 || o.ids[ev.head].quarantined && !o.ids[i].quarantined) {
			ev.head = i
		}
	}
	if ev.head < 0 {
		o.loner(ev, e.at)
	} else {
		for _, i := range ev.ids {
			if i != ev.head && o.ids[i].linkable() {
				o.link(ev.head, i, e.at)
			}
		}
		for _, c := range o.ids[ev.head].claims {
			if c.at <= e.at {
				ev.claims = append(ev.claims, c)
			}
		}
	}
	for _, i := range ev.ids {
		id := o.ids[i]
		if id.rule.Class == "kiosk" {
			id.last = max(id.last, e.at)
		}
		if id.rule.Resolves && id.firstWith == nil && (ev.head >= 0 || ev.session != "" || ev.same != nil) {
			id.firstWith = ev
		}
	}
	o.events = append(o.events, ev)
	o.byName[ev.name] = ev
	return ev
}

// sorted gives the identifiers of an event by priority, and new ones their place in the order.
func (o *oracle) sorted(e *storyEntry) []int {
	var forms []oracleForm
	for _, raw := range e.ids {
		form, ok := o.rules.form(raw)
		if ok && !slices.ContainsFunc(forms, func(f oracleForm) bool { return f.Identifier == form.Identifier }) {
			forms = append(forms, form)
		}
	}
	slices.SortStableFunc(forms, func(a, b oracleForm) int { return a.rule.Priority - b.rule.Priority })
	var out []int
	for _, f := range forms {
		i, known := o.known[f.Identifier]
		if !known {
			i = len(o.ids)
			o.known[f.Identifier] = i
			o.ids = append(o.ids, &oracleID{Identifier: f.Identifier, key: o.keyOf(f.Identifier), rule: f.rule, first: e.at, last: e.at})
			if space := (oracleSpace{f.Namespace, f.rule.Limit}); o.ids[i].linkable() && f.rule.Limit > 0 && !slices.Contains(o.spaces, space) {
				o.spaces = append(o.spaces, space)
			}
			o.stale = true
		}
		out = append(out, i)
	}
	return out
}

// keyOf names a new identifier.
func (o *oracle) keyOf(id schemas.Identifier) string {
	count := 1
	for _, other := range o.ids {
		if other.Identifier == id {
			count++
		}
	}
	if count > 1 {
		return fmt.Sprintf("%s=%s#%d", id.Namespace, id.Value, count)
	}
	return id.Namespace + "=" + id.Value
}

// loner is an event without a linkable identifier. A kiosk's session ends when nobody used it for 30 minutes.
func (o *oracle) loner(ev *oracleEvent, at schemas.Time) {
	for _, i := range ev.ids {
		if k := o.ids[i]; k.rule.Class == "kiosk" {
			if len(k.sessions) == 0 || at-k.last > 30*schemas.Minute {
				k.sessions = append(k.sessions, at)
			}
			n := len(k.sessions)
			for n > 1 && k.sessions[n-1] > at {
				n--
			}
			ev.session = fmt.Sprint(k.key, " session ", n)
			return
		}
	}
	for _, i := range ev.ids {
		if id := o.ids[i]; id.rule.Resolves && id.firstWith != nil {
			ev.same = id.firstWith
			return
		}
	}
}

// link makes the link of a pair, or brings a retracted one back, and notes the claim.
func (o *oracle) link(head, other int, at schemas.Time) {
	l := o.pairs[pairOf(head, other)]
	if l == nil {
		l = &oracleLink{head: head, other: other, at: at, renewed: at}
		l.forbidden = o.isBarred(l)
		o.order = append(o.order, oracleTurn{l, at})
		o.pairs[pairOf(head, other)] = l
		o.links = append(o.links, l)
		o.stale = true
	} else if window := o.window(l); window > 0 && at >= l.renewed+window {
		l.renewed = at
		o.order = append(o.order, oracleTurn{l, at})
		o.stale = true
	}
	o.stale = o.stale || l.retracted
	l.retracted = false
	if c := o.ids[other]; c.rule.Class == "shared" {
		c.claim(head, at)
	}
}

// window gives the shorter window of the two ends, 0 for none.
func (o *oracle) window(l *oracleLink) schemas.Time {
	a, b := o.ids[l.head].rule.within, o.ids[l.other].rule.within
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}

func (o *oracle) isBarred(l *oracleLink) bool {
	return o.barred == [2]string{o.ids[l.head].key, o.ids[l.other].key}
}

func pairOf(a, b int) [2]int { return [2]int{min(a, b), max(a, b)} }

// oracleClaimsMax is how many claims an identifier keeps.
const oracleClaimsMax = 256

func (i *oracleID) claim(head int, at schemas.Time) {
	place := len(i.claims)
	for place > 0 && i.claims[place-1].at > at {
		place--
	}
	switch {
	case place > 0 && i.claims[place-1].head == head:
	case place < len(i.claims) && i.claims[place].head == head:
		i.claims[place].at = at
	default:
		i.claims = slices.Insert(i.claims, place, oracleClaim{head, at})
	}
	if len(i.claims) > oracleClaimsMax {
		i.claims = i.claims[1:]
	}
}

// fold is rules 4, 5, 6 and 8.
func (o *oracle) fold() {
	if !o.stale {
		return
	}
	o.stale = false
	o.group = o.group[:0]
	for i := range o.ids {
		o.group = append(o.group, i)
	}
	for _, l := range o.links {
		l.decision = "out"
	}
	for _, turn := range o.order {
		if o.inForce(turn.link) && turn.link.decision != "linked" {
			turn.link.decision = "out"
			o.decide(turn.link, turn.at)
		}
	}
	for i, id := range o.ids {
		id.founded = id.founded || o.group[i] == i
	}
}

func (o *oracle) inForce(l *oracleLink) bool {
	a, b := o.ids[l.head], o.ids[l.other]
	return !l.retracted && !l.forbidden && !a.quarantined && !b.quarantined && !a.erased && !b.erased
}

func (o *oracle) decide(l *oracleLink, at schemas.Time) {
	from, to := o.group[l.head], o.group[l.other]
	switch {
	case from == to:
		l.decision = "linked"
	case o.breaksLinkLimit(l) || o.breaksLimit(l, at):
		l.decision = "refused"
		c := o.ids[l.other]
		if c.rule.Class == "shared" && (c.rule.Limit == 0 || o.values(from, c.Namespace, at) < c.rule.Limit) {
			l.decision = "lent"
		}
	default:
		l.decision = "linked"
		for i, g := range o.group {
			if g == from || g == to {
				o.group[i] = min(from, to)
			}
		}
	}
}

// values counts the values of a namespace in a group, among which are the identifiers lent to it.
func (o *oracle) values(group int, namespace string, at schemas.Time) (count int) {
	counts := func(i int) bool {
		id := o.ids[i]
		return id.Namespace == namespace && id.linkable() && (id.rule.within == 0 || id.first >= at-id.rule.within)
	}
	for i, g := range o.group {
		if g == group && counts(i) {
			count++
		}
	}
	for _, l := range o.links {
		if l.decision == "lent" && o.group[l.head] == group && counts(l.other) {
			count++
		}
	}
	return count
}

func (o *oracle) breaksLimit(l *oracleLink, at schemas.Time) bool {
	for _, s := range o.spaces {
		a, b := o.values(o.group[l.head], s.namespace, at), o.values(o.group[l.other], s.namespace, at)
		if a > 0 && b > 0 && a+b > s.limit {
			return true
		}
	}
	return false
}

func (o *oracle) breaksLinkLimit(l *oracleLink) bool {
	for _, limit := range o.rules.Links {
		for _, ends := range [][2]int{{l.head, l.other}, {l.other, l.head}} {
			if o.ids[ends[0]].Namespace == limit.Of && o.ids[ends[1]].Namespace == limit.To && o.linked(ends[0], limit.To) >= limit.Limit {
				return true
			}
		}
	}
	return false
}

// linked counts the links of an identifier with a namespace that hold.
func (o *oracle) linked(of int, to string) (count int) {
	for _, l := range o.links {
		if l.decision == "linked" && (l.head == of && o.ids[l.other].Namespace == to || l.other == of && o.ids[l.head].Namespace == to) {
			count++
		}
	}
	return count
}

// hands gives the group that has an identifier after some claims.
func (o *oracle) hands(i int, claims []oracleClaim) int {
	for _, c := range slices.Backward(claims) {
		if l := o.pairs[pairOf(i, c.head)]; l.decision == "linked" || l.decision == "lent" && l.other == i {
			return o.group[c.head]
		}
	}
	return o.group[i]
}

// holder gives the oldest identifier of the group that has an identifier now.
func (o *oracle) holder(i int) int {
	if o.ids[i].rule.Class == "shared" {
		return o.hands(i, o.ids[i].claims)
	}
	return o.group[i]
}

// person names whom an event belongs to now: the oldest identifier of the group, or a session of a kiosk, or nobody.
func (o *oracle) person(ev *oracleEvent) string {
	switch {
	case ev.same != nil:
		return o.person(ev.same)
	case ev.session != "" || ev.head < 0:
		return ev.session
	case o.ids[ev.head].rule.Class == "shared" && o.ids[ev.head].rule.History == "moves":
		return o.ids[o.hands(ev.head, o.ids[ev.head].claims)].key
	case o.ids[ev.head].rule.Class == "shared":
		return o.ids[o.hands(ev.head, ev.claims)].key
	}
	return o.ids[o.group[ev.head]].key
}
