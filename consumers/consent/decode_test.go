package consent

import (
	"encoding/json"
	"testing"

	"github.com/seamline/seamline/consumers/goldentest"
	"github.com/seamline/seamline/schemas"
)

var suite = goldentest.Suite{
	New:         func() schemas.Decoder { return New(DefaultConfig(), calls()) },
	Feed:        schemas.FeedConsent,
	Folder:      "testdata",
	Endings:     []string{".json"},
	PayloadsMin: 38,
	JSONOnly:    true,
	Promise:     promise,
}

// promise checks that answers are in order, each purpose once, and that properties hold no contact data.
func promise(t testing.TB, e *schemas.Event, properties map[string]json.RawMessage) {
	t.Helper()
	if len(e.Consents) > 0 && e.Type != schemas.TypeConsentUpdate {
		t.Errorf("answers on %s", e.Type)
	}
	for i, c := range e.Consents {
		if int(c.Purpose) >= schemas.PurposeCount || c.State > schemas.ConsentDenied || i > 0 && c.Purpose <= e.Consents[i-1].Purpose {
			t.Errorf("answers out of order: %+v", e.Consents)
		}
	}
	goldentest.NoContact(t, e, properties)
}

func decode(t testing.TB, config Config, value string) *schemas.Decoded {
	t.Helper()
	return suite.Decode(t, New(config, calls()), []byte(value))
}

func TestGolden(t *testing.T) {
	t.Parallel()
	suite.Golden(t)
}

func TestDecoderIsSharedByGoroutines(t *testing.T) {
	t.Parallel()
	suite.Shared(t, "seamline_consents.json", "array_mixed.json", "tcf_several_segments.json", "segment_batch.json", "request_with_consents.json")
}

func FuzzDecode(f *testing.F) { suite.Fuzz(f) }
