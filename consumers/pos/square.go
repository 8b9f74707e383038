package pos

import (
	"cmp"

	"github.com/seamline/seamline/consumers/field"
	"github.com/seamline/seamline/schemas"
)

// squareOrder is what an order says beyond its receipt.
type squareOrder struct {
	returns      []byte
	refunds      []byte
	returned     field.Decimal // of return_amounts
	state        string
	created      field.Time
	updated      field.Time
	closed       field.Time
	tenderPerson string // the customer of a tender
}

// squareEvent reads a webhook. Orders carry the money. A payment is an event of its own without revenue, that tells who paid; a refund
// is the same as the order that returns the goods. Square's own order webhooks name the order and no amounts: see squareOrder.
func (s *scratch) squareEvent(raw []byte) {
	kind, object := "", []byte(nil)
	r := field.NewReader(raw, s.out)
	for r.Object(); r.Next(); {
		switch r.Key {
		case "type":
			kind = r.Text()
		case "data":
			object = rawMember(&r, "object")
		default:
			r.Skip()
		}
	}
	switch kind {
	case "order.created", "order.updated":
		object = s.anyMember(object, "order", "order_updated", "order_created")
	case "payment.created", "payment.updated":
		object = s.anyMember(object, "payment")
	case "refund.created", "refund.updated":
		object = s.anyMember(object, "refund")
	case "order.fulfillment.updated", "order.custom_attribute.updated", "order.custom_attribute.deleted":
		s.out.Drop(sourceSquare, schemas.DropNoEvent)
		return
	default:
		s.out.Reject(schemas.ReasonUnknownEvent, "a Square webhook that is about no order, payment or refund")
		return
	}
	if len(object) == 0 || object[0] != '{' {
		s.out.Reject(schemas.ReasonMissingField, "data.object")
		return
	}
	switch kind[0] {
	case 'o':
		s.squareOrder(object)
	case 'p':
		s.squarePayment(object)
	default:
		s.squareRefund(object)
	}
}

// rawMember gives one raw member of an object and skips the others.
func rawMember(r *field.Reader, key string) (raw []byte) {
	if !r.Object() {
		return nil
	}
	for r.Next() {
		if r.Key == key {
			raw = r.Raw()
			continue
		}
		r.Skip()
	}
	return raw
}

// anyMember gives the first of the members that an object has, in the order of keys.
func (s *scratch) anyMember(object []byte, keys ...string) []byte {
	for _, key := range keys {
		r := field.NewReader(object, s.out)
		if raw := rawMember(&r, key); raw != nil {
			return raw
		}
	}
	return nil
}

// squareOrder reads an order:
//
//	COMPLETED     an order, unless it only returns goods; and a refund for each of its returns
//	CANCELED      a void
//	OPEN, DRAFT   no event
//
// An order of Square's own webhooks has no amounts. A completed one is no event then: the integration fetches and publishes the order.
// Event ids are square:order:id:version:state, so that each newer version is a new event.
func (s *scratch) squareOrder(raw []byte) {
	p, o := &s.receipt, &s.square
	p.begin(sourceSquare)
	*o = squareOrder{}
	r := field.NewReader(raw, s.out)
	for r.Object(); r.Next(); {
		s.squareOrderMember(&r)
	}
	p.customer.namespace = namespaceSquareCustomer
	p.customer.id = cmp.Or(p.customer.id, o.tenderPerson)
	if p.version == 0 {
		p.version = int64(firstTime(o.updated, o.closed, o.created).Value)
	}
	version := field.IntText(s.out, p.version)
	switch o.state {
	case "OPEN", "DRAFT":
		s.out.Drop(sourceSquare, schemas.DropNoEvent)
	case "CANCELED", "CANCELLED":
		p.kind, p.time = schemas.TypeVoid, firstTime(o.updated, o.closed, o.created)
		p.eventID = s.joinID(sourceSquare, "order", p.id, version, o.state)
		s.finish()
	case "COMPLETED":
		p.time = firstTime(o.closed, o.updated, o.created)
		if len(p.lines) == 0 && !p.total.Set && p.bad == "" && isEmptyArray(o.returns) {
			s.out.Drop(sourceSquare, schemas.DropNoEvent)
			return
		}
		if isEmptyArray(o.returns) || len(p.lines) > 0 || p.total.Value != 0 {
			p.kind = schemas.TypeOrder
			p.eventID = s.joinID(sourceSquare, "order", p.id, version, o.state)
			s.finish()
		}
		s.squareReturns()
	case "":
		s.out.Reject(schemas.ReasonMissingField, "the order's state")
	default:
		s.out.Reject(schemas.ReasonUnknownEvent, "the order's state is none of OPEN, DRAFT, COMPLETED, CANCELED")
	}
}

// namespaceSquareCustomer is the namespace of Square's ids of customers.
const namespaceSquareCustomer = "square_customer_id"

