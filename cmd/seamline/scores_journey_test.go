package main

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/seamline/seamline/schemas"
	producer "github.com/seamline/seamline/sinks/kafka"
)

// journeyReceipt is a basket with its totals while it is read.
type journeyReceipt struct {
	at    time.Time
	body  map[string]any
	lines []map[string]any
	total schemas.Decimal
}

// journeyBaskets makes receipts of the lines of the sample. The discount of a line is that of the loyalty card.
func journeyBaskets(t *testing.T) (messages []producer.Message, lines int) {
	t.Helper()
	rows, column := dataRows(t, "pos/completejourney/products.csv.gz", ',')
	products := map[string][]string{}
	for _, row := range rows {
		products[row[column["product_id"]]] = row
	}
	category, brand := column["product_category"], column["brand"]
	rows, column = dataRows(t, "pos/completejourney/transactions_sample.csv.gz", ',')
	baskets, order := map[string]*journeyReceipt{}, []*journeyReceipt(nil)
	for _, row := range rows {
		id := row[column["basket_id"]]
		b := baskets[id]
		if b == nil {
			at, err := time.Parse("2006-01-02T15:04:05", row[column["transaction_timestamp"]])
			if err != nil {
				t.Fatal(err)
			}
			b = &journeyReceipt{at: at, body: map[string]any{"receipt_id": id, "store_id": row[column["store_id"]], "time": at.Format(time.RFC3339), "type": "sale",
				"currency": "USD", "customer": map[string]any{"user_id": "household-" + row[column["household_id"]]}}}
			baskets[id], order = b, append(order, b)
		}
		line := map[string]any{"line_id": fmt.Sprint(len(b.lines) + 1), "sku": row[column["product_id"]], "quantity": row[column["quantity"]],
			"total": row[column["sales_value"]], "discount": row[column["retail_disc"]]}
		if p := products[row[column["product_id"]]]; p != nil {
			line["category"], line["brand"] = p[category], p[brand]
		}
		b.lines, b.total = append(b.lines, line), b.total+money(t, row[column["sales_value"]])
	}
	for _, b := range order {
		b.body["lines"], b.body["total"] = b.lines, b.total.String()
		messages = append(messages, jsonMessage(t, schemas.FeedPOS, b.at, b.body))
	}
	return messages, len(rows)
}

// journeyCalls makes records of Segment's of the tables that are about households: who they are, campaigns, and coupons redeemed.
func journeyCalls(t *testing.T) (messages []producer.Message, counts map[string]int) {
	t.Helper()
	counts = map[string]int{}
	call := func(table string, n int, household, day string, body map[string]any) {
		at, err := time.Parse(time.DateOnly, day)
		if err != nil {
			t.Fatal(err)
		}
		counts[table]++
		body["userId"], body["messageId"], body["timestamp"] = "household-"+household, fmt.Sprint(table, n), at.Format(time.RFC3339)
		messages = append(messages, jsonMessage(t, schemas.FeedClickstream, at, body))
	}
	rows, column := dataRows(t, "pos/completejourney/demographics.csv.gz", ',')
	for i, row := range rows {
		call("demographics", i, row[column["household_id"]], "2017-01-01", map[string]any{"type": "identify", "traits": map[string]any{"age_band": row[column["age"]], "income_band": row[column["income"]]}})
	}
	rows, column = dataRows(t, "pos/completejourney/campaign_descriptions.csv.gz", ',')
	begin := map[string]string{}
	for _, row := range rows {
		begin[row[column["campaign_id"]]] = row[column["start_date"]]
	}
	counts["campaign_descriptions"] = len(begin)
	rows, column = dataRows(t, "pos/completejourney/campaigns.csv.gz", ',')
	for i, row := range rows {
		id := row[column["campaign_id"]]
		call("campaigns", i, row[column["household_id"]], begin[id], map[string]any{"type": "track", "event": "Email Sent", "properties": map[string]any{"campaign_id": id}})
	}
	rows, column = dataRows(t, "pos/completejourney/coupon_redemptions.csv.gz", ',')
	for i, row := range rows {
		call("coupon_redemptions", i, row[column["household_id"]], row[column["redemption_date"]],
			map[string]any{"type": "track", "event": "Coupon Applied", "properties": map[string]any{"coupon_id": row[column["coupon_upc"]], "campaign_id": row[column["campaign_id"]]}})
	}
	return messages, counts
}

// TestEndToEndScoresCompleteJourney sends a year of a grocer's sample through the line: receipts with lines and card discounts, campaigns,
// coupons and households, and finds the counts and sums of the tables. Campaigns and redemptions of households without receipts count too.
func TestEndToEndScoresCompleteJourney(t *testing.T) {
	t.Parallel()
	baskets, lines := journeyBaskets(t)
	calls, counts := journeyCalls(t)
	messages := slices.Concat(baskets, calls)
	slices.SortStableFunc(messages, func(a, b producer.Message) int { return a.Time.Compare(b.Time) })
	s := newStand(t)
	s.create()
	s.publish(messages...)
	// Fits every 36 days since 1970, of which one is after the year.
	s.settings.Score.FitEvery, s.settings.Score.RescoreShare = 36*24*time.Hour, 0
	s.settle(time.Date(2018, 1, 1, 0, 0, 0, 0, time.UTC).Add(36 * 24 * time.Hour))

	if lines != 75000 || counts["demographics"] != 801 || counts["campaigns"] != 6589 || counts["coupon_redemptions"] != 2102 || counts["campaign_descriptions"] != 27 {
		t.Errorf("the tables have %d lines and %v", lines, counts)
	}
	s.expect("SELECT type, count() FROM events FINAL GROUP BY type ORDER BY toString(type)", fmt.Sprintf("coupon_applied|%d", counts["coupon_redemptions"]),
		fmt.Sprintf("identify|%d", counts["demographics"]), fmt.Sprintf("message_sent|%d", counts["campaigns"]), fmt.Sprintf("order|%d", len(baskets)))
	s.expect("SELECT uniqExact(campaign_id) FROM events FINAL WHERE type = 'message_sent'", "27")
	const want = "75000|0.5014|40180.91|233935.24"
	s.expect("SELECT count(), round(avg(discount > 0), 4), toString(sum(discount)), toString(sum(total)) FROM order_lines_current", want)
	s.expect("SELECT sum(lines), round(sum(promoted_lines) / sum(lines), 4), toString(sum(discount)), toString(sum(revenue)) FROM profiles FINAL", want)
	s.expect("SELECT toString(sum(list_value)) FROM profiles FINAL", "274116.15")
	s.expect("SELECT sum(orders), sum(email_sent), uniqExactIf(models, orders > 0) FROM profiles FINAL",
		fmt.Sprintf("%d|%d|1", len(baskets), counts["campaigns"]))
	isNear(t, "lines of the population", s.parameter("discount", "people"), 75000, 0)
	isNear(t, "share of lines with a discount", s.parameter("discount", "promoted_share"), 0.501413, 5e-7)
	// One's share is drawn towards the population's, and never leaves what lies between.
	s.expect(`SELECT countIf(discount_share < least(own, 0.5013) OR discount_share > greatest(own, 0.5015)) FROM
		(SELECT discount_share, promoted_lines / lines AS own FROM profiles FINAL WHERE lines > 0)`, "0")
}
