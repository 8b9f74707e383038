package field

import (
	"bytes"
	"strings"
	"testing"

	"github.com/seamline/seamline/schemas"
)

// The helpers that say so must not use memory.
func TestNoMemory(t *testing.T) {
	var p Properties
	var out schemas.Decoded
	buffer := make([]byte, 0, 128)
	f := func(name string, run func()) {
		t.Helper()
		run()
		if n := testing.AllocsPerRun(100, run); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
	f("ParseTime", func() { ParseTime("2026-03-01T12:30:45.123+01:00") })
	f("DecimalOf", func() { DecimalOf("1,234.50") })
	f("Country", func() { Country("de") })
	f("Currency", func() { Currency("eur") })
	f("URLPath", func() { URLPath("https://shop.example.com/p?x") })
	f("Contact", func() { Contact("billing_email") })
	f("AppendID", func() { buffer = AppendID(buffer[:0], "mailgun", "a", "b") })
	f("CardNumber", func() { CardNumber(benchEvent) })
	f("Valid", func() { Valid(benchEvent) })
	f("Object", func() {
		for o := ObjectOf(benchEvent); o.Next(); {
			_ = o.Key
		}
	})
	f("Properties", func() {
		out.Reset()
		p.Begin(&out)
		p.AddObject(benchEvent, nil)
		p.String(&out)
	})
}

func BenchmarkParseTime(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		ParseTime("2026-03-01T12:30:45.123Z")
	}
}

func BenchmarkValid(b *testing.B) {
	b.SetBytes(int64(len(benchEvent)))
	b.ReportAllocs()
	for b.Loop() {
		Valid(benchEvent)
	}
}

func BenchmarkObject(b *testing.B) {
	b.SetBytes(int64(len(benchEvent)))
	b.ReportAllocs()
	for b.Loop() {
		for o := ObjectOf(benchEvent); o.Next(); {
			_ = o.Key
		}
	}
}

func BenchmarkProperties(b *testing.B) {
	raw := benchEvent[strings.Index(string(benchEvent), `"properties":`)+len(`"properties":`) : len(benchEvent)-1]
	var p Properties
	var out schemas.Decoded
	b.ReportAllocs()
	for b.Loop() {
		out.Reset()
		p.Begin(&out)
		p.AddObject(raw, nil)
		p.String(&out)
	}
}

func BenchmarkAppendID(b *testing.B) {
	buffer := make([]byte, 0, 128)
	b.ReportAllocs()
	for b.Loop() {
		buffer = AppendID(buffer[:0], "mailgun", "a-message-id@mail.example.com", "customer-17@example.com", "opened", "1772368245.123")
	}
}

// benchEvent is a track call of about 800 bytes, as browsers send it.
var benchEvent = []byte(`{"type":"track","event":"Product Viewed","anonymousId":"0d4bd7b8-9e5e-4f6c-8a44-5d1f4b3f1c22","userId":"customer-17",` +
	`"messageId":"ajs-next-1772368245123-5c1d2f8e-41f0-4c57-9ad7-1b0c44a3d111","timestamp":"2026-03-01T12:30:45.123Z","sentAt":"2026-03-01T12:30:45.500Z",` +
	`"context":{"page":{"path":"/p/trail-shoe","referrer":"https://www.example.org/search?q=shoes","title":"Trail shoe","url":"https://shop.example.com/p/trail-shoe?utm_source=news"},` +
	`"userAgent":"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36","locale":"en-GB","campaign":{"source":"news","medium":"email","name":"spring"},"library":{"name":"analytics.js","version":"2.11.1"}},` +
	`"properties":{"product_id":"507f1f77bcf86cd799439011","sku":"SHOE-42","category":"Shoes","name":"Trail shoe","brand":"Northway","price":89.95,"quantity":1,"currency":"EUR","variant":"blue"}}`)

func BenchmarkCardNumberNone(b *testing.B) {
	b.SetBytes(int64(len(benchEvent)))
	b.ReportAllocs()
	for b.Loop() {
		if found(benchEvent) {
			b.Fatal("found a card number")
		}
	}
}

func BenchmarkCardNumberFound(b *testing.B) {
	event := bytes.Replace(benchEvent, []byte("SHOE-42"), []byte("x 4111 1111 1111 1111"), 1)
	b.ReportAllocs()
	for b.Loop() {
		if found(event) {
			continue
		}
	}
}
