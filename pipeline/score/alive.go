package score

import "github.com/seamline/seamline/schemas"

const daysPerWeek = 7

// BG/NBD (Fader, Hardie, Lee, Marketing Science 24, 2005) and MBG/NBD (Batislam, Denizel, Filiztekin, IJRM 24, 2007): from the purchase days
// after the first (x), the days from the first to the last (t_x) and from the first to now (T) they give the probability that the person
// still is a customer, and how many purchase days are to be expected within the horizon. BG/NBD holds everybody for alive who bought once,
// so MBG/NBD's numbers are the main ones. Parameters are those of the last fit of the whole population.
func (m *models) alive(p *schemas.Profile, sc *schemas.Scores, horizon schemas.Time) {
	if p.PurchaseDays == 0 {
		return
	}
	// At midnight nothing of the new day has passed: right after a fit, time is counted to the same day as in the fit.
	first, last, now := day(p.FirstOrder), day(p.LastOrder), day(sc.At-1)
	sc.RepeatDays, sc.RepeatSpan, sc.Tenure = p.PurchaseDays-1, uint32(last-first), uint32(max(now, last)-first)
	x, tx, t := sc.RepeatDays, float64(sc.RepeatSpan)/daysPerWeek, float64(sc.Tenure)/daysPerWeek
	weeks := float64(horizon) / float64(daysPerWeek*schemas.Day)
	if m.BGNBD.R > 0 {
		sc.AliveBGNBD = float32(m.BGNBD.PAlive(x, tx, t))
		sc.ExpectedOrdersBGNBD = float32(m.BGNBD.ExpectedFor(weeks, x, tx, t))
	}
	if m.MBGNBD.R > 0 {
		sc.AliveMBGNBD = float32(m.MBGNBD.PAlive(x, tx, t))
		sc.ExpectedOrders = float32(m.MBGNBD.ExpectedFor(weeks, x, tx, t))
	}
}
