package field

import (
	"bytes"

	"github.com/seamline/seamline/schemas"
)

// uniqueKeysMax bounds the keys that are compared with a new one, so that huge objects cost no quadratic time. Of two members with
// the same key beyond it, both are kept.
const uniqueKeysMax = 128

// Properties builds the properties object of an event: members in the order of adding, each key once (the first wins), without white
// space, without nulls, and without contact data at any depth. Its zero value is ready, and it is reused from event to event.
type Properties struct {
	text  []byte
	keys  []span
	seen  uint64 // one bit per hash of a key, so that most keys need no comparison
	out   *schemas.Decoded
	notes keyNotes
}

type span struct{ start, end int }

// Begin forgets the members and keeps the memory. Values that are added may be parts of the text that out has marks of.
func (p *Properties) Begin(out *schemas.Decoded) {
	p.text, p.keys, p.seen, p.out = p.text[:0], p.keys[:0], 0, out
}

// Add adds a member with a raw value, unless its key says contact data, its value looks like an e-mail address, is null, or holds
// nothing but such. The value must be well-formed JSON, as Reader.Raw and Object give it.
func (p *Properties) Add(key string, raw []byte) { p.add(key, raw, false) }

// AddTrait is Add for a member of an object that describes a person, where "name" is contact data too.
func (p *Properties) AddTrait(key string, raw []byte) { p.add(key, raw, true) }

func (p *Properties) add(key string, raw []byte, personal bool) {
	if len(raw) == 0 || raw[0] == 'n' {
		return
	}
	note := p.notes.of(key)
	if personal && note.personal || note.contact {
		return
	}
	mark := len(p.text)
	if !p.open(key, note) {
		return
	}
	ok := false
	switch raw[0] {
	case '"':
		p.text, ok = appendCleanText(p.text, raw)
	case '{', '[':
		p.text, ok = p.appendClean(p.text, raw, note.person)
	default:
		p.text, ok = append(p.text, raw...), true
	}
	if !ok {
		p.text, p.keys = p.text[:mark], p.keys[:len(p.keys)-1]
	}
}

// AddText adds a member with a text that the decoder knows to be no contact data; an empty text is left out.
func (p *Properties) AddText(key, value string) {
	if value != "" && p.open(key, p.notes.of(key)) {
		p.text = AppendQuoted(p.text, value)
	}
}

// AddTrusted adds a member with raw JSON that the decoder built itself and knows to be no contact data.
func (p *Properties) AddTrusted(key string, raw []byte) {
	if p.open(key, p.notes.of(key)) {
		p.text = append(p.text, raw...)
	}
}

// AddDecimal adds a member with a number.
func (p *Properties) AddDecimal(key string, value schemas.Decimal) {
	if p.open(key, p.notes.of(key)) {
		p.text = value.Append(p.text)
	}
}

// AddBool adds a member that is true or false.
func (p *Properties) AddBool(key string, value bool) {
	word := "false"
	if value {
		word = "true"
	}
	if p.open(key, p.notes.of(key)) {
		p.text = append(p.text, word...)
	}
}

// AddObject adds the members of a raw object that skip does not name; skip may be nil.
func (p *Properties) AddObject(raw []byte, skip func(key string) bool) {
	for o := objectIn(raw, p.out); o.Next(); {
		if skip == nil || !skip(o.Key) {
			p.Add(o.Key, o.Value)
		}
	}
}

// Len gives the number of members.
func (p *Properties) Len() int { return len(p.keys) }

// String gives the object, in the arena of out, and an empty text where it has no members. More members may follow.
func (p *Properties) String(out *schemas.Decoded) string {
	if len(p.keys) == 0 {
		return ""
	}
	p.text = append(p.text, '}')
	s := out.Text(p.text)
	p.text = p.text[:len(p.text)-1]
	return s
}

// open writes the key of a new member, unless it is there.
func (p *Properties) open(key string, note *keyNote) bool {
	if p.seen&note.bit != 0 && p.has(key, note) {
		return false
	}
	p.seen |= note.bit
	start := len(p.text)
	if len(p.keys) == 0 {
		start = 0
	}
	p.text = note.append(p.text[:start], key)
	if start == 0 {
		p.text[0] = '{'
	}
	p.keys = append(p.keys, span{start + 1, len(p.text) - 1})
	return true
}

// has compares key with those that are there. A key that needs escapes is compared in its escaped form.
func (p *Properties) has(key string, note *keyNote) bool {
	var buffer [64]byte
	member := note.append(buffer[:0], key)
	quoted := member[1 : len(member)-1]
	for _, k := range p.keys[:min(len(p.keys), uniqueKeysMax)] {
		if k.end-k.start == len(quoted) && string(p.text[k.start:k.end]) == string(quoted) {
			return true
		}
	}
	return false
}

// appendClean appends a raw value without its contact data, and tells whether anything is left of it.
func (p *Properties) appendClean(dst, raw []byte, personal bool) ([]byte, bool) {
	switch raw[0] {
	case '{':
		return p.appendCleanObject(dst, raw, personal)
	case '[':
		return p.appendCleanArray(dst, raw, personal)
	case '"':
		return appendCleanText(dst, raw)
	}
	return append(dst, raw...), raw[0] != 'n'
}

func appendCleanText(dst, raw []byte) ([]byte, bool) {
	content := raw[1 : len(raw)-1]
	if bytes.IndexByte(content, '\\') < 0 {
		if EmailLike(alias(content)) {
			return dst, false
		}
		return append(dst, raw...), true
	}
	var buffer [256]byte
	plain := alias(Unescape(buffer[:0], content))
	if EmailLike(plain) {
		return dst, false
	}
	// Written anew, so that half surrogate pairs, which strict readers refuse, are gone.
	return AppendQuoted(dst, plain), true
}

func (p *Properties) appendCleanObject(dst, raw []byte, personal bool) ([]byte, bool) {
	mark := len(dst)
	dst = append(dst, '{')
	for o := objectIn(raw, p.out); o.Next(); {
		note := p.notes.of(o.Key)
		if personal && note.personal || note.contact {
			continue
		}
		member := len(dst)
		inner := personal || note.person
		if member == mark+1 { // the brace takes the place of the comma
			dst = note.append(dst[:mark], o.Key)
			dst[mark] = '{'
		} else {
			dst = note.append(dst, o.Key)
		}
		var ok bool
		if dst, ok = p.appendClean(dst, o.Value, inner); !ok {
			dst = dst[:member]
		}
	}
	if len(dst) == mark+1 {
		return dst[:mark], false
	}
	return append(dst, '}'), true
}

func (p *Properties) appendCleanArray(dst, raw []byte, personal bool) ([]byte, bool) {
	mark := len(dst)
	dst = append(dst, '[')
	r := NewReader(raw, p.out)
	for r.Array(); r.Element(); {
		element := len(dst)
		if element > mark+1 {
			dst = append(dst, ',')
		}
		var ok bool
		if dst, ok = p.appendClean(dst, r.Raw(), personal); !ok {
			dst = dst[:element]
		}
	}
	if len(dst) == mark+1 {
		return dst[:mark], false
	}
	return append(dst, ']'), true
}
