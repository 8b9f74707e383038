package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seamline/seamline/schemas"
	producer "github.com/seamline/seamline/sinks/kafka"
)

// TestEndToEndScoresHillstrom sends the 64,000 customers of the e-mail test through the line: the spend of the year before as a till's
// receipt, the arm as an experiment that was viewed, then visits and orders; those of the second half of the customers in reverse order. The
// view split_tests gives the published effects, their standard errors and the sample ratio.
func TestEndToEndScoresHillstrom(t *testing.T) {
	t.Parallel()
	rows, column := dataRows(t, "experiments/hillstrom_email.csv.gz", ',')
	var before, after []producer.Message
	web := func(list *[]producer.Message, at time.Time, customer, kind string, body map[string]any) {
		body["userId"], body["messageId"], body["timestamp"] = customer, kind+customer, at.Format(time.RFC3339)
		*list = append(*list, jsonMessage(t, schemas.FeedClickstream, at, body))
	}
	for i, row := range rows {
		customer, exposed := fmt.Sprint("customer-", i), start
		r := receipt{ID: "before-" + customer, Store: "s", Time: exposed.AddDate(0, 0, -30).Format(time.RFC3339), Type: "sale", Currency: "USD", Total: row[column["history"]]}
		before = append(before, message(schemas.FeedPOS, exposed.AddDate(0, 0, -30), fmt.Sprintf(`{"receipt_id":"%s","store_id":"s","time":"%s","type":"sale","currency":"USD","customer":{"user_id":"%s"},"lines":[],"total":"%s"}`,
			r.ID, r.Time, customer, r.Total)))
		web(&after, exposed, customer, "viewed", map[string]any{"type": "track", "event": "Experiment Viewed",
			"properties": map[string]any{"experiment_name": "hillstrom", "variation_name": row[column["segment"]]}})
		if row[column["visit"]] == "1" {
			web(&after, exposed.Add(24*time.Hour), customer, "visit", map[string]any{"type": "page", "properties": map[string]any{"path": "/"}})
		}
		if row[column["conversion"]] == "1" {
			web(&after, exposed.Add(48*time.Hour), customer, "order", map[string]any{"type": "track", "event": "Order Completed",
				"properties": map[string]any{"order_id": "after-" + customer, "total": json.Number(row[column["spend"]]), "currency": "USD"}})
		}
	}
	half := after[len(after)/2:]
	for i, j := 0, len(half)-1; i < j; i, j = i+1, j-1 {
		half[i], half[j] = half[j], half[i]
	}
	s := newStand(t)
	s.create()
	s.settings.Score.FitEvery = 0 // experiments need no models
	s.publish(before...)
	s.publish(after...)
	s.settle(start.AddDate(0, 0, 20))
	s.expect("SELECT count() FROM profiles FINAL", "64000")
	checkHillstrom(t, s)
}

func checkHillstrom(t *testing.T, s *stand) {
	t.Helper()
	found := map[string][]float64{} // by arm and metric
	for _, row := range s.query("SELECT variant, metric, effect, se, cuped_theta, cuped_effect, cuped_se, srm_chi2, srm_p, crossed FROM split_tests WHERE experiment = 'hillstrom'") {
		cells := strings.Split(row, "|")
		for _, text := range cells[2:] {
			found[cells[0]+" on "+cells[1]] = append(found[cells[0]+" on "+cells[1]], float(t, text))
		}
	}
	var effects map[string]json.RawMessage
	goldenVectors(t, "hillstrom_effects", &effects)
	for arm, name := range map[string]string{"Mens E-Mail": "mens_vs_none", "Womens E-Mail": "womens_vs_none"} {
		var want map[string][2]float64
		if err := json.Unmarshal(effects[name], &want); err != nil {
			t.Fatal(err)
		}
		for metric, v := range want {
			what := arm + " on " + metric
			t.Logf("%s: %.6f (%.6f)", what, found[what][0], found[what][1])
			isNear(t, what, found[what][0], v[0], 6e-7)
			isNear(t, "standard error of "+what, found[what][1], v[1], 6e-7)
		}
	}
	var cuped map[string]json.RawMessage
	goldenVectors(t, "hillstrom_cuped_mens_vs_none", &cuped)
	var want struct{ Theta, Effect, SE float64 }
	if err := json.Unmarshal(cuped["spend~history"], &want); err != nil {
		t.Fatal(err)
	}
	spend := found["Mens E-Mail on spend"]
	isNear(t, "theta", spend[2], want.Theta, 1e-9)
	isNear(t, "CUPED effect", spend[3], want.Effect, 6e-7)
	isNear(t, "CUPED standard error", spend[4], want.SE, 6e-7)
	var srm map[string]json.RawMessage
	goldenVectors(t, "srm", &srm)
	var ratio [2]float64
	if err := json.Unmarshal(srm["hillstrom chi2,p (3 arms)"], &ratio); err != nil {
		t.Fatal(err)
	}
	for what, v := range found {
		isNear(t, "chi-square of the sample ratio, "+what, v[5], ratio[0], 6e-7)
		isNear(t, "p of the sample ratio, "+what, v[6], ratio[1], 6e-7)
		isNear(t, "people in two arms, "+what, v[7], 0, 0)
	}
	isNear(t, "arms by metrics", float64(len(found)), 9, 0)
}
