package model

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
)

// examplePaths reads the data set, and gives the names of its channels by number.
func examplePaths(t *testing.T) (paths []Path, names []string) {
	t.Helper()
	for _, line := range readLines(t, "attribution/paths.csv.gz")[1:] {
		f := strings.Split(line, ",")
		p := Path{Conversions: number(t, f[1]), Value: number(t, f[2]), Nulls: number(t, f[3])}
		for _, name := range strings.Split(strings.Trim(f[0], `"`), " > ") {
			i := slices.Index(names, name)
			if i < 0 {
				i = len(names)
				names = append(names, name)
			}
			p.Touches = append(p.Touches, i)
		}
		paths = append(paths, p)
	}
	return paths, names
}

// attributed is what golden_vectors.json has for the data set.
type attributed struct {
	Conversions, Nulls, Value float64
	First, Last, Linear       map[string]float64
	Markov                    map[string]float64 `json:"markov1_exact"`
	Simulated                 map[string]float64 `json:"markov1_library_simulation"`
}

func TestAttribution(t *testing.T) {
	t.Parallel()
	var want attributed
	golden(t, "attribution_paths", &want)
	paths, names := examplePaths(t)
	f := func(what string, rule Rule, want map[string]float64, within float64) {
		t.Helper()
		got, value, err := Attribute(paths, len(names), rule)
		if err != nil {
			t.Fatal(err)
		}
		sum, worth := 0.0, 0.0
		for i, name := range names {
			sum, worth = sum+got[i], worth+value[i]
			if want != nil {
				near(t, what+" of "+name, got[i], want[name], within)
			}
		}
		near(t, what+" of all", sum, 19785, 1e-6)
		near(t, "value of all", worth, 74802.97, 0.005)
	}
	f("first", FirstTouch, want.First, 0)
	f("last", LastTouch, want.Last, 0)
	f("linear", Linear, want.Linear, 1e-7)
	f("position", Position, nil, 0)
	if len(want.First) != len(names) || len(names) != 12 {
		t.Errorf("%d channels, want 12", len(names))
	}
}

func TestMarkov(t *testing.T) {
	t.Parallel()
	var want attributed
	golden(t, "attribution_paths", &want)
	paths, names := examplePaths(t)
	r, err := Markov(paths, len(names))
	if err != nil {
		t.Fatal(err)
	}
	near(t, "base", r.Base, 0.223845136, 5e-10)
	conversions, value := 0.0, 0.0
	for i, name := range names {
		near(t, "conversions of "+name, r.Conversions[i], want.Markov[name], 0.0051)
		near(t, "the simulation of "+name, r.Conversions[i], want.Simulated[name], 4)
		near(t, "the effect of "+name, r.Effect[i], effectByRemoval(t, paths, len(names), i), 1e-9)
		conversions, value = conversions+r.Conversions[i], value+r.Value[i]
	}
	near(t, "conversions", conversions, want.Conversions, 1e-6)
	near(t, "value", value, want.Value, 0.005)
}

// effectByRemoval computes the chance of a conversion by iteration, with and without the channel.
func effectByRemoval(t *testing.T, paths []Path, channels, without int) float64 {
	t.Helper()
	c := newChain(channels)
	starts := 0.0
	for _, p := range paths {
		c.add(p)
		starts += p.Conversions + p.Nulls
	}
	chance := func(without int) float64 {
		v := make([]float64, channels)
		for range 3000 {
			for i := range v {
				if i == without {
					continue
				}
				sum := c.won[i]
				for j := range v {
					sum += c.next[i][j] * v[j]
				}
				v[i] = sum / c.left[i]
			}
		}
		sum := 0.0
		for i := range v {
			sum += c.start[i] / starts * v[i]
		}
		return sum
	}
	return 1 - chance(without)/chance(-1)
}

