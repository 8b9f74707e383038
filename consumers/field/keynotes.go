package field

import (
	"encoding/binary"
	"math/bits"
)

// Bounds of what is remembered of keys: producers use few, and all of those that a feed's calls have in common fit.
const (
	keyNotesCount = 256 // a power of two
	notedKeyMax   = 34
)

// keyNote is what is known of the key of a member: what Contact, ContactOfPerson and person say of it, and how it is written.
type keyNote struct {
	bit      uint64 // one of 64, by the key's hash
	contact  bool
	personal bool
	person   bool
	length   uint8                 // of the key; 0 where it is not remembered
	member   [notedKeyMax + 4]byte // the key in quotes, a comma before it and a colon behind it
}

// keyNotes remembers keys, each until another one takes its place.
type keyNotes struct {
	notes [keyNotesCount]keyNote
	other keyNote // of the last key that is too long to be remembered, or needs escapes
}

// of gives the note of a key, which holds until the next call.
func (n *keyNotes) of(key string) *keyNote {
	hash := keyHash(key)
	note := &n.notes[hash>>32%keyNotesCount]
	if int(note.length) == len(key) && string(note.member[2:2+len(key)]) == key && key != "" {
		return note
	}
	if key == "" || len(key) > notedKeyMax || plainEnd(bytesOf(key), 0) < len(key) {
		note = &n.other
	} else {
		note.length = uint8(len(key))
		AppendQuoted(append(note.member[:0], ','), key)
		note.member[len(key)+3] = ':'
	}
	note.bit = 1 << (hash >> 58)
	note.contact, note.personal, note.person = Contact(key), ContactOfPerson(key), person(key)
	return note
}

// append appends a comma, the key in quotes and a colon.
func (n *keyNote) append(dst []byte, key string) []byte {
	if n.length > 0 {
		return append(dst, n.member[:n.length+4]...)
	}
	return append(AppendQuoted(append(dst, ','), key), ':')
}

// keyHash mixes the length, the first and the last eight bytes of a key.
func keyHash(key string) uint64 {
	var first, last uint64
	switch b := bytesOf(key); {
	case len(b) >= 8:
		first, last = binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[len(b)-8:])
	case len(b) >= 4:
		first, last = uint64(binary.LittleEndian.Uint32(b)), uint64(binary.LittleEndian.Uint32(b[len(b)-4:]))
	case len(b) > 0:
		first, last = uint64(b[0])<<8|uint64(b[len(b)/2]), uint64(b[len(b)-1])
	}
	high, low := bits.Mul64(first^0x9E3779B97F4A7C15, last^0xD6E8FEB86659FD93^uint64(len(key))<<56)
	return high ^ low
}
