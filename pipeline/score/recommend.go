package score

import (
	"slices"

	"github.com/seamline/seamline/schemas"
)

// What a product gets for each way in which it is found.
const (
	boughtSeed  = 1.0 // goes with what was bought
	cartSeed    = 1.5 // goes with what is in the cart
	viewedSeed  = 0.7 // looked at together with what was looked at
	ownInterest = 0.5 // looked at and not bought
	popular     = 0.2 // liked by all in a category that the person likes
	seedsMax    = 5   // of each list
	justBought  = 30 * schemas.Day
)

// candidate is a product that may be recommended.
type candidate struct {
	sku    uint32
	score  float64
	gain   float64 // the largest part of the score
	reason uint8
	seed   uint32 // the product or category that the largest part comes from
}

// The reasons, in words.
const (
	reasonGoesWith = iota
	reasonFitsCart
	reasonSimilar
	reasonViewed
	reasonPopular
)

var reasonWords = [...]string{"bought together with ", "goes with the cart's ", "looked at together with ", "looked at and not bought", "popular in "}

// recommend sets the products that suit a person best: companions of what was bought, is in the cart, or was looked at (their
// log-likelihood ratios, saturating), what was looked at and not bought, and what is popular in the categories that the person likes. Never
// what was bought within 30 days, is in the cart, or is out of stock.
func (s *Stage) recommend(g *generation, p *schemas.Profile, sc *schemas.Scores, t *taste) {
	f := &s.fold
	f.candidates = f.candidates[:0]
	for i := range min(len(p.CartSKUs), seedsMax) {
		s.suggest(g.companions, inBasket, s.skus.known(p.CartSKUs[i]), reasonFitsCart, cartSeed)
	}
	for i := range seedsMax {
		s.suggest(g.companions, inBasket, t.bought[i].sku, reasonGoesWith, boughtSeed)
		s.suggest(g.companions, inSession, t.viewed[i].sku, reasonSimilar, viewedSeed)
		f.candidate(t.viewed[i].sku, reasonViewed, t.viewed[i].sku, ownInterest/float64(i+1))
	}
	for i := range min(2, len(sc.Categories)) {
		word := s.words.known(sc.Categories[i].Word)
		for n, sku := range g.models.popularIn(word) {
			f.candidate(sku, reasonPopular, word, popular/float64(n+1))
		}
	}
	s.best(p, sc.At, t)
	sc.Recommended = sc.Recommended[:0]
	for _, i := range f.best {
		c := &f.candidates[i]
		sc.Recommended = append(sc.Recommended, schemas.Recommendation{SKU: s.skus.words[c.sku], Score: float32(c.score), Reason: s.reason(c)})
	}
}

// best chooses the candidates to recommend, the best first; of two alike the first by name.
func (s *Stage) best(p *schemas.Profile, now schemas.Time, t *taste) {
	f := &s.fold
	f.best = f.best[:0]
	for i := range f.candidates {
		c, n := &f.candidates[i], len(f.best)
		for n > 0 && s.isBetter(c, &f.candidates[f.best[n-1]]) {
			n--
		}
		if n == schemas.ScoreCount || !s.isOffered(p, now, t, c.sku) {
			continue
		}
		f.best = slices.Insert(f.best, n, int32(i))
		f.best = f.best[:min(len(f.best), schemas.ScoreCount)]
	}
}

func (s *Stage) isBetter(a, b *candidate) bool {
	return a.score > b.score || a.score == b.score && s.skus.words[a.sku] < s.skus.words[b.sku]
}

// isOffered tells whether a product may be recommended.
func (s *Stage) isOffered(p *schemas.Profile, now schemas.Time, t *taste, sku uint32) bool {
	for _, b := range t.bought {
		if b.sku == sku && schemas.Time(b.at)*schemas.Second > now-justBought {
			return false
		}
	}
	return !slices.Contains(p.CartSKUs, s.skus.words[sku]) && s.isThereFor(sku, s.journey(p.Index).step)
}

// suggest adds the companions of a product.
func (s *Stage) suggest(known []companions, r relation, seed uint32, reason uint8, weight float64) {
	if seed == 0 {
		return
	}
	at := companionsAt(r, seed)
	if at >= len(known) {
		return
	}
	for _, c := range &known[at] {
		if c.sku == 0 {
			return
		}
		llr := float64(c.llr)
		s.fold.candidate(c.sku, reason, seed, weight*llr/(llr+10))
	}
}

// candidate adds to a product's score.
func (f *folder) candidate(sku uint32, reason uint8, seed uint32, gain float64) {
	if sku == 0 {
		return
	}
	if int(sku) >= len(f.marks) {
		f.marks = append(f.marks, make([]int32, max(int(sku)+1-len(f.marks), len(f.marks)))...)
	}
	i := int(f.marks[sku])
	if i >= len(f.candidates) || f.candidates[i].sku != sku {
		i = len(f.candidates)
		f.marks[sku] = int32(i)
		f.candidates = append(f.candidates, candidate{sku: sku})
	}
	c := &f.candidates[i]
	c.score += gain
	if gain > c.gain {
		c.gain, c.reason, c.seed = gain, reason, seed
	}
}

// reason says why a product is recommended. Reasons are few, since seeds are, so that each is written once.
func (s *Stage) reason(c *candidate) string {
	key := uint64(c.reason)<<32 | uint64(c.seed)
	if c.reason == reasonViewed {
		return reasonWords[reasonViewed]
	}
	if text, ok := s.reasons[key]; ok {
		return text
	}
	name := s.words.words
	if c.reason != reasonPopular {
		name = s.skus.words
	}
	text := reasonWords[c.reason] + name[c.seed]
	if len(s.reasons) >= reasonsMax {
		clear(s.reasons)
	}
	s.reasons[key] = text
	return text
}

// reasonsMax bounds the texts that are remembered.
const reasonsMax = 1 << 17