func TestMarkovSmall(t *testing.T) {
	t.Parallel()
	// Half of those who see 0 buy, nobody who sees 1 alone; channel 2 is never seen.
	r, err := Markov([]Path{{Touches: []int{0}, Conversions: 1, Value: 8, Nulls: 1}, {Touches: []int{1}, Nulls: 2}}, 3)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "base", r.Base, .25, 1e-15)
	if !slices.Equal(r.Effect, []float64{1, 0, 0}) || !slices.Equal(r.Conversions, []float64{1, 0, 0}) || !slices.Equal(r.Value, []float64{8, 0, 0}) {
		t.Errorf("%+v", r)
	}
	r, err = Markov([]Path{{Touches: []int{0}, Nulls: 5}, {Conversions: 3}}, 1)
	if err != nil || r.Base != 0 || r.Effect[0] != 0 || r.Conversions[0] != 0 {
		t.Errorf("no conversions give %+v, %v", r, err)
	}
	r, err = Markov(nil, 0)
	if err != nil || r.Base != 0 {
		t.Errorf("nothing gives %+v, %v", r, err)
	}
	if _, err := Markov([]Path{{Touches: []int{3}}}, 3); !errors.Is(err, ErrBadSettings) {
		t.Errorf("an unknown channel gives %v", err)
	}
	if _, err := Markov([]Path{{Touches: []int{0}, Nulls: -1}}, 3); !errors.Is(err, ErrNotFinite) {
		t.Errorf("a negative count gives %v", err)
	}
}

func TestRules(t *testing.T) {
	t.Parallel()
	f := func(rule Rule, want ...float64) {
		t.Helper()
		got := make([]float64, len(want))
		rule(got)
		for i := range want {
			near(t, "share", got[i], want[i], 1e-8)
		}
	}
	f(FirstTouch, 1, 0, 0)
	f(LastTouch, 0, 0, 1)
	f(Linear, .25, .25, .25, .25)
	f(Position, 1)
	f(Position, .5, .5)
	f(Position, .4, .2, .4)
	f(Position, .4, .1, .1, .4)
	f(func(s []float64) { TimeDecay(s, []float64{14, 7, 0}, 7) }, 0.14285714, 0.28571429, 0.57142857)
	f(func(s []float64) { TimeDecay(s, []float64{14e5, 14e5}, 7) }, .5, .5)
}

func TestShapley(t *testing.T) {
	t.Parallel()
	var want struct{ V, Phi map[string]float64 }
	golden(t, "shapley_example", &want)
	v := want.V
	phi, err := Shapley([]float64{0, v["A"], v["B"], v["AB"], v["C"], v["AC"], v["BC"], v["ABC"]})
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"A", "B", "C"} {
		near(t, "phi of "+name, phi[i], want.Phi[name], 1e-12)
	}
	for _, n := range []int{0, 3, 5} {
		if _, err := Shapley(make([]float64, n)); !errors.Is(err, ErrBadSettings) {
			t.Errorf("%d sets give %v", n, err)
		}
	}
	if _, err := SetWorth(nil, 17); !errors.Is(err, ErrBadSettings) {
		t.Errorf("17 channels give %v", err)
	}
}

// TestShapleyOfPaths: where worth is what a set's own paths bring, the Shapley value divides each path evenly among its distinct channels.
func TestShapleyOfPaths(t *testing.T) {
	t.Parallel()
	rng := newSeed(t)
	var paths []Path
	want := make([]float64, 7)
	for range 300 {
		p := Path{Conversions: float64(rng.IntN(5))}
		seen := map[int]bool{}
		for range 1 + rng.IntN(6) {
			c := rng.IntN(len(want))
			p.Touches = append(p.Touches, c)
			seen[c] = true
		}
		for c := range seen {
			want[c] += p.Conversions / float64(len(seen))
		}
		paths = append(paths, p)
	}
	worth, err := SetWorth(paths, len(want))
	if err != nil {
		t.Fatal(err)
	}
	phi, err := Shapley(worth)
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		near(t, "phi", phi[i], want[i], 1e-9)
		if math.IsNaN(phi[i]) {
			t.Fatal("NaN")
		}
	}
}
