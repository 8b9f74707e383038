package score

import (
	"cmp"
	"slices"
	"strings"

	"github.com/seamline/seamline/pipeline/score/model"
	"github.com/seamline/seamline/schemas"
)

// What an event tells about the taste for a category or brand.
const viewWeight, cartWeight, purchaseWeight = 1, 3, 8

// affinityStrength is how much of the population's taste stands beside a person's own.
const affinityStrength = 5

// affinities sets what a person likes more than everybody does: log((c + k pi) / ((n + k) pi)) with c the person's forward-decayed weight
// for a category (views 1, carts 3, purchases 8; half-life 30 days; Cormode et al., ICDE 2009), n the sum over all categories, pi the
// population's share at the last fit and k affinityStrength. Only what lies above 0, the best first.
func (s *Stage) affinities(m *models, sc *schemas.Scores, t *taste) {
	sc.Categories = s.affinity(sc.Categories[:0], t.categories, m.Categories)
	sc.Brands = s.affinity(sc.Brands[:0], t.brands, m.Brands)
}

func (s *Stage) affinity(list []schemas.Weighed, weights []wordWeight, prior []float64) []schemas.Weighed {
	// The sum is made in an order that does not depend on the numbers of words, which go by the order in which they were met.
	slices.SortFunc(weights, func(a, b wordWeight) int { return cmp.Compare(a.weight, b.weight) })
	total := 0.0
	for _, w := range weights {
		total += w.weight
	}
	if total == 0 {
		return list
	}
	f := &s.fold
	f.ranked = f.ranked[:0]
	for _, w := range weights {
		pi := affinityFloor
		if int(w.word) < len(prior) {
			pi = max(pi, prior[w.word])
		}
		if a := model.Affinity(w.weight, total, pi, affinityStrength); a > 0 {
			f.ranked = append(f.ranked, wordWeight{word: w.word, weight: a})
		}
	}
	slices.SortFunc(f.ranked, func(a, b wordWeight) int {
		return cmp.Or(cmp.Compare(b.weight, a.weight), strings.Compare(s.words.words[a.word], s.words.words[b.word]))
	})
	for _, w := range f.ranked[:min(len(f.ranked), schemas.ScoreCount)] {
		list = append(list, schemas.Weighed{Word: s.words.words[w.word], Weight: float32(w.weight)})
	}
	return list
}

// affinityFloor is the share of a category that the population was never seen in.
const affinityFloor = 1e-6

// like notes interest in a product's category and brand. It gives the category's word; 0 for none.
func (s *Stage) like(l *leaf, category, brand string, at schemas.Time, weight uint32) (c uint32) {
	if c = s.words.of(category); c != 0 {
		s.weigh(l, cellKey(kindCategory, c), at, weight)
		s.word(c).categories += uint64(weight)
		s.people.events.Categories += uint64(weight)
	}
	if b := s.words.of(brand); b != 0 {
		s.weigh(l, cellKey(kindBrand, b), at, weight)
		s.word(b).brands += uint64(weight)
		s.people.events.Brands += uint64(weight)
	}
	return c
}

// wordStats are the population's weights for a category or brand.
type wordStats struct {
	categories, brands uint64
	unsaved            bool
}

// word gives what the population thinks of a word, and marks it changed.
func (s *Stage) word(i uint32) *wordStats {
	s.wordStats.Extend(int(i) + 1)
	w := s.wordStats.At(i)
	if !w.unsaved {
		w.unsaved = true
		s.unsaved.words = append(s.unsaved.words, i)
	}
	return w
}
