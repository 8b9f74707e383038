package dedup

import "math/bits"

// entry is one event id that was seen. Bucket 0 marks a free slot.
type entry struct {
	hi, lo uint64
	bucket uint32 // span of record time in which it was seen first, plus one
}

// entryBytes is the memory of one slot.
const entryBytes = 24

// table is an open-addressing set of 128-bit fingerprints without pointers.
type table struct {
	slots []entry
	count int
}

const tableSlotsMin = 1 << 12

// find gives the slot of a fingerprint: the one that holds it, or the free one where it belongs.
func (t *table) find(hi, lo uint64) *entry {
	mask := uint64(len(t.slots) - 1)
	for i := lo & mask; ; i = (i + 1) & mask {
		e := &t.slots[i]
		if e.bucket == 0 || e.hi == hi && e.lo == lo {
			return e
		}
	}
}

// add puts a fingerprint in that is not there yet.
func (t *table) add(e entry) {
	if (t.count+1)*4 > len(t.slots)*3 {
		t.rebuild(t.count+1, 0)
	}
	*t.find(e.hi, e.lo) = e
	t.count++
}

// rebuild makes room for count entries and leaves out those of buckets below floor.
func (t *table) rebuild(count int, floor uint32) {
	size := tableSlotsMin
	if want := count * 2; want > size {
		size = 1 << bits.Len(uint(want-1))
	}
	old := t.slots
	t.slots, t.count = make([]entry, size), 0
	for i := range old {
		if old[i].bucket != 0 && old[i].bucket >= floor {
			*t.find(old[i].hi, old[i].lo) = old[i]
			t.count++
		}
	}
}
