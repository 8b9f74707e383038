package model

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/mathext"
)

// coin is the family of BG/NBD and MBG/NBD: purchases are Poisson, rates Gamma(r, alpha) among customers, and after each purchase a coin
// that differs by customer as Beta(a, b) decides whether the customer stays. In MBG/NBD the coin is also tossed at the first purchase.
type coin struct {
	r, alpha, a, b float64
	extra          float64 // tosses beyond the repeat purchases: 0 for BG/NBD, 1 for MBG/NBD
}

// alive is one over one plus the odds that the customer has left at the latest purchase.
func (c *coin) alive(x uint32, tx, T float64) float64 {
	tosses := float64(x) + c.extra
	if tosses == 0 {
		return 1
	}
	return 1 / (1 + c.a/(c.b+tosses-1)*math.Exp((c.r+float64(x))*math.Log((c.alpha+T)/(c.alpha+tx))))
}

func (c *coin) expectedFor(t float64, x uint32, tx, T float64) float64 {
	tosses := float64(x) + c.extra
	return c.alive(x, tx, T) * purchasesAlive(c.r+float64(x), t/(c.alpha+T), c.b+tosses, c.a)
}

func (c *coin) expected(t float64) float64 {
	return c.alive(0, 0, 0) * purchasesAlive(c.r, t/c.alpha, c.b+c.extra, c.a)
}

func (c *coin) buysWithin(t float64, x uint32, tx, T float64) float64 {
	return -c.alive(x, tx, T) * math.Expm1(-(c.r+float64(x))*math.Log1p(t/(c.alpha+T)))
}

func (c *coin) logLikelihood(cells []Cell) (float64, error) {
	tidied, err := tidy(cells)
	if err != nil {
		return 0, err
	}
	return newCoinData(tidied, c.extra).likelihood(c, nil), nil
}

// coinData is a histogram in the form that the likelihood is summed over: logarithms are needed once per distinct time, and gamma
// functions once per distinct number of purchases.
type coinData struct {
	cells     []Cell
	times     []float64 // distinct T and TX, ascending
	now, last []int32   // indexes of T and TX of each cell
	ends      []int32   // of the runs of cells with equal X
	counts    []float64 // customers per run
	logs      []float64 // scratch: of alpha + times
	inverse   []float64 // scratch: of alpha + times
	extra     float64
}

func newCoinData(cells []Cell, extra float64) *coinData {
	d := &coinData{cells: cells, extra: extra}
	for _, c := range cells {
		d.times = append(d.times, c.T, c.TX)
	}
	slices.Sort(d.times)
	d.times = slices.Compact(d.times)
	for i, c := range cells {
		now, _ := slices.BinarySearch(d.times, c.T)
		last, _ := slices.BinarySearch(d.times, c.TX)
		d.now, d.last = append(d.now, int32(now)), append(d.last, int32(last))
		if i == 0 || cells[i-1].X != c.X {
			d.ends, d.counts = append(d.ends, 0), append(d.counts, 0)
		}
		d.ends[len(d.ends)-1] = int32(i + 1)
		d.counts[len(d.counts)-1] += float64(c.N)
	}
	d.logs, d.inverse = make([]float64, len(d.times)), make([]float64, len(d.times))
	return d
}

func logBeta(a, b float64) float64 { return lgamma(a) + lgamma(b) - lgamma(a+b) }

func lgamma(x float64) float64 {
	v, _ := math.Lgamma(x)
	return v
}

// likelihood sums the log-likelihood over the histogram and, where slope is given, its derivatives by r, alpha, a and b.
func (d *coinData) likelihood(c *coin, slope []float64) float64 {
	for i, t := range d.times {
		d.logs[i], d.inverse[i] = math.Log(c.alpha+t), 1/(c.alpha+t)
	}
	clear(slope)
	sum, begin := 0.0, int32(0)
	for i, end := range d.ends {
		x := d.cells[begin].X
		cells, dead, deadLogs := d.run(c, slope, begin, end)
		sum += cells + d.counts[i]*c.common(x)
		if slope != nil {
			c.commonSlope(x, d.counts[i], slope)
			slope[0] += deadLogs
			slope[2] += dead / c.a
			if tosses := float64(x) + d.extra; tosses > 0 {
				slope[3] -= dead / (c.b + tosses - 1)
			}
		}
		begin = end
	}
	return sum
}

// run sums what differs within a run of cells with equal X, the part of the slope by alpha included; dead is the expected number of those
// who left, deadLogs the derivative by r.
func (d *coinData) run(c *coin, slope []float64, begin, end int32) (sum, dead, deadLogs float64) {
	x := d.cells[begin].X
	power, ratio, alphaSlope := c.r+float64(x), math.Inf(-1), 0.0
	if tosses := float64(x) + d.extra; tosses > 0 {
		ratio = math.Log(c.a / (c.b + tosses - 1))
	}
	for i := begin; i < end; i++ {
		n, now, last := float64(d.cells[i].N), d.now[i], d.last[i]
		gap := d.logs[now] - d.logs[last]
		odds := ratio + power*gap
		part, gone := softplus(odds)
		sum += n * (part - power*d.logs[now])
		if slope != nil {
			gone *= n
			dead += gone
			deadLogs += gone*gap - n*d.logs[now]
			alphaSlope += power * (gone*(d.inverse[now]-d.inverse[last]) - n*d.inverse[now])
		}
	}
	if slope != nil {
		slope[1] += alphaSlope
	}
	return sum, dead, deadLogs
}

// softplus gives log(1 + e^y) and its derivative, without overflow.
func softplus(y float64) (value, slope float64) {
	if y > 0 {
		e := math.Exp(-y)
		return y + math.Log1p(e), 1 / (1 + e)
	}
	e := math.Exp(y)
	return math.Log1p(e), e / (1 + e)
}

// common is the part of a customer's log-likelihood that depends on x alone.
func (c *coin) common(x uint32) float64 {
	n, tosses := float64(x), float64(x)+c.extra
	return lgamma(c.r+n) - lgamma(c.r) + c.r*math.Log(c.alpha) + logBeta(c.a, c.b+tosses) - logBeta(c.a, c.b)
}

func (c *coin) commonSlope(x uint32, count float64, slope []float64) {
	n, tosses, psi := float64(x), float64(x)+c.extra, mathext.Digamma
	both := psi(c.a+c.b) - psi(c.a+c.b+tosses)
	slope[0] += count * (psi(c.r+n) - psi(c.r) + math.Log(c.alpha))
	slope[1] += count * c.r / c.alpha
	slope[2] += count * both
	slope[3] += count * (both + psi(c.b+tosses) - psi(c.b))
}

// fitCoin finds the parameters of greatest likelihood.
func fitCoin(cells []Cell, start coin) (coin, Fit, error) {
	tidied, err := tidy(cells)
	if err != nil {
		return coin{}, Fit{}, err
	}
	d, extra := newCoinData(tidied, start.extra), start.extra
	made := func(p []float64) *coin { return &coin{r: p[0], alpha: p[1], a: p[2], b: p[3], extra: extra} }
	problem := climb{
		start: []float64{start.r, start.alpha, start.a, start.b},
		value: func(p []float64) float64 { return d.likelihood(made(p), nil) },
		slope: func(p, slope []float64) { d.likelihood(made(p), slope) },
	}
	for _, n := range d.counts {
		problem.weight += n
	}
	top, fit, err := problem.solve()
	if err != nil {
		return coin{}, Fit{}, err
	}
	return *made(top), fit, nil
}