// isEmptyArray tells whether a raw value is no array, or one without elements.
func isEmptyArray(raw []byte) bool {
	r := field.NewReader(raw, nil)
	return !r.Array() || !r.Element()
}

func (s *scratch) squareOrderMember(r *field.Reader) {
	p, o := &s.receipt, &s.square
	switch r.Key {
	case "id", "order_id":
		p.id = r.Text()
	case "location_id":
		p.storeID = r.Text()
	case "reference_id":
		p.reference = r.Text()
	case "customer_id":
		p.customer.id = r.Text()
	case "state":
		o.state = r.Text()
	case "version":
		p.version = wholeNumber(r)
	case "created_at":
		o.created = r.Time()
	case "updated_at":
		o.updated = r.Time()
	case "closed_at":
		o.closed = r.Time()
	case "line_items":
		p.squareLines(s, r)
	case "tenders":
		s.squareTenders(r)
	case "discounts":
		p.squareDiscounts(r)
	case "returns":
		o.returns = r.Raw()
	case "refunds":
		o.refunds = r.Raw()
	case "return_amounts":
		o.returned = squareAmounts(p, r).total
	case "total_money":
		p.total = p.money(r)
	case "total_tax_money":
		p.tax = p.money(r)
	case "total_discount_money":
		p.discount = p.money(r)
	case "total_tip_money":
		if tip := p.money(r); tip.Value != 0 {
			p.tip = tip
		}
	default:
		r.Skip()
	}
}

// wholeNumber reads a version; what is none is 0.
func wholeNumber(r *field.Reader) int64 {
	if d := r.Decimal(); d.Set && d.Value > 0 {
		return int64(d.Value / schemas.DecimalOne)
	}
	return 0
}

// money reads an amount {amount, currency} in minor units. The first currency that a receipt names is its own.
func (p *receipt) money(r *field.Reader) field.Decimal {
	key := r.Key
	amount, currency := "", ""
	if r.Kind() != field.KindObject {
		if r.Kind() != field.KindNull {
			p.spoil(key)
		}
		r.Skip()
		return field.Decimal{}
	}
	r.Object()
	for r.Next() {
		switch r.Key {
		case "amount":
			amount = r.Text()
		case "currency":
			currency = r.Text()
		default:
			r.Skip()
		}
	}
	if amount == "" {
		return field.Decimal{}
	}
	currency = field.Currency(currency)
	if p.currency == "" {
		p.currency = currency
	}
	value, ok := field.ParseMinor(amount, currency)
	if !ok {
		p.spoil(key)
	}
	return field.Decimal{Value: value, Set: ok, Bad: !ok}
}

// squareLines reads lines that are sold or returned.
func (p *receipt) squareLines(s *scratch, r *field.Reader) {
	if !r.Array() {
		return
	}
	for r.NextObject() {
		var l line
		for r.Next() {
			switch r.Key {
			case "uid":
				l.item.LineID = r.Text()
			case "catalog_object_id":
				l.item.SKU = r.Text()
			case "name":
				l.item.Name = r.Text()
			case "quantity":
				l.quantity = p.decimal(r)
			case "base_price_money":
				l.price = p.money(r)
			case "total_discount_money":
				l.discount = p.money(r)
			case "total_money":
				l.total = p.money(r)
			default:
				r.Skip()
			}
		}
		p.addLine(s, &l)
	}
}

// squareDiscounts takes the names of the order's discounts for its coupons; Square knows no codes.
func (p *receipt) squareDiscounts(r *field.Reader) {
	if !r.Array() {
		return
	}
	for r.Element() {
		p.coupon(r.Member("name"))
	}
}

func (s *scratch) squareTenders(r *field.Reader) {
	p := &s.receipt
	if !r.Array() {
		return
	}
	for r.NextObject() {
		var t tender
		payment := ""
		for r.Next() {
			switch r.Key {
			case "type":
				t.kind = r.Text()
			case "amount_money":
				t.amount = p.money(r)
			case "customer_id":
				s.square.tenderPerson = cmp.Or(s.square.tenderPerson, r.Text())
			case "payment_id":
				payment = r.Text()
			case "card_details":
				t.squareCardDetails(r)
			default:
				r.Skip()
			}
		}
		if payment != "" && len(p.payments) < tendersMax {
			p.payments = append(p.payments, payment)
		}
		p.addTender(&t)
	}
}

// squareCardDetails reads the card of a payment, tender or refund.
func (t *tender) squareCardDetails(r *field.Reader) {
	if !r.Object() {
		return
	}
	for r.Next() {
		if r.Key != "card" {
			r.Skip()
			continue
		}
		if !r.Object() {
			continue
		}
		for r.Next() {
			switch r.Key {
			case "card_brand":
				t.brand = r.Text()
			case "last_4":
				t.last4 = r.Text()
			case "bin":
				t.bin = r.Text()
			case "fingerprint":
				t.fingerprint = r.Text()
			default:
				r.Skip()
			}
		}
	}
}
