package schemas

// ContactKind is what a piece of contact data is.
type ContactKind uint8

// The kinds of contact data.
const (
	ContactEmail ContactKind = iota
	ContactPhone
	ContactGivenName
	ContactFamilyName
	ContactCity
	ContactRegion // state or province
	ContactPostal
	ContactCountry
	ContactBirthDate
	ContactGender
	ContactMobileID // advertising id of a device
	contactEnd
)

// ContactCount is one more than the largest ContactKind, for arrays indexed by kind.
const ContactCount = int(contactEnd)

var contactNames = [ContactCount]string{"email", "phone", "given_name", "family_name", "city", "region", "postal", "country", "birth_date",
	"gender", "mobile_id"}

// String gives the name that stands in ClickHouse.
func (k ContactKind) String() string {
	if int(k) < len(contactNames) {
		return contactNames[k]
	}
	return ""
}

// MarshalText writes the same form as String.
func (k ContactKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// ContactNames lists the names by value.
func ContactNames() []string { return contactNames[:] }

// Contact is one piece of contact data on an event, as the producer wrote it. E-mail addresses and phone numbers are identifiers and stand
// here only where they were hashed before they came.
type Contact struct {
	Kind  ContactKind `json:"kind"`
	Value string      `json:"value"` // empty where it was taken back
}

// ContactForms are the SHA-256 hashes that platforms match a value by; all zero where a form does not exist.
type ContactForms struct {
	Plain  [32]byte // what most platforms want
	Google [32]byte
	UID2   [32]byte
}

// ContactRow is one row of contacts, and of contacts_clear.
type ContactRow struct {
	IdentifierID uint64
	Kind         ContactKind
	Time         Time
	Forms        ContactForms // all zero where the value was taken back, or its identifier erased
	Value        string       // clear only for country and mobile_id, in lower case; empty for all other kinds
	Clear        string       // the normalised value: never written but encrypted; empty where it is not known
}

// ParseContactKind reads the name of a kind.
func ParseContactKind(name string) (ContactKind, bool) {
	for i, n := range contactNames {
		if n == name {
			return ContactKind(i), true
		}
	}
	return 0, false
}
