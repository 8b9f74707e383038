package clickstream

import (
	"cmp"

	"github.com/seamline/seamline/consumers/field"
	"github.com/seamline/seamline/schemas"
	"github.com/seamline/seamline/schemas/contact"
)

// finish makes an event of the call that was read from raw, or a reject.
func (s *scratch) finish(raw []byte) {
	c := &s.call
	if c.kind == "" && c.event != "" {
		c.kind = "track" // the oldest libraries send no type with it
	}
	if c.kind == "" {
		s.out.Reject(schemas.ReasonUnknownFormat, "no type and no event")
		return
	}
	what, known := c.meaningOfCall()
	if !known {
		s.out.Reject(schemas.ReasonUnknownEvent, "type is none of track, page, screen, identify, alias, group, merge")
		return
	}
	if c.kind == "track" && c.event == "" {
		s.out.Reject(schemas.ReasonMissingField, "event")
		return
	}
	news := s.config.ConsentFeed && what.role&roleConsent == 0 && c.context.hasConsent()
	if news {
		// What else the call says belongs to the feed of behaviour.
		what = meaning{kind: schemas.TypeConsentUpdate, role: roleConsent}
		c.properties, s.early.done = nil, false
	}
	if name := c.badTime(); name != "" {
		s.out.Reject(schemas.ReasonImpossibleTime, name+" is no time")
		return
	}
	e := s.out.Event()
	e.Type, e.Source = what.kind, c.source()
	if reason, detail := s.fill(e, what); reason != "" {
		s.out.Discard()
		s.out.Reject(reason, detail)
		return
	}
	s.name(e, raw)
	if news {
		// The same call may stand on the feed of behaviour, where its id is another event's.
		e.ID = s.concat(e.ID, ":consent")
	}
}

// fill fills all of the event but its id, or says why it cannot be.
func (s *scratch) fill(e *schemas.Event, what meaning) (schemas.Reason, string) {
	c, f := &s.call, &s.facts
	var record schemas.Time
	if s.record != nil {
		record = s.record.Time
	}
	e.Time = c.eventTime(record, s.config.CorrectSkew)
	if e.Time == 0 {
		return schemas.ReasonImpossibleTime, "no time given"
	}
	e.Received = record
	if c.received.Set {
		e.Received = c.received.Value
	}
	if !s.early.holds(c, what) {
		s.begin(what)
		f.read(s, what)
	}
	e.Channel = c.surroundings(what.channel, f.salesChannel)
	f.country(e, c)
	f.place(e, c, what)
	f.message(e, c, what)
	s.who(e)
	s.details(e, what)
	if len(e.Identifiers) == 0 {
		return schemas.ReasonMissingIdentifier, "no userId, anonymousId, e-mail, phone, device or external id"
	}
	if e.Type == schemas.TypeAlias && len(e.Identifiers) < 2 {
		return schemas.ReasonMissingIdentifier, "an alias or merge needs two identifiers"
	}
	if reason, detail := f.trade(s, e, what); reason != "" {
		return reason, detail
	}
	if what.role&roleConsent != 0 && !s.consent(e) {
		return schemas.ReasonMissingField, "context.consent.categoryPreferences"
	}
	if what.role&roleSurvey != 0 {
		if detail := f.answer(s, e); detail != "" {
			return schemas.ReasonMalformed, detail
		}
	}
	e.AccountID = cmp.Or(c.groupID, c.context.groupID)
	e.Properties = s.properties.String(s.out)
	return "", ""
}

// head adds the properties that do not stand in the call's own properties. They come first, so that they win.
func (s *scratch) head(what meaning) {
	c, p := &s.call, &s.properties
	if what.role&roleNamed != 0 {
		p.AddText("event", c.event)
	}
	if what.role&rolePage != 0 {
		p.AddText("name", c.name)
		p.AddText("category", c.category)
	}
	if c.groupID != "" {
		p.AddText("group_id", c.groupID)
	} else {
		p.AddText("group_id", c.context.groupID)
	}
	p.AddText("campaign_term", c.context.term)
	p.AddText("campaign_content", c.context.content)
}

// who adds the identifiers.
func (s *scratch) who(e *schemas.Event) {
	c := &s.call
	c.identifiers(e, &s.facts.person)
	switch c.kind {
	case "alias":
		if field.EmailLike(c.previousID) {
			field.Identify(e, schemas.NamespaceEmail, c.previousID)
		} else {
			field.Identify(e, schemas.NamespaceAnonymousID, c.previousID)
		}
	case "merge":
		c.merged(e, s.out)
	}
}

// details adds what traits say that people can be matched by: the call's own before those of its context. Those of a group call are the
// company's.
func (s *scratch) details(e *schemas.Event, what meaning) {
	c := &s.call
	if s.facts.person.more && c.traits != nil && what.kind != schemas.TypeGroup {
		field.Details(e, c.traits, s.out)
	}
	if c.context.traits != nil {
		field.Details(e, c.context.traits, s.out)
	}
	for _, p := range [...]*person{&s.facts.person, &c.context.person} {
		if _, ok := contact.Hashed(p.email); ok {
			e.Contacts = append(e.Contacts, schemas.Contact{Kind: schemas.ContactEmail, Value: p.email})
			break
		}
	}
	if c.context.advertiseID != "" || c.context.tracking.Set {
		field.MobileID(e, c.context.advertiseID, c.context.tracking)
	}
}

// name gives the event its id: the producer's, or a hash of the call's bytes. Where the call does not say when it happened, its time and
// its place in the record are part of the hash, since the same bytes may well be sent again for another view of the same page.
func (s *scratch) name(e *schemas.Event, raw []byte) {
	c := &s.call
	if e.ID = c.messageID; e.ID != "" {
		return
	}
	at := e.Time
	if c.timestamp.Set || c.original.Set {
		at = 0
	}
	e.ID = field.ElementID(s.out, e.Source, raw, at)
}
