package contact

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Email gives an e-mail address as identifiers are compared: NFC, lower case, one @ with something on both sides, without "mailto:" and
// the name before "<address>". White space within makes it none.
func Email(value string) (string, bool) {
	value = strings.TrimPrefix(strings.TrimSpace(value), "mailto:")
	// "Name <address>" appears in provider payloads.
	if open := strings.LastIndexByte(value, '<'); open >= 0 && strings.HasSuffix(value, ">") {
		value = strings.TrimSpace(value[open+1 : len(value)-1])
	}
	if !hasSides(value) || strings.ContainsAny(value, " \t\r\n,;") {
		return "", false
	}
	return strings.ToLower(norm.NFC.String(value)), true
}

// hasSides tells whether a value has one @ with something on both sides.
func hasSides(value string) bool {
	at := strings.IndexByte(value, '@')
	return at >= 1 && at < len(value)-1 && strings.IndexByte(value[at+1:], '@') < 0
}

// PlainEmail gives an e-mail address as most platforms hash it: NFC, all white space out, lower case.
func PlainEmail(value string) (string, bool) {
	value, ok := fold(value)
	if !ok {
		return "", false
	}
	value = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, value)
	return Email(value)
}

// GoogleEmail gives an e-mail address as Google hashes it: plain, and of gmail.com and googlemail.com without dots and what follows a plus.
func GoogleEmail(value string) (string, bool) {
	return withoutDots(value, "gmail.com", "googlemail.com")
}

// UID2Email gives an e-mail address as UID2 hashes it: plain, and of gmail.com without dots and what follows a plus.
func UID2Email(value string) (string, bool) { return withoutDots(value, "gmail.com") }

// withoutDots gives the plain form, without dots and suffix of what stands before the @ where the domain is one of those.
func withoutDots(value string, domains ...string) (string, bool) {
	plain, ok := PlainEmail(value)
	if !ok {
		return "", false
	}
	user, domain, _ := strings.Cut(plain, "@")
	for _, d := range domains {
		if domain != d {
			continue
		}
		user, _, _ = strings.Cut(user, "+")
		user = strings.ReplaceAll(user, ".", "")
		return user + "@" + domain, user != ""
	}
	return plain, true
}
