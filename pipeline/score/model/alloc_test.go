package model

import "testing"

// TestNoAllocation: what runs per profile or per event allocates nothing.
func TestNoAllocation(t *testing.T) {
	var features Features
	m := newFTRL(t, DefaultRates)
	c, sketch, shares := &Calibration{}, &Sketch{}, make([]float64, 3)
	sums := []uint32{3 << 14, 1 << 14}
	f := func(name string, work func()) {
		t.Helper()
		work()
		if n := testing.AllocsPerRun(20, work); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
	f("BG/NBD", func() { sink = publishedBGNBD.PAlive(2, 30, 38) + publishedBGNBD.ExpectedFor(12, 2, 30, 38) })
	f("MBG/NBD", func() { sink = publishedMBGNBD.BuysWithin(12, 2, 30, 38) + publishedMBGNBD.ExpectedFor(12, 2, 30, 38) })
	f("Pareto/NBD", func() { sink = publishedParetoNBD.ExpectedFor(12, 2, 30, 38) })
	f("lifetime value", func() {
		x := uint32(sink) & 3
		sink = LifetimeValue{Weeks: 52, Steps: 13, Margin: 1}.Of(3, func(w float64) float64 { return publishedBGNBD.ExpectedFor(w, x, 20, 30) })
	})
	f("features and FTRL", func() {
		features.Reset()
		features.Word("channel", "web")
		features.Number("views", 12)
		sink = m.Learn(features.List(), true) + m.Predict(features.List())
		c.Add(sink/2, true)
	})
	f("sketch", func() { sketch.Add(17, 1); sink = float64(sketch.Fifths().Of(12)) })
	f("hours", func() { sink = ClickRate(2, 30, .02, 10) })
	f("shares", func() { Shares(shares, []float64{1, 2, 3}, nil, 2); sink = NormalisedEntropy(shares) })
	f("decay", func() {
		d := Decay{Landmark: 5, HalfLife: 1000}
		epoch, mantissa := d.Weight(70_000)
		sink = d.Read(epoch, sums, 80_000) + float64(mantissa)
	})
}
