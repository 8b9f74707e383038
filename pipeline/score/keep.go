package score

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/seamline/seamline/schemas"
)

// unsaved names what changed since the last Save.
type unsaved struct {
	leaves, orders, carts, journeys map[uint32]struct{}
	sessions                        map[uint64]struct{}
	skus                            int // already saved
}

func newUnsaved() unsaved {
	return unsaved{leaves: map[uint32]struct{}{}, orders: map[uint32]struct{}{},
		carts: map[uint32]struct{}{}, journeys: map[uint32]struct{}{}, sessions: map[uint64]struct{}{}, skus: 1}
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

func key32(kind byte, i uint32) []byte { return binary.BigEndian.AppendUint32([]byte{kind}, i) }

// Save writes what changed since the last Save.
func (s *Stage) Save(w schemas.StateWriter) error {
	u := &s.unsaved
	var failed error
	put := func(key, value []byte) {
		if failed == nil {
			failed = w.Put(key, value)
		}
	}
	for ; u.skus < len(s.skus); u.skus++ {
		put(key32(keySKU, uint32(u.skus)), []byte(s.skus[u.skus]))
	}
	for _, i := range sorted(u.leaves) {
		put(key32(keyLeaf, i), appendLeaf(nil, &s.leaves[i]))
	}
	for _, i := range sorted(u.orders) {
		put(key32(keyOrder, i), appendOrder(nil, &s.orders[i]))
	}
	for _, i := range sorted(u.carts) {
		put(key32(keyCart, i), appendOps(nil, s.carts[i]))
	}
	for _, k := range sorted(u.sessions) {
		at := s.sessions[k]
		v := binary.AppendUvarint(binary.AppendUvarint(nil, at.id), at.previousID)
		for _, t := range []schemas.Time{at.start, at.end, at.previousStart, at.previousEnd} {
			v = binary.AppendVarint(v, int64(t))
		}
		put(binary.BigEndian.AppendUint64([]byte{keySession}, k), v)
	}
	for _, i := range sorted(u.journeys) {
		j := &s.journeys[i]
		put(key32(keyJourney, i), binary.AppendVarint([]byte{byte(j.stage)}, int64(j.since)))
	}
	skus := u.skus
	*u = newUnsaved()
	u.skus = skus
	return failed
}

func sorted[K cmp.Ordered](set map[K]struct{}) []K {
	list := make([]K, 0, len(set))
	for k := range set {
		list = append(list, k)
	}
	slices.Sort(list)
	return list
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

func appendOps(b []byte, ops []cartOp) []byte {
	b = binary.AppendUvarint(b, uint64(len(ops)))
	for _, op := range ops {
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
	var empty leaf
	for _, i := range f.leaves {
		l := &empty
		if int(i) < len(s.leaves) {
			l = &s.leaves[i]
		}
		b = binary.AppendUvarint(b, uint64(i))
		b = appendLeaf(b, l)
		f.orders = f.orders[:0]
		for o := l.orders; o != 0; o = s.orders[o].next {
			f.orders = append(f.orders, o)
		}
		slices.Sort(f.orders)
		b = binary.AppendUvarint(b, uint64(len(f.orders)))
		for _, o := range f.orders {
			b = appendOrder(b, &s.orders[o])
		}
		b = appendOps(b, s.carts[i])
	}
	return b
}

// Load reads all state. The lists of orders are rebuilt in the order of their indexes.
func (s *Stage) Load(r schemas.StateReader) error {
	err := r.Each(func(key, v []byte) error {
		if key[0] == keySession {
			return s.loadSession(binary.BigEndian.Uint64(key[1:]), v)
		}
		i := binary.BigEndian.Uint32(key[1:])
		switch key[0] {
		case keySKU:
			if s.sku(string(v)) != i {
				return errEntry
			}
		case keyLeaf:
			return decodeLeaf(v, s.leaf(i))
		case keyOrder:
			return s.loadOrder(i, v)
		case keyCart:
			return s.loadCart(i, v)
		case keyJourney:
			rd := reader{b: v}
			if n := int(i) + 1 - len(s.journeys); n > 0 {
				s.journeys = append(s.journeys, make([]journey, n)...)
			}
			s.journeys[i] = journey{stage: schemas.JourneyStage(rd.byte()), since: schemas.Time(rd.varint())}
			return rd.end()
		default:
			return fmt.Errorf("unknown entry %q", key[0])
		}
		return nil
	})
	s.unsaved = newUnsaved()
	s.unsaved.skus = len(s.skus)
	return err
}

func (s *Stage) loadOrder(i uint32, v []byte) error {
	o, err := decodeOrder(v)
	if err != nil || int(i) != len(s.orders) {
		return errors.Join(errEntry, err)
	}
	leaf := o.leaf
	o.leaf = 0
	s.orders = append(s.orders, o)
	if o.key != 0 {
		s.orderIdx[o.key] = i
	}
	s.own(i, leaf)
	return nil
}

func (s *Stage) loadCart(i uint32, v []byte) error {
	r := reader{b: v}
	var ops []cartOp
	for n := r.uvarint(); n > 0 && !r.bad; n-- {
		ops = append(ops, cartOp{time: schemas.Time(r.varint()), sku: uint32(r.uvarint()), quantity: schemas.Decimal(r.varint()), price: schemas.Decimal(r.varint())})
	}
	if !slices.IsSortedFunc(ops, compareOps) {
		return errEntry
	}
	s.carts[i] = ops
	return r.end()
}

func (s *Stage) loadSession(k uint64, v []byte) error {
	r := reader{b: v}
	at := session{id: r.uvarint(), previousID: r.uvarint()}
	for _, t := range []*schemas.Time{&at.start, &at.end, &at.previousStart, &at.previousEnd} {
		*t = schemas.Time(r.varint())
	}
	s.sessions[k] = at
	return r.end()
}

// reader reads what the append functions wrote, and remembers whether it ran out.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) uvarint() uint64 {
	n, size := binary.Uvarint(r.b)
	return n * r.skip(size)
}

func (r *reader) varint() int64 {
	n, size := binary.Varint(r.b)
	return n * int64(r.skip(size))
}

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.bad = true
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

// skip moves on by size and gives 1, or marks the entry damaged and gives 0.
func (r *reader) skip(size int) uint64 {
	if size <= 0 {
		r.bad = true
		r.b = nil
		return 0
	}
	r.b = r.b[size:]
	return 1
}

func (r *reader) end() error {
	if r.bad || len(r.b) > 0 {
		return errEntry
	}
	return nil
}
