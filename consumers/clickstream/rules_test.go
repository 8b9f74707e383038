package clickstream

import (
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seamline/seamline/consumers/field"
	"github.com/seamline/seamline/consumers/goldentest"
	"github.com/seamline/seamline/schemas"
)

func TestEventTime(t *testing.T) {
	t.Parallel()
	f := func(times, want string) {
		t.Helper()
		out := decode(t, DefaultConfig(), []byte(`{"type":"page","userId":"customer-1",`+times+`"messageId":"m"}`))
		got := ""
		if len(out.Events) == 1 {
			got = out.Events[0].Time.String()
		} else {
			got = string(out.Rejects[0].Reason) + ": " + out.Rejects[0].Detail
		}
		if got != want {
			t.Errorf("%s\n got %s\nwant %s", times, got, want)
		}
	}
	// All three clocks: the client's is an hour slow, and the call waited ten seconds on the client.
	f(`"receivedAt":"2026-03-01T12:00:10.500Z","sentAt":"2026-03-01T11:00:10Z","originalTimestamp":"2026-03-01T11:00:00Z",`, "2026-03-01T12:00:00.500Z")
	f(`"receivedAt":"2026-03-01T12:00:10.500Z","sentAt":"2026-03-01T11:00:10Z","originalTimestamp":"2026-03-01T11:00:00Z","timestamp":"2026-03-01T10:00:00Z",`, "2026-03-01T12:00:00.500Z")
	// A server computed the timestamp.
	f(`"timestamp":"2026-03-01T10:00:00Z","receivedAt":"2026-03-01T12:00:10.500Z","sentAt":"2026-03-01T11:00:10Z",`, "2026-03-01T10:00:00.000Z")
	f(`"timestamp":"2026-03-01T10:00:00Z","originalTimestamp":"2026-03-01T11:00:00Z","sentAt":"2026-03-01T11:00:10Z",`, "2026-03-01T10:00:00.000Z")
	// The client alone: the record was written at 13:00:00.
	f(`"timestamp":"2026-03-01T10:00:00Z","sentAt":"2026-03-01T10:00:02.250Z",`, "2026-03-01T12:59:57.750Z")
	f(`"timestamp":"2026-03-01T10:00:00Z",`, "2026-03-01T10:00:00.000Z")
	f(`"originalTimestamp":"2026-03-01T10:00:00Z","sentAt":"2026-03-01T10:00:02.250Z",`, "2026-03-01T12:59:57.750Z")
	f(`"originalTimestamp":"2026-03-01T10:00:00Z",`, "2026-03-01T10:00:00.000Z")
	f(`"originalTimestamp":"2026-03-01T10:00:00Z","receivedAt":"2026-03-01T10:00:05Z",`, "2026-03-01T10:00:00.000Z")
	// Nobody but servers.
	f(`"receivedAt":"2026-03-01T10:00:05Z",`, "2026-03-01T10:00:05.000Z")
	f(`"sentAt":"2026-03-01T10:00:05Z",`, "2026-03-01T13:00:00.000Z")
	f(``, "2026-03-01T13:00:00.000Z")
	f(`"timestamp":null,"sentAt":"",`, "2026-03-01T13:00:00.000Z")
	f(`"timestamp":1772359200000,`, "2026-03-01T10:00:00.000Z")
	// Given, but no times.
	f(`"timestamp":"soon",`, "impossible_time: timestamp is no time")
	f(`"timestamp":{},`, "impossible_time: timestamp is no time")
	f(`"originalTimestamp":"2026-02-30",`, "impossible_time: originalTimestamp is no time")
	f(`"sentAt":true,`, "impossible_time: sentAt is no time")
	f(`"receivedAt":"x","timestamp":"2026-03-01T10:00:00Z",`, "impossible_time: receivedAt is no time")
	f(`"timestamp":"1970-01-01T00:00:00Z",`, "impossible_time: no time given")
}

