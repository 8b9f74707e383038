package email

import (
	"strings"

	"github.com/seamline/seamline/consumers/field"
	"github.com/seamline/seamline/schemas"
)

// mailgunMeaning tells what an event of Mailgun is. A failure is a bounce only where Mailgun says that it is permanent.
func mailgunMeaning(word, severity string) (m meaning, ok bool) {
	switch word {
	case "accepted":
		m.kind = schemas.TypeMessageSent
	case "delivered":
		m.kind = schemas.TypeMessageDelivered
	case "opened":
		m.kind = schemas.TypeMessageOpen
	case "clicked":
		m.kind = schemas.TypeMessageClick
	case "failed":
		m.kind = schemas.TypeMessageDeferred
		if severity == "permanent" {
			m.kind = schemas.TypeMessageBounce
		}
	case "rejected":
		m.kind, m.reason = schemas.TypeMessageBounce, "rejected"
	case "complained":
		m.kind = schemas.TypeMessageComplaint
	case "unsubscribed":
		m.kind = schemas.TypeMessageUnsubscribe
	case "stored", "list_member_uploaded", "list_member_upload_error", "list_uploaded", "email_validation":
		m.drop = schemas.DropNoEvent
	default:
		return m, false
	}
	return m, true
}

// mailgun is what must be known of an event before it is told what it is.
type mailgun struct {
	severity string
	reason   string
	test     bool
	several  bool // the message has several recipients
}

// readMailgun reads an event in the envelope of a webhook, or alone as the events API gives it.
func (s *scratch) readMailgun() refusal {
	f := &s.report
	f.source, f.channel = sourceMailgun, schemas.ChannelEmail
	for i := range s.members {
		if s.members[i].key == "event-data" && s.members[i].raw[0] == '{' {
			s.collect(s.members[i].raw)
			break
		}
	}
	var g mailgun
	for i := range s.members {
		s.mailgunMember(&g, s.members[i].key, s.members[i].raw)
	}
	if f.word == "" {
		return missing("event-data.event")
	}
	machine := f.machine
	var known bool
	if f.meaning, known = mailgunMeaning(f.word, g.severity); !known {
		return unknownEvent("event-data.event is none of Mailgun's")
	}
	f.machine = machine
	if g.reason != "" {
		f.reason = g.reason
	}
	if g.several {
		f.anonymise()
	}
	if g.test {
		return refusal{drop: schemas.DropTest}
	}
	return refusal{}
}

func (s *scratch) mailgunMember(g *mailgun, key string, raw []byte) {
	f, p := &s.report, &s.properties
	switch key {
	case "event":
		f.word = s.readText(raw)
	case "id":
		f.id = s.readText(raw)
	case "timestamp":
		f.at = timeOf(raw)
	case "recipient":
		f.address = addressOf(s.readText(raw))
	case "severity":
		g.severity = s.readText(raw)
	case "reason":
		g.reason = s.readText(raw)
	case "reject":
		s.mailgunReject(raw)
	case "url":
		f.url = s.readText(raw)
	case "tags":
		f.tags = raw
	case "campaigns":
		s.mailgunCampaign(raw)
	case "user-variables":
		s.customObject(raw)
	case "template":
		s.mailgunTemplate(raw)
	case "message":
		s.mailgunMessage(g, raw)
	case "delivery-status":
		s.mailgunStatus(raw)
	case "client-info":
		s.mailgunClient(raw)
	case "geolocation":
		r, ok := s.open(raw)
		for ok && r.Next() {
			if r.Key != "country" {
				r.Skip()
				continue
			}
			f.country = field.Country(r.Text())
		}
	case "flags":
		r, ok := s.open(raw)
		for ok && r.Next() {
			if r.Key == "is-test-mode" || r.Key == "is-system-test" {
				g.test = r.Bool().Value || g.test
				continue
			}
			r.Skip()
		}
	case "mailing-list":
		r, ok := s.open(raw)
		for ok && r.Next() {
			if r.Key == "list-id" {
				p.AddText("list_id", bareMessageID(r.Text()))
				continue
			}
			r.Skip()
		}
	}
}

func (s *scratch) mailgunReject(raw []byte) {
	r, ok := s.open(raw)
	for ok && r.Next() {
		switch r.Key {
		case "reason":
			if text := r.Text(); s.report.detail == "" {
				s.report.detail = text
			}
		case "description":
			if text := r.Text(); text != "" {
				s.report.detail = text
			}
		default:
			r.Skip()
		}
	}
}

// mailgunCampaign takes the first campaign, an object or the bare id.
func (s *scratch) mailgunCampaign(raw []byte) {
	f := &s.report
	r := field.NewReader(raw, s.out)
	r.Array()
	for n := 0; r.Element(); n++ {
		if n > 0 {
			r.Skip()
			continue
		}
		if r.Kind() != field.KindObject {
			f.campaign.ID = r.Text()
			continue
		}
		r.Object()
		for r.Next() {
			switch r.Key {
			case "id":
				f.campaign.ID = r.Text()
			case "name":
				f.campaign.Name = r.Text()
			default:
				r.Skip()
			}
		}
	}
}

func (s *scratch) mailgunTemplate(raw []byte) {
	r, ok := s.open(raw)
	for ok && r.Next() {
		if r.Key == "name" {
			s.report.template = r.Text()
			continue
		}
		r.Skip()
	}
}

// mailgunMessage takes the message's id, and whether it went to several people: then the sender's variables may name any of them.
func (s *scratch) mailgunMessage(g *mailgun, raw []byte) {
	r, ok := s.open(raw)
	for ok && r.Next() {
		switch r.Key {
		case "headers":
			if !r.Object() {
				continue
			}
			for r.Next() {
				switch r.Key {
				case "message-id":
					s.report.message = bareMessageID(r.Text())
				case "to":
					g.several = strings.Count(r.Text(), "@") > 1
				default:
					r.Skip()
				}
			}
		default:
			r.Skip()
		}
	}
}

func (s *scratch) mailgunStatus(raw []byte) {
	f, p := &s.report, &s.properties
	r, ok := s.open(raw)
	for ok && r.Next() {
		switch r.Key {
		case "message":
			f.response = r.Text()
		case "description":
			f.detail = r.Text()
		case "code":
			p.Add("status", r.Raw())
		case "attempt-no":
			p.Add("attempt", r.Raw())
		default:
			r.Skip()
		}
	}
}

// mailgunClient takes the reader's program. A bot that is named is a machine, on opens as on clicks; an empty name is a person.
func (s *scratch) mailgunClient(raw []byte) {
	f, p := &s.report, &s.properties
	r, ok := s.open(raw)
	for ok && r.Next() {
		switch r.Key {
		case "user-agent":
			f.agent = r.Text()
		case "bot":
			kind := r.Kind()
			bot := r.Text()
			f.machine, f.human = bot != "", bot == "" && kind == field.KindString
			p.AddText("bot", bot)
		case "client-name":
			p.Add("client", r.Raw())
		case "client-os":
			p.Add("os", r.Raw())
		case "device-type":
			p.Add("device", r.Raw())
		default:
			r.Skip()
		}
	}
}
