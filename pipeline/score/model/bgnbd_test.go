package model

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mathext"
)

// publishedBGNBD are the parameters that Fader, Hardie and Lee print for CDNOW.
var publishedBGNBD = BGNBD{R: 0.243, Alpha: 4.414, A: 0.793, B: 2.426}

func TestBGNBDPublished(t *testing.T) {
	t.Parallel()
	m := publishedBGNBD
	near(t, "E[Y(39)]", m.ExpectedFor(39, 2, 30.43, 38.86), 1.226028174767135, 1e-12)
	near(t, "P(alive)", m.PAlive(2, 30.43, 38.86), 0.726578570, 2e-4)
	near(t, "P(alive) at the optimum", BGNBD{0.24259453, 4.41360238, 0.79292207, 2.42590691}.PAlive(2, 213./7, 272./7), 0.726578570, 1e-4)
	near(t, "P(alive) without a repeat", m.PAlive(0, 0, 500), 1, 0)
	near(t, "P(X(39)=0)", m.BuysNone(39), 0.5737864, 5e-8)
	for _, v := range [][2]float64{{0.1429, 0.0078}, {1, 0.0532}, {3, 0.1506}, {31.8571, 1.0405}, {32, 1.0437}, {78, 1.8576}} {
		near(t, "E[X(t)]", BGNBD{0.24259453, 4.41360238, 0.79292207, 2.42590691}.Expected(v[0]), v[1], 6e-4)
	}
}

// paperExpectedFor is the closed form of the paper.
func paperExpectedFor(c coin, t float64, x uint32, tx, T float64) float64 {
	n, b := float64(x), c.b+c.extra
	h := mathext.Hypergeo(c.r+n, b+n, c.a+b+n-1, t/(c.alpha+T+t))
	return (c.a + b + n - 1) / (c.a - 1) * (1 - math.Pow((c.alpha+T)/(c.alpha+T+t), c.r+n)*h) * c.alive(x, tx, T)
}

// TestExpectedPurchases compares the series with the closed forms, and looks where those have a pole or overflow.
func TestExpectedPurchases(t *testing.T) {
	t.Parallel()
	rng := newSeed(t)
	for range 2000 {
		c := coin{r: 0.05 + 3*rng.Float64(), alpha: 0.5 + 30*rng.Float64(), a: 0.1 + 3*rng.Float64(), b: 0.2 + 5*rng.Float64(), extra: float64(rng.IntN(2))}
		if math.Abs(c.a-1) < 0.01 {
			continue // the closed form loses its digits there
		}
		T := 1 + 100*rng.Float64()
		x, tx, ahead := uint32(1+rng.IntN(40)), T*rng.Float64(), 104*rng.Float64()
		want := paperExpectedFor(c, ahead, x, tx, T)
		near(t, "E[Y(t)]", c.expectedFor(ahead, x, tx, T)/want, 1, 1e-9)
	}
	left, right := BGNBD{0.3, 5, 1 - 1e-9, 2}, BGNBD{0.3, 5, 1 + 1e-9, 2}
	for _, x := range []uint32{0, 1, 7} {
		middle := BGNBD{0.3, 5, 1, 2}.ExpectedFor(20, x, 3, 10)
		near(t, "E[Y(t)] at A = 1", middle, (left.ExpectedFor(20, x, 3, 10)+right.ExpectedFor(20, x, 3, 10))/2, 1e-8)
	}
	near(t, "E[Y(0)]", left.ExpectedFor(0, 3, 2, 4), 0, 0)
	// Somebody who buys every day for twenty years, and hardly ever leaves.
	near(t, "E[Y(52)] of an everyday buyer", BGNBD{0.3, 5, 0.001, 1000}.ExpectedFor(52, 7300, 1042.8, 1042.9), 52*7300.3/1047.9, 0.5)
}

