package contact

import (
	"regexp"
	"strings"
)

// Name gives a given or family name as Meta hashes it: lower case, NFC, letters of any alphabet without punctuation and white space.
func Name(value string) (string, bool) { return bare(value) }

// Titles and suffixes that Google does not hash with a name.
var (
	givenPrefix  = regexp.MustCompile(`^(?:mr|mrs|ms|dr)\.(?:\s|$)`)
	familySuffix = regexp.MustCompile(`(?:,\s*|\s+)(?:jr\.|sr\.|2nd|3rd|ii|iii|iv|v|vi|cpa|dc|dds|vm|jd|md|phd)$`)
)

// GoogleGivenName gives a given name as Google hashes it: trimmed, lower case, without a title such as Mr.
func GoogleGivenName(value string) (string, bool) { return without(givenPrefix, value) }

// GoogleFamilyName gives a family name as Google hashes it: trimmed, lower case, without suffixes such as Jr. and PhD.
func GoogleFamilyName(value string) (string, bool) { return without(familySuffix, value) }

// without takes away all that matches, one after the other, and runs of white space but for one blank.
func without(title *regexp.Regexp, value string) (string, bool) {
	value, ok := fold(value)
	if !ok {
		return "", false
	}
	value = tidy(value)
	for at := title.FindStringIndex(value); at != nil; at = title.FindStringIndex(value) {
		value = strings.TrimSpace(value[:at[0]] + value[at[1]:])
	}
	return value, value != ""
}
