package score

import (
	"cmp"
	"slices"

	"github.com/seamline/seamline/schemas"
)

// visit is a stay on one channel with one device: a session on web or app, a time in a store, an answer to a message. Two visits of a leaf
// with the same device on the same channel are further apart than the channel's gap, whatever the order in which their events came.
type visit struct {
	device     uint64 // 0 where there is none to tell apart
	start, end schemas.Time
	channel    schemas.Channel
}

// visitNode is a visit in the ledger of a leaf behind the latest one, which stands in the leaf; later ones come first.
type visitNode struct {
	visit
	next uint32 // an earlier visit; 0 for none
}

// visitsMax bounds a leaf's ledger of visits. The oldest fall out first; they stay counted, but what came between them is forgotten.
const visitsMax = 24

// isSession tells whether a visit counts as a session.
func (v *visit) isSession() bool {
	return v.channel == schemas.ChannelWeb || v.channel == schemas.ChannelApp
}

// touches tells whether an event at a time belongs to the visit.
func (v *visit) touches(device uint64, c schemas.Channel, at, gap schemas.Time) bool {
	return v.device == device && v.channel == c && at >= v.start-gap && at <= v.end+gap
}

// compareVisits orders visits by start; the rest only makes the order total.
func compareVisits(a, b *visit) int {
	switch {
	case a.start != b.start:
		return cmp.Compare(a.start, b.start)
	case a.device != b.device:
		return cmp.Compare(a.device, b.device)
	}
	return cmp.Compare(a.channel, b.channel)
}

// visit adds an event to a leaf's ledger. It tells whether the number of sessions is another than before.
func (s *Stage) visit(l *leaf, device uint64, e *schemas.Event) (counts bool) {
	gap, before := s.gap(e.Channel), l.sessions+l.sessionsGone
	// Nearly all events belong to the latest visit, and do not come late.
	if l.visitCount > 0 {
		if v := &l.visit; v.touches(device, e.Channel, e.Time, gap) && e.Time >= v.start {
			if e.Time > v.end {
				v.end = e.Time
				s.changeVisits(l, e.Leaf)
			}
			return false
		}
		l.visits = s.newVisit(visitNode{visit: l.visit, next: l.visits})
	}
	v := visit{device: device, channel: e.Channel, start: e.Time, end: e.Time}
	for at := &l.visits; *at != 0; {
		i := *at
		n := s.visits.At(i)
		if !n.touches(device, e.Channel, e.Time, gap) {
			if n.device == device && n.channel == e.Channel && n.end+gap < e.Time {
				break // those of the device on the channel that began before ended before as well
			}
			at = &n.next
			continue
		}
		v.start, v.end = min(v.start, n.start), max(v.end, n.end)
		*at = n.next
		s.freeVisit(i)
		l.uncount(&v)
	}
	s.addVisit(l, v)
	s.changeVisits(l, e.Leaf)
	first := l.visits
	l.visit, l.visits = s.visits.At(first).visit, s.visits.At(first).next
	s.freeVisit(first)
	return l.sessions+l.sessionsGone != before
}

// newVisit makes a node.
func (s *Stage) newVisit(n visitNode) uint32 {
	i := s.visitFree
	if i == 0 {
		return s.visits.Append(n)
	}
	unused := s.visits.At(i)
	s.visitFree, *unused = unused.next, n
	return i
}

// appendVisitsOf appends a leaf's ledger, latest visit first.
func (s *Stage) appendVisitsOf(list []visit, l *leaf) []visit {
	if l.visitCount == 0 {
		return list
	}
	list = append(list, l.visit)
	for i := l.visits; i != 0; {
		n := s.visits.At(i)
		list = append(list, n.visit)
		i = n.next
	}
	return list
}

func (l *leaf) uncount(v *visit) {
	l.visitCount--
	if v.isSession() {
		l.sessions--
	}
}

