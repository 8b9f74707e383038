package contact

import (
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// Phone gives a phone number in E.164, with a plus; one without a country code is of the region, an ISO 3166 alpha-2 code in upper case.
// One that can be dialled only within its area is none. A number that already has that form is not parsed again, since parsing costs a microsecond and more.
func Phone(value, region string) (string, bool) {
	value = strings.TrimSpace(value)
	if isNANP(value) {
		return value, true
	}
	if strings.HasPrefix(value, "00") {
		value = "+" + value[2:]
	}
	number, err := phonenumbers.Parse(value, region)
	if err != nil || phonenumbers.IsPossibleNumberWithReason(number) != phonenumbers.IS_POSSIBLE {
		return "", false
	}
	return phonenumbers.Format(number, phonenumbers.E164), true
}

// isNANP tells whether a value is +1 and ten digits: the one E.164 form in which no trunk prefix can hide.
func isNANP(value string) bool {
	if len(value) != 12 || value[0] != '+' || value[1] != '1' || value[2] < '2' {
		return false
	}
	for i := 2; i < len(value); i++ {
		if value[i] < '0' || value[i] > '9' {
			return false
		}
	}
	return true
}

// PlainPhone gives a number in E.164 as Meta and Snap hash it: digits only.
func PlainPhone(e164 string) string { return strings.TrimPrefix(e164, "+") }
