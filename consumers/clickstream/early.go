package clickstream

import "github.com/seamline/seamline/consumers/field"

// early says on what grounds the properties were read while they were passed, before the rest of the call was. Most libraries write them
// last, so that all they depend on is known by then; where it turns out that it was not, they are read again.
type early struct {
	done bool
	what meaning
	head [7]string
}

// readEarly passes the properties, and reads them where the type of the call is known and nothing else is to be read before them.
func (s *scratch) readEarly(r *field.Reader) {
	c, here := &s.call, r.Here()
	s.early.done = false
	what, known := c.meaningOfType()
	if known && c.traits == nil && (c.kind == "track" && c.event != "" || c.kind == "page" || c.kind == "screen") {
		s.early = early{true, what, c.head()}
		s.begin(what)
		s.facts.readProperties(r, s, what)
	} else {
		r.Skip()
	}
	if r.OK() {
		c.properties = r.Since(here)
	}
}

// holds tells whether the properties were read early, and just as they would be read now.
func (e *early) holds(c *call, what meaning) bool {
	return e.done && e.what == what && c.traits == nil && e.head == c.head()
}

// begin starts the facts, and the properties with what does not stand in the call's own.
func (s *scratch) begin(what meaning) {
	s.facts = facts{}
	s.properties.Begin(s.out)
	s.head(what)
}

// head is all that scratch.head reads.
func (c *call) head() [7]string {
	return [...]string{c.event, c.name, c.category, c.groupID, c.context.groupID, c.context.term, c.context.content}
}
