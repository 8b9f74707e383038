package export

import (
	"strings"
	"testing"
)

func TestConsentDecides(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.audience("lapsed", 0)
	rows := []struct {
		country, consent string
		isOn             bool
	}{
		{"DE", grantedAll, true},
		{"DE", "map()", false},
		{"NO", "map('ads_user_data', 'granted')", false},
		{"GB", "map()", false},
		{"CH", "map()", false},
		{"", "map()", false},
		{"", grantedAll, true},
		{"US", "map()", true},
		{"US", "map('ads_user_data', 'granted')", true},
		{"US", "map('ads_user_data', 'granted', 'ads_personalization', 'denied')", false},
		{"US", "map('ads_user_data', 'denied')", false},
		{"US", "map('email_marketing', 'denied')", true},
		{"DE", "map('ads_user_data', 'granted', 'ads_personalization', 'granted', 'analytics', 'denied')", true},
	}
	for n, r := range rows {
		w.people(n, n+1, r.country, r.consent)
	}
	w.enter("lapsed", numbers(0, len(rows)))
	w.commit()
	x, l := w.exporter(), List{"lapsed", "generic"}
	w.refresh(x, l)
	got := w.list(x, l, FormatCSV)
	for n, r := range rows {
		id := w.query("SELECT toString(%s) FROM (SELECT %d AS n)", profileID, n)
		if strings.Contains(got, id) != r.isOn {
			t.Errorf("%s with %s is on the list: %t", r.country, r.consent, !r.isOn)
		}
	}
	// Consent that is taken back takes the person off, with the keys that were added.
	w.exec("INSERT INTO profiles (profile_id, consent, country, version) SELECT %s, map('ads_user_data', 'denied'), 'DE', 9 FROM (SELECT 0 AS n)", profileID)
	w.refresh(x, l)
	if got := w.list(x, l, FormatCSV); lines(got) != 1+6-1 {
		t.Errorf("after a withdrawal:\n%s", got)
	}
	w.agree(x, l)
}

func TestSettingsOfConsent(t *testing.T) {
	t.Parallel()
	f := func(text, country string, want bool) {
		t.Helper()
		rules, err := parseUnset(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := rules.allows(country); got != want {
			t.Errorf("%s: somebody of %q is exported without an answer: %t", text, country, got)
		}
	}
	shipped := DefaultConfig().Unset
	for _, country := range []string{"DE", "fr", "IS", "LI", "NO", "GB", "UK", "CH", "RE", "", "unknown", "??", "XX"} {
		f(shipped, country, false)
	}
	for _, country := range []string{"US", "us", "JP", "BR"} {
		f(shipped, country, true)
	}
	f("US=deny,EEA=allow,unknown=allow,*=deny", "US", false)
	f("US=deny,EEA=allow,unknown=allow,*=deny", "DE", true)
	f("DE=allow,EEA=deny,unknown=deny,*=allow", "DE", true)
	f("DE=allow,EEA=deny,unknown=deny,*=allow", "AT", false)
	for _, text := range []string{"", "EEA", "EEA=maybe,*=allow,unknown=deny", "EU=deny,*=allow,unknown=deny", "EEA=deny,*=allow", "EEA=deny,unknown=deny"} {
		if _, err := parseUnset(text); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}
