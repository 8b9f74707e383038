package stitch

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/nyaruka/phonenumbers"
	"golang.org/x/text/unicode/norm"
)

// Normaliser is how values of a namespace are brought into one form, so that equal people compare equal.
type Normaliser uint8

// The normalisers. All but phone and email accept any value that is not blank.
const (
	NormaliseTrim  Normaliser = iota // surrounding white space goes, case counts
	NormaliseLower                   // trim, then lower case
	NormaliseCode                    // letters and digits only, upper case: printed numbers with blanks and hyphens
	NormaliseEmail                   // trim, NFC, lower case; one @ with something on both sides
	NormalisePhone                   // E.164 with the default region
)

var normalisers = []string{"trim", "lower", "code", "email", "phone"}

func normaliserNames() []string { return normalisers }

func parseNormaliser(name string) (Normaliser, bool) {
	if name == "" {
		return NormaliseTrim, true
	}
	for i, n := range normalisers {
		if n == name {
			return Normaliser(i), true
		}
	}
	return 0, false
}

// valueBytesMax bounds a normalised value. Longer ones name nobody: they are payloads in the wrong field.
const valueBytesMax = 512

// normalise gives the value in one form, and whether it can name anybody. It allocates only where the form differs.
func normalise(n Normaliser, value, region string) (string, bool) {
	if isPlain(n, value) {
		return value, true
	}
	return normaliseAny(n, value, region)
}

// normaliseAny does the same for every value.
func normaliseAny(n Normaliser, value, region string) (string, bool) {
	value = strings.TrimSpace(value)
	if value == "" || len(value) > valueBytesMax || !utf8.ValidString(value) {
		return "", false
	}
	switch n {
	case NormaliseLower:
		return strings.ToLower(value), true
	case NormaliseCode:
		return code(value)
	case NormaliseEmail:
		return email(value)
	case NormalisePhone:
		return phone(value, region)
	}
	return value, true
}

// isPlain tells whether a value surely has its normal form already, in one pass. Most have.
func isPlain(n Normaliser, value string) bool {
	if value == "" || len(value) > valueBytesMax || n == NormaliseCode || n == NormalisePhone {
		return false
	}
	at := 0
	for i := 0; i < len(value); i++ {
		c := value[i]
		switch {
		case c <= ' ' || c >= 0x7f, c >= 'A' && c <= 'Z' && n != NormaliseTrim:
			return false
		case n != NormaliseEmail:
		case c == '@':
			if at++; i == 0 || i == len(value)-1 {
				return false
			}
		case c == ':' || c == '<' || c == '>' || c == ',' || c == ';':
			return false
		}
	}
	return n != NormaliseEmail || at == 1
}

func code(value string) (string, bool) {
	plain := true
	for i := 0; i < len(value) && plain; i++ {
		c := value[i]
		plain = c >= '0' && c <= '9' || c >= 'A' && c <= 'Z'
	}
	if plain {
		return value, true
	}
	value = strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToUpper(r)
		}
		return -1
	}, value)
	return value, value != ""
}

func email(value string) (string, bool) {
	value = strings.TrimPrefix(value, "mailto:")
	// "Name <address>" appears in provider payloads.
	if open := strings.LastIndexByte(value, '<'); open >= 0 && strings.HasSuffix(value, ">") {
		value = strings.TrimSpace(value[open+1 : len(value)-1])
	}
	at := strings.IndexByte(value, '@')
	if at < 1 || at == len(value)-1 || strings.IndexByte(value[at+1:], '@') >= 0 || strings.ContainsAny(value, " \t\r\n,;") {
		return "", false
	}
	return strings.ToLower(norm.NFC.String(value)), true
}

// phone gives E.164. A number that already has that form is not parsed again, since parsing costs a microsecond and more.
func phone(value, region string) (string, bool) {
	if isNANP(value) {
		return value, true
	}
	if strings.HasPrefix(value, "00") {
		value = "+" + value[2:]
	}
	number, err := phonenumbers.Parse(value, region)
	if err != nil || !phonenumbers.IsPossibleNumber(number) {
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

// display gives what analysts may see: device-like values in clear, personal ones masked.
func display(ns *Namespace, value string) string {
	switch {
	case ns.Name == "card" || ns.Name == "card_weak":
		return mask(value, 0, 4)
	case ns.Normalise == NormaliseEmail:
		at := strings.LastIndexByte(value, '@')
		if at < 1 {
			return mask(value, 1, 0)
		}
		return mask(value[:at], 1, 0) + value[at:]
	case ns.Normalise == NormalisePhone:
		return mask(value, 3, 2)
	case ns.Class == 0 || ns.Name == "ip":
		return mask(value, 1, 2)
	}
	return value
}

// mask keeps head and tail runes and hides the length of the rest.
func mask(value string, head, tail int) string {
	runes := []rune(value)
	if len(runes) <= head+tail {
		return "***"
	}
	return string(runes[:head]) + "***" + string(runes[len(runes)-tail:])
}
