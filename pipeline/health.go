package pipeline

import (
	"fmt"
	"sort"
	"sync"
)

// Health collects what each part waits for. A process is ready when nothing waits.
type Health struct {
	mu      sync.Mutex // guards waiting
	waiting map[string]error
}

// NewHealth makes a Health in which every named part still waits to start.
func NewHealth(parts ...string) *Health {
	h := &Health{waiting: map[string]error{}}
	for _, p := range parts {
		h.waiting[p] = fmt.Errorf("starting")
	}
	return h
}

// Set says what a part waits for; nil means that it works.
func (h *Health) Set(part string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err == nil {
		delete(h.waiting, part)
		return
	}
	h.waiting[part] = err
}

// Ready tells whether nothing waits, and else one line per waiting part.
func (h *Health) Ready() (bool, []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	lines := make([]string, 0, len(h.waiting))
	for part, err := range h.waiting {
		lines = append(lines, fmt.Sprintf("%s: %v", part, err))
	}
	sort.Strings(lines)
	return len(lines) == 0, lines
}
