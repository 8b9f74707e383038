package clickhouse

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seamline/seamline/schemas"
)

// OrderRow is an order of a person as it stands.
type OrderRow struct {
	OrderID  string
	StoreID  string // of orders in a store
	Channel  string
	Time     schemas.Time // of the sale
	Net      schemas.Decimal
	Currency string
	Refunds  uint64
	IsVoid   bool
	Lines    []LineRow
}

// LineRow is a line of an order, or of what was given back or cancelled of it.
type LineRow struct {
	LineID    string
	Type      string
	Time      schemas.Time
	SKU       string
	Name      string
	Category  string
	Brand     string
	Quantity  schemas.Decimal
	UnitPrice schemas.Decimal
	Discount  schemas.Decimal
	Total     schemas.Decimal
}

// orderLinesMax bounds the lines of all orders of one answer.
const orderLinesMax = 2000

// storeKey is the store as it is part of an order's name: receipt numbers repeat from store to store, others do not.
const storeKey = "if(channel = 'store', toString(store_id), '')"

// Orders gives the latest orders of a person, the latest first, each with what it is worth now and its lines.
func (p *ProfileReader) Orders(ctx context.Context, who *Person, most int) ([]OrderRow, error) {
	var orders []OrderRow
	query := fmt.Sprintf(`SELECT order_id, %s AS store, argMin(toString(channel), event_time), min(event_time) AS sold, any(toString(currency)) FROM {database}.events_resolved
		WHERE %s AND type IN ('order', 'order_update') AND order_id != '' GROUP BY order_id, store ORDER BY sold DESC, order_id, store LIMIT %d`, storeKey, who.where(), most)
	err := p.r.each(ctx, query, func(scan func(...any) error) error {
		var o OrderRow
		var at time.Time
		err := scan(&o.OrderID, &o.StoreID, &o.Channel, &at, &o.Currency)
		o.Time = timeOf(at)
		orders = append(orders, o)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read orders: %w", err)
	}
	if len(orders) == 0 {
		return nil, nil
	}
	if err := p.worth(ctx, orders); err != nil {
		return nil, err
	}
	return orders, p.lines(ctx, orders)
}

// place finds an order by its name.
func place(orders []OrderRow, order, store string) *OrderRow {
	for i := range orders {
		if orders[i].OrderID == order && orders[i].StoreID == store {
			return &orders[i]
		}
	}
	return nil
}

// orderIDs gives the list of an IN.
func orderIDs(orders []OrderRow) string {
	texts := make([]string, len(orders))
	for i := range orders {
		texts[i] = quote(orders[i].OrderID)
	}
	return strings.Join(texts, ",")
}

// worth reads what the orders are worth now: somebody else may have given back what a person bought.
func (p *ProfileReader) worth(ctx context.Context, orders []OrderRow) error {
	query := fmt.Sprintf(`SELECT order_id, %s AS store, sum(revenue), countIf(type = 'refund'), countIf(type IN ('void', 'order_cancel')) > 0 FROM {database}.events FINAL
		WHERE order_id IN (%s) AND type IN ('order', 'order_update', 'refund', 'void', 'order_cancel') GROUP BY order_id, store`, storeKey, orderIDs(orders))
	err := p.r.each(ctx, query, func(scan func(...any) error) error {
		var order, store string
		var net amount
		var refunds uint64
		var isVoid uint8
		if err := scan(&order, &store, &net, &refunds, &isVoid); err != nil {
			return err
		}
		if o := place(orders, order, store); o != nil {
			o.Net, o.Refunds, o.IsVoid = net.Decimal, refunds, isVoid != 0
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read what orders are worth: %w", err)
	}
	return nil
}

// lines reads the lines of the orders.
func (p *ProfileReader) lines(ctx context.Context, orders []OrderRow) error {
	query := fmt.Sprintf(`SELECT order_id, %s AS store, line_id, toString(type), time, sku, name, toString(category), toString(brand), quantity, unit_price, discount, total
		FROM {database}.order_lines_current WHERE order_id IN (%s) ORDER BY order_id, store, time, line_id LIMIT %d`, storeKey, orderIDs(orders), orderLinesMax)
	err := p.r.each(ctx, query, func(scan func(...any) error) error {
		var order, store string
		var l LineRow
		var at time.Time
		var quantity, price, discount, total amount
		if err := scan(&order, &store, &l.LineID, &l.Type, &at, &l.SKU, &l.Name, &l.Category, &l.Brand, &quantity, &price, &discount, &total); err != nil {
			return err
		}
		l.Time, l.Quantity, l.UnitPrice, l.Discount, l.Total = timeOf(at), quantity.Decimal, price.Decimal, discount.Decimal, total.Decimal
		if o := place(orders, order, store); o != nil {
			o.Lines = append(o.Lines, l)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read lines of orders: %w", err)
	}
	return nil
}

// ProductRow is a product as the catalog and the stock tables know it now.
type ProductRow struct {
	SKU          string
	IsKnown      bool // the catalog knows it
	Name         string
	Category     string
	Brand        string
	Price        schemas.Decimal
	ListPrice    schemas.Decimal
	Currency     string
	Availability string
	Places       []PlaceRow
}

// PlaceRow is what a place has of a product. StoreID is empty for what is sold online.
type PlaceRow struct {
	StoreID      string
	HasStock     bool // Quantity was told
	Quantity     schemas.Decimal
	Availability string
	HasPrice     bool // the store has a price of its own
	Price        schemas.Decimal
	Currency     string
}

// Products gives what is known now of products, in their order.
func (p *ProfileReader) Products(ctx context.Context, skus []string) ([]ProductRow, error) {
	products := make([]ProductRow, len(skus))
	at := map[string]*ProductRow{}
	quoted := make([]string, len(skus))
	for i, sku := range skus {
		products[i].SKU, quoted[i], at[sku] = sku, quote(sku), &products[i]
	}
	if len(skus) == 0 {
		return products, nil
	}
	query := "SELECT sku, toString(store_id), name, toString(category), toString(brand), price, list_price, toString(currency), toString(availability) FROM {database}.catalog FINAL WHERE sku IN (" +
		strings.Join(quoted, ",") + ") ORDER BY sku, store_id"
	err := p.r.each(ctx, query, func(scan func(...any) error) error {
		var sku, store, name, category, brand, currency, availability string
		var price, listed amount
		if err := scan(&sku, &store, &name, &category, &brand, &price, &listed, &currency, &availability); err != nil {
			return err
		}
		row := at[sku]
		if !row.IsKnown { // the row of everywhere comes before those of stores
			row.IsKnown, row.Name, row.Category, row.Brand = true, name, category, brand
			row.Price, row.ListPrice, row.Currency, row.Availability = price.Decimal, listed.Decimal, currency, availability
		}
		if store != "" {
			row.Places = append(row.Places, PlaceRow{StoreID: store, HasPrice: true, Price: price.Decimal, Currency: currency, Availability: availability})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the catalog: %w", err)
	}
	query = "SELECT sku, toString(store_id), quantity, toString(availability) FROM {database}.stock FINAL WHERE sku IN (" + strings.Join(quoted, ",") + ") ORDER BY sku, store_id"
	err = p.r.each(ctx, query, func(scan func(...any) error) error {
		var sku, store, availability string
		var quantity amount
		if err := scan(&sku, &store, &quantity, &availability); err != nil {
			return err
		}
		at[sku].stock(store, quantity.Decimal, availability)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the stock: %w", err)
	}
	for i := range products {
		slices.SortFunc(products[i].Places, func(a, b PlaceRow) int { return strings.Compare(a.StoreID, b.StoreID) })
	}
	return products, nil
}

// stock notes what a place has.
func (r *ProductRow) stock(store string, quantity schemas.Decimal, availability string) {
	i := 0
	for i < len(r.Places) && r.Places[i].StoreID != store {
		i++
	}
	if i == len(r.Places) {
		r.Places = append(r.Places, PlaceRow{StoreID: store})
	}
	place := &r.Places[i]
	place.HasStock, place.Quantity = true, quantity
	if availability != "" {
		place.Availability = availability
	}
}
