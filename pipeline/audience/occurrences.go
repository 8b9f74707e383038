package audience

import (
	"encoding/binary"
	"unsafe"

	"github.com/seamline/seamline/pipeline/slab"
	"github.com/seamline/seamline/schemas"
)

// exactMax is how many events of one predicate a piece of history remembers one by one: the newest. Older ones are added up by day, so that
// windows are exact to the second as far as the newest go, and to the day beyond. What is remembered does not depend on the order in which
// events came.
const exactMax = 64

// head leads to what a leaf remembers of a predicate.
type head struct {
	leaf      uint32
	predicate uint32
	next      uint32       // of the leaf, in the order of predicates; 0 at the end
	exact     uint32       // list of the newest events, newest first
	days      uint32       // list of days of older events, newest first
	count     uint32       // events in exact
	due       schemas.Time // when time alone may change the answer of a rule that asks about the predicate; 0 for never
	unsaved   bool
}

// entry is one event, or several of one day.
type entry struct {
	occurrence
	next uint32 // 0 at the end
}

const (
	headBytes  = int64(unsafe.Sizeof(head{}))
	entryBytes = int64(unsafe.Sizeof(entry{}))
)

// eventLog remembers which events happened in which piece of history, as far as windows ask for them. Records with index 0 are nobody's.
type eventLog struct {
	first   *slab.Slab[uint32] // by leaf
	heads   *slab.Slab[head]
	entries *slab.Slab[entry]
	free    uint32 // first of the entries that are not used
}

func newEventLog(space *slab.Space) eventLog {
	h := eventLog{first: slab.NewSlab[uint32](space), heads: slab.NewSlab[head](space), entries: slab.NewSlab[entry](space)}
	h.heads.Append(head{})
	h.entries.Append(entry{})
	return h
}

// head gives what a leaf remembers of a predicate, and its index.
func (h *eventLog) head(leaf, predicate uint32) (*head, uint32) {
	h.first.Extend(int(leaf) + 1)
	at := h.first.At(leaf)
	for *at != 0 {
		if found := h.heads.At(*at); found.predicate >= predicate {
			if found.predicate == predicate {
				return found, *at
			}
			break
		} else {
			at = &found.next
		}
	}
	i := h.heads.Append(head{leaf: leaf, predicate: predicate, next: *at})
	*at = i
	return h.heads.At(i), i
}

// each calls f for all that a leaf remembers.
func (h *eventLog) each(leaf uint32, f func(index uint32, head *head)) {
	if int(leaf) >= h.first.Len() {
		return
	}
	for i := *h.first.At(leaf); i != 0; {
		at := h.heads.At(i)
		f(i, at)
		i = at.next
	}
}

// add remembers an event. What ended before since is in no window any more.
func (h *eventLog) add(to *head, o occurrence, since schemas.Time) {
	h.insert(&to.exact, o)
	if to.count++; to.count%trimEvery == 0 {
		to.count -= h.trim(&to.exact, since)
	}
	if to.count <= exactMax {
		return
	}
	// The oldest goes to its day.
	last := &to.exact
	for h.entries.At(*last).next != 0 {
		last = &h.entries.At(*last).next
	}
	oldest := h.entries.At(*last).occurrence
	h.release(last)
	to.count--
	if oldest.time > since {
		h.addToDay(&to.days, oldest)
	}
	h.trim(&to.days, since)
}

// trimEvery is how many events of a leaf are remembered before those are looked for that no window can hold any more.
const trimEvery = 8

// trim takes what is not after an instant out of a list, newest first, and gives how many that were.
func (h *eventLog) trim(at *uint32, since schemas.Time) (count uint32) {
	for *at != 0 {
		e := h.entries.At(*at)
		if e.time > since {
			at = &e.next
			continue
		}
		h.release(at)
		count++
	}
	return count
}

// insert puts an occurrence into a list, newest first.
func (h *eventLog) insert(at *uint32, o occurrence) {
	for *at != 0 {
		e := h.entries.At(*at)
		if compareOccurrences(e.occurrence, o) <= 0 {
			break
		}
		at = &e.next
	}
	i := h.free
	if i == 0 {
		i = h.entries.Append(entry{})
	} else {
		h.free = h.entries.At(i).next
	}
	*h.entries.At(i) = entry{occurrence: o, next: *at}
	*at = i
}

func (h *eventLog) addToDay(at *uint32, o occurrence) {
	day := o.time.Whole(schemas.Day)
	for i := *at; i != 0; {
		e := h.entries.At(i)
		if e.time.Whole(schemas.Day) == day {
			e.time = max(e.time, o.time)
			e.amount += o.amount
			e.count += o.count
			return
		}
		i = e.next
	}
	h.insert(at, o)
}

// release takes an entry out of a list.
func (h *eventLog) release(at *uint32) {
	i := *at
	e := h.entries.At(i)
	*at = e.next
	*e = entry{next: h.free}
	h.free = i
}

// collect appends what a head remembers from after an instant, newest first.
func (h *eventLog) collect(list []occurrence, from *head, since schemas.Time) []occurrence {
	for _, first := range [...]uint32{from.exact, from.days} {
		for i := first; i != 0; {
			e := h.entries.At(i)
			if e.time <= since {
				return list
			}
			list = append(list, e.occurrence)
			i = e.next
		}
	}
	return list
}

// encode appends the stored form of what a head remembers: events, then days, newest first.
func (h *eventLog) encode(b []byte, from *head) []byte {
	b = binary.AppendUvarint(binary.AppendVarint(b, int64(from.due)), uint64(from.count))
	for _, first := range [...]uint32{from.exact, from.days} {
		for i := first; i != 0; {
			e := h.entries.At(i)
			b = binary.AppendVarint(b, int64(e.time))
			b = binary.AppendVarint(b, int64(e.amount))
			b = binary.AppendUvarint(b, uint64(e.count))
			i = e.next
		}
	}
	return b
}

// decode fills an empty head.
func (h *eventLog) decode(to *head, b []byte) error {
	due, n0 := binary.Varint(b)
	count, n := binary.Uvarint(b[max(0, n0):])
	if n0 <= 0 || n <= 0 || count > exactMax {
		return errEntry
	}
	to.due, to.count = schemas.Time(due), uint32(count)
	b = b[n0+n:]
	at := &to.exact
	for k := uint64(0); len(b) > 0; k++ {
		if k == count {
			at = &to.days
		}
		var o occurrence
		t, n1 := binary.Varint(b)
		a, n2 := binary.Varint(b[max(0, n1):])
		c, n3 := binary.Uvarint(b[max(0, n1)+max(0, n2):])
		if n1 <= 0 || n2 <= 0 || n3 <= 0 {
			return errEntry
		}
		o.time, o.amount, o.count = schemas.Time(t), schemas.Decimal(a), uint32(c)
		b = b[n1+n2+n3:]
		*at = h.entries.Append(entry{occurrence: o})
		at = &h.entries.At(*at).next
	}
	return nil
}