func TestFitBGNBDOnCDNOW(t *testing.T) {
	t.Parallel()
	cells, buyers := cdnow(t)
	var want struct {
		R, Alpha, A, B, LL float64
	}
	golden(t, "bgnbd_mle_cdnow_sample", &want)
	m, fit, err := FitBGNBD(cells, StartBGNBD)
	if err != nil {
		t.Fatal(err)
	}
	for i, pair := range [][2]float64{{m.R, want.R}, {m.Alpha, want.Alpha}, {m.A, want.A}, {m.B, want.B}} {
		near(t, []string{"r", "alpha", "a", "b"}[i], pair[0], pair[1], 2e-6)
	}
	near(t, "log-likelihood", fit.LogLikelihood, want.LL, 1e-6)
	if again, err := m.LogLikelihood(cells); err != nil || again != fit.LogLikelihood {
		t.Errorf("LogLikelihood gives %v, %v; the fit said %v", again, err, fit.LogLikelihood)
	}
	for _, start := range []BGNBD{{0.1, 1, 0.1, 0.1}, {3, 100, 3, 30}, {1, 1, 1, 1}} {
		other, _, err := FitBGNBD(cells, start)
		if err != nil || math.Abs(other.Alpha-m.Alpha) > 1e-4 || math.Abs(other.B-m.B) > 1e-4 {
			t.Errorf("from %v the fit gives %v, %v; want %v", start, other, err, m)
		}
	}
	var holdout struct {
		Actual float64
		Total  float64 `json:"predicted_total"`
		MAE    float64
		RMSE   float64
		Groups map[string][2]float64 `json:"by_x_actual_pred"`
	}
	golden(t, "bgnbd_holdout_39w_cdnow", &holdout)
	var actual, total, off, squares float64
	for _, b := range buyers {
		y := m.ExpectedFor(39, b.X, b.TX, b.T)
		actual, total, off, squares = actual+b.later, total+y, off+math.Abs(y-b.later), squares+(y-b.later)*(y-b.later)
	}
	n := float64(len(buyers))
	t.Logf("holdout: %.0f purchase days, %.4f predicted, MAE %.6f, RMSE %.6f", actual, total, off/n, math.Sqrt(squares/n))
	near(t, "holdout's purchase days", actual, holdout.Actual, 0)
	near(t, "holdout's prediction", total, holdout.Total, 0.01)
	near(t, "holdout's MAE", off/n, holdout.MAE, 1e-5)
	near(t, "holdout's RMSE", math.Sqrt(squares/n), holdout.RMSE, 1e-5)
	if off/n > 0.786 {
		t.Errorf("MAE %.6f is above the bar of 0.786", off/n)
	}
}

// TestFitsDependOnCountsOnly: the order of cells, and customers being joined in cells or not, change no bit.
func TestFitsDependOnCountsOnly(t *testing.T) {
	t.Parallel()
	rng := newSeed(t)
	cells, truth := simulate(rng, 3000, 0)
	_ = truth
	joined := map[Cell]uint64{}
	for _, c := range cells {
		n := c.N
		c.N = 0
		joined[c] += n
	}
	var packed []Cell
	for c, n := range joined { // in the order of a map, which is any
		c.N = n
		packed = append(packed, c)
	}
	if len(packed) == len(cells) {
		t.Fatal("no two customers share a history")
	}
	fits := []func([]Cell) (any, Fit, error){
		func(c []Cell) (any, Fit, error) { m, f, err := FitBGNBD(c, StartBGNBD); return m, f, err },
		func(c []Cell) (any, Fit, error) { m, f, err := FitMBGNBD(c, StartMBGNBD); return m, f, err },
	}
	for _, fit := range fits {
		m, f, err := fit(cells)
		if err != nil {
			t.Fatal(err)
		}
		mixed := slices.Clone(cells)
		rng.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
		for _, other := range [][]Cell{mixed, packed} {
			if again, g, err := fit(other); again != m || g != f || err != nil {
				t.Errorf("the same customers give %v %+v %v, and %v %+v", again, g, err, m, f)
			}
		}
	}
}

// simulate draws customers of a population, in whole days: truth as the coin model of extra tosses has it.
func simulate(rng *rand.Rand, customers int, extra float64) ([]Cell, coin) {
	truth := coin{r: 0.6, alpha: 6, a: 0.8, b: 2.5, extra: extra}
	chance := Chance{State: rng.Uint64()}
	var cells []Cell
	for range customers {
		rate := math.Exp(chance.logGamma(truth.r)) / truth.alpha
		leave := chance.Beta(truth.a, truth.b)
		c := Cell{T: float64(60+rng.IntN(200)) / 7, N: 1}
		for at := 0.0; c.X > 0 || extra == 0 || chance.Uniform() >= leave; {
			at -= math.Log(chance.Uniform()) / rate
			if at > c.T {
				break
			}
			c.X++
			c.TX = math.Min(c.T, math.Ceil(at*7)/7)
			if chance.Uniform() < leave {
				break
			}
		}
		cells = append(cells, c)
	}
	return cells, truth
}

