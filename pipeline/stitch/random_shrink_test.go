package stitch

import (
	"maps"
	"slices"
	"strings"
)

// shrinkTries bounds how often a failing history is played to make it smaller.
const shrinkTries = 20_000

// shrink takes away from a history whatever it fails without, and gives how it fails then.
func shrink(h *history, seed uint64) (*history, error) {
	s := &shrinker{seed: seed, small: *h, left: shrinkTries}
	if s.err = s.fails(&s.small); s.err == nil {
		return h, nil
	}
	s.kind = kindOf(s.err)
	for before := s.size() + 1; s.size() < before && s.left > 0; {
		before = s.size()
		s.dropEntries()
		s.dropIdentifiers()
		s.dropRules()
	}
	return &s.small, s.err
}

type shrinker struct {
	seed  uint64
	small history
	err   error
	kind  string
	left  int
	rules *oracleRules
	text  string
}

func (s *shrinker) size() int {
	size := len(s.small.entries) + len(s.small.links) + len(s.small.rules)
	for _, e := range s.small.entries {
		size += len(e.ids)
	}
	for _, rule := range s.small.rules {
		size += len(rule)
	}
	return size
}

// fails plays a smaller history.
func (s *shrinker) fails(h *history) error {
	s.left--
	text, err := h.rulesText()
	if err != nil || s.left < 0 {
		return nil
	}
	if s.rules == nil || text != s.text {
		if s.rules, err = readOracleRules(text); err != nil {
			s.rules = nil
			return nil // such rules are no rules
		}
		s.text = text
	}
	return disagree(h, s.rules, s.seed)
}

// try keeps a smaller history if it fails as well.
func (s *shrinker) try(h history) bool {
	err := s.fails(&h)
	if err == nil || kindOf(err) != s.kind {
		return false
	}
	s.small, s.err = h, err
	return true
}

// kindOf tells mistakes apart, so that a history does not shrink to one with another mistake.
func kindOf(err error) string {
	for _, kind := range []string{"panic", "retracted and seen", "quarantined and released", "forbidden", "save", "load", "living profile", "never had",
		"resolves to", "newest row", "row of the identity log", "rows of the identity log", "event", "identifier", "alias"} {
		if strings.Contains(err.Error(), kind) {
			return kind
		}
	}
	return ""
}

func (s *shrinker) dropEntries() {
	for size := max(1, len(s.small.entries)/2); size > 0; size /= 2 {
		for from := len(s.small.entries) - size; from >= 0; from -= size {
			h := s.small
			h.entries = slices.Delete(slices.Clone(h.entries), from, min(from+size, len(h.entries)))
			if s.try(h) {
				from = min(from, len(s.small.entries))
			}
		}
	}
}

func (s *shrinker) dropIdentifiers() {
	for i := len(s.small.entries) - 1; i >= 0; i-- {
		for k := len(s.small.entries[i].ids) - 1; k >= 0; k-- {
			if s.small.entries[i].name == "" && len(s.small.entries[i].ids) == 1 {
				continue
			}
			h := s.small
			h.entries = slices.Clone(h.entries)
			h.entries[i].ids = slices.Delete(slices.Clone(h.entries[i].ids), k, k+1)
			s.try(h)
		}
	}
}

func (s *shrinker) dropRules() {
	for i := len(s.small.links) - 1; i >= 0; i-- {
		h := s.small
		h.links = slices.Delete(slices.Clone(h.links), i, i+1)
		s.try(h)
	}
	for _, name := range slices.Sorted(maps.Keys(s.small.rules)) {
		h := s.small
		h.rules = maps.Clone(h.rules)
		delete(h.rules, name)
		if s.try(h) {
			continue
		}
		for _, key := range slices.Sorted(maps.Keys(s.small.rules[name])) {
			h := s.small
			h.rules = maps.Clone(h.rules)
			h.rules[name] = maps.Clone(h.rules[name])
			delete(h.rules[name], key)
			s.try(h)
		}
	}
}
