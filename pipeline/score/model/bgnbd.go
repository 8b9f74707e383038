package model

// BGNBD holds the parameters of the BG/NBD model of buying without a contract (Fader, Hardie, Lee: "Counting Your Customers" the Easy
// Way, Marketing Science 24, 2005). While alive, a customer buys at random with a rate that differs among customers as Gamma(R, Alpha);
// after each repeat purchase the customer leaves with a chance that differs among customers as Beta(A, B). The unit of time is the week,
// the unit of purchases is the purchase day after the first. For scores: PAlive, ExpectedFor.
type BGNBD struct{ R, Alpha, A, B float64 }

// StartBGNBD are the fixed values that a first fit starts from.
var StartBGNBD = BGNBD{R: 1, Alpha: 10, A: 1, B: 2}

func (m BGNBD) coin() coin { return coin{r: m.R, alpha: m.Alpha, a: m.A, b: m.B} }

// Valid tells whether the parameters are all numbers above 0; without that, answers mean nothing.
func (m BGNBD) Valid() bool { return positive(m.R, m.Alpha, m.A, m.B) }

// PAlive is the chance that a customer is still one: 1 / (1 + [x > 0] A/(B+x-1) ((Alpha+T)/(Alpha+tx))^(R+x)), with x purchase days after
// the first, the latest tx weeks and the clock T weeks after the first. It is 1 where x is 0, whatever T: see MBGNBD (Fader,
// Hardie, Lee: Computing P(alive) Using the BG/NBD Model, 2008).
func (m BGNBD) PAlive(x uint32, tx, T float64) float64 { c := m.coin(); return c.alive(x, tx, T) }

// Expected is E[X(t)], the purchase days of a new customer in the t weeks after the first one:
// (A+B-1)/(A-1) [1 - (Alpha/(Alpha+t))^R 2F1(R, B; A+B-1; t/(Alpha+t))] (2005, eq. 9), summed as a series without the pole at A = 1.
func (m BGNBD) Expected(t float64) float64 { c := m.coin(); return c.expected(t) }

// ExpectedFor is E[Y(t) | x, tx, T], the purchase days in the coming t weeks of a customer with that history: (A+B+x-1)/(A-1)
// [1 - ((Alpha+T)/(Alpha+T+t))^(R+x) 2F1(R+x, B+x; A+B+x-1; t/(Alpha+T+t))] PAlive (2005, eq. 10), summed as a series.
func (m BGNBD) ExpectedFor(t float64, x uint32, tx, T float64) float64 {
	c := m.coin()
	return c.expectedFor(t, x, tx, T)
}

// BuysNone is P(X(t) = 0), the chance that a new customer does not come back in t weeks: (Alpha/(Alpha+t))^R (2005, eq. 8 at x = 0).
func (m BGNBD) BuysNone(t float64) float64 { c := m.coin(); return 1 - c.buysWithin(t, 0, 0, 0) }

// BuysWithin is the chance of at least one purchase day in the coming t weeks: PAlive (1 - ((Alpha+T)/(Alpha+T+t))^(R+x)).
func (m BGNBD) BuysWithin(t float64, x uint32, tx, T float64) float64 {
	c := m.coin()
	return c.buysWithin(t, x, tx, T)
}

// LogLikelihood of a histogram (2005, eq. 6): per customer log(G(R+x) Alpha^R / G(R)) + log(B(A, B+x) / B(A, B)) + log((Alpha+T)^-(R+x) +
// [x > 0] A/(B+x-1) (Alpha+tx)^-(R+x)).
func (m BGNBD) LogLikelihood(cells []Cell) (float64, error) {
	if !m.Valid() {
		return 0, errParameters(m)
	}
	c := m.coin()
	return c.logLikelihood(cells)
}

// FitBGNBD finds the parameters of greatest likelihood of a histogram, from start (StartBGNBD, or those of the last fit). The order of
// the cells and their being joined or not change no bit of the result.
func FitBGNBD(cells []Cell, start BGNBD) (BGNBD, Fit, error) {
	c, fit, err := fitCoin(cells, start.coin())
	return BGNBD{R: c.r, Alpha: c.alpha, A: c.a, B: c.b}, fit, err
}
