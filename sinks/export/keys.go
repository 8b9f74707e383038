package export

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"github.com/seamline/seamline/schemas"
)

// kind is what a key of a person is. Its numbers stand in files: new ones go to the end.
type kind uint8

// The kinds of keys.
const (
	kindEmail kind = iota
	kindPhone
	kindGivenName
	kindFamilyName
	kindCity
	kindRegion
	kindPostal
	kindCountry
	kindBirthDate
	kindGender
	kindMobileID
	kindProfileID
	kindEnd
)

const kindCount = int(kindEnd)

var kindNames = [kindCount]string{"email", "phone", "given_name", "family_name", "city", "region", "postal", "country", "birth_date", "gender",
	"mobile_id", "profile_id"}

// String gives the name that stands in tables and answers.
func (k kind) String() string { return kindNames[k] }

// isMany tells whether a person may have several of it; of all else the newest counts.
func (k kind) isMany() bool { return manySet.has(k) }

// manySet are the kinds of isMany.
const manySet kindSet = 1<<kindEmail | 1<<kindPhone | 1<<kindMobileID

func kindOf(name string) (kind, bool) {
	at := slices.Index(kindNames[:], name)
	return kind(max(at, 0)), at >= 0
}

// kindSet is a set of kinds, by bit.
type kindSet uint16

func (s kindSet) has(k kind) bool { return s>>k&1 == 1 }

// contact is one piece of contact data of a person, as the tables have it.
type contact struct {
	kind                kind
	identifier          uint64
	time                int64
	plain, google, uid2 [32]byte
	value               string
}

// form gives the bytes of a hash; all zero where there is none.
func (c *contact) form(f Form) *[32]byte {
	switch f {
	case FormGoogle:
		return &c.google
	case FormUID2:
		return &c.uid2
	}
	return &c.plain
}

// appendKeys appends the record of a person's keys in a platform's form; ok is false where the person has none that the list needs.
// Contacts stand by kind and identifier. What was decrypted is sealed.
func (p *Platform) appendKeys(to []byte, v *vault, id schemas.ProfileID, contacts []contact) (record []byte, ok bool, err error) {
	var picked [keysPerPersonMax + kindCount]int // of contacts
	chosen, present := p.pick(contacts, picked[:0])
	for _, set := range p.together {
		if present&set != set {
			present &^= set
		}
	}
	if p.forms[kindProfileID] != "" {
		present |= 1 << kindProfileID
	}
	if present&p.anchors == 0 {
		return to, false, nil
	}
	to = append(to, 0, 0) // the count
	at, count := len(to)-2, 0
	if present.has(kindProfileID) {
		to, count = appendKey(to, kindProfileID, id.String()), count+1
	}
	room := max(1, p.KeysMax-bits.OnesCount16(uint16(present&^manySet))) // for kinds that somebody may have many of
	for _, i := range chosen {
		c := &contacts[i]
		if !present.has(c.kind) || c.kind.isMany() && room == 0 {
			continue
		}
		before := len(to)
		if to, err = p.appendValue(to, v, id, c); err != nil {
			return to, false, err
		}
		if repeats(to[at+2:before], to[before:]) {
			to = to[:before] // two addresses have one form
			continue
		}
		count++
		if c.kind.isMany() {
			room--
		}
	}
	binary.BigEndian.PutUint16(to[at:], uint16(count))
	return to, true, nil
}

// pick chooses the contacts that the platform takes: all of a kind that a person may have many of, or the newest.
func (p *Platform) pick(contacts []contact, to []int) (chosen []int, present kindSet) {
	for i := range contacts {
		c := &contacts[i]
		form := p.forms[c.kind]
		if form == "" || !c.has(form) {
			continue
		}
		last := len(to) - 1
		switch {
		case !c.kind.isMany() && present.has(c.kind):
			if c.time > contacts[to[last]].time {
				to[last] = i
			}
		case len(to) < cap(to):
			to = append(to, i)
		default:
			continue // nothing of it is on the list
		}
		present |= 1 << c.kind
	}
	return to, present
}

// has tells whether a contact has a form.
func (c *contact) has(form Form) bool {
	if form == FormClear || form == FormDecrypted {
		return c.value != ""
	}
	return *c.form(form) != [32]byte{}
}

// repeats tells whether a record of keys ends where one of the keys before is the same.
func repeats(before, key []byte) bool {
	for len(before) > 0 {
		n := keyLen(before)
		if string(before[:n]) == string(key) {
			return true
		}
		before = before[n:]
	}
	return false
}

func (p *Platform) appendValue(to []byte, v *vault, id schemas.ProfileID, c *contact) ([]byte, error) {
	form := p.forms[c.kind]
	if form == FormClear || form == FormDecrypted {
		value := c.value
		if p.upper[c.kind] {
			value = strings.ToUpper(value)
		}
		if form == FormDecrypted {
			var err error
			if value, err = v.close(id, c.kind, value); err != nil {
				return to, err
			}
		}
		return appendKey(to, c.kind, value), nil
	}
	sum := c.form(form)
	if p.Encoding == "base64" {
		to = append(to, byte(c.kind), byte(base64.StdEncoding.EncodedLen(len(sum))), 0)
		return base64.StdEncoding.AppendEncode(to, sum[:]), nil
	}
	to = append(to, byte(c.kind), byte(hex.EncodedLen(len(sum))), 0)
	return hex.AppendEncode(to, sum[:]), nil
}

// keyBytesMax is the longest key that a record can hold.
const keyBytesMax = 1<<16 - 1

// appendKey appends a key: its kind, its length in two bytes, and its text.
func appendKey(to []byte, k kind, value string) []byte {
	value = value[:min(len(value), keyBytesMax)]
	to = append(to, byte(k), byte(len(value)), byte(len(value)>>8))
	return append(to, value...)
}

// keyLen is how many bytes the first key of some takes.
func keyLen(keys []byte) int { return 3 + int(keys[1]) + int(keys[2])<<8 }

// keys calls f for every key of a record.
func keys(record []byte, f func(k kind, value []byte)) {
	for rest := record[2:]; len(rest) > 0; {
		n := keyLen(rest)
		f(kind(rest[0]), rest[3:n])
		rest = rest[n:]
	}
}

// keyCount is how many keys a record has.
func keyCount(record []byte) int { return int(binary.BigEndian.Uint16(record)) }

var errRecord = errors.New("a record of keys is damaged")

// checkKeys makes sure that a record can be read by keys.
func checkKeys(record []byte) error {
	if len(record) < 2 {
		return errRecord
	}
	count := 0
	for rest := record[2:]; len(rest) > 0; count++ {
		if len(rest) < 3 || len(rest) < keyLen(rest) || int(rest[0]) >= kindCount {
			return errRecord
		}
		rest = rest[keyLen(rest):]
	}
	if count != keyCount(record) {
		return errRecord
	}
	return nil
}

// appendRecord makes a record of kinds and values as the ledger has them.
func appendRecord(to []byte, kinds, values []string) ([]byte, error) {
	if len(kinds) != len(values) || len(values) > 1<<16-1 {
		return nil, fmt.Errorf("%d kinds and %d keys", len(kinds), len(values))
	}
	to = binary.BigEndian.AppendUint16(to, uint16(len(kinds)))
	for i, name := range kinds {
		k, known := kindOf(name)
		if !known {
			return nil, fmt.Errorf("a key is of kind %q, which this build does not know", name)
		}
		to = appendKey(to, k, values[i])
	}
	return to, nil
}
