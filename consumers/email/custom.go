package email

import (
	"bytes"

	"github.com/seamline/seamline/consumers/field"
)

// customLengthMax bounds the names of customers' own data that have a meaning.
const customLengthMax = 32

// custom reads one entry of the data that the sender attached to the message: who it is for, the campaign, the variant, or anything else,
// which becomes a property. A name in it is taken for a person's.
func (s *scratch) custom(key string, raw []byte) {
	f := &s.report
	var buffer [customLengthMax]byte
	var folded []byte
	if len(key) <= customLengthMax {
		folded = field.Fold(buffer[:0], key)
	}
	switch string(folded) {
	case "userid":
		f.user = s.first(raw)
	case "customerid":
		f.customer = s.first(raw)
	case "anonymousid":
		f.anonymous = s.first(raw)
	case "loyaltyid":
		f.loyalty = s.first(raw)
	case "variant":
		f.variant = s.first(raw)
	case "campaignid":
		f.campaign.ID = s.first(raw)
	case "campaignname", "campaign":
		f.campaign.Name = s.first(raw)
	default:
		s.addCustom(key, raw)
	}
}

// addCustom adds a property of the sender's making. A text that quotes an address keeps the rest of itself.
func (s *scratch) addCustom(key string, raw []byte) {
	if raw[0] != '"' || bytes.IndexByte(raw, '@') < 0 || field.ContactOfPerson(key) {
		s.properties.AddTrait(key, raw)
		return
	}
	if text := s.readText(raw); !field.EmailLike(addressOf(text)) {
		s.addScrubbed(key, text)
	}
}

// customObject reads all entries of an object.
func (s *scratch) customObject(raw []byte) {
	r, ok := s.open(raw)
	for ok && r.Next() {
		key := r.Key
		if value := r.Raw(); value != nil {
			s.custom(key, value)
		}
	}
}

// anonymise forgets whom the sender's data names, for messages to several people, of whom it may name any.
func (f *report) anonymise() {
	f.user, f.customer, f.anonymous, f.loyalty = "", "", "", ""
}
