package clickstream

import (
	"github.com/seamline/seamline/consumers/field"
	"github.com/seamline/seamline/schemas"
)

// hasConsent tells whether a call carries what somebody said to purposes.
func (c *context) hasConsent() bool {
	return len(c.consent) > 0 && c.consent[0] == '{' || len(c.management) > 0 && c.management[0] == '{'
}

// consent puts the answers by purpose into the event, keeps them by category, and tells whether there are any. No preference in an object
// that is there means no to all.
func (s *scratch) consent(e *schemas.Event) bool {
	context := &s.call.context
	if !context.hasConsent() {
		return false
	}
	kept := preferences{text: append(s.text[:0], '{'), categories: s.config.Categories}
	defer func() { s.text = kept.text }()
	if r := field.NewReader(context.consent, s.out); r.Kind() == field.KindObject {
		r.Object()
		for r.Next() {
			if given := r.Bool(); given.Set {
				kept.add(r.Key, given.Value)
			}
		}
		if len(kept.text) == 1 {
			kept.said.Say(field.PurposesAll, schemas.ConsentDenied)
		}
	} else if kept.readManagement(field.NewReader(context.management, s.out)); len(kept.text) == 1 {
		return false
	}
	kept.said.Put(e)
	kept.text = append(kept.text, '}')
	s.properties.AddTrusted("consent", kept.text)
	return true
}

// preferences are answers by category. Only truth values are kept, so that nothing but consent can hide here.
type preferences struct {
	text       []byte
	categories *field.Categories
	said       field.Consents
}

func (p *preferences) add(category string, granted bool) {
	if len(p.text) > 1 {
		p.text = append(p.text, ',')
	}
	word, state := "false", schemas.ConsentDenied
	if granted {
		word, state = "true", schemas.ConsentGranted
	}
	p.text = append(append(field.AppendQuoted(p.text, category), ':'), word...)
	p.said.Say(p.categories.Of(category), state)
}

// readManagement reads RudderStack's lists of categories that were allowed and denied. Some tools allow an object instead of a list; then
// nothing is known of it.
func (p *preferences) readManagement(r field.Reader) {
	r.Object()
	for r.Next() {
		switch r.Key {
		case "allowedConsentIds", "allowed_consent_ids":
			p.list(&r, true)
		case "deniedConsentIds", "denied_consent_ids":
			p.list(&r, false)
		default:
			r.Skip()
		}
	}
}

func (p *preferences) list(r *field.Reader, granted bool) {
	if !r.Array() {
		return
	}
	for r.Element() {
		if category := r.Text(); category != "" {
			p.add(category, granted)
		}
	}
}

// concat joins two texts in the arena.
func (s *scratch) concat(first, second string) string {
	var buffer [128]byte
	return s.out.Text(append(append(buffer[:0], first...), second...))
}
