package clickstream

import (
	"cmp"

	"github.com/seamline/seamline/consumers/field"
	"github.com/seamline/seamline/schemas"
)

// product is one product, flat in properties or as an element of products.
type product struct {
	lineID    string
	sku       string
	productID string
	otherID   string // a bare id
	name      string
	category  string
	brand     string
	variant   string
	price     field.Decimal
	quantity  field.Decimal
	discount  field.Decimal
}

// read reads the current member if it is one of a product's that has a column.
func (p *product) read(r *field.Reader) bool {
	switch r.Key {
	case "sku":
		p.sku = r.Text()
	case "product_id", "productId", "productID":
		p.productID = r.Text()
	case "name", "product_name", "productName":
		p.name = r.Text()
	case "category":
		p.category = r.First()
	case "brand":
		p.brand = r.First()
	case "variant":
		p.variant = r.Text()
	case "price":
		p.price = r.Decimal()
	case "quantity":
		p.quantity = r.Decimal()
	default:
		return false
	}
	return true
}

// readLine reads the members that only lines have.
func (p *product) readLine(r *field.Reader) bool {
	switch r.Key {
	case "line_id", "lineId", "line_item_id":
		p.lineID = r.Text()
	case "discount":
		p.discount = r.Decimal()
	case "id":
		p.otherID = r.Text()
	default:
		return false
	}
	return true
}

// item gives the product as a line: one piece where no quantity is given.
func (p *product) item() schemas.Item {
	quantity := p.quantity.Or(schemas.DecimalOne)
	return schemas.Item{
		LineID: p.lineID, SKU: cmp.Or(p.sku, p.productID, p.otherID), Name: p.name, Category: p.category, Brand: p.brand,
		Quantity: quantity, UnitPrice: p.price.Value, Discount: p.discount.Value,
		Total: p.price.Value.Mul(quantity) - p.discount.Value,
	}
}

// trade puts order, money and products into the event, and what then has no column into the properties.
func (f *facts) trade(s *scratch, e *schemas.Event, what meaning) (schemas.Reason, string) {
	p := &s.properties
	e.OrderID = cmp.Or(f.orderID, f.orderNumber)
	if f.orderID != "" {
		p.AddText("order_number", f.orderNumber)
	}
	if e.Currency = field.Currency(f.currency); e.Currency == "" {
		p.AddText("currency", f.currency)
	}
	e.StoreID = f.storeID
	if e.StoreID == "" && e.Channel == schemas.ChannelStore {
		e.StoreID = f.affiliation
	} else {
		p.AddText("affiliation", f.affiliation)
	}
	if what.role&roleProduct != 0 {
		f.oneProduct(s, e)
	} else {
		f.lines(s, e)
	}
	amount := f.amount(e, what)
	if f.total.Set && amount != &f.total {
		p.AddDecimal("total", f.total.Value)
	}
	if f.value.Set && amount != &f.value {
		p.AddDecimal("value", f.value.Value)
	}
	if what.role&roleOrder == 0 {
		return "", ""
	}
	if e.OrderID == "" {
		return schemas.ReasonMissingField, "order_id"
	}
	return orderAmount(e, amount == nil)
}

// amount chooses the event's amount: of orders total, else revenue, else value; of one product value, else price; of all others value,
// else total, else revenue. It gives the choice, or nil where none of the three was it.
func (f *facts) amount(e *schemas.Event, what meaning) *field.Decimal {
	order := [...]*field.Decimal{&f.value, &f.total, &f.revenue}
	switch {
	case what.role&roleOrder != 0:
		order = [...]*field.Decimal{&f.total, &f.revenue, &f.value}
	case what.role&roleProduct != 0:
		order = [...]*field.Decimal{&f.value, &f.product.price, &f.product.price}
	}
	for _, candidate := range order {
		if candidate.Set {
			e.Amount = candidate.Value
			return candidate
		}
	}
	return nil
}

// orderAmount takes the sum of the lines where an order has no amount, and the size of what was taken back where a producer sent it
// as a negative number or negative quantities.
func orderAmount(e *schemas.Event, missing bool) (schemas.Reason, string) {
	taken := e.OrderSign() < 0
	for i := range e.Items {
		item := &e.Items[i]
		if taken && item.Quantity < 0 {
			item.Quantity, item.Total = -item.Quantity, -item.Total
		}
		if missing {
			e.Amount += item.Total
		}
	}
	if e.Amount >= 0 {
		return "", ""
	}
	if !taken {
		return schemas.ReasonMalformed, "the total of an order is negative"
	}
	e.Amount = -e.Amount
	for i := range e.Items {
		if item := &e.Items[i]; item.Total < 0 {
			item.UnitPrice, item.Discount, item.Total = -item.UnitPrice, -item.Discount, -item.Total
		}
	}
	return "", ""
}

// oneProduct fills the event of a single product, and keeps its name, category and brand in the properties, which have no column.
func (f *facts) oneProduct(s *scratch, e *schemas.Event) {
	p, one := &s.properties, &f.product
	e.SKU = cmp.Or(one.sku, one.productID)
	if one.sku != "" {
		p.AddText("product_id", one.productID)
	}
	p.AddText("name", one.name)
	p.AddText("category", one.category)
	p.AddText("brand", one.brand)
	e.Variant = one.variant
	e.Quantity = one.quantity.Value
	if !one.quantity.Set && (e.Type == schemas.TypeCartAdd || e.Type == schemas.TypeCartRemove) {
		e.Quantity = schemas.DecimalOne
	}
	if one.price.Set && f.value.Set {
		p.AddDecimal("price", one.price.Value)
	}
	if f.items != nil {
		f.lines(s, e)
		return
	}
	item := one.item()
	item.LineID = "1"
	e.Items = append(e.Items, item)
}

// lines reads products, which may be one object, into the event's items. A line without an id is named by its position.
func (f *facts) lines(s *scratch, e *schemas.Event) {
	if f.items == nil {
		return
	}
	r := field.NewReader(f.items, s.out)
	if r.Kind() == field.KindObject {
		f.line(s, e, &r)
		return
	}
	r.Array()
	for r.Element() {
		f.line(s, e, &r)
	}
}

func (f *facts) line(s *scratch, e *schemas.Event, r *field.Reader) {
	var p product
	if !r.Object() {
		return
	}
	for r.Next() {
		if !p.read(r) && !p.readLine(r) {
			r.Skip()
		}
	}
	item := p.item()
	if item.LineID == "" {
		item.LineID = field.IntText(s.out, int64(len(e.Items)+1))
	}
	e.Items = append(e.Items, item)
}