func TestEventTimeWithoutCorrection(t *testing.T) {
	t.Parallel()
	config := DefaultConfig()
	flags := flag.NewFlagSet("", flag.ContinueOnError)
	config.Flags(flags)
	if err := flags.Parse([]string{"--decode.clickstream.correct-skew=false"}); err != nil {
		t.Fatal(err)
	}
	for _, times := range []string{
		`"timestamp":"2026-03-01T10:00:00Z","sentAt":"2026-03-01T10:00:02.250Z"`,
		`"originalTimestamp":"2026-03-01T10:00:00Z","sentAt":"2026-03-01T11:00:10Z","receivedAt":"2026-03-01T12:00:10.500Z"`,
	} {
		out := decode(t, config, []byte(`{"type":"page","userId":"customer-1",`+times+`}`))
		if got := out.Events[0].Time.String(); got != "2026-03-01T10:00:00.000Z" {
			t.Errorf("%s gives %s; want the client's time", times, got)
		}
	}
}

func TestRecordWithoutTime(t *testing.T) {
	t.Parallel()
	var out schemas.Decoded
	record := &schemas.Record{}
	out.Begin(record)
	decoder := New(DefaultConfig())
	decoder.Decode(record, []byte(`{"type":"page","userId":"customer-1","timestamp":"2026-03-01T10:00:00Z","sentAt":"2026-03-01T10:00:02Z"}`), &out)
	decoder.Decode(record, []byte(`{"type":"page","userId":"customer-1"}`), &out)
	if len(out.Events) != 1 || out.Events[0].Time.String() != "2026-03-01T10:00:00.000Z" {
		t.Errorf("got %+v", out.Events)
	}
	if len(out.Rejects) != 1 || out.Rejects[0].Reason != schemas.ReasonImpossibleTime {
		t.Errorf("got %+v", out.Rejects)
	}
	if decoder.Name() != "clickstream" {
		t.Errorf("Name() = %s", decoder.Name())
	}
}

func TestChannelAndSource(t *testing.T) {
	t.Parallel()
	f := func(members, want string) {
		t.Helper()
		out := decode(t, DefaultConfig(), []byte(`{"userId":"customer-1","type":"track","event":"Product Viewed",`+members+`"messageId":"m"}`))
		if len(out.Events) != 1 {
			t.Fatalf("%s: %+v", members, out.Rejects)
		}
		if got := out.Events[0].Channel.String() + " " + out.Events[0].Source; got != want {
			t.Errorf("%s is %s; want %s", members, got, want)
		}
	}
	const original = `"originalTimestamp":"2026-03-01T10:00:00Z",`
	f(``, "web segment")
	f(`"context":{"library":{"name":"analytics-node"}},`, "web segment")
	f(`"context":{"library":{"name":"analytics-node"},"device":{"type":"iOS"}},`, "app segment")
	f(`"context":{"os":{"name":"Android"}},`, "app segment")
	f(`"context":{"os":{"name":"Mac OS X"}},`, "web segment")
	f(`"context":{"library":{"name":"analytics.js"},"os":{"name":"Android"}},`, "web segment")
	for _, name := range []string{"analytics-ios", "analytics-android", "@segment/analytics-react-native", "analytics_flutter", "analytics-kotlin", "analytics-swift"} {
		f(`"context":{"library":{"name":"`+name+`"}},`, "app segment")
	}
	f(`"context":{"device":{"type":"POS"}},`, "store segment")
	f(`"properties":{"channel":"point_of_sale"},`, "store segment")
	f(`"properties":{"sales_channel":"In-Store"},`, "store segment")
	f(`"properties":{"channel":"web"},`, "web segment")
	f(`"channel":"server",`+original, "web segment")
	f(`"channel":"client",`+original, "web segment")
	f(`"channel":"web",`+original, "web rudderstack")
	f(`"channel":"mobile",`+original, "app rudderstack")
	f(`"channel":"mobile",`, "app segment")
	f(`"channel":"server","context":{"library":{"name":"rudder-sdk-go"}},`, "web rudderstack")
	f(`"context":{"library":{"name":"rudder-ios-library"}},`, "app rudderstack")
	f(`"rudderId":"r",`, "web rudderstack")
}

