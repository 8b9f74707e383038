package score

import (
	"github.com/seamline/seamline/pipeline/score/model"
	"github.com/seamline/seamline/schemas"
)

// gapStrength is how many of the population's gaps stand beside a person's own.
const gapStrength = 2

// churn sets the days between purchases, drawn towards the population's, and what follows of them: when the next purchase is to be
// expected, and whether the person has been silent for so long that the hiatus rule calls them gone (Wubben, von Wangenheim, Journal of
// Marketing 72, 2008). Beside it stands 1 - P(alive) by MBG/NBD, so that both can be compared.
func (s *Stage) churn(m *models, p *schemas.Profile, sc *schemas.Scores) {
	if p.PurchaseDays == 0 {
		return
	}
	if m.MBGNBD.R > 0 {
		sc.Churn = 1 - sc.AliveMBGNBD
	}
	if m.TypicalGap <= 0 {
		return
	}
	gap := model.Gap(p.PurchaseDays, float64(sc.RepeatSpan), m.TypicalGap, gapStrength)
	sc.Gap = float32(gap)
	sc.NextOrder = schemas.Time(model.NextPurchase(float64(p.LastOrder), gap*float64(schemas.Day)))
	sc.HiatusChurn = model.Hiatus(float64(sc.Tenure-sc.RepeatSpan), gap, s.cfg.HiatusTimes)
}
