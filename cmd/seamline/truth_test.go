package main

import (
	"bufio"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/seamline/seamline/deploy/shoppers"
	"github.com/seamline/seamline/schemas"
	producer "github.com/seamline/seamline/sinks/kafka"
)

// TestEndToEndTruth sends a week of simulated shoppers through the line and compares what ClickHouse says with what really happened.
func TestEndToEndTruth(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.create()
	cfg := shoppers.DefaultConfig()
	cfg.Shoppers, cfg.Start, cfg.Duration, cfg.MalformedShare = 400, start, 7*24*time.Hour, 0.005
	s.settings.Decode.BytesMax, cfg.OversizeBytes = 200_000, 200_100
	t.Logf("seed %d", cfg.Seed)
	g := shoppers.New(cfg)
	var messages []producer.Message
	for {
		r, ok := g.Next()
		if !ok {
			break
		}
		m := producer.Message{Topic: r.Topic, Key: r.Key, Value: r.Value, Time: r.Time}
		for _, h := range r.Headers {
			m.Headers = append(m.Headers, schemas.Header{Key: h.Key, Value: h.Value})
		}
		messages = append(messages, m)
	}
	s.publish(messages...)
	truth := g.Truth()
	s.run(func(o *runOptions) { o.now = schemas.TimeOf(truth.End.Add(96 * time.Hour)) })

	for kind, n := range truth.Counts.ByType {
		column := "countIf(type = '" + kind + "')"
		if kind == "order" {
			column = "countIf(type IN ('order', 'order_update'))"
		}
		if got := s.one("SELECT " + column + " FROM events FINAL"); got != fmt.Sprint(n) {
			t.Errorf("%s events of type %s, the truth is %d", got, kind, n)
		}
	}
	checkAccuracy(t, s, truth)
	checkMoney(t, s, truth)
	checkRejects(t, s, truth)
	checkReadmeQueries(t, s)
	s.expect("SELECT count() = uniqExact(source, event_id) FROM events", "1")
	const nobody = "toUUID('00000000-0000-0000-0000-000000000000')"
	s.expect("SELECT toString(sum(revenue)) FROM profiles FINAL WHERE NOT deleted", s.one("SELECT toString(sum(revenue)) FROM events FINAL WHERE profile_id != "+nobody))
}

// checkAccuracy compares the stitched identifiers with the persons behind them.
func checkAccuracy(t *testing.T, s *stand, truth *shoppers.Truth) {
	t.Helper()
	profiles := map[string]string{}
	for _, line := range s.query("SELECT namespace || ' ' || lower(hex(value_hash)), toString(profile_id) FROM identifiers FINAL WHERE class != 'evidence'") {
		key, profile, _ := strings.Cut(line, "|")
		profiles[key] = profile
	}
	a := truth.Judge(func(namespace, value string) (string, bool) {
		names := []string{namespace}
		if namespace == "pos_customer_id" {
			names = []string{"square_customer_id", "shopify_customer_id", "lightspeed_customer_id"}
		}
		for _, name := range names {
			if profile, ok := profiles[name+" "+hash(stored(namespace, value))]; ok {
				return profile, true
			}
		}
		return "", false
	})
	t.Logf("stitching: precision %.6f, recall %.6f (%+v)", a.Precision, a.Recall, a)
	if a.Precision != 1 {
		t.Errorf("precision is %v where the rules can know; want 1", a.Precision)
	}
	if a.Recall < 0.95 {
		t.Errorf("recall is %v; want at least 0.95", a.Recall)
	}
}

// stored is how the default rules write a value of a namespace that is already normal in the truth.
func stored(namespace, value string) string {
	switch namespace {
	case "loyalty_id":
		return strings.ToUpper(strings.NewReplacer("-", "", " ", "").Replace(value))
	case "device_id":
		return strings.ToLower(value)
	}
	return value
}

// checkMoney compares the net revenue of everything with the truth to the cent.
func checkMoney(t *testing.T, s *stand, truth *shoppers.Truth) {
	t.Helper()
	var gross, net schemas.Decimal
	for _, c := range []shoppers.Sales{truth.Counts.Web, truth.Counts.App, truth.Counts.Store} {
		add(t, &gross, c.Gross)
		add(t, &net, c.Net)
	}
	got, err := schemas.ParseDecimal(s.one("SELECT toString(sum(revenue)) FROM events FINAL"))
	if err != nil {
		t.Fatal(err)
	}
	if got != gross {
		t.Errorf("revenue of all events is %s, the truth is %s paid (%s without tax and shipping)", got, gross, net)
	}
}

func add(t *testing.T, sum *schemas.Decimal, text string) {
	t.Helper()
	d, err := schemas.ParseDecimal(text)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	*sum += d
}

func checkRejects(t *testing.T, s *stand, truth *shoppers.Truth) {
	t.Helper()
	want := map[string]int{}
	for _, byReason := range truth.Counts.Malformed {
		for reason, n := range byReason {
			want[reason] += n
		}
	}
	got := map[string]int{}
	for _, line := range s.query("SELECT reason, count() FROM dead_letters FINAL GROUP BY reason") {
		reason, n, _ := strings.Cut(line, "|")
		var count int
		if _, err := fmt.Sscan(n, &count); err != nil {
			t.Fatal(err)
		}
		got[reason] = count
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("dead letters are %v, the truth is %v", got, want)
	}
}

