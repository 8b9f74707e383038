package model

import "math"

// Decay is forward exponential decay with integer state (Cormode, Shkapenyuk, Srivastava, Xu: Forward Decay, ICDE 2009). An event at t
// weighs 2^((t - Landmark)/HalfLife), split into an epoch of one half-life and a mantissa in 1..2. The state is one integer sum of
// mantissas per epoch, so it adds exactly, in any order, and takes back what was added. The unit of time is any,
// the same for all; HalfLife must be above 0 and below 2^51.
type Decay struct{ Landmark, HalfLife int64 }

const (
	mantissaBits  = 14
	decaySteps    = 1024 // per half-life: the weight of a step's middle is off by at most 2^(1/2048) - 1 = 0.034 %
	mantissaScale = 1 << mantissaBits
)

// mantissas holds 2^(i/decaySteps), scaled.
var mantissas = func() (m [decaySteps]uint16) {
	for i := range m {
		m[i] = uint16(math.Round(mantissaScale * math.Exp2(float64(i)/decaySteps)))
	}
	return m
}()

// Weight gives where an event at t is counted: mantissa, which is 2^14 for 1, is to be added to the sum of the epoch. Off by less than 0.04 %.
func (d Decay) Weight(t int64) (epoch int32, mantissa uint32) {
	since := t - d.Landmark
	whole, rest := since/d.HalfLife, since%d.HalfLife
	if rest < 0 {
		whole, rest = whole-1, rest+d.HalfLife
	}
	step := (rest*(2*decaySteps) + d.HalfLife) / (2 * d.HalfLife) // to the nearest, in integers: the same on every machine
	if step == decaySteps {
		return int32(whole) + 1, mantissaScale
	}
	return int32(whole), uint32(mantissas[step])
}

// Unit is what one event of the mantissa 2^14 in the epoch is worth at now, per unit of its mantissa: 2^(epoch - (now-Landmark)/HalfLife) / 2^14.
func (d Decay) Unit(epoch int32, now int64) float64 {
	return math.Exp2(float64(epoch)-float64(now-d.Landmark)/float64(d.HalfLife)) / mantissaScale
}

// Read gives the decayed sum at now: sum over events of 2^((t - now)/HalfLife), from the sums of the epochs top, top-1, top-2 and so on.
// Epochs that were dropped are missing from it by at most their sum times 2^-len(sums).
func (d Decay) Read(top int32, sums []uint32, now int64) float64 {
	total, worth := 0.0, 1.0
	for _, s := range sums {
		total += float64(s) * worth
		worth /= 2
	}
	if total == 0 {
		return 0
	}
	return total * d.Unit(top, now)
}
