package model

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/mathext"
)

// GammaGamma holds the parameters of the Gamma-Gamma model of spending (Fader, Hardie, Lee: RFM and CLV, Journal of Marketing Research
// 42, 2005; Fader, Hardie: The Gamma-Gamma Model of Monetary Value, 2013). A customer's purchase days are worth Gamma(P, nu), nu differs
// among customers as Gamma(Q, V). V has the unit of the means, which is a unit of money; V is gamma in the papers.
type GammaGamma struct{ P, Q, V float64 }

// StartGammaGamma are the fixed values that a first fit starts from.
var StartGammaGamma = GammaGamma{P: 2, Q: 4, V: 20}

// Spend is one cell of the histogram that Gamma-Gamma is fitted on: customers with X purchase days that are worth Mean on average.
type Spend struct {
	X    uint32 // purchase days after the first; cells with 0 are left out
	Mean float64
	N    uint64 // customers
}

// Valid tells whether the parameters are all numbers above 0; without that, answers mean nothing.
func (g GammaGamma) Valid() bool { return positive(g.P, g.Q, g.V) }

// Expected is E[M | x, m], the expected worth of a purchase day of a customer whose x days after the first were worth m on average:
// P (V + x m) / (P x + Q - 1) (2013). It is drawn towards the population's mean P V/(Q - 1), the more the smaller x is; where the
// population has no mean (P x + Q <= 1), the answer is m.
func (g GammaGamma) Expected(x uint32, m float64) float64 {
	below := g.P*float64(x) + g.Q - 1
	if !(below > 0) {
		return m
	}
	return g.P * (g.V + float64(x)*m) / below
}

// LogLikelihood of a histogram (2013): per customer log G(P x + Q) - log G(P x) - log G(Q) + Q log V + (P x - 1) log m +
// P x log x - (P x + Q) log(V + x m).
func (g GammaGamma) LogLikelihood(cells []Spend) (float64, error) {
	if !g.Valid() {
		return 0, errParameters(g)
	}
	tidied, err := tidySpend(cells)
	if err != nil {
		return 0, err
	}
	return g.likelihood(tidied, nil), nil
}

// likelihood relies on the cells being sorted by X: gamma functions are needed once per distinct X.
func (g GammaGamma) likelihood(cells []Spend, slope []float64) (sum float64) {
	clear(slope)
	var x, px, common, psiP, psiQ float64
	psi := mathext.Digamma
	for i, c := range cells {
		if i == 0 || c.X != cells[i-1].X {
			x = float64(c.X)
			px = g.P * x
			common = lgamma(px+g.Q) - lgamma(px) - lgamma(g.Q) + g.Q*math.Log(g.V) + px*math.Log(x)
			if slope != nil {
				both := psi(px + g.Q)
				psiP, psiQ = both-psi(px)+math.Log(x), both-psi(g.Q)+math.Log(g.V)
			}
		}
		n, logMean, all := float64(c.N), math.Log(c.Mean), g.V+x*c.Mean
		logAll := math.Log(all)
		sum += n * (common + (px-1)*logMean - (px+g.Q)*logAll)
		if slope != nil {
			slope[0] += n * x * (psiP + logMean - logAll)
			slope[1] += n * (psiQ - logAll)
			slope[2] += n * (g.Q/g.V - (px+g.Q)/all)
		}
	}
	return sum
}

// tidySpend sorts and joins the cells, and leaves out customers without a repeat purchase or without a worth above 0.
func tidySpend(cells []Spend) ([]Spend, error) {
	sorted, customers, variety := make([]Spend, 0, len(cells)), uint64(0), false
	for _, c := range cells {
		if math.IsNaN(c.Mean) || math.IsInf(c.Mean, 0) {
			return nil, ErrNotFinite
		}
		if c.N == 0 || c.X == 0 || c.Mean <= 0 {
			continue
		}
		sorted = append(sorted, c)
		customers += c.N
		variety = variety || c.Mean != sorted[0].Mean
	}
	if customers < fitCustomersMin {
		return nil, ErrTooFew
	}
	if !variety {
		return nil, ErrNoVariety
	}
	slices.SortFunc(sorted, func(a, b Spend) int { return cmp.Or(cmp.Compare(a.X, b.X), cmp.Compare(a.Mean, b.Mean)) })
	joined := sorted[:0]
	for _, c := range sorted {
		if n := len(joined); n > 0 && joined[n-1].X == c.X && joined[n-1].Mean == c.Mean {
			joined[n-1].N += c.N
			continue
		}
		joined = append(joined, c)
	}
	return joined, nil
}

// FitGammaGamma finds the parameters of greatest likelihood of a histogram, from start (StartGammaGamma, or those of the last fit). The
// unit of money does not matter: the fit is made in units of the population's mean.
func FitGammaGamma(cells []Spend, start GammaGamma) (GammaGamma, Fit, error) {
	tidied, err := tidySpend(cells)
	if err != nil {
		return GammaGamma{}, Fit{}, err
	}
	sum, customers := 0.0, 0.0
	for _, c := range tidied {
		sum += float64(c.N) * c.Mean
		customers += float64(c.N)
	}
	unit := sum / customers
	for i := range tidied {
		tidied[i].Mean /= unit
	}
	made := func(p []float64) GammaGamma { return GammaGamma{P: p[0], Q: p[1], V: p[2]} }
	problem := climb{
		start: []float64{start.P, start.Q, start.V / unit}, weight: customers,
		value: func(p []float64) float64 { return made(p).likelihood(tidied, nil) },
		slope: func(p, slope []float64) { made(p).likelihood(tidied, slope) },
	}
	top, fit, err := problem.solve()
	if err != nil {
		return GammaGamma{}, Fit{}, err
	}
	g := made(top)
	g.V *= unit
	fit.LogLikelihood -= customers * math.Log(unit) // the density of means, per unit of money
	return g, fit, nil
}

// LifetimeValue says how future purchases are turned into a value of today.
type LifetimeValue struct {
	Weeks          float64 // that are looked ahead
	Steps          int     // that they are cut into: 52 for weeks, 12 or 13 for months; each costs one evaluation of expected purchases
	AnnualDiscount float64 // 0.15 for 15 % a year
	Margin         float64 // share of a purchase's worth that is earned, 0..1
}

// weeksPerYear is the year of the discount rate.
const weeksPerYear = 52

// Of is the discounted margin of a customer's coming purchases: Margin * worth * sum over steps k of (E[Y(t_k)] - E[Y(t_k-1)]) /
// (1+AnnualDiscount)^(t_k/52), with worth the expected worth of a purchase day (Fader, Hardie, Lee 2005). Expected gives E[Y(t)] for t in
// weeks and must not keep its argument; a closure over a model's ExpectedFor is not allocated.
func (v LifetimeValue) Of(worth float64, expected func(weeks float64) float64) float64 {
	if v.Steps <= 0 || v.Weeks <= 0 {
		return 0
	}
	step := v.Weeks / float64(v.Steps)
	factor := math.Pow(1+v.AnnualDiscount, -step/weeksPerYear)
	sum, before, discount := 0.0, 0.0, 1.0
	for k := 1; k <= v.Steps; k++ {
		discount *= factor
		until := expected(float64(k) * step)
		sum += (until - before) * discount
		before = until
	}
	return v.Margin * worth * sum
}
