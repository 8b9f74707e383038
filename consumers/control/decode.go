// Package control reads the commands of operators: retract, quarantine, release and erase identifiers and links of the identity graph.
// One JSON object per record comes in; an event that carries the command, or a reject that says what is wrong, goes out.
// It never guesses: an order that undoes what people are linked by is taken exactly as written, or not at all.
package control

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/seamline/seamline/consumers/field"
	"github.com/seamline/seamline/schemas"
)

// source is the kind of producer of every command.
const source = "seamline"

// Bounds of a command's texts, in bytes.
const (
	idBytesMax        = 128
	namespaceBytesMax = 64
	valueBytesMax     = 512
)

// Decoder reads the topic of commands. It may be used by several goroutines.
type Decoder struct{}

// New gives a decoder.
func New() Decoder { return Decoder{} }

// Name gives "identity".
func (Decoder) Name() string { return string(schemas.FeedIdentity) }

// order is one command as it is read.
type order struct {
	id, kind, reason string
	a, b             schemas.Identifier
	hasA, hasB       bool
	forbid           bool
	time             field.Time
	wrong            string // what is wrong with it; empty for nothing
}

// Decode appends the command of one record to out, or the reason why it is none.
func (Decoder) Decode(r *schemas.Record, value []byte, out *schemas.Decoded) {
	if !utf8.Valid(value) {
		out.Reject(schemas.ReasonMalformed, "not UTF-8")
		return
	}
	reader := field.NewReader(value, out)
	if reader.Kind() != field.KindObject {
		out.Reject(schemas.ReasonUnknownFormat, "a command is one JSON object")
		return
	}
	var o order
	o.read(&reader)
	if !reader.Done() {
		out.Reject(schemas.ReasonMalformed, "not JSON")
		return
	}
	if o.wrong != "" {
		out.Reject(schemas.ReasonMalformed, o.wrong)
		return
	}
	kind, reason, detail := o.check()
	if detail != "" {
		out.Reject(reason, detail)
		return
	}
	e := out.Event()
	e.ID, e.Source, e.Time = o.id, source, r.Time
	if o.time.Set {
		e.Time = o.time.Value
	}
	// Every event has a channel and a type. Commands leave the line before either is looked at.
	e.Channel, e.Type = schemas.ChannelWeb, schemas.TypeCustom
	e.Command = schemas.Command{Kind: kind, Forbid: o.forbid, Reason: o.reason}
	e.Identify(o.a.Namespace, o.a.Value)
	if o.hasB {
		e.Identify(o.b.Namespace, o.b.Value)
	}
}

// read takes the members of the object. What it does not know is wrong: a misspelt member must not make a command mean something else.
func (o *order) read(r *field.Reader) {
	r.Object()
	for r.Next() {
		switch r.Key {
		case "id":
			o.id = o.text(r, "id")
		case "kind":
			o.kind = o.text(r, "kind")
		case "reason":
			o.reason = o.text(r, "reason")
		case "a":
			o.a, o.hasA = o.identifier(r, "a")
		case "b":
			o.b, o.hasB = o.identifier(r, "b")
		case "forbid":
			o.forbid = o.truth(r, "forbid")
		case "time":
			if o.time = field.TimeOf(o.text(r, "time")); o.time.Bad {
				o.fail("time is no RFC 3339 time")
			}
		default:
			o.fail("a member that commands do not have; known are id, kind, a, b, forbid, reason and time")
			r.Skip()
		}
	}
}

// fail keeps the first thing that is wrong.
func (o *order) fail(wrong string) {
	if o.wrong == "" {
		o.wrong = wrong
	}
}

// text reads a member that is text or null.
func (o *order) text(r *field.Reader, name string) string {
	switch r.Kind() {
	case field.KindString:
		return r.Text()
	case field.KindNull:
	default:
		o.fail(name + " is no text")
	}
	r.Skip()
	return ""
}

func (o *order) truth(r *field.Reader, name string) bool {
	switch r.Kind() {
	case field.KindTrue:
		r.Skip()
		return true
	case field.KindFalse, field.KindNull:
	default:
		o.fail(name + " is neither true nor false")
	}
	r.Skip()
	return false
}

// identifier reads a member that is an identifier or null.
func (o *order) identifier(r *field.Reader, name string) (id schemas.Identifier, given bool) {
	switch r.Kind() {
	case field.KindNull:
		r.Skip()
		return id, false
	case field.KindObject:
	default:
		o.fail(name + " is no object of namespace and value")
		r.Skip()
		return id, true
	}
	r.Object()
	for r.Next() {
		switch r.Key {
		case "namespace":
			id.Namespace = o.text(r, name+".namespace")
		case "value":
			id.Value = o.text(r, name+".value")
		default:
			o.fail(name + " has a member beside namespace and value")
			r.Skip()
		}
	}
	return id, true
}

// check finds what makes no command. Detail is empty where everything is right.
func (o *order) check() (kind schemas.CommandKind, reason schemas.Reason, detail string) {
	kind, known := schemas.ParseCommand(o.kind)
	switch {
	case o.id == "":
		return kind, schemas.ReasonMissingField, "id is missing"
	case len(o.id) > idBytesMax:
		return kind, schemas.ReasonMalformed, fmt.Sprintf("id is longer than %d bytes", idBytesMax)
	case o.kind == "":
		return kind, schemas.ReasonMissingField, "kind is missing"
	case !known:
		return kind, schemas.ReasonUnknownEvent, "kind is none of retract, quarantine, release and erase"
	case len(o.reason) > schemas.CommandReasonMax:
		return kind, schemas.ReasonMalformed, fmt.Sprintf("reason is longer than %d bytes", schemas.CommandReasonMax)
	case !o.hasA:
		return kind, schemas.ReasonMissingIdentifier, "a is missing"
	case o.hasB && kind != schemas.CommandRetract:
		return kind, schemas.ReasonMalformed, "b is for retract only"
	case o.forbid && !o.hasB:
		return kind, schemas.ReasonMalformed, "forbid is for retract of a link only"
	}
	if detail := checkIdentifier("a", o.a); detail != "" {
		return kind, schemas.ReasonMissingIdentifier, detail
	}
	if o.hasB {
		if detail := checkIdentifier("b", o.b); detail != "" {
			return kind, schemas.ReasonMissingIdentifier, detail
		}
		if o.a == o.b {
			return kind, schemas.ReasonMalformed, "a and b are the same identifier"
		}
	}
	return kind, "", ""
}

func checkIdentifier(name string, id schemas.Identifier) string {
	switch {
	case strings.TrimSpace(id.Namespace) == "":
		return name + ".namespace is missing"
	case strings.TrimSpace(id.Value) == "":
		return name + ".value is missing"
	case len(id.Namespace) > namespaceBytesMax:
		return fmt.Sprintf("%s.namespace is longer than %d bytes", name, namespaceBytesMax)
	case len(id.Value) > valueBytesMax:
		return fmt.Sprintf("%s.value is longer than %d bytes", name, valueBytesMax)
	}
	return ""
}
