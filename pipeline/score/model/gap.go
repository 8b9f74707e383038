package model

// Gap is the expected time between purchase days, drawn towards the population's: (strength * typical + span) / (strength + days - 1),
// with days purchase days that span the time from the first to the last. The sum of gaps telescopes, so the dates between are not needed.
// Unit: that of typical and span. With one day or none it is typical. Source: empirical Bayes mean; Wubben, von Wangenheim 2008 use the
// unshrunk one.
func Gap(days uint32, span, typical, strength float64) float64 {
	if days == 0 {
		return typical
	}
	below := strength + float64(days-1)
	if !(below > 0) {
		return typical
	}
	return (strength*typical + span) / below
}

// NextPurchase is when the next purchase day is to be expected: last + gap, in the unit of both. It may lie in the past.
func NextPurchase(last, gap float64) float64 { return last + gap }

// Hiatus tells whether somebody has been silent for so long that the rule of the thumb calls them gone: idle > times * gap (Wubben, von
// Wangenheim: Instant Customer Base Analysis, Journal of Marketing 72, 2008).
func Hiatus(idle, gap, times float64) bool { return idle > times*gap }
