package field

import (
	"strings"

	"github.com/seamline/seamline/schemas"
)

// detail is what a member of an object that describes a person says.
type detail struct {
	kind   schemas.ContactKind
	isCode bool // stands for the kind better than a name does
	inside bool // an object whose members say more
}

// detailKeys are the folded keys of members that say something that people can be matched by.
var detailKeys = func() map[string]detail {
	byKey := map[string]detail{}
	for kind, words := range map[schemas.ContactKind][]string{
		schemas.ContactGivenName:  {"first name", "given name", "fname"},
		schemas.ContactFamilyName: {"last name", "family name", "lname", "surname"},
		schemas.ContactCity:       {"city", "locality", "town", "physical city"},
		schemas.ContactRegion:     {"state", "province", "administrative district level 1", "physical state"},
		schemas.ContactPostal:     {"postal code", "postcode", "zip", "zip code", "physical postcode"},
		schemas.ContactCountry:    {"country", "physical country id"},
		schemas.ContactBirthDate:  {"birthday", "birth date", "date of birth", "dob"},
		schemas.ContactGender:     {"gender", "sex"},
	} {
		for _, word := range words {
			byKey[string(Fold(nil, word))] = detail{kind: kind}
		}
	}
	for word, kind := range map[string]schemas.ContactKind{"state code": schemas.ContactRegion, "province code": schemas.ContactRegion, "country code": schemas.ContactCountry} {
		byKey[string(Fold(nil, word))] = detail{kind: kind, isCode: true}
	}
	for _, word := range []string{"address", "default address", "contact"} {
		byKey[string(Fold(nil, word))] = detail{inside: true}
	}
	return byKey
}()

// IsDetail tells whether Details reads a member of this name in an object that describes a person, such as traits.
func IsDetail(key string) bool {
	var buffer [keyLengthMax]byte
	_, known := detailKeys[string(foldKey(buffer[:0], key))]
	return known
}

// addressKinds are the kinds that belong together: those of two addresses must not be mixed.
const addressKinds = 1<<schemas.ContactCity | 1<<schemas.ContactRegion | 1<<schemas.ContactPostal | 1<<schemas.ContactCountry

// detailDepth is how deep objects are that stand in one that describes a person.
const detailDepth = 2

// Details adds to an event what a raw object that describes a person says that people can be matched by, besides e-mail addresses and phone
// numbers: names, the postal address, date of birth, gender. What the event has already stays.
func Details(e *schemas.Event, raw []byte, out *schemas.Decoded) {
	held := 0
	for _, c := range e.Contacts {
		held |= 1 << c.Kind
	}
	if held&addressKinds != 0 {
		held |= addressKinds
	}
	r := NewReader(raw, out)
	readDetails(e, &r, held, detailDepth)
}

// readDetails reads an object, without the kinds that are held.
func readDetails(e *schemas.Event, r *Reader, held, depth int) {
	if !r.Object() {
		return
	}
	for r.Next() {
		var buffer [keyLengthMax]byte
		d, known := detailKeys[string(foldKey(buffer[:0], r.Key))]
		switch {
		case !known, !d.inside && held>>d.kind&1 != 0, d.inside && depth == 0:
			r.Skip()
		case d.inside:
			readDetails(e, r, held, depth-1)
		default:
			addDetail(e, d, strings.TrimSpace(r.Text()))
		}
	}
}

// addDetail adds a value, unless one as good is there.
func addDetail(e *schemas.Event, d detail, value string) {
	if value == "" {
		return
	}
	for i := range e.Contacts {
		if c := &e.Contacts[i]; c.Kind == d.kind {
			if d.isCode {
				c.Value = value
			}
			return
		}
	}
	e.Contacts = append(e.Contacts, schemas.Contact{Kind: d.kind, Value: value})
}

// MobileID adds the advertising id of a device, and takes it back where its owner does not want to be tracked.
func MobileID(e *schemas.Event, id string, tracking Bool) {
	if isOff := tracking.Set && !tracking.Value; isOff || id != "" && strings.Trim(id, "0-") == "" {
		e.Contacts = append(e.Contacts, schemas.Contact{Kind: schemas.ContactMobileID})
		return
	}
	if id != "" {
		e.Contacts = append(e.Contacts, schemas.Contact{Kind: schemas.ContactMobileID, Value: id})
	}
}