func TestNames(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, row := range nameTable {
		if row.meaning.kind == schemas.TypeUnknown {
			t.Errorf("%v has no type", row.names)
		}
		for _, name := range row.names {
			folded := string(field.Fold(nil, name))
			if other := seen[folded]; other != "" {
				t.Errorf("%q and %q are the same name", name, other)
			}
			seen[folded] = name
			if len(name) > nameLengthMax {
				t.Errorf("%q is longer than %d", name, nameLengthMax)
			}
			snake := strings.ReplaceAll(strings.ToLower(name), " ", "_")
			camel := strings.ReplaceAll(name, " ", "")
			for _, form := range []string{name, snake, camel, strings.ToUpper(name), " " + name + " "} {
				if len(form) <= nameLengthMax && meaningOf(form) != row.meaning {
					t.Errorf("%q is not taken for %q", form, name)
				}
			}
		}
	}
	for _, name := range []string{"", "Product", "Product Viewed Twice", strings.Repeat("Product Viewed ", 10)} {
		if meaningOf(name) != custom {
			t.Errorf("%q is not custom", name)
		}
	}
}

func TestIdentifiers(t *testing.T) {
	t.Parallel()
	f := func(members, want string) {
		t.Helper()
		out := decode(t, DefaultConfig(), []byte(`{`+members+`}`))
		var got []string
		for _, e := range out.Events {
			for _, id := range e.Identifiers {
				got = append(got, id.Namespace+"="+id.Value)
			}
		}
		for _, r := range out.Rejects {
			got = append(got, string(r.Reason))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s\n got %v\nwant %s", members, got, want)
		}
	}
	f(`"type":"page","userId":17,"anonymousId":null`, "user_id=17")
	f(`"type":"page","userId":"","anonymousId":"a"`, "anonymous_id=a")
	f(`"type":"page","userId":{"id":"x"}`, "missing_identifier")
	f(`"type":"page","context":{"ip":"203.0.113.1"}`, "missing_identifier")
	f(`"type":"page","context":{"device":{"id":"d"}}`, "device_id=d")
	f(`"type":"page","userId":"customer-1@example.com","context":{"traits":{"email":"customer-1@example.com"}}`,
		"user_id=customer-1@example.com email=customer-1@example.com")
	f(`"type":"track","event":"Newsletter Subscribed","properties":{"email":"customer-1@example.com","phone":447000000001}`,
		"email=customer-1@example.com phone=447000000001")
	f(`"type":"group","userId":"customer-1","groupId":"g","traits":{"email":"office@example.net"},"context":{"traits":{"email":"customer-1@example.com"}}`,
		"user_id=customer-1 email=customer-1@example.com")
	f(`"type":"page","context":{"externalIds":[{"id":"x","type":"crmContactID"},{"id":"y","type":"Loyalty Number"},{"id":"z","type":"android.id"},{"id":"q","type":"ip"},5,{"id":7}]}`,
		"crm_contact_id=x loyalty_id=y device_id=z")
	f(`"type":"alias","userId":"customer-1","previousId":"a"`, "user_id=customer-1 anonymous_id=a")
	f(`"type":"alias","userId":"customer-1"`, "missing_identifier")
	f(`"type":"merge","anonymousId":"a","mergeProperties":[{"type":"mobile","value":"1"}]`, "anonymous_id=a phone=1")
	f(`"type":"merge","mergeProperties":[{"type":"email","value":"x"},{"type":"email","value":"x"}]`, "missing_identifier")
	f(`"type":"merge","userId":"customer-1","mergeProperties":{"type":"email"}`, "missing_identifier")
	f(`"type":"TRACK","event":"x","userId":"customer-1"`, "user_id=customer-1")
	f(`"event":"Product Viewed","userId":"customer-1"`, "user_id=customer-1")
}

