package pos

import "github.com/seamline/seamline/schemas"

// amount gives the receipt's total including tax, never negative, and turns amounts and lines the way that the event's type needs.
// The total is, in this order: the one given; subtotal + tax - discount; the sum of the lines. Tills may give what goes back to the
// customer with either sign. A sale with a negative total paid the customer, so it is a refund. It tells whether there is an amount.
func (p *receipt) amount() (schemas.Decimal, bool) {
	var lines schemas.Decimal
	for i := range p.lines {
		lines = p.add(lines, p.lines[i].Total)
	}
	total := p.total.Value
	switch {
	case p.total.Set:
	case p.subtotal.Set:
		total = p.add(p.subtotal.Value, p.tax.Value)
		if !p.net {
			total = p.add(total, -p.discount.Value)
		}
	case len(p.lines) > 0:
		total = lines
	case p.kind == schemas.TypeVoid:
	default:
		return 0, false
	}
	if p.kind == schemas.TypeOrder && total < 0 {
		p.kind = schemas.TypeRefund
		p.negateLines()
	} else if p.kind != schemas.TypeOrder && (lines < 0 || lines == 0 && p.pieces() < 0) {
		p.negateLines()
	}
	for i := range p.lines {
		settle(&p.lines[i], p.kind != schemas.TypeOrder)
	}
	if p.kind == schemas.TypeRefund || p.kind == schemas.TypeVoid {
		p.subtotal.Value, p.tax.Value, p.discount.Value = abs(p.subtotal.Value), abs(p.tax.Value), abs(p.discount.Value)
	}
	return abs(total), true
}

// pieces sums quantities.
func (p *receipt) pieces() (sum schemas.Decimal) {
	for i := range p.lines {
		sum = p.add(sum, p.lines[i].Quantity)
	}
	return sum
}

// negateLines turns what was returned into what the event is about.
func (p *receipt) negateLines() {
	for i := range p.lines {
		item := &p.lines[i]
		item.Quantity, item.Total = -item.Quantity, -item.Total
	}
}

// settle gives the numbers of a line the sign of its total: a positive line has none that is negative, and the line of the other
// direction in an exchange is its mirror image. Prices have no sign. A line without a total keeps the sign of its quantity, unless
// all of the receipt was taken back.
func settle(item *schemas.Item, taken bool) {
	item.UnitPrice = abs(item.UnitPrice)
	item.Quantity, item.Discount, item.Cost = withSign(item, taken, item.Quantity), withSign(item, taken, item.Discount), withSign(item, taken, item.Cost)
}

func withSign(item *schemas.Item, taken bool, value schemas.Decimal) schemas.Decimal {
	switch {
	case item.Total < 0:
		return -abs(value)
	case item.Total > 0 || taken:
		return abs(value)
	}
	return value
}

func abs(d schemas.Decimal) schemas.Decimal {
	if d < 0 {
		return -d
	}
	return d
}