func TestFitRefuses(t *testing.T) {
	t.Parallel()
	f := func(want error, cells ...Cell) {
		t.Helper()
		if m, _, err := FitBGNBD(cells, StartBGNBD); !errors.Is(err, want) || m != (BGNBD{}) {
			t.Errorf("fit of %v: %v, %v; want %v", cells, m, err, want)
		}
	}
	f(ErrTooFew)
	f(ErrTooFew, Cell{1, 1, 2, 19})
	f(ErrNoRepeats, Cell{0, 0, 20, 1000})
	f(ErrTooFew, Cell{0, 0, 20, 1000}, Cell{2, 3, 9, 4})
	f(ErrNotFinite, Cell{1, 5, 4, 100})
	f(ErrNotFinite, Cell{1, -1, 4, 100})
	f(ErrNotFinite, Cell{1, 1, math.NaN(), 100})
	f(ErrNotFinite, Cell{1, 1, math.Inf(1), 100})
	f(ErrNotFinite, Cell{0, 1, 2, 100})
	good := []Cell{{0, 0, 10, 50}, {1, 4, 10, 30}, {3, 8, 10, 10}}
	if _, _, err := FitBGNBD(good, BGNBD{1, 1, 0, 1}); !errors.Is(err, ErrBadSettings) {
		t.Errorf("a start at 0 gives %v", err)
	}
	if _, err := (BGNBD{1, 1, 1, 1}).LogLikelihood(good[:0]); !errors.Is(err, ErrTooFew) {
		t.Errorf("likelihood of nothing gives %v", err)
	}
}

// TestFitWithoutTop: nobody ever leaves, or all buy at one rate; then parameters at the end of their range stand for the limit.
func TestFitWithoutTop(t *testing.T) {
	t.Parallel()
	cells := []Cell{{0, 0, 10, 30}, {1, 9, 10, 300}, {2, 9.5, 10, 500}, {3, 9.8, 10, 400}, {5, 10, 10, 20}}
	m, fit, err := FitBGNBD(cells, StartBGNBD)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v %+v", m, fit)
	if !fit.AtLimit || !m.Valid() {
		t.Errorf("%+v, %+v: want valid parameters at the limit", m, fit)
	}
	if y := m.ExpectedFor(10, 2, 9.5, 10); !(y > 1 && y < 4) {
		t.Errorf("%v purchases expected of somebody who makes two in that time", y)
	}
}

// TestAliveFalls: the longer silent, the less alive; the less alive, the fewer purchases.
func TestAliveFalls(t *testing.T) {
	t.Parallel()
	rng := newSeed(t)
	for range 500 {
		x, tx := uint32(1+rng.IntN(30)), 50*rng.Float64()
		alive := []func(T float64) float64{
			func(T float64) float64 { return publishedBGNBD.PAlive(x, tx, T) },
			func(T float64) float64 { return publishedMBGNBD.PAlive(x, tx, T) },
			func(T float64) float64 { return publishedParetoNBD.PAlive(x, tx, T) },
			func(T float64) float64 { return publishedBGNBD.BuysWithin(8, x, tx, T) },
			func(T float64) float64 { return publishedMBGNBD.ExpectedFor(8, x, tx, T) },
			func(T float64) float64 { return publishedParetoNBD.ExpectedFor(8, x, tx, T) },
		}
		for i, f := range alive {
			before := math.Inf(1)
			for silent := 0.0; silent < 300; silent += 7 {
				now := f(tx + silent)
				if !(now >= 0 && now <= before+1e-12) || i < 4 && now > 1 {
					t.Fatalf("score %d of x %d, tx %v is %v after %v weeks of silence, before %v", i, x, tx, now, silent, before)
				}
				before = now
			}
		}
		near, far := publishedMBGNBD.ExpectedFor(4, x, tx, tx+3), publishedMBGNBD.ExpectedFor(9, x, tx, tx+3)
		if !(near < far) {
			t.Fatalf("x %d, tx %v: %v purchases in 4 weeks, %v in 9", x, tx, near, far)
		}
	}
}

func BenchmarkPAlive(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		sink = publishedMBGNBD.PAlive(7, 30.43, 38.86)
	}
}

func BenchmarkExpectedFor(b *testing.B) {
	for _, x := range []uint32{0, 2, 30} {
		b.Run(string('0'+rune(x/10))+string('0'+rune(x%10))+"-days", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				sink = publishedMBGNBD.ExpectedFor(12, x, min(float64(x), 30.43), 38.86)
			}
		})
	}
}

// BenchmarkFitBGNBD fits 20,000 cells.
func BenchmarkFitBGNBD(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	all, _ := simulate(rng, 200_000, 0)
	tidied, err := tidy(all)
	if err != nil {
		b.Fatal(err)
	}
	rng.Shuffle(len(tidied), func(i, j int) { tidied[i], tidied[j] = tidied[j], tidied[i] })
	cells := tidied[:min(len(tidied), 20_000)]
	b.ResetTimer()
	for b.Loop() {
		m, fit, err := FitBGNBD(cells, StartBGNBD)
		if err != nil {
			b.Fatal(err)
		}
		sink = m.R
		b.ReportMetric(float64(fit.Evaluations), "evaluations")
	}
	b.ReportMetric(float64(len(cells)), "cells")
}

var sink float64
