package stitch

import (
	"unsafe"

	"github.com/dchest/siphash"

	"github.com/seamline/seamline/schemas"
	"github.com/seamline/seamline/schemas/contact"
)

// told is what an event said last of one kind of contact data, so that only what is new becomes a row: many producers say all of it on every
// event. Two values have the same print by a chance of one in four thousand million, and then the later one is missed.
type told struct {
	print uint32
	hi    uint32 // event time, and in the first bit whether it must be saved
	lo    uint32
}

// toldUnsaved stands in the list of what must be saved.
const toldUnsaved = 1 << 31

func (t *told) time() schemas.Time {
	return schemas.Time(uint64(t.hi&^toldUnsaved)<<32 | uint64(t.lo))
}

// setTime notes an event time; what happened before 1970 happened then.
func (t *told) setTime(at schemas.Time) {
	at = max(at, 0)
	t.hi, t.lo = t.hi&toldUnsaved|uint32(uint64(at)>>32)&^toldUnsaved, uint32(at)
}

// toldBytes is what one piece of contact data can add to the state, where the table's parts are as empty as they get.
const toldBytes = 4 * int64(unsafe.Sizeof(uint64(0))+unsafe.Sizeof(told{})+4)

// toldKey is the key of an identifier's kind of contact data.
func toldKey(id uint32, kind schemas.ContactKind) uint64 { return uint64(id)<<8 | uint64(kind) }

// tell makes rows of the contact data that the event is the first to say: of its e-mail addresses and phone numbers, each its own, and of
// what traits say, which belongs to the event's head; an advertising id belongs to the event's device.
func (s *Stage) tell(e *schemas.Event, head int) {
	for i := range s.found {
		c := &s.found[i]
		if kind, ok := contactOf(c.ns); ok && !c.isKiosk {
			s.tellIdentifier(c, kind)
		}
	}
	if len(e.Contacts) == 0 || head < 0 {
		return
	}
	place := contact.Place{Region: s.rules.Region}
	for i := range e.Contacts {
		if e.Contacts[i].Kind == schemas.ContactCountry {
			place.Country = e.Contacts[i].Value
		}
	}
	for i := range e.Contacts {
		c := &e.Contacts[i]
		of := &s.found[head]
		if c.Kind == schemas.ContactMobileID {
			of = s.device(head)
		}
		if kind, ok := contactOf(of.ns); ok && kind == c.Kind {
			continue // the identifier itself says more
		}
		s.tellTrait(of.id, c, place)
	}
}

// device gives the identifier that an advertising id belongs to: the event's device where it has one that may link, so that who takes the id
// of one device back keeps that of another; else the head.
func (s *Stage) device(head int) *candidate {
	for i := range s.found {
		if c := &s.found[i]; c.ns.Name == schemas.NamespaceDeviceID && c.linkable() {
			return c
		}
	}
	return &s.found[head]
}

// contactOf gives the kind of contact data that a namespace's values are.
func contactOf(ns *Namespace) (schemas.ContactKind, bool) {
	switch ns.Normalise {
	case NormaliseEmail:
		return schemas.ContactEmail, true
	case NormalisePhone:
		return schemas.ContactPhone, true
	}
	return 0, false
}

func (s *Stage) tellIdentifier(c *candidate, kind schemas.ContactKind) {
	n := s.g.nodes.At(c.id)
	if n.is(isTold) {
		return
	}
	n.flags |= isTold
	s.changeIdentifier(c.id)
	if said, ok := contact.Tell(kind, c.form.value, contact.Place{Region: s.rules.Region}); ok {
		s.addContact(c.id, kind, s.event.Time, said)
	}
}

// tellTrait notes what an event says of a kind, and makes a row where that is new. What has not the form of its kind says nothing. What is
// taken back before it was told makes no row, and is noted, so that something older that comes later does not count.
func (s *Stage) tellTrait(id uint32, c *schemas.Contact, place contact.Place) {
	key := toldKey(id, c.Kind)
	t, print := s.g.told.Ref(key), s.g.printContact(c, place)
	isFirst := t == nil
	isNew := isFirst || t.print != print
	if !isFirst && !s.counts(t, print, c.Kind) {
		return
	}
	var said contact.Told
	if isNew && c.Value != "" {
		var ok bool
		if said, ok = contact.Tell(c.Kind, c.Value, place); !ok {
			return
		}
	}
	if isFirst {
		s.g.told.Put(key, told{})
		t = s.g.told.Ref(key)
	}
	t.print = print
	t.setTime(s.event.Time)
	s.changeTold(t, key)
	if isNew && (c.Value != "" || !isFirst) {
		s.addContact(id, c.Kind, s.event.Time, said)
	}
}

// counts tells whether the event at hand says something newer than what is known, in whatever order they came. Of what is said at one time,
// what was taken back is taken back, and else the print decides.
func (s *Stage) counts(t *told, print uint32, kind schemas.ContactKind) bool {
	if at := s.event.Time; at != t.time() {
		return at > t.time()
	}
	nothing := s.g.printContact(&schemas.Contact{Kind: kind}, contact.Place{})
	return t.print != nothing && (print == nothing || print > t.print)
}

// printContact gives the print of a piece of contact data. What a region and a postal code mean depends on the country.
func (g *graph) printContact(c *schemas.Contact, place contact.Place) uint32 {
	k0, k1 := g.k0^uint64(c.Kind), g.k1
	if c.Value != "" && (c.Kind == schemas.ContactRegion || c.Kind == schemas.ContactPostal) {
		k1 ^= siphash.Hash(g.k0, g.k1, unsafe.Slice(unsafe.StringData(place.Country), len(place.Country)))
	}
	return uint32(siphash.Hash(k0, k1, unsafe.Slice(unsafe.StringData(c.Value), len(c.Value))))
}

func (s *Stage) addContact(id uint32, kind schemas.ContactKind, at schemas.Time, said contact.Told) {
	s.batch.Contacts = append(s.batch.Contacts, schemas.ContactRow{IdentifierID: uint64(id), Kind: kind, Time: at, Forms: said.Forms,
		Value: said.Value, Clear: said.Clear})
}

// changeTold remembers that a piece of contact data must be saved.
func (s *Stage) changeTold(t *told, key uint64) {
	if t.hi&toldUnsaved == 0 {
		t.hi |= toldUnsaved
		s.unsaved.told = append(s.unsaved.told, key)
	}
}

// untell takes back all contact data of an identifier that is erased: rows without anything, which are newer than what was said.
func (s *Stage) untell(id uint32) {
	n := s.g.nodes.At(id)
	if kind, ok := contactOf(s.ruleOf(n.namespace)); ok && n.is(isTold) {
		s.addContact(id, kind, max(s.event.Time, s.g.rows.At(id).last), contact.Told{})
	}
	for kind := range schemas.ContactKind(schemas.ContactCount) {
		key := toldKey(id, kind)
		t := s.g.told.Ref(key)
		if t == nil {
			continue
		}
		at := max(s.event.Time, t.time()+1)
		t.print = s.g.printContact(&schemas.Contact{Kind: kind}, contact.Place{})
		t.setTime(at)
		s.changeTold(t, key)
		s.addContact(id, kind, at, contact.Told{})
	}
}
