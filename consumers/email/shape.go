package email

import (
	"strings"

	"github.com/seamline/seamline/consumers/field"
)

// membersMax bounds the members of a report that are looked at; no provider sends nearly as many.
const membersMax = 1024

// member is one top-level member of a report.
type member struct {
	key string
	raw []byte
}

// collect reads the members of an object and gives the marks by which its producer can be told, and whether it is well-formed.
func (s *scratch) collect(raw []byte) (m marks, ok bool) {
	s.members = s.members[:0]
	r := field.NewReader(raw, s.out)
	if !r.Object() {
		return 0, false
	}
	for r.Next() {
		key := r.Key
		value := r.Raw()
		if value == nil {
			break
		}
		if len(s.members) < membersMax {
			s.members = append(s.members, member{key, value})
			m |= markOf(key, value)
		}
	}
	s.used = max(s.used, len(s.members))
	return m, r.Done()
}

// marks are the members of an object that tell its shape, one bit each.
type marks uint32

const (
	markSendGrid marks = 1 << iota // a name that only SendGrid has
	markMailgun
	markPostmark
	markEventType // eventType, notificationType
	markMail      // an object
	markSNSType
	markSNSTopic
	markObjectType
	markMetric
	markBrevo     // a name that only Brevo has
	markEvent     // a text
	markEmail     // a text
	markTimestamp //
	markRecipient
	markLogLevel // log-level, delivery-status, user-variables: Mailgun's without an envelope
	markCallType // type is one of the words of the Segment spec
	markCall     // a name that only Segment calls have
	markBatch    // an array
)

// markOf gives the bit of one member.
func markOf(key string, raw []byte) marks {
	kind := raw[0]
	switch key {
	case "sg_event_id", "sg_message_id":
		return markSendGrid
	case "event-data":
		return when(kind == '{', markMailgun)
	case "RecordType":
		return markPostmark
	case "eventType", "notificationType":
		return markEventType
	case "mail":
		return when(kind == '{', markMail)
	case "Type":
		return markSNSType
	case "TopicArn", "Message", "SubscribeURL":
		return markSNSTopic
	case "object_type":
		return markObjectType
	case "metric":
		return markMetric
	case "ts_epoch", "message-id", "ts_event", "X-Mailin-custom", "camp_id", "date_event":
		return markBrevo
	case "event":
		return when(kind == '"', markEvent)
	case "email":
		return when(kind == '"', markEmail)
	case "timestamp":
		return markTimestamp
	case "recipient":
		return when(kind == '"', markRecipient)
	case "log-level", "delivery-status", "user-variables":
		return markLogLevel
	case "type":
		return when(callType(raw), markCallType)
	case "messageId", "anonymousId", "userId", "properties", "context":
		return markCall
	case "batch":
		return when(kind == '[', markBatch)
	}
	return 0
}

func when(condition bool, m marks) marks {
	if condition {
		return m
	}
	return 0
}

// callType tells whether a raw text is a type of Segment call.
func callType(raw []byte) bool {
	if raw[0] != '"' {
		return false
	}
	word := field.TextOf(raw)
	for _, known := range [...]string{"track", "page", "screen", "identify", "alias", "group", "merge", "batch"} {
		if strings.EqualFold(word, known) {
			return true
		}
	}
	return false
}

// shape is a form that a report may have.
type shape uint8

const (
	shapeUnknown shape = iota
	shapeSendGrid
	shapeMailgun
	shapePostmark
	shapeSNS
	shapeSES
	shapeBrevo
	shapeCustomerIO
	shapeCall
)

// has tells whether all of some marks are there.
func (m marks) has(all marks) bool { return m&all == all }

// shape tells the form. SendGrid comes first, since its customers' own arguments stand flat in its events under any name at all; then
// come the forms with a name that nobody else has, and last the ones that are told by common names.
func (m marks) shape() shape {
	switch {
	case m.has(markSendGrid):
		return shapeSendGrid
	case m.has(markMailgun):
		return shapeMailgun
	case m.has(markPostmark):
		return shapePostmark
	case m.has(markEventType) && m&(markMail|markSNSType) == markMail:
		return shapeSES
	case m.has(markSNSType | markSNSTopic):
		return shapeSNS
	case m.has(markObjectType | markMetric):
		return shapeCustomerIO
	case m.has(markBatch), m.has(markCallType):
		return shapeCall
	case m.has(markEvent | markBrevo):
		return shapeBrevo
	case m.has(markEvent | markRecipient | markTimestamp | markLogLevel):
		return shapeMailgun
	case m.has(markEvent | markCall):
		return shapeCall
	case m.has(markEvent | markEmail | markTimestamp):
		return shapeSendGrid
	case m.has(markEventType):
		return shapeSES
	}
	return shapeUnknown
}
