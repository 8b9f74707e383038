package field

import "strings"

// contactKeys are the folded keys that hold clear contact data, or secrets, wherever they stand.
var contactKeys = foldedSet("address", "address1", "address2", "address line 1", "address line 2", "birth date", "birthday", "bday",
	"cell", "cell phone", "cvc", "cvv", "date of birth", "dob", "email", "emails", "e-mail", "email address", "email addresses",
	"family name", "fax", "first name", "fname", "full name", "given name", "iban", "ip", "ip address", "last name",
	"lname", "mail", "maiden name", "middle name", "mobile", "mobile number", "mobile no", "msisdn", "national id",
	"nickname", "passport", "passport number", "password", "phone", "phone no", "phone number", "phones", "postal code", "postcode",
	"pwd", "recipient", "recipients", "sms number", "ssn", "street", "street1", "street2", "street address", "street number", "surname",
	"tax id", "tel", "telephone", "user name", "whatsapp", "zip", "zip code")

// contactEndings are the folded endings of keys such as billing_email and customerPhone.
var contactEndings = []string{"email", "emailaddress", "phone", "phonenumber", "mobilenumber", "firstname", "lastname", "fullname",
	"streetaddress", "billingaddress", "shippingaddress", "deliveryaddress", "homeaddress", "postaladdress", "ipaddress", "postalcode",
	"zipcode", "postcode", "password", "birthday", "dateofbirth"}

// personKeys are the folded keys whose object describes a person, in which more keys are contact data.
var personKeys = foldedSet("account holder", "billing", "buyer", "clerk", "contact", "customer", "customer info", "member", "owner",
	"payer", "person", "profile", "receiver", "sender", "shipping", "traits", "user", "user traits", "visitor")

// personalKeys are contact data only inside an object that describes a person; elsewhere a name is that of a product or a page.
var personalKeys = foldedSet("administrative district level 1", "avatar", "city", "city code", "first", "gender", "gender code", "initials", "last",
	"locality", "locality code", "name", "photo", "physical city", "physical state", "picture", "province", "province code", "sex", "sex code",
	"state", "state code", "title", "town", "town code", "website")

// keyLengthMax bounds the keys that are folded; longer ones are judged by their last bytes.
const keyLengthMax = 48

// wordSet is a set of folded words. Most other words are told by their first letter and length.
type wordSet struct {
	words   map[string]struct{}
	lengths [256]uint64 // by the first byte, one bit per length
}

func foldedSet(words ...string) *wordSet {
	set := &wordSet{words: make(map[string]struct{}, len(words))}
	for _, word := range words {
		folded := Fold(nil, word)
		set.words[string(folded)] = struct{}{}
		set.lengths[folded[0]] |= 1 << len(folded)
	}
	return set
}

func (s *wordSet) has(folded []byte) bool {
	if len(folded) == 0 || s.lengths[folded[0]]>>len(folded)&1 == 0 {
		return false
	}
	_, ok := s.words[string(folded)]
	return ok
}

// Contact tells whether a member of this name holds clear contact data or a secret, which must never stand in properties: e-mail
// addresses, phone numbers, names of persons, postal addresses, birthdays, user names, passwords, IP addresses. Case, underscores
// and hyphens do not matter. A bare "name" is not contact data, since products and pages have names: see ContactOfPerson.
func Contact(key string) bool {
	var buffer [keyLengthMax]byte
	return contact(foldKey(buffer[:0], key))
}

// ContactOfPerson is Contact for members of an object that describes a person, such as traits: there a name is a person's name.
func ContactOfPerson(key string) bool {
	var buffer [keyLengthMax]byte
	folded := foldKey(buffer[:0], key)
	return personalKeys.has(folded) || contact(folded)
}

// person tells whether an object under this key describes a person.
func person(key string) bool {
	var buffer [keyLengthMax]byte
	return personKeys.has(foldKey(buffer[:0], key))
}

func foldKey(dst []byte, key string) []byte {
	if len(key) > keyLengthMax {
		key = key[len(key)-keyLengthMax:]
	}
	return Fold(dst, key)
}

func contact(folded []byte) bool {
	if len(folded) < 2 {
		return false
	}
	if contactKeys.has(folded) {
		return true
	}
	// The last letter rules most keys out.
	switch folded[len(folded)-1] {
	case 'l', 's', 'e', 'r', 'd', 'y', 'h':
	default:
		return false
	}
	for _, ending := range contactEndings {
		if n := len(folded) - len(ending); n >= 0 && folded[n] == ending[0] && string(folded[n:]) == ending {
			return true
		}
	}
	return false
}

// emailLengthMax is the longest address that mail can be sent to.
const emailLengthMax = 254

// EmailLike tells whether s as a whole looks like an e-mail address.
func EmailLike(s string) bool {
	at := strings.IndexByte(s, '@')
	if at < 0 {
		return false
	}
	s = strings.TrimSpace(s)
	s = strings.TrimPrefix(s, "mailto:")
	at = strings.IndexByte(s, '@')
	if at <= 0 || len(s) > emailLengthMax || strings.ContainsAny(s, " \t\r\n/:;,<>\"'()") {
		return false
	}
	domain := s[at+1:]
	dot := strings.LastIndexByte(domain, '.')
	return dot > 0 && dot < len(domain)-1 && strings.IndexByte(domain, '@') < 0
}

// freeTextMax and freeDigitsMax bound what people type: longer texts, and those with the digits of a phone number, may hold contact data.
const (
	freeTextMax   = 200
	freeDigitsMax = 6
)

// FreeText gives a text that somebody typed, and an empty one where it may hold contact data.
func FreeText(text string) string {
	if len(text) > freeTextMax || strings.IndexByte(text, '@') >= 0 {
		return ""
	}
	digits := 0
	for i := 0; i < len(text); i++ {
		if c := text[i]; c >= '0' && c <= '9' {
			digits++
		}
	}
	if digits > freeDigitsMax {
		return ""
	}
	return text
}
