package pos

import (
	"cmp"
	"strings"

	"github.com/seamline/seamline/consumers/field"
	"github.com/seamline/seamline/schemas"
)

// namespaceLightspeedCustomer is the namespace of Lightspeed's ids of customers.
const namespaceLightspeedCustomer = "lightspeed_customer_id"

// walkIn is the code of the customer to whom Lightspeed writes all sales without one.
const walkIn = "WALKIN"

// lightspeedSale is what a sale says beyond its receipt.
type lightspeedSale struct {
	status     string
	state      string
	attributes []byte
	date       field.Time
	created    field.Time
	updated    field.Time
	deleted    field.Time
	price      field.Decimal
	invoice    string
}

// lightspeed reads a sale of X-Series. What its status means:
//
//	CLOSED, ONACCOUNT_CLOSED, LAYBY_CLOSED, DISPATCHED_CLOSED, PICKED_UP_CLOSED, SERVICE_CLOSED   an order
//	ONACCOUNT                              an order: the goods have left the store
//	AWAITING_DISPATCH, AWAITING_PICKUP     an order: it was made, and waits for its goods only
//	SAVED, OPEN, LAYBY, SERVICE            no event: it waits to be paid
//	VOIDED                                 a void
//
// Newer payloads say state and attributes instead, which mean the same. A sale that returns another is a refund of it, unless it sells
// for more than it returns. Event ids are lightspeed:sale:id:version:status, so that each newer version is a new event, but
// lightspeed:return:id for refunds, which nothing could tell from another refund of the same sale.
func (s *scratch) lightspeed(raw []byte) {
	var v lightspeedSale
	p := &s.receipt
	p.begin(sourceLightspeed)
	p.customer.namespace, p.net = namespaceLightspeedCustomer, true
	r := field.NewReader(raw, s.out)
	for r.Object(); r.Next(); {
		if !s.lightspeedMember(&r, &v) {
			r.Skip()
		}
	}
	p.number = cmp.Or(p.number, v.invoice)
	if p.version == 0 {
		p.version = int64(firstTime(v.updated, v.date, v.created).Value)
	}
	if v.price.Set {
		p.subtotal = v.price
		p.total = field.Decimal{Value: p.add(v.price.Value, p.tax.Value), Set: true}
	}
	p.time = firstTime(v.date, v.created)
	p.status = cmp.Or(v.status, v.state)
	switch v.meaning() {
	case saleDone:
		p.kind = schemas.TypeOrder
		if p.originalID != "" && !p.exchanges() {
			p.kind = schemas.TypeRefund
		}
	case saleVoided:
		p.kind, p.originalID, p.time = schemas.TypeVoid, "", firstTime(v.deleted, v.updated, p.time)
	case saleOpen:
		s.out.Drop(sourceLightspeed, schemas.DropNoEvent)
		return
	default:
		s.out.Reject(schemas.ReasonUnknownEvent, "the sale's status is not known")
		return
	}
	p.eventID = s.joinID(sourceLightspeed, "sale", p.id, field.IntText(s.out, p.version), p.status)
	p.refundID = s.joinID(sourceLightspeed, "return", p.id)
	s.finish()
}

// exchanges tells whether a sale that returns goods sells others for more.
func (p *receipt) exchanges() bool {
	if p.total.Value <= 0 {
		return false
	}
	for i := range p.lines {
		if p.lines[i].Total < 0 {
			return true
		}
	}
	return false
}

// saleMeaning is what becomes of a sale.
type saleMeaning uint8

const (
	saleUnknown saleMeaning = iota
	saleDone
	saleOpen
	saleVoided
)

func (v *lightspeedSale) meaning() saleMeaning {
	switch v.status {
	case "CLOSED", "ONACCOUNT", "ONACCOUNT_CLOSED", "LAYBY_CLOSED", "AWAITING_DISPATCH", "DISPATCHED_CLOSED", "AWAITING_PICKUP",
		"PICKED_UP_CLOSED", "SERVICE_CLOSED":
		return saleDone
	case "SAVED", "OPEN", "LAYBY", "SERVICE":
		return saleOpen
	case "VOIDED":
		return saleVoided
	case "":
	default:
		return saleUnknown
	}
	switch v.state {
	case "closed":
		return saleDone
	case "parked":
		return saleOpen
	case "voided":
		return saleVoided
	case "pending":
		r := field.NewReader(v.attributes, nil)
		if !r.Array() {
			return saleOpen
		}
		for r.Element() {
			switch r.Text() {
			case "onaccount", "delivery", "pickup":
				return saleDone
			}
		}
		return saleOpen
	}
	return saleUnknown
}

