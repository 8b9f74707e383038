package pos

import (
	"flag"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/seamline/seamline/schemas"
)

// told gives what came of a payload in one line: type, order, amount, and lines as [id sku quantity*price-discount=total cost].
func told(out *schemas.Decoded) string {
	var parts []string
	for i := range out.Events {
		e := &out.Events[i]
		text := fmt.Sprintf("%s %s %s", e.Type, e.OrderID, e.Amount)
		for _, item := range e.Items {
			text += fmt.Sprintf(" [%s %s %s*%s-%s=%s %s]", item.LineID, item.SKU, item.Quantity, item.UnitPrice, item.Discount, item.Total, item.Cost)
		}
		parts = append(parts, text)
	}
	for _, r := range out.Rejects {
		parts = append(parts, string(r.Reason)+": "+r.Detail)
	}
	for _, d := range out.Dropped {
		parts = append(parts, "dropped "+string(d.Drop))
	}
	return strings.Join(parts, "; ")
}

func TestSeamlineAmounts(t *testing.T) {
	t.Parallel()
	f := func(kind, members, want string) {
		t.Helper()
		value := `{"receipt_id":"r","store_id":"s","time":"2026-03-01T10:00:00Z","type":"` + kind + `",` + members + `}`
		if got := told(decode(t, DefaultConfig(), []byte(value))); got != want {
			t.Errorf("%s %s\n got %s\nwant %s", kind, members, got, want)
		}
	}
	// The total: as given, by the sums, by the lines.
	f("sale", `"total":"1234.5678"`, "order r 1234.5678")
	f("sale", `"total":"0.1","lines":[{"sku":"a","total":"5"}]`, "order r 0.1 [1 a 1*0-0=5 0]")
	f("sale", `"subtotal":"10.10","tax":"1.01","discount":"0.11","lines":[{"sku":"a","total":"5"}]`, "order r 11 [1 a 1*0-0=5 0]")
	f("sale", `"subtotal":10`, "order r 10")
	f("sale", `"lines":[{"sku":"a","quantity":3,"unit_price":"0.1","discount":"0.05"},{"sku":"b","quantity":"0.333","unit_price":"2.99"}]`,
		"order r 1.2457 [1 a 3*0.1-0.05=0.25 0] [2 b 0.333*2.99-0=0.9957 0]")
	f("sale", `"total":0,"lines":[]`, "order r 0")
	f("sale", `"total":null,"lines":[]`, "missing_field: neither a total nor lines")
	f("sale", `"lines":{}`, "missing_field: neither a total nor lines")
	f("sale", `"tax":5`, "missing_field: neither a total nor lines")
	// Codes of goods.
	f("sale", `"total":1,"lines":[{"line_id":"x","gtin":"g","product_id":"p"},{"product_id":"p"},{"sku":"s","gtin":"g"},{}]`,
		"order r 1 [x g 1*0-0=0 0] [2 p 1*0-0=0 0] [3 s 1*0-0=0 0] [4  1*0-0=0 0]")
	// Exchanges and money paid out.
	f("sale", `"total":4,"lines":[{"sku":"a","quantity":1,"unit_price":9,"cost":2},{"sku":"b","quantity":-1,"unit_price":5,"cost":3}]`,
		"order r 4 [1 a 1*9-0=9 2] [2 b -1*5-0=-5 -3]")
	f("sale", `"total":4,"lines":[{"sku":"a","quantity":1,"unit_price":-5,"total":-5}]`, "order r 4 [1 a -1*5-0=-5 0]")
	f("sale", `"lines":[{"sku":"a","quantity":1,"unit_price":9},{"sku":"b","quantity":-2,"unit_price":5}]`,
		"refund r 1 [1 a -1*9-0=-9 0] [2 b 2*5-0=10 0]")
	f("sale", `"total":"-11062.06","original_receipt_id":"o"`, "refund o 11062.06")
	// Goods that were written off keep their sign.
	f("sale", `"total":0,"lines":[{"sku":"a","quantity":-7,"unit_price":0}]`, "order r 0 [1 a -7*0-0=0 0]")
	// Refunds with either sign.
	const lines = `"lines":[{"sku":"a","quantity":2,"unit_price":5,"discount":1,"cost":3}],`
	const back = `"lines":[{"sku":"a","quantity":-2,"unit_price":5,"discount":-1,"total":-9,"cost":-3}],`
	for _, either := range []string{lines + `"total":9`, back + `"total":-9`, back + `"total":9`, lines + `"total":-9`, lines + `"subtotal":9`, back + `"subtotal":-9`,
		strings.TrimSuffix(lines, ","), strings.TrimSuffix(back, ",")} {
		f("refund", either, "refund r 9 [1 a 2*5-1=9 3]")
	}
	f("refund", `"total":4,"lines":[{"sku":"a","quantity":1,"unit_price":9},{"sku":"b","quantity":-1,"unit_price":5}]`,
		"refund r 4 [1 a 1*9-0=9 0] [2 b -1*5-0=-5 0]")
	f("refund", `"total":5,"original_receipt_id":"o"`, "refund o 5")
	f("refund", `"total":0,"original_receipt_id":"o"`, "refund r 0")
	f("refund", `"original_receipt_id":"o"`, "missing_field: neither a total nor lines")
	f("refund", `"total":0,"lines":[{"sku":"a","quantity":-1}]`, "refund r 0 [1 a 1*0-0=0 0]")
	// Voids need no amount.
	f("void", `"original_receipt_id":"o"`, "void o 0")
	f("void", `"total":-9`, "void r 9")
	f("void", back+`"total":9`, "void r 9 [1 a 2*5-1=9 3]")
	// What is no number, and what no Decimal holds.
	f("sale", `"total":"1,234.50"`, "order r 1234.5")
	f("sale", `"total":true`, "malformed: total is no number, or out of range")
	f("sale", `"total":1,"tax":[1]`, "malformed: tax is no number, or out of range")
	f("sale", `"total":1,"lines":[{"cost":"x"}]`, "malformed: cost is no number, or out of range")
	f("sale", `"total":1,"tenders":[{"amount":"x"}]`, "malformed: amount is no number, or out of range")
	f("sale", `"total":1e300`, "malformed: total is no number, or out of range")
	f("sale", `"lines":[{"total":"99999999999999"},{"total":"99999999999999"}]`, "malformed: the sum is no number, or out of range")
	f("sale", `"subtotal":"99999999999999","tax":"99999999999999"`, "malformed: the sum is no number, or out of range")
	f("sale", `"lines":[{"quantity":"99999999999999","unit_price":"99999999999999","discount":-1}]`, "malformed: the sum is no number, or out of range")
	f("Sale", `"total":1`, "unknown_event: type is none of sale, refund, void")
}

