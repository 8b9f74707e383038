package model

import (
	"fmt"
	"math"
	"math/bits"
)

// Path is a way that people took to a purchase, or did not: the channels they touched, in order, as small numbers, and how often that way
// ended in a purchase, what those were worth, and how often it ended in none.
type Path struct {
	Touches     []int
	Conversions float64
	Value       float64
	Nulls       float64
}

// Rule divides one conversion among the touches of a path: it writes into shares, one per touch, which then sum to 1.
type Rule func(shares []float64)

// FirstTouch gives all to the first touch.
func FirstTouch(shares []float64) {
	clear(shares)
	shares[0] = 1
}

// LastTouch gives all to the last touch.
func LastTouch(shares []float64) {
	clear(shares)
	shares[len(shares)-1] = 1
}

// Linear gives every touch as much: 1/n.
func Linear(shares []float64) {
	for i := range shares {
		shares[i] = 1 / float64(len(shares))
	}
}

// Position gives 40 % each to the first and the last touch, and divides 20 % among those between; two touches get a half each.
func Position(shares []float64) {
	n := len(shares)
	if n <= 2 {
		Linear(shares)
		return
	}
	for i := range shares {
		shares[i] = 0.2 / float64(n-2)
	}
	shares[0], shares[n-1] = 0.4, 0.4
}

// TimeDecay writes the shares of touches of those ages before the conversion: 2^(-age/halfLife), divided by their sum; ages in the unit of
// halfLife.
func TimeDecay(shares, ages []float64, halfLife float64) {
	youngest := math.Inf(1)
	for _, age := range ages {
		youngest = min(youngest, age)
	}
	sum := 0.0
	for i, age := range ages {
		shares[i] = math.Exp2((youngest - age) / halfLife)
		sum += shares[i]
	}
	for i := range ages {
		shares[i] /= sum
	}
}

// Attribute gives what a rule grants to each of so many channels: conversions, and their value.
func Attribute(paths []Path, channels int, rule Rule) (conversions, value []float64, err error) {
	if err := checkPaths(paths, channels); err != nil {
		return nil, nil, err
	}
	conversions, value = make([]float64, channels), make([]float64, channels)
	var scratch []float64
	for _, p := range paths {
		if len(p.Touches) == 0 {
			continue
		}
		scratch = append(scratch[:0], make([]float64, len(p.Touches))...)
		rule(scratch)
		for i, c := range p.Touches {
			conversions[c] += p.Conversions * scratch[i]
			value[c] += p.Value * scratch[i]
		}
	}
	return conversions, value, nil
}

func checkPaths(paths []Path, channels int) error {
	for i, p := range paths {
		if !(p.Conversions >= 0 && p.Nulls >= 0) || math.IsInf(p.Conversions+p.Nulls, 0) || math.IsNaN(p.Value) {
			return fmt.Errorf("path %d: %v conversions, %v nulls, value %v: %w", i, p.Conversions, p.Nulls, p.Value, ErrNotFinite)
		}
		for _, c := range p.Touches {
			if c < 0 || c >= channels {
				return fmt.Errorf("path %d: channel %d of %d: %w", i, c, channels, ErrBadSettings)
			}
		}
	}
	return nil
}

// shapleyChannelsMax bounds the sets of channels to 2^16.
const shapleyChannelsMax = 16

// Shapley divides the worth of all channels together among them (Shapley 1953): phi_i = sum over sets S without i of |S|! (n-|S|-1)! / n!
// (worth(S + i) - worth(S)). Worth is indexed by the set, as bits; its length is 2^n, and the empty set's is usually 0.
func Shapley(worth []float64) ([]float64, error) {
	n := bits.TrailingZeros(uint(len(worth)))
	if len(worth) == 0 || len(worth) != 1<<n || n > shapleyChannelsMax {
		return nil, fmt.Errorf("%d sets, which is no power of 2 up to 2^%d: %w", len(worth), shapleyChannelsMax, ErrBadSettings)
	}
	weight := make([]float64, n) // of a set by its size: 1 / (n * binomial(n-1, size))
	for size, choose := 0, 1.0; size < n; size++ {
		weight[size] = 1 / (float64(n) * choose)
		choose *= float64(n-1-size) / float64(size+1)
	}
	phi := make([]float64, n)
	for set := range worth {
		for i := range n {
			if set>>i&1 == 0 {
				phi[i] += weight[bits.OnesCount(uint(set))] * (worth[set|1<<i] - worth[set])
			}
		}
	}
	return phi, nil
}

// SetWorth gives the worth of each set of channels for Shapley: the conversions of the paths that touch no channel outside of the set
// (Zhao, Mahboobi, Bagheri: Shapley Value Methods for Attribution Modeling, 2018).
func SetWorth(paths []Path, channels int) ([]float64, error) {
	if channels < 0 || channels > shapleyChannelsMax {
		return nil, fmt.Errorf("%d channels, at most %d: %w", channels, shapleyChannelsMax, ErrBadSettings)
	}
	if err := checkPaths(paths, channels); err != nil {
		return nil, err
	}
	worth := make([]float64, 1<<channels)
	for _, p := range paths {
		set := 0
		for _, c := range p.Touches {
			set |= 1 << c
		}
		worth[set] += p.Conversions
	}
	for i := range channels {
		for set := range worth {
			if set>>i&1 == 1 {
				worth[set] += worth[set^1<<i]
			}
		}
	}
	return worth, nil
}
