package schemas

import "unsafe"

// Decoder reads the records of one feed. It is stateless and may be called from several goroutines, each with its own Decoded.
type Decoder interface {
	// Name is the feed's name, for logs and metrics.
	Name() string
	// Decode reads value, which is r.Value without its envelope, and appends events, rejects and drops to out. It never panics,
	// and one bad element never costs the others.
	Decode(r *Record, value []byte, out *Decoded)
}

// Decoded collects what decoders find. It is reused from batch to batch, so that decoding allocates nothing once it is warm.
type Decoded struct {
	Events  []Event
	Rejects []Reject
	Dropped []DroppedElement

	// Element is the position within the record of what is being decoded; decoders of arrays and batches set it.
	Element int

	// Marks are those of the current record's text. Readers take them.
	Marks Marks

	record      *Record
	text        texts
	identifiers slab[Identifier] // of all events, one behind the other, so that they are walked over in the order of memory
	items       slab[Item]
	consents    slab[Consent]
	contacts    slab[Contact]
}

// Marks are notes on the text of a record, taken in one pass over it, so that its readers need not search its bytes again. They belong to
// the readers, who know what they mean; Begin takes them away.
type Marks struct {
	Text   []byte   // what the marks are of; nil for none
	ASCII  bool     // no byte is beyond ASCII
	Stops  []uint64 // a bit per byte: a quote, a backslash or a control character
	Digits []uint64 // a bit per byte: a digit, a space or a hyphen
	Opened []uint64 // a bit per byte: an object or array that is known to be well-formed starts here
	Ends   []uint32 // by the byte where such an object or array starts: the byte behind it
}

// DroppedElement is one element that was dropped on purpose.
type DroppedElement struct {
	Source string
	Drop   Drop
}

// Reset forgets everything and keeps the memory. What was decoded before must not be used any more. No event keeps a string, in use or
// not: each stands in the bytes of its record, which stand in those of many more.
func (d *Decoded) Reset() {
	d.close()
	for i := range d.Events {
		d.Events[i].reset()
	}
	d.identifiers.reset()
	d.items.reset()
	d.consents.reset()
	d.contacts.reset()
	clear(d.Rejects)
	d.Events, d.Rejects, d.Dropped = d.Events[:0], d.Rejects[:0], d.Dropped[:0]
	d.Element, d.record, d.Marks.Text = 0, nil, nil
	d.text.reset()
}

// Grow makes room for a number of events after Reset, so that nothing is copied while decoding.
func (d *Decoded) Grow(events int) {
	if cap(d.Events) < events { // slices.Grow would copy all that there is room for
		d.Events = make([]Event, 0, events)
	}
}

// Begin starts a record: rejects and events that follow belong to it.
func (d *Decoded) Begin(r *Record) { d.record, d.Element, d.Marks.Text = r, 0, nil }

// Event appends an empty event for the caller to fill and gives a pointer that is valid until the next call. Until then, identifiers,
// items, consents and contacts may be appended to it.
func (d *Decoded) Event() *Event {
	d.close()
	if len(d.Events) < cap(d.Events) {
		d.Events = d.Events[:len(d.Events)+1]
	} else {
		d.Events = append(d.Events, Event{})
	}
	e := &d.Events[len(d.Events)-1]
	e.Record, e.Element = d.record, d.Element
	e.Identifiers, e.Items, e.Consents, e.Contacts = d.identifiers.rest(), d.items.rest(), d.consents.rest(), d.contacts.rest()
	return e
}

// item gives a list of one item that lives until Reset, for an event that has none.
func (d *Decoded) item(it Item) []Item {
	d.close()
	return d.items.keep(append(d.items.rest(), it))
}

// close ends the newest event, so that the next one's identifiers and items may follow its own.
func (d *Decoded) close() {
	if last := len(d.Events) - 1; last >= 0 {
		e := &d.Events[last]
		e.Identifiers, e.Items = d.identifiers.keep(e.Identifiers), d.items.keep(e.Items)
		e.Consents, e.Contacts = d.consents.keep(e.Consents), d.contacts.keep(e.Contacts)
	}
}

// Discard takes the newest event back, for a decoder that finds it bad half-way.
func (d *Decoded) Discard() {
	last := len(d.Events) - 1
	e := &d.Events[last]
	clear(e.Identifiers)
	clear(e.Items)
	clear(e.Consents)
	clear(e.Contacts)
	d.identifiers.open, d.items.open, d.consents.open, d.contacts.open = false, false, false, false
	e.reset()
	d.Events = d.Events[:last]
}

// Reject refuses the current element. Detail names fields and limits, never a person's data.
func (d *Decoded) Reject(reason Reason, detail string) {
	reject := Reject{Record: d.record, Element: d.Element, Reason: reason, Detail: detail}
	if d.record != nil {
		reject.Value = d.record.Value
	}
	d.Rejects = append(d.Rejects, reject)
}

// Drop counts the current element as dropped on purpose.
func (d *Decoded) Drop(source string, drop Drop) {
	d.Dropped = append(d.Dropped, DroppedElement{Source: source, Drop: drop})
}

// Text copies b into the arena and gives it as a string that lives until Reset. Use it for strings that a decoder builds;
// strings that stand in the record need no copy.
func (d *Decoded) Text(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	return d.text.keep(b)
}

// texts is memory for strings that are built, in pieces that stay where they are.
type texts struct {
	pieces [][]byte
	at     int // the piece that is written to
}

// textPieceBytes is the size of a piece, unless a single string needs more.
const textPieceBytes = 256 << 10

// keep copies b to where it lives until reset.
func (t *texts) keep(b []byte) string {
	for t.at < len(t.pieces) && cap(t.pieces[t.at])-len(t.pieces[t.at]) < len(b) {
		t.at++
	}
	if t.at == len(t.pieces) {
		t.pieces = append(t.pieces, make([]byte, 0, max(textPieceBytes, len(b))))
	}
	piece := &t.pieces[t.at]
	start := len(*piece)
	*piece = append(*piece, b...)
	return unsafe.String(&(*piece)[start], len(b))
}

func (t *texts) reset() {
	for i := range t.pieces {
		t.pieces[i] = t.pieces[i][:0]
	}
	t.at = 0
}
