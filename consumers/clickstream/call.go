package clickstream

import (
	"github.com/seamline/seamline/consumers/field"
	"github.com/seamline/seamline/schemas"
)

// call is one Segment or RudderStack call as it was read. Raw parts are read further once the call's type is known.
type call struct {
	kind        string // track, page, screen, identify, alias, group, merge
	event       string // the name of a track call
	name        string // the name of a page or screen
	category    string // the category of a page
	userID      string
	anonymousID string
	previousID  string
	groupID     string
	messageID   string
	channel     string
	rudder      bool // has a field that only RudderStack sends

	timestamp field.Time
	original  field.Time
	sent      field.Time
	received  field.Time

	properties []byte
	traits     []byte
	merge      []byte
	context    context
}

// context is what a call says about its surroundings.
type context struct {
	person      person
	traits      []byte // where they say more of the person than has a field here
	externalIDs []schemas.Identifier
	consent     []byte // preferences by category
	management  []byte // RudderStack's form of the same
	pageURL     string
	pagePath    string
	referrer    string
	campaign    schemas.Campaign
	term        string
	content     string
	deviceID    string
	advertiseID string
	tracking    field.Bool // of the advertising id
	deviceType  string
	system      string
	library     string
	channel     string
	groupID     string
	country     string
}

// person is what traits say about who it is.
type person struct {
	email   string
	phone   string
	loyalty string
	country string
	more    bool // names, a postal address or the like stand there as well
}

// copy makes c say what from says, and keeps its memory.
func (c *context) copy(from *context) {
	externalIDs := append(c.externalIDs[:0], from.externalIDs...)
	*c = *from
	c.externalIDs = externalIDs
}

func (c *call) reset() {
	externalIDs := c.context.externalIDs[:0]
	*c = call{}
	c.context.externalIDs = externalIDs
}

// inherit starts an empty call with what its batch says.
func (c *call) inherit(b *batch) {
	c.context.copy(&b.context)
	c.sent, c.received, c.channel = b.sent, b.received, b.channel
}

// readCall reads the call from an object. Where the object may be a batch, its calls are given back unread.
func (s *scratch) readCall(r *field.Reader) (calls []byte) {
	c := &s.call
	if !r.Object() {
		return nil
	}
	for r.Next() {
		switch r.Key {
		case "type":
			c.kind = r.Text()
		case "event", "eventName", "event_name":
			c.event = r.Text()
		case "name":
			c.name = r.Text()
		case "category":
			c.category = r.Text()
		case "userId", "user_id", "userID":
			c.userID = r.Text()
		case "anonymousId", "anonymous_id", "anonymousID":
			c.anonymousID = r.Text()
		case "previousId", "previous_id", "previousID":
			c.previousID = r.Text()
		case "groupId", "group_id", "groupID":
			c.groupID = r.Text()
		case "messageId", "message_id", "messageID":
			c.messageID = r.Text()
		case "timestamp":
			c.timestamp = r.Time()
		case "originalTimestamp", "original_timestamp":
			c.original = r.Time()
		case "sentAt", "sent_at":
			c.sent = r.Time()
		case "receivedAt", "received_at":
			c.received = r.Time()
		case "rudderId", "rudder_id":
			c.rudder = true
			r.Skip()
		case "channel":
			c.channel = r.Text()
		case "properties":
			s.readEarly(r)
		case "traits":
			c.traits = r.Raw()
		case "mergeProperties", "merge_properties":
			c.merge, c.rudder = r.Raw(), true
		case "context":
			c.context.read(r)
		case "batch":
			if r.Kind() != field.KindArray {
				r.Skip()
				continue
			}
			calls = r.Raw()
		default:
			r.Skip()
		}
	}
	return calls
}
