package clickstream

import (
	"os"
	"testing"

	"github.com/seamline/seamline/schemas"
)

func read(t testing.TB, file string) []byte {
	t.Helper()
	value, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

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

func TestHotCallsUseNoMemory(t *testing.T) {
	if raceDetector {
		t.Skip("pools lose memory on purpose under the race detector")
	}
	for _, name := range []string{"track_product_viewed", "track_product_added", "page", "screen", "track_custom", "rudderstack_track", "track_order_completed", "batch",
		"track_cart_viewed", "identify", "no_message_id", "track_custom_unicode"} {
		value := read(t, "testdata/"+name+".json")
		decoder, record, out, n := warm(value)
		if n == 0 {
			t.Fatalf("%s gives no event", name)
		}
		if allocs := testing.AllocsPerRun(200, func() {
			out.Reset()
			out.Begin(record)
			decoder.Decode(record, value, out)
		}); allocs != 0 {
			t.Errorf("%s: %v allocations", name, allocs)
		}
	}
}

func benchmark(b *testing.B, value []byte) {
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

// compact is a payload as libraries send it, without white space.
func compact(b *testing.B, file string) []byte {
	var out []byte
	inText := false
	for _, c := range read(b, file) {
		if c == '"' {
			inText = !inText
		}
		if inText || c != ' ' && c != '\n' {
			out = append(out, c)
		}
	}
	return out
}

func BenchmarkDecodeTrack(b *testing.B) {
	benchmark(b, compact(b, "testdata/track_product_viewed.json"))
}

func BenchmarkDecodePage(b *testing.B) { benchmark(b, compact(b, "testdata/page.json")) }

func BenchmarkDecodeOrder(b *testing.B) {
	benchmark(b, compact(b, "testdata/track_order_completed.json"))
}

func BenchmarkDecodeBatch(b *testing.B) { benchmark(b, compact(b, "testdata/batch.json")) }
