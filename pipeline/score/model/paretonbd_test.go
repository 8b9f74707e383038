package model

import (
	"errors"
	"math"
	"testing"

	"gonum.org/v1/gonum/mathext"
)

// publishedParetoNBD are the parameters for CDNOW.
var publishedParetoNBD = ParetoNBD{R: 0.553, Alpha: 10.578, S: 0.606, Beta: 11.669}

func hyper(a, b, c, z float64) float64 { return mathext.Hypergeo(a, b, c, z) }

func TestParetoNBDPublished(t *testing.T) {
	t.Parallel()
	m := publishedParetoNBD
	near(t, "E[Y(52)|26,30.86,31]", m.ExpectedFor(52, 26, 30.86, 31), 25.458473, 1e-6)
	near(t, "P(alive) (2,30.43,38.86)", m.PAlive(2, 30.43, 38.86), 0.8691675591530111, 1e-12)
	near(t, "P(alive) (0,0,38.86)", m.PAlive(0, 0, 38.86), 0.29528660461689427, 1e-12)
	near(t, "P(alive) (26,30.86,31)", m.PAlive(26, 30.86, 31), 0.9979187310551583, 1e-12)
	guard := ParetoNBD{R: 0.55, Alpha: 10.58, S: 0.61, Beta: 11.67}
	near(t, "E[Y(10)|132,200,200]", guard.ExpectedFor(10, 132, 200, 200), 6.2060518, 5e-8)
	near(t, "E[Y(10)|133,200,200]", guard.ExpectedFor(10, 133, 200, 200), 6.2528722, 5e-8)
	published := []float64{0, 0.05077821, 0.09916088, 0.14542507, 0.1897993, 0.23247466, 0.27361274, 0.31335159, 0.35181024, 0.38909211}
	for w, want := range published { // of slightly other parameters
		near(t, "E[X(t)]", m.Expected(float64(w)), want, 0.01)
	}
	one := ParetoNBD{R: 0.5, Alpha: 10, S: 1, Beta: 12}
	near(t, "E[X(20)] at S = 1", one.Expected(20), 0.5*12/10*math.Log(32./12), 1e-12)
	// Both branches of F meet where Alpha equals Beta.
	same, beside := ParetoNBD{0.5, 10, 0.7, 10}, ParetoNBD{0.5, 10, 0.7, 10 + 1e-9}
	near(t, "P(alive) at Alpha = Beta", same.PAlive(3, 20, 30), beside.PAlive(3, 20, 30), 1e-9)
}

func TestFitParetoNBDOnCDNOW(t *testing.T) {
	t.Parallel()
	cells, _ := cdnow(t)
	var want struct{ R, Alpha, S, Beta, LL float64 }
	golden(t, "paretonbd_mle_cdnow_sample", &want)
	m, fit, err := FitParetoNBD(cells, StartParetoNBD)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v %+v", m, fit)
	for i, pair := range [][2]float64{{m.R, want.R}, {m.Alpha, want.Alpha}, {m.S, want.S}, {m.Beta, want.Beta}} {
		near(t, []string{"r", "alpha", "s", "beta"}[i], pair[0], pair[1], 1e-3)
	}
	near(t, "log-likelihood", fit.LogLikelihood, want.LL, 1e-4)
	if again, err := m.LogLikelihood(cells); err != nil || again != fit.LogLikelihood {
		t.Errorf("LogLikelihood gives %v, %v; the fit said %v", again, err, fit.LogLikelihood)
	}
	if _, err := (ParetoNBD{1, 1, -1, 1}).LogLikelihood(cells); !errors.Is(err, ErrBadSettings) {
		t.Errorf("a negative parameter gives %v", err)
	}
}

// TestParetoNBDGone: somebody who bought all the time, long ago, has a likelihood although the odds of being gone pass the largest float.
func TestParetoNBDGone(t *testing.T) {
	t.Parallel()
	m := publishedParetoNBD
	near(t, "P(alive)", m.PAlive(800, 50, 500), 0, 0)
	many := []Cell{{800, 50, 500, 100}}
	got, err := m.LogLikelihood(many)
	if err != nil {
		t.Fatal(err)
	}
	// The part of who left between tx and T alone, integrated.
	const steps = 400_000
	sum := 0.0
	for i := range steps {
		u := 50 + (float64(i)+0.5)*450/steps
		sum += math.Exp((m.R+800)*math.Log((m.Alpha+50)/(m.Alpha+u))) * m.S * math.Pow(m.Beta, m.S) / math.Pow(m.Beta+u, m.S+1) * 450 / steps
	}
	want := 100 * (lgamma(m.R+800) - lgamma(m.R) + m.R*math.Log(m.Alpha) - (m.R+800)*math.Log(m.Alpha+50) + math.Log(sum))
	near(t, "log-likelihood", got/want, 1, 1e-7)
}
