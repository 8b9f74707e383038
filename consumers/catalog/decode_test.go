package catalog

import (
	"encoding/json"
	"testing"

	"github.com/seamline/seamline/consumers/goldentest"
	"github.com/seamline/seamline/schemas"
)

// suite has payloads in JSON and tables in .tsv.
var suite = goldentest.Suite{
	New:         func() schemas.Decoder { return New(DefaultConfig()) },
	Feed:        schemas.FeedCatalog,
	Folder:      "testdata",
	Endings:     []string{".json", ".tsv"},
	PayloadsMin: 45,
	Nameless:    true,
	Promise:     promise,
}

// promise checks that an event is about a product, and that what it says of price and stock can be.
func promise(t testing.TB, e *schemas.Event, properties map[string]json.RawMessage) {
	t.Helper()
	if e.SKU == "" || (e.Channel == schemas.ChannelStore) != (e.StoreID != "") || e.Amount < 0 || e.Amount > amountMax || e.Quantity < 0 || e.Quantity > quantityMax {
		t.Errorf("an impossible event: %+v", e)
	}
	switch e.Type {
	case schemas.TypePriceChange:
		if len(e.Items) != 1 {
			t.Fatalf("%d items in %+v", len(e.Items), e)
		}
		i := e.Items[0]
		if i.SKU != e.SKU || i.Total != e.Amount || i.UnitPrice-i.Discount != i.Total || i.Discount < 0 || i.Cost < 0 {
			t.Errorf("an impossible item: %+v", e)
		}
	case schemas.TypeStockChange:
		if len(e.Items) != 0 || e.Amount != 0 {
			t.Errorf("stock with a price: %+v", e)
		}
	default:
		t.Errorf("the type is %s", e.Type)
	}
	goldentest.NoContact(t, e, properties)
}

func decode(t testing.TB, config Config, value string) *schemas.Decoded {
	t.Helper()
	return suite.Decode(t, New(config), []byte(value))
}

func TestGolden(t *testing.T) {
	t.Parallel()
	suite.Golden(t)
}

func TestDecoderIsSharedByGoroutines(t *testing.T) {
	t.Parallel()
	suite.Shared(t, "merchant_array_mixed.json", "content_batch.json", "square_webhook.json", "table_items.tsv", "table_local.tsv")
}

func FuzzDecode(f *testing.F) { suite.Fuzz(f) }
