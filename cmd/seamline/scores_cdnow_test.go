package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seamline/seamline/pipeline/score/model"
	"github.com/seamline/seamline/schemas"
	producer "github.com/seamline/seamline/sinks/kafka"
)

// cdnowEnd is the last day of the 39 weeks that the models are fitted on, and cdnowFit the moment at which that day is over.
var (
	cdnowEnd = time.Date(1997, 9, 30, 0, 0, 0, 0, time.UTC)
	cdnowFit = cdnowEnd.AddDate(0, 0, 1)
)

// cdnow gives the receipts of the first 39 weeks of the sample of CDNOW's customers, and of each customer the purchase days of the next 39.
func cdnow(t *testing.T) (messages []producer.Message, later map[string]float64) {
	t.Helper()
	later = map[string]float64{}
	days := map[string]bool{}
	for i, line := range dataLines(t, "pos/cdnow_sample.txt.gz") {
		f := strings.Fields(line)
		at, err := time.Parse("20060102", f[2])
		if err != nil {
			t.Fatal(err)
		}
		id := "cdnow-" + f[1]
		if at.After(cdnowEnd) {
			if !days[id+f[2]] {
				later[id]++
			}
			days[id+f[2]] = true
			continue
		}
		at = at.Add(12 * time.Hour)
		messages = append(messages, message(schemas.FeedPOS, at, fmt.Sprintf(`{"receipt_id":"%d","store_id":"cdnow","time":"%s","type":"sale","currency":"USD","customer":{"user_id":"%s"},"lines":[],"total":"%s"}`,
			i, at.Format(time.RFC3339), id, f[4])))
	}
	slices.SortStableFunc(messages, func(a, b producer.Message) int { return a.Time.Compare(b.Time) })
	return messages, later
}

// TestEndToEndScoresCDNOW sends 39 weeks of receipts of 2,357 customers through the line and finds the published parameters, scores of
// customers, and the accuracy on the 39 weeks behind them. Sources: Fader, Hardie, Lee 2005; Batislam 2007; Fader, Hardie 2013.
func TestEndToEndScoresCDNOW(t *testing.T) {
	t.Parallel()
	messages, later := cdnow(t)
	s := newStand(t)
	s.create()
	s.publish(messages...)
	// Fits on every fifth day since 1970, of which the day after the 39 weeks is one, and every buyer scored after each.
	s.settings.Score.FitEvery, s.settings.Score.RescoreShare, s.settings.Score.Horizon = 5*24*time.Hour, 0, 39*7*24*time.Hour
	s.settle(cdnowFit)
	s.expect("SELECT count(), uniqExact(models), min(scored_at), max(scored_at) FROM profiles FINAL", "2357|1|1997-10-01 00:00:00|1997-10-01 00:00:00")
	checkCDNOWModels(t, s)
	checkCDNOWCustomers(t, s)
	checkCDNOWHoldout(t, s, later)
}

func checkCDNOWModels(t *testing.T, s *stand) {
	t.Helper()
	var bg struct{ R, Alpha, A, B, LL float64 }
	goldenVectors(t, "bgnbd_mle_cdnow_sample", &bg)
	isNear(t, "customers", s.parameter("bgnbd", "people"), 2357, 0)
	isNear(t, "r of BG/NBD", s.parameter("bgnbd", "r"), bg.R, 1e-3)
	isNear(t, "alpha of BG/NBD", s.parameter("bgnbd", "alpha"), bg.Alpha, 1e-3)
	isNear(t, "a of BG/NBD", s.parameter("bgnbd", "a"), bg.A, 1e-3)
	isNear(t, "b of BG/NBD", s.parameter("bgnbd", "b"), bg.B, 1e-3)
	isNear(t, "log-likelihood of BG/NBD", s.parameter("bgnbd", "log_likelihood"), bg.LL, 1e-3)
	for i, name := range []string{"r", "alpha", "a", "b"} {
		isNear(t, name+" of MBG/NBD", s.parameter("mbgnbd", name), []float64{0.525, 6.183, 0.891, 1.614}[i], 1e-3)
	}
	var gg struct{ P, Q, V, LL float64 }
	goldenVectors(t, "gammagamma_mle_cdnow_sample_946", &gg)
	isNear(t, "repeaters", s.parameter("gamma_gamma", "people"), 946, 0)
	isNear(t, "p of Gamma-Gamma", s.parameter("gamma_gamma", "p"), gg.P, 1e-3*gg.P)
	isNear(t, "q of Gamma-Gamma", s.parameter("gamma_gamma", "q"), gg.Q, 1e-3*gg.Q)
	isNear(t, "v of Gamma-Gamma", s.parameter("gamma_gamma", "v"), gg.V, 1e-3*gg.V)
	for _, name := range []string{"bgnbd", "mbgnbd", "gamma_gamma"} {
		t.Log(s.one("SELECT name, people, log_likelihood, toString(parameters) FROM models FINAL WHERE name = ? ORDER BY version DESC LIMIT 1", name))
	}
}

