package main

import (
	"slices"

	"github.com/seamline/seamline/schemas"
	"github.com/seamline/seamline/sinks/clickhouse"
)

// shownOrder is an order as it stands.
type shownOrder struct {
	OrderID  string          `json:"order_id"`
	Time     schemas.Time    `json:"time"`
	Channel  string          `json:"channel"`
	StoreID  string          `json:"store_id,omitempty"`
	Net      schemas.Decimal `json:"net"` // with what was given back or cancelled taken off
	Currency string          `json:"currency,omitempty"`
	Refunds  uint64          `json:"refunds,omitempty"`
	IsVoid   bool            `json:"cancelled,omitempty"`
	Lines    []shownLine     `json:"lines"`
}

// shownLine is a line of an order; quantity and total are negative where it was given back or cancelled.
type shownLine struct {
	Type      string          `json:"type"`
	Time      schemas.Time    `json:"time"`
	SKU       string          `json:"sku,omitempty"`
	Name      string          `json:"name,omitempty"`
	Category  string          `json:"category,omitempty"`
	Brand     string          `json:"brand,omitempty"`
	Quantity  schemas.Decimal `json:"quantity"`
	UnitPrice schemas.Decimal `json:"unit_price"`
	Discount  schemas.Decimal `json:"discount"`
	Total     schemas.Decimal `json:"total"`
}

func shownOrders(rows []clickhouse.OrderRow) []shownOrder {
	orders := make([]shownOrder, len(rows))
	for i := range rows {
		r := &rows[i]
		o := shownOrder{OrderID: r.OrderID, Time: r.Time, Channel: r.Channel, StoreID: r.StoreID, Net: r.Net, Currency: r.Currency, Refunds: r.Refunds, IsVoid: r.IsVoid,
			Lines: make([]shownLine, len(r.Lines))}
		for j := range r.Lines {
			l := &r.Lines[j]
			o.Lines[j] = shownLine{Type: l.Type, Time: l.Time, SKU: l.SKU, Name: l.Name, Category: l.Category, Brand: l.Brand, Quantity: l.Quantity,
				UnitPrice: l.UnitPrice, Discount: l.Discount, Total: l.Total}
		}
		orders[i] = o
	}
	return orders
}

// shownProduct is a product that matters to a person, as it is now.
type shownProduct struct {
	SKU           string           `json:"sku"`
	Name          string           `json:"name,omitempty"` // with all up to availability: missing where the catalog does not know the product
	Category      string           `json:"category,omitempty"`
	Brand         string           `json:"brand,omitempty"`
	Price         *schemas.Decimal `json:"price,omitempty"`
	ListPrice     *schemas.Decimal `json:"list_price,omitempty"`
	Currency      string           `json:"currency,omitempty"`
	Availability  string           `json:"availability,omitempty"`
	InCart        bool             `json:"in_cart"`
	LookedAt      *schemas.Time    `json:"looked_at,omitempty"`
	IsRecommended bool             `json:"recommended"`
	Places        []shownPlace     `json:"places"`
}

// shownPlace is what a store, or the online shop, has of a product.
type shownPlace struct {
	StoreID      string           `json:"store_id"`           // empty for what is sold online
	Quantity     *schemas.Decimal `json:"quantity,omitempty"` // missing where nobody told
	Availability string           `json:"availability,omitempty"`
	Price        *schemas.Decimal `json:"price,omitempty"` // where the store has one of its own
	Currency     string           `json:"currency,omitempty"`
}

// wanted lists the products of the cart, those looked at, and those recommended, each once.
func (a *dossier) wanted(looks []clickhouse.Look) []shownProduct {
	products := []shownProduct{}
	of := func(sku string) *shownProduct {
		i := slices.IndexFunc(products, func(p shownProduct) bool { return p.SKU == sku })
		if i < 0 {
			i = len(products)
			products = append(products, shownProduct{SKU: sku, Places: []shownPlace{}})
		}
		return &products[i]
	}
	if a.Cart != nil {
		for _, sku := range a.Cart.SKUs[:min(len(a.Cart.SKUs), cartShownMax)] {
			of(sku).InCart = true
		}
	}
	for i := range looks {
		of(looks[i].SKU).LookedAt = &looks[i].Last
	}
	for i := range a.Recommendations {
		of(a.Recommendations[i].SKU).IsRecommended = true
	}
	return products
}

// describe adds what the catalog and the stock say.
func (p *shownProduct) describe(row *clickhouse.ProductRow) {
	if row.IsKnown {
		p.Name, p.Category, p.Brand, p.Currency, p.Availability = row.Name, row.Category, row.Brand, row.Currency, row.Availability
		p.Price, p.ListPrice = &row.Price, &row.ListPrice
	}
	for i := range row.Places {
		at := &row.Places[i]
		place := shownPlace{StoreID: at.StoreID, Availability: at.Availability, Currency: at.Currency}
		if at.HasStock {
			place.Quantity = &at.Quantity
		}
		if at.HasPrice {
			place.Price = &at.Price
		}
		p.Places = append(p.Places, place)
	}
}
