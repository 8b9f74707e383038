package pos

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/seamline/seamline/consumers/goldentest"
	"github.com/seamline/seamline/schemas"
)

// suite has payloads in JSON and XML, and forms in .txt.
var suite = goldentest.Suite{
	New:         func() schemas.Decoder { return New(DefaultConfig()) },
	Feed:        schemas.FeedPOS,
	Folder:      "testdata",
	Endings:     []string{".json", ".xml", ".txt"},
	PayloadsMin: 100,
	Promise:     promise,
}

// promise checks that an event names its order and has a possible amount, and that properties tell nothing of the customer.
func promise(t testing.TB, e *schemas.Event, properties map[string]json.RawMessage) {
	t.Helper()
	ordered := false
	for _, id := range e.Identifiers {
		ordered = ordered || id.Namespace == schemas.NamespaceOrderID && strings.HasPrefix(id.Value, e.Source+":")
		switch id.Namespace {
		case schemas.NamespaceEmail, schemas.NamespacePhone, schemas.NamespaceCard:
			if len(id.Value) > 4 && strings.Contains(e.Properties, id.Value) {
				t.Errorf("%s has its %s in properties: %s", e.ID, id.Namespace, e.Properties)
			}
		}
	}
	if !ordered {
		t.Errorf("%s does not name its order: %+v", e.ID, e.Identifiers)
	}
	if e.Amount < 0 || e.Amount > decimalMax {
		t.Errorf("%s has an impossible amount: %+v", e.ID, e)
	}
	goldentest.NoContact(t, e, properties)
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
	suite.Shared(t, "seamline_array_mixed.json", "square_exchange.json", "shopify_refund_two_tenders.json", "lightspeed_form.txt", "poslog_several.xml")
}

func FuzzDecode(f *testing.F) { suite.Fuzz(f) }
