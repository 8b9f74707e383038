package model

import (
	"fmt"
	"math"
	"math/bits"
	"slices"

	"gonum.org/v1/gonum/mathext"
)

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

// HourPrior is what the population does, by hour of the week, with all that choosing an hour needs of it. It is made once per version of
// the models, and may be read by several goroutines.
type HourPrior struct {
	rates     []float64
	strength  float64
	quantiles [][tailCells + 1]float32 // of Beta(strength rate, strength (1 - rate)), per hour
}

// The quantiles stand where 1 - u is (1 - part/tailParts/2) 2^-octave: close together towards 1, since the highest of many draws comes from
// there.
const (
	tailOctaves = 16
	tailParts   = 4
	tailCells   = tailOctaves * tailParts
)

// NewHourPrior takes a click rate between 0 and 1 per hour, and how many sends the prior counts as.
func NewHourPrior(rates []float64, strength float64) (*HourPrior, error) {
	if !(strength > 0) || math.IsInf(strength, 0) {
		return nil, fmt.Errorf("strength %v: %w", strength, ErrBadSettings)
	}
	p := &HourPrior{rates: slices.Clone(rates), strength: strength, quantiles: make([][tailCells + 1]float32, len(rates))}
	for h, rate := range rates {
		if !(rate > 0 && rate < 1) {
			return nil, fmt.Errorf("rate %v of hour %d: %w", rate, h, ErrBadSettings)
		}
		if h > 0 && rate == rates[h-1] {
			p.quantiles[h] = p.quantiles[h-1]
			continue
		}
		for i := range p.quantiles[h] {
			tail := math.Ldexp(1-float64(i%tailParts)/(2*tailParts), -(i / tailParts))
			p.quantiles[h][i] = float32(mathext.InvRegIncBeta(strength*rate, strength*(1-rate), 1-tail))
		}
	}
	return p, nil
}

// untried draws from the prior of an hour by its quantiles, with straight lines between them.
func (p *HourPrior) untried(h int, random uint64) float64 {
	octave := min(bits.LeadingZeros64(random), tailOctaves-1)
	place := float64(random<<(octave+1)>>11) / (1 << 53) * tailParts // within the octave
	part := int(place)
	low, high := p.quantiles[h][octave*tailParts+part], p.quantiles[h][octave*tailParts+part+1]
	return float64(low) + (place-float64(part))*float64(high-low)
}

// Best is the hour with the highest ClickRate; the earliest of equal ones. Clicks and sends have one count per hour of the prior.
func (p *HourPrior) Best(clicks, sends []uint32) int {
	best, at := -1.0, 0
	for h, rate := range p.rates {
		if rate := ClickRate(clicks[h], sends[h], rate, p.strength); rate > best {
			best, at = rate, h
		}
	}
	return at
}

// Explore chooses an hour by Thompson sampling (Thompson 1933; Chapelle, Li, NIPS 2011): the highest of one draw per hour from
// Beta(clicks + strength rate, sends - clicks + strength (1 - rate)). So hours never tried get tried. The seed decides alone: make it of
// the person and the week, with Seed. Hours without a send draw from tabulated quantiles, which
// are true to a hundredth in the upper half, where the highest draw comes from.
func (p *HourPrior) Explore(clicks, sends []uint32, seed uint64) int {
	chance, best, at := Chance{seed}, -1.0, 0
	for h, rate := range p.rates {
		draw := 0.0
		if sends[h] == 0 && clicks[h] == 0 {
			draw = p.untried(h, chance.Next())
		} else {
			missed := float64(max(sends[h], clicks[h]) - clicks[h])
			draw = chance.Beta(float64(clicks[h])+p.strength*rate, missed+p.strength*(1-rate))
		}
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
