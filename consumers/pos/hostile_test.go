package pos

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/seamline/seamline/consumers/goldentest"
	"github.com/seamline/seamline/schemas"
)

// Input that is made to cost much must cost little more than its length.
func TestHostileInputIsLinear(t *testing.T) {
	t.Parallel()
	fill := goldentest.Fill
	const receipt = `{"receipt_id":"r","type":"sale","time":"2026-03-01T10:00:00Z",`
	const square = `{"id":"o","location_id":"l","state":"COMPLETED","closed_at":"2026-03-01T10:00:00Z",`
	suite.Hostile(t, map[string]string{
		"nesting":   fill("", "[", ""),
		"objects":   fill("", `{"order":`, ""),
		"wrapped":   strings.Repeat(`{"order":`, 60) + "1" + strings.Repeat("}", 60),
		"lines":     fill(receipt+`"lines":[`, `{"total":1},`, `{}]}`),
		"tenders":   fill(receipt+`"total":1,"tenders":[`, `{"card_fingerprint":"a"},`, `{}]}`),
		"coupons":   fill(receipt+`"total":1,"coupons":[`, `"a",`, `"b"]}`),
		"members":   fill(receipt+`"total":1,`, `"a":1,`, `"b":2}`),
		"repeated":  fill(receipt, `"lines":[{}],`, `"total":1}`),
		"escapes":   fill(receipt+`"clerk_id":"`, `\u0041`, `","total":1}`),
		"returns":   fill(square+`"returns":[`, `{"return_line_items":[{}]},`, `{}]}`),
		"payments":  fill(square+`"tenders":[`, `{"payment_id":"p"},`, `{}],"total_money":{"amount":1}}`),
		"refunds":   fill(`{"id":1,"order_id":2,"created_at":"2026-03-01T10:00:00Z","transactions":[`, `{"kind":"refund","status":"success","amount":1},`, `{}]}`),
		"form":      fill("payload=", "%7B", ""),
		"fields":    fill("", "a=b&", "&payload={}"),
		"payloads":  fill("payload=1", "&payload={}", ""),
		"xml":       fill("", "<a>", ""),
		"poslog":    fill("<POSLog>", "<Transaction><RetailTransaction/></Transaction>", "</POSLog>"),
		"deep log":  fill("<POSLog><Transaction><RetailTransaction>", "<LineItem>", ""),
		"log lines": fill(`<POSLog><Transaction><SequenceNumber>1</SequenceNumber><RetailTransaction>`, `<LineItem><Sale><Quantity>1</Quantity></Sale></LineItem>`, `</RetailTransaction></Transaction></POSLog>`),
		"entities":  fill("<POSLog>", "&amp;", "</POSLog>"),
	}, 10*time.Second)
}

