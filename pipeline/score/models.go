package score

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/seamline/seamline/pipeline/score/model"
	"github.com/seamline/seamline/schemas"
)

// models are the parameters of the population at a fit: what scores are computed with until the next one. They are stored as JSON, in which
// numbers come back as they were.
type models struct {
	Version uint32
	At      schemas.Time // of the fit
	Through int32        // last day that the fit took in as a whole
	Buyers  int64

	BGNBD      model.BGNBD
	MBGNBD     model.MBGNBD
	GammaGamma model.GammaGamma
	TypicalGap float64 // days between purchases

	HasCuts                      bool
	Recency, Frequency, Monetary model.Fifths

	Browse, Respond, Buy [schemas.ChannelCount]float64 // shares; sum to 1, or are all 0
	PromotedShare        float64                       // of lines
	HourRates            [hoursOfWeek]float64          // clicks per message sent in the hour
	BestHours            []uint8
	Categories, Brands   []float64 // shares by word
	Popular              []popularProducts
}

// popularProducts are the products of a category that interest most.
type popularProducts struct {
	Category uint32
	SKUs     []uint32
}

// popularMax is how many popular products of a category are kept.
const popularMax = 10

func newModels() *models {
	m := &models{}
	m.setHours(&counters{})
	return m
}

// popularIn gives the popular products of a category.
func (m *models) popularIn(category uint32) []uint32 {
	i, ok := slices.BinarySearchFunc(m.Popular, category, func(p popularProducts, c uint32) int { return cmp.Compare(p.Category, c) })
	if !ok {
		return nil
	}
	return m.Popular[i].SKUs
}

// fit makes the models of the next version of what is known of the population now. A model that cannot be fitted keeps its parameters.
func (s *Stage) fit(b *schemas.Batch, at schemas.Time) {
	before, o := s.models, &s.people
	m := &models{Version: before.Version + 1, At: at, Through: day(at) - 1, BGNBD: before.BGNBD, MBGNBD: before.MBGNBD, GammaGamma: before.GammaGamma,
		TypicalGap: before.TypicalGap}
	for _, n := range o.histories {
		m.Buyers += n
	}
	s.models, s.hasNews = m, false
	m.fitBuying(b, o)
	m.fitSpending(b, o)
	if o.gaps > 0 {
		m.TypicalGap = max(1, float64(o.gapDays)/float64(o.gaps))
	}
	m.setCuts(o)
	m.setShares(&o.events)
	m.setHours(&o.events)
	m.Categories, m.Brands = s.tasteShares()
	m.Popular = s.popular()
	s.matchProducts()
	s.propensity.fit()
	s.conversion.fit()
	m.report(b, s)
	s.metrics.fits.Inc()
	s.unsaved.models = true
}

// add appends a row of a model.
func (m *models) add(b *schemas.Batch, name string, people uint64, logLikelihood float64, parameters ...schemas.Parameter) {
	b.Models = append(b.Models, schemas.Model{Name: name, Version: m.Version, FittedAt: m.At, People: people, LogLikelihood: logLikelihood,
		Parameters: parameters})
}

func parameter(name string, value float64) schemas.Parameter {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		value = 0
	}
	return schemas.Parameter{Name: name, Value: value}
}

// fitBuying fits BG/NBD and MBG/NBD.
func (m *models) fitBuying(b *schemas.Batch, o *population) {
	cells := o.cells(m.Through)
	// Always from the same start: then the parameters depend on the histogram alone, and not on the fits before.
	if fitted, fit, err := model.FitBGNBD(cells, model.StartBGNBD); err == nil {
		m.BGNBD = fitted
		m.add(b, "bgnbd", fit.Customers, fit.LogLikelihood, parameter("r", fitted.R), parameter("alpha", fitted.Alpha), parameter("a", fitted.A), parameter("b", fitted.B))
	}
	if fitted, fit, err := model.FitMBGNBD(cells, model.StartMBGNBD); err == nil {
		m.MBGNBD = fitted
		m.add(b, "mbgnbd", fit.Customers, fit.LogLikelihood, parameter("r", fitted.R), parameter("alpha", fitted.Alpha), parameter("a", fitted.A), parameter("b", fitted.B))
	}
}

// fitSpending fits Gamma-Gamma.
func (m *models) fitSpending(b *schemas.Batch, o *population) {
	if fitted, fit, err := model.FitGammaGamma(o.spends(), model.StartGammaGamma); err == nil {
		m.GammaGamma = fitted
		m.add(b, "gamma_gamma", fit.Customers, fit.LogLikelihood, parameter("p", fitted.P), parameter("q", fitted.Q), parameter("v", fitted.V))
	}
}

// setCuts divides the buyers into fifths.
func (m *models) setCuts(o *population) {
	last, days := map[int32]int64{}, map[uint32]int64{}
	for h, n := range o.histories {
		last[h.last] += n
		days[h.days] += n
	}
	m.Recency, m.Frequency, m.Monetary = cutsOf(last), cutsOf(days), o.monetary.Fifths()
	m.HasCuts = m.Buyers > 0
}

