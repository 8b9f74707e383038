package email

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
	record := &schemas.Record{Topic: "email", Feed: schemas.FeedEmail, Time: recordTime, Value: value}
	out := new(schemas.Decoded)
	out.Begin(record)
	New(config, calls()).Decode(record, value, out)
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
		if e.Machine && (e.DwellMillis != 0 || e.Type != schemas.TypeMessageOpen && e.Type != schemas.TypeMessageClick) {
			t.Errorf("event %d: a machine that reads, or does more than open and click: %+v", i, e)
		}
		checkProperties(t, e)
	}
	for _, r := range out.Rejects {
		if r.Reason == "" || r.Detail == "" {
			t.Errorf("a reject without reason or detail: %+v", r)
		}
		if strings.Contains(r.Detail, "@") {
			t.Errorf("a reject with contact data: %s", r.Detail)
		}
	}
	for _, d := range out.Dropped {
		if d.Source == "" || d.Drop == "" {
			t.Errorf("a drop without source or kind: %+v", d)
		}
	}
}

// checkProperties checks that properties are JSON and hold no contact data.
func checkProperties(t testing.TB, e *schemas.Event) {
	t.Helper()
	if e.Properties == "" {
		return
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(e.Properties), &members); err != nil {
		t.Errorf("properties: %v: %s", err, e.Properties)
	}
	for key, value := range members {
		if field.Contact(key) || field.EmailLike(field.TextOf(value)) {
			t.Errorf("contact data in properties: %s=%s", key, value)
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
	if err != nil || len(files) < 150 {
		t.Fatalf("found %d payloads: %v", len(files), err)
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
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			value := read(t, file)
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
			if want := read(t, goldenFile); !bytes.Equal(got, want) {
				t.Errorf("%s\n got %s\nwant %s", name, got, want)
			}
		})
	}
}

// The golden payloads are also published together, so that no two of their events may have one id.
func TestGoldenEventsAreDistinct(t *testing.T) {
	t.Parallel()
	seen := map[[2]string]string{}
	for _, file := range payloads(t) {
		out := decode(t, DefaultConfig(), read(t, file))
		for i := range out.Events {
			key := [2]string{out.Events[i].Source, out.Events[i].ID}
			if other := seen[key]; other != "" {
				t.Errorf("%s and %s have an event of one id: %v", file, other, key)
			}
			seen[key] = file
		}
	}
	if len(seen) < 100 {
		t.Errorf("only %d events", len(seen))
	}
}

func TestDecoderIsSharedByGoroutines(t *testing.T) {
	t.Parallel()
	decoder := New(DefaultConfig(), calls())
	value := read(t, "testdata/mixed_array.json")
	want := render(t, decode(t, DefaultConfig(), value))
	var group sync.WaitGroup
	for range 4 {
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