func TestTrade(t *testing.T) {
	t.Parallel()
	f := func(event, properties, want string) {
		t.Helper()
		out := decode(t, DefaultConfig(), []byte(`{"type":"track","userId":"customer-1","event":"`+event+`","properties":`+properties+`}`))
		got := ""
		for _, e := range out.Events {
			got = fmt.Sprintf("%s %s %s", e.OrderID, e.Amount, e.Quantity)
			for _, item := range e.Items {
				got += fmt.Sprintf(" [%s %s %s*%s-%s=%s]", item.LineID, item.SKU, item.UnitPrice, item.Quantity, item.Discount, item.Total)
			}
			got += " " + e.Properties
		}
		for _, r := range out.Rejects {
			got += string(r.Reason)
		}
		if got != want {
			t.Errorf("%s %s\n got %s\nwant %s", event, properties, got, want)
		}
	}
	f("Order Completed", `{"order_id":"o","total":10,"revenue":8,"value":7}`, `o 10 0 {"revenue":8,"value":7}`)
	f("Order Completed", `{"order_id":"o","revenue":8,"tax":2}`, `o 8 0 {"revenue":8,"tax":2}`)
	f("Order Completed", `{"order_id":"o","value":7}`, `o 7 0 `)
	f("Order Completed", `{"order_id":"o","total":"ten","revenue":8}`, `o 8 0 {"total":"ten","revenue":8}`)
	f("Order Completed", `{"order_number":5,"products":[{"sku":"a","price":3,"quantity":2,"discount":1},{"product_id":"b","price":"4"}]}`,
		`5 9 0 [1 a 3*2-1=5] [2 b 4*1-0=4] `)
	f("Order Completed", `{"order_id":"o","order_number":5,"total":0,"products":{"sku":"a","price":3}}`, `o 0 0 [1 a 3*1-0=3] {"order_number":"5"}`)
	f("Order Completed", `{"order_id":"o","total":1,"products":"none"}`, `o 1 0 {"products":"none"}`)
	f("Order Completed", `{"order_id":"o","total":-1}`, `malformed`)
	f("Order Completed", `{"total":1}`, `missing_field`)
	f("Order Refunded", `{"order_id":"o","total":-6,"products":[{"sku":"a","price":3,"quantity":-2}]}`, `o 6 0 [1 a 3*2-0=6] `)
	f("Order Refunded", `{"order_id":"o","total":6,"products":[{"sku":"a","price":3,"quantity":-2}]}`, `o 6 0 [1 a 3*2-0=6] `)
	f("Order Refunded", `{"order_id":"o","total":-6,"products":[{"sku":"a","price":-3,"quantity":2}]}`, `o 6 0 [1 a 3*2-0=6] `)
	f("Order Refunded", `{"order_id":"o","products":[{"sku":"a","price":3,"quantity":2}]}`, `o 6 0 [1 a 3*2-0=6] `)
	f("Order Cancelled", `{"order_id":"o"}`, `o 0 0 `)
	f("Product Added", `{"sku":"a","product_id":"b","price":3}`, ` 3 1 [1 a 3*1-0=3] {"product_id":"b"}`)
	f("Product Added", `{"product_id":"b","price":3,"value":6,"quantity":2}`, ` 6 2 [1 b 3*2-0=6] {"price":3}`)
	f("Product Viewed", `{"product_id":"b","price":"cheap"}`, ` 0 0 [1 b 0*1-0=0] {"price":"cheap"}`)
	f("Checkout Started", `{"value":5,"revenue":4}`, ` 5 0 {"revenue":4}`)
	f("Subscription Renewed", `{"revenue":4}`, ` 4 0 {"event":"Subscription Renewed","revenue":4}`)
}

func TestEventIDWithoutMessageID(t *testing.T) {
	t.Parallel()
	id := func(value string, n int) string {
		return decode(t, DefaultConfig(), []byte(value)).Events[n].ID
	}
	timed := `{"type":"page","userId":"customer-1","timestamp":"2026-03-01T10:00:00Z"}`
	if a, b := id(timed, 0), id("["+timed+","+timed+"]", 1); a != b || !strings.HasPrefix(a, "segment-") || len(a) != len("segment-")+32 {
		t.Errorf("the same bytes give %s and %s", a, b)
	}
	untimed := `{"type":"page","userId":"customer-1"}`
	if a, b := id("["+untimed+","+untimed+"]", 0), id("["+untimed+","+untimed+"]", 1); a == b {
		t.Error("two views of a page without a time have one id")
	}
	if a, b := id(untimed, 0), id(untimed, 0); a != b {
		t.Errorf("one record gives %s and %s", a, b)
	}
}