func TestSquareMoney(t *testing.T) {
	t.Parallel()
	f := func(money, want string) {
		t.Helper()
		value := `{"id":"o","location_id":"l","state":"COMPLETED","closed_at":"2026-03-01T10:00:00Z","total_money":` + money + `}`
		out := decode(t, DefaultConfig(), []byte(value))
		got := told(out)
		for _, e := range out.Events {
			got += " " + e.Currency
		}
		if got != want {
			t.Errorf("%s\n got %s\nwant %s", money, got, want)
		}
	}
	f(`{"amount":1999,"currency":"USD"}`, "order o 19.99 USD")
	f(`{"currency":"JPY","amount":1999}`, "order o 1999 JPY")
	f(`{"amount":1999,"currency":"KWD"}`, "order o 1.999 KWD")
	f(`{"amount":1999,"currency":"eur"}`, "order o 19.99 EUR")
	f(`{"amount":"5"}`, "order o 0.05 ")
	f(`{"amount":0,"currency":"USD"}`, "order o 0 USD")
	f(`{"amount":-150,"currency":"USD"}`, "refund o 1.5 USD")
	f(`null`, "dropped no_event")
	f(`{}`, "dropped no_event")
	f(`5`, "malformed: total_money is no number, or out of range")
	f(`{"amount":1.5,"currency":"USD"}`, "malformed: total_money is no number, or out of range")
	f(`{"amount":999999999999999999,"currency":"JPY"}`, "malformed: total_money is no number, or out of range")
}

