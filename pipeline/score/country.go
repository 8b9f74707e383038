package score

import "github.com/seamline/seamline/schemas"

// country is an ISO 3166 alpha-2 code packed into an integer, so that state has no strings; 0 for none.
type country uint16

func packCountry(code string) country {
	if len(code) != 2 || code[0] < 'A' || code[0] > 'Z' || code[1] < 'A' || code[1] > 'Z' {
		return 0
	}
	return country(code[0])<<8 | country(code[1])
}

// letters holds all pairs of letters one behind the other, so that a code needs no memory of its own.
var letters = func() string {
	var all []byte
	for first := byte('A'); first <= 'Z'; first++ {
		for second := byte('A'); second <= 'Z'; second++ {
			all = append(all, first, second)
		}
	}
	return string(all)
}()

// String gives the code, and an empty text for what is none.
func (c country) String() string {
	first, second := int(c>>8)-'A', int(c&255)-'A'
	if first < 0 || first >= 26 || second < 0 || second >= 26 {
		return ""
	}
	at := 2 * (26*first + second)
	return letters[at : at+2]
}

// residence is where a person lives, as far as was told last: by the time of the event, and of two at the same time the one that is later in
// the alphabet, so that the order of arrival does not matter.
type residence struct {
	country country
	at      schemas.Time
}

func (r *residence) note(c country, at schemas.Time) {
	if c != 0 && (r.country == 0 || at > r.at || at == r.at && c > r.country) {
		r.country, r.at = c, at
	}
}

// live notes the country that an event tells. It tells which fields may have changed.
func (l *leaf) live(e *schemas.Event) schemas.Fields {
	if e.Country == "" {
		return 0
	}
	home := residence{l.country, l.countryAt}
	home.note(packCountry(e.Country), e.Time)
	if home == (residence{l.country, l.countryAt}) {
		return 0
	}
	l.country, l.countryAt = home.country, home.at
	return schemas.FieldsCountry
}
