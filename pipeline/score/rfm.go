package score

import (
	"maps"
	"slices"

	"github.com/seamline/seamline/pipeline/score/model"
	"github.com/seamline/seamline/schemas"
)

// Recency, frequency, monetary value (Hughes: Strategic Database Marketing, 1994): days since the last purchase, purchase days, net revenue;
// each as the quintile among all buyers, 1 to 5, where 5 is the fifth that bought last, most often, and for most. Cut points are of the
// population at the last fit: the smallest value below or at which a fifth, two fifths and so on of the buyers are (right-closed). Recency
// and frequency are counted exactly, monetary value in a sketch within 1.6 % of itself.

// cutsOf divides a histogram of whole numbers into fifths.
func cutsOf[K int32 | uint32](histogram map[K]int64) (c model.Fifths) {
	total := int64(0)
	for _, n := range histogram {
		total += n
	}
	below, i := int64(0), 0
	for _, k := range slices.Sorted(maps.Keys(histogram)) {
		below += histogram[k]
		for i < len(c) && below*5 >= total*int64(i+1) {
			c[i] = int64(k)
			i++
		}
	}
	return c
}

// rfm sets the quintiles of a buyer.
func (m *models) rfm(p *schemas.Profile, sc *schemas.Scores) {
	if p.PurchaseDays == 0 || !m.HasCuts {
		return
	}
	sc.RecencyQuintile = m.Recency.Of(int64(day(p.LastOrder)))
	sc.FrequencyQuintile = m.Frequency.Of(int64(p.PurchaseDays))
	sc.MonetaryQuintile = m.Monetary.Of(int64(p.Revenue))
}
