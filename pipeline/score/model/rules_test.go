package model

import (
	"math"
	"testing"
)

func TestGap(t *testing.T) {
	t.Parallel()
	near(t, "gap of nobody", Gap(0, 0, 30, 2), 30, 0)
	near(t, "gap of one day", Gap(1, 0, 30, 2), 30, 0)
	near(t, "gap of four days", Gap(4, 60, 30, 2), (2*30+60)/5., 1e-12)
	near(t, "gap without shrinking", Gap(4, 60, 30, 0), 20, 1e-12)
	near(t, "gap of one day without shrinking", Gap(1, 0, 30, 0), 30, 0)
	near(t, "next purchase", NextPurchase(100, Gap(4, 60, 30, 2)), 124, 1e-12)
	if Hiatus(60, 20, 3) || !Hiatus(61, 20, 3) {
		t.Error("somebody is gone after more than three gaps, not before")
	}
}

func TestShares(t *testing.T) {
	t.Parallel()
	f := func(counts, prior []float64, strength float64, want ...float64) {
		t.Helper()
		got := make([]float64, len(counts))
		Shares(got, counts, prior, strength)
		sum := 0.0
		for i := range got {
			near(t, "share", got[i], want[i], 1e-12)
			sum += got[i]
		}
		near(t, "sum of shares", sum, 1, 1e-12)
	}
	f([]float64{0, 0, 0, 0}, nil, 2, .25, .25, .25, .25)
	f([]float64{0, 0}, []float64{.9, .1}, 0, .9, .1)
	f([]float64{6, 2}, []float64{.5, .5}, 2, .7, .3)
	f([]float64{6, 2}, nil, 0, .75, .25)
}

func TestEntropy(t *testing.T) {
	t.Parallel()
	near(t, "entropy of nothing", Entropy(nil), 0, 0)
	near(t, "entropy of one place", Entropy([]float64{5, 0}), 0, 0)
	near(t, "entropy of halves", Entropy([]float64{3, 3}), math.Ln2, 1e-15)
	near(t, "entropy of 1/2 1/4 1/4", Entropy([]float64{.5, .25, .25}), 1.5*math.Ln2, 1e-15)
	near(t, "normalised entropy of one place", NormalisedEntropy([]float64{0, 7, 0}), 0, 0)
	near(t, "normalised entropy of all alike", NormalisedEntropy([]float64{7, 7, 7}), 1, 1e-15)
	near(t, "normalised entropy of one bin", NormalisedEntropy([]float64{7}), 0, 0)
	near(t, "normalised entropy of zeros", NormalisedEntropy([]float64{0, 0}), 0, 0)
}

func TestEngagement(t *testing.T) {
	t.Parallel()
	e := DefaultEngagement
	near(t, "score of nobody", e.Score(Mailed{}), 0.1, 1e-12)
	near(t, "score of a reader", e.Score(Mailed{Sends: 8, HumanClicks: 2, HumanOpens: 3}), (.2+2+.9)/10, 1e-12)
	near(t, "unknown opens where all opens are machines'", e.Score(Mailed{Sends: 8, UnknownOpens: 8, MachineShare: 1}), .2/10, 1e-12)
	near(t, "unknown opens where half are", e.Score(Mailed{Sends: 8, UnknownOpens: 4, MachineShare: .5}), (.2+.6)/10, 1e-12)
	near(t, "score of who stopped", e.Score(Mailed{Sends: 8, HumanClicks: 8, Stopped: true}), 0, 0)
	near(t, "score of who clicks all day", e.Score(Mailed{Sends: 1, HumanClicks: 80}), 1, 0)
}

func TestAffinity(t *testing.T) {
	t.Parallel()
	near(t, "affinity of a newcomer", Affinity(0, 0, .2, 3), 0, 1e-15)
	near(t, "affinity of everybody", Affinity(20, 100, .2, 3), 0, 1e-15)
	near(t, "affinity", Affinity(8, 10, .25, 2), math.Log(8.5/3), 1e-12)
	near(t, "affinity to what nobody wants", Affinity(0, 10, 0, 2), 0, 0)
	near(t, "affinity without weight or prior", Affinity(0, 10, .2, 0), 0, 0)
	if a, b := Affinity(1, 10, .5, 2), Affinity(2, 10, .5, 2); !(a < b && b < 0) {
		t.Errorf("affinities %v and %v do not rise", a, b)
	}
}

func TestDiscount(t *testing.T) {
	t.Parallel()
	near(t, "share", DiscountShare(6, 8, .4, 2), .68, 1e-12)
	near(t, "share of nobody", DiscountShare(0, 0, .4, 0), .4, 0)
	near(t, "depth", DiscountDepth(30, 120), .25, 0)
	near(t, "depth without a list value", DiscountDepth(30, 0), 0, 0)
	near(t, "sensitivity of nobody", PriceSensitivity(0, 0, .4, 2), .5, 1e-12)
	near(t, "sensitivity of everybody", PriceSensitivity(4, 10, .4, 2), .5, 1e-12)
	near(t, "sensitivity", PriceSensitivity(6, 8, .4, 2), logistic(math.Log(.68/.32)-math.Log(.4/.6)), 1e-12)
	near(t, "sensitivity where all is on promotion", PriceSensitivity(6, 8, 1, 2), .5, 0)
	near(t, "sensitivity of who buys nothing else", PriceSensitivity(9, 9, .4, 0), 1, 0)
}

func TestLLR(t *testing.T) {
	t.Parallel()
	f := func(a, b, c, d, want, within float64) {
		t.Helper()
		near(t, "LLR", LLR(a, b, c, d), want, within)
	}
	f(1, 0, 0, 1, 2.772589, 5e-7)
	f(10, 0, 0, 10, 27.72589, 5e-6)
	f(5, 1995, 0, 100000, 39.33052, 5e-6)
	f(1000, 1995, 1000, 100000, 4730.737, 5e-4)
	f(1000, 1000, 1000, 100000, 5734.343, 5e-4)
	f(1000, 1000, 1000, 99000, 5714.932, 5e-4)
	f(0, 0, 0, 0, 0, 0)
	f(10, 20, 30, 60, 0, 1e-9)
	near(t, "lift of the unseen", Lift(100, 0, 5, 0), 0, 0)
	near(t, "confidence of the unseen", Confidence(0, 0), 0, 0)
}

func TestNPS(t *testing.T) {
	t.Parallel()
	n := NPS(60, 25, 15)
	near(t, "NPS", n.Estimate, 45, 1e-12)
	near(t, "standard error", n.SE, 7.399324, 5e-7)
	near(t, "low", n.Low, 30.49759, 5e-6)
	near(t, "high", n.High, 59.50241, 5e-6)
	if got := NPS(0, 0, 0); got != (Interval{}) {
		t.Errorf("no answers give %v", got)
	}
	near(t, "NPS of promoters", NPS(9, 0, 0).SE, 0, 0)
}

func TestWilson(t *testing.T) {
	t.Parallel()
	w := Wilson(2262, 21306)
	near(t, "low", w.Low, 0.1021016538, 1e-10)
	near(t, "high", w.High, 0.1103748898, 1e-10)
	near(t, "high of none in ten", Wilson(0, 10).High, z95*z95/(10+z95*z95), 1e-12)
	near(t, "low of none in ten", Wilson(0, 10).Low, 0, 1e-15)
	if got := Wilson(0, 0); got != (Interval{High: 1}) {
		t.Errorf("no trials give %v", got)
	}
}
