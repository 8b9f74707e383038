package score

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

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
	s.unsaved = unsaved{}
	s.skus.saved, s.words.saved = len(s.skus.words), len(s.words.words)
	for i := range uint32(s.leaves.Len()) {
		if word := s.leaves.At(i).account; word != 0 {
			if int(word) >= len(s.words.words) {
				return errEntry
			}
			s.accounts.Extend(int(word) + 1)
			s.join(word, i)
		}
	}
	return err
}

// load takes one stored entry. They come in the order of their kinds.
func (s *Stage) load(key, v []byte) error {
	if len(key) == 9 {
		return s.loadKeyed(key[0], binary.BigEndian.Uint64(key[1:]), v)
	}
	if len(key) != 5 {
		return errEntry
	}
	i := binary.BigEndian.Uint32(key[1:])
	switch key[0] {
	case keySKU:
		if s.skus.of(string(v)) != i {
			return errEntry
		}
	case keyWord:
		if s.words.of(string(v)) != i {
			return errEntry
		}
	case keyLeaf:
		return decodeLeaf(v, s.leafAt(i))
	case keyOrder:
		return s.loadOrder(i, v)
	case keyCart:
		return s.loadCart(i, v)
	case keyJourney:
		return s.loadJourney(i, v)
	case keyVisits:
		return s.loadVisits(i, v)
	case keyTaste:
		return s.loadTaste(i, v)
	case keyStay:
		return s.loadStay(i, v)
	default:
		if key[0] < keyModels || key[0] > keyLearner {
			return fmt.Errorf("unknown entry %q", key[0])
		}
		return s.loadPopulation(key[0], i, v)
	}
	return nil
}

func (s *Stage) loadJourney(i uint32, v []byte) error {
	r := reader{b: v}
	j := journey{stage: schemas.JourneyStage(r.byte()), since: schemas.Time(r.varint())}
	if len(r.b) > 0 { // builds before gave no reason, and knew no accounts
		j.reason, j.account = reason(r.byte()), uint32(r.uvarint())
	}
	if int(j.stage) >= schemas.JourneyCount || int(j.reason) >= len(whys) {
		return errEntry
	}
	*s.journey(i) = j
	return r.end()
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
		if l.cartOps > 0 && compareOps(last, op) > 0 || l.cartOps == cartOpsMax || int(op.sku) >= len(s.skus.words) {
			return errEntry
		}
		s.addOp(l, op)
		last = op
	}
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

func (r *reader) uint64() uint64 {
	if len(r.b) < 8 {
		r.bad, r.b = true, nil
		return 0
	}
	n := binary.LittleEndian.Uint64(r.b)
	r.b = r.b[8:]
	return n
}

func (r *reader) uint32() uint32 {
	if len(r.b) < 4 {
		r.bad, r.b = true, nil
		return 0
	}
	n := binary.LittleEndian.Uint32(r.b)
	r.b = r.b[4:]
	return n
}

func (r *reader) float() float64 { return math.Float64frombits(r.uint64()) }

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
