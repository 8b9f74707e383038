package score

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/seamline/seamline/schemas"
)

// loadEntries is after how many entries Load keeps the ceiling of memory and makes room for as many more.
const loadEntries = 1 << 13

// Load reads all state.
func (s *Stage) Load(r schemas.StateReader) error {
	n := 0
	err := r.Each(func(key, v []byte) error {
		if n%loadEntries == 0 {
			if err := errors.Join(s.space.Trim(), s.space.Reserve(loadEntries*eventBytes)); err != nil {
				return err
			}
		}
		n++
		return s.load(key, v)
	})
	s.unsaved = unsaved{skus: len(s.skus)}
	return err
}

// load takes one stored entry. They come in the order of their kinds.
func (s *Stage) load(key, v []byte) error {
	if len(key) == 9 && key[0] == keySession {
		return s.loadSession(binary.BigEndian.Uint64(key[1:]), v)
	}
	if len(key) != 5 {
		return errEntry
	}
	i := binary.BigEndian.Uint32(key[1:])
	switch key[0] {
	case keySKU:
		if s.sku(string(v)) != i {
			return errEntry
		}
	case keyLeaf:
		return decodeLeaf(v, s.leafAt(i))
	case keyOrder:
		return s.loadOrder(i, v)
	case keyCart:
		return s.loadCart(i, v)
	case keyJourney:
		rd := reader{b: v}
		*s.journey(i) = journey{stage: schemas.JourneyStage(rd.byte()), since: schemas.Time(rd.varint())}
		return rd.end()
	default:
		return fmt.Errorf("unknown entry %q", key[0])
	}
	return nil
}

func (s *Stage) loadOrder(i uint32, v []byte) error {
	o, err := decodeOrder(v)
	if err != nil || int(i) != s.orders.Len() {
		return errors.Join(errEntry, err)
	}
	leaf := o.leaf
	o.leaf = 0
	s.orders.Append(o)
	if o.key != 0 {
		s.orderIndex.Put(o.key, i)
	}
	s.own(i, leaf)
	return nil
}

func (s *Stage) loadCart(i uint32, v []byte) error {
	r := reader{b: v}
	l := s.leafAt(i)
	var last cartOp
	for n := r.uvarint(); n > 0 && !r.bad; n-- {
		op := cartOp{time: schemas.Time(r.varint()), sku: uint32(r.uvarint()), quantity: schemas.Decimal(r.varint()), price: schemas.Decimal(r.varint())}
		if l.cartOps > 0 && compareOps(last, op) > 0 || l.cartOps == cartOpsMax || int(op.sku) >= len(s.skus) {
			return errEntry
		}
		s.addOp(l, op)
		last = op
	}
	return r.end()
}

func (s *Stage) loadSession(k uint64, v []byte) error {
	r := reader{b: v}
	at := session{id: r.uvarint(), previousID: r.uvarint()}
	for _, t := range []*schemas.Time{&at.start, &at.end, &at.previousStart, &at.previousEnd} {
		*t = schemas.Time(r.varint())
	}
	s.sessions.Put(k, at)
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
