package model

import "math"

// Affinity tells how much more of somebody's weight goes to one word (category, brand) than of the population's:
// log((weight + strength share) / ((total + strength) share)), in nats; 0 for as much as everybody. Weight and total may be decayed sums;
// share is the population's, above 0 (a share of 0 gives 0). Source: smoothed pointwise mutual information (Church, Hanks 1990).
func Affinity(weight, total, share, strength float64) float64 {
	above, below := weight+strength*share, (total+strength)*share
	if !(above > 0 && below > 0) {
		return 0
	}
	return math.Log(above / below)
}
