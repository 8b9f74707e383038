package contact

import (
	_ "embed"
	"strings"
	"sync"
)

// City gives a city as Meta hashes it: lower case, without white space and punctuation.
func City(value string) (string, bool) { return bare(value) }

// countryLines holds a country per line: its alpha-2 and alpha-3 codes, and its names.
//
//go:embed countries.txt
var countryLines string

// countries gives alpha-2 codes in lower case by code or bare name.
var countries = sync.OnceValue(func() map[string]string {
	byName := map[string]string{}
	for line := range strings.Lines(countryLines) {
		alpha2, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		alpha3, names, _ := strings.Cut(rest, " ")
		code := strings.ToLower(alpha2)
		for _, name := range append(strings.Split(names, "|"), alpha2, alpha3) {
			folded, _ := bare(strings.ReplaceAll(name, "&", "and"))
			byName[folded] = code
		}
	}
	return byName
})

// Country gives a country as Meta hashes it: its ISO 3166 alpha-2 code in lower case, of a code or a name in English or its own language.
func Country(value string) (string, bool) {
	folded, ok := bare(strings.ReplaceAll(value, "&", "and"))
	if !ok {
		return "", false
	}
	code, ok := countries()[folded]
	return code, ok
}

// states are the states of the United States with their codes.
const states = `alabama al,alaska ak,arizona az,arkansas ar,california ca,colorado co,connecticut ct,delaware de,florida fl,georgia ga,hawaii hi,
idaho id,illinois il,indiana in,iowa ia,kansas ks,kentucky ky,louisiana la,maine me,maryland md,massachusetts ma,michigan mi,minnesota mn,
mississippi ms,missouri mo,montana mt,nebraska ne,nevada nv,newhampshire nh,newjersey nj,newmexico nm,newyork ny,northcarolina nc,
northdakota nd,ohio oh,oklahoma ok,oregon or,pennsylvania pa,rhodeisland ri,southcarolina sc,southdakota sd,tennessee tn,texas tx,utah ut,
vermont vt,virginia va,washington wa,westvirginia wv,wisconsin wi,wyoming wy,districtofcolumbia dc,washingtondc dc,puertorico pr`

var stateCodes = sync.OnceValue(func() map[string]string {
	byName := map[string]string{}
	for state := range strings.SplitSeq(states, ",") {
		name, code, _ := strings.Cut(strings.TrimSpace(state), " ")
		byName[name] = code
	}
	return byName
})

// Region gives a state or province as Meta hashes it: lower case without white space and punctuation, and of the United States the code of
// two letters. The country may be empty.
func Region(value, country string) (string, bool) {
	folded, ok := bare(value)
	if !ok {
		return "", false
	}
	if isUS(country, true) {
		if code, isState := stateCodes()[folded]; isState {
			return code, true
		}
	}
	return folded, true
}

// isUS tells whether a country is the United States; one that is not known is what unknown says.
func isUS(country string, unknown bool) bool {
	code, ok := Country(country)
	if !ok {
		return unknown
	}
	return code == "us"
}

// Postal gives a postal code as Meta hashes it: lower case, without white space and hyphens, and of the United States the first five
// digits. The country may be empty.
func Postal(value, country string) (string, bool) {
	value, ok := fold(value)
	if !ok {
		return "", false
	}
	value = strings.TrimSpace(value)
	isZip4 := len(value) == 10 && value[5] == '-' && allDigits(value[:5]) && allDigits(value[6:])
	folded, ok := bare(value)
	if !ok {
		return "", false
	}
	if isUS(country, isZip4) && len(folded) > 5 && allDigits(folded) {
		folded = folded[:5]
	}
	return folded, true
}

func allDigits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
