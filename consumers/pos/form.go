package pos

import (
	"bytes"
	"net/url"
	"unicode/utf8"

	"github.com/seamline/seamline/consumers/field"
	"github.com/seamline/seamline/schemas"
)

// payloadField is the field of a form that holds the JSON of a webhook; it may stand behind others.
var payloadField, laterPayloadField = []byte("payload="), []byte("&payload=")

// formEncoded tells whether value is a form with a payload.
func formEncoded(value []byte) bool {
	return bytes.HasPrefix(value, payloadField) || bytes.Contains(value, laterPayloadField)
}

// form reads the webhook forms of Lightspeed: payload holds the sale, type may name the event.
func (s *scratch) form(value []byte) {
	var payload, event []byte
	for len(value) > 0 {
		var pair []byte
		pair, value, _ = bytes.Cut(value, []byte("&"))
		name, content, _ := bytes.Cut(pair, []byte("="))
		switch string(name) {
		case "payload":
			var ok bool
			if s.text, ok = unform(s.text[:0], content); !ok {
				s.out.Reject(schemas.ReasonMalformed, "the form's payload has a broken escape")
				return
			}
			payload = s.decoded(s.text)
		case "type":
			event = content
		}
	}
	switch {
	case payload == nil || !utf8.Valid(payload) || !field.Valid(payload):
		s.out.Reject(schemas.ReasonMalformed, "the form's payload is not JSON")
		return
	case !s.clean(payload):
		return
	case len(event) > 0 && string(event) != "sale.update":
		s.out.Reject(schemas.ReasonUnknownEvent, "the form's type is not sale.update")
		return
	}
	s.json(payload)
}

// decoded copies text, so that events may alias it for as long as the batch lives; nil where it holds no JSON.
func (s *scratch) decoded(text []byte) []byte {
	copied := bytes.Clone(text)
	if !field.Valid(copied) {
		return nil
	}
	return copied
}

// clean refuses a payload with a card number, which its escapes have hidden from the decode stage. The dead letter holds the payload
// with the digits masked, as a form.
func (s *scratch) clean(payload []byte) bool {
	if _, _, found := field.CardNumber(payload); !found {
		return true
	}
	s.out.Reject(schemas.ReasonCardNumber, "an unmasked card number; its digits are masked here")
	masked := url.QueryEscape(string(field.MaskCards(payload)))
	s.out.Rejects[len(s.out.Rejects)-1].Value = append(bytes.Clone(payloadField), masked...)
	return false
}

// unform appends the content of a form's field without its escapes.
func unform(dst, content []byte) ([]byte, bool) {
	for i := 0; i < len(content); i++ {
		switch c := content[i]; c {
		case '+':
			dst = append(dst, ' ')
		case '%':
			if len(content)-i < 3 {
				return dst, false
			}
			high, low := hexDigit(content[i+1]), hexDigit(content[i+2])
			if high < 0 || low < 0 {
				return dst, false
			}
			dst = append(dst, byte(high<<4|low))
			i += 2
		default:
			dst = append(dst, c)
		}
	}
	return dst, true
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}
