package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/seamline/seamline/schemas"
)

// retailEnd is after the year, at a moment of a fit when models are fitted every 59 days since 1970. Every buyer is scored then.
var retailEnd = time.Date(2012, 1, 1, 0, 0, 0, 0, time.UTC)

const retailFits = 59 * 24 * time.Hour

// checkRetailProfiles compares people with the receipts and with the published totals.
func checkRetailProfiles(t *testing.T, s *stand, receipts []*receipt) {
	t.Helper()
	customers, buyers, sales, refunds := map[string]bool{}, map[string]bool{}, 0, 0
	var known, anonymous schemas.Decimal
	for _, r := range receipts {
		total := money(t, r.Total)
		if r.Type == "refund" {
			total = -total
		}
		if r.Customer.LoyaltyID == "" {
			anonymous += total
			continue
		}
		known += total
		customers[r.Customer.LoyaltyID] = true
		if r.Type == "refund" {
			refunds++
			continue
		}
		buyers[r.Customer.LoyaltyID] = true
		sales++
	}
	// Of the 25,900 invoices 22,190 name a customer.
	isNear(t, "invoices of known customers", float64(sales+refunds), 22190, 0)
	isNear(t, "customers", float64(len(customers)), 4372, 0)
	s.expect("SELECT count(), countIf(orders > 0), sum(orders), sum(refunds), toString(sum(revenue)), uniqExact(currency) FROM profiles FINAL",
		fmt.Sprintf("%d|%d|%d|%d|%s|1", len(customers), len(buyers), sales, refunds, known))
	isNear(t, "revenue with that of unknown customers", float(t, (known+anonymous).String()), 9747747.93, 0.005)
	s.expect("SELECT count(), toString(round(sum(total), 2)) FROM order_lines_current", "541909|9747747.93")
	s.expect(`SELECT uniqExact(order_id), uniqExact(profile_id), toString(round(sum(total), 2)) FROM order_lines_current
		WHERE quantity > 0 AND total > 0 AND profile_id != toUUID('00000000-0000-0000-0000-000000000000')`, "18532|4338|8911407.9")
	s.expect("SELECT max(people) FROM models FINAL WHERE name = 'rfm'", fmt.Sprint(len(buyers)))
}

// checkRetailQuintiles compares recency, frequency and monetary value with quintiles that are computed from the rows by sorting: the cut
// points are the values below or at which one to four fifths of the buyers are.
func checkRetailQuintiles(t *testing.T, s *stand) {
	t.Helper()
	s.expect("SELECT uniqExact(models), countIf(scored_at != toDateTime64('2012-01-01 00:00:00', 3, 'UTC')) FROM profiles FINAL WHERE purchase_days > 0", "1|0")
	quintile := func(value string) string {
		return `WITH (SELECT arraySort(groupArray(toFloat64(` + value + `))) FROM profiles FINAL WHERE purchase_days > 0) AS sorted,
			arrayMap(i -> sorted[toUInt32(ceil(length(sorted) * i / 5))], [1, 2, 3, 4]) AS cuts,
			toFloat64(` + value + `) AS value, 1 + arrayCount(cut -> value > cut, cuts) AS want
			SELECT count() FROM profiles FINAL WHERE purchase_days > 0 AND `
	}
	s.expect(quintile("toUnixTimestamp(toStartOfDay(last_order))")+"want != recency_quintile", "0")
	s.expect(quintile("purchase_days")+"want != frequency_quintile", "0")
	// Monetary value is counted in a sketch: who is nearer to a cut than its error may be on either side.
	s.expect(quintile("revenue")+"want != monetary_quintile AND NOT arrayExists(cut -> abs(value - cut) <= 0.016 * abs(cut), cuts)", "0")
	sizes := s.query("SELECT monetary_quintile, count() FROM profiles FINAL WHERE purchase_days > 0 GROUP BY monetary_quintile ORDER BY monetary_quintile")
	differ := s.one(quintile("revenue") + "want != monetary_quintile")
	t.Logf("buyers by quintile of monetary value: %q; %s on the other side of a cut than by sorting", sizes, differ)
	if len(sizes) != 5 {
		t.Errorf("quintiles are %q", sizes)
	}
}
