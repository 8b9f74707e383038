package score

import (
	"encoding/binary"
	"errors"
	"slices"

	"github.com/seamline/seamline/schemas"
)

// unsaved lists what changed since the last Save, each entry once: it is marked where it is kept.
type unsaved struct {
	leaves, orders, carts, journeys           []uint32
	visits, tastes, stays                     []uint32 // leaves
	standings, accounts, products, companions []uint32
	words                                     []uint32
	sessions, cases, pairs, renamed           []uint64
	models                                    bool
}

// Kinds of stored entry, the first byte of each key.
const (
	keySKU        = 'a'
	keyLeaf       = 'b'
	keyOrder      = 'c'
	keyCart       = 'd'
	keySessionOld = 'e'
	keyJourney    = 'f'
	keyWord       = 'g'
	keyVisits     = 'h'
	keySession    = 'i'
	keyTaste      = 'j'
	keyStay       = 'k'
	keyCase       = 'l'
	keyModels     = 'm'
	keyStanding   = 'n'
	keyAccount    = 'o'
	keyProduct    = 'p'
	keyPair       = 'q'
	keyCompanions = 'r'
	keyWordStats  = 's'
	keyCounters   = 't'
	keyLearner    = 'u'
	keyRenamed    = 'v'
)

var errEntry = errors.New("an entry of the score state is damaged")

// Save writes what changed since the last Save, kind by kind in the order of their keys. Where it fails, the next Save writes all of it
// again.
func (s *Stage) Save(w schemas.StateWriter) error {
	u := &s.unsaved
	put := putter{w: w}
	s.skus.save(&put, keySKU)
	list32(&put, keyLeaf, u.leaves, func(b []byte, i uint32) []byte { return appendLeaf(b, s.leaves.At(i)) })
	list32(&put, keyOrder, u.orders, func(b []byte, i uint32) []byte { return appendOrder(b, s.orders.At(i)) })
	list32(&put, keyCart, u.carts, func(b []byte, i uint32) []byte { return s.appendCart(b, s.leaves.At(i)) })
	list32(&put, keyJourney, u.journeys, func(b []byte, i uint32) []byte {
		j := s.journeys.At(i)
		b = append(binary.AppendVarint(append(b, byte(j.stage)), int64(j.since)), byte(j.reason))
		return binary.AppendUvarint(b, uint64(j.account))
	})
	s.words.save(&put, keyWord)
	list32(&put, keyVisits, u.visits, func(b []byte, i uint32) []byte { return s.appendVisits(b, s.leaves.At(i)) })
	list64(&put, keySession, u.sessions, func(b []byte, k uint64) []byte { return appendSession(b, s.spansOf(s.sessions.Ref(k))) })
	list32(&put, keyTaste, u.tastes, func(b []byte, i uint32) []byte { return s.appendTaste(b, s.leaves.At(i)) })
	list32(&put, keyStay, u.stays, func(b []byte, i uint32) []byte { return s.appendStay(b, &s.leaves.At(i).stay) })
	list64(&put, keyCase, u.cases, func(b []byte, k uint64) []byte { return appendCase(b, s.cases.Ref(k)) })
	if u.models {
		put.entry32(keyModels, 0, s.appendModels(put.value[:0]))
	}
	s.savePopulation(&put)
	if put.failed == nil {
		s.saved()
	}
	return put.failed
}

// list32 puts an entry for each of some numbers, in their order. One that is listed twice is put once.
func list32(put *putter, kind byte, list []uint32, value func(b []byte, i uint32) []byte) {
	slices.Sort(list)
	for n, i := range list {
		if n == 0 || list[n-1] != i {
			put.entry32(kind, i, value(put.value[:0], i))
		}
	}
}

// list64 puts an entry for each of some keys, in their order. One that is listed twice is put once.
func list64(put *putter, kind byte, list []uint64, value func(b []byte, k uint64) []byte) {
	slices.Sort(list)
	for n, k := range list {
		if n > 0 && list[n-1] == k {
			continue
		}
		put.key = binary.BigEndian.AppendUint64(append(put.key[:0], kind), k)
		put.entry(value(put.value[:0], k))
	}
}

// save writes the words that are new.
func (x *lexicon) save(put *putter, kind byte) {
	for i := x.saved; i < len(x.words); i++ {
		put.entry32(kind, uint32(i), append(put.value[:0], x.words[i]...))
	}
}

// cool keeps the ceiling of memory in a walk over what changed. What fails here fails at the next moment as well, and is told there.
func (s *Stage) cool(n int) {
	if n%coolEvery == 0 {
		_ = s.space.Cool()
	}
}

