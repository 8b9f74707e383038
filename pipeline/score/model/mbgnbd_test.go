package model

import (
	"math"
	"testing"
)

// publishedMBGNBD are the parameters for CDNOW.
var publishedMBGNBD = MBGNBD{R: 0.525, Alpha: 6.183, A: 0.891, B: 1.614}

func TestMBGNBDPublished(t *testing.T) {
	t.Parallel()
	m := publishedMBGNBD
	near(t, "P(alive) (0, 0, 38.86)", m.PAlive(0, 0, 38.86), 0.3897350809187629, 1e-12)
	near(t, "P(alive) (2, 30.43, 38.86)", m.PAlive(2, 30.43, 38.86), 0.7062022651184873, 1e-12)
	// Whoever has a history of no length is who has just come.
	near(t, "E[Y(t)|0,0,0]", m.ExpectedFor(20, 0, 0, 0), m.Expected(20), 1e-12)
	// The chance of staying after the first purchase, times BG/NBD with one more toss.
	closed := m.B / (m.A - 1) * (1 - math.Pow(m.Alpha/(m.Alpha+20), m.R)*hyper(m.R, m.B+1, m.A+m.B, 20/(m.Alpha+20)))
	near(t, "E[X(20)]", m.Expected(20), closed, 1e-10)
	near(t, "P(X(t)=0) of no time", m.BuysNone(0), 1, 0)
	near(t, "P(X(t)=0) for ever", m.BuysNone(1e30), m.A/(m.A+m.B), 1e-9)
}

func TestFitMBGNBDOnCDNOW(t *testing.T) {
	t.Parallel()
	cells, _ := cdnow(t)
	m, fit, err := FitMBGNBD(cells, StartMBGNBD)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v %+v", m, fit)
	for i, pair := range [][2]float64{{m.R, publishedMBGNBD.R}, {m.Alpha, publishedMBGNBD.Alpha}, {m.A, publishedMBGNBD.A}, {m.B, publishedMBGNBD.B}} {
		near(t, []string{"r", "alpha", "a", "b"}[i], pair[0], pair[1], 1e-3)
	}
}

// TestMBGNBDSimulated draws customers, and compares what they do with what is expected of them, conditional on their history and not.
func TestMBGNBDSimulated(t *testing.T) {
	t.Parallel()
	rng := newSeed(t)
	m, chance := MBGNBD{R: 0.8, Alpha: 4, A: 0.7, B: 2}, Chance{State: rng.Uint64()}
	const customers, past, ahead = 300_000, 20.0, 15.0
	type tally struct{ n, alive, later, none, wantAlive, wantLater, wantNone, spread float64 }
	groups := map[uint32]*tally{}
	first, squares := 0.0, 0.0
	for range customers {
		rate, leave := math.Exp(chance.logGamma(m.R))/m.Alpha, chance.Beta(m.A, m.B)
		x, tx, later, at := uint32(0), 0.0, 0.0, 0.0
		alive := chance.Uniform() >= leave
		isAlive := alive
		for alive {
			at -= math.Log(chance.Uniform()) / rate
			if at > past+ahead {
				break
			}
			alive = chance.Uniform() >= leave
			if at > past {
				later++
			} else {
				x, tx, isAlive = x+1, at, alive
			}
		}
		first, squares = first+float64(x), squares+float64(x*x)
		g := groups[min(x, 4)]
		if g == nil {
			g = &tally{}
			groups[min(x, 4)] = g
		}
		y := m.ExpectedFor(ahead, x, tx, past)
		g.n, g.later, g.wantLater, g.spread = g.n+1, g.later+later, g.wantLater+y, g.spread+(later-y)*(later-y)
		g.wantAlive += m.PAlive(x, tx, past)
		g.wantNone += 1 - m.BuysWithin(ahead, x, tx, past)
		if isAlive {
			g.alive++
		}
		if later == 0 {
			g.none++
		}
	}
	mean := first / customers
	near(t, "purchases in the past", mean, m.Expected(past), 5*math.Sqrt((squares/customers-mean*mean)/customers))
	for x, g := range groups {
		t.Logf("x %d: %6.0f customers, alive %.4f of %.4f, later %.4f of %.4f, none %.4f of %.4f", x, g.n,
			g.alive/g.n, g.wantAlive/g.n, g.later/g.n, g.wantLater/g.n, g.none/g.n, g.wantNone/g.n)
		near(t, "later purchases", g.later/g.n, g.wantLater/g.n, 5*math.Sqrt(g.spread)/g.n)
		near(t, "alive", g.alive/g.n, g.wantAlive/g.n, 5*0.5/math.Sqrt(g.n))
		near(t, "none", g.none/g.n, g.wantNone/g.n, 5*0.5/math.Sqrt(g.n))
	}
}
