package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seamline/seamline/schemas"
	producer "github.com/seamline/seamline/sinks/kafka"
)

// TestEndToEndScoresGroceries sends a month of a grocer's baskets through the line, one every four minutes, and finds the published pairs in
// the view sku_affinity and in what people are recommended.
func TestEndToEndScoresGroceries(t *testing.T) {
	t.Parallel()
	var messages []producer.Message
	sell := func(at time.Time, id, customer string, items ...string) {
		r := receipt{ID: id, Store: "grocer", Time: at.Format(time.RFC3339), Type: "sale", Currency: "EUR", Total: fmt.Sprint(len(items))}
		r.Customer.LoyaltyID = customer
		for i, item := range items {
			r.Lines = append(r.Lines, receiptLine{ID: fmt.Sprint(i + 1), SKU: item, Quantity: "1", Price: "1", Total: "1"})
		}
		messages = append(messages, jsonMessage(t, schemas.FeedPOS, at, r))
	}
	baskets := dataLines(t, "pos/groceries_baskets.csv.gz")
	at := start
	for i, basket := range baskets {
		sell(at, fmt.Sprint("basket-", i), "", strings.Split(basket, ",")...)
		at = at.Add(4 * time.Minute)
	}
	s := newStand(t)
	s.create()
	s.publish(messages...)
	// Behind midnight, when models are fitted on all baskets, somebody buys one thing.
	fitted := at.Truncate(24 * time.Hour).Add(24 * time.Hour)
	s.settle(fitted)
	s.expect("SELECT countIf(type = 'order'), uniqExact(order_id) FROM events FINAL", "9835|9835")
	var top [][]any
	goldenVectors(t, "groceries_top_llr", &top)
	for i, row := range s.query("SELECT sku_a, sku_b, together, round(llr, 4), round(lift, 4), baskets FROM sku_affinity WHERE kind = 'basket' ORDER BY llr DESC LIMIT 5") {
		if want := fmt.Sprintf("%v|%v|%v|%v|%v|9835", top[i]...); row != want {
			t.Errorf("pair %d is %s, want %s", i+1, row, want)
		}
	}

	messages = nil
	sell(fitted.Add(time.Hour), "last", "member-1", "root vegetables")
	s.publish(messages...)
	s.settle(fitted.Add(2 * time.Hour))
	isNear(t, "baskets", s.parameter("affinity", "baskets"), 9835, 0)
	skus := strings.Split(s.one("SELECT arrayStringConcat(recommended_skus, ';') FROM profiles FINAL"), ";")
	reasons := strings.Split(s.one("SELECT arrayStringConcat(recommended_reasons, ';') FROM profiles FINAL"), ";")
	t.Logf("who bought root vegetables is recommended %q", skus)
	if len(skus) < 5 || len(reasons) != len(skus) {
		t.Fatalf("recommended are %q, because of %q", skus, reasons)
	}
	// By the log-likelihood ratio: n 466, 481 and 171.
	for i, want := range []string{"other vegetables", "whole milk", "beef"} {
		if skus[i] != want || reasons[i] != "bought together with root vegetables" {
			t.Errorf("recommendation %d is %q, %q; want %q, bought together with root vegetables", i+1, skus[i], reasons[i], want)
		}
	}
}
