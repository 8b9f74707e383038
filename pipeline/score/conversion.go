package score

import (
	"github.com/seamline/seamline/pipeline/score/model"
	"github.com/seamline/seamline/schemas"
)

// Cart conversion: the probability that an open cart is bought within score.cart.horizon, on whatever channel, by the same learning as
// purchase propensity. A cart is a case from its last change on. When the longest silence and the horizon have passed, the case gives one
// example for every silence that it was still open after: what was known of it, how long it had been silent, and whether an order came
// within the horizon from there. An order on any channel counts, a till's included.

// cartCase is the latest cart of a leaf.
type cartCase struct {
	at      schemas.Time // last change
	value   schemas.Decimal
	changes uint16
	bought  bool // the leaf bought before
	channel schemas.Channel
	unsaved bool
	learned bool
}

// silences are after how long a cart is asked for its chances.
var silences = [...]schemas.Time{0, schemas.Hour, 6 * schemas.Hour, schemas.Day, 3 * schemas.Day}

var silenceNames = [len(silences)]string{"0", "1h", "6h", "1d", "3d"}

// silenceOf gives the index of the longest silence that has passed.
func silenceOf(idle schemas.Time) (i int) {
	for i+1 < len(silences) && idle >= silences[i+1] {
		i++
	}
	return i
}

// changeCase notes a change of a leaf's cart.
func (s *Stage) changeCase(l *leaf, e *schemas.Event) {
	c := s.cases.Ref(uint64(e.Leaf))
	if c == nil {
		s.cases.Put(uint64(e.Leaf), cartCase{learned: true})
		c = s.cases.Ref(uint64(e.Leaf))
	}
	if c.learned {
		*c = cartCase{unsaved: c.unsaved}
		s.verdicts.push(uint64(e.Leaf), s.verdict(e.Time))
	}
	c.at, c.bought, c.channel = max(c.at, e.Time), l.orders != 0, e.Channel
	if e.Type == schemas.TypeCartAdd {
		c.value += max(0, e.Amount)
	}
	c.changes += 1 &^ (c.changes >> 15)
	s.keepCase(c, uint64(e.Leaf))
}

func (s *Stage) keepCase(c *cartCase, leaf uint64) {
	if !c.unsaved {
		c.unsaved = true
		s.unsaved.cases = append(s.unsaved.cases, leaf)
	}
}

// verdict is when a cart that was changed last at a time can be learned from.
func (s *Stage) verdict(at schemas.Time) schemas.Time {
	return at + silences[len(silences)-1] + schemas.Span(s.cfg.CartHorizon)
}

// passCases learns from the carts whose time is over.
func (s *Stage) passCases(now schemas.Time) {
	s.verdicts.pass(now, func([]uint64) {}, func(key uint64, minute int64) schemas.Time {
		c := s.cases.Ref(key)
		if c == nil || c.learned {
			return 0
		}
		if over := s.verdict(c.at); minuteAfter(over) > minute {
			return over
		}
		s.learnCase(uint32(key), c)
		c.learned = true
		s.keepCase(c, key)
		return 0
	})
}

// learnCase makes the examples of a cart.
func (s *Stage) learnCase(leaf uint32, c *cartCase) {
	ordered := s.orderedAfter(leaf, c.at)
	for i, silence := range silences {
		if ordered != 0 && ordered <= c.at+silence {
			return
		}
		c.describe(&s.conversion.features, i)
		s.conversion.learn(ordered != 0 && ordered <= c.at+silence+schemas.Span(s.cfg.CartHorizon))
	}
}

// orderedAfter gives when the person of a leaf ordered first after a time; 0 for never.
func (s *Stage) orderedAfter(leaf uint32, at schemas.Time) (first schemas.Time) {
	f := &s.fold
	f.leaves = f.leaves[:0]
	s.graph.Leaves(s.graph.Owner(leaf), f.collect)
	for _, i := range f.leaves {
		for o := s.leaves.At(i).orders; o != 0; o = s.orders.At(o).next {
			if at2 := s.orders.At(o); at2.stands() && at2.time > at {
				first = schemas.Earlier(first, at2.time)
			}
		}
	}
	return first
}

func (c *cartCase) describe(f *model.Features, silence int) {
	f.Reset()
	f.Number("changes", float64(c.changes))
	f.Number("value", c.value.Float())
	f.Word("silence", silenceNames[silence])
	f.Word("bought", yesNo[toInt(c.bought)])
	f.Word("channel", c.channel.String())
}

// conversionOf sets the chance of the open cart of the leaves that were folded.
func (s *Stage) conversionOf(g *generation, p *schemas.Profile, sc *schemas.Scores) {
	if len(p.CartSKUs) == 0 {
		return
	}
	var latest *cartCase
	for _, i := range s.fold.leaves {
		if c := s.cases.Ref(uint64(i)); c != nil && (latest == nil || c.at > latest.at) {
			latest = c
		}
	}
	if latest == nil {
		return
	}
	latest.describe(&s.features, silenceOf(sc.At-latest.at))
	sc.CartConversion = float32(g.conversion.Predict(s.features.List()))
}
