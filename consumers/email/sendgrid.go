package email

import (
	"strings"

	"github.com/seamline/seamline/consumers/field"
	"github.com/seamline/seamline/schemas"
)

// sendGridMeaning tells what an event of SendGrid is. A dropped message was never sent, so for the reader it bounced.
func sendGridMeaning(word string) (m meaning, ok bool) {
	switch word {
	case "processed":
		m.kind = schemas.TypeMessageSent
	case "delivered":
		m.kind = schemas.TypeMessageDelivered
	case "deferred":
		m.kind = schemas.TypeMessageDeferred
	case "bounce":
		m.kind, m.reason = schemas.TypeMessageBounce, "bounce"
	case "blocked":
		m.kind, m.reason = schemas.TypeMessageBounce, "blocked"
	case "dropped":
		m.kind, m.reason = schemas.TypeMessageBounce, "dropped"
	case "open":
		m.kind = schemas.TypeMessageOpen
	case "click":
		m.kind = schemas.TypeMessageClick
	case "spamreport":
		m.kind = schemas.TypeMessageComplaint
	case "unsubscribe", "group_unsubscribe":
		m.kind = schemas.TypeMessageUnsubscribe
	case "group_resubscribe":
		m.kind = schemas.TypeConsentUpdate
	case "account_status_change":
		m.drop = schemas.DropNoEvent
	default:
		return m, false
	}
	return m, true
}

// readSendGrid reads one event of SendGrid. The sender's own arguments stand flat beside SendGrid's members, so that a member counts as
// SendGrid's only in events that have it.
func (s *scratch) readSendGrid() refusal {
	f := &s.report
	f.source, f.channel = sourceSendGrid, schemas.ChannelEmail
	for i := range s.members {
		if m := &s.members[i]; m.key == "event" {
			f.word = s.readText(m.raw)
		}
	}
	if f.word == "" {
		return missing("event")
	}
	known := false
	if f.meaning, known = sendGridMeaning(f.word); !known {
		return unknownEvent("event is none of SendGrid's")
	}
	var smtpID string
	for i := range s.members {
		m := &s.members[i]
		if m.key == "smtp-id" {
			smtpID = s.readText(m.raw)
			continue
		}
		s.sendGridMember(m.key, m.raw)
	}
	f.message = sendGridMessage(f.message, smtpID)
	if strings.HasPrefix(f.word, "group_") {
		s.properties.AddText("scope", "group")
	}
	if f.kind == schemas.TypeConsentUpdate {
		s.properties.AddBool("subscribed", true)
	}
	return refusal{}
}

// sendGridMember reads what all events may have.
func (s *scratch) sendGridMember(key string, raw []byte) {
	f, p := &s.report, &s.properties
	switch key {
	case "event", "ip", "cert_err", "send_at", "sg_user_id", "mc_pod_id", "phase_id":
	case "email":
		f.address = addressOf(s.readText(raw))
	case "timestamp":
		f.at = timeOf(raw)
	case "sg_event_id":
		f.id = s.readText(raw)
	case "sg_message_id":
		f.message = s.readText(raw)
	case "category":
		f.tags = raw
	case "useragent":
		f.agent = s.readText(raw)
	case "reason":
		f.detail = s.readText(raw)
	case "response":
		f.response = s.readText(raw)
	case "sg_machine_open":
		if flag := field.BoolOf(field.TextOf(raw)); flag.Set {
			f.machine, f.human = flag.Value, !flag.Value
		}
	case "marketing_campaign_id", "singlesend_id":
		f.campaign.ID = s.readText(raw)
	case "marketing_campaign_name", "singlesend_name":
		f.campaign.Name = s.readText(raw)
	case "marketing_campaign_split_id":
		f.variant = s.readText(raw)
	case "template_id", "sg_template_id":
		f.template = s.readText(raw)
	case "sg_template_name":
		p.AddText("template_name", s.readText(raw))
	case "unique_args", "custom_args":
		s.customObject(raw)
	case "asm_group_id", "attempt", "status", "bounce_classification", "marketing_campaign_version", "sg_content_type", "tls", "pool":
		p.Add(key, raw)
	case "url":
		s.sendGridLink(raw)
	case "url_offset":
		s.sendGridOffset(raw)
	case "type":
		if f.kind == schemas.TypeMessageBounce && f.reason == "bounce" && field.TextOf(raw) != "" {
			f.reason = s.readText(raw)
			return
		}
		s.custom(key, raw)
	default:
		s.custom(key, raw)
	}
}

func (s *scratch) sendGridLink(raw []byte) {
	switch s.report.kind {
	case schemas.TypeMessageClick:
		s.report.url = s.readText(raw)
	case schemas.TypeMessageUnsubscribe, schemas.TypeConsentUpdate:
		// The page on which the recipient chose; it carries a key to their preferences.
	default:
		s.custom("url", raw)
	}
}

// sendGridOffset reads which of several equal links was clicked.
func (s *scratch) sendGridOffset(raw []byte) {
	r, ok := s.open(raw)
	for ok && r.Next() {
		switch r.Key {
		case "index":
			s.properties.Add("link_index", r.Raw())
		case "type":
			s.properties.Add("link_part", r.Raw())
		default:
			r.Skip()
		}
	}
}

// sendGridServers are what follows the message's own part in an sg_message_id: the name of the server that handled the event.
var sendGridServers = [...]string{"filter", "recvd"}

// sendGridMessage gives the id that all events of a message share: sg_message_id up to the name of a server. SendGrid makes it of the
// local part of smtp-id, which stands in where sg_message_id is missing or names only a server.
func sendGridMessage(id, smtpID string) string {
	id = bareMessageID(id)
	for _, server := range sendGridServers {
		if strings.HasPrefix(id, server) {
			id = ""
			break
		}
		for at := strings.IndexByte(id, '.'); at >= 0; {
			if strings.HasPrefix(id[at+1:], server) {
				id = id[:at]
				break
			}
			next := strings.IndexByte(id[at+1:], '.')
			if next < 0 {
				break
			}
			at += 1 + next
		}
	}
	if id != "" || smtpID == "" {
		return id
	}
	smtpID = bareMessageID(smtpID)
	if at := strings.LastIndexByte(smtpID, '@'); at > 0 && strings.Contains(smtpID[at:], "ismtpd") {
		return smtpID[:at]
	}
	return smtpID
}
