package model

import "math"

// Chance is a stream of random numbers that its seed decides alone: SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number
// Generators, OOPSLA 2014). Different seeds give unrelated streams.
type Chance struct{ State uint64 }

// Next gives 64 random bits.
func (c *Chance) Next() uint64 {
	c.State += 0x9E3779B97F4A7C15
	h := c.State
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

// Uniform gives a number between 0 and 1, neither included.
func (c *Chance) Uniform() float64 { return (float64(c.Next()>>12) + 0.5) / (1 << 52) }

// rejectionsMax bounds loops that chance ends; each round ends it with more than 0.7 likelihood.
const rejectionsMax = 200

// Normal gives a draw of the standard normal distribution (polar method; Marsaglia, Bray 1964).
func (c *Chance) Normal() float64 {
	for range rejectionsMax {
		x, y := 2*c.Uniform()-1, 2*c.Uniform()-1
		if s := x*x + y*y; s < 1 && s > 0 {
			return x * math.Sqrt(-2*math.Log(s)/s)
		}
	}
	return 0
}

// logGamma gives the logarithm of a draw of Gamma(shape, 1) (Marsaglia, Tsang: A Simple Method for Generating Gamma Variables, 2000),
// since draws for small shapes are smaller than the smallest float.
func (c *Chance) logGamma(shape float64) float64 {
	boost := 0.0
	if shape < 1 {
		boost = math.Log(c.Uniform()) / shape
		shape++
	}
	d := shape - 1.0/3
	k := 1 / math.Sqrt(9*d)
	for range rejectionsMax {
		x := c.Normal()
		v := 1 + k*x
		if v <= 0 {
			continue
		}
		v *= v * v
		u := c.Uniform()
		if u < 1-0.0331*x*x*x*x || math.Log(u) < x*x/2+d*(1-v+math.Log(v)) {
			return boost + math.Log(d*v)
		}
	}
	return boost + math.Log(d)
}

// Beta gives a draw of Beta(a, b), as the share of the first of two Gamma draws. A parameter that is not above 0 stands for a tiny one.
func (c *Chance) Beta(a, b float64) float64 {
	const tiny = 1e-6
	if !(a > tiny) {
		a = tiny
	}
	if !(b > tiny) {
		b = tiny
	}
	x, y := c.logGamma(a), c.logGamma(b)
	return 1 / (1 + math.Exp(y-x))
}