// setShares notes what everybody does.
func (m *models) setShares(c *counters) {
	m.Browse, m.Respond, m.Buy = parts(&c.Browse), parts(&c.Respond), parts(&c.Buy)
	m.PromotedShare = float64(c.Promoted) / float64(max(1, c.Lines))
}

func parts(counts *[schemas.ChannelCount]uint64) (p [schemas.ChannelCount]float64) {
	total := uint64(0)
	for _, n := range counts {
		total += n
	}
	for i, n := range counts {
		p[i] = float64(n) / float64(max(1, total))
	}
	return p
}

// clickPrior is how many clicks in how many messages an hour begins with.
const clickPrior, sendPrior = 1, 20

// setHours notes how often messages of each hour of the week are clicked, and the best hours.
func (m *models) setHours(c *counters) {
	order := make([]uint8, hoursOfWeek)
	for h := range order {
		order[h] = uint8(h)
		m.HourRates[h] = min(1, (float64(c.HourClicks[h])+clickPrior)/(float64(c.HourSends[h])+sendPrior))
	}
	slices.SortStableFunc(order, func(a, b uint8) int { return cmp.Compare(m.HourRates[b], m.HourRates[a]) })
	m.BestHours = order[:hoursTried]
}

// tasteShares gives the population's shares of categories and brands.
func (s *Stage) tasteShares() (categories, brands []float64) {
	n := s.wordStats.Len()
	categories, brands = make([]float64, n), make([]float64, n)
	for i := range n {
		w := s.wordStats.At(uint32(i))
		categories[i] = float64(w.categories) / float64(max(1, s.people.events.Categories))
		brands[i] = float64(w.brands) / float64(max(1, s.people.events.Brands))
	}
	return categories, brands
}

// popular gives the products of each category that interest most.
func (s *Stage) popular() []popularProducts {
	byCategory := map[uint32][]uint32{}
	for sku := range uint32(s.products.Len()) {
		p := s.products.At(sku)
		if p.weight == 0 || p.category == 0 {
			continue
		}
		list := append(byCategory[p.category], sku)
		for i := len(list) - 1; i > 0 && s.isMorePopular(sku, list[i-1]); i-- {
			list[i-1], list[i] = list[i], list[i-1]
		}
		byCategory[p.category] = list[:min(len(list), popularMax)]
	}
	all := make([]popularProducts, 0, len(byCategory))
	for category, skus := range byCategory {
		all = append(all, popularProducts{Category: category, SKUs: skus})
	}
	slices.SortFunc(all, func(a, b popularProducts) int { return cmp.Compare(a.Category, b.Category) })
	return all
}

// isMorePopular lets the SKU decide between equals: the numbers of products depend on which was met first.
func (s *Stage) isMorePopular(a, b uint32) bool {
	x, y := s.products.At(a).weight, s.products.At(b).weight
	return x > y || x == y && s.skus.words[a] < s.skus.words[b]
}

// report appends the rows of what is not fitted but counted.
func (m *models) report(b *schemas.Batch, s *Stage) {
	e := &s.people.events
	fifths := func(name string, f model.Fifths, unit float64) (list []schemas.Parameter) {
		for i, cut := range f {
			list = append(list, parameter(fmt.Sprintf("%s_%d", name, 20*(i+1)), float64(cut)/unit))
		}
		return list
	}
	if m.HasCuts {
		m.add(b, "rfm", uint64(m.Buyers), 0, slices.Concat(fifths("last_day", m.Recency, 1), fifths("purchase_days", m.Frequency, 1),
			fifths("revenue", m.Monetary, float64(schemas.DecimalOne)))...)
		m.add(b, "gap", uint64(m.Buyers), 0, parameter("days", m.TypicalGap))
	}
	m.add(b, "discount", e.Lines, 0, parameter("promoted_share", m.PromotedShare))
	var shares []schemas.Parameter
	for i, name := range schemas.ChannelNames() {
		if m.Browse[i]+m.Respond[i]+m.Buy[i] > 0 {
			shares = append(shares, parameter("browse_"+name, m.Browse[i]), parameter("respond_"+name, m.Respond[i]), parameter("buy_"+name, m.Buy[i]))
		}
	}
	m.add(b, "channels", 0, 0, shares...)
	m.add(b, "send_time", e.Sent, 0, parameter("best_hour", float64(m.BestHours[0])), parameter("best_rate", m.HourRates[m.BestHours[0]]))
	m.add(b, "affinity", e.Baskets+e.Sessions, 0, parameter("baskets", float64(e.Baskets)), parameter("sessions", float64(e.Sessions)),
		parameter("pairs", float64(s.pairs.Len())))
	s.propensity.report(m, b, "propensity")
	s.conversion.report(m, b, "cart_conversion")
}
