package model

import "math"

// HoursPerWeek is the number of bins of send-time preference: 0 is Monday 00:00.
const HoursPerWeek = 168

// ClickRate is the chance that a message sent in an hour of the week is clicked, drawn towards the population's rate of that hour:
// (clicks + strength * prior) / (sends + strength), the mean of a Beta posterior.
func ClickRate(clicks, sends uint32, prior, strength float64) float64 {
	below := float64(max(sends, clicks)) + strength
	if !(below > 0) {
		return prior
	}
	return (float64(clicks) + strength*prior) / below
}

// BestHour is the bin with the highest ClickRate; the earliest of equal ones. Clicks and sends have one count per bin, prior one rate.
func BestHour(clicks, sends []uint32, prior []float64, strength float64) int {
	best, at := -1.0, 0
	for h := range clicks {
		if rate := ClickRate(clicks[h], sends[h], prior[h], strength); rate > best {
			best, at = rate, h
		}
	}
	return at
}

// ExploreHour chooses a bin by Thompson sampling (Thompson 1933; Chapelle, Li, NIPS 2011): the highest of one draw per bin from
// Beta(clicks + strength prior, sends - clicks + strength (1 - prior)). So hours never tried get tried. The seed decides alone: make it
// of the person and the week.
func ExploreHour(clicks, sends []uint32, prior []float64, strength float64, seed uint64) int {
	chance, best, at := Chance{seed}, -1.0, 0
	for h := range clicks {
		missed := float64(max(sends[h], clicks[h]) - clicks[h])
		draw := chance.Beta(float64(clicks[h])+strength*prior[h], missed+strength*(1-prior[h]))
		if draw > best {
			best, at = draw, h
		}
	}
	return at
}

// Circular gives the mean of bins that go round, and how close together they are: with angles 2 pi h / len(counts), the mean is the angle
// of the sum of counts times unit vectors, in bins (0 <= mean < len), and closeness the length R of that sum over the sum of counts, 0..1
// (Mardia, Jupp: Directional Statistics, 2000). Both are 0 without counts.
func Circular(counts []float64) (mean, closeness float64) {
	x, y, sum := 0.0, 0.0, 0.0
	for h, c := range counts {
		sin, cos := math.Sincos(2 * math.Pi * float64(h) / float64(len(counts)))
		x, y, sum = x+c*cos, y+c*sin, sum+c
	}
	if sum <= 0 {
		return 0, 0
	}
	n := float64(len(counts))
	mean = math.Atan2(y, x) / (2 * math.Pi) * n
	if mean < 0 {
		mean += n
	}
	return math.Mod(mean, n), math.Hypot(x, y) / sum
}
