package clickstream

import (
	"strings"
	"testing"

	"github.com/seamline/seamline/consumers/field"
	"github.com/seamline/seamline/schemas"
)

// toldConsent gives type, id, consents and properties of the only event.
func toldConsent(t *testing.T, config Config, value string) string {
	t.Helper()
	out := decode(t, config, []byte(value))
	if len(out.Events) != 1 {
		return string(out.Rejects[0].Reason) + ": " + out.Rejects[0].Detail
	}
	e := &out.Events[0]
	parts := []string{e.Type.String(), e.ID}
	for _, c := range e.Consents {
		parts = append(parts, c.Purpose.String()+"="+c.State.String())
	}
	return strings.Join(append(parts, e.Properties), " ")
}

// On the feed of consent, any call with consent is the news of it; on the feed of behaviour it is what it was.
func TestCallsOnTheFeedOfConsent(t *testing.T) {
	t.Parallel()
	onConsent := DefaultConfig()
	onConsent.ConsentFeed = true
	const page = `{"type":"page","messageId":"m","userId":"customer-1","timestamp":"2026-03-01T10:00:00Z","properties":{"url":"https://shop.example.com/x"},
		"context":{"consent":{"categoryPreferences":{"Analytics":false,"Other":true}}}}`
	f := func(config Config, value, want string) {
		t.Helper()
		if got := toldConsent(t, config, value); got != want {
			t.Errorf("%s\n got %s\nwant %s", value, got, want)
		}
	}
	f(DefaultConfig(), page, "page_view m ")
	f(onConsent, page, `consent_update m:consent analytics=denied {"consent":{"Analytics":false,"Other":true}}`)
	f(onConsent, strings.Replace(page, `"type":"page"`, `"type":"track","event":"Segment Consent Preference Updated"`, 1),
		`consent_update m analytics=denied {"url":"https://shop.example.com/x","consent":{"Analytics":false,"Other":true}}`)
	f(onConsent, strings.Replace(page, `"type":"page"`, `"type":"identify","traits":{"email":"customer-1@example.com","plan":"gold"}`, 1),
		`consent_update m:consent analytics=denied {"consent":{"Analytics":false,"Other":true}}`)
	// What carries no consent stays what it was.
	f(onConsent, `{"type":"page","messageId":"m","userId":"customer-1","timestamp":"2026-03-01T10:00:00Z"}`, "page_view m ")
	f(onConsent, `{"type":"track","event":"Segment Consent Preference","messageId":"m","userId":"customer-1","timestamp":"2026-03-01T10:00:00Z","context":{"consentManagement":{"provider":"x"}}}`,
		"missing_field: context.consent.categoryPreferences")
}

func TestCategoriesSetting(t *testing.T) {
	t.Parallel()
	categories, err := field.NewCategories("Offers=email_marketing+sms_marketing, Analytics=")
	if err != nil {
		t.Fatal(err)
	}
	config := DefaultConfig()
	config.Categories = categories
	const value = `{"type":"track","event":"Segment Consent Preference Updated","messageId":"m","userId":"customer-1","timestamp":"2026-03-01T10:00:00Z",
		"context":{"consent":{"categoryPreferences":{"offers":true,"Analytics":true,"Functional":false}}}}`
	const want = `consent_update m email_marketing=granted sms_marketing=granted personalization=denied {"consent":{"offers":true,"Analytics":true,"Functional":false}}`
	if got := toldConsent(t, config, value); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestSurveyScales(t *testing.T) {
	t.Parallel()
	f := func(properties, want string) {
		t.Helper()
		out := decode(t, DefaultConfig(), []byte(`{"type":"track","event":"Survey Answered","messageId":"m","userId":"customer-1","timestamp":"2026-03-01T10:00:00Z","properties":{`+properties+`}}`))
		got := ""
		switch {
		case len(out.Rejects) > 0:
			got = out.Rejects[0].Detail
		case out.Events[0].Answer.Kind != schemas.SurveyNone:
			a := out.Events[0].Answer
			got = a.Survey + " " + a.Kind.String() + " " + string('0'+rune(a.Score))
		}
		if got != want {
			t.Errorf("%s gives %q; want %q", properties, got, want)
		}
	}
	f(`"survey_id":"s","score":0`, "s nps 0")
	f(`"survey_id":"s","nps":"9"`, "s nps 9")
	f(`"survey":"s","rating":5.0`, "s csat 5")
	f(`"survey_id":"s","survey_type":"CSAT","score":5`, "s csat 5")
	f(`"survey_id":"s","kind":"nps","rating":9`, "s nps 9")
	f(`"survey_id":"s"`, "")
	f(`"survey_id":"s","kind":"csat","score":0`, field.SurveyScoreBad)
	f(`"survey_id":"s","nps":11`, field.SurveyScoreBad)
	f(`"survey_id":"s","nps":-1`, field.SurveyScoreBad)
	f(`"survey_id":"s","csat":2.5`, field.SurveyScoreBad)
	f(`"survey_id":"s","score":"very good"`, "the score is no number")
}
