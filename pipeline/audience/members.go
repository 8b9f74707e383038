package audience

import (
	"unsafe"

	"github.com/seamline/seamline/pipeline/slab"
	"github.com/seamline/seamline/schemas"
)

// node is one membership, in the list of a profile.
type node struct {
	since    schemas.Time
	audience uint32
	next     uint32 // 0 at the end
}

const (
	nodeBytes    = int64(unsafe.Sizeof(node{}))
	profileBytes = int64(unsafe.Sizeof(uint32(0)))
)

// members remembers who is in what. The memberships of a profile are a list in the order of audiences.
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

// each calls f for every audience that a profile is in.
func (m *members) each(profile uint32, f func(audience uint32, since schemas.Time)) {
	if int(profile) >= m.first.Len() {
		return
	}
	for i := *m.first.At(profile); i != 0; {
		n := m.nodes.At(i)
		f(n.audience, n.since)
		i = n.next
	}
}

// place gives what points to the first membership of a profile that is not before an audience.
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

// get gives since when a profile is in an audience.
func (m *members) get(profile, audience uint32) (since schemas.Time, in bool) {
	if i := *m.place(profile, audience); i != 0 {
		n := m.nodes.At(i)
		return n.since, n.audience == audience
	}
	return 0, false
}

// add adds a membership that is not there yet.
func (m *members) add(profile, audience uint32, since schemas.Time) {
	at := m.place(profile, audience)
	n := node{since: since, audience: audience, next: *at}
	if m.free == 0 {
		*at = m.nodes.Append(n)
		return
	}
	*at = m.free
	unused := m.nodes.At(m.free)
	m.free = unused.next
	*unused = n
}

// remove takes away a membership that is there.
func (m *members) remove(profile, audience uint32) {
	at := m.place(profile, audience)
	i := *at
	n := m.nodes.At(i)
	*at = n.next
	*n = node{next: m.free}
	m.free = i
}
