package pos

import (
	"cmp"

	"github.com/seamline/seamline/consumers/field"
	"github.com/seamline/seamline/schemas"
)

// shopifyTransaction is one movement of money.
type shopifyTransaction struct {
	kind     string
	status   string
	source   string
	location string
	device   string
	currency string
	test     bool
	tender   tender
}

// read reads the members of a transaction whose object was entered.
func (x *shopifyTransaction) read(p *receipt, r *field.Reader) {
	for r.Next() {
		switch r.Key {
		case "kind":
			x.kind = r.Text()
		case "status":
			x.status = r.Text()
		case "source_name":
			x.source = r.Text()
		case "location_id":
			x.location = r.Text()
		case "device_id":
			x.device = r.Text()
		case "currency":
			x.currency = r.Text()
		case "test":
			x.test = r.Bool().Value
		case "gateway":
			x.tender.kind = r.Text()
		case "amount":
			x.tender.amount = p.decimal(r)
		case "payment_details":
			gateway := x.tender.kind
			x.tender.shopifyCard(r)
			x.tender.kind = cmp.Or(gateway, x.tender.kind)
		default:
			r.Skip()
		}
	}
}

// shopifyTenders reads what an order was paid with.
func (s *scratch) shopifyTenders(r *field.Reader) {
	p := &s.receipt
	if !r.Array() {
		return
	}
	for r.NextObject() {
		var x shopifyTransaction
		if x.read(p, r); x.status == "success" && (x.kind == "sale" || x.kind == "capture") {
			p.addTender(&x.tender)
		}
	}
}

// shopifyMoneyBack tells whether the refunds that stand in an order have given money back.
func shopifyMoneyBack(r *field.Reader) (back bool) {
	var unused receipt
	if !r.Array() {
		return false
	}
	for r.NextObject() {
		for r.Next() {
			if r.Key != "transactions" || r.Kind() != field.KindArray {
				r.Skip()
				continue
			}
			for r.Array(); r.NextObject(); {
				var x shopifyTransaction
				if x.read(&unused, r); x.kind == "refund" && x.status == "success" && x.tender.amount.Value > 0 {
					back = true
				}
			}
		}
	}
	return back
}

// shopifyRefund is what a refund says beyond its receipt.
type shopifyRefund struct {
	created      field.Time
	processed    field.Time
	place        string // where the goods went back to
	source       string
	currency     string        // of lines, where no transaction names one
	money        field.Decimal // of successful transactions
	pending      field.Decimal
	goods        field.Decimal // of lines, with their tax
	transactions int
	failed       int
	tests        int
}

// shopifyRefund reads a refund. Its amount is what its successful transactions gave back, else the value of its lines with their tax,
// else what is on the way. One that gives nothing back, such as the restocking of an order that was never paid, is no event.
func (s *scratch) shopifyRefund(raw []byte) {
	p, f := &s.receipt, &s.shopify
	p.begin(sourceShopify)
	p.kind = schemas.TypeRefund
	*f = shopifyRefund{}
	r := field.NewReader(raw, s.out)
	for r.Object(); r.Next(); {
		switch r.Key {
		case "id":
			p.id = r.Text()
		case "order_id":
			p.originalID = r.Text()
		case "user_id":
			p.clerkID = r.Text()
		case "note":
			p.reason = r.Text()
		case "created_at":
			f.created = r.Time()
		case "processed_at":
			f.processed = r.Time()
		case "refund_line_items":
			s.shopifyReturned(&r)
		case "transactions":
			s.shopifyRefunded(&r)
		default:
			r.Skip()
		}
	}
	s.shopifyRefundAmount()
}

// shopifyRefundAmount chooses the amount, and the channel: the till's, unless a transaction says that it was made elsewhere.
func (s *scratch) shopifyRefundAmount() {
	p, f := &s.receipt, &s.shopify
	switch {
	case f.transactions > 0 && f.tests == f.transactions:
		s.out.Drop(sourceShopify, schemas.DropTest)
		return
	case f.money.Set:
		p.total = f.money
	case f.transactions > 0 && f.failed == f.transactions:
		s.out.Drop(sourceShopify, schemas.DropNoEvent)
		return
	case f.goods.Set:
		p.total = f.goods
	default:
		p.total = f.pending
	}
	if p.total.Value == 0 && p.bad == "" {
		s.out.Drop(sourceShopify, schemas.DropNoEvent)
		return
	}
	if f.source != "" && f.source != "pos" {
		p.channel = schemas.ChannelWeb
	}
	p.storeID, p.currency = cmp.Or(p.storeID, f.place), cmp.Or(p.currency, f.currency)
	p.time = firstTime(f.processed, f.created)
	p.eventID = s.joinID(sourceShopify, "refund", p.id)
	s.finish()
}

// shopifyRefunded reads the transactions of a refund.
func (s *scratch) shopifyRefunded(r *field.Reader) {
	p, f := &s.receipt, &s.shopify
	if !r.Array() {
		return
	}
	for r.NextObject() {
		var x shopifyTransaction
		if x.read(p, r); x.kind != "refund" {
			continue
		}
		f.transactions++
		if x.test {
			f.tests++
		}
		p.storeID, p.registerID = cmp.Or(p.storeID, x.location), cmp.Or(p.registerID, x.device)
		p.currency, f.source = cmp.Or(p.currency, x.currency), cmp.Or(f.source, x.source)
		switch x.status {
		case "success":
			p.addTo(&f.money, x.tender.amount.Value)
			p.addTender(&x.tender)
		case "failure", "error":
			f.failed++
		default:
			p.addTo(&f.pending, x.tender.amount.Value)
		}
	}
}

// shopifyReturned reads the lines of a refund.
func (s *scratch) shopifyReturned(r *field.Reader) {
	p, f := &s.receipt, &s.shopify
	if !r.Array() {
		return
	}
	for r.NextObject() {
		var l line
		var quantity, subtotal, tax field.Decimal
		id := ""
		for r.Next() {
			switch r.Key {
			case "id":
				id = r.Text()
			case "location_id":
				f.place = cmp.Or(f.place, r.Text())
			case "quantity":
				quantity = p.decimal(r)
			case "subtotal":
				subtotal = p.decimal(r)
			case "total_tax":
				tax = p.decimal(r)
			case "subtotal_set":
				f.currency = cmp.Or(f.currency, shopCurrency(r))
			case "line_item":
				p.shopifyLine(r, &l)
			default:
				r.Skip()
			}
		}
		// The line's own discount is that of all its pieces; these are the returned ones.
		l.item.LineID, l.quantity, l.total, l.discount = id, quantity, subtotal, field.Decimal{}
		if subtotal.Set {
			gross := l.price.Value.Mul(quantity.Or(schemas.DecimalOne))
			l.discount.Value = max(0, p.add(gross, -subtotal.Value))
			p.addTo(&f.goods, p.add(subtotal.Value, tax.Value))
			p.addTo(&p.subtotal, subtotal.Value)
			p.addTo(&p.tax, tax.Value)
		}
		p.addLine(s, &l)
	}
}

// shopCurrency reads the currency of the shop's amount among an amount in several currencies.
func shopCurrency(r *field.Reader) (currency string) {
	if !r.Object() {
		return ""
	}
	for r.Next() {
		if r.Key == "shop_money" {
			currency = r.Member("currency_code")
			continue
		}
		r.Skip()
	}
	return currency
}
