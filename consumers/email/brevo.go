package email

import (
	"strings"
	"time"
	_ "time/tzdata" // small systems have no time zones of their own

	"github.com/seamline/seamline/consumers/field"
	"github.com/seamline/seamline/schemas"
)

// wordLengthMax bounds the names of events that are looked up.
const wordLengthMax = 32

// brevoMeaning tells what an event of Brevo is; its names come in snake_case from webhooks and in camelCase from the API. A soft bounce
// may still be delivered later, so it is deferred.
func brevoMeaning(word string) (m meaning, ok bool) {
	var buffer [wordLengthMax]byte
	if len(word) > wordLengthMax {
		return m, false
	}
	switch string(field.Fold(buffer[:0], word)) {
	case "request", "requests", "sent":
		m.kind = schemas.TypeMessageSent
	case "delivered":
		m.kind = schemas.TypeMessageDelivered
	case "opened", "open":
		m.kind = schemas.TypeMessageOpen
	case "uniqueopened":
		m.kind, m.first = schemas.TypeMessageOpen, true
	case "proxyopen", "loadedbyproxy":
		m.kind, m.machine = schemas.TypeMessageOpen, true
	case "uniqueproxyopen":
		m.kind, m.machine, m.first = schemas.TypeMessageOpen, true, true
	case "click", "clicked", "clicks":
		m.kind = schemas.TypeMessageClick
	case "hardbounce", "hardbounces":
		m.kind, m.reason = schemas.TypeMessageBounce, "hard_bounce"
	case "softbounce", "softbounces":
		m.kind, m.reason = schemas.TypeMessageDeferred, "soft_bounce"
	case "deferred":
		m.kind = schemas.TypeMessageDeferred
	case "blocked":
		m.kind, m.reason = schemas.TypeMessageBounce, "blocked"
	case "invalidemail", "invalid":
		m.kind, m.reason = schemas.TypeMessageBounce, "invalid_email"
	case "error":
		m.kind, m.reason = schemas.TypeMessageBounce, "error"
	case "spam", "complaint":
		m.kind = schemas.TypeMessageComplaint
	case "unsubscribe", "unsubscribed":
		m.kind = schemas.TypeMessageUnsubscribe
	case "listaddition":
		m.kind = schemas.TypeConsentUpdate
	case "contactupdated", "contactdeleted", "inboundemailprocessed", "reply", "uniquecouponsent":
		m.drop = schemas.DropNoEvent
	default:
		return m, false
	}
	return m, true
}

// brevoTimes are the fields that tell when something happened. All but epoch are in the time zone of the account.
type brevoTimes struct {
	epoch, event, ts, dateEvent, date field.Time
}

// readBrevo reads one event of a transactional or marketing webhook. Its numeric id is the account's or the webhook's and names no event.
func (s *scratch) readBrevo() refusal {
	f := &s.report
	f.source, f.channel = sourceBrevo, schemas.ChannelEmail
	var times brevoTimes
	var tag, addresses []byte
	for i := range s.members {
		key, raw := s.members[i].key, s.members[i].raw
		switch key {
		case "event":
			f.word = s.readText(raw)
		case "email":
			addresses = raw
		case "ts_epoch":
			times.epoch = timeOf(raw)
		case "ts_event":
			times.event = timeOf(raw)
		case "ts":
			times.ts = timeOf(raw)
		case "date_event":
			times.dateEvent = timeOf(raw)
		case "date":
			times.date = timeOf(raw)
		case "tag":
			tag = raw
		default:
			s.brevoMember(key, raw)
		}
	}
	if f.word == "" {
		return missing("event")
	}
	var known bool
	if f.meaning, known = brevoMeaning(f.word); !known {
		return unknownEvent("event is none of Brevo's")
	}
	f.at = times.choose(s.decoder.brevoZone)
	if f.tags == nil {
		f.tags = s.brevoTag(tag)
	}
	if f.kind == schemas.TypeConsentUpdate {
		s.properties.AddBool("subscribed", true)
	}
	return s.brevoAddresses(addresses)
}

// brevoAddresses takes the address, or the addresses: additions to a list come in one report.
func (s *scratch) brevoAddresses(raw []byte) refusal {
	f := &s.report
	if raw == nil || raw[0] != '[' {
		f.address = addressOf(s.first(raw))
		return refusal{}
	}
	r := field.NewReader(raw, s.out)
	r.Array()
	for r.Element() {
		if len(s.recipients) == recipientsMax {
			return refusal{reason: schemas.ReasonMalformed, detail: "more than 50 addresses"}
		}
		if address := addressOf(r.Text()); address != "" {
			s.recipients = append(s.recipients, recipient{address: address})
		}
	}
	if len(s.recipients) > 1 {
		f.anonymise()
	}
	return refusal{}
}

func (s *scratch) brevoMember(key string, raw []byte) {
	f, p := &s.report, &s.properties
	switch key {
	case "id", "subject", "sending_ip", "ip", "mirror_link", "ts_sent", "date_sent", "sender_email", "content", "webhook_id":
	case "message-id":
		f.message = bareMessageID(s.readText(raw))
	case "link", "URL", "url":
		f.url = s.readText(raw)
	case "user_agent":
		f.agent = s.readText(raw)
	case "device_used":
		p.Add("device", raw)
	case "reason":
		f.detail = s.readText(raw)
	case "tags":
		if raw[0] == '[' {
			f.tags = raw
		}
	case "template_id":
		f.template = s.readText(raw)
	case "camp_id":
		f.campaign.ID = s.readText(raw)
	case "campaign name", "campaign_name":
		f.campaign.Name = strings.TrimSpace(s.readText(raw))
	case "X-Mailin-custom":
		s.brevoCustom(raw)
	default:
		p.Add(key, raw)
	}
}

// brevoCustom reads the data that the sender attached: JSON in a text, or the older form name:value|name:value.
func (s *scratch) brevoCustom(raw []byte) {
	if raw[0] == '{' {
		s.customObject(raw)
		return
	}
	text := s.readText(raw)
	if inner := bytesOf(text); field.Valid(inner) {
		if strings.TrimSpace(text)[0] == '{' {
			s.customObject(inner)
		}
		return
	}
	for text != "" {
		var entry string
		entry, text, _ = strings.Cut(text, "|")
		name, value, found := strings.Cut(entry, ":")
		if name = strings.TrimSpace(name); found && name != "" {
			s.text = field.AppendQuoted(s.text[:0], strings.TrimSpace(value))
			s.custom(name, bytesOf(s.out.Text(s.text)))
		}
	}
}

// brevoTag reads the field tag, which is one tag, or an array of tags as JSON in a text.
func (s *scratch) brevoTag(raw []byte) []byte {
	if raw == nil || raw[0] != '"' {
		return nil
	}
	text := strings.TrimSpace(s.readText(raw))
	if inner := bytesOf(text); strings.HasPrefix(text, "[") && field.Valid(inner) {
		return inner
	}
	if text == "" {
		return nil
	}
	return raw
}

// choose takes ts_epoch, which alone is sure to be UTC, and else the first of the others, read as a clock on the account's wall.
func (t *brevoTimes) choose(zone *time.Location) field.Time {
	if t.epoch.Set {
		return t.epoch
	}
	for _, one := range [...]field.Time{t.event, t.ts, t.dateEvent, t.date} {
		if !one.Set {
			continue
		}
		if !one.Bad && zone != time.UTC {
			wall := one.Value.Std()
			there := time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), wall.Nanosecond(), zone)
			one.Value = schemas.TimeOf(there)
		}
		return one
	}
	return field.Time{}
}
