package email

import (
	"encoding/json"

	"github.com/seamline/seamline/schemas"
)

// calls stands in for the decoder of Segment calls: it reads the e-mail calls of these tests, alone, in a batch or in an array.
type calls struct{}

func (calls) Name() string { return "calls" }

type call struct {
	Event     string
	MessageID string
	UserID    string
	Context   struct{ Traits struct{ Email string } }
	Timestamp schemas.Time
	Batch     []call
}

var callTypes = map[string]schemas.Type{
	"Email Delivered": schemas.TypeMessageDelivered, "Email Opened": schemas.TypeMessageOpen, "Email Link Clicked": schemas.TypeMessageClick,
	"Email Bounced": schemas.TypeMessageBounce, "Unsubscribed": schemas.TypeMessageUnsubscribe, "Email Marked as Spam": schemas.TypeMessageComplaint,
}

func (calls) Decode(_ *schemas.Record, value []byte, out *schemas.Decoded) {
	var c call
	if err := json.Unmarshal(value, &c); err != nil {
		out.Reject(schemas.ReasonMalformed, "not a call of these tests")
		return
	}
	if c.Batch == nil {
		c.decode(out)
		return
	}
	for i := range c.Batch {
		out.Element = i
		c.Batch[i].decode(out)
	}
}

func (c *call) decode(out *schemas.Decoded) {
	kind, known := callTypes[c.Event]
	if !known || c.MessageID == "" || c.UserID == "" || c.Timestamp == 0 {
		out.Reject(schemas.ReasonUnknownEvent, "not a call of these tests")
		return
	}
	e := out.Event()
	e.ID, e.Source, e.Channel, e.Type, e.Time = c.MessageID, "segment", schemas.ChannelEmail, kind, c.Timestamp
	e.Identify(schemas.NamespaceUserID, c.UserID)
	e.Identify(schemas.NamespaceEmail, c.Context.Traits.Email)
}