func TestIdentifiers(t *testing.T) {
	t.Parallel()
	f := func(members, want string) {
		t.Helper()
		out := decode(t, DefaultConfig(), []byte(`{"receipt_id":"r","store_id":"s","type":"sale","time":"2026-03-01T10:00:00Z","total":1,`+members+`}`))
		var got []string
		for _, e := range out.Events {
			for _, id := range e.Identifiers {
				got = append(got, id.Namespace+"="+id.Value)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s\n got %v\nwant %s", members, got, want)
		}
	}
	const order = "order_id=seamline:s/r"
	f(`"customer":null`, order)
	f(`"customer":"17"`, order)
	f(`"customer":{"user_id":17,"loyalty_id":null,"email":["customer-1@example.com"],"phone":""}`, "user_id=17 email=customer-1@example.com "+order)
	f(`"tenders":[{"card_fingerprint":"fp","brand":"visa","last4":"1111"}]`, "card=fp "+order)
	f(`"tenders":[{"card_fingerprint":"fp"},{"card_fingerprint":"fp"},{"card_fingerprint":"fq"}]`, "card=fp card=fq "+order)
	f(`"tenders":[{"brand":"Master Card","last4":"1111"}]`, "card_weak=/1111/mastercard "+order)
	f(`"tenders":[{"bin":"55555500","last4":"1111"}]`, "card_weak=555555/1111/ "+order)
	f(`"tenders":[{"last4":"1111"}]`, order)
	f(`"tenders":[{"brand":"visa","last4":"111"}]`, order)
	f(`"tenders":[{"brand":"visa","last4":"4000001234561111"}]`, order)
	f(`"original_receipt_id":"o"`, order+" order_id=seamline:s/o")
}

func TestPropertiesHoldNoContactData(t *testing.T) {
	t.Parallel()
	f := func(members, want string) {
		t.Helper()
		out := decode(t, DefaultConfig(), []byte(`{"receipt_id":"r","type":"sale","time":"2026-03-01T10:00:00Z","total":1,`+members+`}`))
		if got := out.Events[0].Properties; got != want {
			t.Errorf("%s\n got %s\nwant %s", members, got, want)
		}
	}
	f(`"clerk_id":"clerk-11@example.com"`, ``)
	f(`"clerk_id":"20394857261"`, `{"clerk_id":"20394857261"}`)
	f(`"reason":"size 42, not 41"`, `{"reason":"size 42, not 41"}`)
	f(`"reason":"call 212 555 0117"`, ``)
	f(`"reason":"mail customer-1@example.com"`, ``)
	f(`"reason":"`+strings.Repeat("long ", 50)+`"`, ``)
	f(`"customer":{"name":"Customer 17","email":"customer-17@example.com"},"note":"x"`, ``)
	f(`"tenders":[{"type":"card","amount":1,"brand":"visa","last4":"1111","bin":"411111","card_fingerprint":"fp"}]`, `{"tenders":[{"type":"card","amount":1,"brand":"visa"}]}`)
}

func TestShapes(t *testing.T) {
	t.Parallel()
	f := func(members string, want shape) {
		t.Helper()
		var b strings.Builder
		for name := range strings.FieldsSeq(members) {
			b.WriteString(`,"` + name + `":1`)
		}
		if got, ok := new(scratch).shapeOf([]byte("{" + strings.TrimPrefix(b.String(), ",") + "}")); got != want || !ok {
			t.Errorf("%s has shape %d; want %d", members, got, want)
		}
	}
	f("", shapeUnknown)
	f("id greeting", shapeUnknown)
	f("time receipt_id", shapeReceipt)
	f("store_id lines total", shapeReceipt)
	f("merchant_id type event_id data", shapeSquareEvent)
	f("id location_id state version", shapeSquareOrder)
	f("id location_id line_items net_amounts", shapeSquareOrder)
	f("id location_id order_id source_type amount_money", shapeSquarePayment)
	f("id location_id order_id payment_id amount_money", shapeSquareRefund)
	f("id location_id line_items financial_status total_price_set", shapeShopifyOrder)
	f("id line_items order_number cancelled_at", shapeShopifyOrder)
	f("id order_id refund_line_items transactions", shapeShopifyRefund)
	f("id order_id transactions", shapeShopifyRefund)
	f("id outlet_id sale_date line_items", shapeLightspeed)
	f("id register_sale_products", shapeLightspeed)
	f("order", shapeWrapped)
	f("payload type", shapeWrapped)
}

// A pool must not keep what a record held.
func TestScratchForgets(t *testing.T) {
	t.Parallel()
	s := new(scratch)
	for _, file := range suite.Files(t) {
		s.out, s.record = new(schemas.Decoded), &schemas.Record{}
		s.read(goldentest.Read(t, file))
		s.receipt.forget()
		p := &s.receipt
		if p.id != "" || !reflect.DeepEqual(p.customer, customer{}) || len(p.lines)+len(p.tenders)+len(p.coupons)+len(p.payments) != 0 {
			t.Fatalf("%s stays: %+v", file, p)
		}
		for _, line := range p.lines[:cap(p.lines)] {
			if line != (schemas.Item{}) {
				t.Fatalf("%s leaves a line: %+v", file, line)
			}
		}
	}
}
