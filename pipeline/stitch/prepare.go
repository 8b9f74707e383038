package stitch

import "github.com/seamline/seamline/schemas"

// form is an identifier of an event in the one form in which it is compared.
type form struct {
	print fingerprint
	ns    *Namespace // nil where the value has the wrong form
	value string     // normalised
}

// prepared holds the forms of a batch's events, one event after the other.
type prepared struct {
	events []*schemas.Event
	forms  []form
	starts []int // where each event's forms begin, and the end
	next   int   // the event that is expected next
	one    []form
}

// prepare brings the identifiers of all events of a batch into one form.
func (s *Stage) prepare(b *schemas.Batch) {
	r := &s.ready
	r.events, r.forms, r.starts, r.next = b.Events, r.forms[:0], r.starts[:0], 0
	for _, e := range b.Events {
		r.starts = append(r.starts, len(r.forms))
		r.forms = s.appendForms(r.forms, e)
	}
	r.starts = append(r.starts, len(r.forms))
}

func (s *Stage) appendForms(forms []form, e *schemas.Event) []form {
	for _, raw := range e.Identifiers {
		ns := s.rules.namespace(raw.Namespace)
		value, ok := normalise(ns.Normalise, raw.Value, s.rules.Region)
		if !ok {
			forms = append(forms, form{})
			continue
		}
		f := form{ns: ns, value: value}
		f.print, s.scratch = s.g.print(s.scratch, ns.Name, value)
		forms = append(forms, f)
	}
	return forms
}

// formsOf gives the forms of an event's identifiers. Events that are not stepped in the order of the batch are prepared now.
func (s *Stage) formsOf(e *schemas.Event) []form {
	r := &s.ready
	if i := r.next; i < len(r.events) && r.events[i] == e {
		r.next++
		return r.forms[r.starts[i]:r.starts[i+1]]
	}
	r.one = s.appendForms(r.one[:0], e)
	return r.one
}
