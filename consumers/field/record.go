package field

import (
	"unicode/utf8"

	"github.com/seamline/seamline/schemas"
)

// Root tells whether a record is one JSON object or an array, and refuses everything else: then it gives KindNone. An array is well-formed
// as a whole; an object is for the caller to check while reading it. What is no JSON is refused as malformed, with this detail.
func Root(value []byte, out *schemas.Decoded, malformed string) Kind {
	Mark(value, out)
	if !asciiOnly(value, out) && !utf8.Valid(value) {
		out.Reject(schemas.ReasonMalformed, "not UTF-8")
		return KindNone
	}
	reader := NewReader(value, out)
	kind := reader.Kind()
	switch {
	case kind == KindObject:
		return kind
	case !reader.valid():
		out.Reject(schemas.ReasonMalformed, malformed)
	case kind == KindArray:
		return kind
	default:
		out.Reject(schemas.ReasonUnknownFormat, "neither an object nor an array")
	}
	return KindNone
}

// Elements walks over the objects of a record that is a well-formed array. Each stands for itself: it is the current element of out, and
// what is no object is refused alone. An array without elements is dropped, and counted for its source.
//
//	elements := field.ElementsOf(array, source, out)
//	for elements.Next() {
//		use(elements.Raw)
//	}
type Elements struct {
	Raw []byte // the current object

	reader Reader
	source string
	out    *schemas.Decoded
	n      int
}

// ElementsOf starts walking over array.
func ElementsOf(array []byte, source string, out *schemas.Decoded) Elements {
	e := Elements{reader: NewReader(array, out), source: source, out: out}
	e.reader.Array()
	return e
}

// Next goes to the next object and gives false behind the last one.
func (e *Elements) Next() bool {
	for e.reader.Element() {
		e.Raw, e.out.Element = e.reader.Raw(), e.n
		e.n++
		if e.Raw[0] == '{' {
			return true
		}
		e.out.Reject(schemas.ReasonUnknownFormat, "the element is no object")
	}
	if e.n == 0 {
		e.out.Drop(e.source, schemas.DropNoEvent)
	}
	return false
}

// identifiersMax bounds the identifiers of one event; no person has more, and what comes behind them is ignored.
const identifiersMax = 64

// Identify adds an identifier to an event once, unless it is empty.
func Identify(e *schemas.Event, namespace, value string) {
	if value == "" || len(e.Identifiers) == identifiersMax {
		return
	}
	for i := range e.Identifiers {
		if e.Identifiers[i].Value == value && e.Identifiers[i].Namespace == namespace {
			return
		}
	}
	e.Identify(namespace, value)
}
