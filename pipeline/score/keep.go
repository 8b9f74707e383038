package score

import (
	"encoding/binary"
	"errors"
	"slices"

	"github.com/seamline/seamline/schemas"
)

// unsaved lists what changed since the last Save, each entry once: it is marked where it is kept.
type unsaved struct {
	leaves, orders, carts, journeys []uint32
	sessions                        []uint64
	skus                            int // already saved
}

// Kinds of stored entry, the first byte of each key.
const (
	keySKU     = 'a'
	keyLeaf    = 'b'
	keyOrder   = 'c'
	keyCart    = 'd'
	keySession = 'e'
	keyJourney = 'f'
)

var errEntry = errors.New("an entry of the score state is damaged")

// Save writes what changed since the last Save, kind by kind in the order of their keys. Where it fails, the next Save writes all of it
// again.
func (s *Stage) Save(w schemas.StateWriter) error {
	u := &s.unsaved
	put := putter{w: w}
	for i := u.skus; i < len(s.skus); i++ {
		put.entry32(keySKU, uint32(i), append(put.value[:0], s.skus[i]...))
	}
	slices.Sort(u.leaves)
	for _, i := range u.leaves {
		put.entry32(keyLeaf, i, appendLeaf(put.value[:0], s.leaves.At(i)))
	}
	slices.Sort(u.orders)
	for _, i := range u.orders {
		put.entry32(keyOrder, i, appendOrder(put.value[:0], s.orders.At(i)))
	}
	slices.Sort(u.carts)
	for _, i := range u.carts {
		put.entry32(keyCart, i, s.appendCart(put.value[:0], s.leaves.At(i)))
	}
	slices.Sort(u.sessions)
	for _, k := range u.sessions {
		put.key = binary.BigEndian.AppendUint64(append(put.key[:0], keySession), k)
		put.entry(appendSession(put.value[:0], s.sessions.Ref(k)))
	}
	slices.Sort(u.journeys)
	for _, i := range u.journeys {
		j := s.journeys.At(i)
		put.entry32(keyJourney, i, binary.AppendVarint(append(put.value[:0], byte(j.stage)), int64(j.since)))
	}
	if put.failed == nil {
		s.saved()
	}
	return put.failed
}

// saved empties the lists of what must be saved.
func (s *Stage) saved() {
	u := &s.unsaved
	for _, i := range u.leaves {
		s.leaves.At(i).unsaved = false
	}
	for _, i := range u.orders {
		s.orders.At(i).unsaved = false
	}
	for _, i := range u.carts {
		s.leaves.At(i).cartUnsaved = false
	}
	for _, k := range u.sessions {
		s.sessions.Ref(k).unsaved = false
	}
	for _, i := range u.journeys {
		s.journeys.At(i).unsaved = false
	}
	*u = unsaved{leaves: u.leaves[:0], orders: u.orders[:0], carts: u.carts[:0], journeys: u.journeys[:0], sessions: u.sessions[:0], skus: len(s.skus)}
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

func appendLeaf(b []byte, l *leaf) []byte {
	present := uint16(0)
	for c := range l.channels {
		if l.channels[c].events > 0 {
			present |= 1 << c
		}
	}
	b = binary.AppendUvarint(b, uint64(present))
	for c := range l.channels {
		if at := &l.channels[c]; at.events > 0 {
			b = binary.AppendUvarint(b, uint64(at.events))
			b = binary.AppendVarint(b, int64(at.first))
			b = binary.AppendVarint(b, int64(at.last-at.first))
		}
	}
	for _, n := range l.counters() {
		b = binary.AppendUvarint(b, *n)
	}
	b = binary.AppendUvarint(b, l.lastSession)
	for _, n := range []uint32{l.sessions, l.productViews, l.searches} {
		b = binary.AppendUvarint(b, uint64(n))
	}
	for _, t := range []schemas.Time{l.sessionStart, l.checkout, l.email.LastOpen, l.email.LastClick} {
		b = binary.AppendVarint(b, int64(t))
	}
	return binary.AppendVarint(b, l.refunds)
}

// counters lists the e-mail counters in the order in which they are stored.
func (l *leaf) counters() []*uint64 {
	e := &l.email
	return []*uint64{&e.Sent, &e.Delivered, &e.Opens, &e.MachineOpens, &e.Clicks, &e.MachineClicks, &e.Bounces, &e.Unsubscribes, &e.Complaints}
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
	for _, n := range l.counters() {
		*n = r.uvarint()
	}
	l.lastSession = r.uvarint()
	for _, n := range []*uint32{&l.sessions, &l.productViews, &l.searches} {
		*n = uint32(r.uvarint())
	}
	for _, t := range []*schemas.Time{&l.sessionStart, &l.checkout, &l.email.LastOpen, &l.email.LastClick} {
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
	return append(b, byte(o.channel), flags)
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
	return o, r.end()
}

func appendSession(b []byte, at *session) []byte {
	b = binary.AppendUvarint(binary.AppendUvarint(b, at.id), at.previousID)
	for _, t := range [...]schemas.Time{at.start, at.end, at.previousStart, at.previousEnd} {
		b = binary.AppendVarint(b, int64(t))
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
const stateFormat = 1

// encodeProfile serializes the leaves that were folded last, with all that folds need. Leaves, and the orders of each, come in the order
// of their indexes, so that equal profiles are equal bytes.
func (s *Stage) encodeProfile(b []byte) []byte {
	b = append(b, stateFormat)
	f := &s.fold
	for _, i := range f.leaves {
		// A leaf may be there before anything happened in it, made for what happens in another.
		if int(i) >= s.leaves.Len() {
			continue
		}
		l, none := s.leaves.At(i), leaf{}
		if none.unsaved, none.totals, none.totalsKnown = l.unsaved, l.totals, l.totalsKnown; *l == none {
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
	}
	return b
}
