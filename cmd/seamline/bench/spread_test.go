package bench

import (
	"math"
	"testing"
)

func TestSpread(t *testing.T) {
	t.Parallel()
	f := func(values []float64, want Spread) {
		t.Helper()
		if got := SpreadOf(values); got != want {
			t.Errorf("the spread of %v is %v, want %v", values, got, want)
		}
	}
	f(nil, Spread{})
	f([]float64{4}, Spread{4, 4, 4})
	f([]float64{3, 1, 2}, Spread{1, 2, 3})
	f([]float64{4, 1, 3, 2}, Spread{1, 2.5, 4})
	values := []float64{3, 1, 2}
	SpreadOf(values)
	if values[0] != 3 {
		t.Error("the values were sorted in place")
	}
}

func TestRatios(t *testing.T) {
	t.Parallel()
	got := Ratios([]float64{1, 6, 5, 7}, []float64{2, 3, 0})
	if len(got) != 2 || got[0] != 0.5 || got[1] != 2 {
		t.Errorf("the ratios are %v, want 0.5 and 2", got)
	}
}

func TestSlope(t *testing.T) {
	t.Parallel()
	f := func(points []Point, want float64) {
		t.Helper()
		if got := Slope(points); math.Abs(got-want) > 1e-9 {
			t.Errorf("the slope of %v is %v, want %v", points, got, want)
		}
	}
	f(nil, 0)
	f([]Point{{10, 5}}, 0)
	f([]Point{{10, 5}, {10, 7}}, 0)
	f([]Point{{10, 5}, {100, 5}, {1000, 5}}, 0)
	f([]Point{{1, 3}, {10, 30}, {100, 300}}, 1)
	f([]Point{{1, 3}, {100, 30}}, 0.5)
	f([]Point{{0, 9}, {1, 3}, {10, 30}, {5, 0}}, 1) // what has no logarithm is left out
}

func TestGradient(t *testing.T) {
	t.Parallel()
	f := func(points []Point, want float64) {
		t.Helper()
		if got := Gradient(points); math.Abs(got-want) > 1e-9 {
			t.Errorf("the gradient of %v is %v, want %v", points, got, want)
		}
	}
	f(nil, 0)
	f([]Point{{1, 1}}, 0)
	f([]Point{{0, 100}, {1, 120}, {2, 140}}, 20)
	f([]Point{{0, 5}, {1, 7}, {2, 5}, {3, 7}}, 0.4)
}
