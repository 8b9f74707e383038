package slab

import (
	"fmt"
	"unsafe"
)

// Print is a key of an Index: 96 bits of a keyed hash, so that no two keys are the same by chance.
type Print struct {
	Hash  uint64 // its upper bits choose the segment, its lower ones the slot
	Check uint32
}

// Index maps prints to numbers other than 0. Like a Table it consists of segments and never grows as a whole: a segment that is full gets
// half as much again, and then divides in two. Entries take 16 bytes, and slots are three quarters full.
// It is not safe for concurrent writing.
type Index struct {
	space *Space
	// The first depth bits of a hash choose a segment here. A segment whose own depth is less stands in several places in a row.
	directory []indexSegment
	depth     uint8
	count     int
	free      unsafe.Pointer // list of extensions that are not used
	spare     []indexSlot
}

// indexSegment is where the slots of a segment are: those of the base behind its head, those of the extension, if there is one, behind them.
type indexSegment struct{ base, extension unsafe.Pointer }

type indexSlot struct {
	hash  uint64
	check uint32
	value uint32 // 0 for a free slot
}

// indexHead is how a segment stands. Looking for a print does not read it.
type indexHead struct {
	prefix uint64 // the bits that the hashes of its prints begin with
	count  uint32
	limit  uint32 // it grows before it holds more
	depth  uint8  // how many bits of prefix count
}

const (
	indexSlotBytes = int64(unsafe.Sizeof(indexSlot{}))
	indexBaseBytes = 32 << 10
	indexMoreBytes = 16 << 10
	indexBase      = (indexBaseBytes - alignBytes) / uint32(indexSlotBytes)
	indexWhole     = indexBase + indexMoreBytes/uint32(indexSlotBytes)
)

// NewIndex makes an empty index.
func NewIndex(space *Space) *Index { return &Index{space: space.join(indexBaseBytes + indexMoreBytes)} }

// Len is the number of entries.
func (x *Index) Len() int { return x.count }

func (x *Index) segmentOf(hash uint64) *indexSegment { return &x.directory[hash>>(64-x.depth)] }

func (s *indexSegment) head() *indexHead { return (*indexHead)(s.base) }

func (s *indexSegment) slots() uint32 {
	if s.extension == nil {
		return indexBase
	}
	return indexWhole
}

func (s *indexSegment) at(i uint32) *indexSlot {
	if i < indexBase {
		return (*indexSlot)(unsafe.Add(s.base, alignBytes+int64(i)*indexSlotBytes))
	}
	return (*indexSlot)(unsafe.Add(s.extension, int64(i-indexBase)*indexSlotBytes))
}

func (s *indexSegment) home(hash uint64) uint32 {
	return uint32(uint64(uint32(hash)) * uint64(s.slots()) >> 32)
}

// find gives the slot that holds a print, or the free one where it belongs. A segment always has a free slot.
func (s *indexSegment) find(p Print) *indexSlot {
	for i := s.home(p.Hash); ; {
		at := s.at(i)
		if at.value == 0 || at.hash == p.Hash && at.check == p.Check {
			return at
		}
		if i++; i == s.slots() {
			i = 0
		}
	}
}

// Get gives the value of a print; 0 where there is none.
func (x *Index) Get(p Print) uint32 {
	if x.count == 0 {
		return 0
	}
	return x.segmentOf(p.Hash).find(p).value
}

// indexGroup is for how many prints memory is read before the first of them is looked for, so that the waits overlap.
const indexGroup = 32

