package model

import (
	"errors"
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mathext"
)

func TestCircular(t *testing.T) {
	t.Parallel()
	var hours [24]float64
	for _, h := range []int{23, 0, 1, 2} {
		hours[h]++
	}
	mean, r := Circular(hours[:])
	near(t, "mean hour", mean, 0.5, 1e-12)
	near(t, "R", r, 0.9576622, 5e-8)
	if mean, r := Circular(make([]float64, HoursPerWeek)); mean != 0 || r != 0 {
		t.Errorf("nothing gives %v, %v", mean, r)
	}
	hours = [24]float64{22: 1}
	mean, r = Circular(hours[:])
	near(t, "mean of one hour", mean, 22, 1e-12)
	near(t, "R of one hour", r, 1, 1e-12)
}

// flat gives a prior of one click in fifty messages at any hour but one.
func flat(t testing.TB, hour int, rate float64) *HourPrior {
	t.Helper()
	rates := make([]float64, HoursPerWeek)
	for h := range rates {
		rates[h] = 0.02
	}
	rates[hour] = rate
	p, err := NewHourPrior(rates, 10)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestBestHour(t *testing.T) {
	t.Parallel()
	var clicks, sends [HoursPerWeek]uint32
	prior := flat(t, 33, 0.05)
	if h := prior.Best(clicks[:], sends[:]); h != 33 {
		t.Errorf("hour %d is best without a click, want the population's", h)
	}
	sends[50], clicks[50], sends[20] = 20, 5, 40
	near(t, "rate", ClickRate(5, 20, .02, 10), 5.2/30, 1e-12)
	near(t, "rate of nothing", ClickRate(0, 0, .02, 0), .02, 0)
	near(t, "rate of clicks without a send", ClickRate(3, 0, .02, 0), 1, 0)
	if h := prior.Best(clicks[:], sends[:]); h != 50 {
		t.Errorf("hour %d is best, want 50", h)
	}
	for _, bad := range []float64{0, 1, -1, math.NaN()} {
		if _, err := NewHourPrior([]float64{.1, bad}, 3); !errors.Is(err, ErrBadSettings) {
			t.Errorf("rate %v gives %v", bad, err)
		}
		if _, err := NewHourPrior([]float64{.1}, -math.Abs(bad)); !errors.Is(err, ErrBadSettings) {
			t.Errorf("strength %v gives %v", -math.Abs(bad), err)
		}
	}
}

// TestExploreHour: the same seed chooses the same hour, all hours get their turn, and the best is chosen most often.
func TestExploreHour(t *testing.T) {
	t.Parallel()
	prior := flat(t, 0, 0.02)
	choose := func(clicks, sends *[HoursPerWeek]uint32) (chosen [HoursPerWeek]int) {
		for week := range uint64(3000) {
			h := prior.Explore(clicks[:], sends[:], Seed(17, week))
			if again := prior.Explore(clicks[:], sends[:], Seed(17, week)); h != again {
				t.Fatalf("hour %d, then %d, from one seed", h, again)
			}
			chosen[h]++
		}
		return chosen
	}
	var clicks, sends [HoursPerWeek]uint32
	for h := range sends {
		sends[h] = 50
	}
	clicks[50] = 10
	if chosen := choose(&clicks, &sends); chosen[50] < 1500 {
		t.Errorf("the best hour is chosen %d times of 3000", chosen[50])
	}
	clicks, sends = [HoursPerWeek]uint32{}, [HoursPerWeek]uint32{50: 50}
	chosen, tried := choose(&clicks, &sends), 0
	for _, n := range chosen {
		if n > 0 {
			tried++
		}
	}
	if tried < 160 || chosen[50] > 10 {
		t.Errorf("%d of 168 hours get a turn; the hour that never worked %d times", tried, chosen[50])
	}
}

// TestUntriedHours: draws by quantiles have the distribution of the prior in its upper half, far out as well.
func TestUntriedHours(t *testing.T) {
	t.Parallel()
	rng := newSeed(t)
	for _, rate := range []float64{0.002, 0.02, 0.2, 0.7} {
		p, err := NewHourPrior([]float64{rate}, 10)
		if err != nil {
			t.Fatal(err)
		}
		const n = 200_000
		draws := make([]float64, n)
		for i := range draws {
			draws[i] = p.untried(0, rng.Uint64())
		}
		slices.Sort(draws)
		for _, u := range []float64{.5, .75, .9, .99, .999} {
			x := mathext.InvRegIncBeta(10*rate, 10*(1-rate), u)
			if x < 1e-6 {
				continue
			}
			below, _ := slices.BinarySearch(draws, x)
			near(t, "share below a quantile", float64(below)/n, u, 0.01*math.Min(u, 20*(1-u))+6*math.Sqrt(u*(1-u)/n))
		}
	}
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

func BenchmarkExploreHour(b *testing.B) {
	var clicks, sends [HoursPerWeek]uint32
	prior := flat(b, 33, 0.05)
	for h := range 5 {
		sends[h*20] = 3
	}
	b.ReportAllocs()
	week := uint64(0)
	for b.Loop() {
		week++
		sink = float64(prior.Explore(clicks[:], sends[:], Seed(17, week)))
	}
}

func BenchmarkNewHourPrior(b *testing.B) {
	rates := make([]float64, HoursPerWeek)
	for h := range rates {
		rates[h] = 0.02 + float64(h)/10000
	}
	for b.Loop() {
		if _, err := NewHourPrior(rates, 10); err != nil {
			b.Fatal(err)
		}
	}
}
