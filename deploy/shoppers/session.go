package shoppers

// place is where a session happens.
type place uint8

const (
	placeOwn place = iota
	placeShared
	placeKiosk
	placeBot
	placeServer // the shop's back end speaks for the person
)

// shape is how a library packs events into a record.
type shape uint8

const (
	shapeSingle shape = iota
	shapeArray
	shapeBatch
)

// visitPlan says who begins a session and why.
type visitPlan struct {
	p     *person
	s     *shopper
	at    int64
	touch *touch // campaign that brought the person, or nil
}

// touch is the campaign that a session comes from.
type touch struct {
	source, medium, name, content string
}

// session is one visit of the web shop or use of the app: a writer of clickstream events that share their context.
type session struct {
	g       *Generator
	p       *person // nil for a crawler
	s       *shopper
	r       rng
	at      int64 // true time of the next event
	place   place
	number  int // of the device, the store of the kiosk, or the crawler
	device  device
	rudder  bool
	shape   shape
	stamped bool // events carry the corrected timestamp
	latency int64
	late    int64
	account bool // events carry the user id
	cart    int  // index of the cart in use, or -1

	anonymous []byte
	user      []byte
	context   []byte  // members of the context that all events share
	set       slotSet // identifiers of the person that all events carry
	path      string
	title     string
	referrer  string

	groupN   int // events in the record that is open
	groupMax int
	stamps   []stamp
	extra    slotSet // further identifiers on the event that is open
	hidden   slotSet // identifiers that the open event lacks
	message  uint64
	kind     kind
	messages uint64
	plain    bool // no placeholder on the event that is opened
	zeroed   bool // the device gives zeros for its id
}

// stamp is a place in the open record where a time is filled in when the record is sent.
type stamp struct {
	offset   int
	received bool
}

// begin prepares the generator's session for a new visit.
func (g *Generator) begin(v visitPlan, where place, number int, r rng) *session {
	s := &g.session
	*s = session{
		g: g, p: v.p, s: v.s, r: r, at: v.at, place: where, number: number, cart: -1,
		anonymous: s.anonymous[:0], user: s.user[:0], context: s.context[:0], stamps: s.stamps[:0],
	}
	s.messages = s.r.next()
	s.rudder = s.r.chance(0.2)
	s.stamped = s.r.chance(0.5)
	s.latency = s.r.between(20, 250)
	switch where {
	case placeOwn:
		s.device = v.p.devices[number]
		s.anonymous = v.p.append(s.anonymous, s.anonymousSlot())
		s.set = setOf(s.anonymousSlot())
		if _, s.zeroed = g.fills(s.messages); s.device.app && !s.zeroed {
			s.set |= setOf(slotDevice + slot(number))
		}
		s.zeroed = s.zeroed && s.device.app
	case placeShared:
		s.device = device{form: formTablet, seed: mix(g.cfg.Seed, 1<<43+uint64(v.p.household))}
		s.anonymous = g.appendShared(s.anonymous, v.p.household)
		g.book.households[v.p.household] = true
	case placeKiosk:
		s.device = device{form: formTablet, seed: mix(g.cfg.Seed, 1<<44+uint64(number))}
		s.anonymous = appendKiosk(s.anonymous, number)
		g.book.kiosks[number] = true
	case placeBot:
		s.device = device{form: formLaptop, seed: mix(g.cfg.Seed, 1<<45+uint64(number))}
		s.anonymous = g.appendBot(s.anonymous, number)
		g.book.bots[number] = true
	}
	s.pack()
	if g.session.device.skew != 0 {
		g.book.skewed++
	}
	if where != placeServer && s.r.chance(g.cfg.LateShare) {
		s.late = lateness(&s.r)
	}
	s.writeContext(v.touch)
	return s
}

// pack chooses the shape of the session's records. Only single events and arrays carry all the times
// from which a wrong clock can be corrected.
func (s *session) pack() {
	choice := s.r.float()
	switch {
	case s.device.app && choice < 0.4 || choice < 0.15:
		s.shape, s.groupMax = shapeBatch, 2+s.r.below(5)
	case choice > 0.9:
		s.shape, s.groupMax = shapeArray, 2+s.r.below(4)
	default:
		s.shape, s.groupMax = shapeSingle, 1
	}
	if s.shape == shapeBatch && s.device.skew != 0 {
		s.shape = shapeArray
	}
}

func (s *session) anonymousSlot() slot {
	return anonymousSlot(s.number, s.s.generation[s.number])
}

// logIn makes the following events carry the user id.
func (s *session) logIn() {
	s.account = true
	s.user = s.p.append(s.user[:0], slotUser)
	s.set |= setOf(slotUser)
	if s.place == placeOwn {
		s.s.loggedIn |= 1 << s.number
	}
}

// logOut makes the following events anonymous again.
func (s *session) logOut() {
	s.account = false
	s.user = s.user[:0]
	s.set &^= setOf(slotUser)
	if s.place == placeOwn {
		s.s.loggedIn &^= 1 << s.number
	}
}

// pause lets time pass between two events.
func (s *session) pause(meanSeconds float64) {
	s.at += 700 + int64(s.r.exponential(meanSeconds)*1000)
}

