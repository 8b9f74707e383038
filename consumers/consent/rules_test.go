package consent

import (
	"encoding/base64"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/seamline/seamline/consumers/field"
	"github.com/seamline/seamline/consumers/goldentest"
	"github.com/seamline/seamline/schemas"
)

// told gives what came of a form in one line.
func told(out *schemas.Decoded) string {
	var parts []string
	for i := range out.Events {
		e := &out.Events[i]
		parts = append(parts, e.Type.String())
		for _, c := range e.Consents {
			parts = append(parts, c.Purpose.String()+"="+c.State.String())
		}
	}
	for _, r := range out.Rejects {
		parts = append(parts, string(r.Reason)+": "+r.Detail)
	}
	return strings.Join(parts, " ")
}

const who = `"time":"2026-03-01T10:00:00Z","customer":{"user_id":"customer-17"},`

func TestAnswers(t *testing.T) {
	t.Parallel()
	f := func(members, want string) {
		t.Helper()
		if got := told(decode(t, DefaultConfig(), "{"+who+members+"}")); got != want {
			t.Errorf("%s\n got %s\nwant %s", members, got, want)
		}
	}
	f(`"consents":{"analytics":"granted"}`, "consent_update analytics=granted")
	f(`"consents":{"analytics":"unset","sms_marketing":""}`, "consent_update analytics=unset sms_marketing=unset")
	f(`"consents":{"analytics":null,"sms_marketing":false}`, "consent_update sms_marketing=denied")
	f(`"consents":{"Statistics":"denied","analytics":"granted"}`, "consent_update analytics=denied")
	f(`"consents":{"carrier_pigeon":"granted"}`, "consent_update")
	f(`"gpc":true,"ad_storage":"granted","analytics_storage":"granted"`, "consent_update analytics=granted ads_storage=denied ads_user_data=denied ads_personalization=denied")
	f(`"request":"erasure","gpc":true`, "consent_update ads_storage=denied ads_user_data=denied ads_personalization=denied account_deleted")
	f(`"request":"access"`, "custom")
	const nothing = "missing_field: none of consents, tc_string, gpc, request"
	f(`"consents":{}`, nothing)
	f(`"consents":{"analytics":null}`, nothing)
	f(`"consents":"granted"`, nothing)
	f(`"gpc":false`, nothing)
	f(`"request":""`, nothing)
	f(`"consents":{"analytics":[true]}`, "malformed: analytics is none of granted, denied, unset")
}

func TestRequestIDs(t *testing.T) {
	t.Parallel()
	id := func(members string) string {
		out := decode(t, DefaultConfig(), "{"+who+members+"}")
		return out.Events[len(out.Events)-1].ID
	}
	if id(`"request":"erasure","request_id":"1"`) != id(`"request":"erasure","request_id":"1","source":"again"`) {
		t.Error("a request that is sent again is another")
	}
	seen := map[string]bool{}
	for _, members := range []string{`"request":"erasure","request_id":"1"`, `"request":"access","request_id":"1"`, `"request":"erasure","request_id":"2"`, `"request":"erasure"`,
		`"request":"access"`, `"consents":{"analytics":"granted"}`, `"consents":{"analytics":"denied"}`} {
		if got := id(members); seen[got] {
			t.Errorf("%s has the id of another", members)
		} else {
			seen[got] = true
		}
	}
}

// The same bytes without a time, sent again, are another answer.
func TestTimelessFormsAreTold(t *testing.T) {
	t.Parallel()
	id := func(at schemas.Time) string {
		var out schemas.Decoded
		r := &schemas.Record{Time: at, Value: []byte(`{"customer":{"user_id":"customer-17"},"consents":{"analytics":"granted"}}`)}
		out.Begin(r)
		New(DefaultConfig(), nil).Decode(r, r.Value, &out)
		if at == 0 {
			return string(out.Rejects[0].Reason)
		}
		return out.Events[0].ID
	}
	if first := id(1772370000000); first == id(1772370000001) || first != id(1772370000000) {
		t.Error("ids of forms without a time")
	}
	if got := id(0); got != string(schemas.ReasonImpossibleTime) {
		t.Errorf("no time at all gives %s", got)
	}
}

