package model

import (
	"math"
	"testing"
)

const dayMS = 24 * 3600 * 1000

func TestDecayVector(t *testing.T) {
	t.Parallel()
	const want = 3.708387649693627
	exact := 0.0
	d := Decay{Landmark: -5 * dayMS, HalfLife: 30 * dayMS}
	var sums [4]uint32
	const top = 2
	for _, e := range [][2]int64{{0, 1}, {10, 2}, {45, 4}} {
		exact += float64(e[1]) * math.Exp2(float64(e[0]-60)/30)
		epoch, mantissa := d.Weight(e[0] * dayMS)
		sums[top-epoch] += mantissa * uint32(e[1])
	}
	near(t, "the sum itself", exact, want, 1e-14)
	near(t, "relative error", d.Read(top, sums[:], 60*dayMS)/want, 1, 4e-4)
	near(t, "half-life later", d.Read(top, sums[:], 90*dayMS), d.Read(top, sums[:], 60*dayMS)/2, 1e-12)
	near(t, "nothing", d.Read(top, nil, 60*dayMS), 0, 0)
}

// TestDecayWeights: any weight is right to 0.04 %, also before the landmark, and never falls as time passes.
func TestDecayWeights(t *testing.T) {
	t.Parallel()
	rng := newSeed(t)
	for range 20_000 {
		d := Decay{Landmark: rng.Int64N(1 << 42), HalfLife: 1 + rng.Int64N(100*dayMS)}
		at := d.Landmark + rng.Int64N(200*d.HalfLife) - 100*d.HalfLife
		epoch, mantissa := d.Weight(at)
		if mantissa < 1<<14 || mantissa >= 1<<15 {
			t.Fatalf("%+v at %d: mantissa %d", d, at, mantissa)
		}
		want := float64(at-d.Landmark) / float64(d.HalfLife)
		if off := math.Log2(float64(mantissa)) - 14 + float64(epoch) - want; math.Abs(math.Exp2(off)-1) > 4e-4 {
			t.Fatalf("%+v at %d: weight is off by %v", d, at, math.Exp2(off)-1)
		}
		near(t, "read at once", d.Unit(epoch, at)*float64(mantissa), 1, 4e-4)
		if e, m := d.Weight(at + 1); e < epoch || e == epoch && m < mantissa {
			t.Fatalf("%+v: weight falls from %d to the next", d, at)
		}
	}
}
