package catalog

import (
	"cmp"
	"strings"

	"github.com/seamline/seamline/consumers/field"
	"github.com/seamline/seamline/schemas"
)

// row is one product or stock row as it was read.
type row struct {
	sku          string
	offerID      string
	title        string
	category     string
	google       string // category of Google's taxonomy
	brand        string
	price        money
	sale         money
	saleTime     string
	cost         money
	currency     string
	availability string
	quantity     field.Decimal
	store        string
	link         string
	country      string
	time         field.Time
	source       string
	bad          string // an attribute that is given but holds nothing possible
}

// money is an amount with the currency that it names.
type money struct {
	amount   schemas.Decimal
	currency string
	set      bool
}

// value is what stands for an attribute: JSON, or the text of a cell.
type value struct {
	raw  []byte // nil for a cell
	text string // of strings, numbers and truth values
}

// begin empties the row.
func (s *scratch) begin() {
	s.row = row{source: sourceMerchant}
	s.properties.Begin(s.out)
}

// take takes an attribute, or keeps it in the properties.
func (s *scratch) take(key string, what meaning, v value) {
	w := &s.row
	switch what.attribute {
	case attributeSKU:
		w.sku = plainID(v.text)
	case attributeOfferID:
		w.offerID = v.text
		w.named(what.name == "sku")
	case attributeTitle:
		if w.title == "" || what.name == "title" { // a resource of the Merchant API has a name as well
			w.title = v.text
		}
	case attributeCategory:
		w.category = s.first(v)
	case attributeOtherCategory:
		w.google = v.text
	case attributeBrand:
		w.brand = s.first(v)
	case attributePrice:
		w.price = s.money(what.name, v)
	case attributeSalePrice:
		w.sale = s.money(what.name, v)
	case attributeSaleTime:
		w.saleTime = v.text
	case attributeCost:
		w.cost = s.money(what.name, v)
	case attributeCurrency:
		w.currency = field.Currency(v.text)
	case attributeAvailability:
		if w.availability = availabilityOf(v.text); w.availability == "" {
			s.keep(what.name, v)
		}
	case attributeQuantity:
		w.quantity = s.quantity(what.name, v)
	case attributeStore:
		w.store = v.text
		w.named(what.name == "store_id")
	case attributeLink:
		w.link = v.text
	case attributeCountry:
		w.country = cmp.Or(w.country, field.Country(v.text))
	case attributeTime:
		w.time = timeOf(v)
	case attributeKept:
		s.keep(what.name, v)
	case attributeOther:
		s.keep(key, v)
	}
}

// named notes that an attribute stands in Seamline's own words.
func (w *row) named(own bool) {
	if own {
		w.source = sourceSeamline
	}
}

// plainID gives the shop's own id of a product that the Content API names as channel:language:country:id.
func plainID(id string) string {
	if rest, found := strings.CutPrefix(id, "online:"); found {
		id = rest
	} else if id, found = strings.CutPrefix(id, "local:"); !found {
		return id
	}
	if _, rest, found := strings.Cut(id, ":"); found {
		if _, id, found = strings.Cut(rest, ":"); !found {
			return rest
		}
	}
	return id
}

// first gives a text, or the first of several.
func (s *scratch) first(v value) string {
	if len(v.raw) == 0 || v.raw[0] != '[' {
		return v.text
	}
	r := field.NewReader(v.raw, s.out)
	return r.First()
}

func timeOf(v value) field.Time {
	if len(v.raw) > 0 && (v.raw[0] == '{' || v.raw[0] == '[') {
		return field.Time{Set: true, Bad: true}
	}
	return field.TimeOf(v.text)
}

// keep puts an attribute into the properties.
func (s *scratch) keep(key string, v value) {
	switch {
	case v.raw != nil:
		s.properties.Add(key, v.raw)
	case !field.Contact(key) && !field.EmailLike(v.text):
		s.properties.AddText(key, v.text)
	}
}

// spoil remembers the first attribute that holds nothing possible.
func (w *row) spoil(name string) {
	if w.bad == "" {
		w.bad = name
	}
}

// The largest amounts that can be: no product costs more in any currency, and no shop has more pieces.
const (
	amountMax   = 1_000_000_000_000 * schemas.DecimalOne
	quantityMax = 1_000_000_000 * schemas.DecimalOne
)

// quantity reads a number of pieces. Tills that sell before they count go below nothing, which is none there; the properties keep what
// they said.
func (s *scratch) quantity(name string, v value) field.Decimal {
	d := field.DecimalOf(v.text)
	if d.Bad || v.text == "" && len(v.raw) > 0 && v.raw[0] != 'n' && v.raw[0] != '"' || d.Value > quantityMax || d.Value < -quantityMax {
		s.row.spoil(name)
		return field.Decimal{}
	}
	if d.Value < 0 {
		s.properties.AddDecimal("quantity", d.Value)
		d.Value = 0
	}
	return d
}

// money reads an amount: "15.00 USD", a number, or an object of the APIs.
func (s *scratch) money(name string, v value) (m money) {
	ok := true
	switch {
	case len(v.raw) > 0 && v.raw[0] == '{':
		m, ok = moneyObject(field.NewReader(v.raw, s.out))
	case v.text != "" && strings.TrimSpace(v.text) != "":
		m.amount, m.currency, ok = field.ParseMoney(v.text)
		m.set = ok
	case len(v.raw) > 0 && v.raw[0] == '[':
		ok = false
	}
	if !ok || m.amount < 0 || m.amount > amountMax {
		s.row.spoil(name)
		return money{}
	}
	return m
}

// moneyObject reads {value, currency} of the Content API, and {amountMicros, currencyCode} of the Merchant API.
func moneyObject(r field.Reader) (m money, ok bool) {
	ok = true
	r.Object()
	for r.Next() {
		switch r.Key {
		case "value", "amount":
			d := r.Decimal()
			m.amount, m.set, ok = d.Value, d.Set, ok && !d.Bad
		case "amountMicros", "amount_micros":
			d := field.DecimalOf(r.Text())
			// A Decimal counts ten-thousandths, so a number of micros is a hundred times as many as their amount has.
			m.amount, m.set, ok = (d.Value+microsHalf)/1_000_000, d.Set, ok && !d.Bad
		case "currency", "currencyCode", "currency_code":
			m.currency = field.Currency(r.Text())
		default:
			r.Skip()
		}
	}
	return m, ok
}

// microsHalf rounds millionths of a unit to what a Decimal holds.
const microsHalf = 500_000
