package email

import (
	"strings"

	"github.com/seamline/seamline/consumers/field"
	"github.com/seamline/seamline/schemas"
)

// readSNS takes the envelope of Amazon SNS off. Handshakes are dropped, and so is what SES sends to see whether a topic works.
func (s *scratch) readSNS() {
	var kind, id string
	var at field.Time
	var message []byte
	for i := range s.members {
		key, raw := s.members[i].key, s.members[i].raw
		switch key {
		case "Type":
			kind = s.readText(raw)
		case "MessageId":
			id = s.readText(raw)
		case "Timestamp":
			at = timeOf(raw)
		case "Message":
			message = raw
		}
	}
	switch kind {
	case "Notification":
	case "SubscriptionConfirmation", "UnsubscribeConfirmation":
		s.out.Drop(sourceSES, schemas.DropNoEvent)
		return
	default:
		s.out.Reject(schemas.ReasonUnknownEvent, "Type is none of SNS's")
		return
	}
	content := s.notification(message)
	marks, ok := s.collect(content)
	switch {
	case !ok && topicTest(content):
		s.out.Drop(sourceSES, schemas.DropTest)
	case !ok && (len(content) == 0 || content[0] != '{'):
		s.out.Reject(schemas.ReasonUnknownFormat, "Message of SNS is no report of SES")
	case !ok:
		s.out.Reject(schemas.ReasonMalformed, "Message of SNS is not JSON")
	case !marks.has(markEventType):
		s.out.Reject(schemas.ReasonUnknownFormat, "Message of SNS is no report of SES")
	default:
		s.readSES(id, at)
	}
}

// notification gives the content of Message, which is JSON in a text, or JSON as it is where a gateway has unwrapped it.
func (s *scratch) notification(raw []byte) []byte {
	if len(raw) < 2 || raw[0] != '"' {
		return raw
	}
	// Through a buffer of its own, since the text is long and full of escapes.
	s.text = field.Unescape(s.text[:0], raw[1:len(raw)-1])
	return bytesOf(strings.TrimSpace(s.out.Text(s.text)))
}

// topicTest tells the texts by which SES tries a new topic.
func topicTest(content []byte) bool {
	text := string(content)
	return strings.HasPrefix(text, "Successfully validated SNS topic") || strings.HasPrefix(text, "AMAZON_SES_SUBSCRIPTION")
}