func TestShopifyRefundAmounts(t *testing.T) {
	t.Parallel()
	f := func(members, want string) {
		t.Helper()
		value := `{"id":1,"order_id":2,"created_at":"2026-03-01T10:00:00Z",` + members + `}`
		if got := told(decode(t, DefaultConfig(), []byte(value))); got != want {
			t.Errorf("%s\n got %s\nwant %s", members, got, want)
		}
	}
	const line = `"refund_line_items":[{"id":3,"quantity":2,"subtotal":"9.00","total_tax":"0.72","line_item":{"sku":"a","price":"5.00","quantity":4}}]`
	const item = " [3 a 2*5-1=9 0]"
	f(line+`,"transactions":[{"kind":"refund","status":"success","amount":"9.72"}]`, "refund 2 9.72"+item)
	f(line+`,"transactions":[{"kind":"refund","status":"success","amount":"4"},{"kind":"refund","status":"success","amount":"3.5"}]`, "refund 2 7.5"+item)
	f(line+`,"transactions":[]`, "refund 2 9.72"+item)
	f(line+`,"transactions":[{"kind":"refund","status":"pending","amount":"5"}]`, "refund 2 9.72"+item)
	f(line+`,"transactions":[{"kind":"refund","status":"failure","amount":"5"}]`, "dropped no_event")
	f(line+`,"transactions":[{"kind":"refund","status":"success","amount":"five"}]`, "malformed: amount is no number, or out of range")
	f(`"refund_line_items":[],"transactions":[{"kind":"refund","status":"pending","amount":"5"}]`, "refund 2 5")
	f(`"refund_line_items":[],"transactions":[{"kind":"capture","status":"success","amount":"5"}]`, "dropped no_event")
	f(`"refund_line_items":[],"transactions":[]`, "dropped no_event")
	f(`"refund_line_items":[],"transactions":[{"kind":"refund","status":"success","amount":"5","test":true}]`, "dropped test")
}

func TestLightspeedMeaning(t *testing.T) {
	t.Parallel()
	f := func(members, want string) {
		t.Helper()
		value := `{"id":"s","register_sale_products":[],"sale_date":"2026-01-02 03:04:05","updated_at":"2026-01-03 00:00:00","total_price":10,"total_tax":1.5,` + members + `}`
		if got := told(decode(t, DefaultConfig(), []byte(value))); got != want {
			t.Errorf("%s\n got %s\nwant %s", members, got, want)
		}
	}
	for _, status := range []string{"CLOSED", "ONACCOUNT", "ONACCOUNT_CLOSED", "LAYBY_CLOSED", "AWAITING_DISPATCH", "AWAITING_PICKUP", "DISPATCHED_CLOSED", "PICKED_UP_CLOSED", "SERVICE_CLOSED"} {
		f(`"status":"`+status+`"`, "order s 11.5")
	}
	for _, status := range []string{"SAVED", "OPEN", "LAYBY", "SERVICE"} {
		f(`"status":"`+status+`"`, "dropped no_event")
	}
	f(`"status":"VOIDED"`, "void s 11.5")
	f(`"status":"VOIDED","return_for":"o"`, "void s 11.5")
	f(`"status":"LOST"`, "unknown_event: the sale's status is not known")
	f(`"note":""`, "unknown_event: the sale's status is not known")
	f(`"state":"closed"`, "order s 11.5")
	f(`"state":"parked"`, "dropped no_event")
	f(`"state":"pending"`, "dropped no_event")
	f(`"state":"pending","attributes":["layby"]`, "dropped no_event")
	f(`"state":"pending","attributes":["layby","pickup"]`, "order s 11.5")
	f(`"state":"voided"`, "void s 11.5")
	f(`"status":"CLOSED","return_for":"o"`, "refund o 11.5")
	f(`"status":"CLOSED","return_for":"o","total_price":-10,"total_tax":-1.5`, "refund o 11.5")
	f(`"status":"CLOSED","total_price":-10,"total_tax":-1.5`, "refund s 11.5")
	f(`"status":"CLOSED","total_price":null,"total_tax":null,"register_sale_products":[{"id":"l","sku":"a","quantity":2,"price":3,"discount":0.5,"cost":1}]`,
		"order s 6 [l a 2*3-1=6 2]")
}