// saved empties the lists of what must be saved.
func (s *Stage) saved() {
	u := &s.unsaved
	for n, i := range u.leaves {
		s.cool(n)
		s.leaves.At(i).unsaved = false
	}
	for n, i := range u.orders {
		s.cool(n)
		s.orders.At(i).unsaved = false
	}
	for n, i := range u.carts {
		s.cool(n)
		s.leaves.At(i).cartUnsaved = false
	}
	for n, i := range u.visits {
		s.cool(n)
		s.leaves.At(i).visitsUnsaved = false
	}
	for n, i := range u.tastes {
		s.cool(n)
		s.leaves.At(i).tastesUnsaved = false
	}
	for n, i := range u.stays {
		s.cool(n)
		s.leaves.At(i).stay.unsaved = false
	}
	for n, k := range u.sessions {
		s.cool(n)
		at := s.sessions.Ref(k)
		if at.unsaved = false; at.leaf != 0 {
			s.leaves.At(at.leaf).heldUnsaved = false
		}
	}
	for n, k := range u.cases {
		s.cool(n)
		s.cases.Ref(k).unsaved = false
	}
	for n, i := range u.journeys {
		s.cool(n)
		s.journeys.At(i).unsaved = false
	}
	s.savedPopulation()
	s.skus.saved, s.words.saved = len(s.skus.words), len(s.words.words)
	*u = unsaved{leaves: u.leaves[:0], orders: u.orders[:0], carts: u.carts[:0], journeys: u.journeys[:0], visits: u.visits[:0],
		tastes: u.tastes[:0], stays: u.stays[:0], standings: u.standings[:0], accounts: u.accounts[:0], products: u.products[:0],
		companions: u.companions[:0], words: u.words[:0], sessions: u.sessions[:0], cases: u.cases[:0], pairs: u.pairs[:0], renamed: u.renamed[:0]}
}

// putter puts entries until one fails, and uses its memory again.
type putter struct {
	w          schemas.StateWriter
	key, value []byte
	failed     error
}

func (p *putter) entry32(kind byte, i uint32, value []byte) {
	p.key = binary.BigEndian.AppendUint32(append(p.key[:0], kind), i)
	p.entry(value)
}

func (p *putter) entry(value []byte) {
	p.value = value
	if p.failed == nil {
		p.failed = p.w.Put(p.key, value)
	}
}

// leafMark tells that a stored leaf has all that this build keeps: it stands beside the channels that are present.
const leafMark = 1 << 15

// leafCountry tells that a country follows the fields that every leaf has.
const leafCountry = 1 << 14

// cutShift is where what something fell out of stands beside them.
const cutShift = 16

func appendLeaf(b []byte, l *leaf) []byte {
	present := leafMark | uint64(l.cut)<<cutShift
	for c := range l.channels {
		if l.channels[c].events > 0 {
			present |= 1 << c
		}
	}
	if l.country != 0 {
		present |= leafCountry
	}
	b = binary.AppendUvarint(b, present)
	for c := range l.channels {
		if at := &l.channels[c]; at.events > 0 {
			b = binary.AppendUvarint(b, uint64(at.events))
			b = binary.AppendVarint(b, int64(at.first))
			b = binary.AppendVarint(b, int64(at.last-at.first))
		}
	}
	for _, n := range l.counters() {
		b = binary.AppendUvarint(b, uint64(*n))
	}
	for _, n := range l.small() {
		b = binary.AppendUvarint(b, uint64(*n))
	}
	for _, t := range l.times() {
		b = binary.AppendVarint(b, int64(*t))
	}
	b = binary.AppendVarint(binary.AppendVarint(b, l.refunds), l.readingMS)
	if l.country != 0 {
		b = binary.AppendVarint(binary.AppendUvarint(b, uint64(l.country)), int64(l.countryAt))
	}
	return b
}

// small and times list further fields in the order in which they are stored.
func (l *leaf) small() [5]*uint32 {
	return [...]*uint32{&l.sessionsGone, &l.productViews, &l.searches, &l.readingPages, &l.account}
}

func (l *leaf) times() [4]*schemas.Time {
	return [...]*schemas.Time{&l.checkout, &l.email.lastOpen, &l.email.lastClick, &l.accountAt}
}

// counters lists the e-mail counters in the order in which they are stored.
func (l *leaf) counters() [9]*uint32 {
	e := &l.email
	return [...]*uint32{&e.sent, &e.delivered, &e.opens, &e.machineOpens, &e.clicks, &e.machineClicks, &e.bounces, &e.unsubscribes, &e.complaints}
}

func decodeLeaf(v []byte, l *leaf) error {
	r := reader{b: v}
	present := r.uvarint()
	for c := range l.channels {
		if present&(1<<c) != 0 {
			at := &l.channels[c]
			at.events = uint32(r.uvarint())
			at.first = schemas.Time(r.varint())
			at.last = at.first + schemas.Time(r.varint())
		}
	}
	l.cut = schemas.Bounds(present >> cutShift)
	for _, n := range l.counters() {
		*n = uint32(r.uvarint())
	}
	if present&leafMark == 0 {
		return l.decodeOld(&r)
	}
	for _, n := range l.small() {
		*n = uint32(r.uvarint())
	}
	for _, t := range l.times() {
		*t = schemas.Time(r.varint())
	}
	l.refunds, l.readingMS = r.varint(), r.varint()
	if present&leafCountry != 0 {
		l.country, l.countryAt = country(r.uvarint()), schemas.Time(r.varint())
		if l.country.String() == "" {
			return errEntry
		}
	}
	return r.end()
}

