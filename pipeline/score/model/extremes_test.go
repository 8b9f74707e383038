package model

import (
	"math"
	"math/rand/v2"
	"testing"
)

// wide draws a number between e^-limit and e^limit.
func wide(rng *rand.Rand, limit float64) float64 { return math.Exp((2*rng.Float64() - 1) * limit) }

// TestNeverNaN: whatever parameters a fit can give and whatever history there can be, answers are numbers in their range.
func TestNeverNaN(t *testing.T) {
	t.Parallel()
	rng := newSeed(t)
	for range 5000 {
		p := [4]float64{wide(rng, logLimit), wide(rng, logLimit), wide(rng, logLimit), wide(rng, logLimit)}
		T := []float64{0, 1. / 7, 52 * rng.Float64(), 2000 * rng.Float64()}[rng.IntN(4)]
		x, tx, ahead := uint32(0), 0.0, wide(rng, 6)
		if T > 0 && rng.IntN(4) > 0 {
			x, tx = 1+uint32(rng.Float64()*7*T), T*min(1, 1.1*rng.Float64())
		}
		bg, mbg, pareto := BGNBD{p[0], p[1], p[2], p[3]}, MBGNBD{p[0], p[1], p[2], p[3]}, ParetoNBD{p[0], p[1], p[2], p[3]}
		for i, chance := range []float64{bg.PAlive(x, tx, T), mbg.PAlive(x, tx, T), pareto.PAlive(x, tx, T),
			bg.BuysWithin(ahead, x, tx, T), mbg.BuysWithin(ahead, x, tx, T), bg.BuysNone(ahead), mbg.BuysNone(ahead)} {
			if !(chance >= 0 && chance <= 1) {
				t.Fatalf("chance %d of %v at x %d, tx %v, T %v, t %v is %v", i, p, x, tx, T, ahead, chance)
			}
		}
		rate := (p[0] + float64(x)) / (p[1] + T)
		for i, y := range []float64{bg.ExpectedFor(ahead, x, tx, T), mbg.ExpectedFor(ahead, x, tx, T), pareto.ExpectedFor(ahead, x, tx, T)} {
			if !(y >= 0 && y <= rate*ahead*(1+1e-9)+1e-12) {
				t.Fatalf("purchases %d of %v at x %d, tx %v, T %v, t %v are %v, at a rate of %v", i, p, x, tx, T, ahead, y, rate)
			}
		}
		if m := (GammaGamma{p[0], p[1], p[2]}).Expected(x, 100*wide(rng, 5)); math.IsNaN(m) || math.IsInf(m, 0) || m < 0 {
			t.Fatalf("worth is %v", m)
		}
	}
}

// TestFitFromAnywhere: far starts lead to the same top.
func TestFitFromAnywhere(t *testing.T) {
	t.Parallel()
	rng := newSeed(t)
	cells, truth := simulate(rng, 4000, 0)
	want, top, err := FitBGNBD(cells, StartBGNBD)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v %+v, drawn from %+v", want, top, truth)
	near(t, "r over the truth", want.R/truth.r, 1, 0.4)
	near(t, "alpha over the truth", want.Alpha/truth.alpha, 1, 0.5)
	for range 12 {
		start := BGNBD{wide(rng, 4), wide(rng, 4), wide(rng, 4), wide(rng, 4)}
		m, fit, err := FitBGNBD(cells, start)
		if err != nil {
			t.Errorf("from %+v: %v", start, err)
			continue
		}
		near(t, "log-likelihood", fit.LogLikelihood, top.LogLikelihood, 1e-3)
		near(t, "alpha", m.Alpha/want.Alpha, 1, 1e-3)
	}
}

// TestLikelihoods: what the fit says is what LogLikelihood says, and nothing near is likelier.
func TestLikelihoods(t *testing.T) {
	t.Parallel()
	rng := newSeed(t)
	cells, _ := simulate(rng, 400, 1)
	f := func(fit Fit, err error, of func(i int, by float64) (float64, error)) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if top, err := of(0, 1); err != nil || math.Abs(top-fit.LogLikelihood) > 1e-6 {
			t.Errorf("LogLikelihood gives %v, %v; the fit said %v", top, err, fit.LogLikelihood)
		}
		for i := range 4 {
			for _, by := range []float64{0.9, 1.1} {
				if other, err := of(i, by); err != nil || other > fit.LogLikelihood {
					t.Errorf("parameter %d times %v is likelier: %v, the fit %v; %v", i, by, other, fit.LogLikelihood, err)
				}
			}
		}
		if _, err := of(0, -1); err == nil {
			t.Error("the likelihood of a negative parameter has no error")
		}
	}
	times := func(p [4]float64, i int, by float64) [4]float64 { p[i] *= by; return p }
	m, fit, err := FitMBGNBD(cells, StartMBGNBD)
	f(fit, err, func(i int, by float64) (float64, error) {
		p := times([4]float64{m.R, m.Alpha, m.A, m.B}, i, by)
		return MBGNBD{p[0], p[1], p[2], p[3]}.LogLikelihood(cells)
	})
	b, fit, err := FitBGNBD(cells, StartBGNBD)
	f(fit, err, func(i int, by float64) (float64, error) {
		p := times([4]float64{b.R, b.Alpha, b.A, b.B}, i, by)
		return BGNBD{p[0], p[1], p[2], p[3]}.LogLikelihood(cells)
	})
	if !m.Valid() || !b.Valid() || !publishedParetoNBD.Valid() || !StartGammaGamma.Valid() || (GammaGamma{}).Valid() || (BGNBD{1, 1, 1, math.NaN()}).Valid() {
		t.Error("Valid does not tell parameters from others")
	}
}
