package model

import (
	"errors"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestFTRLTrace(t *testing.T) {
	t.Parallel()
	var want struct {
		Alpha, Beta, L1, L2 float64
		Rows                [][2]any
		P                   []float64 `json:"p_before_update"`
		Z, N                map[string]float64
	}
	golden(t, "ftrl_vector", &want)
	m := newFTRL(t, Rates{want.Alpha, want.Beta, want.L1, want.L2, 24})
	for i, row := range want.Rows {
		var features []Feature
		example := row[0].(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(example)) {
			features = append(features, Feature{Key(name, ""), example[name].(float64)})
		}
		before := m.Predict(features)
		p := m.Learn(features, row[1].(float64) == 1)
		near(t, "prediction", p, want.P[i], 1e-12)
		near(t, "prediction without learning", before, p, 0)
	}
	near(t, "weight of the unknown", m.Of(Key("unknown", "")), 0, 0)
	state := m.State(nil)
	if len(state) != len(want.Z) || len(want.Z) == 0 {
		t.Fatalf("%d weights, want %d", len(state), len(want.Z))
	}
	for name, z := range want.Z {
		i, ok := slices.BinarySearchFunc(state, m.cut(Key(name, "")), func(w Weight, key uint64) int { return int(int64(w.Key) - int64(key)) })
		if !ok {
			t.Fatalf("no weight of %s in %v", name, state)
		}
		near(t, "z of "+name, state[i].Z, z, 1e-12)
		near(t, "n of "+name, state[i].N, want.N[name], 1e-12)
		near(t, "weight of "+name, m.Of(Key(name, "")), m.weight(&state[i]), 0)
	}
}

func newFTRL(t testing.TB, rates Rates) *FTRL {
	t.Helper()
	m, err := NewFTRL(rates)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// shopper is a session of the online shoppers.
type shopper struct {
	numbers, words []string
	values         []float64
	named          []string
	bought         bool
}

func shoppers(t testing.TB) (list []shopper) {
	t.Helper()
	lines := readLines(t, "click/online_shoppers_intention.csv.gz")
	names := strings.Split(lines[0], ";")
	for _, line := range lines[1:] {
		f := strings.Split(line, ";")
		s := shopper{numbers: names[:10], named: names[10:17], words: f[10:17], bought: f[17] == "TRUE"}
		for i := range s.numbers {
			v := number(t, f[i])
			if strings.HasSuffix(names[i], "Rates") {
				v *= 1000
			}
			s.values = append(s.values, v)
		}
		list = append(list, s)
	}
	return list
}

func (s *shopper) features(f *Features) []Feature {
	f.Reset()
	for i, v := range s.values {
		f.Number(s.numbers[i], v)
	}
	for i, w := range s.words {
		f.Word(s.named[i], w)
	}
	return f.List()
}

// TestOnlineShoppers predicts each session before it learns from it, in the order of the file.
func TestOnlineShoppers(t *testing.T) {
	t.Parallel()
	m, features, c := newFTRL(t, DefaultRates), Features{}, &Calibration{}
	var loss float64
	var predictions []scored
	list := shoppers(t)
	half, second := &Calibration{}, &Calibration{}
	var middle []Weight
	for i := range list {
		if i == len(list)/2 {
			middle = m.State(nil)
			m = newFTRL(t, DefaultRates)
			if err := m.Restore(middle); err != nil {
				t.Fatal(err)
			}
		}
		p := m.Learn(list[i].features(&features), list[i].bought)
		c.Add(p, list[i].bought)
		if i < len(list)/2 {
			half.Add(p, list[i].bought)
		} else {
			second.Add(p, list[i].bought)
		}
		predictions = append(predictions, scored{p, list[i].bought})
		if list[i].bought {
			loss -= math.Log(p)
		} else {
			loss -= math.Log1p(-p)
		}
	}
	r := c.Report()
	t.Logf("%+v, %d weights", r, len(m.State(nil)))
	if r.Count != 12330 || r.Positives != 1908 {
		t.Errorf("%d sessions, %d purchases; want 12330 and 1908", r.Count, r.Positives)
	}
	if r.AUC < 0.9028 || r.LogLoss > 0.2642 || r.AveragePrecision < 0.6634 || r.Error > 0.02 {
		t.Errorf("%+v; want AUC 0.9028, log loss 0.2642, average precision 0.6634 or better", r)
	}
	near(t, "log loss", r.LogLoss, loss/float64(len(list)), 1e-9)
	auc, ap := exactRanks(predictions)
	near(t, "AUC of the histogram", r.AUC, auc, 1e-4)
	near(t, "average precision of the histogram", r.AveragePrecision, ap, 1e-3)
	second.Merge(half)
	if *second != *c {
		t.Error("two halves do not add to the whole")
	}
	// Without the restart in the middle, the same bits.
	again := newFTRL(t, DefaultRates)
	for i := range list {
		again.Learn(list[i].features(&features), list[i].bought)
	}
	if !slices.Equal(again.State(nil), m.State(nil)) {
		t.Error("a model that was saved and restored learned something else")
	}
}

type scored struct {
	p float64
	y bool
}

// exactRanks computes AUC and average precision by sorting.
func exactRanks(list []scored) (auc, precision float64) {
	slices.SortStableFunc(list, func(a, b scored) int {
		if a.p > b.p {
			return -1
		}
		if a.p < b.p {
			return 1
		}
		return 0
	})
	hits, misses := 0.0, 0.0
	for i, s := range list {
		if s.y {
			hits++
			precision += hits / float64(i+1)
		} else {
			misses++
			auc += hits
		}
	}
	return auc / hits / misses, precision / hits
}

func TestCalibrationReport(t *testing.T) {
	t.Parallel()
	if r := new(Calibration).Report(); r != (CalibrationReport{}) {
		t.Errorf("nothing gives %+v", r)
	}
	c := &Calibration{}
	for i := range 100 {
		c.Add(0.8, i < 60)
		c.Add(0.2, i < 30)
	}
	r := c.Report()
	near(t, "log loss", r.LogLoss, -(60*math.Log(.8)+40*math.Log(.2)+30*math.Log(.2)+70*math.Log(.8))/200, 1e-9)
	near(t, "AUC", r.AUC, (60*70+60*40/2.+30*70/2.)/(90*110), 1e-12)
	near(t, "average precision", r.AveragePrecision, (60*.6+30*.45)/90, 1e-12)
	near(t, "error", r.Error, (20+10)/200., 1e-9)
	c.Add(0, true)
	c.Add(1, false)
	c.Add(1, true)
	if r := c.Report(); math.IsNaN(r.LogLoss) || math.IsInf(r.LogLoss, 0) || r.LogLoss < 0.5 {
		t.Errorf("sure and wrong gives %+v", r)
	}
}

func TestFTRLRefuses(t *testing.T) {
	t.Parallel()
	for _, r := range []Rates{{}, {0, 1, 0, 1, 18}, {1, -1, 0, 1, 18}, {1, 1, -1, 1, 18}, {1, 1, 1, -1, 18}, {1, 1, 0, 1, 0}, {1, 1, 0, 1, 25}, {math.NaN(), 1, 0, 1, 18}, {1, 0, 0, 0, 18}} {
		if _, err := NewFTRL(r); !errors.Is(err, ErrBadSettings) {
			t.Errorf("%+v gives %v", r, err)
		}
	}
	m := newFTRL(t, Rates{1, 1, 0, 1, 10})
	f := func(list ...Weight) {
		t.Helper()
		if m.Restore(list) == nil {
			t.Errorf("restored %v", list)
		}
	}
	f(Weight{1 << 10, 0, 0})
	f(Weight{3, 0, 0}, Weight{3, 0, 0})
	f(Weight{4, 0, 0}, Weight{3, 0, 0})
	f(Weight{1, math.NaN(), 0})
	f(Weight{1, 0, -1})
	f(Weight{1, 0, math.Inf(1)})
}

// TestFTRLBounded: keys without end do not make the state grow without end, and predictions stay probabilities.
func TestFTRLBounded(t *testing.T) {
	t.Parallel()
	rng := newSeed(t)
	m := newFTRL(t, Rates{0.5, 1, 0.01, 1, 8})
	for range 5000 {
		if p := m.Learn([]Feature{{rng.Uint64(), 1e6 * rng.NormFloat64()}, {rng.Uint64(), 1}}, rng.IntN(2) == 0); !(p > 0 && p < 1) {
			t.Fatalf("predicted %v", p)
		}
	}
	if n := len(m.State(nil)); n != 256 {
		t.Errorf("%d weights, want 256", n)
	}
}

func TestFeatures(t *testing.T) {
	t.Parallel()
	var f Features
	f.Reset()
	f.Word("channel", "web")
	f.Number("views", 3)
	f.Number("views", 0)
	f.Number("views", -2)
	f.Number("views", math.NaN())
	f.Number("views", math.Inf(1))
	list := f.List()
	if len(list) != 1+1+2+1+1+1+2 {
		t.Fatalf("%d features", len(list))
	}
	near(t, "log(1+3)", list[2].Value, 0.4*math.Log(4), 1e-15)
	if list[4] != list[5] || list[5] != list[6] || list[3].Key == list[4].Key || list[8].Key == list[3].Key {
		t.Errorf("buckets are mixed up: %v", list)
	}
	for _, x := range list {
		if math.IsNaN(x.Value) || math.IsInf(x.Value, 0) {
			t.Errorf("feature %v", x)
		}
	}
	if Key("a", "b") == Key("ab", "") || Key("a", "b") == Key("b", "a") {
		t.Error("names and values run together")
	}
}

func BenchmarkFTRLLearn(b *testing.B) {
	list, features := shoppers(b), Features{}
	m := newFTRL(b, DefaultRates)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		s := &list[i%len(list)]
		sink = m.Learn(s.features(&features), s.bought)
		i++
	}
}

func BenchmarkFTRLPredict(b *testing.B) {
	list, features := shoppers(b), Features{}
	m := newFTRL(b, DefaultRates)
	for i := range list {
		m.Learn(list[i].features(&features), list[i].bought)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		sink = m.Predict(list[i%len(list)].features(&features))
		i++
	}
}
