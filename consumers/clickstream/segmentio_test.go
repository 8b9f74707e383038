package clickstream

import (
	"reflect"
	"testing"
	"unicode/utf8"

	"github.com/segmentio/encoding/json"

	"github.com/seamline/seamline/consumers/field"
	"github.com/seamline/seamline/schemas"
)

// structCall is a call of a product view as a struct of segmentio/encoding, the other way to read one. It knows no more than what
// track_product_viewed.json has: the point is to hold the cost of our own reader against it.
type structCall struct {
	Type              string `json:"type"`
	Event             string `json:"event"`
	MessageID         string `json:"messageId"`
	UserID            string `json:"userId"`
	AnonymousID       string `json:"anonymousId"`
	Timestamp         string `json:"timestamp"`
	OriginalTimestamp string `json:"originalTimestamp"`
	SentAt            string `json:"sentAt"`
	ReceivedAt        string `json:"receivedAt"`
	Context           struct {
		Library struct {
			Name string `json:"name"`
		} `json:"library"`
		Page struct {
			URL      string `json:"url"`
			Path     string `json:"path"`
			Referrer string `json:"referrer"`
		} `json:"page"`
		Campaign struct {
			Source string `json:"source"`
			Medium string `json:"medium"`
			Name   string `json:"name"`
		} `json:"campaign"`
		Traits struct {
			Email string `json:"email"`
		} `json:"traits"`
	} `json:"context"`
	Properties json.RawMessage `json:"properties"`
}

// structProduct is what has a column of a product view's properties.
type structProduct struct {
	ProductID string          `json:"product_id"`
	SKU       string          `json:"sku"`
	Category  string          `json:"category"`
	Name      string          `json:"name"`
	Brand     string          `json:"brand"`
	Variant   string          `json:"variant"`
	Price     json.RawMessage `json:"price"`
	Quantity  json.RawMessage `json:"quantity"`
	Value     json.RawMessage `json:"value"`
	Currency  string          `json:"currency"`
}

const structFlags = json.ZeroCopy | json.DontMatchCaseInsensitiveStructFields

// structScratch is the memory that is used again from call to call.
type structScratch struct {
	call       structCall
	product    structProduct
	properties field.Properties
}

// decode makes the event of a product view, as strictly as the decoder does: nothing but JSON in UTF-8.
func (s *structScratch) decode(value []byte, record schemas.Time, out *schemas.Decoded) bool {
	s.call, s.product = structCall{}, structProduct{}
	c, p := &s.call, &s.product
	if !utf8.Valid(value) {
		return false
	}
	if rest, err := json.Parse(value, c, structFlags); err != nil || len(rest) > 0 {
		return false
	}
	if _, err := json.Parse(c.Properties, p, structFlags); err != nil {
		return false
	}
	times := call{timestamp: field.TimeOf(c.Timestamp), original: field.TimeOf(c.OriginalTimestamp), sent: field.TimeOf(c.SentAt), received: field.TimeOf(c.ReceivedAt)}
	times.context.library = c.Context.Library.Name
	what := meaningOf(c.Event)
	e := out.Event()
	e.ID, e.Source, e.Type, e.Time, e.Received = c.MessageID, times.source(), what.kind, times.eventTime(record, true), times.received.Value
	e.Channel = times.surroundings(what.channel, "")
	field.Identify(e, schemas.NamespaceUserID, c.UserID)
	field.Identify(e, schemas.NamespaceAnonymousID, c.AnonymousID)
	field.Identify(e, schemas.NamespaceEmail, c.Context.Traits.Email)
	e.PageURL, e.PagePath, e.Referrer = c.Context.Page.URL, c.Context.Page.Path, c.Context.Page.Referrer
	e.Campaign = schemas.Campaign{Source: c.Context.Campaign.Source, Medium: c.Context.Campaign.Medium, Name: c.Context.Campaign.Name}
	e.Currency = field.Currency(p.Currency)
	s.describe(e, out)
	return true
}

// describe fills in the product, and puts what has no column into the properties.
func (s *structScratch) describe(e *schemas.Event, out *schemas.Decoded) {
	p := &s.product
	one := product{lineID: "1", sku: p.SKU, productID: p.ProductID, name: p.Name, category: p.Category, brand: p.Brand,
		price: field.DecimalOf(string(p.Price)), quantity: field.DecimalOf(string(p.Quantity))}
	e.SKU, e.Variant, e.Quantity, e.Amount = p.SKU, p.Variant, one.quantity.Value, field.DecimalOf(string(p.Value)).Value
	e.Items = append(e.Items, one.item())
	s.properties.Begin(out)
	for t := json.NewTokenizer(s.call.Properties); t.Next(); {
		if t.Depth != 1 || !t.IsKey {
			continue
		}
		key := string(t.Value[1 : len(t.Value)-1])
		t.Next() // the colon
		t.Next()
		switch key {
		case "product_id", "sku", "category", "name", "brand", "variant", "price", "quantity", "value", "currency":
		default:
			s.properties.Add(key, t.Value)
		}
	}
	s.properties.AddText("product_id", p.ProductID)
	s.properties.AddText("name", p.Name)
	s.properties.AddText("category", p.Category)
	s.properties.AddText("brand", p.Brand)
	s.properties.AddDecimal("price", one.price.Value)
	e.Properties = s.properties.String(out)
}

// TestStructCall: both ways make the same event, so that their costs may be compared.
func TestStructCall(t *testing.T) {
	t.Parallel()
	value := suite.Compact(t, "track_product_viewed.json")
	record := &schemas.Record{Feed: schemas.FeedClickstream, Time: 1772370000000, Value: value}
	own, other := new(schemas.Decoded), new(schemas.Decoded)
	own.Begin(record)
	New(DefaultConfig()).Decode(record, value, own)
	other.Begin(record)
	if !new(structScratch).decode(value, record.Time, other) || len(own.Events) != 1 {
		t.Fatal("one of the two reads nothing")
	}
	if a, b := own.Events[0], other.Events[0]; !reflect.DeepEqual(a, b) {
		t.Errorf("our own reader gives %+v\nsegmentio/encoding   %+v", a, b)
	}
}

// BenchmarkTrackOwnReader and BenchmarkTrackSegmentio decide which of the two the decoder uses; field.Reader tells the outcome.
func BenchmarkTrackOwnReader(b *testing.B) {
	suite.Benchmark(b, suite.Compact(b, "track_product_viewed.json"))
}

func BenchmarkTrackSegmentio(b *testing.B) {
	value := suite.Compact(b, "track_product_viewed.json")
	var s structScratch
	out := new(schemas.Decoded)
	record := &schemas.Record{Feed: schemas.FeedClickstream, Time: 1772370000000, Value: value}
	b.SetBytes(int64(len(value)))
	b.ReportAllocs()
	for b.Loop() {
		out.Reset()
		out.Begin(record)
		if !s.decode(value, record.Time, out) {
			b.Fatal("not read")
		}
	}
}
