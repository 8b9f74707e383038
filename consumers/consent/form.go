package consent

import (
	"github.com/seamline/seamline/consumers/field"
	"github.com/seamline/seamline/schemas"
)

// form is one Seamline consent JSON as it was read.
type form struct {
	customer  field.Customer
	said      field.Consents
	time      field.Time
	tc        string
	gpc       field.Bool
	request   string
	requestID string
	asked     string // where it was asked
	channel   string
	country   string
	bad       string // the first answer that is none
	answered  bool   // something was said, if only about purposes that Seamline does not know
}

// answers reads a Seamline consent JSON.
func (s *scratch) answers(raw []byte) {
	s.form = form{}
	s.others = append(s.others[:0], '{')
	f := &s.form
	r := field.NewReader(raw, s.out)
	for r.Object(); r.Next(); {
		switch r.Key {
		case "time", "timestamp":
			f.time = r.Time()
		case "customer":
			f.customer.Read(&r)
		case "consents", "consent":
			s.readConsents(&r)
		case "ad_storage", "analytics_storage", "ad_user_data", "ad_personalization", "functionality_storage", "personalization_storage":
			s.answer(&r)
		case "tc_string", "tcString", "gdpr_consent", "IABTCF_TCString":
			f.tc = r.Text()
		case "gpc", "sec_gpc", "globalPrivacyControl":
			f.gpc = r.Bool()
		case "request":
			f.request = r.Text()
		case "request_id", "requestId":
			f.requestID = r.Text()
		case "source":
			f.asked = r.Text()
		case "channel":
			f.channel = r.Text()
		case "country":
			f.country = field.Country(r.Text())
		default:
			if !f.customer.ReadMember(&r) {
				r.Skip()
			}
		}
	}
	s.others = append(s.others, '}')
	s.finish(raw)
}

// readConsents reads an object of answers.
func (s *scratch) readConsents(r *field.Reader) {
	if !r.Object() {
		return
	}
	for r.Next() {
		s.answer(r)
	}
}

// answer reads an answer about a purpose or category. Null says nothing.
func (s *scratch) answer(r *field.Reader) {
	f, name, kind := &s.form, r.Key, r.Kind()
	word := r.Text()
	if kind == field.KindNull {
		return
	}
	state, ok := field.ConsentOf(word)
	purposes := s.decoder.categories.Of(name)
	if !ok || kind == field.KindObject || kind == field.KindArray {
		if f.bad == "" {
			f.bad = "an answer"
			if purposes != 0 {
				f.bad = name // a purpose that we know, and no word of a person's
			}
		}
		return
	}
	f.answered = true
	f.said.Say(purposes, state)
	if purposes == 0 && len(s.others) < othersMax && !field.EmailLike(name) {
		if len(s.others) > 1 {
			s.others = append(s.others, ',')
		}
		s.others = append(field.AppendQuoted(s.others, name), ':')
		s.others = field.AppendQuoted(s.others, state.String())
	}
}

// othersMax bounds what is kept of answers about purposes that Seamline does not know.
const othersMax = 16 << 10

// Requests of persons.
const (
	requestAccess  = "access"
	requestErasure = "erasure"
)

// check reads what stands in single texts, and says why the form can be no event.
func (s *scratch) check() (schemas.Reason, string) {
	f := &s.form
	switch {
	case f.bad == "" && !f.answered && f.tc == "" && !f.gpc.Value && f.request == "":
		if f.customer == (field.Customer{}) {
			return schemas.ReasonUnknownFormat, "no consent and no request"
		}
		return schemas.ReasonMissingField, "none of consents, tc_string, gpc, request"
	case f.bad != "":
		return schemas.ReasonMalformed, f.bad + " is none of granted, denied, unset"
	case f.request != "" && f.request != requestAccess && f.request != requestErasure:
		return schemas.ReasonUnknownEvent, "request is none of access, erasure"
	case f.time.Bad || f.time.Set && f.time.Value == 0:
		return schemas.ReasonImpossibleTime, "the time is no time"
	case s.now() == 0:
		return schemas.ReasonImpossibleTime, "no time given"
	case f.customer == (field.Customer{}):
		return schemas.ReasonMissingIdentifier, "the customer has no user_id, loyalty_id, email, phone, device_id or anonymous_id"
	}
	if f.tc != "" {
		var bad string
		if s.text, bad = sayTC(s.text, f.tc, &f.said); bad != "" {
			return schemas.ReasonMalformed, "tc_string " + bad
		}
		f.answered = true
	}
	if f.gpc.Value {
		f.said.Say(field.PurposesAds, schemas.ConsentDenied)
		f.answered = true
	}
	return "", ""
}

// now is the time that the form is of: its own, else the record's.
func (s *scratch) now() schemas.Time {
	if s.form.time.Set {
		return s.form.time.Value
	}
	return s.record.Time
}

// finish makes the events of the form, or a reject.
func (s *scratch) finish(raw []byte) {
	if reason, detail := s.check(); reason != "" {
		s.out.Reject(reason, detail)
		return
	}
	f, p := &s.form, &s.properties
	if f.answered {
		e := s.event(schemas.TypeConsentUpdate)
		f.said.Put(e)
		e.ID = field.ElementID(s.out, sourceSeamline, raw, s.unsaidTime())
		p.Begin(s.out)
		s.describe()
		if len(s.others) > len("{}") {
			p.AddTrusted("consents", s.others)
		}
		if len(f.tc) <= tcKeptMax {
			p.AddText("tc_string", f.tc)
		}
		if f.gpc.Set {
			p.AddBool("gpc", f.gpc.Value)
		}
		e.Properties = p.String(s.out)
	}
	if f.request != "" {
		s.finishRequest(raw)
	}
}

// tcKeptMax bounds the strings that are kept as evidence.
const tcKeptMax = 4096

// unsaidTime is the event's time where the form itself does not name it.
func (s *scratch) unsaidTime() schemas.Time {
	if s.form.time.Set {
		return 0
	}
	return s.now()
}

// finishRequest makes the event of a request. An access request has no type of its own, and keeps its name in the properties.
func (s *scratch) finishRequest(raw []byte) {
	f, p := &s.form, &s.properties
	p.Begin(s.out)
	kind := schemas.TypeAccountDeleted
	if f.request == requestAccess {
		kind = schemas.TypeCustom
		p.AddText("event", "access_request")
	}
	e := s.event(kind)
	if f.requestID != "" {
		e.ID = field.IDOf(s.out, sourceSeamline, "request", f.request, f.requestID)
	} else {
		e.ID = field.IDOf(s.out, sourceSeamline, "request", f.request, field.ElementID(s.out, sourceSeamline, raw, s.unsaidTime()))
	}
	p.AddText("request", f.request)
	p.AddText("request_id", field.FreeText(f.requestID))
	s.describe()
	e.Properties = p.String(s.out)
}

// event begins an event of the form.
func (s *scratch) event(kind schemas.Type) *schemas.Event {
	f := &s.form
	e := s.out.Event()
	e.Source, e.Type, e.Time, e.Country = sourceSeamline, kind, s.now(), f.country
	if e.Channel = field.Channel(f.channel); e.Channel == schemas.ChannelUnknown {
		e.Channel = schemas.ChannelWeb
	}
	f.customer.Identify(e)
	return e
}

// describe adds where it was asked.
func (s *scratch) describe() { s.properties.AddText("source", field.FreeText(s.form.asked)) }
