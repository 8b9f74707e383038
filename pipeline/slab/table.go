package slab

import (
	"fmt"
	"reflect"
	"unsafe"
)

// Table maps keys to values. It consists of segments of equal size; one that is full divides in two, so that no write waits for more than
// that, however large the table is. A deleted entry leaves no trace: those behind it move up. It is not safe for concurrent writing.
type Table[K comparable, V any] struct {
	space *Space
	hash  func(K) uint64
	// The first depth bits of a key's hash choose a segment here. A segment whose own depth is less stands in several places in a row.
	directory []unsafe.Pointer
	depth     uint8
	count     int
	slots     uint64 // per segment
	spare     []slot[K, V]
}

type slot[K comparable, V any] struct {
	key   K
	value V
	used  bool
}

// segment is the head of a segment; its slots follow.
type segment struct {
	prefix uint64 // the bits that the hashes of its keys begin with
	count  uint32
	limit  uint32 // it divides before it holds more
	depth  uint8  // how many bits of prefix count
}

const (
	segmentBytes    = 64 << 10
	segmentSlotsMin = 64
	segmentHead     = alignBytes
	depthMax        = 32 // slots are chosen by the other 32 bits of a hash

	// A segment may be so many times smaller a part of the table than its average one. With keys that spread it is 4 times at most.
	unevenMax   = 256
	unevenFirst = 1 << 10
)

// NewTable makes an empty table. The hash must spread keys over all 64 bits, as Hash64 does. NewTable panics where K or V hold pointers.
func NewTable[K comparable, V any](space *Space, hash func(K) uint64) *Table[K, V] {
	sizeOf[K]()
	sizeOf[V]()
	t := &Table[K, V]{hash: hash}
	t.slots = max((segmentBytes-segmentHead)/uint64(unsafe.Sizeof(slot[K, V]{})), segmentSlotsMin)
	t.space = space.join(t.segmentBytes())
	return t
}

func (t *Table[K, V]) segmentBytes() int64 {
	return segmentHead + int64(t.slots)*int64(unsafe.Sizeof(slot[K, V]{}))
}

// Hash64 mixes a number so that every bit of the result depends on every bit of the number. Different numbers give different results.
func Hash64(x uint64) uint64 {
	x ^= x >> 32
	x *= 0xd6e8feb86659fd93
	x ^= x >> 32
	x *= 0xd6e8feb86659fd93
	x ^= x >> 32
	return x
}

// Len is the number of entries.
func (t *Table[K, V]) Len() int { return t.count }

// Get gives the value of a key, and whether there is one.
func (t *Table[K, V]) Get(key K) (V, bool) {
	if v := t.Ref(key); v != nil {
		return *v, true
	}
	var none V
	return none, false
}

// Ref gives the value of a key, to read or to change; nil where there is none. It is valid until the next Put or Delete.
func (t *Table[K, V]) Ref(key K) *V {
	if t.count == 0 {
		return nil
	}
	h := t.hash(key)
	if at := t.find(t.segmentOf(h), h, key); at.used {
		return &at.value
	}
	return nil
}

// segmentOf gives the segment of a hash.
func (t *Table[K, V]) segmentOf(h uint64) *segment {
	return (*segment)(t.directory[h>>(64-t.depth)])
}

// at gives a slot of a segment.
func (t *Table[K, V]) at(s *segment, i uint64) *slot[K, V] {
	return (*slot[K, V])(unsafe.Add(unsafe.Pointer(s), segmentHead+uintptr(i)*unsafe.Sizeof(slot[K, V]{})))
}

// home is the slot where the search for a hash begins.
func (t *Table[K, V]) home(h uint64) uint64 { return uint64(uint32(h)) * t.slots >> 32 }

// find gives the slot that holds a key, or the free one where it belongs. A segment always has a free slot.
func (t *Table[K, V]) find(s *segment, h uint64, key K) *slot[K, V] {
	for i := t.home(h); ; {
		at := t.at(s, i)
		if !at.used || at.key == key {
			return at
		}
		if i++; i == t.slots {
			i = 0
		}
	}
}

