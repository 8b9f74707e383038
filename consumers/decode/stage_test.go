package decode

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seamline/seamline/schemas"
)

const day0 = 20_000 * schemas.Day

// echo is a decoder that makes an event of each value: "time id", or whatever else the value says.
type echo struct{}

func (echo) Name() string { return "echo" }

func (echo) Decode(_ *schemas.Record, value []byte, out *schemas.Decoded) {
	for i, part := range strings.Split(string(value), ",") {
		out.Element = i
		var at int64
		var id string
		if _, err := fmt.Sscan(part, &at, &id); err != nil {
			out.Reject(schemas.ReasonMalformed, "not time and id")
			continue
		}
		e := out.Event()
		e.ID, e.Source, e.Type, e.Channel, e.Time = id, "echo", schemas.TypeCustom, schemas.ChannelWeb, schemas.Time(at)
	}
}

func apply(t *testing.T, cfg Config, records ...schemas.Record) *schemas.Batch {
	t.Helper()
	s := New(cfg, map[schemas.Feed]schemas.Decoder{"echo": echo{}}, prometheus.NewRegistry())
	b := &schemas.Batch{Latest: day0, Records: records}
	for i := range b.Records {
		b.Records[i].Feed, b.Records[i].Offset = "echo", int64(i)
		if b.Records[i].Time == 0 {
			b.Records[i].Time = day0
		}
	}
	if err := s.Apply(b); err != nil {
		t.Fatal(err)
	}
	b.CheckDecoded()
	return b
}

func describe(b *schemas.Batch) string {
	var out []string
	for _, e := range b.Events {
		out = append(out, e.ID)
	}
	for _, r := range b.Rejects {
		out = append(out, fmt.Sprintf("%s@%d.%d", r.Reason, r.Record.Offset, r.Element))
	}
	return strings.Join(out, " ")
}

func TestEnvelopes(t *testing.T) {
	t.Parallel()
	good := fmt.Sprintf("%d a", day0)
	cloud := func(body string) schemas.Record {
		return schemas.Record{Value: []byte(body), Headers: []schemas.Header{{Key: "Content-Type", Value: []byte("application/cloudevents+json; charset=utf-8")}}}
	}
	event := func(data string) string {
		return `{"specversion":"1.0","id":"1","source":"s","type":"t",` + data + `}`
	}
	f := func(name string, r schemas.Record, want string) {
		t.Helper()
		if got := describe(apply(t, DefaultConfig(), r)); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	plain := func(value string) schemas.Record { return schemas.Record{Value: []byte(value)} }
	f("plain", plain(good), "a")
	f("schema id", plain("\x00\x00\x00\x00\x07"+good), "a")
	f("schema GUID", plain("\x010123456789abcdef"+good), "a")
	f("frame without body", plain("\x00\x00\x00\x00\x07"), "malformed@0.0")
	f("GUID cut short", plain("\x01abc"), "malformed@0.0")
	f("empty", plain(""), "malformed@0.0")
	f("tombstone", schemas.Record{}, "malformed@0.0")
	f("structured CloudEvent with text", cloud(event(`"data":"`+good+`"`)), "a")
	f("structured CloudEvent with base64", cloud(event(`"data_base64":"`+base64.StdEncoding.EncodeToString([]byte(good))+`"`)), "a")
	f("structured CloudEvent with number", cloud(event(`"data":17`)), "malformed@0.0")
	f("CloudEvent without data", cloud(event(`"subject":"x"`)), "malformed@0.0")
	f("CloudEvent without id", cloud(`{"specversion":"1.0","source":"s","type":"t","data":1}`), "malformed@0.0")
	f("CloudEvent that is no JSON", cloud(`{`), "malformed@0.0")
	f("framed CloudEvent", cloud("\x00\x00\x00\x00\x07"+event(`"data":"`+good+`"`)), "a")
	binary := plain(good)
	binary.Headers = []schemas.Header{{Key: "ce_specversion", Value: []byte("1.0")}, {Key: "content-type", Value: []byte("application/json")}}
	f("binary CloudEvent", binary, "a")
}

func TestTimesAndLimits(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig()
	cfg.BytesMax = 2000
	f := func(name, value, want string) {
		t.Helper()
		if got := describe(apply(t, cfg, schemas.Record{Value: []byte(value)})); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	earliest := int64(315532800000) // 1980-01-01
	f("earliest", fmt.Sprintf("%d a", earliest), "a")
	f("before it", fmt.Sprintf("%d a", earliest-1), "impossible_time@0.0")
	f("a day ahead", fmt.Sprintf("%d a", day0+schemas.Day), "a")
	f("more than a day ahead", fmt.Sprintf("%d a", day0+schemas.Day+1), "impossible_time@0.0")
	f("one bad element does not cost the others", fmt.Sprintf("%d a,1 b,what,%d d", day0, day0), "a d malformed@0.2 impossible_time@0.1")
	f("as large as allowed", fmt.Sprintf("%-2000s", fmt.Sprintf("%d a", day0)), "a")
	f("oversize", strings.Repeat("x", 2001), "oversize@0.0")
	// A record that was sent later than the batch's clock says so itself.
	late := schemas.Record{Value: fmt.Appendf(nil, "%d a", day0+3*schemas.Day), Time: day0 + 2*schemas.Day}
	if got := describe(apply(t, cfg, late)); got != "a" {
		t.Errorf("future by the clock, not by the record: got %q", got)
	}
}

func TestCardNumbersAreNeverKept(t *testing.T) {
	t.Parallel()
	const number = "4111111111111111"
	for _, size := range []int{0, 3000} {
		cfg := DefaultConfig()
		cfg.BytesMax = 2000
		value := []byte(fmt.Sprintf(`{"note":"paid with %s","pad":"%s"}`, number, strings.Repeat("x", size)))
		b := apply(t, cfg, schemas.Record{Value: value})
		if len(b.Rejects) != 1 {
			t.Fatalf("%d bytes: got %q", size, describe(b))
		}
		r := b.Rejects[0]
		if bytes.Contains(r.Value, []byte(number)) || strings.Contains(r.Detail, number) {
			t.Errorf("%d bytes: the dead letter holds the card number", size)
		}
		if len(r.Value) != len(value) || !bytes.Contains(r.Value, []byte("************1111")) {
			t.Errorf("%d bytes: digits are not masked in place", size)
		}
		if !bytes.Contains(b.Records[0].Value, []byte(number)) {
			t.Error("the record itself was changed")
		}
	}
}

// TestWorkersKeepOrder: the result does not depend on how many goroutines share the work.
func TestWorkersKeepOrder(t *testing.T) {
	t.Parallel()
	records := make([]schemas.Record, 5000)
	var want []string
	for i := range records {
		if i%97 == 0 {
			records[i].Value = []byte("bad")
			continue
		}
		records[i].Value = fmt.Appendf(nil, "%d e%d", day0, i)
		want = append(want, fmt.Sprint("e", i))
	}
	b := apply(t, DefaultConfig(), records...)
	for i, e := range b.Events {
		if e.ID != want[i] {
			t.Fatalf("event %d is %s, want %s", i, e.ID, want[i])
		}
		if e.Received != day0 {
			t.Fatalf("event %d has no received time", i)
		}
	}
	if len(b.Events) != len(want) || len(b.Rejects) != len(records)-len(want) {
		t.Errorf("%d events and %d rejects of %d records", len(b.Events), len(b.Rejects), len(records))
	}
	for i := 1; i < len(b.Rejects); i++ {
		if b.Rejects[i].Record.Offset <= b.Rejects[i-1].Record.Offset {
			t.Fatal("rejects are out of order")
		}
	}
}
