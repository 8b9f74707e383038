package catalog

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/seamline/seamline/consumers/goldentest"
	"github.com/seamline/seamline/schemas"
)

// told gives what came of a payload in one line.
func told(out *schemas.Decoded) string {
	var parts []string
	for i := range out.Events {
		e := &out.Events[i]
		text := strings.TrimSpace(fmt.Sprintf("%s %s@%s %s %s%s %s", e.Type, e.SKU, e.StoreID, e.Quantity, e.Amount, e.Currency, e.Variant))
		for _, item := range e.Items {
			text += fmt.Sprintf(" [%s-%s=%s %s]", item.UnitPrice, item.Discount, item.Total, item.Cost)
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

func TestPrices(t *testing.T) {
	t.Parallel()
	f := func(members, want string) {
		t.Helper()
		if got := told(decode(t, DefaultConfig(), `{"id":"a",`+members+`}`)); got != want {
			t.Errorf("%s\n got %s\nwant %s", members, got, want)
		}
	}
	f(`"price":"15.00 USD"`, "price_change a@ 0 15USD [15-0=15 0]")
	f(`"price":"USD 1,500.00"`, "price_change a@ 0 1500USD [1500-0=1500 0]")
	f(`"price":"15"`, "price_change a@ 0 15 [15-0=15 0]")
	f(`"price":15.5,"currency":"eur"`, "price_change a@ 0 15.5EUR [15.5-0=15.5 0]")
	f(`"price":0`, "price_change a@ 0 0 [0-0=0 0]")
	f(`"price":{"value":"15","currency":"USD"}`, "price_change a@ 0 15USD [15-0=15 0]")
	f(`"price":{"amountMicros":"15990000","currencyCode":"USD"}`, "price_change a@ 0 15.99USD [15.99-0=15.99 0]")
	f(`"price":{"amount_micros":55}`, "price_change a@ 0 0.0001 [0.0001-0=0.0001 0]")
	f(`"price":"15 USD","cost":"9"`, "price_change a@ 0 15USD [15-0=15 9]")
	f(`"price":"15 USD","cost_of_goods_sold":"9 EUR"`, "price_change a@ 0 15USD [15-0=15 0]")
	f(`"price":"15 USD","sale_price":"9 USD"`, "price_change a@ 0 9USD [15-6=9 0]")
	f(`"price":"15","sale_price":"9 USD"`, "price_change a@ 0 9USD [15-6=9 0]")
	f(`"price":"15 USD","sale_price":"15 USD"`, "price_change a@ 0 15USD [15-0=15 0]")
	f(`"price":"15 USD","sale_price":"19 USD"`, "price_change a@ 0 15USD [15-0=15 0]")
	f(`"price":"15 USD","sale_price":""`, "price_change a@ 0 15USD [15-0=15 0]")
	f(`"price":"15 USD","sale_price":null`, "price_change a@ 0 15USD [15-0=15 0]")
	f(`"price":"15 USD","sale_price":"0"`, "price_change a@ 0 15USD [15-0=15 0]")
	f(`"sale_price":"9 USD","quantity":1`, "missing_field: price, beside sale_price")
	const bad = "malformed: price is no amount, negative, or out of range"
	for _, price := range []string{`"-1 USD"`, `-1`, `"fifteen"`, `"15,50 EUR"`, `{"value":"x"}`, `{"value":-1}`, `{"amountMicros":-2000000}`, `[15]`, `true`, `"1e300"`, `"9999999999999"`} {
		f(`"price":`+price, bad)
	}
	f(`"price":"1","cost":"-1"`, "malformed: cost is no amount, negative, or out of range")
	f(`"price":{}`, "missing_field: price")
}

func TestSales(t *testing.T) {
	t.Parallel()
	f := func(span, want string) {
		t.Helper()
		out := decode(t, DefaultConfig(), `{"id":"a","price":"15 USD","sale_price":"9 USD","sale_price_effective_date":"`+span+`"}`)
		got := told(out)
		if len(out.Events) == 1 {
			got = out.Events[0].Amount.String()
			if want := `{"sale_price":9,"sale_price_effective_date":"` + span + `"}`; out.Events[0].Properties != want {
				t.Errorf("%s is kept as %s", span, out.Events[0].Properties)
			}
		}
		if got != want {
			t.Errorf("%s gives %s; want %s", span, got, want)
		}
	}
	// The record is of 2026-03-01T13:00:00Z.
	f("2026-03-01T13:00:00Z/2026-03-02T00:00:00Z", "9")
	f("2026-03-01T13:00:01Z/2026-03-02T00:00:00Z", "15")
	f("2026-02-01T13:00:00Z/2026-03-01T13:00:00Z", "15")
	f("2026-02-01T13:00:00Z/2026-03-01T13:00:01Z", "9")
	f("2026-03-01T14:00+0100/2026-03-01T14:01+0100", "9")
	f("2026-03-01T14:00-0100/2026-03-02T14:01-0100", "15")
	f("2026-03-01/2026-03-01", "9")
	f("2026-02-01/2026-02-28", "15")
	const bad = "malformed: sale_price_effective_date is no start and end"
	f("2026-03-01T13:00:00Z", bad)
	f("/", bad)
	f("now/later", bad)
}

func TestStock(t *testing.T) {
	t.Parallel()
	f := func(members, want string) {
		t.Helper()
		if got := told(decode(t, DefaultConfig(), `{"id":"a",`+members+`}`)); got != want {
			t.Errorf("%s\n got %s\nwant %s", members, got, want)
		}
	}
	f(`"store_code":"s","quantity":"7"`, "stock_change a@s 7 0")
	f(`"store_code":"s","quantity":0,"availability":"OUT OF STOCK"`, "stock_change a@s 0 0 out_of_stock")
	f(`"store_code":"s","availability":"InStock"`, "stock_change a@s 1 0 in_stock")
	f(`"store_code":"s","availability":"pre order"`, "stock_change a@s 0 0 preorder")
	f(`"store_code":"s","quantity":-3`, "stock_change a@s 0 0")
	f(`"quantity":3`, "stock_change a@ 3 0")
	f(`"quantity":2.5,"price":1`, "stock_change a@ 2.5 0; price_change a@ 0 1 [1-0=1 0]")
	f(`"store_code":"s","quantity":"many"`, "malformed: quantity is no amount, negative, or out of range")
	f(`"store_code":"s","quantity":{}`, "malformed: quantity is no amount, negative, or out of range")
	f(`"store_code":"s","quantity":1e12`, "malformed: quantity is no amount, negative, or out of range")
	f(`"store_code":"s","availability":"perhaps"`, "missing_field: none of quantity, availability, price")
	f(`"availability":"in_stock","quantity":null`, "missing_field: price")
}

func TestProductIDs(t *testing.T) {
	t.Parallel()
	f := func(id, want string) {
		t.Helper()
		if got := plainID(id); got != want {
			t.Errorf("%s is %s; want %s", id, got, want)
		}
	}
	f("SHOE-1", "SHOE-1")
	f("online:en:US:SHOE-1", "SHOE-1")
	f("local:en:US:SHOE:1", "SHOE:1")
	f("online:SHOE", "SHOE")
	f("other:en:US:SHOE-1", "other:en:US:SHOE-1")
}

// A row is one event for its time, however often it is sent; whatever differs makes another.
func TestEventIDs(t *testing.T) {
	t.Parallel()
	id := func(value string, at schemas.Time) string {
		t.Helper()
		var out schemas.Decoded
		record := &schemas.Record{Time: at, Value: []byte(value)}
		out.Begin(record)
		New(DefaultConfig()).Decode(record, record.Value, &out)
		suite.Check(t, &out)
		return out.Events[0].ID
	}
	const plain, timed = `{"id":"a","price":"5 USD"}`, `{"id":"a","price":"5 USD","updated":"2026-03-01T09:00:00Z"}`
	at, later := goldentest.RecordTime, goldentest.RecordTime+1
	if first := id(plain, at); first != id(plain, at) || id(timed, at) != id(timed, later) {
		t.Error("the same row of the same time has two ids")
	}
	seen := map[string]string{}
	for _, value := range []string{plain, timed, `{"id":"b","price":"5 USD"}`, `{"id":"a","price":"6 USD"}`, `{"id":"a","store_code":"s","price":"5 USD"}`,
		`{"sku":"a","price":"5 USD"}`, `{"id":"a","quantity":5}`} {
		got := id(value, at)
		if seen[got] != "" {
			t.Errorf("%s and %s are both %s", value, seen[got], got)
		}
		seen[got] = value
	}
	if id(plain, at) == id(plain, later) {
		t.Error("a price that is sent again later is no event")
	}
	out := decode(t, DefaultConfig(), `{"id":"a","store_code":"s","price":"5 USD","quantity":5}`)
	if len(out.Events) != 2 || out.Events[0].ID == out.Events[1].ID {
		t.Errorf("stock and price of a row are %s", told(out))
	}
}

// TestTableAsJSON: a row means the same in a table and as JSON, whatever the order of the columns and however cells are quoted.
func TestTableAsJSON(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	values := map[string][]string{
		"id": {"a", "SHOE-1", `x"y`}, "price": {"5 USD", "1,500.25 EUR", "0"}, "sale_price": {"", "4", "9 USD"}, "availability": {"in stock", "preorder", "odd", ""},
		"title": {"Boot", "a\tb", `"quoted"`, ""}, "product_type": {"Shoes > Boots", ""}, "quantity": {"", "3", "-1", "x"}, "store_code": {"", "s"},
		"custom_label_0": {"", "hero"}, "cost_of_goods_sold": {"", "2 USD", "bad"}, "link": {"https://shop.example.com/a?b", ""},
		"unknown": {"", "word"}, "updated": {"", "2026-03-01T09:00:00Z", "soon"},
	}
	names := []string{"id", "price", "sale_price", "availability", "title", "product_type", "quantity", "store_code", "custom_label_0", "cost_of_goods_sold", "link", "unknown", "updated"}
	for range 2000 {
		var header, line, object []string
		for _, i := range random.Perm(len(names)) {
			name := names[i]
			text := values[name][random.IntN(len(values[name]))]
			cell := text
			if strings.ContainsAny(text, "\t\"") || random.IntN(3) == 0 {
				cell = `"` + strings.ReplaceAll(text, `"`, `""`) + `"`
			}
			header, line = append(header, name), append(line, cell)
			if text != "" {
				object = append(object, fmt.Sprintf("%q:%q", name, text))
			}
		}
		table := strings.Join(header, "\t") + "\n" + strings.Join(line, "\t") + "\n"
		asTable, asJSON := decode(t, DefaultConfig(), table), decode(t, DefaultConfig(), "{"+strings.Join(object, ",")+"}")
		if told(asTable) != told(asJSON) {
			t.Fatalf("seed %d: %q\n is %s\nJSON %s", seed, table, told(asTable), told(asJSON))
		}
		for i := range asTable.Events {
			a, b := asTable.Events[i], asJSON.Events[i]
			if a.Time != b.Time || a.PageURL != b.PageURL || len(a.Properties) != len(b.Properties) || len(a.Items) > 0 && a.Items[0] != b.Items[0] {
				t.Fatalf("seed %d: %q\n is %+v\nJSON %+v", seed, table, a, b)
			}
		}
	}
}

func TestContactDataIsLeftOut(t *testing.T) {
	t.Parallel()
	for _, value := range []string{`{"id":"a","price":1,"email":"customer-17@example.com","seller":"customer-17@example.com","phone":"1"}`,
		"id\tprice\temail\tseller\tphone\na\t1\tcustomer-17@example.com\tcustomer-17@example.com\t1"} {
		if got := decode(t, DefaultConfig(), value).Events[0].Properties; got != "" {
			t.Errorf("%q leaves %s", value, got)
		}
	}
}

func TestCurrencySetting(t *testing.T) {
	t.Parallel()
	config := DefaultConfig()
	flags := flag.NewFlagSet("", flag.ContinueOnError)
	config.Flags(flags)
	if err := flags.Parse([]string{"--catalog.currency=chf"}); err != nil {
		t.Fatal(err)
	}
	if err := config.Validate(); err != nil {
		t.Error(err)
	}
	if got := told(decode(t, config, `[{"id":"a","price":5},{"id":"b","price":"5 USD"}]`)); got != "price_change a@ 0 5CHF [5-0=5 0]; price_change b@ 0 5USD [5-0=5 0]" {
		t.Error(got)
	}
	if err := (&Config{Currency: "francs"}).Validate(); err == nil {
		t.Error("francs pass for a currency")
	}
	if name := New(config).Name(); name != "catalog" {
		t.Errorf("Name() = %s", name)
	}
}

// Input that is made to cost much must cost little more than its length.
func TestHostileInputIsLinear(t *testing.T) {
	t.Parallel()
	fill := goldentest.Fill
	suite.Hostile(t, map[string]string{
		"nesting":  fill("", "[", ""),
		"objects":  fill("", `{"product":`, ""),
		"inner":    strings.Repeat(`{"id":"a","price":1,"product":`, 60) + "1" + strings.Repeat("}", 60),
		"rows":     fill("[", `{"id":"a","price":1},`, `{}]`),
		"members":  "{" + goldentest.ManyKeys() + `"id":"a","price":1}`,
		"repeated": fill(`{"id":"a",`, `"price":1,`, `"price":2}`),
		"counts":   fill(`{"counts":[`, `{"catalog_object_id":"a"},`, `{}]}`),
		"table":    fill("id\tprice\n", "a\t1\n", ""),
		"columns":  fill("id\tprice", "\tx", "\na\t1"),
		"cells":    fill("id\tprice\n", "a\t", ""),
		"lines":    fill("id\tprice\n", "\n", ""),
		"quotes":   fill("id\tprice\n", "\"\t", ""),
		"opened":   fill("id\tprice\n", "\"a\t1\n", ""),
		"doubled":  fill("id\tprice\n\"", `""`, "\t1"),
		"mixed":    fill("id\tprice\n", "\"\t\"\"\"\t\"x", ""),
	}, 10*time.Second)
}

// A pool must not keep what a record held.
func TestScratchForgets(t *testing.T) {
	t.Parallel()
	d := New(DefaultConfig())
	s := new(scratch)
	d.scratches.New = func() any { return s }
	for _, file := range suite.Files(t) {
		var out schemas.Decoded
		d.Decode(&schemas.Record{Time: goldentest.RecordTime}, goldentest.Read(t, file), &out)
		if s.row != (row{}) || s.out != nil {
			t.Fatalf("%s stays: %+v", file, s.row)
		}
		for _, c := range s.columns[:cap(s.columns)] {
			if c != (column{}) {
				t.Fatalf("%s leaves a column: %+v", file, c)
			}
		}
	}
}

func TestRowsUseNoMemory(t *testing.T) {
	for _, name := range []string{"merchant_item.json", "merchant_array.json", "content_product.json", "content_batch.json", "local_row.json", "square_webhook.json", "table_local.tsv"} {
		suite.Allocations(t, name, suite.Read(t, name), 0)
	}
}

func BenchmarkDecodeItem(b *testing.B) { suite.Benchmark(b, suite.Compact(b, "merchant_item.json")) }

func BenchmarkDecodeContent(b *testing.B) {
	suite.Benchmark(b, suite.Compact(b, "content_product.json"))
}

func BenchmarkDecodeTable(b *testing.B) {
	rows := strings.Repeat("SHOE-1\tRunning Shoe\thttps://shop.example.com/r\tin stock\t119.99 USD\tNorthway\tShoes\t54.10 USD\n", 300)
	suite.Benchmark(b, []byte("id\ttitle\tlink\tavailability\tprice\tbrand\tproduct_type\tcost_of_goods_sold\n"+rows))
}
