package score

import (
	"github.com/seamline/seamline/pipeline/score/model"
	"github.com/seamline/seamline/schemas"
)

// lifetimeWeeks and lifetimeSteps say how far ahead customer lifetime value looks: a year, by quarters of it.
const lifetimeWeeks, lifetimeSteps = 52, 4

// value sets what a purchase day of a person is expected to be worth, by Gamma-Gamma (Fader, Hardie: The Gamma-Gamma Model of Monetary
// Value, 2013) from the mean of the purchase days after the first, and the customer lifetime value: the discounted margin of the purchases
// that MBG/NBD expects within a year (Fader, Hardie, Lee, JMR 42, 2005).
func (s *Stage) value(m *models, p *schemas.Profile, sc *schemas.Scores) {
	if p.PurchaseDays == 0 {
		return
	}
	if sc.RepeatDays > 0 {
		sc.RepeatValueMean = (p.Revenue - s.fold.sum.firstDay) / schemas.Decimal(sc.RepeatDays)
	}
	if m.GammaGamma.P <= 0 {
		return
	}
	expected := m.GammaGamma.Expected(sc.RepeatDays, max(0, sc.RepeatValueMean.Float()))
	sc.ExpectedValue = decimal(expected)
	if m.MBGNBD.R > 0 {
		life := model.LifetimeValue{Weeks: lifetimeWeeks, Steps: lifetimeSteps, AnnualDiscount: s.cfg.DiscountRate, Margin: s.cfg.MarginRate}
		x, tx, t := sc.RepeatDays, float64(sc.RepeatSpan)/daysPerWeek, float64(sc.Tenure)/daysPerWeek
		sc.LifetimeValue = decimal(life.Of(expected, func(weeks float64) float64 { return m.MBGNBD.ExpectedFor(weeks, x, tx, t) }))
	}
}
