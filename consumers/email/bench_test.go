package email

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/seamline/seamline/schemas"
)

// compact is a payload as providers send it, without white space.
func compact(t testing.TB, name string) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, read(t, "testdata/"+name+".json")); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// warm gives a decoder and an output that have grown to their size, and how many events the payload holds.
func warm(value []byte) (*Decoder, *schemas.Record, *schemas.Decoded, int) {
	decoder, out := New(DefaultConfig(), calls()), new(schemas.Decoded)
	record := &schemas.Record{Time: recordTime, Value: value}
	for range 3 {
		out.Reset()
		out.Begin(record)
		decoder.Decode(record, value, out)
	}
	return decoder, record, out, len(out.Events)
}

// hot are payloads of the kinds that make up most traffic.
var hot = []string{"sendgrid_array", "sendgrid_click", "sendgrid_bounce", "mailgun_opened", "mailgun_accepted", "mailgun_failed_permanent", "postmark_open",
	"postmark_delivery", "postmark_bounce_hard", "sns_open", "sns_delivery_several", "sns_bounce_several", "ses_delivery", "ses_open_machine",
	"brevo_delivered", "brevo_click", "brevo_custom_pipes", "customerio_opened", "customerio_sms_sent"}

func TestHotReportsUseNoMemory(t *testing.T) {
	if raceDetector {
		t.Skip("pools lose memory on purpose under the race detector")
	}
	for _, name := range hot {
		value := compact(t, name)
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

func BenchmarkDecode(b *testing.B) {
	for _, name := range []string{"sendgrid_array", "mailgun_opened", "postmark_open", "sns_open", "ses_delivery", "brevo_delivered", "customerio_opened"} {
		b.Run(name, func(b *testing.B) {
			value := compact(b, name)
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
		})
	}
}