// receipt is a till receipt in the contract's form.
type receipt struct {
	ID       string `json:"receipt_id"`
	Store    string `json:"store_id"`
	Time     string `json:"time"`
	Type     string `json:"type"`
	Currency string `json:"currency"`
	Customer struct {
		LoyaltyID string `json:"loyalty_id,omitempty"`
	} `json:"customer"`
	Lines []receiptLine `json:"lines"`
	Total string        `json:"total"`
}

type receiptLine struct {
	ID       string `json:"line_id"`
	SKU      string `json:"sku"`
	Quantity string `json:"quantity"`
	Price    string `json:"unit_price"`
	Total    string `json:"total"`
}

// TestEndToEndOnlineRetail sends a real retailer's year through the pos topic and finds the published totals in ClickHouse.
func TestEndToEndOnlineRetail(t *testing.T) {
	t.Parallel()
	file := dataSet(t, "pos/online_retail.csv.gz")
	s := newStand(t)
	s.create()
	receipts := readOnlineRetail(t, file)
	messages := make([]producer.Message, 0, len(receipts))
	for _, r := range receipts {
		value, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse(time.RFC3339, r.Time)
		if err != nil {
			t.Fatal(err)
		}
		messages = append(messages, producer.Message{Topic: string(schemas.FeedPOS), Value: value, Time: at})
	}
	s.publish(messages...)
	s.settings.Score.FitEvery, s.settings.Score.RescoreShare = retailFits, 0
	s.settle(retailEnd)
	checkRetailProfiles(t, s, receipts)
	checkRetailQuintiles(t, s)

	// Published, rounded to cents: 25,900 invoices, 4,372 customers, 4,070 stock codes, revenue 9,747,747.93 with cancellations and unknown customers.
	s.expect("SELECT uniqExact(order_id), uniqExact(profile_id) - 1, toString(round(sum(revenue), 2)) FROM events FINAL", "25900|4372|9747747.93")
	s.expect("SELECT uniqExact(sku), toString(round(sum(total), 2)), count() FROM order_lines FINAL", "4070|9747747.93|541909")
	s.expect("SELECT count() FROM profiles FINAL", "4372")
	// Clean: positive quantities and prices of known customers: 18,532 invoices of 4,338 customers, 8,911,407.90.
	s.expect(`SELECT uniqExact(order_id), uniqExact(profile_id), toString(round(sum(total), 2)) FROM order_lines FINAL
		WHERE quantity > 0 AND total > 0 AND profile_id != toUUID('00000000-0000-0000-0000-000000000000')`, "18532|4338|8911407.9")
	s.expect("SELECT count() FROM dead_letters FINAL", "0")
}

// readOnlineRetail groups the lines of each invoice into a receipt; invoices that begin with C are refunds.
func readOnlineRetail(t *testing.T, path string) []*receipt {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(bufio.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	rows := csv.NewReader(unzipped)
	rows.ReuseRecord = true
	if _, err := rows.Read(); err != nil {
		t.Fatal(err)
	}
	var receipts []*receipt
	byID := map[string]*receipt{}
	totals := map[string]schemas.Decimal{}
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		invoice := strings.Clone(row[0])
		r := byID[invoice]
		if r == nil {
			r = newReceipt(t, row, invoice)
			byID[invoice] = r
			receipts = append(receipts, r)
		}
		totals[invoice] += appendLine(t, r, row)
	}
	for _, r := range receipts {
		total := totals[r.ID]
		if total < 0 {
			total = -total
		}
		r.Total = total.String()
	}
	return receipts
}

func newReceipt(t *testing.T, row []string, invoice string) *receipt {
	t.Helper()
	at, err := time.Parse("2006-01-02 15:04:05", row[4])
	if err != nil {
		t.Fatal(err)
	}
	r := &receipt{ID: invoice, Store: "online-retail", Time: at.Format(time.RFC3339), Type: "sale", Currency: "GBP"}
	// Besides cancellations there are two corrections of bad debt with a negative price.
	if strings.HasPrefix(invoice, "C") || strings.HasPrefix(row[5], "-") {
		r.Type = "refund"
	}
	r.Customer.LoyaltyID = strings.Clone(row[6])
	return r
}

// appendLine adds a line, with positive numbers on refunds, and gives its signed total.
func appendLine(t *testing.T, r *receipt, row []string) schemas.Decimal {
	t.Helper()
	quantity, err := schemas.ParseDecimal(row[3])
	if err != nil {
		t.Fatal(err)
	}
	price, err := schemas.ParseDecimal(row[5])
	if err != nil {
		t.Fatal(err)
	}
	total := quantity.Mul(price)
	sign := schemas.Decimal(1)
	if r.Type == "refund" {
		sign = -1
	}
	r.Lines = append(r.Lines, receiptLine{ID: fmt.Sprint(len(r.Lines) + 1), SKU: strings.Clone(row[1]), Quantity: (sign * quantity).String(),
		Price: price.String(), Total: (sign * total).String()})
	return total
}
