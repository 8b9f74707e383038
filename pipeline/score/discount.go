package score

import (
	"github.com/seamline/seamline/pipeline/score/model"
	"github.com/seamline/seamline/schemas"
)

// discountStrength is how many lines of the population stand beside a person's own.
const discountStrength = 4

// discount sets how much of what a person buys is bought at a discount: the share of lines, drawn towards the population's, the depth, which
// is discounts per list value, and price sensitivity: where the share stands against the population's, 0.5 for who buys at a discount as
// everybody does, towards 1 for who waits for one (model.PriceSensitivity).
func (m *models) discount(sc *schemas.Scores, t *totals) {
	sc.Lines, sc.PromotedLines, sc.Discount, sc.List = t.lines, t.promoted, t.discount, t.list
	if t.lines == 0 {
		return
	}
	promoted, lines := float64(t.promoted), float64(t.lines)
	sc.DiscountShare = float32(model.DiscountShare(promoted, lines, m.PromotedShare, discountStrength))
	sc.DiscountDepth = float32(model.DiscountDepth(float64(t.discount), float64(t.list)))
	sc.PriceSensitivity = float32(model.PriceSensitivity(promoted, lines, m.PromotedShare, discountStrength))
}
