package clickstream

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
	record := &schemas.Record{Topic: "clickstream", Feed: schemas.FeedClickstream, Time: recordTime, Value: value}
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
		for _, id := range e.Identifiers {
			if id.Namespace == "" || id.Value == "" {
				t.Errorf("event %d has an empty identifier: %+v", i, e.Identifiers)
			}
		}
		if e.OrderSign() != 0 && (e.OrderID == "" || e.Amount < 0) {
			t.Errorf("event %d is an order without an id or with a negative amount: %+v", i, e)
		}
		if e.Properties == "" {
			continue
		}
		var members map[string]json.RawMessage
		if err := json.Unmarshal([]byte(e.Properties), &members); err != nil {
			t.Errorf("properties of event %d: %v: %s", i, err, e.Properties)
		}
		for key, value := range members {
			if field.Contact(key) && key != "consent" {
				t.Errorf("event %d has contact data in properties: %s=%s", i, key, value)
			}
		}
	}
	for _, r := range out.Rejects {
		if r.Reason == "" || r.Detail == "" {
			t.Errorf("a reject without reason or detail: %+v", r)
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

func payloads(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) < 80 {
		t.Fatalf("found %d payloads: %v", len(files), err)
	}
	return files
}

func TestGolden(t *testing.T) {
	t.Parallel()
	for _, file := range payloads(t) {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			value, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if start, end, found := field.CardNumber(value); found {
				t.Errorf("takes %s for a card number", value[start:end])
			}
			before := bytes.Clone(value)
			out := decode(t, DefaultConfig(), value)
			got := render(t, out)
			if !bytes.Equal(before, value) {
				t.Error("the decoder changed the payload")
			}
			if again := render(t, decode(t, DefaultConfig(), value)); !bytes.Equal(got, again) {
				t.Error("decoding twice gives different results")
			}
			goldenFile := strings.TrimSuffix(file, ".json") + ".golden"
			if *update {
				if err := os.WriteFile(goldenFile, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(goldenFile)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s\n got %s\nwant %s", name, got, want)
			}
		})
	}
}

func TestDecoderIsSharedByGoroutines(t *testing.T) {
	t.Parallel()
	decoder := New(DefaultConfig())
	value := read(t, "testdata/batch_mixed.json")
	want := render(t, decode(t, DefaultConfig(), value))
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			record, out := &schemas.Record{Time: recordTime, Value: value}, new(schemas.Decoded)
			for range 200 {
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
