package export

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// answer is what a person said of one purpose. Its numbers stand in queries.
type answer uint8

// The answers.
const (
	unset answer = iota
	granted
	denied
)

// unknownCountry stands in settings for people whose country nobody told.
const unknownCountry = "unknown"

// regions are countries that one rule holds for. EEA and UK have the territories where the same law applies.
var regions = map[string][]string{
	"EEA": {"AT", "BE", "BG", "HR", "CY", "CZ", "DK", "EE", "FI", "FR", "DE", "GR", "HU", "IE", "IT", "LV", "LT", "LU", "MT", "NL", "PL", "PT",
		"RO", "SK", "SI", "ES", "SE", "IS", "LI", "NO", "AX", "GF", "GP", "MQ", "RE", "YT", "MF", "SJ", "EL"},
	"UK": {"GB", "UK", "GG", "JE", "IM", "GI"},
	"CH": {"CH"},
}

// unsetRules say whether people are exported who never answered, by country.
type unsetRules struct {
	byCountry map[string]bool
	others    bool
}

var countryCode = regexp.MustCompile(`^[A-Z]{2}$`)

// parseUnset reads rules such as "EEA=deny,unknown=deny,*=allow". The first that names a country counts.
func parseUnset(text string) (unsetRules, error) {
	rules := unsetRules{byCountry: map[string]bool{}}
	hasOthers := false
	for part := range strings.SplitSeq(text, ",") {
		place, rule, _ := strings.Cut(strings.TrimSpace(part), "=")
		place, rule = strings.TrimSpace(place), strings.TrimSpace(rule)
		if rule != "allow" && rule != "deny" {
			return rules, fmt.Errorf("%q is no rule such as EEA=deny", part)
		}
		if place == "*" {
			rules.others, hasOthers = rule == "allow", true
			continue
		}
		codes := regions[place]
		if codes == nil {
			if place != unknownCountry && !countryCode.MatchString(place) || place == "EU" {
				return rules, fmt.Errorf("%q is neither a country such as DE, nor EEA, UK, CH, unknown or *", place)
			}
			codes = []string{place}
		}
		for _, code := range codes {
			if _, stands := rules.byCountry[code]; !stands {
				rules.byCountry[code] = rule == "allow"
			}
		}
	}
	if !hasOthers {
		return rules, errors.New("a rule for all other countries is missing, such as *=allow")
	}
	if _, stands := rules.byCountry[unknownCountry]; !stands {
		return rules, errors.New("a rule for people of unknown country is missing, such as unknown=deny")
	}
	return rules, nil
}

// allows tells whether a person of a country may be exported without an answer.
func (r *unsetRules) allows(country string) bool {
	country = strings.ToUpper(strings.TrimSpace(country))
	if !countryCode.MatchString(country) || country == "XX" || country == "ZZ" {
		country = unknownCountry
	}
	if isAllowed, stands := r.byCountry[country]; stands {
		return isAllowed
	}
	return r.others
}

// consents decides about a person: all purposes granted is in, any denied is out, and else the country decides.
func (r *unsetRules) consents(answers []answer, country string) bool {
	if slices.Contains(answers, denied) {
		return false
	}
	return !slices.Contains(answers, unset) || r.allows(country)
}