// bitWriter writes TC strings, apart from what reads them.
type bitWriter struct{ bits strings.Builder }

func (w *bitWriter) number(n, bits int) { fmt.Fprintf(&w.bits, "%0*b", bits, n) }

func (w *bitWriter) vendors(random *rand.Rand) {
	last := random.IntN(300)
	w.number(last, 16)
	if last == 0 || random.IntN(2) == 0 {
		w.number(0, 1)
		for range last {
			w.number(random.IntN(2), 1)
		}
		return
	}
	w.number(1, 1)
	entries := random.IntN(5)
	w.number(entries, 12)
	for range entries {
		first := 1 + random.IntN(last)
		if random.IntN(2) == 0 {
			w.number(0, 1)
			w.number(first, 16)
			continue
		}
		w.number(1, 1)
		w.number(first, 16)
		w.number(first+random.IntN(last-first+1), 16)
	}
}

func (w *bitWriter) String() string {
	bits := w.bits.String()
	b := make([]byte, (len(bits)+7)/8)
	for i, bit := range bits {
		if bit == '1' {
			b[i/8] |= 1 << (7 - i%8)
		}
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// TestTCStrings: whatever stands around the purposes, they are read, and no string that is cut off passes.
func TestTCStrings(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	for range 3000 {
		var w bitWriter
		purposes := random.IntN(1 << 24)
		w.number(2, 6)
		for _, bits := range []int{36, 36, 12, 12, 6, 12, 12, 6, 1, 1, 12} {
			w.number(random.IntN(1<<bits), bits)
		}
		w.number(purposes, 24)
		w.number(random.IntN(1<<24), 24) // with a legitimate interest, which is no consent
		w.number(random.IntN(2), 1)
		w.number(random.IntN(1<<12), 12)
		w.vendors(random)
		w.vendors(random)
		short := base64.RawURLEncoding.DecodedLen(len(w.String())) - 1
		has := func(all ...int) schemas.ConsentState {
			for _, p := range all {
				if purposes>>(24-p)&1 == 0 {
					return schemas.ConsentDenied
				}
			}
			return schemas.ConsentGranted
		}
		var want, got schemas.Event
		want.Consents = []schemas.Consent{{Purpose: schemas.PurposeAnalytics, State: has(1, 8)}, {Purpose: schemas.PurposeAdsStorage, State: has(1)},
			{Purpose: schemas.PurposeAdsUserData, State: has(1, 7)}, {Purpose: schemas.PurposeAdsPersonalization, State: has(1, 3, 4)},
			{Purpose: schemas.PurposePersonalization, State: has(1, 5, 6)}}
		var said field.Consents
		if _, bad := sayTC(nil, w.String()+".anything", &said); bad != "" {
			t.Fatalf("seed %d: %s %s", seed, w.String(), bad)
		}
		if said.Put(&got); fmt.Sprint(got.Consents) != fmt.Sprint(want.Consents) {
			t.Fatalf("seed %d: %s says %v; want %v", seed, w.String(), got.Consents, want.Consents)
		}
		b, _ := base64.RawURLEncoding.DecodeString(w.String())
		cut := base64.RawURLEncoding.EncodeToString(b[:random.IntN(short)])
		var none field.Consents
		if _, bad := sayTC(nil, cut, &none); bad == "" || none.Any() {
			t.Fatalf("seed %d: %s, cut off from %s, passes", seed, cut, w.String())
		}
	}
}

func TestBrokenTCStrings(t *testing.T) {
	t.Parallel()
	f := func(tc, want string) {
		t.Helper()
		var said field.Consents
		if _, got := sayTC(nil, tc, &said); got != want || said.Any() {
			t.Errorf("%.80q: %q; want %q", tc, got, want)
		}
	}
	f("", "is not of version 2")
	f("C", "is not in base64url")
	f("Co+/", "is not in base64url")
	f("CO", "ends within its core segment")
	f(".COvF", "is not of version 2")
	f("BOEFEAyOEFEAyAHABDENAI4AAAB9vABAASA", "is not of version 2") // one of version 1
	f(strings.Repeat("C", tcLengthMax+1), "is longer than any can be")
	vendor0 := bitWriter{}
	vendor0.number(2, 6)
	for _, bits := range []int{36, 36, 12, 12, 6, 12, 12, 6, 1, 1, 12, 24, 24, 1, 12} {
		vendor0.number(0, bits)
	}
	vendor0.number(5, 16)
	vendor0.number(1, 1)
	vendor0.number(1, 12)
	vendor0.number(0, 1)
	vendor0.number(9, 16) // above the last vendor
	vendor0.number(0, 17)
	f(vendor0.String(), "has a broken list of vendors")
}

func TestSetting(t *testing.T) {
	t.Parallel()
	config := DefaultConfig()
	flags := flag.NewFlagSet("", flag.ContinueOnError)
	config.Flags(flags)
	if err := flags.Parse([]string{"--consent.categories=Offers=email_marketing+sms_marketing,Functional="}); err != nil {
		t.Fatal(err)
	}
	if err := config.Validate(); err != nil {
		t.Error(err)
	}
	out := decode(t, config, "{"+who+`"consents":{"OFFERS":"granted","functional":"denied"}}`)
	if got := told(out); got != "consent_update email_marketing=granted sms_marketing=granted" || out.Events[0].Properties != `{"consents":{"functional":"denied"}}` {
		t.Errorf("%s %s", got, out.Events[0].Properties)
	}
	if err := (&Config{Categories: "Offers=everything"}).Validate(); err == nil {
		t.Error("everything passes for a purpose")
	}
	if name := New(config, nil).Name(); name != "consent" {
		t.Errorf("Name() = %s", name)
	}
}

// Input that is made to cost much must cost little more than its length.
func TestHostileInputIsLinear(t *testing.T) {
	t.Parallel()
	fill := goldentest.Fill
	suite.Hostile(t, map[string]string{
		"nesting":  fill("", "[", ""),
		"objects":  fill("", `{"consents":`, ""),
		"forms":    fill("[", `{"customer":{"user_id":"c"},"gpc":1},`, `{}]`),
		"answers":  fill("{"+who+`"consents":{`, `"a":true,`, `"b":true}}`),
		"names":    "{" + who + `"consents":{` + goldentest.ManyKeys() + `"analytics":"granted"}}`,
		"repeated": fill("{"+who, `"consents":{"analytics":1},`, `"gpc":1}`),
		"tc":       fill("{"+who+`"tc_string":"`, "C", `"}`),
		"vendors":  fill("{"+who+`"tc_string":"COvFyGBOvFyGBAbAAAENAPCAAOAAAAAAAAAAAEEU`, "_", `"}`),
		"segments": fill("{"+who+`"tc_string":"COvFyGBOvFyGBAbAAAENAPCAAOAAAAAAAAAAAEEUACCKAAA`, ".A", `"}`),
		"calls":    fill(`{"batch":[`, `{"type":"track","context":{"consent":{"categoryPreferences":{}}}},`, `{}]}`),
	}, 10*time.Second)
}

func TestFormsUseNoMemory(t *testing.T) {
	for _, name := range []string{"seamline_consents.json", "google_consent_mode.json", "tcf_several_segments.json", "gpc.json", "request_with_consents.json", "segment_batch.json"} {
		suite.Allocations(t, name, suite.Read(t, name), 0)
	}
}

func BenchmarkDecodeForm(b *testing.B) {
	suite.Benchmark(b, suite.Compact(b, "seamline_consents.json"))
}

func BenchmarkDecodeTCF(b *testing.B) { suite.Benchmark(b, suite.Compact(b, "tcf.json")) }

func BenchmarkDecodeSegment(b *testing.B) {
	suite.Benchmark(b, suite.Compact(b, "segment_consent_updated.json"))
}
