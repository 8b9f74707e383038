package goldentest

import (
	"bytes"
	"encoding/json"
	"flag"
	"testing"

	"github.com/seamline/seamline/schemas"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden is what a golden file holds.
type golden struct {
	Events  []goldenEvent  `json:"events,omitempty"`
	Rejects []goldenReject `json:"rejects,omitempty"`
	Drops   []goldenDrop   `json:"drops,omitempty"`
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

// render writes what came of a record as a golden file. Goroutines of a test may call it.
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
		t.Errorf("write what came of a record: %v", err)
	}
	return b.Bytes()
}
