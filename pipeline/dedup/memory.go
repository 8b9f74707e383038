package dedup

import (
	"unsafe"

	"github.com/seamline/seamline/pipeline/slab"
	"github.com/seamline/seamline/schemas"
)

// fingerprint stands for an event id of a source.
type fingerprint struct{ hi, lo uint64 }

func (f fingerprint) hash() uint64 { return f.hi ^ f.lo }

// Ids are forgotten a bucket at a time: those whose records came within one span of time. The window is cut into so many buckets at
// most, and no bucket is shorter than spanMin, so that buckets have small numbers.
const (
	bucketsPerWindow = 8192
	spanMin          = 2 * schemas.Second
	bucketMax        = 1 << 31 // for records from far in the future
)

// ringSize is a power of two that the buckets which are remembered fit in: those of the window, and the newest.
const ringSize = 2 * bucketsPerWindow

// bucket is the ids of one span.
type bucket struct {
	count       int
	saved       int    // of count, at the last Save
	first, last uint32 // of its pages; 0 for none
}

func (b *bucket) pages() int { return (b.count + pageIDs - 1) / pageIDs }

// page lists some ids of a bucket, so that they can be found when the bucket is forgotten.
type page struct {
	ids  [pageIDs]fingerprint
	used uint32
	next uint32
}

const (
	pageIDs   = 15
	pageBytes = int(unsafe.Sizeof(page{}))
	slotBytes = 56 // of the table, for each id: it is about half full
)

// memory remembers ids by bucket. What it holds is decided id by id: buckets below the floor are forgotten at once, although their ids
// are taken out of the table later.
type memory struct {
	seen    *slab.Table[fingerprint, uint32] // bucket by id; those below the floor do not count
	pages   *slab.Slab[page]
	unused  uint32 // list of free pages
	dead    uint32 // list of pages of forgotten buckets
	buckets [ringSize]bucket
	floor   uint32 // buckets below it are forgotten
	newest  uint32
	window  uint32   // in buckets
	live    int      // ids that are remembered
	listed  int      // pages that they stand on
	max     int      // ids
	maxList int      // pages
	unsaved []uint32 // buckets with ids that came since the last Save; some are forgotten by now
}

// newMemory makes an empty memory. Three quarters of it are for ids, the rest is for the pages that list them.
func newMemory(bytes int, window uint32, space *slab.Space) *memory {
	m := &memory{seen: slab.NewTable[fingerprint, uint32](space, fingerprint.hash), pages: slab.NewSlab[page](space), floor: 1, newest: 1,
		window: window, max: bytes / 4 * 3 / slotBytes, maxList: bytes / 4 / pageBytes}
	m.pages.Append(page{})
	return m
}

// spanOf gives how long a bucket is, and how many of them make up the window.
func spanOf(window schemas.Time) (span schemas.Time, buckets uint32) {
	span = max(spanMin, (window+bucketsPerWindow-1)/bucketsPerWindow)
	return span, uint32((window + span - 1) / span)
}

// reserve is what a batch of so many events may need.
func reserve(events int) int64 {
	return int64(events) * (int64(unsafe.Sizeof(fingerprint{}))*2 + 16)
}

func (m *memory) at(bucket uint32) *bucket { return &m.buckets[bucket%ringSize] }

// reach moves the window on, where a bucket is newer than all before.
func (m *memory) reach(bucket uint32) {
	if bucket <= m.newest {
		return
	}
	was := m.newest
	m.newest = bucket
	if bucket <= m.window || bucket-m.window <= m.floor {
		return
	}
	floor := bucket - m.window
	for i := m.floor; i < floor && i <= was; i++ {
		m.forget(i)
	}
	m.floor = floor
}

// forget forgets a bucket's ids. Its caller moves the floor.
func (m *memory) forget(i uint32) (count int) {
	b := m.at(i)
	if b.count == 0 {
		return 0
	}
	count = b.count
	m.live -= count
	m.listed -= b.pages()
	m.pages.At(b.first).next = m.dead
	m.dead = b.last
	*b = bucket{}
	return count
}

// known tells whether an id is remembered.
func (m *memory) known(id fingerprint) bool {
	at := m.seen.Ref(id)
	return at != nil && *at >= m.floor
}

// add remembers an id that is not known, as seen in a bucket or at the floor, whichever is later. Where memory is short it forgets the
// oldest bucket; early is how many ids that were. Where there is only one, its ids are forgotten as well and a new one begins.
func (m *memory) add(id fingerprint, in uint32) (early int) {
	early = m.shrink(m.max-1, m.maxList-1)
	m.put(id, in)
	return early
}

// shrink forgets the oldest buckets until there are no more than so many ids, and pages that they stand on. It gives how many ids that were.
func (m *memory) shrink(ids, pages int) (early int) {
	for m.live > ids || m.listed > pages {
		early += m.forget(m.floor)
		m.floor++
		m.newest = max(m.newest, m.floor)
	}
	return early
}

// put remembers an id that is not known, whatever is remembered already.
func (m *memory) put(id fingerprint, in uint32) {
	// As many ids as are remembered may be waiting to be taken out, but no more than fit.
	for m.seen.Len() >= m.max && m.dead != 0 {
		m.takeOut()
	}
	in = max(in, m.floor)
	m.seen.Put(id, in)
	m.live++
	b := m.at(in)
	if b.count%pageIDs == 0 {
		m.newPage(b)
	}
	if b.count == b.saved {
		m.unsaved = append(m.unsaved, in)
	}
	b.count++
	p := m.pages.At(b.last)
	p.ids[p.used] = id
	p.used++
}

func (m *memory) newPage(b *bucket) {
	m.listed++
	for m.unused == 0 && m.dead != 0 && m.pages.Len() > m.maxList {
		m.takeOut()
	}
	i := m.unused
	if i == 0 {
		i = m.pages.Append(page{})
	} else {
		m.unused = m.pages.At(i).next
	}
	p := m.pages.At(i)
	p.used, p.next = 0, b.last
	b.last = i
	if b.first == 0 {
		b.first = i
	}
}

// takeOut takes one page of forgotten ids out of the table, but for those that were seen again since.
func (m *memory) takeOut() {
	i := m.dead
	p := m.pages.At(i)
	for _, id := range p.ids[:p.used] {
		if at := m.seen.Ref(id); at != nil && *at < m.floor {
			m.seen.Delete(id)
		}
	}
	m.dead = p.next
	p.next, m.unused = m.unused, i
}

// saved notes that all ids are saved.
func (m *memory) saved() {
	for _, i := range m.unsaved {
		if i >= m.floor {
			m.at(i).saved = m.at(i).count
		}
	}
	m.unsaved = m.unsaved[:0]
}

// bucketOf gives the bucket of a record time.
func bucketOf(at, span schemas.Time) uint32 { return uint32(min(max(0, at)/span+1, bucketMax)) }
