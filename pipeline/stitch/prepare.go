package stitch

import (
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"unsafe"

	"github.com/seamline/seamline/pipeline/slab"
	"github.com/seamline/seamline/schemas"
)

// form is an identifier of an event in the one form in which it is compared.
type form struct {
	print slab.Print
	ns    *Namespace // nil where the value has the wrong form
	value string     // normalised
	id    uint32     // of the identifier, where it was known when the batch began
}

// prepared holds the forms of some of a batch's events, one event after the other.
type prepared struct {
	events []*schemas.Event // of the batch
	from   int              // the first of them that is prepared
	to     int              // the first behind it that is not
	next   int              // the event that is expected next
	forms  []form
	starts []int // where each prepared event's forms begin, and the end
	one    []form
	prints []slab.Print
	ids    []uint32
}

// of gives where the forms of some prepared events are.
func (r *prepared) of(from, to int) (start, end int) {
	return r.starts[from-r.from], r.starts[min(to, r.to)-r.from]
}

// What one identifier of an event can add to the state: when it is new, and in any case. The text comes in addition.
const (
	newBytes = int64(unsafe.Sizeof(node{}) + unsafe.Sizeof(row{}) + 2*16 + unsafe.Sizeof(profile{}))
	// A link with its place in the table of pairs, the sums of a group, a claim, two leaves and a kiosk's profile.
	knownBytes = int64(2*unsafe.Sizeof(link{}) + 3*16 + unsafe.Sizeof(sums{})/sumsMin + unsafe.Sizeof(claim{}) + 2*unsafe.Sizeof(leaf{}) + unsafe.Sizeof(profile{}))
	textBytes  = 16 // what a display text may be longer than its value, with the end of its last piece
)

// prepareNext prepares further events where e is the first that is not.
func (s *Stage) prepareNext(e *schemas.Event) error {
	r := &s.ready
	if r.next != r.to || r.to == len(r.events) || r.events[r.next] != e {
		return nil
	}
	bytes := s.prepare(r.to, min(r.to+preparedEvents, len(r.events)))
	if err := errors.Join(s.space.Cool(), s.space.Reserve(bytes)); err != nil {
		return fmt.Errorf("stitch %d events: %w", r.to-r.from, err)
	}
	return nil
}

// prepare brings the identifiers of some events of the batch into one form and looks them up, in passes of which each reads memory that
// does not depend on the read before, so that the waits overlap. It gives the bytes that they can add to the state.
func (s *Stage) prepare(from, to int) (bytes int64) {
	r := &s.ready
	r.from, r.to, r.forms, r.starts = from, to, r.forms[:0], r.starts[:0]
	for _, e := range r.events[from:to] {
		r.starts = append(r.starts, len(r.forms))
		r.forms = s.appendForms(r.forms, e)
		bytes += int64(len(e.Contacts)) * toldBytes
	}
	r.starts = append(r.starts, len(r.forms))
	r.prints, r.ids = r.prints[:0], slices.Grow(r.ids[:0], len(r.forms))[:len(r.forms)]
	for i := range r.forms {
		r.prints = append(r.prints, r.forms[i].print)
	}
	s.g.index.GetAll(r.prints, r.ids)
	for i, id := range r.ids {
		f := &r.forms[i]
		if f.ns == nil {
			continue
		}
		bytes += knownBytes
		if f.id = id; id == 0 {
			bytes += newBytes + textBytes + int64(len(f.value))
		}
	}
	return bytes
}

// preparedEvents is how many events are prepared at a time: enough for waits to overlap, and few enough for what was read to be still near
// when they are stitched and scored.
const preparedEvents = 5 * warmEvents

// coolEvery is after how many identifiers, each on pages of its own, the ceiling of memory is kept.
const coolEvery = 256

// letGo lets go of the batch's memory.
func (s *Stage) letGo() {
	r := &s.ready
	clear(r.forms)
	clear(r.one)
	r.events, r.from, r.to, r.next, r.forms, r.one = nil, 0, 0, 0, r.forms[:0], r.one[:0]
}

// warmEvents is for how many events memory is read before the first of them is stitched: enough for waits to overlap, and few enough for what
// was read to be still near.
const warmEvents = 48

// warm reads what the next events will need of identifiers that are known, in passes of which each reads memory that does not depend on the
// read before.
func (s *Stage) warm(ids []uint32) {
	g, sum := s.g, uint32(0)
	for _, id := range ids { // 0 is nobody, and may be read
		sum += g.nodes.At(id).link + g.rows.At(id).claims
	}
	for _, id := range ids {
		n := g.nodes.At(id)
		sum += g.nodes.At(n.parent).parent + g.rows.At(n.parent).profile + g.links.At(n.link).a + g.leaves.At(n.leaf).anchor
	}
	for _, id := range ids {
		sum += g.profiles.At(g.rows.At(g.nodes.At(id).parent).profile).founder + g.claims.At(g.rows.At(id).claims).link
	}
	s.warmed = sum
}

// space is what is known of a namespace that events name.
type space struct {
	name string
	ns   *Namespace
	key  printKey
}

// spaces remembers the namespaces that were named last. It is a cache: looking into the rules costs as much as all else about an identifier.
type spaces [32]space

// spaceOf gives what is known of a namespace.
func (s *Stage) spaceOf(name string) *space {
	at := &s.spaces[0]
	if n := len(name); n > 0 {
		at = &s.spaces[(n*5+int(name[0])+int(name[n-1])*3)%len(s.spaces)]
	}
	if at.name != name || at.ns == nil {
		ns := s.rules.namespace(name)
		*at = space{name: strings.Clone(name), ns: ns, key: s.g.printKeyOf(ns.Name)} // events alias their record's bytes
	}
	return at
}

func (s *Stage) appendForms(forms []form, e *schemas.Event) []form {
	for i := range e.Identifiers {
		raw := &e.Identifiers[i]
		of := s.spaceOf(raw.Namespace)
		value, ok := s.normal(of.ns.Normalise, raw.Value)
		if !ok {
			forms = append(forms, form{})
			continue
		}
		forms = append(forms, form{ns: of.ns, value: value, print: of.key.print(value)})
	}
	return forms
}

// normals remembers the forms of values that are not plain: people come again, and phone numbers above all are dear to read.
type normals struct {
	seed  maphash.Seed
	known [normalsMax]normal
}

// normalsMax is a power of two.
const normalsMax = 1 << 15

type normal struct {
	raw, value string
	by         Normaliser
	ok         bool
}

// normal is normalise, with a memory.
func (s *Stage) normal(n Normaliser, value string) (string, bool) {
	if isPlain(n, value) {
		return value, true
	}
	at := &s.normals.known[maphash.String(s.normals.seed, value)%normalsMax]
	if at.raw != value || at.by != n {
		normalised, ok := normaliseAny(n, value, s.rules.Region)
		*at = normal{raw: strings.Clone(value), value: strings.Clone(normalised), by: n, ok: ok} // events alias their record's bytes
	}
	return at.value, at.ok
}

// formsOf gives the forms of an event's identifiers. Events that are not stepped in the order of the batch are prepared now.
func (s *Stage) formsOf(e *schemas.Event) []form {
	r := &s.ready
	if i := r.next; i < r.to && r.events[i] == e {
		if i%warmEvents == 0 {
			from, to := r.of(i, i+warmEvents)
			s.warm(r.ids[from:to])
		}
		r.next++
		from, to := r.of(i, i+1)
		return r.forms[from:to]
	}
	r.one = s.appendForms(r.one[:0], e)
	return r.one
}
