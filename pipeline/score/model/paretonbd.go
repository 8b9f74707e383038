package model

import "math"

// ParetoNBD holds the parameters of the Pareto/NBD model (Schmittlein, Morrison, Colombo: Counting Your Customers, Management Science 33,
// 1987; forms by Fader and Hardie, 2005): purchases at a rate that is Gamma(R, Alpha) among customers, leaving at any moment at a rate
// that is Gamma(S, Beta). The units are those of BGNBD. It is slower than BG/NBD and serves as its cross-check.
type ParetoNBD struct{ R, Alpha, S, Beta float64 }

// StartParetoNBD are the fixed values that a first fit starts from.
var StartParetoNBD = ParetoNBD{R: 1, Alpha: 10, S: 1, Beta: 10}

// Valid tells whether the parameters are all numbers above 0; without that, answers mean nothing.
func (m ParetoNBD) Valid() bool { return positive(m.R, m.Alpha, m.S, m.Beta) }

// logLeft is the logarithm of S/(R+S+x) (F(tx) - F(T)) (Alpha+T)^(R+x) (Beta+T)^S, of how much likelier it is to have left than to be
// alive. F(u) is 2F1(R+S+x, S+1; R+S+x+1; (Alpha-Beta)/(Alpha+u)) / (Alpha+u)^(R+S+x) for Alpha >= Beta, and 2F1(R+S+x, R+x; R+S+x+1;
// (Beta-Alpha)/(Beta+u)) / (Beta+u)^(R+S+x) for Alpha < Beta. Both overflow or vanish for frequent buyers, so Euler's transformation is
// applied: 2F1(c-1, b; c; z) = (1-z)^(1-b) 2F1(1, c-b; c; z), whose powers cancel against those in front.
func (m ParetoNBD) logLeft(x uint32, tx, T float64) float64 {
	buys := m.R + float64(x)
	power := buys + m.S
	g := func(u float64) float64 {
		if m.Alpha >= m.Beta {
			return hyperOne(buys, power+1, (m.Alpha-m.Beta)/(m.Alpha+u))
		}
		return (m.Alpha + u) / (m.Beta + u) * hyperOne(m.S+1, power+1, (m.Beta-m.Alpha)/(m.Beta+u))
	}
	front := buys*math.Log((m.Alpha+T)/(m.Alpha+tx)) + m.S*math.Log((m.Beta+T)/(m.Beta+tx))
	if front > -underflow {
		return math.Log(m.S/power*g(tx)) + front // what is taken off is nothing beside it
	}
	return math.Log(m.S / power * max(0, math.Exp(front)*g(tx)-g(T)))
}

// fractionMax bounds the steps of a continued fraction; it takes some tens, and a few thousand at the end of the range.
const fractionMax = 20_000

// hyperOne is 2F1(1, b; c; z) for c > 1, b > 0 and 0 <= z < 1, by the continued fraction of the incomplete beta function (DLMF 8.17.22,
// by Lentz's method), which is that function but for its front.
func hyperOne(b, c, z float64) float64 {
	const tiny = 1e-300
	p, q := c-1, b-c+1 // of the incomplete beta function
	apart := func(v float64) float64 {
		if math.Abs(v) < tiny {
			return tiny
		}
		return v
	}
	above, below := 1.0, 1/apart(1-(p+q)*z/(p+1))
	h := below
	for i := 1; i <= fractionMax; i++ {
		k := float64(i)
		even := k * (q - k) * z / ((p + 2*k - 1) * (p + 2*k))
		below, above = 1/apart(1+even*below), apart(1+even/above)
		h *= below * above
		odd := -(p + k) * (p + q + k) * z / ((p + 2*k) * (p + 2*k + 1))
		below, above = 1/apart(1+odd*below), apart(1+odd/above)
		step := below * above
		h *= step
		if math.Abs(step-1) < 1e-15 {
			break
		}
	}
	return h
}

// PAlive is the chance that a customer is still one: 1 / (1 + S/(R+S+x) (Alpha+T)^(R+x) (Beta+T)^S (F(tx) - F(T))).
func (m ParetoNBD) PAlive(x uint32, tx, T float64) float64 {
	return 1 / (1 + math.Exp(m.logLeft(x, tx, T)))
}

// Expected is E[X(t)], the purchase days of a new customer in the t weeks after the first one: R Beta/(Alpha (S-1)) [1 - (Beta/(Beta+t))^(S-1)].
func (m ParetoNBD) Expected(t float64) float64 { return m.R / m.Alpha * m.lifetime(t, 0) }

// ExpectedFor is E[Y(t) | x, tx, T], the purchase days in the coming t weeks of a customer with that history:
// (R+x)(Beta+T)/((Alpha+T)(S-1)) [1 - ((Beta+T)/(Beta+T+t))^(S-1)] PAlive.
func (m ParetoNBD) ExpectedFor(t float64, x uint32, tx, T float64) float64 {
	return (m.R + float64(x)) / (m.Alpha + T) * m.lifetime(t, T) * m.PAlive(x, tx, T)
}

// lifetime is the expected time that somebody alive at T stays within the coming t weeks, also for S = 1.
func (m ParetoNBD) lifetime(t, T float64) float64 {
	log, power := math.Log1p(t/(m.Beta+T)), 1-m.S
	if math.Abs(power*log) < 1e-9 {
		return (m.Beta + T) * log
	}
	return (m.Beta + T) * math.Expm1(power*log) / power
}

// LogLikelihood of a histogram: per customer log(G(R+x) Alpha^R Beta^S / G(R)) + log((Alpha+T)^-(R+x) (Beta+T)^-S + S/(R+S+x) (F(tx) - F(T))).
func (m ParetoNBD) LogLikelihood(cells []Cell) (float64, error) {
	if !m.Valid() {
		return 0, errParameters(m)
	}
	tidied, err := tidy(cells)
	if err != nil {
		return 0, err
	}
	return m.likelihood(tidied), nil
}

func (m ParetoNBD) likelihood(cells []Cell) (sum float64) {
	alone := m.R*math.Log(m.Alpha) + m.S*math.Log(m.Beta) - lgamma(m.R)
	for _, c := range cells {
		x := float64(c.X)
		left, _ := softplus(m.logLeft(c.X, c.TX, c.T))
		sum += float64(c.N) * (alone + lgamma(m.R+x) - (m.R+x)*math.Log(m.Alpha+c.T) - m.S*math.Log(m.Beta+c.T) + left)
	}
	return sum
}

// FitParetoNBD finds the parameters of greatest likelihood of a histogram, as FitBGNBD does, with slopes by differences: a second or more
// for some thousand cells, so not for the line.
func FitParetoNBD(cells []Cell, start ParetoNBD) (ParetoNBD, Fit, error) {
	tidied, err := tidy(cells)
	if err != nil {
		return ParetoNBD{}, Fit{}, err
	}
	made := func(p []float64) ParetoNBD { return ParetoNBD{R: p[0], Alpha: p[1], S: p[2], Beta: p[3]} }
	problem := climb{start: []float64{start.R, start.Alpha, start.S, start.Beta}, value: func(p []float64) float64 { return made(p).likelihood(tidied) }}
	for _, c := range tidied {
		problem.weight += float64(c.N)
	}
	top, fit, err := problem.solve()
	if err != nil {
		return ParetoNBD{}, Fit{}, err
	}
	return made(top), fit, nil
}
