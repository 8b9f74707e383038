package model

import (
	"fmt"

	"gonum.org/v1/gonum/mat"
)

// Removal is attribution by a Markov chain of order 1.
type Removal struct {
	Base        float64   // chance that the chain, from its start, ends in a conversion
	Effect      []float64 // per channel: the part of Base that is lost without it, 0..1
	Conversions []float64 // all conversions, divided in proportion to Effect
	Value       []float64 // their value, likewise
}

// Markov computes removal effects (Anderl, Becker, von Wangenheim, Schumann: Mapping the customer journey, International Journal of Research
// in Marketing 33, 2016) by an exact solution: with Q the chances of going from channel to channel, R those of converting right after and G =
// (I - Q)^-1, the chance of converting from c is (G R)_c, that of ever visiting c from the start is (s G)_c / G_cc, and their product
// over Base is what is lost when visits to c end in nothing: 1 - v(-c)/v.
func Markov(paths []Path, channels int) (Removal, error) {
	if err := checkPaths(paths, channels); err != nil {
		return Removal{}, err
	}
	c := newChain(channels)
	conversions, value := 0.0, 0.0
	for _, p := range paths {
		c.add(p)
		if len(p.Touches) > 0 {
			conversions, value = conversions+p.Conversions, value+p.Value
		}
	}
	r := Removal{Effect: make([]float64, channels), Conversions: make([]float64, channels), Value: make([]float64, channels)}
	if conversions == 0 {
		return r, nil
	}
	base, effect, err := c.solve()
	if err != nil {
		return Removal{}, err
	}
	r.Base, r.Effect = base, effect
	sum := 0.0
	for _, e := range effect {
		sum += e
	}
	for i, e := range effect {
		r.Conversions[i], r.Value[i] = conversions*e/sum, value*e/sum
	}
	return r, nil
}

// chain counts transitions.
type chain struct {
	n     int
	start []float64   // from the start to each channel
	next  [][]float64 // from channel to channel
	won   []float64   // from each channel to a conversion
	left  []float64   // from each channel, in all
}

func newChain(n int) *chain {
	c := &chain{n: n, start: make([]float64, n), won: make([]float64, n), left: make([]float64, n)}
	for range n {
		c.next = append(c.next, make([]float64, n))
	}
	return c
}

func (c *chain) add(p Path) {
	weight := p.Conversions + p.Nulls
	for i, t := range p.Touches {
		c.left[t] += weight
		if i == 0 {
			c.start[t] += weight
		} else {
			c.next[p.Touches[i-1]][t] += weight
		}
		if i == len(p.Touches)-1 {
			c.won[t] += p.Conversions
		}
	}
}

// solve gives the chance of a conversion from the start, and the removal effects. Somebody converted, so there are transitions.
func (c *chain) solve() (base float64, effect []float64, err error) {
	system, starts := mat.NewDense(c.n, c.n, nil), 0.0
	for i := range c.n {
		starts += c.start[i]
		for j := range c.n {
			q := ratio(c.next[i][j], c.left[i])
			if i == j {
				q -= 1
			}
			system.Set(i, j, -q)
		}
	}
	var visits mat.Dense // G: expected visits to j from i
	if err := visits.Inverse(system); err != nil {
		return 0, nil, fmt.Errorf("solve the chain: %w", err)
	}
	effect = make([]float64, c.n)
	for j := range c.n {
		reached, converts := 0.0, 0.0
		for i := range c.n {
			reached += c.start[i] / starts * visits.At(i, j)
			converts += visits.At(j, i) * ratio(c.won[i], c.left[i])
		}
		base += c.start[j] / starts * converts
		effect[j] = reached / visits.At(j, j) * converts
	}
	for j := range effect {
		effect[j] = min(1, max(0, effect[j]/base))
	}
	return base, effect, nil
}
