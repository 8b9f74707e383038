package email

import (
	"cmp"
	"strconv"
	"strings"

	"github.com/seamline/seamline/consumers/field"
	"github.com/seamline/seamline/schemas"
)

// Kinds of producer.
const (
	sourceSendGrid   = "sendgrid"
	sourceMailgun    = "mailgun"
	sourcePostmark   = "postmark"
	sourceSES        = "ses"
	sourceBrevo      = "brevo"
	sourceCustomerIO = "customerio"
)

// namespaceCIO is Customer.io's own id of a person.
const namespaceCIO = "cio_id"

// meaning is what a provider's name of an event stands for. Either kind or drop is set.
type meaning struct {
	kind    schemas.Type
	machine bool         // the name itself says that no person did it
	first   bool         // the first open of the message
	reason  string       // why the message failed, where the name says it
	drop    schemas.Drop // the event tells nothing about a customer
}

// report is one provider's report as it was read. All but source, channel and kind may be empty.
//
// Properties have one name whatever the provider calls them: reason (the provider's word for why a message failed), sub_reason, detail and
// response (texts by the provider and by the receiving server, without the addresses that they quote), status (the code that goes with
// them), attempt, user_agent, client, os, device, bot, link_index and link_part, list_id, origin, subscribed, template, tags (where the
// first of them is not the campaign's name already), is_unique. What the sender attached keeps its own names. Subjects, message bodies
// and IP addresses are left out.
type report struct {
	meaning
	source  string
	channel schemas.Channel
	word    string // the provider's name of the event
	id      string // the provider's id of the event
	message string // the provider's id of the message

	address   string // e-mail address of the recipient
	phone     string
	user      string
	customer  string // a second name for user
	anonymous string
	loyalty   string
	cio       string

	at          field.Time
	url         string
	agent       string
	detail      string
	response    string
	campaign    schemas.Campaign
	template    string // stands in where there is no campaign id
	tags        []byte // as they came
	variant     string
	country     string
	dwellMillis int64
	human       bool // the provider looked and says that it was a person
}

// refusal says why a report gives no event; the zero refusal says that it gives one.
type refusal struct {
	reason schemas.Reason
	detail string
	drop   schemas.Drop
}

// missing refuses a report without a field.
func missing(name string) refusal { return refusal{reason: schemas.ReasonMissingField, detail: name} }

// unknownEvent refuses a report by the name of its event.
func unknownEvent(detail string) refusal {
	return refusal{reason: schemas.ReasonUnknownEvent, detail: detail}
}

// finish makes an event of the report that was read, or refuses it.
func (s *scratch) finish(no refusal) {
	switch {
	case no.reason != "":
		s.out.Reject(no.reason, no.detail)
	case no.drop != "":
		s.out.Drop(s.report.source, no.drop)
	case s.report.drop != "":
		s.out.Drop(s.report.source, s.report.drop)
	default:
		s.describe()
		if len(s.recipients) == 0 {
			s.emit(s.report.address, s.report.id)
		}
		for i := range s.recipients {
			s.emit(s.recipients[i].address, s.report.id)
		}
	}
}

// describe adds the properties that all providers have in common.
func (s *scratch) describe() {
	f, p := &s.report, &s.properties
	p.AddText("reason", f.reason)
	s.addScrubbed("detail", f.detail)
	s.addScrubbed("response", f.response)
	s.addScrubbed("user_agent", f.agent)
	if f.first {
		p.AddBool("is_unique", true)
	}
	if tag := s.first(f.tags); tag != "" && (f.campaign.Name != "" || several(f.tags)) {
		p.Add("tags", f.tags)
	}
	if f.campaign.ID != "" {
		p.AddText("template", f.template)
	}
}

// partOf gives the campaign that the message was part of: where the report names none, the first tag and the template stand in.
func (s *scratch) partOf() schemas.Campaign {
	f := &s.report
	c := f.campaign
	if tag := s.first(f.tags); c.Name == "" && !field.EmailLike(tag) {
		c.Name = tag
	}
	if c.ID == "" {
		c.ID = f.template
	}
	return c
}

// emit appends the event of the report about one recipient. An empty id means that the provider gives none.
func (s *scratch) emit(address, id string) {
	f := &s.report
	if f.at.Bad || f.at.Set && f.at.Value == 0 {
		s.out.Reject(schemas.ReasonImpossibleTime, "the time of the event is no time")
		return
	}
	if !f.at.Set {
		s.out.Reject(schemas.ReasonMissingField, "the time of the event")
		return
	}
	e := s.out.Event()
	e.Source, e.Channel, e.Type, e.Time = f.source, f.channel, f.kind, f.at.Value
	if s.record != nil {
		e.Received = s.record.Time
	}
	e.Campaign, e.MessageID, e.LinkURL, e.Variant, e.Country = s.partOf(), f.message, f.url, f.variant, f.country
	if f.kind == schemas.TypeMessageOpen || f.kind == schemas.TypeMessageClick {
		e.Machine = f.machine || scanner(f.agent) || !f.human && bareAgent(f.agent)
	}
	if f.kind == schemas.TypeMessageOpen && !e.Machine {
		e.DwellMillis = f.dwellMillis
	}
	s.identify(e, address)
	if len(e.Identifiers) == 0 {
		s.out.Discard()
		s.out.Reject(schemas.ReasonMissingIdentifier, "neither a recipient nor a message id")
		return
	}
	e.Properties = s.properties.String(s.out)
	if e.ID = id; id == "" {
		s.name(e, address)
	}
}

// identify adds what the report says about who it was. The message's id is evidence only.
func (s *scratch) identify(e *schemas.Event, address string) {
	f := &s.report
	e.Identify(schemas.NamespaceUserID, cmp.Or(f.user, f.customer))
	e.Identify(schemas.NamespaceLoyaltyID, f.loyalty)
	if strings.IndexByte(address, '@') >= 0 {
		e.Identify(schemas.NamespaceEmail, address)
	}
	e.Identify(schemas.NamespacePhone, f.phone)
	e.Identify(schemas.NamespaceAnonymousID, f.anonymous)
	e.Identify(namespaceCIO, f.cio)
	e.Identify(schemas.NamespaceMessageID, f.message)
}

// name gives an event without a provider's id one that is made of what tells it from all others of the provider.
func (s *scratch) name(e *schemas.Event, address string) {
	f := &s.report
	var buffer [24]byte
	at := string(strconv.AppendInt(buffer[:0], int64(e.Time), 10))
	e.ID = field.IDOf(s.out, f.source, f.message, address, f.word, at, f.url, f.user, e.Campaign.ID)
}

// readText reads a raw value as text.
func (s *scratch) readText(raw []byte) string {
	r := field.NewReader(raw, s.out)
	return r.Text()
}

// first reads a raw value that is a text or an array of texts.
func (s *scratch) first(raw []byte) string {
	if raw == nil {
		return ""
	}
	r := field.NewReader(raw, s.out)
	return r.First()
}

// several tells whether a raw value is an array with more than one element.
func several(raw []byte) bool {
	r := field.NewReader(raw, nil)
	n := 0
	for r.Array(); n < 2 && r.Element(); n++ {
		r.Skip()
	}
	return n > 1
}

// timeOf reads a raw value as time.
func timeOf(raw []byte) field.Time {
	var t field.Time
	_ = t.UnmarshalJSON(raw) // never fails; Bad tells
	return t
}

// open reads a raw object; nil is none.
func (s *scratch) open(raw []byte) (r field.Reader, ok bool) {
	if raw == nil {
		return r, false
	}
	r = field.NewReader(raw, s.out)
	return r, r.Object()
}
