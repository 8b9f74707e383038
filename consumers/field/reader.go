package field

import (
	"bytes"
	"unsafe"

	"github.com/seamline/seamline/schemas"
)

// Kind is the kind of a JSON value, named by the byte that it starts with.
type Kind byte

// The kinds of value. KindNone is the end of the text or something that starts no value.
const (
	KindNone   Kind = 0
	KindObject Kind = '{'
	KindArray  Kind = '['
	KindString Kind = '"'
	KindNumber Kind = '0'
	KindTrue   Kind = 't'
	KindFalse  Kind = 'f'
	KindNull   Kind = 'n'
)

// kinds gives the kind of a value by its first byte.
var kinds = [256]Kind{
	'{': KindObject, '[': KindArray, '"': KindString, '-': KindNumber, 't': KindTrue, 'f': KindFalse, 'n': KindNull,
	'0': KindNumber, '1': KindNumber, '2': KindNumber, '3': KindNumber, '4': KindNumber, '5': KindNumber, '6': KindNumber,
	'7': KindNumber, '8': KindNumber, '9': KindNumber,
}

// Reader walks over one JSON text from left to right and reads every byte once. It tolerates a value of the wrong kind, which
// reads as empty, and it checks all of the syntax: once that is broken, nothing more is read and OK gives false.
//
//	if r.Object() {
//		for r.Next() {
//			switch r.Key {
//			case "type":
//				kind = r.Text()
//			default:
//				r.Skip()
//			}
//		}
//	}
//
// Within Next, each member must be read or skipped exactly once.
//
// There is a reader of our own since it costs half: a Segment call takes 0.50 of the time that the same event takes by way of
// segmentio/encoding with ZeroCopy into a struct that is used again (BenchmarkTrackOwnReader and BenchmarkTrackSegmentio in clickstream).
type Reader struct {
	Key string // of the current member; aliases the text unless it has escapes

	text
	i     int
	depth int
	fresh bool // an object or array was just opened
	bad   bool
	arena *schemas.Decoded
}

// NewReader starts reading b. Strings with escapes are unescaped into arena, or into new memory where arena is nil; all others
// alias b. Where arena has the marks of a text that b is part of, reading goes by them.
func NewReader(b []byte, arena *schemas.Decoded) Reader {
	r := Reader{text: text{b: b}, depth: depthMax, arena: arena}
	r.marks, r.base = marksOf(b, arena)
	return r
}

// OK tells whether the text was well-formed as far as it was read.
func (r *Reader) OK() bool { return !r.bad }

// Done tells whether the text was well-formed and nothing but white space is left of it.
func (r *Reader) Done() bool {
	r.i = skipSpace(r.b, r.i)
	return !r.bad && r.i == len(r.b)
}

// Kind gives the kind of the next value without reading it.
func (r *Reader) Kind() Kind {
	if r.i = spaceEnd(r.b, r.i); r.bad || r.i >= len(r.b) {
		return KindNone
	}
	return kinds[r.b[r.i]]
}

// Object enters the next value if it is an object; anything else is skipped.
func (r *Reader) Object() bool { return r.enter(KindObject) }

// Array enters the next value if it is an array; anything else is skipped.
func (r *Reader) Array() bool { return r.enter(KindArray) }

func (r *Reader) enter(kind Kind) bool {
	if r.Kind() != kind {
		r.Skip()
		return false
	}
	if r.depth == 0 {
		return r.fail()
	}
	r.i++
	r.depth--
	r.fresh = true
	return true
}

func (r *Reader) fail() bool {
	r.bad = true
	return false
}

// Next goes to the next member of an object and sets Key, or leaves the object and gives false.
func (r *Reader) Next() bool {
	b, i := r.b, r.i
	// Nearly always a comma and a quote come next.
	if !r.fresh && !r.bad && i+1 < len(b) && b[i] == ',' && b[i+1] == '"' {
		i++
	} else {
		if !r.another('}') {
			return false
		}
		if i = r.i; i >= len(b) || b[i] != '"' {
			return r.fail()
		}
	}
	end, escaped := r.stringEnd(i + 1)
	if end < 0 {
		return r.fail()
	}
	if content := b[i+1 : end-1]; escaped {
		r.Key = r.unescape(content)
	} else {
		r.Key = alias(content)
	}
	if end >= len(b) || b[end] != ':' {
		if end = skipSpace(b, end); end >= len(b) || b[end] != ':' {
			return r.fail()
		}
	}
	r.i = end + 1
	return true
}

// Element goes to the next element of an array, or leaves the array and gives false.
func (r *Reader) Element() bool { return r.another(']') }

// another steps over the comma, or over the closing byte.
func (r *Reader) another(closing byte) bool {
	if r.bad {
		return false
	}
	b, i, fresh := r.b, r.i, r.fresh
	r.fresh = false
	if i = spaceEnd(b, i); i >= len(b) {
		return r.fail()
	}
	switch c := b[i]; {
	case c == closing:
		r.i = i + 1
		r.depth++
		return false
	case fresh:
		r.i = i
		return true
	case c == ',':
		r.i = spaceEnd(b, i+1)
		return true
	}
	return r.fail()
}

