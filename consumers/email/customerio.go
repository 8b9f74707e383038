package email

import (
	"strings"

	"github.com/seamline/seamline/consumers/field"
	"github.com/seamline/seamline/schemas"
)

// customerIOChannel tells where an object of Customer.io was sent to. Messages to Slack and to webhooks go to no customer.
func customerIOChannel(object string) (channel schemas.Channel, drop schemas.Drop, ok bool) {
	switch object {
	case "email", "customer":
		return schemas.ChannelEmail, "", true
	case "sms":
		return schemas.ChannelSMS, "", true
	case "whatsapp":
		return schemas.ChannelWhatsApp, "", true
	case "push":
		return schemas.ChannelPush, "", true
	case "in_app", "inbox":
		return schemas.ChannelApp, "", true
	case "slack", "webhook":
		return schemas.ChannelUnknown, schemas.DropNoEvent, true
	}
	return schemas.ChannelUnknown, "", false
}

// customerIOMeaning tells what a metric of Customer.io is.
func customerIOMeaning(metric string) (m meaning, ok bool) {
	switch metric {
	case "sent":
		m.kind = schemas.TypeMessageSent
	case "delivered":
		m.kind = schemas.TypeMessageDelivered
	case "opened":
		m.kind = schemas.TypeMessageOpen
	case "clicked":
		m.kind = schemas.TypeMessageClick
	case "bounced":
		m.kind, m.reason = schemas.TypeMessageBounce, metric
	case "dropped", "failed", "undeliverable", "suppressed":
		m.kind, m.reason = schemas.TypeMessageBounce, metric
	case "deferred":
		m.kind = schemas.TypeMessageDeferred
	case "spammed":
		m.kind = schemas.TypeMessageComplaint
	case "unsubscribed":
		m.kind = schemas.TypeMessageUnsubscribe
	case "subscribed", "cio_subscription_preferences_changed":
		m.kind = schemas.TypeConsentUpdate
	case "converted", "replied":
		m.kind = schemas.TypeCustom
	case "drafted", "attempted", "human_opened", "human_clicked":
		// The last two are counted as opened and clicked already.
		m.drop = schemas.DropNoEvent
	default:
		return m, false
	}
	return m, true
}

// customerIO is what must be known of a report before its data are read.
type customerIO struct {
	object string
	data   []byte
}

// readCustomerIO reads one event of the reporting webhook.
func (s *scratch) readCustomerIO() refusal {
	f := &s.report
	f.source = sourceCustomerIO
	var g customerIO
	for i := range s.members {
		raw := s.members[i].raw
		switch s.members[i].key {
		case "event_id":
			f.id = s.readText(raw)
		case "object_type":
			g.object = s.readText(raw)
		case "metric":
			f.word = s.readText(raw)
		case "timestamp":
			f.at = timeOf(raw)
		case "data":
			g.data = raw
		}
	}
	if f.word == "" {
		return missing("metric")
	}
	channel, drop, known := customerIOChannel(g.object)
	if !known {
		return unknownEvent("object_type is none of Customer.io's")
	}
	if drop != "" {
		return refusal{drop: drop}
	}
	if f.meaning, known = customerIOMeaning(f.word); !known {
		return unknownEvent("metric is none of Customer.io's")
	}
	f.channel = channel
	if f.kind == schemas.TypeCustom {
		s.properties.AddText("event", f.word)
	}
	if f.word == "subscribed" {
		s.properties.AddBool("subscribed", true)
	}
	r, ok := s.open(g.data)
	for ok && r.Next() {
		key := r.Key
		if raw := r.Raw(); raw != nil {
			s.customerIOMember(key, raw)
		}
	}
	return refusal{}
}

func (s *scratch) customerIOMember(key string, raw []byte) {
	f, p := &s.report, &s.properties
	switch key {
	case "customer_id":
		f.customer = s.readText(raw)
	case "identifiers":
		s.customerIOIdentifiers(raw)
	case "delivery_id":
		f.message = s.readText(raw)
	case "campaign_id":
		f.campaign.ID = s.readText(raw)
	case "broadcast_id", "newsletter_id", "transactional_message_id":
		if id := s.readText(raw); f.campaign.ID == "" {
			f.campaign.ID = id
		}
		p.Add(key, raw)
	case "recipient", "email_address":
		s.customerIORecipient(s.readText(raw))
	case "href", "link":
		f.url = s.readText(raw)
	case "failure_message":
		f.detail = s.readText(raw)
	case "prefetched", "machine":
		f.machine = field.BoolOf(field.TextOf(raw)).Value || f.machine
		p.Add(key, raw)
	case "user_agent":
		f.agent = s.readText(raw)
	case "content":
		s.customerIOPreferences(raw)
	case "action_id", "parent_action_id", "content_id", "link_id", "journey_id", "trigger_id", "trigger_event_id", "proxied",
		"conversion_event_id", "tracking_response":
		p.Add(key, raw)
	}
}

// customerIOIdentifiers reads who it was: the retailer's own id, the address, and Customer.io's id.
func (s *scratch) customerIOIdentifiers(raw []byte) {
	f := &s.report
	r, ok := s.open(raw)
	for ok && r.Next() {
		switch r.Key {
		case "id":
			f.user = r.Text()
		case "email":
			if address := addressOf(r.Text()); f.address == "" {
				f.address = address
			}
		case "cio_id":
			f.cio = r.Text()
		default:
			r.Skip()
		}
	}
}

// customerIORecipient takes where the message went to: an address, or a telephone number. Tokens of push services name no person.
func (s *scratch) customerIORecipient(to string) {
	f := &s.report
	to = addressOf(to)
	switch {
	case strings.IndexByte(to, '@') >= 0:
		f.address = to
	case f.channel == schemas.ChannelSMS, f.channel == schemas.ChannelWhatsApp:
		f.phone = strings.TrimPrefix(to, "whatsapp:")
	}
}

// customerIOPreferences keeps the topics and channels of a change of preferences, which stand as JSON in the text content. The content of
// any other event is the message itself, which is not kept.
func (s *scratch) customerIOPreferences(raw []byte) {
	if s.report.kind != schemas.TypeConsentUpdate {
		return
	}
	inner := raw
	if raw[0] == '"' {
		inner = bytesOf(s.readText(raw))
	}
	if !field.Valid(inner) {
		return
	}
	r, ok := s.open(inner)
	for ok && r.Next() {
		switch r.Key {
		case "topics", "channels":
			key := r.Key
			s.properties.Add(key, r.Raw())
		default:
			r.Skip()
		}
	}
}
