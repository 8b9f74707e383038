package field

import (
	"strings"
	"testing"

	"github.com/seamline/seamline/schemas"
)

func TestCategories(t *testing.T) {
	t.Parallel()
	f := func(setting, name, want string) {
		t.Helper()
		c, err := NewCategories(setting)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for i, purpose := range schemas.PurposeNames() {
			if c.Of(name)>>i&1 != 0 {
				got = append(got, purpose)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %q stands for %v; want %s", setting, name, got, want)
		}
	}
	// Every purpose is known by its own name.
	for _, purpose := range schemas.PurposeNames() {
		f("", purpose, purpose)
	}
	f("", "Advertising", "ads_storage ads_user_data ads_personalization")
	f("", "ad_storage", "ads_storage")
	f("", "analytics-storage", "analytics")
	f("", "marketing and analytics", "analytics ads_storage ads_user_data ads_personalization")
	f("", "C0001", "")
	f("", strings.Repeat("x", 100), "")
	f("Offers = email_marketing + sms_marketing", "OFFERS", "email_marketing sms_marketing")
	f("C0005=ads", "c0005", "ads_storage ads_user_data ads_personalization")
	f("Marketing=", "marketing", "")
	for _, bad := range []string{"Offers", "=ads", "Offers=everything", strings.Repeat("x", 100) + "=ads"} {
		if _, err := NewCategories(bad); err == nil {
			t.Errorf("%q passes for categories", bad)
		}
	}
	if DefaultCategories().Of("Offers") != 0 {
		t.Error("a setting has changed the well-known table")
	}
}

func TestConsentOf(t *testing.T) {
	t.Parallel()
	f := func(word string, want schemas.ConsentState, wantOK bool) {
		t.Helper()
		if got, ok := ConsentOf(word); got != want || ok != wantOK {
			t.Errorf("%q is %s, %v", word, got, ok)
		}
	}
	for _, word := range []string{"granted", "GRANTED", "CONSENT_GRANTED", "true", "opt-in", "1"} {
		f(word, schemas.ConsentGranted, true)
	}
	for _, word := range []string{"denied", "DENIED", "CONSENT_DENIED", "false", "opted_out", "0"} {
		f(word, schemas.ConsentDenied, true)
	}
	for _, word := range []string{"", "unset", "UNSPECIFIED", "CONSENT_STATUS_UNSPECIFIED"} {
		f(word, schemas.ConsentUnset, true)
	}
	f("perhaps", schemas.ConsentUnset, false)
	f(strings.Repeat("granted", 100), schemas.ConsentUnset, false)
}

// A denial holds before a grant, in any order, and unset stays apart from what was never said.
func TestConsentsOfOneRecord(t *testing.T) {
	t.Parallel()
	var c Consents
	if c.Any() {
		t.Error("something was said")
	}
	c.Say(PurposesAds, schemas.ConsentDenied)
	c.Say(PurposesAll&^(1<<schemas.PurposePushMarketing), schemas.ConsentGranted)
	c.Say(1<<schemas.PurposePushMarketing, schemas.ConsentUnset)
	var e schemas.Event
	c.Put(&e)
	want := "granted denied denied denied granted granted unset granted granted"
	var got []string
	for i, answer := range e.Consents {
		if int(answer.Purpose) != i {
			t.Errorf("answer %d is about %s", i, answer.Purpose)
		}
		got = append(got, answer.State.String())
	}
	if strings.Join(got, " ") != want {
		t.Errorf("got %v\nwant %s", got, want)
	}
	var other Consents
	other.Say(1<<schemas.PurposeAnalytics, schemas.ConsentGranted)
	var few schemas.Event
	if other.Put(&few); len(few.Consents) != 1 {
		t.Errorf("%d answers", len(few.Consents))
	}
}

func TestChannelWords(t *testing.T) {
	t.Parallel()
	for _, name := range schemas.ChannelNames()[1:] {
		if got := Channel(name).String(); got != name {
			t.Errorf("%s is %q", name, got)
		}
	}
	if Channel("Call Center") != schemas.ChannelCall || Channel("carrier pigeon") != schemas.ChannelUnknown || Channel(strings.Repeat("w", 100)) != schemas.ChannelUnknown {
		t.Error("words of channels")
	}
}

func TestFreeText(t *testing.T) {
	t.Parallel()
	f := func(text string, kept bool) {
		t.Helper()
		if got := FreeText(text); (got != "") != kept || kept && got != text {
			t.Errorf("%q becomes %q", text, got)
		}
	}
	f("Fast delivery, order 123456", true)
	f("call +1 650 555 1212", false)
	f("write to customer-1@example.com", false)
	f(strings.Repeat("long ", 50), false)
}