// Put sets the value of a key.
func (t *Table[K, V]) Put(key K, value V) {
	if t.directory == nil {
		t.directory = []unsafe.Pointer{unsafe.Pointer(t.newSegment(0, 0))}
	}
	h := t.hash(key)
	s := t.segmentOf(h)
	at := t.find(s, h, key)
	if !at.used {
		for s.count >= s.limit {
			t.divide(s)
			s = t.segmentOf(h)
		}
		at = t.find(s, h, key)
		at.key, at.used = key, true
		s.count++
		t.count++
	}
	at.value = value
}

func (t *Table[K, V]) newSegment(prefix uint64, depth uint8) *segment {
	s := (*segment)(t.space.take(t.segmentBytes()))
	s.name(prefix, depth, t.slots)
	return s
}

// name sets which hashes a segment is for. Its limit lies between 60 and 90 % and depends on the prefix, so that segments do not all
// divide at the same time.
func (s *segment) name(prefix uint64, depth uint8, slots uint64) {
	s.prefix, s.depth = prefix, depth
	share := Hash64(prefix^uint64(depth)) >> 54 // 0 to 1023
	s.limit = uint32(slots * (614 + share*307/1024) / 1024)
}

// divide moves half of a segment's entries to a new one.
func (t *Table[K, V]) divide(s *segment) {
	if s.depth == depthMax || uint64(1)<<s.depth > unevenFirst+unevenMax*uint64(t.count)/t.slots {
		panic(fmt.Sprintf("slab: the hash of a table of %s does not spread its keys", reflect.TypeFor[K]()))
	}
	depth := s.depth + 1
	upper := t.newSegment(s.prefix|1<<(64-depth), depth)
	if depth > t.depth {
		t.doubleDirectory()
	}
	from, places := upper.prefix>>(64-t.depth), uint64(1)<<(t.depth-depth)
	for i := from; i < from+places; i++ {
		t.directory[i] = unsafe.Pointer(upper)
	}
	slots := unsafe.Slice(t.at(s, 0), t.slots)
	t.spare = append(t.spare[:0], slots...)
	clear(slots)
	s.count = 0
	s.name(s.prefix, depth, t.slots)
	for i := range t.spare {
		old := &t.spare[i]
		if !old.used {
			continue
		}
		h := t.hash(old.key)
		into := t.segmentOf(h)
		*t.find(into, h, old.key) = *old
		into.count++
	}
}

func (t *Table[K, V]) doubleDirectory() {
	directory := make([]unsafe.Pointer, 2*len(t.directory))
	for i, s := range t.directory {
		directory[2*i], directory[2*i+1] = s, s
	}
	t.directory = directory
	t.depth++
}

// Delete removes a key, if it is there.
func (t *Table[K, V]) Delete(key K) {
	if t.count == 0 {
		return
	}
	h := t.hash(key)
	s := t.segmentOf(h)
	hole := t.home(h)
	for ; ; hole = t.after(hole) {
		at := t.at(s, hole)
		if !at.used {
			return
		}
		if at.key == key {
			break
		}
	}
	// An entry further on moves into the hole, unless its search begins behind the hole.
	for i := t.after(hole); t.at(s, i).used; i = t.after(i) {
		home := t.home(t.hash(t.at(s, i).key))
		if t.distance(home, i) >= t.distance(hole, i) {
			*t.at(s, hole) = *t.at(s, i)
			hole = i
		}
	}
	*t.at(s, hole) = slot[K, V]{}
	s.count--
	t.count--
}

func (t *Table[K, V]) after(i uint64) uint64 {
	if i++; i == t.slots {
		return 0
	}
	return i
}

// distance is how far it is from one slot onward to another.
func (t *Table[K, V]) distance(from, to uint64) uint64 {
	if to < from {
		to += t.slots
	}
	return to - from
}

// Each calls f for every entry, in no order that a caller may rely on. f may change the value and must not call Put or Delete.
func (t *Table[K, V]) Each(f func(key K, value *V)) {
	for i, p := range t.directory {
		if i > 0 && p == t.directory[i-1] {
			continue
		}
		for j := range t.slots {
			if at := t.at((*segment)(p), j); at.used {
				f(at.key, &at.value)
			}
		}
	}
}
