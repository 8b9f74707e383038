package score

import (
	"github.com/seamline/seamline/schemas"
)

// product is what is known of a product, by the number of its SKU.
type product struct {
	version  uint32 // newest of its descriptions; 0 for none
	stock    uint32 // head of the list of its stocks by place
	baskets  uint32 // that it was in
	sessions uint32 // in which it was looked at
	category uint32 // word of the category that it was last seen in
	weight   uint64 // of the interest in it: views, carts and purchases
	unsaved  bool
}

// description is what the catalog said of a product from a time on, everywhere.
type description struct {
	at                schemas.Time
	price, list, cost schemas.Decimal // of one piece
	category, brand   uint32          // words
	gone              bool            // out of stock, by its own word
	next              uint32          // the one before; 0 for none
}

// stock is how many pieces of a product are at a place.
type stock struct {
	at     schemas.Time
	pieces schemas.Decimal
	place  uint32 // word of the store's id; 0 for online
	gone   bool
	next   uint32
}

// versionsMax bounds the descriptions of one product; the oldest are forgotten first.
const versionsMax = 8

func (s *Stage) product(sku uint32) *product {
	s.products.Extend(int(sku) + 1)
	return s.products.At(sku)
}

func (s *Stage) changeProduct(sku uint32, p *product) {
	if !p.unsaved {
		p.unsaved = true
		s.unsaved.products = append(s.unsaved.products, sku)
	}
}

// learn takes in what the catalog says. It tells whether the event is one of the catalog.
func (s *Stage) learn(e *schemas.Event) bool {
	if e.Type != schemas.TypePriceChange && e.Type != schemas.TypeStockChange {
		return false
	}
	sku := s.skus.of(e.SKU)
	if sku == 0 {
		return true
	}
	before := s.isThere(sku)
	switch {
	case e.Type == schemas.TypeStockChange:
		s.restock(sku, e)
	case e.StoreID == "":
		s.describe(sku, e)
	}
	if s.isThere(sku) != before {
		s.flips[sku] = append(s.flips[sku], flip{step: s.step, was: before})
	}
	return true
}

// describe puts a description into its place by time.
func (s *Stage) describe(sku uint32, e *schemas.Event) {
	d := description{at: e.Time, price: e.Amount, gone: e.Variant == outOfStock}
	if len(e.Items) > 0 {
		it := &e.Items[0]
		d.list, d.cost, d.category, d.brand = it.UnitPrice, it.Cost, s.words.of(it.Category), s.words.of(it.Brand)
	}
	p := s.product(sku)
	s.changeProduct(sku, p)
	at, n := &p.version, 0
	for *at != 0 {
		v := s.descriptions.At(*at)
		if v.at == d.at { // the later word about the same time counts
			d.next, *v = v.next, d
			v.next = d.next
			return
		}
		if v.at < d.at {
			break
		}
		at = &v.next
		n++
	}
	if n >= versionsMax {
		return
	}
	d.next = *at
	*at = s.descriptions.Append(d)
	for i := *at; i != 0; i = s.descriptions.At(i).next {
		if n++; n == versionsMax {
			s.descriptions.At(i).next = 0
		}
	}
}

// outOfStock is what Variant of a catalog's event says of a product that is not to be had.
const outOfStock = "out_of_stock"

// restock sets how many pieces there are at a place, unless something later is known.
func (s *Stage) restock(sku uint32, e *schemas.Event) {
	p, place := s.product(sku), s.words.of(e.StoreID)
	said := stock{at: e.Time, pieces: e.Quantity, place: place, gone: e.Variant == outOfStock}
	s.changeProduct(sku, p)
	for i := p.stock; i != 0; i = s.stocks.At(i).next {
		if at := s.stocks.At(i); at.place == place {
			if said.at >= at.at {
				said.next, *at = at.next, said
				at.next = said.next
			}
			return
		}
	}
	said.next = p.stock
	p.stock = s.stocks.Append(said)
}

// described gives the description of a product at a time; of a time before the first, the first. Nil for none.
func (s *Stage) described(sku uint32, t schemas.Time) *description {
	if sku == 0 || int(sku) >= s.products.Len() {
		return nil
	}
	var d *description
	for i := s.products.At(sku).version; i != 0; i = d.next {
		if d = s.descriptions.At(i); d.at <= t {
			break
		}
	}
	return d
}

// flip is a change of whether a product is there, within the batch.
type flip struct {
	step uint32
	was  bool
}

// isThereFor tells whether a product could be bought when a profile was touched last: what the batch learned later is not known to its row.
func (s *Stage) isThereFor(sku, step uint32) bool {
	for _, f := range s.flips[sku] {
		if f.step > step {
			return f.was
		}
	}
	return s.isThere(sku)
}

// isThere tells whether a product can be bought somewhere, as far as anything is known of that.
func (s *Stage) isThere(sku uint32) bool {
	p := s.product(sku)
	if p.version != 0 && s.descriptions.At(p.version).gone {
		return false
	}
	for i := p.stock; i != 0; i = s.stocks.At(i).next {
		if at := s.stocks.At(i); at.pieces > 0 && !at.gone {
			return true
		}
	}
	return p.stock == 0
}

// enrich adds to an event what the catalog said of its products at its time, where the producer said nothing of it: category, brand, and
// what the goods cost.
func (s *Stage) enrich(b *schemas.Batch, e *schemas.Event) {
	if len(e.Items) == 0 {
		if e.SKU == "" || !isAboutProduct(e.Type) {
			return
		}
		sku := s.skus.known(e.SKU)
		if d := s.described(sku, e.Time); d != nil && d.category|d.brand != 0 {
			e.Items = b.Item(schemas.Item{SKU: e.SKU, Category: s.words.words[d.category], Brand: s.words.words[d.brand]})
		}
		return
	}
	for i := range e.Items {
		it := &e.Items[i]
		if it.Category != "" && it.Brand != "" && (it.Cost != 0 || e.OrderSign() == 0) {
			continue
		}
		name := it.SKU
		if name == "" && i == 0 {
			name = e.SKU
		}
		d := s.described(s.skus.known(name), e.Time)
		if d == nil {
			continue
		}
		if it.Category == "" {
			it.Category = s.words.words[d.category]
		}
		if it.Brand == "" {
			it.Brand = s.words.words[d.brand]
		}
		if it.Cost == 0 && e.OrderSign() != 0 {
			it.Cost = d.cost.Mul(it.Quantity)
		}
	}
}

// isAboutProduct tells whether events of a type show interest in their product.
func isAboutProduct(t schemas.Type) bool {
	switch t {
	case schemas.TypeProductView, schemas.TypeProductClick, schemas.TypeCartAdd, schemas.TypeCartRemove, schemas.TypeWishlistAdd:
		return true
	}
	return false
}
