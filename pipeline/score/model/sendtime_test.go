package model

import (
	"math"
	"testing"
)

func TestClickRate(t *testing.T) {
	t.Parallel()
	near(t, "rate", ClickRate(5, 20, .02, 10), 5.2/30, 1e-12)
	near(t, "rate of nothing", ClickRate(0, 0, .02, 0), .02, 0)
	near(t, "rate of clicks without a send", ClickRate(3, 0, .02, 0), 1, 0)
}

// TestChance: SplitMix64's published stream, and the moments of what is drawn.
func TestChance(t *testing.T) {
	t.Parallel()
	c := Chance{State: 1234567}
	for _, want := range []uint64{6457827717110365317, 3203168211198807973, 9817491932198370423} {
		if got := c.Next(); got != want {
			t.Errorf("next is %d, want %d", got, want)
		}
	}
	c = Chance{State: newSeed(t).Uint64()}
	const n = 200_000
	f := func(a, b float64) {
		t.Helper()
		sum, squares := 0.0, 0.0
		for range n {
			v := c.Beta(a, b)
			if !(v >= 0 && v <= 1) {
				t.Fatalf("drew %v", v)
			}
			sum, squares = sum+v, squares+v*v
		}
		mean, variance := a/(a+b), a*b/((a+b)*(a+b)*(a+b+1))
		near(t, "mean", sum/n, mean, 6*math.Sqrt(variance/n))
		near(t, "variance", (squares/n-sum/n*sum/n)/variance, 1, 0.1)
	}
	f(1, 1)
	f(0.2, 9.8)
	f(12, 30)
	f(0.5, 0.5)
	if v := c.Beta(math.NaN(), 0); math.IsNaN(v) {
		t.Error("drew NaN")
	}
	sum, squares := 0.0, 0.0
	for range n {
		v := c.Normal()
		sum, squares = sum+v, squares+v*v
	}
	near(t, "mean of normal", sum/n, 0, 6/math.Sqrt(n))
	near(t, "variance of normal", squares/n, 1, 0.03)
}
