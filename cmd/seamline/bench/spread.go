// Package bench is the toolkit of `seamline bench`: raw values of rounds, processes' CPU times and profiles come in.
// Spreads, slopes, verdicts, tables, JSON and plots go out.
// It never knows what is measured, and starts nothing that it is not told to.
package bench

import (
	"math"
	"slices"
)

// Spread is what several rounds of one measurement say.
type Spread struct {
	Min    float64 `json:"min"`
	Median float64 `json:"median"`
	Max    float64 `json:"max"`
}

// SpreadOf gives the least, the middle and the largest value; of an even number of values, the middle is the mean of the two in the middle.
// No values give zeros.
func SpreadOf(values []float64) Spread {
	if len(values) == 0 {
		return Spread{}
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	median := sorted[middle]
	if len(sorted)%2 == 0 {
		median = (sorted[middle-1] + sorted[middle]) / 2
	}
	return Spread{sorted[0], median, sorted[len(sorted)-1]}
}

// Ratios divides round by round: what the machine did in a round met both.
func Ratios(over, under []float64) []float64 {
	var ratios []float64
	for i := range min(len(over), len(under)) {
		if under[i] != 0 {
			ratios = append(ratios, over[i]/under[i])
		}
	}
	return ratios
}

// Point is one measured point of a scaling law.
type Point struct {
	X float64 `json:"x"`
	Y float64 `json:"y"`
}

// Slope is the exponent of the power law that fits best: that of the straight line through the logarithms of the points, by least
// squares. Points at 0 have no logarithm and are left out. Fewer than two different X give 0.
func Slope(points []Point) float64 {
	logs := make([]Point, 0, len(points))
	for _, p := range points {
		if p.X > 0 && p.Y > 0 {
			logs = append(logs, Point{X: math.Log(p.X), Y: math.Log(p.Y)})
		}
	}
	return Gradient(logs)
}

// Gradient is the slope of the straight line through points as they are, by least squares; 0 for fewer than two different X.
func Gradient(points []Point) float64 {
	var n, sumX, sumY, sumXX, sumXY float64
	for _, p := range points {
		n, sumX, sumY, sumXX, sumXY = n+1, sumX+p.X, sumY+p.Y, sumXX+p.X*p.X, sumXY+p.X*p.Y
	}
	spread := n*sumXX - sumX*sumX
	if n < 2 || spread < 1e-12 {
		return 0
	}
	return (n*sumXY - sumX*sumY) / spread
}