// GetAll gives the values of prints, 0 where there is none. It is several times faster than Get for each where the index is larger than
// the processor's caches. Values must be as long as prints.
func (x *Index) GetAll(prints []Print, values []uint32) {
	if x.count == 0 {
		clear(values)
		return
	}
	var homes [indexGroup]*indexSlot
	for len(prints) > 0 {
		n := min(len(prints), indexGroup)
		for i, p := range prints[:n] {
			s := x.segmentOf(p.Hash)
			homes[i] = s.at(s.home(p.Hash))
		}
		var read uint32
		for i := range prints[:n] { // independent of each other: the processor waits for all of them at once
			read |= homes[i].value
		}
		if read == 0 { // this also keeps the reads from being left out
			clear(values[:n])
		} else {
			for i, p := range prints[:n] {
				if at := homes[i]; at.hash == p.Hash && at.check == p.Check {
					values[i] = at.value
				} else {
					values[i] = x.segmentOf(p.Hash).find(p).value
				}
			}
		}
		prints, values = prints[n:], values[n:]
	}
}

// Put sets the value of a print, which must not be 0.
func (x *Index) Put(p Print, value uint32) {
	if value == 0 {
		panic("slab: the value 0 is put into an index")
	}
	if x.directory == nil {
		x.directory = []indexSegment{{base: x.space.take(indexBaseBytes)}}
		x.directory[0].name(0, 0)
	}
	s := x.segmentOf(p.Hash)
	at := s.find(p)
	if at.value == 0 {
		for s.head().count >= s.head().limit {
			x.enlarge(s)
			s = x.segmentOf(p.Hash)
		}
		at = s.find(p)
		at.hash, at.check = p.Hash, p.Check
		s.head().count++
		x.count++
	}
	at.value = value
}

// name sets which hashes a segment without entries is for. Its limit lies between 80 and 92 % and depends on the prefix, so that segments do
// not all grow at the same time.
func (s *indexSegment) name(prefix uint64, depth uint8) {
	share := Hash64(prefix^uint64(depth)<<8^uint64(s.slots())) >> 54 // 0 to 1023
	*s.head() = indexHead{prefix: prefix, depth: depth, limit: uint32(uint64(s.slots()) * (819 + share*123/1024) / 1024)}
}

// enlarge gives a full segment more slots, or divides it in two.
func (x *Index) enlarge(s *indexSegment) {
	h := *s.head()
	if h.depth == depthMax {
		panic(fmt.Sprintf("slab: the prints of an index of %d entries do not spread", x.count))
	}
	x.spare = x.spare[:0]
	for i := range s.slots() {
		if at := s.at(i); at.value != 0 {
			x.spare = append(x.spare, *at)
			*at = indexSlot{}
		}
	}
	lower := *s
	if s.extension == nil {
		lower.extension = x.extension()
		lower.name(h.prefix, h.depth)
		x.place(lower)
	} else {
		if h.depth == x.depth {
			x.doubleDirectory()
		}
		*(*unsafe.Pointer)(lower.extension), x.free = x.free, lower.extension
		lower.extension = nil
		lower.name(h.prefix, h.depth+1)
		x.place(lower)
		upper := indexSegment{base: x.space.take(indexBaseBytes)}
		upper.name(h.prefix|1<<(63-h.depth), h.depth+1)
		x.place(upper)
	}
	for i := range x.spare {
		old := &x.spare[i]
		into := x.segmentOf(old.hash)
		*into.find(Print{old.hash, old.check}) = *old
		into.head().count++
	}
}

// extension gives cleared memory for a segment that becomes larger.
func (x *Index) extension() unsafe.Pointer {
	e := x.free
	if e == nil {
		return x.space.take(indexMoreBytes)
	}
	x.free = *(*unsafe.Pointer)(e)
	*(*unsafe.Pointer)(e) = nil // its slots were cleared when it was let go
	return e
}

// place puts a segment into the directory.
func (x *Index) place(s indexSegment) {
	h := s.head()
	from, places := uint64(0), uint64(1)<<(x.depth-h.depth)
	if x.depth > 0 {
		from = h.prefix >> (64 - x.depth)
	}
	for i := from; i < from+places; i++ {
		x.directory[i] = s
	}
}

func (x *Index) doubleDirectory() {
	directory := make([]indexSegment, 2*len(x.directory))
	for i, s := range x.directory {
		directory[2*i], directory[2*i+1] = s, s
	}
	x.directory = directory
	x.depth++
}
