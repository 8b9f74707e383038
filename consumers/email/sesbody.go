package email

import (
	"strings"

	"github.com/seamline/seamline/consumers/field"
)

// sesBodyMembers reads the object that is named after the event. Its members that have no meaning of their own become properties later.
func (s *scratch) sesBodyMembers(g *ses) {
	f := &s.report
	r, ok := s.open(g.body)
	for ok && r.Next() {
		switch r.Key {
		case "timestamp":
			f.at = timeOf(r.Raw())
		case "recipients", "bouncedRecipients", "complainedRecipients", "delayedRecipients":
			s.sesAddresses(g, &r)
		case "bounceType", "complaintFeedbackType", "delayType":
			g.kind = r.Text()
		case "bounceSubType", "complaintSubType":
			g.subKind = r.Text()
		case "reason", "errorMessage":
			f.detail = r.Text()
		case "templateName":
			f.template = r.Text()
		case "link":
			f.url = r.Text()
		case "userAgent":
			f.agent = r.Text()
		case "newTopicPreferences":
			s.sesTopics(g, r.Raw())
		default:
			r.Skip()
		}
	}
}

// sesTopics reads the preferences after a change: everything, or at least one topic, may have been given up.
func (s *scratch) sesTopics(g *ses, raw []byte) {
	r, ok := s.open(raw)
	for ok && r.Next() {
		switch r.Key {
		case "unsubscribeAll":
			g.unsubscribed = r.Bool().Value || g.unsubscribed
		case "topicSubscriptionStatus":
			g.topics = r.Raw()
		default:
			r.Skip()
		}
	}
	if len(g.topics) == 0 || g.topics[0] != '[' {
		g.topics = nil
		return
	}
	topics := field.NewReader(g.topics, s.out)
	topics.Array()
	for topics.NextObject() {
		for topics.Next() {
			if topics.Key == "subscriptionStatus" {
				g.unsubscribed = strings.EqualFold(topics.Text(), "OptOut") || g.unsubscribed
				continue
			}
			topics.Skip()
		}
	}
}

// sesProperties adds what the report says about one recipient's event.
func (s *scratch) sesProperties(g *ses, one *recipient) {
	p := &s.properties
	if g.subKind != "" && g.subKind != "null" {
		p.AddText("sub_reason", g.subKind)
	}
	p.AddText("status", one.status)
	if g.topics != nil {
		p.Add("topics", g.topics)
	}
	if g.word == "Subscription" {
		p.AddBool("subscribed", !g.unsubscribed)
	}
	r, ok := s.open(g.body)
	for ok && r.Next() {
		switch r.Key {
		case "smtpResponse":
			s.report.response = r.Text()
		case "processingTimeMillis":
			p.Add("processing_ms", r.Raw())
		case "feedbackId":
			p.Add("feedback_id", r.Raw())
		case "contactList":
			p.Add("list_id", r.Raw())
		case "source":
			p.Add("origin", r.Raw())
		case "linkTags":
			p.Add("link_tags", r.Raw())
		default:
			r.Skip()
		}
	}
	s.sesTags(g)
}

// tagsMax bounds the tags of a message that are read, since they are read for each recipient; no message has nearly as many.
const tagsMax = 128

// sesTags reads the message's tags, each an array of texts. Of the tags that SES adds itself, only the configuration set is kept: the
// others name servers, senders and addresses.
func (s *scratch) sesTags(g *ses) {
	r, ok := s.open(g.tags)
	for n := 0; ok && n < tagsMax && r.Next(); n++ {
		key := r.Key
		raw := r.Raw()
		switch {
		case raw == nil:
		case key == "ses:configuration-set":
			s.properties.AddText("configuration_set", s.first(raw))
		case strings.HasPrefix(key, "ses:"):
		default:
			s.custom(key, lone(raw))
		}
	}
}

// lone gives the element of an array that has just one, and anything else as it is.
func lone(raw []byte) []byte {
	if raw[0] != '[' || several(raw) {
		return raw
	}
	r := field.NewReader(raw, nil)
	r.Array()
	if !r.Element() {
		return raw
	}
	return r.Raw()
}
