package pos

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/seamline/seamline/consumers/field"
	"github.com/seamline/seamline/schemas"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// recordTime is the time of every record in these tests.
const recordTime = schemas.Time(1772370000000) // 2026-03-01T13:00:00Z

func decode(t testing.TB, config Config, value []byte) *schemas.Decoded {
	t.Helper()
	record := &schemas.Record{Topic: "pos", Feed: schemas.FeedPOS, Time: recordTime, Value: value}
	out := new(schemas.Decoded)
	out.Begin(record)
	New(config).Decode(record, value, out)
	checkPromise(t, out)
	return out
}

// checkPromise checks what holds for every accepted event.
func checkPromise(t testing.TB, out *schemas.Decoded) {
	t.Helper()
	for i := range out.Events {
		e := &out.Events[i]
		if e.ID == "" || e.Time == 0 || e.Type == schemas.TypeUnknown || e.Channel == schemas.ChannelUnknown || e.Source == "" || len(e.Identifiers) == 0 {
			t.Errorf("event %d breaks the promise: %+v", i, e)
		}
		ordered := false
		for _, id := range e.Identifiers {
			if id.Namespace == "" || id.Value == "" {
				t.Errorf("event %d has an empty identifier: %+v", i, e.Identifiers)
			}
			ordered = ordered || id.Namespace == schemas.NamespaceOrderID && strings.HasPrefix(id.Value, e.Source+":")
		}
		if !ordered {
			t.Errorf("event %d does not name its order: %+v", i, e.Identifiers)
		}
		if e.Amount < 0 || e.Amount > decimalMax || e.OrderSign() != 0 && e.OrderID == "" {
			t.Errorf("event %d is an order without an id or with an impossible amount: %+v", i, e)
		}
		checkProperties(t, e)
	}
	for _, r := range out.Rejects {
		if r.Reason == "" || r.Detail == "" {
			t.Errorf("a reject without reason or detail: %+v", r)
		}
	}
}

func checkProperties(t testing.TB, e *schemas.Event) {
	t.Helper()
	if e.Properties == "" {
		return
	}
	var members map[string]any
	if err := json.Unmarshal([]byte(e.Properties), &members); err != nil {
		t.Errorf("properties of %s: %v: %s", e.ID, err, e.Properties)
	}
	for key, value := range members {
		if text, ok := value.(string); field.Contact(key) || ok && field.EmailLike(text) {
			t.Errorf("%s has contact data in properties: %s=%v", e.ID, key, value)
		}
	}
	for _, id := range e.Identifiers {
		switch id.Namespace {
		case schemas.NamespaceEmail, schemas.NamespacePhone, schemas.NamespaceCard:
			if len(id.Value) > 4 && strings.Contains(e.Properties, id.Value) {
				t.Errorf("%s has its %s in properties: %s", e.ID, id.Namespace, e.Properties)
			}
		}
	}
}

type goldenEvent struct {
	Element int `json:"element"`
	*schemas.Event
	Properties json.RawMessage `json:"properties,omitempty"`
}

type goldenReject struct {
	Element int            `json:"element"`
	Reason  schemas.Reason `json:"reason"`
	Detail  string         `json:"detail"`
}

type goldenDrop struct {
	Source string       `json:"source"`
	Drop   schemas.Drop `json:"drop"`
}

type golden struct {
	Events  []goldenEvent  `json:"events,omitempty"`
	Rejects []goldenReject `json:"rejects,omitempty"`
	Drops   []goldenDrop   `json:"drops,omitempty"`
}

func render(t testing.TB, out *schemas.Decoded) []byte {
	t.Helper()
	var g golden
	for i := range out.Events {
		e := &out.Events[i]
		g.Events = append(g.Events, goldenEvent{Element: e.Element, Event: e, Properties: json.RawMessage(e.Properties)})
	}
	for _, r := range out.Rejects {
		g.Rejects = append(g.Rejects, goldenReject{Element: r.Element, Reason: r.Reason, Detail: r.Detail})
	}
	for _, d := range out.Dropped {
		g.Drops = append(g.Drops, goldenDrop{Source: d.Source, Drop: d.Drop})
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(g); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// payloads lists the golden payloads: JSON, XML, and forms in .txt. Each file is the value of one record.
func payloads(t testing.TB) (files []string) {
	t.Helper()
	for _, pattern := range []string{"*.json", "*.xml", "*.txt"} {
		found, err := filepath.Glob(filepath.Join("testdata", pattern))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	if len(files) < 100 {
		t.Fatalf("found %d payloads", len(files))
	}
	return files
}

func read(t testing.TB, file string) []byte {
	t.Helper()
	value, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func TestGolden(t *testing.T) {
	t.Parallel()
	for _, file := range payloads(t) {
		name := strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			value := read(t, file)
			if start, end, found := field.CardNumber(value); found {
				t.Errorf("takes %s for a card number", value[start:end])
			}
			before := bytes.Clone(value)
			got := render(t, decode(t, DefaultConfig(), value))
			if !bytes.Equal(before, value) {
				t.Error("the decoder changed the payload")
			}
			if again := render(t, decode(t, DefaultConfig(), value)); !bytes.Equal(got, again) {
				t.Error("decoding twice gives different results")
			}
			goldenFile := filepath.Join("testdata", name+".golden")
			if *update {
				if err := os.WriteFile(goldenFile, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if want := read(t, goldenFile); !bytes.Equal(got, want) {
				t.Errorf("%s\n got %s\nwant %s", name, got, want)
			}
		})
	}
}

func TestDecoderIsSharedByGoroutines(t *testing.T) {
	t.Parallel()
	decoder := New(DefaultConfig())
	var group sync.WaitGroup
	for _, name := range []string{"seamline_array_mixed.json", "square_exchange.json", "shopify_refund_two_tenders.json", "lightspeed_form.txt", "poslog_several.xml"} {
		value := read(t, filepath.Join("testdata", name))
		want := render(t, decode(t, DefaultConfig(), value))
		group.Go(func() {
			record, out := &schemas.Record{Time: recordTime, Value: value}, new(schemas.Decoded)
			for range 100 {
				out.Reset()
				out.Begin(record)
				decoder.Decode(record, value, out)
				if got := render(t, out); !bytes.Equal(got, want) {
					t.Errorf("got %s\nwant %s", got, want)
					return
				}
			}
		})
	}
	group.Wait()
}

func FuzzDecode(f *testing.F) {
	for _, file := range payloads(f) {
		f.Add(read(f, file))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		out := decode(t, DefaultConfig(), value)
		if len(out.Events)+len(out.Rejects)+len(out.Dropped) == 0 {
			t.Errorf("nothing came of %q", value)
		}
	})
}
