package email

import (
	"github.com/seamline/seamline/consumers/field"
	"github.com/seamline/seamline/schemas"
)

// postmarkTest is the message id in the payloads of Postmark's test button.
const postmarkTest = "00000000-0000-0000-0000-000000000000"

// postmark is what must be known of a record before it is told what it is.
type postmark struct {
	record      string // RecordType
	kind        string // Type of a bounce
	id          string
	suppressed  field.Bool
	suppression string // SuppressionReason
}

// meaning tells what a record of Postmark is.
func (g *postmark) meaning() (m meaning, ok bool) {
	switch g.record {
	case "Delivery":
		m.kind = schemas.TypeMessageDelivered
	case "Open":
		m.kind = schemas.TypeMessageOpen
	case "Click":
		m.kind = schemas.TypeMessageClick
	case "Bounce":
		return g.bounce(), true
	case "SpamComplaint":
		m.kind, m.reason = schemas.TypeMessageComplaint, g.kind
	case "SubscriptionChange":
		return g.subscription(), true
	case "Inbound", "SMTPApiError":
		m.drop = schemas.DropNoEvent
	default:
		return m, false
	}
	return m, true
}

// bounce tells the types of bounce apart: answering machines say nothing about the message, and what may pass is deferred.
func (g *postmark) bounce() meaning {
	switch g.kind {
	case "Transient", "SoftBounce", "DnsError":
		return meaning{kind: schemas.TypeMessageDeferred, reason: g.kind}
	case "AutoResponder", "AddressChange", "ChallengeVerification", "OpenRelayTest", "InboundError":
		return meaning{drop: schemas.DropNoEvent}
	case "Unsubscribe":
		return meaning{kind: schemas.TypeMessageUnsubscribe, reason: g.kind}
	case "Subscribe":
		return meaning{kind: schemas.TypeConsentUpdate, reason: g.kind}
	case "SpamComplaint":
		return meaning{kind: schemas.TypeMessageComplaint, reason: g.kind}
	}
	return meaning{kind: schemas.TypeMessageBounce, reason: g.kind}
}

// subscription tells why an address may no longer be written to: Postmark reports its own suppressions as changes of subscription too.
func (g *postmark) subscription() meaning {
	switch {
	case !g.suppressed.Value:
		return meaning{kind: schemas.TypeConsentUpdate}
	case g.suppression == "HardBounce":
		return meaning{kind: schemas.TypeMessageBounce, reason: g.suppression}
	case g.suppression == "SpamComplaint":
		return meaning{kind: schemas.TypeMessageComplaint, reason: g.suppression}
	}
	return meaning{kind: schemas.TypeMessageUnsubscribe, reason: g.suppression}
}

// readPostmark reads one record of Postmark.
func (s *scratch) readPostmark() refusal {
	f := &s.report
	f.source, f.channel = sourcePostmark, schemas.ChannelEmail
	var g postmark
	var first bool
	for i := range s.members {
		key, raw := s.members[i].key, s.members[i].raw
		switch key {
		case "RecordType":
			g.record = s.readText(raw)
		case "Type":
			g.kind = s.readText(raw)
		case "ID":
			g.id = s.readText(raw)
		case "SuppressSending":
			g.suppressed = field.BoolOf(field.TextOf(raw))
		case "SuppressionReason":
			g.suppression = s.readText(raw)
		case "FirstOpen":
			first = field.BoolOf(field.TextOf(raw)).Value
		default:
			s.postmarkMember(key, raw)
		}
	}
	f.word = g.record
	if f.word == "" {
		return missing("RecordType")
	}
	var known bool
	if f.meaning, known = g.meaning(); !known {
		return unknownEvent("RecordType is none of Postmark's")
	}
	f.first = first
	if f.message == postmarkTest {
		return refusal{drop: schemas.DropTest}
	}
	if g.id != "" {
		// Bounces and complaints are numbered, and their numbers may meet.
		s.text = append(append(append(s.text[:0], g.id...), '/'), g.record...)
		f.id = s.out.Text(s.text)
	}
	if g.record == "SubscriptionChange" {
		s.properties.AddBool("subscribed", !g.suppressed.Value)
	}
	return refusal{}
}

func (s *scratch) postmarkMember(key string, raw []byte) {
	f, p := &s.report, &s.properties
	switch key {
	case "MessageID":
		f.message = bareMessageID(s.readText(raw))
	case "Recipient", "Email":
		f.address = addressOf(s.readText(raw))
	case "DeliveredAt", "BouncedAt", "ReceivedAt", "ChangedAt":
		f.at = timeOf(raw)
	case "Tag":
		f.tags = raw
	case "Metadata":
		s.customObject(raw)
	case "Description":
		f.detail = s.readText(raw)
	case "Details":
		f.response = s.readText(raw)
	case "UserAgent":
		f.agent = s.readText(raw)
	case "OriginalLink":
		f.url = s.readText(raw)
	case "ReadSeconds":
		f.dwellMillis = seconds(field.DecimalOf(field.TextOf(raw)))
	case "Geo":
		r, ok := s.open(raw)
		for ok && r.Next() {
			if r.Key == "CountryISOCode" {
				f.country = field.Country(r.Text())
				continue
			}
			r.Skip()
		}
	case "MessageStream":
		p.Add("message_stream", raw)
	case "ServerID", "ServerId":
		p.Add("server_id", raw)
	case "Origin":
		p.Add("origin", raw)
	case "ClickLocation":
		p.Add("link_part", raw)
	case "TypeCode":
		p.Add("status", raw)
	case "Inactive":
		p.Add("inactive", raw)
	case "Platform":
		p.Add("device", raw)
	case "Client":
		s.postmarkName("client", raw)
	case "OS":
		s.postmarkName("os", raw)
	}
}

// postmarkName keeps the name of an object such as the reader's program.
func (s *scratch) postmarkName(key string, raw []byte) {
	r, ok := s.open(raw)
	for ok && r.Next() {
		if r.Key == "Name" {
			s.properties.Add(key, r.Raw())
			continue
		}
		r.Skip()
	}
}

// readingMax bounds a reading time in seconds.
const readingMax = 86_400 * schemas.DecimalOne

// seconds gives a reading time in milliseconds; what is no time counts as none.
func seconds(d field.Decimal) int64 {
	if !d.Set || d.Value <= 0 || d.Value > readingMax {
		return 0
	}
	return int64(d.Value) * int64(schemas.Second) / int64(schemas.DecimalOne)
}
