package stitch

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/seamline/seamline/schemas/contact"
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
		return contact.Email(value)
	case NormalisePhone:
		return contact.Phone(value, region)
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
