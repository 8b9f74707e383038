package score

import (
	"github.com/dchest/siphash"

	"github.com/seamline/seamline/schemas"
)

// span is one session of a device.
type span struct{ start, end schemas.Time }

// spansKept is how many sessions of a device are kept, for events that come late.
const spansKept = 3

// session is the last sessions of one device, latest first.
type session struct {
	spans   [spansKept]span // those with no end are none
	leaf    uint32          // that holds the end of the latest; 0 for none
	unsaved bool
}

// held is the latest session of a device in the leaf that went on with it last: as long as nobody else uses the device, the table of devices
// need not be touched for an event. The table knows the session's true end when it is looked at.
type held struct {
	device uint64 // 0 for none
	span
	id uint64
}

// sessionize gives a web or app event its session: that of its device, as long as the silence before it is short enough. An event that
// comes late may move the start of a session, or join two. The session has another id then, which depends on nothing but the device and
// its true start, and the batch tells what became of the id that events before had.
func (s *Stage) sessionize(b *schemas.Batch, l *leaf, e *schemas.Event, key uint64) {
	gap := s.gap(e.Channel)
	if h := &l.held; h.device == key && e.Time >= h.start && e.Time <= h.end+gap {
		h.end = max(h.end, e.Time)
		e.SessionID = h.id
		if !l.heldUnsaved {
			l.heldUnsaved = true
			s.changeSession(key, s.sessions.Ref(key))
		}
		return
	}
	at := s.sessions.Ref(key)
	if at == nil {
		s.sessions.Put(key, session{})
		at = s.sessions.Ref(key)
	}
	s.release(at)
	if first := &at.spans[0]; first.end == 0 || e.Time > first.end+gap {
		copy(at.spans[1:], at.spans[:spansKept-1])
		at.spans[0] = span{start: e.Time, end: e.Time}
		e.SessionID = sessionID(key, e.Time)
	} else if e.Time >= first.start {
		first.end = max(first.end, e.Time)
		e.SessionID = sessionID(key, first.start)
	} else {
		e.SessionID = s.lateInSession(b, key, at, e.Time, gap)
	}
	s.changeSession(key, at)
	s.hold(l, e, key, at)
}

func (s *Stage) changeSession(key uint64, at *session) {
	if !at.unsaved {
		at.unsaved = true
		s.unsaved.sessions = append(s.unsaved.sessions, key)
	}
}

// hold lets a leaf go on with the latest session of a device, and with no other.
func (s *Stage) hold(l *leaf, e *schemas.Event, key uint64, at *session) {
	if l.held.device != 0 {
		s.release(s.sessions.Ref(l.held.device))
	}
	l.held = held{device: key, span: at.spans[0], id: e.SessionID}
	if e.Time < at.spans[0].start {
		l.held.id = sessionID(key, at.spans[0].start)
	}
	l.heldUnsaved, at.leaf = true, e.Leaf
	s.ahead.guess(key, e.Leaf)
}

// release takes the latest session of a device back from the leaf that held it.
func (s *Stage) release(at *session) {
	if at.leaf != 0 {
		l := s.leaves.At(at.leaf)
		at.spans[0], at.leaf = l.held.span, 0
		l.held, l.heldUnsaved = held{}, false
	}
}

// spansOf gives the sessions of a device as they are now.
func (s *Stage) spansOf(at *session) [spansKept]span {
	spans := at.spans
	if at.leaf != 0 {
		spans[0] = s.leaves.At(at.leaf).held.span
	}
	return spans
}

// lateInSession finds the session of an event before the start of the latest.
func (s *Stage) lateInSession(b *schemas.Batch, key uint64, at *session, t, gap schemas.Time) uint64 {
	joined := span{start: t, end: t}
	var kept [spansKept]span
	n, formers := 0, s.formers[:0]
	last := at.spans[spansKept-1]
	if last.end != 0 && t < last.start-gap {
		// Earlier than all sessions that are kept: a session of its own, which the next late event of the same time finds again.
		return sessionID(key, t-t%gap)
	}
	for _, sp := range at.spans {
		if sp.end == 0 || t < sp.start-gap || t > sp.end+gap {
			kept[n] = sp
			n++
			continue
		}
		joined.start, joined.end = min(joined.start, sp.start), max(joined.end, sp.end)
		formers = append(formers, sp.start)
	}
	s.place3(&kept, n, joined)
	at.spans = kept
	id := sessionID(key, joined.start)
	for _, start := range formers {
		if start != joined.start {
			s.rename(b, sessionID(key, start), id)
		}
	}
	s.formers = formers
	return id
}

// place3 puts a span into its place among those that are kept; of too many the oldest falls out.
func (s *Stage) place3(kept *[spansKept]span, n int, sp span) {
	i := 0
	for i < n && kept[i].end != 0 && kept[i].start > sp.start {
		i++
	}
	if i < spansKept {
		copy(kept[i+1:], kept[i:spansKept-1])
		kept[i] = sp
	}
}

// former is an id that a session had before.
type former struct {
	id   uint64
	next uint32
}

// rename tells that a session has another id, and so have those that became it.
func (s *Stage) rename(b *schemas.Batch, from, to uint64) {
	b.SessionAliases = append(b.SessionAliases, schemas.SessionAlias{SessionID: from, Became: to})
	head, _ := s.renamed.Get(from)
	for i := head; i != 0; i = s.formerIDs.At(i).next {
		b.SessionAliases = append(b.SessionAliases, schemas.SessionAlias{SessionID: s.formerIDs.At(i).id, Became: to})
	}
	s.inherit(from, to)
}

// inherit makes an id, and those that became it, former ids of another.
func (s *Stage) inherit(from, to uint64) {
	head, _ := s.renamed.Get(to)
	head = s.formerIDs.Append(former{id: from, next: head})
	if i, has := s.renamed.Get(from); has {
		s.renamed.Delete(from)
		last := i
		for s.formerIDs.At(last).next != 0 {
			last = s.formerIDs.At(last).next
		}
		s.formerIDs.At(last).next = head
		head = i
		s.unsaved.renamed = append(s.unsaved.renamed, from)
	}
	s.renamed.Put(to, head)
	s.unsaved.renamed = append(s.unsaved.renamed, to)
}

// Prepare gives an event the key of the device that it names: the browser's, else the device's or the kiosk's.
func (s *Stage) Prepare(e *schemas.Event) {
	var device *schemas.Identifier
	for i := range e.Identifiers {
		switch e.Identifiers[i].Namespace {
		case schemas.NamespaceAnonymousID:
			e.Device = hash(schemas.NamespaceAnonymousID, e.Identifiers[i].Value)
			return
		case schemas.NamespaceDeviceID, schemas.NamespaceKioskID:
			device = &e.Identifiers[i]
		}
	}
	if device != nil {
		e.Device = hash(device.Namespace, device.Value)
	}
}

// deviceKey names the device that a session happens on; an event that names none has the person's leaf for one.
func (s *Stage) deviceKey(e *schemas.Event) uint64 {
	if e.Device == 0 {
		s.Prepare(e)
	}
	if e.Device != 0 {
		return e.Device
	}
	return siphash.Hash(hashKey0, hashKey1, []byte{byte(e.Leaf), byte(e.Leaf >> 8), byte(e.Leaf >> 16), byte(e.Leaf >> 24)})
}

func sessionID(key uint64, start schemas.Time) uint64 {
	var b [16]byte
	for i := range 8 {
		b[i], b[8+i] = byte(key>>(8*i)), byte(uint64(start)>>(8*i))
	}
	return max(1, siphash.Hash(hashKey0, hashKey1, b[:]))
}
