package score

import (
	"cmp"
	"maps"
	"slices"

	"github.com/seamline/seamline/pipeline/score/model"
	"github.com/seamline/seamline/schemas"
)

// standing is what one profile contributes to the statistics of the population: they are made of people, and so what a profile was counted
// as is taken off when it changes, and when it merges or divides.
type standing struct {
	revenue     schemas.Decimal
	repeatMean  schemas.Decimal // of purchase days after the first
	days        uint32          // purchase days; 0 for who is not counted
	first, last int32           // days
	unsaved     bool
}

// history is a cell of the histogram of buyers.
type history struct {
	days        uint32
	first, last int32
}

// worth is a cell of the histogram of what purchase days after the first are worth.
type worth struct {
	repeats uint32
	mean    schemas.Decimal
}

// population sums what everybody did. The first part is made of standings, and made again of them at a start; the second counts events,
// which no merge changes.
type population struct {
	histories map[history]int64
	worths    map[worth]int64
	monetary  *model.Sketch
	gapDays   int64 // from the first purchase day to the last, of those with more than one
	gaps      int64 // between purchase days

	events counters
}

// counters are sums over events.
type counters struct {
	Browse, Respond, Buy [schemas.ChannelCount]uint64
	HourClicks           [hoursOfWeek]uint64
	HourSends            [hoursOfWeek]uint64
	Categories, Brands   uint64 // weights
	Lines, Promoted      uint64
	Opens, MachineOpens  uint64
	Sent, Clicks         uint64
	Baskets, Sessions    uint64 // with products in them
}

const hoursOfWeek = 168

func newPopulation() population {
	return population{histories: map[history]int64{}, worths: map[worth]int64{}, monetary: &model.Sketch{}}
}

// count adds a standing n times: 1 to count it, -1 to take it off.
func (o *population) count(st *standing, n int64) {
	if st.days == 0 {
		return
	}
	add(o.histories, history{days: st.days, first: st.first, last: st.last}, n)
	o.monetary.Add(int64(st.revenue), n)
	if st.days > 1 {
		o.gapDays += n * int64(st.last-st.first)
		o.gaps += n * int64(st.days-1)
		if st.repeatMean > 0 {
			add(o.worths, worth{repeats: st.days - 1, mean: st.repeatMean}, n)
		}
	}
}

func add[K comparable](m map[K]int64, key K, n int64) {
	if m[key] += n; m[key] == 0 {
		delete(m, key)
	}
}

// stand counts a profile as it is now instead of as it was.
func (s *Stage) stand(index uint32, p *schemas.Profile) {
	var now standing
	if !p.Merged && p.PurchaseDays > 0 {
		t := s.fold.sum
		now = standing{days: p.PurchaseDays, first: day(p.FirstOrder), last: day(p.LastOrder), revenue: p.Revenue}
		if now.days > 1 {
			now.repeatMean = (p.Revenue - t.firstDay) / schemas.Decimal(now.days-1)
		}
	}
	if now.days == 0 && int(index) >= s.standings.Len() {
		return
	}
	s.standings.Extend(int(index) + 1)
	st := s.standings.At(index)
	now.unsaved = st.unsaved
	if now == *st {
		return
	}
	s.people.count(st, -1)
	s.people.count(&now, 1)
	if !st.unsaved {
		now.unsaved = true
		s.unsaved.standings = append(s.unsaved.standings, index)
	}
	*st = now
}

// cellsFitMax bounds the cells that a model is fitted on. With more, days become weeks, and weeks months.
const cellsFitMax = 20_000

// cells gives the histogram of buyers as of the end of a day, in weeks, sorted.
func (o *population) cells(through int32) []model.Cell {
	coarse := o.histories
	for unit := int32(1); ; unit *= 7 {
		if unit > 1 {
			coarse = map[history]int64{}
			for h, n := range o.histories {
				first := h.first - floorMod(h.first, unit)
				coarse[history{days: h.days, first: first, last: first + (h.last-h.first)/unit*unit}] += n
			}
		}
		if len(coarse) <= cellsFitMax || unit > 49 {
			break
		}
	}
	list := make([]model.Cell, 0, len(coarse))
	for _, h := range slices.SortedFunc(maps.Keys(coarse), compareHistories) {
		if h.first > through {
			continue
		}
		list = append(list, model.Cell{X: h.days - 1, TX: float64(h.last-h.first) / 7, T: float64(max(through, h.last)-h.first) / 7, N: uint64(coarse[h])})
	}
	return list
}

func floorMod(a, b int32) int32 { return (a%b + b) % b }

func compareHistories(a, b history) int {
	return cmp.Or(cmp.Compare(a.days, b.days), cmp.Compare(a.first, b.first), cmp.Compare(a.last, b.last))
}

// spends gives the histogram of what purchase days are worth, in units of money, sorted.
func (o *population) spends() []model.Spend {
	list := make([]model.Spend, 0, min(len(o.worths), cellsFitMax))
	keys := slices.SortedFunc(maps.Keys(o.worths), func(a, b worth) int { return cmp.Or(cmp.Compare(a.repeats, b.repeats), cmp.Compare(a.mean, b.mean)) })
	step := 1 + len(keys)/cellsFitMax // neighbours are taken together, at their mean
	for from := 0; from < len(keys); {
		w, n, sum := keys[from], int64(0), 0.0
		to := from
		for ; to < len(keys) && to < from+step && keys[to].repeats == w.repeats; to++ {
			n += o.worths[keys[to]]
			sum += float64(o.worths[keys[to]]) * keys[to].mean.Float()
		}
		if n > 0 {
			list = append(list, model.Spend{X: w.repeats, Mean: sum / float64(n), N: uint64(n)})
		}
		from = to
	}
	return list
}

// decimal rounds to ten-thousandths.
func decimal(x float64) schemas.Decimal {
	switch y := x * float64(schemas.DecimalOne); {
	case y >= 1e17:
		return 1e17
	case y <= -1e17:
		return -1e17
	case y < 0:
		return schemas.Decimal(y - 0.5)
	default:
		return schemas.Decimal(y + 0.5)
	}
}
