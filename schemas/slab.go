package schemas

// Sizes of what events share.
const (
	slabElements = 4096 // of one chunk
	slabRestMin  = 8    // a chunk with less room is full
)

// slab is memory for many short lists. It grows by chunks that never move.
type slab[T any] struct {
	chunks [][]T
	chunk  int // the one that lists are taken from
	used   int // elements of that chunk
	open   bool
}

// rest gives an empty list that grows into the free part of the slab until keep. Where it outgrows that, it moves to memory of its own.
func (s *slab[T]) rest() []T {
	if s.chunk < len(s.chunks) && s.used > slabElements-slabRestMin {
		s.chunk, s.used = s.chunk+1, 0
	}
	if s.chunk == len(s.chunks) {
		s.chunks = append(s.chunks, make([]T, slabElements))
	}
	s.open = true
	return s.chunks[s.chunk][s.used:s.used]
}

// keep ends the list that rest gave, which cannot grow further then.
func (s *slab[T]) keep(list []T) []T {
	if s.open && cap(list) == slabElements-s.used {
		s.used += len(list)
	}
	s.open = false
	return list[:len(list):len(list)]
}

// reset takes all lists back and clears them.
func (s *slab[T]) reset() {
	for i := range s.chunk {
		clear(s.chunks[i])
	}
	if s.chunk < len(s.chunks) {
		clear(s.chunks[s.chunk][:s.used])
	}
	s.chunk, s.used, s.open = 0, 0, false
}
