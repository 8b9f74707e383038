package pos

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/seamline/seamline/schemas"
)

// warm gives a decoder and an output that have grown to their size, and how many events the payload holds.
func warm(value []byte) (*Decoder, *schemas.Record, *schemas.Decoded, int) {
	decoder, out := New(DefaultConfig()), new(schemas.Decoded)
	record := &schemas.Record{Time: recordTime, Value: value}
	for range 3 {
		out.Reset()
		out.Begin(record)
		decoder.Decode(record, value, out)
	}
	return decoder, record, out, len(out.Events)
}

func TestReceiptsUseNoMemory(t *testing.T) {
	if raceDetector {
		t.Skip("pools lose memory on purpose under the race detector")
	}
	f := func(name string, want float64) {
		t.Helper()
		value := read(t, "testdata/"+name)
		decoder, record, out, n := warm(value)
		if n == 0 {
			t.Fatalf("%s gives no event", name)
		}
		if allocs := testing.AllocsPerRun(200, func() {
			out.Reset()
			out.Begin(record)
			decoder.Decode(record, value, out)
		}); allocs > want {
			t.Errorf("%s: %v allocations; want at most %v", name, allocs, want)
		}
	}
	for _, name := range []string{"seamline_sale.json", "seamline_sale_anonymous_cash.json", "seamline_sale_numbers.json", "seamline_refund.json", "seamline_void.json",
		"seamline_array.json", "square_order_updated.json", "square_return.json", "square_exchange.json", "square_payment_updated.json", "square_refund_updated.json",
		"shopify_order_pos.json", "shopify_refund.json", "lightspeed_sale.json", "lightspeed_return.json"} {
		f(name, 0)
	}
	f("lightspeed_form.txt", 1) // the JSON without its escapes
}

func benchmark(b *testing.B, file string) {
	value := read(b, "testdata/"+file)
	if value[0] == '{' {
		// As tills send it, without white space.
		var compact bytes.Buffer
		if err := json.Compact(&compact, value); err != nil {
			b.Fatal(err)
		}
		value = compact.Bytes()
	}
	decoder, record, out, n := warm(value)
	if n == 0 {
		b.Fatal("no event")
	}
	b.SetBytes(int64(len(value)))
	b.ReportAllocs()
	for b.Loop() {
		out.Reset()
		out.Begin(record)
		decoder.Decode(record, value, out)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/event")
}

func BenchmarkDecodeSeamline(b *testing.B) { benchmark(b, "seamline_sale.json") }

func BenchmarkDecodeSquare(b *testing.B) { benchmark(b, "square_order_updated.json") }

func BenchmarkDecodeShopify(b *testing.B) { benchmark(b, "shopify_order_pos.json") }

func BenchmarkDecodeLightspeed(b *testing.B) { benchmark(b, "lightspeed_sale.json") }

func BenchmarkDecodeLightspeedForm(b *testing.B) { benchmark(b, "lightspeed_form.txt") }

func BenchmarkDecodePOSLog(b *testing.B) { benchmark(b, "poslog_sale.xml") }