func (s *scratch) lightspeedMember(r *field.Reader, v *lightspeedSale) bool {
	p := &s.receipt
	switch r.Key {
	case "id":
		p.id = r.Text()
	case "return_for":
		p.originalID = r.Text()
	case "outlet_id":
		p.storeID = r.Text()
	case "register_id":
		p.registerID = r.Text()
	case "user_id":
		p.clerkID = r.Text()
	case "receipt_number":
		p.number = r.Text()
	case "invoice_number":
		v.invoice = r.Text()
	case "version":
		p.version = wholeNumber(r)
	case "status":
		v.status = r.Text()
	case "state":
		v.state = r.Text()
	case "attributes":
		v.attributes = r.Raw()
	case "sale_date":
		v.date = r.Time()
	case "created_at":
		v.created = r.Time()
	case "updated_at":
		v.updated = r.Time()
	case "deleted_at":
		v.deleted = r.Time()
	case "currency":
		p.currency = r.Text()
	case "total_price":
		v.price = p.decimal(r)
	case "total_tax":
		p.tax = p.decimal(r)
	case "customer_id":
		// The customer object, which may follow or come first, knows better.
		p.customer.id = cmp.Or(p.customer.id, r.Text())
	case "customer":
		here := r.Here()
		if p.customer.readLightspeed(r) {
			p.customer.details[0] = r.Since(here)
		}
	case "register_sale_products", "line_items":
		p.lightspeedLines(s, r)
	case "register_sale_payments", "payments":
		p.lightspeedTenders(r)
	default:
		return false
	}
	return true
}

// readLightspeed reads a customer, whose addresses stand in contact, and tells whether it is somebody. All customers without a name are one,
// who is nobody.
func (c *customer) readLightspeed(r *field.Reader) bool {
	if !r.Object() {
		return false
	}
	nobody := false
	for r.Next() {
		switch r.Key {
		case "id":
			c.id = cmp.Or(r.Text(), c.id)
		case "customer_code":
			nobody = strings.EqualFold(r.Text(), walkIn)
		case "contact":
			if !r.Object() {
				continue
			}
			for r.Next() {
				c.readContact(r)
			}
		default:
			c.readContact(r)
		}
	}
	if nobody {
		c.namespace, c.id = "", ""
	}
	return !nobody
}

// readContact reads or skips a member with an address.
func (c *customer) readContact(r *field.Reader) {
	switch r.Key {
	case "email":
		c.email[0] = cmp.Or(r.Text(), c.email[0])
	case "mobile":
		c.phone[0] = cmp.Or(r.Text(), c.phone[0])
	case "phone":
		c.phone[1] = cmp.Or(r.Text(), c.phone[1])
	default:
		r.Skip()
	}
}

// lightspeedLines reads lines. Their discount and cost are those of one piece, unless the totals are given; prices exclude tax.
func (p *receipt) lightspeedLines(s *scratch, r *field.Reader) {
	if !r.Array() {
		return
	}
	for r.NextObject() {
		var l line
		var discounts, costs field.Decimal
		for r.Next() {
			switch r.Key {
			case "id":
				l.item.LineID = r.Text()
			case "sku":
				l.item.SKU = r.Text()
			case "product_id":
				l.productID = r.Text()
			case "name":
				l.item.Name = r.Text()
			case "quantity":
				l.quantity = p.decimal(r)
			case "price":
				l.price = p.decimal(r)
			case "price_total":
				l.total = p.decimal(r)
			case "discount":
				l.discount = p.decimal(r)
			case "discount_total":
				discounts = p.decimal(r)
			case "cost":
				l.cost = p.decimal(r)
			case "cost_total":
				costs = p.decimal(r)
			default:
				r.Skip()
			}
		}
		quantity := l.quantity.Or(schemas.DecimalOne)
		l.discount = whole(l.discount, discounts, quantity)
		l.cost = whole(l.cost, costs, quantity)
		if !l.total.Set {
			// X-Series gives the price after its discount.
			l.total = field.Decimal{Value: l.price.Value.Mul(quantity), Set: true}
		}
		p.addLine(s, &l)
	}
}

// whole gives what is said of all pieces of a line, or what is said of one times their number.
func whole(one, all field.Decimal, quantity schemas.Decimal) field.Decimal {
	if !all.Set {
		all.Value, all.Set = one.Value.Mul(quantity), one.Set
	}
	return all
}

func (p *receipt) lightspeedTenders(r *field.Reader) {
	if !r.Array() {
		return
	}
	for r.NextObject() {
		var t tender
		id := ""
		for r.Next() {
			switch r.Key {
			case "name":
				t.kind = r.Text()
			case "payment_type_id":
				id = r.Text()
			case "amount":
				t.amount = p.decimal(r)
			default:
				r.Skip()
			}
		}
		t.kind = cmp.Or(t.kind, id)
		p.addTender(&t)
	}
}
