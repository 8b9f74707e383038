package audience

import (
	"unsafe"

	"github.com/seamline/seamline/pipeline/slab"
	"github.com/seamline/seamline/schemas"
)

// stay is what is known of a profile and an audience: the membership that lasts, or the latest one.
type stay struct {
	since schemas.Time
	until schemas.Time // 0 while it lasts
	aged  bool         // it ended because it was the longest allowed, and the condition has been true ever since
}

// node is a stay in the list of a profile.
type node struct {
	stay
	audience uint32
	next     uint32 // 0 at the end
}

const (
	nodeBytes    = int64(unsafe.Sizeof(node{}))
	profileBytes = int64(unsafe.Sizeof(uint32(0)))
)

// members remembers who is in what, and who was, as far as that may matter. The stays of a profile are a list in the order of audiences.
type members struct {
	first *slab.Slab[uint32] // by profile
	nodes *slab.Slab[node]   // the one with index 0 is nobody's
	free  uint32             // first of the list of nodes that are not used
}

func newMembers(space *slab.Space) members {
	m := members{first: slab.NewSlab[uint32](space), nodes: slab.NewSlab[node](space)}
	m.nodes.Append(node{})
	return m
}

// each calls f for every stay of a profile.
func (m *members) each(profile uint32, f func(audience uint32, s *stay)) {
	if int(profile) >= m.first.Len() {
		return
	}
	for i := *m.first.At(profile); i != 0; {
		n := m.nodes.At(i)
		f(n.audience, &n.stay)
		i = n.next
	}
}

// place gives what points to the first stay of a profile that is not before an audience.
func (m *members) place(profile, audience uint32) *uint32 {
	m.first.Extend(int(profile) + 1)
	at := m.first.At(profile)
	for *at != 0 {
		n := m.nodes.At(*at)
		if n.audience >= audience {
			break
		}
		at = &n.next
	}
	return at
}

// get gives what is known of a profile and an audience; false for nothing.
func (m *members) get(profile, audience uint32) (stay, bool) {
	if i := *m.place(profile, audience); i != 0 {
		if n := m.nodes.At(i); n.audience == audience {
			return n.stay, true
		}
	}
	return stay{}, false
}

// set remembers a stay.
func (m *members) set(profile, audience uint32, s stay) {
	at := m.place(profile, audience)
	if *at != 0 && m.nodes.At(*at).audience == audience {
		m.nodes.At(*at).stay = s
		return
	}
	n := node{stay: s, audience: audience, next: *at}
	if m.free == 0 {
		*at = m.nodes.Append(n)
		return
	}
	*at = m.free
	unused := m.nodes.At(m.free)
	m.free = unused.next
	*unused = n
}

// remove forgets a stay that is there.
func (m *members) remove(profile, audience uint32) {
	at := m.place(profile, audience)
	i := *at
	n := m.nodes.At(i)
	*at = n.next
	*n = node{next: m.free}
	m.free = i
}
