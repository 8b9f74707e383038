package timers

import (
	"github.com/seamline/seamline/pipeline/slab"
	"github.com/seamline/seamline/schemas"
)

// entry says when a profile is due.
type entry struct {
	due     schemas.Time
	profile uint32
}

func (e entry) before(f entry) bool { return e.due < f.due || e.due == f.due && e.profile < f.profile }

// heap holds entries, the earliest first. Its memory is never given back.
type heap struct {
	entries *slab.Slab[entry]
	count   int
}

func (h *heap) at(i int) *entry { return h.entries.At(uint32(i)) }

func (h *heap) append(e entry) {
	h.entries.Extend(h.count + 1)
	*h.at(h.count) = e
	h.count++
}

func (h *heap) push(e entry) {
	h.append(e)
	i := h.count - 1
	for i > 0 {
		parent := (i - 1) / 2
		above := h.at(parent)
		if !e.before(*above) {
			break
		}
		*h.at(i) = *above
		i = parent
	}
	*h.at(i) = e
}

// pop takes the earliest entry out.
func (h *heap) pop() entry {
	first := *h.at(0)
	h.count--
	if h.count > 0 {
		h.sink(0, *h.at(h.count))
	}
	return first
}

// sink puts an entry into the place of i or below.
func (h *heap) sink(i int, e entry) {
	for {
		child := 2*i + 1
		if child >= h.count {
			break
		}
		below := h.at(child)
		if child+1 < h.count && h.at(child+1).before(*below) {
			child++
			below = h.at(child)
		}
		if !below.before(e) {
			break
		}
		*h.at(i) = *below
		i = child
	}
	*h.at(i) = e
}

// keep leaves out entries that which does not want, and brings the others into order.
func (h *heap) keep(which func(e entry) bool) {
	kept := 0
	for i := range h.count {
		if e := *h.at(i); which(e) {
			*h.at(kept) = e
			kept++
		}
	}
	h.count = kept
	for i := kept/2 - 1; i >= 0; i-- {
		h.sink(i, *h.at(i))
	}
}
