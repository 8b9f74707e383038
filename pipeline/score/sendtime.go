package score

import (
	"github.com/seamline/seamline/pipeline/score/model"
	"github.com/seamline/seamline/schemas"
)

// What send-time preference is made of.
const (
	hourStrength   = 20 // messages of the population that stand beside a person's own in an hour
	hoursTried     = 6  // the population's best hours, which are tried with everybody
	controlPercent = 5  // of people and weeks: the hour is drawn from all, whatever is known, so that hours can be compared
)

// hourOfWeek is 0 for the hour from Monday 00:00 UTC.
func hourOfWeek(t schemas.Time) uint32 {
	return uint32(((t.Whole(schemas.Hour)+3*24)%hoursOfWeek + hoursOfWeek) % hoursOfWeek) // 1970 began on a Thursday
}

// sendTime sets the hour of the week to send at. Best is the hour with the highest click rate, drawn towards the population's (the mean of a
// Beta posterior). What is to be used is chosen by Thompson sampling among the hours that the person was written to in and the population's
// best ones, once per week and person, so that hours never tried get tried; a twentieth of people and weeks gets any hour at all, as the
// control group. Who was never written to has the population's best hour.
func (m *models) sendTime(p *schemas.Profile, sc *schemas.Scores, t *taste) {
	if len(t.hours) == 0 {
		sc.SendHour, sc.SendHourBest = m.BestHours[0], m.BestHours[0]
		return
	}
	week := uint64(sc.At / (7 * schemas.Day))
	chance := model.Chance{State: hashID(p.ID) ^ week*0x9E3779B97F4A7C15}
	best, rate := -1.0, -1.0
	consider := func(hour uint8, clicks, sends uint32) {
		prior := m.HourRates[hour]
		if r := model.ClickRate(clicks, sends, prior, hourStrength); r > rate {
			rate, sc.SendHourBest = r, hour
		}
		missed := float64(max(sends, clicks) - clicks)
		if draw := chance.Beta(float64(clicks)+hourStrength*prior, missed+hourStrength*(1-prior)); draw > best {
			best, sc.SendHour = draw, hour
		}
	}
	var known [hoursOfWeek]bool
	for _, h := range t.hours {
		sc.SendHourClicks += h.clicks
		sc.SendHourSends += h.sends
		known[h.hour] = true
		consider(h.hour, h.clicks, h.sends)
	}
	for _, h := range m.BestHours {
		if !known[h] {
			consider(h, 0, 0)
		}
	}
	if draw := chance.Next(); draw%100 < controlPercent {
		sc.SendHour = uint8(draw / 100 % hoursOfWeek)
	}
}

// hashID mixes an id into a seed.
func hashID(id schemas.ProfileID) uint64 {
	h := uint64(0)
	for i := range 8 {
		h = h<<8 | uint64(id[i]^id[8+i])
	}
	return h
}
