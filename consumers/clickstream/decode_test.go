package clickstream

import (
	"encoding/json"
	"testing"

	"github.com/seamline/seamline/consumers/field"
	"github.com/seamline/seamline/consumers/goldentest"
	"github.com/seamline/seamline/schemas"
)

var suite = goldentest.Suite{
	New:         func() schemas.Decoder { return New(DefaultConfig()) },
	Feed:        schemas.FeedClickstream,
	Folder:      "testdata",
	Endings:     []string{".json"},
	PayloadsMin: 80,
	JSONOnly:    true,
	Promise:     promise,
}

// promise checks that properties hold no contact data. Consent is named as contact data is, and holds truth values only.
func promise(t testing.TB, e *schemas.Event, properties map[string]json.RawMessage) {
	t.Helper()
	for key, value := range properties {
		if field.Contact(key) && key != "consent" {
			t.Errorf("%s has contact data in properties: %s=%s", e.ID, key, value)
		}
	}
}

func decode(t testing.TB, config Config, value []byte) *schemas.Decoded {
	t.Helper()
	return suite.Decode(t, New(config), value)
}

func TestGolden(t *testing.T) {
	t.Parallel()
	suite.Golden(t)
}

func TestDecoderIsSharedByGoroutines(t *testing.T) {
	t.Parallel()
	suite.Shared(t, "batch_mixed.json")
}

func FuzzDecode(f *testing.F) { suite.Fuzz(f) }
