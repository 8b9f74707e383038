package model

import (
	"math"

	"gonum.org/v1/gonum/mathext"
)

// ParetoNBD holds the parameters of the Pareto/NBD model (Schmittlein, Morrison, Colombo: Counting Your Customers, Management Science 33,
// 1987; forms by Fader and Hardie, 2005): purchases at a rate that is Gamma(R, Alpha) among customers, leaving at any moment at a rate
// that is Gamma(S, Beta). The units are those of BGNBD. It is slower than BG/NBD and serves as its cross-check.
type ParetoNBD struct{ R, Alpha, S, Beta float64 }

// StartParetoNBD are the fixed values that a first fit starts from.
var StartParetoNBD = ParetoNBD{R: 1, Alpha: 10, S: 1, Beta: 10}

// Valid tells whether the parameters are all numbers above 0; without that, answers mean nothing.
func (m ParetoNBD) Valid() bool { return positive(m.R, m.Alpha, m.S, m.Beta) }

// leftRatio is S/(R+S+x) (F(tx) - F(T)) (Alpha+T)^(R+x) (Beta+T)^S: how much likelier it is to have left than to be alive. F(u) is
// 2F1(R+S+x, S+1; R+S+x+1; (Alpha-Beta)/(Alpha+u)) / (Alpha+u)^(R+S+x) for Alpha >= Beta, and the mirrored form for Alpha < Beta. The
// powers are joined in logarithms, since (Alpha+u)^-(R+S+x) alone falls below the smallest float for frequent buyers.
func (m ParetoNBD) leftRatio(x uint32, tx, T float64) float64 {
	power, second, longer := m.R+m.S+float64(x), m.S+1, m.Alpha
	if m.Alpha < m.Beta {
		second, longer = m.R+float64(x), m.Beta
	}
	distance := math.Abs(m.Alpha - m.Beta)
	now := (m.R+float64(x))*math.Log(m.Alpha+T) + m.S*math.Log(m.Beta+T)
	f := func(u float64) float64 {
		return math.Exp(now-power*math.Log(longer+u)) * mathext.Hypergeo(power, second, power+1, distance/(longer+u))
	}
	return max(0, m.S/power*(f(tx)-f(T)))
}

// PAlive is the chance that a customer is still one: 1 / (1 + S/(R+S+x) (Alpha+T)^(R+x) (Beta+T)^S (F(tx) - F(T))).
func (m ParetoNBD) PAlive(x uint32, tx, T float64) float64 { return 1 / (1 + m.leftRatio(x, tx, T)) }

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
		one := alone + lgamma(m.R+x) - (m.R+x)*math.Log(m.Alpha+c.T) - m.S*math.Log(m.Beta+c.T) + math.Log1p(m.leftRatio(c.X, c.TX, c.T))
		sum += float64(c.N) * one
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