// Input that is made to cost much must cost little more than its length.
func TestHostileInputIsLinear(t *testing.T) {
	t.Parallel()
	fill := goldentest.Fill
	suite.Hostile(t, map[string]string{
		"nesting":      fill("", "[", ""),
		"objects":      fill("", `{"a":`, ""),
		"deep":         `{"type":"page","userId":"x","properties":` + strings.Repeat(`{"a":`, 60) + fill(`"`, "b", `"`) + strings.Repeat("}", 60) + "}",
		"members":      fill(`{"type":"page","userId":"x","properties":{`, `"a":1,`, `"b":2}}`),
		"external ids": fill(`{"type":"page","userId":"x","context":{"externalIds":[`, `{"id":"1","type":"a"},`, `{"id":"1","type":"a"}]}}`),
		"merge":        fill(`{"type":"merge","userId":"x","mergeProperties":[`, `{"type":"a","value":"1"},`, `{"type":"b","value":"2"}]}`),
		"products":     fill(`{"type":"track","event":"Order Completed","userId":"x","properties":{"order_id":"o","products":[`, `{"sku":"a"},`, `{}]}}`),
		"escapes":      fill(`{"type":"track","userId":"x","event":"`, `\u0041`, `"}`),
		"batch":        fill(`{"batch":[`, `{"type":"page"},`, `{"type":"page"}]}`),
		"key":          fill(`{"type":"page","userId":"x","properties":{"`, `k`, `":1}}`),
		"number":       fill(`{"type":"page","userId":"x","timestamp":`, `1`, `}`),
		"many keys":    `{"type":"page","userId":"x","properties":{` + goldentest.ManyKeys() + `"z":0}}`,
	}, 5*time.Second)
}

// TestTraitsThatSayMore: whatever spelling details are read in makes traits be read for them, and a call's traits that say nothing of the
// kind do not hide what those of its batch say.
func TestTraitsThatSayMore(t *testing.T) {
	t.Parallel()
	f := func(value, want string) {
		t.Helper()
		out := decode(t, DefaultConfig(), []byte(value))
		if len(out.Events) != 1 {
			t.Fatalf("%s gives %d events", value, len(out.Events))
		}
		var got []string
		for _, c := range out.Events[0].Contacts {
			got = append(got, c.Kind.String()+"="+c.Value)
		}
		if text := strings.Join(got, " "); text != want {
			t.Errorf("%s\n got %s\nwant %s", value, text, want)
		}
	}
	for _, c := range [][2]string{{"surname", "family_name"}, {"fname", "given_name"}, {"Town", "city"}, {"province", "region"}, {"post-code", "postal"}, {"dob", "birth_date"},
		{"sex", "gender"}, {"country_code", "country"}, {"stateCode", "region"}} {
		f(`{"type":"identify","messageId":"m","userId":"customer-1","traits":{"`+c[0]+`":"x"}}`, c[1]+"=x")
		f(`{"type":"page","messageId":"m","userId":"customer-1","context":{"traits":{"`+c[0]+`":"x"}}}`, c[1]+"=x")
		f(`{"type":"track","event":"x","messageId":"m","userId":"customer-1","traits":{"`+c[0]+`":"x"}}`, c[1]+"=x")
		f(`{"type":"track","event":"x","messageId":"m","userId":"customer-1","properties":{"`+c[0]+`":"x"}}`, "")
	}
	batch := `{"context":{"traits":{"firstName":"N","city":"Leeds"}},"batch":[{"type":"page","messageId":"m","userId":"customer-1","context":{"traits":%s}}]}`
	f(fmt.Sprintf(batch, `{"plan":"gold"}`), "given_name=N city=Leeds")
	f(fmt.Sprintf(batch, `{"city":"York"}`), "city=York")
}
