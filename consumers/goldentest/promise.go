package goldentest

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/seamline/seamline/consumers/field"
	"github.com/seamline/seamline/schemas"
)

// Check checks what every decoder promises of its events, rejects and drops, and then what this one promises beyond that.
func (s *Suite) Check(t testing.TB, out *schemas.Decoded) {
	t.Helper()
	for i := range out.Events {
		e := &out.Events[i]
		if e.ID == "" || e.Time == 0 || e.Type == schemas.TypeUnknown || e.Channel == schemas.ChannelUnknown || e.Source == "" || s.Nameless != (len(e.Identifiers) == 0) {
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
		var properties map[string]json.RawMessage
		if e.Properties != "" {
			if err := json.Unmarshal([]byte(e.Properties), &properties); err != nil {
				t.Errorf("properties of event %d: %v: %s", i, err, e.Properties)
			}
		}
		if s.Promise != nil {
			s.Promise(t, e, properties)
		}
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

// NoContact checks that no property is contact data by its name, and that none is an e-mail address.
func NoContact(t testing.TB, e *schemas.Event, properties map[string]json.RawMessage) {
	t.Helper()
	for key, value := range properties {
		if field.Contact(key) || field.EmailLike(field.TextOf(value)) {
			t.Errorf("%s has contact data in properties: %s=%s", e.ID, key, value)
		}
	}
}