// open begins an event. typ is the Segment call, name the event of a track call or the name of a page.
func (s *session) open(k kind, typ, name string) *writer {
	w := &s.g.w
	if s.groupN == 0 {
		w.b = w.b[:0]
		s.stamps = s.stamps[:0]
		switch s.shape {
		case shapeArray:
			w.raw("[")
		case shapeBatch:
			w.raw(`{"batch":[`)
		}
	} else {
		w.raw(",")
	}
	s.kind, s.extra, s.hidden = k, 0, 0
	s.messages++
	s.message = mix(s.messages, 3)
	w.raw(`{"type":"`)
	w.raw(typ)
	if name != "" && typ == "track" {
		w.raw(`","event":`)
		w.str(name)
	} else if name != "" {
		w.raw(`","name":`)
		w.str(name)
	} else {
		w.raw(`"`)
	}
	w.raw(`,"messageId":"`)
	w.uuid(s.message)
	w.raw(`"`)
	s.writeIdentity(w)
	s.writeTimes(w)
	return w
}

// writeIdentity writes who acts, and now and then a value that means nobody in place of one that means somebody.
func (s *session) writeIdentity(w *writer) {
	placeholder := s.p != nil && !s.plain && s.r.chance(s.g.cfg.PlaceholderShare)
	if placeholder {
		s.g.book.placeholder++
	}
	switch {
	case s.place == placeServer && s.account:
	case placeholder && s.account:
		s.hidden = s.set &^ setOf(slotUser)
		for i := range devicesMax {
			s.hidden &^= setOf(slotDevice + slot(i))
		}
		s.writePlaceholder(w, "anonymous_id", "anonymousId", "00000000-0000-0000-0000-000000000000")
	default:
		w.raw(`,"anonymousId":"`)
		w.b = append(w.b, s.anonymous...)
		w.raw(`"`)
	}
	switch {
	case s.account:
		w.raw(`,"userId":"`)
		w.b = append(w.b, s.user...)
		w.raw(`"`)
	case placeholder:
		s.writePlaceholder(w, "user_id", "userId", [3]string{"null", "undefined", "anonymous"}[s.r.below(3)])
	}
	if s.rudder {
		w.raw(`,"rudderId":"`)
		w.uuid(mix(s.device.seed, 9))
		if s.device.app {
			w.raw(`","channel":"mobile"`)
		} else {
			w.raw(`","channel":"web"`)
		}
	}
}

func (s *session) writePlaceholder(w *writer, namespace, field, value string) {
	s.g.book.placeholders[[2]string{namespace, value}] = true
	w.raw(`,"`)
	w.raw(field)
	w.raw(`":"`)
	w.raw(value)
	w.raw(`"`)
}

// writeTimes writes the times as the device saw them; those of sending are filled in by flush.
func (s *session) writeTimes(w *writer) {
	if s.shape == shapeBatch {
		w.raw(`,"timestamp":`)
		w.iso(s.at)
		return
	}
	w.raw(`,"originalTimestamp":`)
	w.iso(s.at + s.device.skew)
	s.stamp(w, `,"sentAt":"`, false)
	s.stamp(w, `,"receivedAt":"`, true)
	if s.stamped {
		w.raw(`,"timestamp":`)
		w.iso(s.at + s.latency)
	}
}

func (s *session) stamp(w *writer, field string, received bool) {
	w.raw(field)
	s.stamps = append(s.stamps, stamp{len(w.b), received})
	w.raw(`0000-00-00T00:00:00.000Z"`)
}

// properties opens the properties of the event.
func (s *session) properties(w *writer) {
	s.writePage(w)
	w.raw(`,"properties":{`)
}

// traits opens the traits of the event.
func (s *session) traits(w *writer) {
	s.writePage(w)
	w.raw(`,"traits":{`)
}

// close ends the event and sends the record when it is full.
func (s *session) close(end string) {
	w := &s.g.w
	w.raw(end)
	var id [36]byte
	set := s.set&^s.hidden | s.extra
	s.g.happened(s.kind, hashString(appendUUID(id[:0], s.message)), s.p, set)
	if s.zeroed {
		s.g.book.fillers++
	}
	switch s.place {
	case placeShared:
		s.g.book.shared++
	case placeKiosk:
		s.g.book.kiosk++
	case placeBot:
		s.g.book.bot++
	}
	s.groupN++
	if s.groupN >= s.groupMax {
		s.flush()
	}
}

// flush sends the open record.
func (s *session) flush() {
	if s.groupN == 0 {
		return
	}
	w := &s.g.w
	sent := s.at + s.r.between(50, 1500) + s.late
	switch s.shape {
	case shapeArray:
		w.raw("]")
	case shapeBatch:
		w.raw(`]`)
		s.stamp(w, `,"sentAt":"`, false)
		w.raw(`}`)
	}
	for _, mark := range s.stamps {
		at := sent + s.device.skew
		if mark.received {
			at = sent + s.latency
		}
		appendISO(w.b[mark.offset:mark.offset], at)
	}
	events := s.groupN
	s.groupN = 0
	s.g.post(parcel{
		topic: TopicClickstream, key: s.anonymous, at: sent + s.latency, events: events, late: s.late > 0, timed: true,
	}, &s.r)
}
