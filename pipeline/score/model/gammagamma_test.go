package model

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
)

// TestGammaGammaCustomers: the first ten customers of the summary, as lifetimes prints them.
func TestGammaGammaCustomers(t *testing.T) {
	t.Parallel()
	m := GammaGamma{P: 6.24957097, Q: 3.74422488, V: 15.44352535}
	lines := readLines(t, "pos/cdnow_summary.csv.gz")
	for i, want := range []float64{24.65, 18.91, 35.17, 35.17, 35.17, 71.46, 18.91, 35.17, 27.28, 35.17} {
		f := strings.Split(lines[i+1], ",")
		near(t, "E[M] of customer "+f[0], m.Expected(uint32(number(t, f[1])), number(t, f[4])), want, 0.01)
	}
	near(t, "E[M] of a population without a mean", GammaGamma{1, 0.5, 3}.Expected(0, 7), 7, 0)
}

func TestLifetimeValue(t *testing.T) {
	t.Parallel()
	worth := GammaGamma{P: 6.25, Q: 3.74, V: 15.44}.Expected(2, 22.35)
	expected := func(weeks float64) float64 { return publishedBGNBD.ExpectedFor(weeks, 2, 30.43, 38.86) }
	near(t, "E[Y(52)]", expected(52), 1.558721, 5e-7)
	near(t, "CLV", LifetimeValue{Weeks: 52, Steps: 52, AnnualDiscount: 0.15, Margin: 1}.Of(worth, expected), 36.007855, 5e-7)
	near(t, "CLV without discount", LifetimeValue{Weeks: 52, Steps: 5, Margin: 0.4}.Of(worth, expected), 0.4*worth*expected(52), 1e-9)
	near(t, "CLV by months", LifetimeValue{Weeks: 52, Steps: 13, AnnualDiscount: 0.15, Margin: 1}.Of(worth, expected), 36.0, 0.2)
	near(t, "CLV of no time", LifetimeValue{Steps: 3}.Of(worth, expected), 0, 0)
}

func TestFitGammaGammaOnCDNOW(t *testing.T) {
	t.Parallel()
	_, buyers := cdnow(t)
	var cells, cents []Spend
	for _, b := range buyers {
		if b.X > 0 {
			cells, cents = append(cells, Spend{b.X, b.mean, 1}), append(cents, Spend{b.X, 100 * b.mean, 1})
		}
	}
	m, fit, err := FitGammaGamma(cells, StartGammaGamma)
	if err != nil {
		t.Fatal(err)
	}
	var want struct{ P, Q, V, LL float64 }
	golden(t, "gammagamma_mle_cdnow_sample_946", &want)
	t.Logf("%+v %+v", m, fit)
	for i, pair := range [][2]float64{{m.P, want.P}, {m.Q, want.Q}, {m.V, want.V}} {
		near(t, []string{"p", "q", "v"}[i], pair[0], pair[1], 1e-3)
	}
	near(t, "log-likelihood", fit.LogLikelihood, want.LL, 1e-4)
	near(t, "repeaters", float64(fit.Customers), 946, 0)
	if again, err := m.LogLikelihood(cells); err != nil || math.Abs(again-fit.LogLikelihood) > 1e-6 {
		t.Errorf("LogLikelihood gives %v, %v; the fit said %v", again, err, fit.LogLikelihood)
	}
	slices.Reverse(cells)
	if again, _, err := FitGammaGamma(cells, StartGammaGamma); again != m || err != nil {
		t.Errorf("the other way round the fit gives %v, %v", again, err)
	}
	c, _, err := FitGammaGamma(cents, GammaGamma{2, 4, 2000})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "p of cents", c.P, m.P, 1e-4)
	near(t, "v of cents", c.V, 100*m.V, 1e-2)
}

func TestFitGammaGammaRefuses(t *testing.T) {
	t.Parallel()
	f := func(want error, cells ...Spend) {
		t.Helper()
		if m, _, err := FitGammaGamma(cells, StartGammaGamma); !errors.Is(err, want) || m != (GammaGamma{}) {
			t.Errorf("fit of %v: %v, %v; want %v", cells, m, err, want)
		}
	}
	f(ErrTooFew)
	f(ErrTooFew, Spend{0, 10, 1000}, Spend{1, -4, 1000}, Spend{1, 3, 19})
	f(ErrNoVariety, Spend{1, 10, 1000}, Spend{2, 10, 1000})
	f(ErrNotFinite, Spend{1, math.NaN(), 1000})
	f(ErrNotFinite, Spend{1, math.Inf(1), 1000})
}

func BenchmarkLifetimeValue(b *testing.B) {
	v := LifetimeValue{Weeks: 52, Steps: 13, AnnualDiscount: 0.15, Margin: 0.4}
	b.ReportAllocs()
	for b.Loop() {
		sink = v.Of(24.65, func(w float64) float64 { return publishedMBGNBD.ExpectedFor(w, 2, 30.43, 38.86) })
	}
}