func TestEventIDs(t *testing.T) {
	t.Parallel()
	id := func(value string) string {
		t.Helper()
		out := decode(t, DefaultConfig(), []byte(value))
		if len(out.Events) != 1 {
			t.Fatalf("%s gives %s", value, told(out))
		}
		return out.Events[0].ID
	}
	f := func(template string, same bool, replace ...string) {
		t.Helper()
		if a, b := id(template), id(strings.NewReplacer(replace...).Replace(template)); (a == b) != same {
			t.Errorf("%s and %v have ids %s and %s; want them the same: %v", template, replace, a, b, same)
		}
	}
	const receipt = `{"receipt_id":"17","store_id":"a","register_id":"b","type":"sale","time":"2026-03-01T10:00:00Z","total":1}`
	f(receipt, true, `"total":1`, `"total":2`)
	f(receipt, false, `"17"`, `"18"`)
	f(receipt, false, `"a"`, `"c"`)
	f(receipt, false, `"b"`, `"c"`)
	f(receipt, false, `"sale"`, `"void"`)
	f(receipt, false, `"a"`, `"a:b"`, `"b"`, `""`)
	f(`{"receipt_id":"17","store_id":"a:","register_id":"b","type":"void","time":"2026-03-01T10:00:00Z"}`, false, `"a:"`, `"a"`, `"b"`, `":b"`)
	const square = `{"id":"o","location_id":"l","state":"COMPLETED","version":4,"updated_at":"2026-03-01T10:00:00Z","total_money":{"amount":5}}`
	f(square, true, `:5}`, `:6}`)
	f(square, false, `4`, `5`)
	f(square, false, `COMPLETED`, `CANCELED`)
	const shopify = `{"id":1,"line_items":[],"financial_status":"paid","total_price":"5","created_at":"2026-03-01T10:00:00Z","updated_at":"2026-03-01T10:00:00Z"}`
	f(shopify, true, `"5"`, `"6"`)
	f(shopify, false, `10:00:00Z"}`, `10:00:01Z"}`)
	f(shopify, false, `"paid"`, `"voided"`)
	const sale = `{"id":"s","outlet_id":"o","sale_date":"2026-01-02 03:04:05","status":"CLOSED","version":7,"total_price":5}`
	f(sale, true, `5}`, `6}`)
	f(sale, false, `7`, `8`)
	f(sale, false, `CLOSED`, `VOIDED`)
	// Nothing tells the second version of a refund from a second refund, so their ids must.
	const back = `{"id":"s","outlet_id":"o","sale_date":"2026-01-02 03:04:05","status":"CLOSED","version":7,"total_price":-5}`
	f(back, true, `7`, `8`)
	const returned = `{"id":"o","location_id":"l","state":"COMPLETED","version":4,"updated_at":"2026-03-01T10:00:00Z","returns":[{"source_order_id":"x","return_amounts":{"total_money":{"amount":5}}}]}`
	f(returned, true, `4`, `5`)
	// A refund of a payment and the order that returns its goods are the same.
	if a, b := id(returned), id(`{"id":"r","status":"COMPLETED","payment_id":"p","order_id":"o","amount_money":{"amount":5},"created_at":"2026-03-01T10:00:00Z"}`); a != b {
		t.Errorf("the refund is %s and the return %s", b, a)
	}
}

func TestCurrencySetting(t *testing.T) {
	t.Parallel()
	config := DefaultConfig()
	flags := flag.NewFlagSet("", flag.ContinueOnError)
	config.Flags(flags)
	if err := flags.Parse([]string{"--decode.pos.currency=nzd"}); err != nil {
		t.Fatal(err)
	}
	if err := config.Validate(); err != nil {
		t.Error(err)
	}
	if got := decode(t, config, suite.Read(t, "lightspeed_sale.json")).Events[0].Currency; got != "NZD" {
		t.Errorf("a sale without a currency is in %q", got)
	}
	if got := decode(t, config, suite.Read(t, "seamline_sale.json")).Events[0].Currency; got != "EUR" {
		t.Errorf("a sale in EUR is in %q", got)
	}
	for _, bad := range []string{"dollars", "U$D", "12"} {
		if err := (&Config{Currency: bad}).Validate(); err == nil {
			t.Errorf("%q passes for a currency", bad)
		}
	}
	if name := New(config).Name(); name != "pos" {
		t.Errorf("Name() = %s", name)
	}
}

