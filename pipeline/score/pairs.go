package score

import (
	"cmp"
	"slices"
	"strings"

	"github.com/seamline/seamline/pipeline/score/model"
	"github.com/seamline/seamline/schemas"
)

// Products that go together: how often two are in one basket, and in one session. Counts are over baskets and sessions, not over people, so
// that merges change nothing. At each fit every product gets its best companions by Dunning's log-likelihood ratio (Dunning, Computational
// Linguistics 19, 1993) among the pairs that were seen at least pairsSeenMin times and more often than by chance.

// Bounds of pairs.
const (
	basketMax     = 24 // products of a basket that are paired
	pairsSeenMin  = 2
	companionsMax = 8
)

// sessionsSampled is of how many devices one has its sessions counted: there are many more products looked at than bought, and which are
// looked at together shows in a part of them as well.
const sessionsSampled = 4

// pair is how often two products were seen together.
type pair struct {
	n       uint32
	unsaved bool
}

// relation is what two products share.
type relation uint64

const (
	inBasket relation = iota + 1
	inSession
)

const skuBits = 28

// pairKey names a pair whatever its order.
func pairKey(r relation, a, b uint32) uint64 {
	return uint64(r)<<(2*skuBits) | uint64(min(a, b))<<skuBits | uint64(max(a, b))
}

func splitPair(key uint64) (r relation, a, b uint32) {
	const mask = 1<<skuBits - 1
	return relation(key >> (2 * skuBits)), uint32(key >> skuBits & mask), uint32(key & mask)
}

// addPair counts two products as seen together. Where the table is full, pairs that are new are not counted.
func (s *Stage) addPair(r relation, a, b uint32) {
	key := pairKey(r, a, b)
	at := s.pairs.Ref(key)
	if at == nil {
		if s.pairs.Len() >= s.cfg.PairsMax {
			return
		}
		s.pairs.Put(key, pair{})
		at = s.pairs.Ref(key)
	}
	at.n = saturate(at.n, 1)
	if !at.unsaved {
		at.unsaved = true
		s.unsaved.pairs = append(s.unsaved.pairs, key)
	}
}

// basket counts the products of a new order, and their interest for the buyer.
func (s *Stage) basket(e *schemas.Event) {
	f := &s.fold
	f.basket = f.basket[:0]
	for i := range e.Items {
		if sku := s.skus.of(e.Items[i].SKU); sku != 0 && len(f.basket) < basketMax && !slices.Contains(f.basket, sku) {
			f.basket = append(f.basket, sku)
		}
	}
	if len(f.basket) == 0 {
		return
	}
	s.people.events.Baskets++
	for i, a := range f.basket {
		p := s.product(a)
		p.baskets++
		p.weight += purchaseWeight
		s.changeProduct(a, p)
		for _, b := range f.basket[:i] {
			s.addPair(inBasket, a, b)
		}
	}
}

// viewedInSession counts a product as looked at in a session, together with those that were looked at just before.
func (s *Stage) viewedInSession(f *stay, sku uint32) {
	if f.device%sessionsSampled != 0 || slices.Contains(f.skus[:], sku) {
		return
	}
	if f.skus == ([len(f.skus)]uint32{}) {
		s.people.events.Sessions++
	}
	p := s.product(sku)
	p.sessions++
	s.changeProduct(sku, p)
	for _, other := range f.skus {
		if other != 0 {
			s.addPair(inSession, sku, other)
		}
	}
	copy(f.skus[1:], f.skus[:])
	f.skus[0] = sku
}

// companion is a product that goes with another.
type companion struct {
	sku uint32
	llr float32
}

// companions are those of one product for one relation, the best first; those with no sku are none.
type companions [companionsMax]companion

// companionsAt is where the companions of a product for a relation stand.
func companionsAt(r relation, sku uint32) int { return int(2*sku) + int(r-inBasket) }

// matchProducts gives every product its companions anew. The lists before stay as they were, for rows that are as of before.
func (s *Stage) matchProducts() {
	before := s.companions
	s.companions = make([]companions, 2*len(s.skus.words))
	total := map[relation]float64{inBasket: float64(s.people.events.Baskets), inSession: float64(s.people.events.Sessions)}
	s.pairs.Each(func(key uint64, at *pair) {
		if at.n < pairsSeenMin {
			return
		}
		r, a, b := splitPair(key)
		na, nb := float64(s.product(a).baskets), float64(s.product(b).baskets)
		if r == inSession {
			na, nb = float64(s.product(a).sessions), float64(s.product(b).sessions)
		}
		n, both := total[r], float64(at.n)
		if both > min(na, nb) || both*n <= na*nb {
			return
		}
		llr := float32(model.PairLLR(n, na, nb, both))
		s.companions[companionsAt(r, a)].offer(s.skus.words, companion{sku: b, llr: llr})
		s.companions[companionsAt(r, b)].offer(s.skus.words, companion{sku: a, llr: llr})
	})
	for i := range s.companions {
		if i < len(before) && s.companions[i] != before[i] || i >= len(before) && s.companions[i] != (companions{}) {
			s.unsaved.companions = append(s.unsaved.companions, uint32(i))
		}
	}
}

// offer puts a companion into its place, if it is good enough.
func (c *companions) offer(skus []string, o companion) {
	n := companionsMax
	for n > 0 && (c[n-1].sku == 0 || compareCompanions(skus, o, c[n-1]) < 0) {
		n--
	}
	if n < companionsMax {
		copy(c[n+1:], c[n:companionsMax-1])
		c[n] = o
	}
}

// compareCompanions lets the SKU decide between equals: the numbers of products depend on which was met first.
func compareCompanions(skus []string, a, b companion) int {
	if a.llr != b.llr {
		return cmp.Compare(b.llr, a.llr)
	}
	return strings.Compare(skus[a.sku], skus[b.sku])
}