// decodeOld reads the rest of a leaf that the build before wrote. Of its sessions only the number is known.
func (l *leaf) decodeOld(r *reader) error {
	r.uvarint() // the latest session
	for _, n := range []*uint32{&l.sessionsGone, &l.productViews, &l.searches} {
		*n = uint32(r.uvarint())
	}
	r.varint() // when that was
	for _, t := range []*schemas.Time{&l.checkout, &l.email.lastOpen, &l.email.lastClick} {
		*t = schemas.Time(r.varint())
	}
	l.refunds = r.varint()
	return r.end()
}

func appendOrder(b []byte, o *order) []byte {
	b = binary.LittleEndian.AppendUint64(b, o.key)
	b = binary.AppendUvarint(b, uint64(o.leaf))
	b = binary.AppendUvarint(b, uint64(o.currency))
	for _, n := range []int64{int64(o.time), o.version, int64(o.amount), int64(o.refunded)} {
		b = binary.AppendVarint(b, n)
	}
	flags := byte(0)
	for bit, set := range []bool{o.sold, o.void, o.returned} {
		if set {
			flags |= 1 << bit
		}
	}
	b = append(b, byte(o.channel), flags)
	l := &o.lines
	if *l == (orderLines{}) {
		return b
	}
	b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(l.count)), uint64(l.promoted))
	for _, n := range []schemas.Decimal{l.discount, l.list, l.cost, l.costed, l.redeemed} {
		b = binary.AppendVarint(b, int64(n))
	}
	return b
}

func decodeOrder(v []byte) (order, error) {
	if len(v) < 8 {
		return order{}, errEntry
	}
	r := reader{b: v[8:]}
	o := order{key: binary.LittleEndian.Uint64(v), leaf: uint32(r.uvarint()), currency: currency(r.uvarint()),
		time: schemas.Time(r.varint()), version: r.varint(), amount: schemas.Decimal(r.varint()), refunded: schemas.Decimal(r.varint())}
	o.channel = schemas.Channel(r.byte())
	flags := r.byte()
	o.sold, o.void, o.returned = flags&1 != 0, flags&2 != 0, flags&4 != 0
	if int(o.channel) >= schemas.ChannelCount {
		return o, errEntry
	}
	if len(r.b) == 0 { // no line is known, as of builds before
		return o, r.end()
	}
	o.lines.count, o.lines.promoted = uint16(r.uvarint()), uint16(r.uvarint())
	for _, n := range []*schemas.Decimal{&o.lines.discount, &o.lines.list, &o.lines.cost, &o.lines.costed, &o.lines.redeemed} {
		*n = schemas.Decimal(r.varint())
	}
	return o, r.end()
}

func appendSession(b []byte, spans [spansKept]span) []byte {
	for _, sp := range spans {
		b = binary.AppendVarint(binary.AppendVarint(b, int64(sp.start)), int64(sp.end-sp.start))
	}
	return b
}

// appendCart writes a leaf's ledger, oldest change first.
func (s *Stage) appendCart(b []byte, l *leaf) []byte {
	s.fold.ops = s.appendOpsOf(s.fold.ops[:0], l)
	b = binary.AppendUvarint(b, uint64(len(s.fold.ops)))
	for _, op := range slices.Backward(s.fold.ops) {
		b = binary.AppendVarint(b, int64(op.time))
		b = binary.AppendUvarint(b, uint64(op.sku))
		b = binary.AppendVarint(b, int64(op.quantity))
		b = binary.AppendVarint(b, int64(op.price))
	}
	return b
}

// stateFormat is the version of the serialized profile state.
const stateFormat = 2

// encodeProfile serializes the leaves that were folded last, with all that folds need. Leaves, and the orders of each, come in the order
// of their indexes, so that equal profiles are equal bytes. What models learn from, and is not learned from yet, is not part of it.
func (s *Stage) encodeProfile(b []byte) []byte {
	b = append(b, stateFormat)
	f := &s.fold
	for _, i := range f.leaves {
		l := s.leaves.At(i)
		if l.isEmpty() { // made for what happens in another
			continue
		}
		b = binary.AppendUvarint(b, uint64(i))
		b = appendLeaf(b, l)
		f.orders = s.appendOrdersOf(f.orders[:0], l)
		slices.Sort(f.orders)
		b = binary.AppendUvarint(b, uint64(len(f.orders)))
		for _, o := range f.orders {
			b = appendOrder(b, s.orders.At(o))
		}
		b = s.appendCart(b, l)
		b = s.appendVisits(b, l)
		b = s.appendTaste(b, l)
	}
	return b
}

// isEmpty tells whether nothing happened in a leaf.
func (l *leaf) isEmpty() bool {
	if l.visitCount > 0 || l.unsaved {
		return false
	}
	at := *l
	at.held = held{}
	at.stay.unsaved, at.stay.due = false, 0
	at.unsaved, at.cartUnsaved, at.visitsUnsaved, at.tastesUnsaved, at.heldUnsaved, at.totals, at.totalsKnown = false, false, false, false, false, 0, false
	return at == leaf{}
}
