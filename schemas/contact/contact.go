// Package contact brings contact data into the forms that ad platforms match people by. Values as producers and people write them come in;
// normal forms, their SHA-256 hashes, and values encrypted for keeping go out.
// It never guesses: a value that has not the form of its kind gives nothing, and one that was hashed before is never hashed again.
package contact

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/seamline/seamline/schemas"
)

// valueBytesMax bounds a value. Longer ones are payloads in the wrong field.
const valueBytesMax = 512

// Told is what a value says in the forms that are kept.
type Told struct {
	Forms schemas.ContactForms
	Value string // clear, for country and mobile_id only
	Clear string // the normal form to encrypt; empty where it is not known
}

// Place is what else is known of where a value belongs.
type Place struct {
	Region  string // ISO 3166 alpha-2 code, upper case, for phone numbers without a country code
	Country string // of the address as the producer wrote it; empty where unknown
}

// Tell gives what a value says, and false where it has not the form of its kind. A value that is a SHA-256 hash already stands for the
// plain form only; a hashed phone number is refused, since it does not tell whether a plus was hashed with it.
func Tell(kind schemas.ContactKind, value string, at Place) (Told, bool) {
	if hash, ok := Hashed(value); ok {
		if kind == schemas.ContactPhone {
			return Told{}, false
		}
		return Told{Forms: schemas.ContactForms{Plain: hash}}, true
	}
	switch kind {
	case schemas.ContactEmail:
		return tellEmail(value)
	case schemas.ContactPhone:
		return tellPhone(value, at.Region)
	case schemas.ContactGivenName:
		google, hasGoogle := GoogleGivenName(value)
		return tellName(value, google, hasGoogle)
	case schemas.ContactFamilyName:
		google, hasGoogle := GoogleFamilyName(value)
		return tellName(value, google, hasGoogle)
	}
	plain, ok := plainOf(kind, value, at.Country)
	if !ok {
		return Told{}, false
	}
	told := Told{Forms: schemas.ContactForms{Plain: Hash(plain)}, Clear: plain}
	switch kind {
	case schemas.ContactCountry, schemas.ContactMobileID:
		told.Value = plain
	case schemas.ContactPostal, schemas.ContactCity, schemas.ContactRegion: // Google wants postal codes as they are written
		told.Clear = tidy(value)
	}
	return told, true
}

// plainOf gives the plain form of kinds that have no other.
func plainOf(kind schemas.ContactKind, value, country string) (string, bool) {
	switch kind {
	case schemas.ContactCity:
		return City(value)
	case schemas.ContactRegion:
		return Region(value, country)
	case schemas.ContactPostal:
		return Postal(value, country)
	case schemas.ContactCountry:
		return Country(value)
	case schemas.ContactBirthDate:
		return BirthDate(value)
	case schemas.ContactGender:
		return Gender(value)
	case schemas.ContactMobileID:
		return MobileID(value)
	}
	return "", false
}

func tellEmail(value string) (Told, bool) {
	plain, ok := PlainEmail(value)
	if !ok {
		return Told{}, false
	}
	told := Told{Forms: schemas.ContactForms{Plain: Hash(plain)}, Clear: plain}
	told.Forms.Google, told.Forms.UID2 = told.Forms.Plain, told.Forms.Plain
	if google, ok := GoogleEmail(plain); !ok {
		told.Forms.Google = [32]byte{}
	} else if google != plain {
		told.Forms.Google = Hash(google)
	}
	if uid2, ok := UID2Email(plain); !ok {
		told.Forms.UID2 = [32]byte{}
	} else if uid2 != plain {
		told.Forms.UID2 = Hash(uid2)
	}
	return told, true
}

func tellPhone(value, region string) (Told, bool) {
	number, ok := Phone(value, region)
	if !ok {
		return Told{}, false
	}
	withPlus := Hash(number)
	return Told{Forms: schemas.ContactForms{Plain: Hash(PlainPhone(number)), Google: withPlus, UID2: withPlus}, Clear: number}, true
}

func tellName(value, google string, hasGoogle bool) (Told, bool) {
	plain, ok := Name(value)
	if !ok {
		return Told{}, false
	}
	told := Told{Forms: schemas.ContactForms{Plain: Hash(plain)}, Clear: tidy(value)}
	if hasGoogle {
		told.Forms.Google = Hash(google)
	}
	return told, true
}

// Hash gives the SHA-256 of a normal form.
func Hash(normal string) [32]byte { return sha256.Sum256([]byte(normal)) }

// Lengths of a written SHA-256.
const (
	hexLength    = 2 * sha256.Size
	base64Length = 44
)

// ofNothing is the hash of an empty text, which careless senders make of values that they do not have.
var ofNothing = sha256.Sum256(nil)

// Hashed reads a value that is a SHA-256 hash already: 64 hexadecimal digits in any case, or 44 characters of base64. The hash of nothing,
// and all zeros, is none.
func Hashed(value string) (hash [32]byte, ok bool) {
	if len(value) < base64Length {
		return hash, false
	}
	switch value = strings.TrimSpace(value); len(value) {
	case hexLength:
		_, err := hex.Decode(hash[:], []byte(value))
		return hash, err == nil && isSomething(hash)
	case base64Length:
		var bytes [33]byte // what 44 characters can hold
		n, err := base64.StdEncoding.Strict().Decode(bytes[:], []byte(value))
		copy(hash[:], bytes[:])
		return hash, err == nil && n == len(hash) && isSomething(hash)
	}
	return hash, false
}

func isSomething(hash [32]byte) bool { return hash != ofNothing && hash != [32]byte{} }

// fold gives a text in lower case and in one form of Unicode, since one letter can be written in several ways, whose hashes differ.
func fold(value string) (string, bool) {
	if len(value) > valueBytesMax || !utf8.ValidString(value) {
		return "", false
	}
	return norm.NFC.String(strings.ToLower(norm.NFC.String(value))), true
}

// tidy gives a text in one form of Unicode, without white space around it and runs of it within.
func tidy(value string) string { return strings.Join(strings.Fields(norm.NFC.String(value)), " ") }

// bare gives the letters, marks and digits of a text in lower case.
func bare(value string) (string, bool) {
	value, ok := fold(value)
	if !ok {
		return "", false
	}
	value = norm.NFC.String(strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsDigit(r) {
			return r
		}
		return -1
	}, value))
	return value, value != ""
}