// scoresOf gives the columns of the customer with a number of the sample.
func (s *stand) scoresOf(customer int, columns string) []float64 {
	s.t.Helper()
	row := s.one("SELECT "+columns+" FROM profiles FINAL WHERE profile_id = (SELECT profile_id FROM identifiers FINAL WHERE namespace = 'user_id' AND hex(value_hash) = ?)",
		strings.ToUpper(hash(fmt.Sprintf("cdnow-%04d", customer))))
	var numbers []float64
	for text := range strings.SplitSeq(row, "|") {
		numbers = append(numbers, float(s.t, text))
	}
	return numbers
}

func checkCDNOWCustomers(t *testing.T, s *stand) {
	t.Helper()
	first := s.scoresOf(1, "repeat_days, repeat_span, tenure, alive_bgnbd, alive_mbgnbd, expected_orders_bgnbd, toString(repeat_value_mean)")
	isNear(t, "x of customer 1", first[0], 2, 0)
	isNear(t, "t_x of customer 1 in weeks", first[1]/7, 30.43, 0.005)
	isNear(t, "T of customer 1 in weeks", first[2]/7, 38.86, 0.005)
	// Recomputed from weeks rounded to two digits.
	isNear(t, "P(alive) of customer 1 by BG/NBD", first[3], 0.726578570, 1e-4)
	isNear(t, "P(alive) of customer 1 by MBG/NBD", first[4], 0.7062022651184873, 3e-4)
	isNear(t, "E[Y(39)] of customer 1", first[5], 1.226, 5e-4)
	isNear(t, "mean repeat value of customer 1", first[6], 22.345, 1e-9)
	for i, want := range []float64{24.65, 18.91, 35.17, 35.17, 35.17, 71.46, 18.91, 35.17, 27.28, 35.17} {
		isNear(t, fmt.Sprintf("E[M] of customer %d", i+1), s.scoresOf(i+1, "toString(expected_value)")[0], want, 0.01)
	}
	// The line's lifetime value is MBG/NBD's margin of four quarters; here it is computed again from the columns and the parameters.
	m := model.MBGNBD{R: s.parameter("mbgnbd", "r"), Alpha: s.parameter("mbgnbd", "alpha"), A: s.parameter("mbgnbd", "a"), B: s.parameter("mbgnbd", "b")}
	life := model.LifetimeValue{Weeks: 52, Steps: 4, AnnualDiscount: s.settings.Score.DiscountRate, Margin: s.settings.Score.MarginRate}
	for _, customer := range []int{1, 2, 3, 6, 9} {
		c := s.scoresOf(customer, "repeat_days, repeat_span, tenure, toString(expected_value), toString(lifetime_value)")
		want := life.Of(c[3], func(weeks float64) float64 { return m.ExpectedFor(weeks, uint32(c[0]), c[1]/7, c[2]/7) })
		isNear(t, fmt.Sprintf("lifetime value of customer %d", customer), c[4], want, 1e-3)
	}
}

// checkCDNOWHoldout compares what BG/NBD expected with what the customers did in the next 39 weeks.
func checkCDNOWHoldout(t *testing.T, s *stand, later map[string]float64) {
	t.Helper()
	expected := map[string]float64{}
	for _, row := range s.query("SELECT lower(hex(i.value_hash)), p.expected_orders_bgnbd FROM profiles AS p FINAL INNER JOIN (SELECT * FROM identifiers FINAL WHERE namespace = 'user_id') AS i ON i.profile_id = p.profile_id") {
		key, value, _ := strings.Cut(row, "|")
		expected[key] = float(t, value)
	}
	total, actual, deviation := 0.0, 0.0, 0.0
	for customer := range 2357 {
		id := fmt.Sprintf("cdnow-%04d", customer+1)
		e, known := expected[hash(id)]
		if !known {
			t.Fatalf("no profile of %s", id)
		}
		total, actual, deviation = total+e, actual+later[id], deviation+math.Abs(e-later[id])
	}
	t.Logf("holdout of 39 weeks: expected %.4f, actual %v, mean absolute error %.6f", total, actual, deviation/2357)
	var want struct {
		Actual    float64 `json:"actual"`
		Predicted float64 `json:"predicted_total"`
		MAE       float64 `json:"MAE"`
	}
	goldenVectors(t, "bgnbd_holdout_39w_cdnow", &want)
	isNear(t, "actual purchase days", actual, want.Actual, 0)
	isNear(t, "expected purchase days", total, want.Predicted, 0.05)
	isNear(t, "mean absolute error", deviation/2357, want.MAE, 1e-4)
	if deviation/2357 > 0.786 {
		t.Errorf("the mean absolute error is %v, above 0.786", deviation/2357)
	}
}