// The escapes of a form hide card numbers from the decode stage.
func TestCardNumberInForm(t *testing.T) {
	t.Parallel()
	sale := `{"id":"s","outlet_id":"o","sale_date":"2026-01-02 03:04:05","status":"CLOSED","total_price":5,"note":"4111111111111111"}`
	quoted := strings.ReplaceAll(sale, `"`, `\"`)
	for _, value := range []string{"payload=" + url.QueryEscape(sale), "type=sale.update&payload=" + url.PathEscape(sale), `{"payload":"` + quoted + `"}`, `{"payload":` + sale + `}`} {
		out := decode(t, DefaultConfig(), []byte(value))
		if told(out) != "card_number: an unmasked card number; its digits are masked here" {
			t.Fatalf("%s gives %s", value, told(out))
		}
		letter := string(out.Rejects[0].Value)
		plain, err := url.QueryUnescape(strings.TrimPrefix(letter, "payload="))
		if err != nil || strings.Contains(letter, "4111111111111111") || plain != strings.Replace(sale, "411111111111", "************", 1) {
			t.Errorf("the dead letter is %s: %v", plain, err)
		}
	}
}

// TestBrokenPOSLogLeavesNothing: events that were taken back, since the XML behind them is broken, tell the next record nothing.
func TestBrokenPOSLogLeavesNothing(t *testing.T) {
	t.Parallel()
	whole, sale := suite.Read(t, "poslog_several.xml"), suite.Compact(t, "seamline_sale.json")
	decoder, out := New(DefaultConfig()), new(schemas.Decoded)
	if decoder.Decode(&schemas.Record{}, whole, out); len(out.Events) < 2 {
		t.Fatalf("%d events", len(out.Events))
	}
	want := suite.Decode(t, New(DefaultConfig()), sale).Events[0]
	out.Reset()
	decoder.Decode(&schemas.Record{}, whole[:len(whole)-5], out)
	if len(out.Events) != 0 || len(out.Rejects) != 1 {
		t.Fatalf("%d events and %d rejects of a POSLog without an end", len(out.Events), len(out.Rejects))
	}
	for i, e := range out.Events[:cap(out.Events)] {
		if e.ID != "" || e.StoreID != "" || len(e.Identifiers)+len(e.Items) != 0 {
			t.Errorf("event %d, which was taken back, is still there: %+v", i, e)
		}
	}
	decoder.Decode(&schemas.Record{}, sale, out)
	got := out.Events[0]
	if got.ID != want.ID || got.OrderID != want.OrderID || !slices.Equal(got.Identifiers, want.Identifiers) || !slices.Equal(got.Items, want.Items) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

// Points of any till and vouchers of Seamline receipts are redeemed; gift cards and other tills' vouchers are money paid before.
func TestRedeemed(t *testing.T) {
	t.Parallel()
	f := func(value, want string) {
		t.Helper()
		out := decode(t, DefaultConfig(), []byte(value))
		got := told(out)
		if len(out.Events) > 0 {
			got = out.Events[0].Redeemed.String()
		}
		if got != want {
			t.Errorf("%s\n got %s\nwant %s", value, got, want)
		}
	}
	const receipt = `{"receipt_id":"r","store_id":"s","time":"2026-03-01T10:00:00Z","type":"%s","total":"20","tenders":[%s]}`
	f(fmt.Sprintf(receipt, "sale", `{"type":"voucher","amount":"5.50"},{"type":"card","amount":9},{"type":"Loyalty Points","amount":4.5},{"type":"gift","amount":1}`), "10")
	f(fmt.Sprintf(receipt, "refund", `{"type":"points","amount":"-5"}`), "5")
	f(fmt.Sprintf(receipt, "sale", `{"type":"gift","amount":20}`), "0")
	f(fmt.Sprintf(receipt, "sale", `{"type":"voucher"}`), "0")
	f(fmt.Sprintf(receipt, "sale", `{"type":"voucher","amount":"99999999999999"},{"type":"voucher","amount":"99999999999999"}`), "malformed: the sum is no number, or out of range")
	const lightspeed = `{"id":"s","outlet_id":"o","sale_date":"2026-01-02 03:04:05","status":"CLOSED","total_price":20,"register_sale_payments":[{"name":"%s","amount":8}]}`
	f(fmt.Sprintf(lightspeed, "Loyalty"), "8")
	f(fmt.Sprintf(lightspeed, "Gift Card"), "0")
	f(fmt.Sprintf(lightspeed, "Voucher"), "0")
}
