package model

import (
	"encoding/csv"
	"math"
	"strings"
	"testing"
)

// hillstrom gives the arms of the e-mail test for an outcome and a covariate, by the name of their columns.
func hillstrom(t *testing.T, outcome, covariate string) map[string]*Arm {
	t.Helper()
	lines := readLines(t, "experiments/hillstrom_email.csv.gz")
	columns := map[string]int{}
	for i, name := range strings.Split(lines[0], ",") {
		columns[name] = i
	}
	arms, reader := map[string]*Arm{}, csv.NewReader(strings.NewReader(strings.Join(lines[1:], "\n")))
	reader.ReuseRecord, reader.FieldsPerRecord = true, len(columns)
	for range lines[1:] {
		f, err := reader.Read()
		if err != nil {
			t.Fatal(err)
		}
		segment := f[columns["segment"]]
		if arms[segment] == nil {
			segment = strings.Clone(segment)
			arms[segment] = &Arm{}
		}
		arms[segment].Add(number(t, f[columns[outcome]]), number(t, f[columns[covariate]]))
	}
	return arms
}

func TestHillstromEffects(t *testing.T) {
	t.Parallel()
	var want map[string]map[string][2]float64
	var effects struct {
		Mens   map[string][2]float64 `json:"mens_vs_none"`
		Womens map[string][2]float64 `json:"womens_vs_none"`
	}
	golden(t, "hillstrom_effects", &effects)
	want = map[string]map[string][2]float64{"Mens E-Mail": effects.Mens, "Womens E-Mail": effects.Womens}
	for _, outcome := range []string{"visit", "conversion", "spend"} {
		arms := hillstrom(t, outcome, "recency")
		for segment, values := range want {
			e := Effect(arms[segment], arms["No E-Mail"])
			near(t, segment+" on "+outcome, e.Estimate, values[outcome][0], 5.1e-7)
			near(t, "its standard error", e.SE, values[outcome][1], 5.1e-7)
			near(t, "its upper limit", e.High, e.Estimate+z95*e.SE, 0)
		}
	}
}

func TestHillstromCUPED(t *testing.T) {
	t.Parallel()
	var want map[string]any
	golden(t, "hillstrom_cuped_mens_vs_none", &want)
	for _, names := range [][2]string{{"visit", "history"}, {"visit", "recency"}, {"spend", "history"}} {
		arms := hillstrom(t, names[0], names[1])
		w := want[names[0]+"~"+names[1]].(map[string]any)
		theta, effect := CUPED(arms["Mens E-Mail"], arms["No E-Mail"])
		near(t, "theta", theta/w["theta"].(float64), 1, 1e-7)
		near(t, "effect", effect.Estimate, w["effect"].(float64), 5.1e-7)
		near(t, "standard error", effect.SE, w["se"].(float64), 5.1e-7)
	}
}

func TestSampleRatio(t *testing.T) {
	t.Parallel()
	var want map[string][2]float64
	golden(t, "srm", &want)
	var counts []float64
	arms := hillstrom(t, "visit", "recency")
	for _, segment := range []string{"Mens E-Mail", "Womens E-Mail", "No E-Mail"} {
		counts = append(counts, arms[segment].N)
	}
	f := func(counts, shares []float64, name string) {
		t.Helper()
		chi2, p := SampleRatio(counts, shares)
		near(t, "chi2", chi2, want[name][0], 5.1e-7)
		near(t, "p", p, want[name][1], 5.1e-7)
	}
	f(counts, nil, "hillstrom chi2,p (3 arms)")
	f([]float64{44700, 45489}, []float64{2, 2}, "cookie_cats 44700/45489")
}

func TestSampleRatioOdd(t *testing.T) {
	t.Parallel()
	f := func(counts, shares []float64, chi2, p float64) {
		t.Helper()
		a, b := SampleRatio(counts, shares)
		if a != chi2 || b != p {
			t.Errorf("%v of %v gives %v, %v; want %v, %v", counts, shares, a, b, chi2, p)
		}
	}
	f(nil, nil, 0, 1)
	f([]float64{0, 0}, nil, 0, 1)
	f([]float64{100}, nil, 0, 1)
	f([]float64{50, 150}, []float64{1, 3}, 0, 1)
	f([]float64{50, 50, 0}, []float64{1, 1, 0}, 0, 1)
	f([]float64{50, 50, 1}, []float64{1, 1, 0}, math.Inf(1), 0)
}

func TestEffectOdd(t *testing.T) {
	t.Parallel()
	one := &Arm{}
	one.Add(3, 1)
	if e := Effect(&Arm{}, &Arm{}); e != (Interval{}) {
		t.Errorf("nobody gives %v", e)
	}
	if e := Effect(one, &Arm{}); e != (Interval{3, 0, 3, 3}) {
		t.Errorf("one person gives %v", e)
	}
	if theta, e := CUPED(one, one); theta != 0 || e.Estimate != 0 {
		t.Errorf("a covariate that never differs gives %v, %v", theta, e)
	}
}

func TestMSPRT(t *testing.T) {
	t.Parallel()
	var want struct{ Delta, V, Tau2, Lambda, P float64 }
	golden(t, "msprt_vector", &want)
	lambda, p := MSPRT(want.Delta, want.V, want.Tau2)
	near(t, "Lambda", lambda, want.Lambda, 1e-10)
	near(t, "p", p, want.P, 1e-14)
	f := func(effect, v, tau2, lambda, p float64) {
		t.Helper()
		a, b := MSPRT(effect, v, tau2)
		near(t, "Lambda", a, lambda, 1e-12)
		near(t, "p", b, p, 1e-12)
	}
	f(0, 1, 1, math.Sqrt(.5), 1)
	f(1, 0, 1, 1, 1)
	if lambda, p := MSPRT(1, 1e-9, 1); math.IsInf(lambda, 0) || p != 0 {
		t.Errorf("an enormous effect gives %v, %v", lambda, p)
	}
}

// TestMSPRTLooking: without an effect, looking all the time, the alarm rate stays below 5 %.
func TestMSPRTLooking(t *testing.T) {
	t.Parallel()
	chance := Chance{State: newSeed(t).Uint64()}
	const runs, looks = 2000, 200
	alarms, outside := 0, 0
	for range runs {
		sum, p, missed := 0.0, 1.0, false
		for n := 10.0; n <= 10*looks; n += 10 {
			sum += chance.Normal() * math.Sqrt(10)
			_, now := MSPRT(sum/n, 1/n, 0.01)
			p = min(p, now)
			missed = missed || math.Abs(sum/n) > ConfidenceSequence(n, 1, 0.1, 0.05)
		}
		if p < 0.05 {
			alarms++
		}
		if missed {
			outside++
		}
	}
	t.Logf("of %d runs, %d alarms, %d outside of the confidence sequence", runs, alarms, outside)
	if limit := runs/20 + 50; alarms > limit || outside > limit { // five standard errors above 5 %
		t.Errorf("of %d runs, %d alarms, %d outside of the confidence sequence; want at most %d", runs, alarms, outside, limit)
	}
}

func TestConfidenceSequence(t *testing.T) {
	t.Parallel()
	var want struct{ N, Sigma, Rho, Alpha, Radius float64 }
	golden(t, "asymptotic_cs_vector", &want)
	near(t, "radius", ConfidenceSequence(want.N, want.Sigma, want.Rho, want.Alpha), want.Radius, 1e-14)
	if r := ConfidenceSequence(0, 1, .1, .05); !math.IsInf(r, 1) {
		t.Errorf("without observations the radius is %v", r)
	}
}
