package email

import (
	"github.com/seamline/seamline/consumers/field"
	"github.com/seamline/seamline/schemas"
)

// recipientsMax bounds the recipients of one message; SES allows 50.
const recipientsMax = 50

// recipient is one person that a message went to, and how that ended.
type recipient struct {
	address  string
	status   string
	response string
}

// ses is one report of SES as it was read.
type ses struct {
	word    string
	mail    []byte
	body    []byte // the object that is named after the event
	tags    []byte
	sent    field.Time // mail.timestamp
	only    string     // the address in mail.destination, where it is alone
	several bool       // mail.destination has several
	tooMany bool

	kind         string // bounceType, complaintFeedbackType, delayType
	subKind      string
	unsubscribed bool
	topics       []byte
}

// sesBody gives the name of the object that goes with an event, and what the event is.
func sesBody(word string) (body string, kind schemas.Type, ok bool) {
	switch word {
	case "Send":
		return "send", schemas.TypeMessageSent, true
	case "Delivery":
		return "delivery", schemas.TypeMessageDelivered, true
	case "Open":
		return "open", schemas.TypeMessageOpen, true
	case "Click":
		return "click", schemas.TypeMessageClick, true
	case "Bounce":
		return "bounce", schemas.TypeMessageBounce, true
	case "Complaint":
		return "complaint", schemas.TypeMessageComplaint, true
	case "DeliveryDelay":
		return "deliveryDelay", schemas.TypeMessageDeferred, true
	case "Reject":
		return "reject", schemas.TypeMessageBounce, true
	case "Rendering Failure", "RenderingFailure":
		return "failure", schemas.TypeMessageBounce, true
	case "Subscription":
		return "subscription", schemas.TypeMessageUnsubscribe, true
	}
	return "", schemas.TypeUnknown, false
}

// readSES reads a report of SES and makes one event for each recipient that it is about. An id and a time come with the envelope of SNS.
func (s *scratch) readSES(id string, enveloped field.Time) {
	f := &s.report
	f.source, f.channel = sourceSES, schemas.ChannelEmail
	var g ses
	for i := range s.members {
		if key := s.members[i].key; key == "eventType" || key == "notificationType" && g.word == "" {
			g.word = s.readText(s.members[i].raw)
		}
	}
	switch g.word {
	case "":
		s.finish(missing("eventType"))
		return
	case "AmazonSnsSubscriptionSucceeded":
		s.finish(refusal{drop: schemas.DropTest})
		return
	case "Received":
		s.finish(refusal{drop: schemas.DropNoEvent})
		return
	}
	body, kind, known := sesBody(g.word)
	if !known {
		s.finish(unknownEvent("eventType is none of SES's"))
		return
	}
	f.word, f.kind = g.word, kind
	for i := range s.members {
		switch s.members[i].key {
		case "mail":
			g.mail = s.members[i].raw
		case body:
			g.body = s.members[i].raw
		}
	}
	s.sesDestinations(&g)
	s.sesBodyMembers(&g)
	s.sesTime(&g, enveloped)
	if g.tooMany {
		s.finish(refusal{reason: schemas.ReasonMalformed, detail: "more than 50 recipients"})
		return
	}
	if no := s.sesMeaning(&g); no != (refusal{}) {
		s.finish(no)
		return
	}
	s.emitSES(&g, id)
}

// sesTime takes the event's own time, else that of the notification. Where nothing but the sending is reported, it is the time of it.
func (s *scratch) sesTime(g *ses, enveloped field.Time) {
	f := &s.report
	switch g.word {
	case "Send", "Reject", "Rendering Failure", "RenderingFailure":
		f.at = g.sent
	}
	if !f.at.Set {
		f.at = enveloped
	}
}

// sesMeaning tells bounces, complaints and subscriptions apart. Bounces of undetermined type are bounces: the message did not arrive. A
// complaint of type not-spam is the opposite of a complaint, and says nothing that the recipient agreed to.
func (s *scratch) sesMeaning(g *ses) refusal {
	f := &s.report
	switch f.word {
	case "Bounce":
		f.reason = g.kind
		if g.kind == "Transient" {
			f.kind = schemas.TypeMessageDeferred
		}
	case "Complaint":
		f.reason = g.kind
		if g.kind == "not-spam" {
			return refusal{drop: schemas.DropNoEvent}
		}
	case "DeliveryDelay":
		f.reason = g.kind
	case "Reject":
		f.reason = "rejected"
	case "Rendering Failure", "RenderingFailure":
		f.reason = "rendering_failure"
	case "Subscription":
		if !g.unsubscribed {
			f.kind = schemas.TypeConsentUpdate
		}
	}
	return refusal{}
}

// sesDestinations reads the mail object: whom the message went to, its id and its tags.
func (s *scratch) sesDestinations(g *ses) {
	r, ok := s.open(g.mail)
	for ok && r.Next() {
		switch r.Key {
		case "timestamp":
			g.sent = timeOf(r.Raw())
		case "messageId":
			s.report.message = bareMessageID(r.Text())
		case "tags":
			g.tags = r.Raw()
		case "destination":
			s.sesAddresses(g, &r)
		default:
			r.Skip()
		}
	}
	g.several = len(s.recipients) > 1
	if len(s.recipients) == 1 {
		g.only = s.recipients[0].address
	}
	switch g.word {
	case "Send", "Reject", "Rendering Failure", "RenderingFailure":
		// These are about everybody that the message went to.
	default:
		s.recipients = s.recipients[:0]
	}
}

// sesAddresses adds the recipients of an array of addresses, or of objects with an emailAddress.
func (s *scratch) sesAddresses(g *ses, r *field.Reader) {
	if !r.Array() {
		return
	}
	for r.Element() {
		if len(s.recipients) == recipientsMax {
			g.tooMany = true
			r.Skip()
			continue
		}
		var one recipient
		if r.Kind() != field.KindObject {
			one.address = addressOf(r.Text())
		} else {
			r.Object()
			for r.Next() {
				switch r.Key {
				case "emailAddress":
					one.address = addressOf(r.Text())
				case "status":
					one.status = r.Text()
				case "diagnosticCode":
					one.response = r.Text()
				default:
					r.Skip()
				}
			}
		}
		if one.address != "" {
			s.recipients = append(s.recipients, one)
		}
	}
}

// emitSES makes one event for each recipient. Opens, clicks and subscriptions do not say who of several it was: then there is one event
// with the message's id alone. Nor does a tag, which belongs to the message, then say who it was.
func (s *scratch) emitSES(g *ses, id string) {
	f := &s.report
	if len(s.recipients) == 0 {
		s.recipients = append(s.recipients, recipient{address: g.only})
	}
	n := len(s.recipients)
	for i := range s.recipients {
		one := &s.recipients[i]
		s.properties.Begin(s.out)
		f.response = one.response
		s.sesProperties(g, one)
		if g.several || n > 1 {
			f.anonymise()
		}
		s.describe()
		own := id
		if id != "" && n > 1 {
			own = field.IDOf(s.out, sourceSES, id, one.address)
		}
		s.emit(one.address, own)
	}
}
