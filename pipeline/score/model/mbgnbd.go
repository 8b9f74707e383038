package model

// MBGNBD holds the parameters of the MBG/NBD model (Batislam, Denizel, Filiztekin: Empirical Validation and Comparison of Models for
// Customer Base Analysis, International Journal of Research in Marketing 24, 2007): BG/NBD in which a customer may also leave right after
// the first purchase, so that somebody who bought once, long ago, is not alive for sure. The units are those of BGNBD.
type MBGNBD struct{ R, Alpha, A, B float64 }

// StartMBGNBD are the fixed values that a first fit starts from.
var StartMBGNBD = MBGNBD{R: 1, Alpha: 10, A: 1, B: 2}

func (m MBGNBD) coin() coin { return coin{r: m.R, alpha: m.Alpha, a: m.A, b: m.B, extra: 1} }

// Valid tells whether the parameters are all numbers above 0; without that, answers mean nothing.
func (m MBGNBD) Valid() bool { return positive(m.R, m.Alpha, m.A, m.B) }

// PAlive is the chance that a customer is still one: 1 / (1 + A/(B+x) ((Alpha+T)/(Alpha+tx))^(R+x)), with x purchase days after the first,
// the latest tx weeks and the clock T weeks after the first (2007, section 3).
func (m MBGNBD) PAlive(x uint32, tx, T float64) float64 { c := m.coin(); return c.alive(x, tx, T) }

// Expected is E[X(t)], the purchase days of a new customer in the t weeks after the first one:
// B/(A-1) [1 - (Alpha/(Alpha+t))^R 2F1(R, B+1; A+B; t/(Alpha+t))]. Derived as BG/NBD's, with B+1 for B and the chance B/(A+B) of staying
// after the first purchase in front; summed as a series without the pole at A = 1.
func (m MBGNBD) Expected(t float64) float64 { c := m.coin(); return c.expected(t) }

// ExpectedFor is E[Y(t) | x, tx, T], the purchase days in the coming t weeks of a customer with that history: (A+B+x)/(A-1)
// [1 - ((Alpha+T)/(Alpha+T+t))^(R+x) 2F1(R+x, B+x+1; A+B+x; t/(Alpha+T+t))] PAlive, summed as a series.
func (m MBGNBD) ExpectedFor(t float64, x uint32, tx, T float64) float64 {
	c := m.coin()
	return c.expectedFor(t, x, tx, T)
}

// BuysNone is P(X(t) = 0), the chance that a new customer does not come back in t weeks: (A + B (Alpha/(Alpha+t))^R) / (A+B).
func (m MBGNBD) BuysNone(t float64) float64 { c := m.coin(); return 1 - c.buysWithin(t, 0, 0, 0) }

// BuysWithin is the chance of at least one purchase day in the coming t weeks: PAlive (1 - ((Alpha+T)/(Alpha+T+t))^(R+x)).
func (m MBGNBD) BuysWithin(t float64, x uint32, tx, T float64) float64 {
	c := m.coin()
	return c.buysWithin(t, x, tx, T)
}

// LogLikelihood of a histogram: per customer log(G(R+x) Alpha^R / G(R)) + log(B(A, B+x+1) / B(A, B)) + log((Alpha+T)^-(R+x) +
// A/(B+x) (Alpha+tx)^-(R+x)).
func (m MBGNBD) LogLikelihood(cells []Cell) (float64, error) {
	if !m.Valid() {
		return 0, errParameters(m)
	}
	c := m.coin()
	return c.logLikelihood(cells)
}

// FitMBGNBD finds the parameters of greatest likelihood of a histogram, as FitBGNBD does.
func FitMBGNBD(cells []Cell, start MBGNBD) (MBGNBD, Fit, error) {
	c, fit, err := fitCoin(cells, start.coin())
	return MBGNBD{R: c.r, Alpha: c.alpha, A: c.a, B: c.b}, fit, err
}
