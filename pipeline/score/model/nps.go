package model

import "math"

// Interval is an estimate with its standard error and its two-sided confidence limits.
type Interval struct{ Estimate, SE, Low, High float64 }

// z95 is the normal quantile of a two-sided interval of 95 %.
const z95 = 1.959963984540054

func around(estimate, se float64) Interval {
	return Interval{estimate, se, estimate - z95*se, estimate + z95*se}
}

// NPS is the net promoter score (Reichheld 2003) in points, -100 to 100: 100 (promoters - detractors) / n, with the standard error
// 100 sqrt(((promoters + detractors)/n - nps^2) / n) and 95 % limits. All zeros without an answer.
func NPS(promoters, passives, detractors uint64) Interval {
	n := float64(promoters + passives + detractors)
	if n == 0 {
		return Interval{}
	}
	p, d := float64(promoters)/n, float64(detractors)/n
	nps := p - d
	return around(100*nps, 100*math.Sqrt(max(0, p+d-nps*nps)/n))
}

// Wilson gives the share k/n with its 95 % score interval: (k + z^2/2 -+ z sqrt(k (n-k)/n + z^2/4)) / (n + z^2) (Wilson 1927). SE is
// sqrt(k/n (1 - k/n) / n). Without trials the limits are 0 and 1.
func Wilson(k, n uint64) Interval {
	if n == 0 || k > n {
		return Interval{High: 1}
	}
	hits, all := float64(k), float64(n)
	middle := (hits + z95*z95/2) / (all + z95*z95)
	half := z95 * math.Sqrt(hits*(all-hits)/all+z95*z95/4) / (all + z95*z95)
	p := hits / all
	return Interval{p, math.Sqrt(p * (1 - p) / all), max(0, middle-half), min(1, middle+half)}
}