// addVisit puts a visit into its place in the list, which holds the latest one as well meanwhile.
func (s *Stage) addVisit(l *leaf, v visit) {
	at := &l.visits
	for *at != 0 {
		n := s.visits.At(*at)
		if compareVisits(&n.visit, &v) <= 0 {
			break
		}
		at = &n.next
	}
	*at = s.newVisit(visitNode{visit: v, next: *at})
	if v.isSession() {
		l.sessions++
	}
	if l.visitCount++; l.visitCount > visitsMax {
		s.dropVisit(l)
	}
}

// dropVisit takes the oldest visit out of a ledger, and leaves it counted.
func (s *Stage) dropVisit(l *leaf) {
	at := &l.visits
	for s.visits.At(*at).next != 0 {
		at = &s.visits.At(*at).next
	}
	if s.visits.At(*at).isSession() {
		l.sessionsGone++
		l.sessions--
	}
	s.freeVisit(*at)
	*at = 0
	l.visitCount--
	l.cut |= schemas.BoundVisits
}

func (s *Stage) freeVisit(i uint32) {
	s.visits.At(i).next = s.visitFree
	s.visitFree = i
}

func (s *Stage) changeVisits(l *leaf, i uint32) {
	if !l.visitsUnsaved {
		l.visitsUnsaved = true
		s.unsaved.visits = append(s.unsaved.visits, i)
	}
}

// gap is the silence that ends a visit on a channel.
func (s *Stage) gap(c schemas.Channel) schemas.Time { return s.gaps[c] }

// journeyGap is the silence that ends a journey from channel to channel.
const journeyGap = 7 * schemas.Day

// foldVisits joins the visits of the leaves that were folded, and counts the sessions among them.
func (s *Stage) foldVisits(p *schemas.Profile) {
	f := &s.fold
	f.visits = f.visits[:0]
	holders, counted, gone := 0, uint32(0), uint32(0)
	for _, i := range f.leaves {
		l := s.leaves.At(i)
		gone += l.sessionsGone
		if l.visitCount > 0 {
			holders++
			f.visits = s.appendVisitsOf(f.visits, l)
		}
	}
	if holders > 1 {
		slices.SortFunc(f.visits, func(a, b visit) int { return compareVisits(&a, &b) })
		s.joinVisits()
	} else {
		slices.Reverse(f.visits)
	}
	for i := range f.visits {
		if f.visits[i].isSession() {
			counted++
		}
	}
	p.Sessions = counted + gone
	// One leaf alone would remember no more of them, and people are the same however their history is divided among leaves.
	f.visitsCut = len(f.visits) > visitsMax
	f.visits = f.visits[max(0, len(f.visits)-visitsMax):]
	s.lastSession(p)
}

// joinVisits makes one of visits with the same device on the same channel that no gap divides.
func (s *Stage) joinVisits() {
	f := &s.fold
	joined := f.visits[:0]
next:
	for _, v := range f.visits {
		gap := s.gap(v.channel)
		for i := len(joined) - 1; i >= 0; i-- {
			if before := &joined[i]; before.touches(v.device, v.channel, v.start, gap) {
				before.end = max(before.end, v.end)
				continue next
			}
		}
		joined = append(joined, v)
	}
	f.visits = joined
}

// changes counts in visits sorted by start how often the person went from one device to another within a session's gap, and from one channel
// to another within a journey.
func (s *Stage) changes(visits []visit) (handovers, switches uint32) {
	lastSession := -1
	for i := range visits {
		v := &visits[i]
		if i > 0 && visits[i-1].channel != v.channel && v.start <= visits[i-1].end+journeyGap {
			switches++
		}
		if !v.isSession() {
			continue
		}
		if lastSession >= 0 {
			if before := &visits[lastSession]; before.device != v.device && v.start <= before.end+s.gap(before.channel) {
				handovers++
			}
		}
		lastSession = i
	}
	return handovers, switches
}

// lastSession names the latest of the sessions that were folded.
func (s *Stage) lastSession(p *schemas.Profile) {
	for i := len(s.fold.visits) - 1; i >= 0; i-- {
		if v := &s.fold.visits[i]; v.isSession() {
			p.LastSessionID, p.LastSessionStart = sessionID(v.device, v.start), v.start
			return
		}
	}
}
