package catalog

import (
	"cmp"
	"encoding/binary"
	"strings"

	"github.com/seamline/seamline/consumers/field"
	"github.com/seamline/seamline/schemas"
)

// item reads a well-formed object that is a product or a stock row.
func (s *scratch) item(raw []byte) {
	s.begin()
	r := field.NewReader(raw, s.out)
	s.members(&r, innerDepthMax)
	s.finish(raw)
}

// innerDepthMax bounds how deep attributes stand in objects within the row: an entry of a batch holds a product, which may hold attributes.
const innerDepthMax = 2

// members takes the attributes of an object.
func (s *scratch) members(r *field.Reader, depth int) {
	if !r.Object() {
		return
	}
	for r.Next() {
		key := r.Key
		what := meaningOf(key)
		if what.attribute == attributeInner && r.Kind() == field.KindObject && depth > 0 {
			s.members(r, depth-1)
			continue
		}
		raw, text := r.RawText()
		s.take(key, what, value{raw, text})
	}
}

// finish makes the events of the row, or a reject. The content is what it was read from.
func (s *scratch) finish(content []byte) {
	w := &s.row
	w.sku = cmp.Or(w.offerID, w.sku)
	if reason, detail := s.check(); reason != "" {
		s.out.Reject(reason, detail)
		return
	}
	sale, ok := w.onSale(s.now())
	if !ok {
		s.out.Reject(schemas.ReasonMalformed, "sale_price_effective_date is no start and end")
		return
	}
	counted := w.quantity.Set || w.store != "" && w.availability != ""
	if counted && !w.quantity.Set {
		// Somebody says that there are some, and not how many.
		if w.availability == inStock {
			w.quantity.Value = schemas.DecimalOne
			s.properties.AddBool("at_least", true)
		}
	}
	s.describe()
	properties := s.properties.String(s.out)
	if counted {
		e := s.event(schemas.TypeStockChange, content)
		e.Quantity, e.Properties = w.quantity.Value, properties
	}
	if w.price.set {
		e := s.event(schemas.TypePriceChange, content)
		e.Properties = properties
		s.price(e, sale)
	}
}

// now is the time that the row is of: its own, else the record's.
func (s *scratch) now() schemas.Time {
	if s.row.time.Set {
		return s.row.time.Value
	}
	return s.received
}

// check says why the row can be no event.
func (s *scratch) check() (schemas.Reason, string) {
	w := &s.row
	switch {
	case w.sku == "":
		return schemas.ReasonMissingField, "id"
	case w.bad != "":
		return schemas.ReasonMalformed, w.bad + " is no amount, negative, or out of range"
	case w.time.Bad || w.time.Set && w.time.Value == 0:
		return schemas.ReasonImpossibleTime, "the time is no time"
	case s.now() == 0:
		return schemas.ReasonImpossibleTime, "no time given"
	case w.store != "" && !w.price.set && !w.quantity.Set && w.availability == "":
		return schemas.ReasonMissingField, "none of quantity, availability, price"
	case w.store == "" && !w.price.set && !w.quantity.Set:
		return schemas.ReasonMissingField, "price"
	case w.sale.set && !w.price.set:
		return schemas.ReasonMissingField, "price, beside sale_price"
	case w.sale.set && w.sale.currency != "" && w.price.currency != "" && w.sale.currency != w.price.currency:
		return schemas.ReasonMalformed, "price and sale_price are in different currencies"
	}
	return "", ""
}

// onSale tells whether the sale price holds at a time, and false for a span that cannot be read. A sale price above the price is none,
// and one without a span always holds.
func (w *row) onSale(now schemas.Time) (holds, ok bool) {
	if !w.sale.set {
		return false, true
	}
	holds = w.sale.amount < w.price.amount && w.sale.amount > 0
	span := strings.TrimSpace(w.saleTime)
	if span == "" {
		return holds, true
	}
	first, last, found := strings.Cut(span, "/")
	start, startOK := field.ParseTime(strings.TrimSpace(first))
	last = strings.TrimSpace(last)
	end, endOK := field.ParseTime(last)
	if !found || !startOK || !endOK {
		return false, false
	}
	if len(last) == len("2026-03-01") {
		end += schemas.Day // a date is the whole day
	}
	return holds && start <= now && now < end, true
}

// describe adds what has no column.
func (s *scratch) describe() {
	w, p := &s.row, &s.properties
	if w.category != "" {
		p.AddText("google_product_category", w.google)
	}
	if w.sale.set && w.saleTime != "" {
		p.AddDecimal("sale_price", w.sale.amount)
		p.AddText("sale_price_effective_date", w.saleTime)
	}
	if w.cost.set && !w.costs() {
		p.AddDecimal("cost_of_goods_sold", w.cost.amount)
		p.AddText("cost_currency", w.cost.currency)
	}
}

// costs tells whether the cost is in the currency of the price, so that the two can be compared.
func (w *row) costs() bool {
	return w.cost.set && (w.cost.currency == "" || w.price.currency == "" || w.cost.currency == w.price.currency)
}

// event makes an event of the row. Its id tells product, store, time and content apart: the same row of the same time is one event however
// often it is sent, and the same price, sent again later, is another, since there may have been another price in between.
func (s *scratch) event(kind schemas.Type, content []byte) *schemas.Event {
	w := &s.row
	e := s.out.Event()
	e.Type, e.Time, e.Source, e.Channel = kind, s.now(), w.source, schemas.ChannelWeb
	if w.store != "" {
		e.Channel = schemas.ChannelStore
	}
	e.SKU, e.StoreID, e.Variant, e.Country = w.sku, w.store, w.availability, w.country
	e.PageURL, e.PagePath = w.link, field.URLPath(w.link)
	s.text = append(append(s.text[:0], e.SKU...), 0)
	s.text = append(append(s.text, e.StoreID...), 0, byte(e.Type))
	s.text = binary.BigEndian.AppendUint64(s.text, uint64(e.Time))
	s.text = append(s.text, content...)
	e.ID = field.ContentID(s.out, e.Source, s.text)
	return e
}

// price fills in what the product costs.
func (s *scratch) price(e *schemas.Event, sale bool) {
	w := &s.row
	e.Currency = cmp.Or(w.price.currency, w.sale.currency, w.currency, s.currency)
	e.Amount = w.price.amount
	if sale {
		e.Amount = w.sale.amount
	}
	item := schemas.Item{LineID: "1", SKU: w.sku, Name: w.title, Category: cmp.Or(w.category, w.google), Brand: w.brand, Quantity: schemas.DecimalOne,
		UnitPrice: w.price.amount, Discount: w.price.amount - e.Amount, Total: e.Amount}
	if w.costs() {
		item.Cost = w.cost.amount
	}
	e.Items = append(e.Items, item)
}
