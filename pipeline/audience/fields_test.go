package audience

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/seamline/seamline/schemas"
)

// drawn fills every field of a value with small numbers and short words.
func drawn(rng *rand.Rand, v reflect.Value) {
	switch v.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int32, reflect.Int64:
		v.SetInt(int64(rng.IntN(4)))
	case reflect.Uint8, reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(rng.IntN(3)))
	case reflect.Float32:
		v.SetFloat(float64(rng.IntN(4)) / 4)
	case reflect.Bool:
		v.SetBool(rng.IntN(2) == 0)
	case reflect.String:
		v.SetString([]string{"", "a", "b"}[rng.IntN(3)])
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), rng.IntN(3), 3))
		fallthrough
	case reflect.Array:
		for i := range v.Len() {
			drawn(rng, v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			drawn(rng, v.Field(i))
		}
	}
}

// TestFieldsAreOfTheProfile: each field that a rule may name follows the profile, and nothing of one person is left when another is looked at.
func TestFieldsAreOfTheProfile(t *testing.T) {
	t.Parallel()
	rng := random(t)
	used, moved := newEvaluator(newStage(nil)), map[string]bool{}
	var before reflect.Value
	for i := range 400 {
		p, sc := &schemas.Profile{}, &schemas.Scores{}
		drawn(rng, reflect.ValueOf(sc).Elem())
		drawn(rng, reflect.ValueOf(p).Elem())
		if p.Scores = sc; i%3 == 0 {
			p.Scores = nil
		}
		fresh := newEvaluator(newStage(nil))
		fresh.look(p)
		used.look(p)
		got, want := reflect.ValueOf(&used.env).Elem(), reflect.ValueOf(&fresh.env).Elem()
		for f := range got.NumField() {
			field := got.Type().Field(f)
			if field.Anonymous {
				continue
			}
			x, y := got.Field(f), want.Field(f)
			isSame := x.Kind() == reflect.Slice && x.Len() == 0 && y.Len() == 0 || reflect.DeepEqual(x.Interface(), y.Interface())
			if !isSame {
				t.Fatalf("%s is %v, and %v where nobody was looked at before", field.Name, x, y)
			}
			if before.IsValid() && !reflect.DeepEqual(before.Field(f).Interface(), y.Interface()) {
				moved[field.Tag.Get("expr")] = true
			}
		}
		before = want
	}
	for name := range fields {
		if !moved[name] {
			t.Errorf("%s is always the same", name)
		}
	}
}

// TestScoresInRules: rules over scores and consent are compiled as others are, answer as the machine does, and say what they read.
func TestScoresInRules(t *testing.T) {
	t.Parallel()
	rng := random(t)
	f := func(when string, reads schemas.Fields) {
		t.Helper()
		r := rules(t, strings.ReplaceAll(when, "'", "''"))[0]
		if r.reads != reads {
			t.Errorf("%s reads %b, want %b", when, r.reads, reads)
		}
		s, answers := newStage([]Rule{r}), map[bool]bool{}
		for range 300 {
			p, sc := &schemas.Profile{}, &schemas.Scores{}
			drawn(rng, reflect.ValueOf(p).Elem())
			drawn(rng, reflect.ValueOf(sc).Elem())
			p.Scores = sc
			s.eval.look(p)
			s.eval.now = schemas.Time(rng.Int64N(int64(2 * schemas.Hour)))
			out, err := s.machine.Run(r.program, &s.eval.env)
			if err != nil {
				t.Fatalf("%s: %v", when, err)
			}
			if r.condition != nil && r.condition(s.eval) != out {
				t.Fatalf("%s: the machine says %v", when, out)
			}
			answers[out.(bool)] = true
		}
		if len(answers) != 2 {
			t.Errorf("%s: the answer is always the same", when)
		}
	}
	const buying, scores, answers, consent = schemas.FieldsBuying, schemas.FieldsScores, schemas.FieldsAnswers, schemas.FieldsConsent
	f("churn > 0.5 and lifetime_value >= 0.0001", buying)
	f("recency_quintile == 1 or monetary_quintile > frequency_quintile", buying)
	f("price_sensitivity > discount_share", buying)
	f("loyalty_points >= 2 and loyalty_points < 3", buying)
	f("hiatus_churn and orders > 0", buying|schemas.FieldsOrders)
	f("purchase_propensity > 0.25 or cart_conversion > 0.25", scores)
	f("email_engagement < 0.5 and omnichannel > 0", scores)
	f(`"a" in top_categories and "b" not in top_brands`, scores)
	f(`any(recommended_skus, # == "b")`, buying)
	f(`browse_channel == "web" or buy_channel in ["store", "call"]`, scores)
	f("nps >= 2 or csat > 2 or satisfaction > 0.25", answers)
	f(`consent("ads_user_data") == "granted"`, consent)
	f(`consent("email_marketing") != "denied" and consent_sms_marketing == "unset"`, consent)
	f(`consent_analytics in ["granted", "unset"]`, consent)
	f(`store_events > 1 and within(sms_last_seen, "1h") or web_events > 1`, schemas.FieldsSeen|schemas.FieldsClock)
	f("whatsapp_events + push_events + call_events + social_events > 3", schemas.FieldsSeen)
	f("web_orders > app_orders or store_revenue > 0.0001", schemas.FieldsOrders)
	f("emails > 0 or phones > 1", schemas.FieldsIdentity)
	f(`country in ["a", "FR"]`, schemas.FieldsCountry)
}

// TestConsentErrors: a purpose that does not exist is named, with those that do.
func TestConsentErrors(t *testing.T) {
	t.Parallel()
	f := func(when, want string) {
		t.Helper()
		_, err := parseRules([]byte("audiences:\n  - {name: a, when: '" + strings.ReplaceAll(when, "'", "''") + "'}\n"))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got error %v, want %q", when, err, want)
		}
	}
	f(`consent("ads") == "granted"`, `unknown purpose "ads"; known are analytics, ads_storage`)
	f(`consent(stage) == "granted"`, "takes one purpose as a text")
	f(`consent() == "granted"`, "takes one purpose as a text")
	f(`consent_ads == "granted"`, "did you mean consent_at?")
}

// TestConsentNames: every purpose has its field.
func TestConsentNames(t *testing.T) {
	t.Parallel()
	for _, purpose := range schemas.PurposeNames() {
		if !slices.Contains(fieldNames(), consentPrefix+purpose) {
			t.Errorf("consent to %s has no field", purpose)
		}
	}
}