// NextObject goes to the next element of an array that is an object, past all others, and enters it; it leaves the array behind the last
// and gives false.
func (r *Reader) NextObject() bool {
	for r.Element() {
		if r.Object() {
			return true
		}
	}
	return false
}

// Member reads one member of the next value as text and skips the others. What is no object has no members.
func (r *Reader) Member(key string) (value string) {
	if !r.Object() {
		return ""
	}
	for r.Next() {
		if r.Key == key {
			value = r.Text()
			continue
		}
		r.Skip()
	}
	return value
}

// Skip steps over the next value.
func (r *Reader) Skip() { r.Raw() }

// Raw gives the next value as it stands, without white space around it; nil where the text is malformed.
func (r *Reader) Raw() []byte {
	if r.bad {
		return nil
	}
	r.fresh = false
	start := spaceEnd(r.b, r.i)
	end := r.value(start, r.depth)
	if end < 0 {
		r.fail()
		return nil
	}
	r.i = end
	return r.b[start:end:end]
}

// Text reads the next value as text: a string, or a number, true or false as written. Null, objects and arrays read as empty.
func (r *Reader) Text() string {
	switch r.Kind() {
	case KindString:
		end, escaped := r.stringEnd(r.i + 1)
		if end < 0 {
			r.fail()
			return ""
		}
		content := r.b[r.i+1 : end-1]
		r.i, r.fresh = end, false
		if escaped {
			return r.unescape(content)
		}
		return alias(content)
	case KindNumber, KindTrue, KindFalse:
		return alias(r.Raw())
	}
	r.Skip()
	return ""
}

// RawText reads the next value both as it stands and as text.
func (r *Reader) RawText() (raw []byte, s string) {
	raw = r.Raw()
	if len(raw) == 0 {
		return raw, ""
	}
	switch raw[0] {
	case '"':
		content := raw[1 : len(raw)-1]
		if bytes.IndexByte(content, '\\') >= 0 {
			return raw, r.unescape(content)
		}
		return raw, alias(content)
	case '{', '[', 'n':
		return raw, ""
	}
	return raw, alias(raw)
}

// Here gives the position of the next value, for Since.
func (r *Reader) Here() int {
	r.i = skipSpace(r.b, r.i)
	return r.i
}

// Since gives what was read since Here was asked.
func (r *Reader) Since(here int) []byte { return r.b[here:r.i:r.i] }

// First reads a text that may come alone or as the first element of an array.
func (r *Reader) First() string {
	if r.Kind() != KindArray {
		return r.Text()
	}
	first := ""
	r.Array()
	for r.Element() {
		if first == "" {
			first = r.Text()
		} else {
			r.Skip()
		}
	}
	return first
}

// Decimal reads the next value as a number, which may stand in a string.
func (r *Reader) Decimal() Decimal { return DecimalOf(r.Text()) }

// Time reads the next value as a time; an object or array is given, but none.
func (r *Reader) Time() Time {
	if kind := r.Kind(); kind == KindObject || kind == KindArray {
		r.Skip()
		return Time{Set: true, Bad: true}
	}
	return TimeOf(r.Text())
}

// Bool reads the next value as a truth value.
func (r *Reader) Bool() Bool { return BoolOf(r.Text()) }

// Keep copies a text that the caller built into the reader's arena, or into new memory where there is none.
func (r *Reader) Keep(text []byte) string {
	if r.arena == nil {
		return string(text)
	}
	return r.arena.Text(text)
}

func (r *Reader) unescape(content []byte) string {
	var buffer [256]byte
	return r.Keep(Unescape(buffer[:0], content))
}

// alias gives b as a string without copying.
func alias(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// bytesOf gives s as bytes without copying; they must not be written.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// Object walks over the top-level members of one raw JSON object:
//
//	for o := field.ObjectOf(raw); o.Next(); {
//		use(o.Key, o.Value)
//	}
type Object struct {
	Key   string // aliases the text unless it has escapes
	Value []byte // the raw value, checked, without white space around it

	reader Reader
	inside bool
}

// ObjectOf starts walking over raw. A value that is no object has no members.
func ObjectOf(raw []byte) Object { return objectIn(raw, nil) }

func objectIn(raw []byte, arena *schemas.Decoded) Object {
	o := Object{reader: NewReader(raw, arena)}
	o.inside = o.reader.Object()
	return o
}

// Next goes to the next member and gives false behind the last one, or where the text is malformed.
func (o *Object) Next() bool {
	if !o.inside || !o.reader.Next() {
		o.inside = false
		return false
	}
	o.Key, o.Value = o.reader.Key, o.reader.Raw()
	o.inside = o.Value != nil
	return o.inside
}

// OK tells whether the text was well-formed as far as it was read.
func (o *Object) OK() bool { return o.reader.OK() }
