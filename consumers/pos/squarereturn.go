package pos

import (
	"cmp"

	"github.com/seamline/seamline/consumers/field"
	"github.com/seamline/seamline/schemas"
)

// amounts are the sums that Square repeats for sales, returns and both together.
type amounts struct {
	total, tax, discount, tip field.Decimal
}

func squareAmounts(p *receipt, r *field.Reader) (a amounts) {
	if !r.Object() {
		return a
	}
	for r.Next() {
		switch r.Key {
		case "total_money":
			a.total = p.money(r)
		case "tax_money":
			a.tax = p.money(r)
		case "discount_money":
			a.discount = p.money(r)
		case "tip_money":
			if tip := p.money(r); tip.Value != 0 {
				a.tip = tip
			}
		default:
			r.Skip()
		}
	}
	return a
}

// squareReturns makes a refund of each return of the order in s.receipt, of the sale that the return names. A return has one event id in
// all versions of its order, square:return:order, and further ones of an order their own beneath it.
func (s *scratch) squareReturns() {
	p, o := &s.receipt, &s.square
	order, kept := p.id, *p
	refunded, reason := p.squareRefunds(s, o.refunds)
	r := field.NewReader(o.returns, s.out)
	if !r.Array() {
		return
	}
	alone := o.single()
	for n := 0; r.Element(); n++ {
		raw := r.Raw()
		id := s.joinID(sourceSquare, "return", order)
		if n > 0 {
			id = s.joinID(sourceSquare, "return", order, field.IntText(s.out, int64(n)))
		}
		p.begin(sourceSquare)
		p.kind, p.id, p.otherID, p.eventID, p.reason = schemas.TypeRefund, order, order, id, reason
		p.storeID, p.currency, p.time, p.customer = kept.storeID, kept.currency, kept.time, kept.customer
		p.squareReturn(s, raw)
		if !p.total.Set && alone {
			p.total = o.returned
			if !p.total.Set && len(p.lines) == 0 {
				p.total = refunded
			}
		}
		s.finish()
	}
}

// single tells whether the order has one return, so that what stands in the order is said of it.
func (o *squareOrder) single() bool {
	r := field.NewReader(o.returns, nil)
	n := 0
	for r.Array(); r.Element(); n++ {
		r.Skip()
	}
	return n == 1
}

// squareReturn reads one return.
func (p *receipt) squareReturn(s *scratch, raw []byte) {
	r := field.NewReader(raw, s.out)
	if !r.Object() {
		return
	}
	for r.Next() {
		switch r.Key {
		case "source_order_id":
			p.originalID = r.Text()
		case "return_line_items":
			p.squareLines(s, &r)
		case "return_amounts":
			a := squareAmounts(p, &r)
			p.total, p.tax, p.discount, p.tip = a.total, a.tax, a.discount, a.tip
		default:
			r.Skip()
		}
	}
}

// squareRefunds sums the refunds of an order, except those that were refused, and gives the first reason.
func (p *receipt) squareRefunds(s *scratch, raw []byte) (sum field.Decimal, reason string) {
	r := field.NewReader(raw, s.out)
	if !r.Array() {
		return sum, ""
	}
	for r.NextObject() {
		var amount field.Decimal
		status := ""
		for r.Next() {
			switch r.Key {
			case "amount_money":
				amount = p.money(&r)
			case "status":
				status = r.Text()
			case "reason":
				reason = cmp.Or(reason, r.Text())
			default:
				r.Skip()
			}
		}
		if amount.Set && status != "REJECTED" && status != "FAILED" {
			p.addTo(&sum, amount.Value)
		}
	}
	return sum, reason
}

// squarePayment reads a payment: a custom event that ties card, customer and order together, and sells nothing, since the order does.
// Payments that failed or were canceled are no event.
func (s *scratch) squarePayment(raw []byte) {
	p := &s.receipt
	p.begin(sourceSquare)
	p.kind, p.event = schemas.TypeCustom, "payment"
	var t tender
	var created, updated field.Time
	amount, version := field.Decimal{}, ""
	r := field.NewReader(raw, s.out)
	for r.Object(); r.Next(); {
		switch r.Key {
		case "buyer_email_address":
			p.customer.email[0] = r.Text()
		case "source_type":
			t.kind = r.Text()
		case "amount_money":
			amount = p.money(&r)
		case "total_money":
			p.total = p.money(&r)
		case "receipt_number":
			p.number = r.Text()
		case "version_token":
			version = r.Text()
		case "created_at":
			created = r.Time()
		case "updated_at":
			updated = r.Time()
		case "card_details":
			t.squareCardDetails(&r)
		default:
			p.squareLink(&r)
		}
	}
	switch p.status {
	case "FAILED", "CANCELED", "CANCELLED":
		s.out.Drop(sourceSquare, schemas.DropNoEvent)
		return
	}
	if p.id == "" {
		s.out.Reject(schemas.ReasonMissingField, "the payment has no id")
		return
	}
	if !p.total.Set {
		p.total = amount
	}
	t.amount = amount
	p.addTender(&t)
	p.payments = append(p.payments, p.id)
	p.time = firstTime(created, updated)
	p.eventID = s.joinID(sourceSquare, "payment", p.id, cmp.Or(version, field.IntText(s.out, int64(updated.Value))), p.status)
	s.finish()
}

// squareLink reads or skips a member that payments and refunds have in common.
func (p *receipt) squareLink(r *field.Reader) {
	switch r.Key {
	case "id":
		p.id = r.Text()
	case "order_id":
		p.originalID = r.Text()
	case "location_id":
		p.storeID = r.Text()
	case "customer_id":
		p.customer.namespace, p.customer.id = namespaceSquareCustomer, r.Text()
	case "team_member_id":
		p.clerkID = r.Text()
	case "status":
		p.status = r.Text()
	default:
		r.Skip()
	}
}

// squareRefund reads a refund of a payment. Only a completed one is an event. Square makes an order of every refund, which returns the
// goods, and the refund names it by order_id; so both have one event id, square:return:order, and whichever comes first counts.
func (s *scratch) squareRefund(raw []byte) {
	p := &s.receipt
	p.begin(sourceSquare)
	p.kind = schemas.TypeRefund
	var t tender
	var created, updated field.Time
	r := field.NewReader(raw, s.out)
	for r.Object(); r.Next(); {
		switch r.Key {
		case "amount_money":
			p.total = p.money(&r)
		case "payment_id":
			if payment := r.Text(); payment != "" {
				p.payments = append(p.payments, payment)
			}
		case "reason":
			p.reason = r.Text()
		case "destination_type":
			t.kind = r.Text()
		case "destination_details":
			t.squareDestination(&r)
		case "created_at":
			created = r.Time()
		case "updated_at":
			updated = r.Time()
		default:
			p.squareLink(&r)
		}
	}
	if p.status != "COMPLETED" {
		s.out.Drop(sourceSquare, schemas.DropNoEvent)
		return
	}
	if t.kind != "" {
		t.amount = p.total
		p.addTender(&t)
	}
	p.time = firstTime(updated, created)
	p.eventID = s.joinID(sourceSquare, "refund", p.id)
	if p.originalID != "" {
		p.eventID = s.joinID(sourceSquare, "return", p.originalID)
	}
	s.finish()
}

func (t *tender) squareDestination(r *field.Reader) {
	if !r.Object() {
		return
	}
	for r.Next() {
		if r.Key == "card_details" {
			t.squareCardDetails(r)
			continue
		}
		r.Skip()
	}
}
