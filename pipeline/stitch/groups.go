package stitch

import (
	"unsafe"

	"github.com/seamline/seamline/pipeline/slab"
)

// Groups unites identifiers that are dense numbers already, with what a Stage unites groups with: no evidence is kept, no limit holds, and
// nothing is written. It is what the graph alone costs.
type Groups struct {
	g    *graph
	read uint32 // keeps reads from being left out
}

// NewGroups makes groups of one of the identifiers 0 to n-1, whose memory is in the space. It fails with slab.ErrFull where there is no room.
func NewGroups(space *slab.Space, n int) (*Groups, error) {
	if err := space.Reserve(int64(n) * int64(unsafe.Sizeof(node{}))); err != nil {
		return nil, err
	}
	g := newGraph(nil, space)
	g.nodes.Extend(n + 1)
	for id := range uint32(n + 1) {
		at := g.nodes.At(id)
		at.parent, at.next = id, id
	}
	return &Groups{g: g}, nil
}

// UniteAll makes the groups of the identifiers of each pair one, in order. Memory is read ahead for some pairs at a time, so that the waits
// overlap.
func (s *Groups) UniteAll(pairs [][2]uint32) {
	for len(pairs) > 0 {
		some := pairs[:min(len(pairs), warmEvents)]
		for _, p := range some {
			s.read += s.g.nodes.At(p[0]+1).parent + s.g.nodes.At(p[1]+1).parent
		}
		for _, p := range some {
			s.read += s.g.nodes.At(s.g.nodes.At(p[0]+1).parent).parent + s.g.nodes.At(s.g.nodes.At(p[1]+1).parent).parent
		}
		for _, p := range some {
			if a, b := s.g.root(p[0]+1), s.g.root(p[1]+1); a != b {
				s.g.unite(a, b)
			}
		}
		pairs = pairs[len(some):]
	}
}

// First gives the least identifier of a group.
func (s *Groups) First(id uint32) uint32 { return s.g.root(id+1) - 1 }
