package score

import (
	"github.com/dchest/siphash"

	"github.com/seamline/seamline/schemas"
)

// session is the last two sessions of one device.
type session struct {
	id, previousID             uint64
	start, end                 schemas.Time
	previousStart, previousEnd schemas.Time
	unsaved                    bool
}

// sessionize gives a web or app event its session: that of its device, as long as the silence before it is short enough. It tells whether
// a session began.
func (s *Stage) sessionize(e *schemas.Event, l *leaf) (began bool) {
	gap := schemas.Span(s.cfg.SessionGap)
	key := s.deviceKey(e)
	at := s.sessions.Ref(key)
	switch {
	case at != nil && e.Time >= at.start-gap && e.Time <= at.end+gap:
		at.start, at.end = min(at.start, e.Time), max(at.end, e.Time)
		e.SessionID = at.id
	case at != nil && e.Time < at.start:
		if at.previousID == 0 || e.Time < at.previousStart-gap || e.Time > at.previousEnd+gap {
			// Later than two sessions: a session of its own, which the next late event of the same time finds again.
			e.SessionID = sessionID(key, e.Time-e.Time%gap)
			return false
		}
		at.previousStart, at.previousEnd = min(at.previousStart, e.Time), max(at.previousEnd, e.Time)
		e.SessionID = at.previousID
	default:
		if at == nil {
			s.sessions.Put(key, session{})
			at = s.sessions.Ref(key)
		}
		at.previousID, at.previousStart, at.previousEnd = at.id, at.start, at.end
		at.id, at.start, at.end = sessionID(key, e.Time), e.Time, e.Time
		e.SessionID = at.id
		l.sessions++
		began = true
	}
	if !at.unsaved {
		at.unsaved = true
		s.unsaved.sessions = append(s.unsaved.sessions, key)
	}
	if e.Time >= l.sessionStart {
		l.lastSession, l.sessionStart = e.SessionID, e.Time
	}
	return began
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
