package shoppers

// task is something that a shopper will do.
type task struct {
	at    int64 // milliseconds since 1970
	order uint64
	ref   uint64 // what the task needs to remember; its meaning depends on the kind
	who   int32
	kind  taskKind
}

func (t *task) before(other *task) bool {
	if t.at != other.at {
		return t.at < other.at
	}
	return t.order < other.order
}

// heap is a four-way min-heap of tasks.
type heap struct{ items []task }

func (h *heap) push(t task) {
	h.items = append(h.items, t)
	i := len(h.items) - 1
	for i > 0 {
		parent := (i - 1) / 4
		if !t.before(&h.items[parent]) {
			break
		}
		h.items[i] = h.items[parent]
		i = parent
	}
	h.items[i] = t
}

func (h *heap) pop() task {
	top := h.items[0]
	last := h.items[len(h.items)-1]
	h.items = h.items[:len(h.items)-1]
	if n := len(h.items); n > 0 {
		h.sink(last, n)
	}
	return top
}

// sink puts t at the root and lets it fall to its place.
func (h *heap) sink(t task, n int) {
	i := 0
	for {
		child := i*4 + 1
		if child >= n {
			break
		}
		least := child
		for c := child + 1; c < min(child+4, n); c++ {
			if h.items[c].before(&h.items[least]) {
				least = c
			}
		}
		if !h.items[least].before(&t) {
			break
		}
		h.items[i] = h.items[least]
		i = least
	}
	h.items[i] = t
}
