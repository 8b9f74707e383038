// Package model is the mathematics of scoring: plain numbers come in (counts, sums, days, weights, parameters), probabilities, expected
// values and fitted parameters go out. Every function depends on its arguments alone, so a replay gives the same numbers. It never reads a
// clock, never draws from a shared source of chance, never keeps a goroutine, and never answers with NaN.
package model

import (
	"cmp"
	"errors"
	"math"
	"slices"
)

// Cell is one cell of the histogram that the models of buying are fitted on: how many customers have the same history.
type Cell struct {
	X  uint32  // purchase days after the first
	TX float64 // weeks from the first purchase day to the latest; 0 where X is 0
	T  float64 // weeks from the first purchase day to the clock
	N  uint64  // customers
}

// Fit tells how a fit went.
type Fit struct {
	LogLikelihood float64
	Customers     uint64
	Evaluations   int  // of the likelihood
	AtLimit       bool // a parameter stands at the end of its range: the data say "as far out as possible"
}

// Errors of a fit, for errors.Is.
var (
	ErrTooFew      = errors.New("too few customers")
	ErrNoRepeats   = errors.New("no customer came back")
	ErrNotFinite   = errors.New("a history is not a history")
	ErrNoConverge  = errors.New("the fit did not converge")
	ErrNoVariety   = errors.New("all observations are alike")
	ErrBadSettings = errors.New("settings out of range")
)

const (
	fitCustomersMin = 20     // fewer say nothing about four parameters
	fitRepeatersMin = 5      // customers with a purchase day after the first
	seriesTermsMax  = 20_000 // purchase days ahead that are summed over: fifty years have fewer days
	seriesTail      = 1e-13
	underflow       = -700 // of an exponent
)

// tidy gives the cells sorted, with equal histories joined and empty ones left out, so that a fit does not depend on how the histogram was
// put together.
func tidy(cells []Cell) ([]Cell, error) {
	sorted := make([]Cell, 0, len(cells))
	for _, c := range cells {
		if !(c.T >= c.TX && c.TX >= 0) || math.IsInf(c.T, 0) || (c.X == 0 && c.TX != 0) {
			return nil, ErrNotFinite
		}
		if c.N > 0 {
			sorted = append(sorted, c)
		}
	}
	slices.SortFunc(sorted, func(a, b Cell) int {
		return cmp.Or(cmp.Compare(a.X, b.X), cmp.Compare(a.T, b.T), cmp.Compare(a.TX, b.TX))
	})
	joined := sorted[:0]
	for _, c := range sorted {
		if n := len(joined); n > 0 && joined[n-1].X == c.X && joined[n-1].T == c.T && joined[n-1].TX == c.TX {
			joined[n-1].N += c.N
			continue
		}
		joined = append(joined, c)
	}
	return joined, enough(joined)
}

func enough(cells []Cell) error {
	customers, repeaters := uint64(0), uint64(0)
	for _, c := range cells {
		customers += c.N
		if c.X > 0 {
			repeaters += c.N
		}
	}
	switch {
	case customers < fitCustomersMin:
		return ErrTooFew
	case repeaters == 0:
		return ErrNoRepeats
	case repeaters < fitRepeatersMin:
		return ErrTooFew
	}
	return nil
}

// purchasesAlive is the expected number of purchases of a customer who is alive now: the sum over k = 1, 2, ... of the chance that the
// k-th purchase would come in time, times the chance that the customer survives the k - 1 before it:
//
//	sum over k of P(N >= k) * product over j < k-1 of (survived + j) / (survived + dropped + j)
//
// N is negative binomial: shape, and odds = t / (alpha + T) of the time ahead to the time observed. All terms are positive, there is no
// pole at dropped = 1, and nothing overflows; it equals the papers' forms with 2F1, which have all three faults.
func purchasesAlive(shape, odds, survived, dropped float64) float64 {
	if !(odds > 0) {
		return 0
	}
	z := odds / (1 + odds)
	logP := -shape * math.Log1p(odds) // of k purchases, beginning with none
	p, below, survival, sum := math.Exp(logP), 0.0, 1.0, 0.0
	for i := range seriesTermsMax {
		k, share := float64(i), 0.0
		if i < len(reciprocals) {
			share = z * (shape + k) * reciprocals[i]
		} else {
			share = z * (shape + k) / (k + 1)
		}
		below += p
		sum += max(0, 1-below) * survival // 1 - below is P(N >= k+1)
		// What is still to come is at most the tail of a geometric series, once the terms fall; survival is at most 1.
		if rest := 1 - max(z, share); p*share <= seriesTail*rest*rest*sum && rest > 0 && logP > underflow {
			break
		}
		if logP > underflow {
			p *= share
		} else {
			logP += math.Log(share)
			p = math.Exp(logP)
		}
		survival *= (survived + k) / (survived + dropped + k)
	}
	return sum
}

// reciprocals holds 1/(i+1), since multiplying is faster than dividing.
var reciprocals = func() (r [512]float64) {
	for i := range r {
		r[i] = 1 / float64(i+1)
	}
	return r
}()
