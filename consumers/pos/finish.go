package pos

import (
	"cmp"
	"strings"

	"github.com/seamline/seamline/consumers/field"
	"github.com/seamline/seamline/schemas"
)

// finish makes an event of the receipt, or a reject.
func (s *scratch) finish() {
	amount, reason, detail := s.receipt.check()
	if reason != "" {
		s.out.Reject(reason, detail)
		return
	}
	p := &s.receipt
	redeemed := p.redeemed()
	if p.bad != "" {
		s.out.Reject(schemas.ReasonMalformed, p.bad+outOfRange)
		return
	}
	e := s.out.Event()
	e.ID, e.Source, e.Channel, e.Type, e.Time = p.eventID, p.source, p.channel, p.kind, p.time.Value
	if p.kind == schemas.TypeRefund && p.refundID != "" {
		e.ID = p.refundID
	}
	e.StoreID, e.Amount = p.storeID, amount
	e.Items = append(e.Items, p.lines...)
	if e.Currency = field.Currency(p.currency); e.Currency == "" {
		e.Currency = s.currency
	}
	if e.Type != schemas.TypeCustom {
		e.Redeemed = redeemed
	}
	s.order(e)
	s.who(e)
	s.describe(e)
}

// outOfRange ends the detail of a reject.
const outOfRange = " is no number, or out of range"

// check finds the receipt's amount, and why it cannot be an event.
func (p *receipt) check() (amount schemas.Decimal, reason schemas.Reason, detail string) {
	if p.kind != schemas.TypeCustom {
		if p.id == "" {
			return 0, schemas.ReasonMissingField, "the receipt has no id"
		}
		var given bool
		if amount, given = p.amount(); !given && p.bad == "" {
			return 0, schemas.ReasonMissingField, "neither a total nor lines"
		}
	}
	switch {
	case p.bad != "":
		return 0, schemas.ReasonMalformed, p.bad + outOfRange
	case !p.time.Set:
		return 0, schemas.ReasonImpossibleTime, "no time given"
	case p.time.Bad || p.time.Value == 0:
		return 0, schemas.ReasonImpossibleTime, "the time is no time"
	}
	return amount, "", ""
}

// order names the order that the event is about: for refunds and voids the original. A refund that is said to be of nothing names
// itself, since a refund without an amount would take back all of its order.
func (s *scratch) order(e *schemas.Event) {
	p := &s.receipt
	switch e.Type {
	case schemas.TypeRefund:
		e.OrderID = cmp.Or(p.originalID, p.id)
		if e.Amount == 0 {
			e.OrderID = p.id
		}
	case schemas.TypeVoid:
		e.OrderID = cmp.Or(p.originalID, p.id)
	case schemas.TypeCustom:
		e.OrderID = p.originalID
	default:
		e.OrderID, e.OrderVersion = p.id, p.version
	}
	if e.Type == schemas.TypeVoid && e.OrderID == p.id {
		e.OrderVersion = p.version
	}
}

// who adds what tells who bought, and always the order, by which a later refund finds the sale and its customer.
func (s *scratch) who(e *schemas.Event) {
	p, c := &s.receipt, &s.receipt.customer
	field.Identify(e, schemas.NamespaceUserID, c.userID)
	field.Identify(e, schemas.NamespaceLoyaltyID, c.loyaltyID)
	if c.namespace != "" {
		field.Identify(e, c.namespace, c.id)
	}
	for i := range c.email {
		field.Identify(e, schemas.NamespaceEmail, c.email[i])
	}
	for i := range c.phone {
		field.Identify(e, schemas.NamespacePhone, c.phone[i])
	}
	for _, raw := range c.details {
		if raw != nil {
			field.Details(e, raw, s.out)
		}
	}
	for i := range p.tenders {
		t := &p.tenders[i]
		if t.fingerprint != "" {
			field.Identify(e, schemas.NamespaceCard, t.fingerprint)
			continue
		}
		field.Identify(e, schemas.NamespaceCardWeak, s.weakCard(t))
	}
	if p.kind == schemas.TypeOrder {
		s.evidence(e, p.id)
	}
	s.evidence(e, cmp.Or(p.originalID, p.id))
	s.evidence(e, p.otherID)
	for _, id := range p.payments {
		field.Identify(e, schemas.NamespaceOrderID, s.concat(p.source, ":payment/", id))
	}
}

// evidence adds an order's id within its source, and within its store where receipt numbers repeat from store to store. A payment may
// have no order.
func (s *scratch) evidence(e *schemas.Event, id string) {
	p := &s.receipt
	switch {
	case id == "":
	case p.source == sourceSeamline:
		field.Identify(e, schemas.NamespaceOrderID, s.concat(p.source, ":", p.storeID, "/", id))
	default:
		field.Identify(e, schemas.NamespaceOrderID, s.concat(p.source, ":", id))
	}
}

// concat joins texts in the arena.
func (s *scratch) concat(parts ...string) string {
	s.text = s.text[:0]
	for _, part := range parts {
		s.text = append(s.text, part...)
	}
	return s.out.Text(s.text)
}

// Lengths of the parts of a card number that tills may show.
const (
	binLength   = 6
	last4Length = 4
)

// weakCard writes what is known of a card that has no fingerprint, as bin/last4/brand; empty where that is too little. It reads four
// digits and the first six at most, so that no card number comes through.
func (s *scratch) weakCard(t *tender) string {
	bin, last4 := digitsOnly(t.bin), digitsOnly(t.last4)
	if len(last4) != last4Length || len(bin) < binLength && t.brand == "" {
		return ""
	}
	s.text = s.text[:0]
	if len(bin) >= binLength {
		s.text = append(s.text, bin[:binLength]...)
	}
	s.text = append(append(append(s.text, '/'), last4...), '/')
	s.text = field.Fold(s.text, t.brand)
	return s.out.Text(s.text)
}

// digitsOnly gives s where it holds nothing but digits.
func digitsOnly(s string) string {
	if strings.Trim(s, "0123456789") != "" {
		return ""
	}
	return s
}

// lastFour gives the last four digits of a masked card number. What is not masked is a token or a placeholder, and tells nothing.
func lastFour(masked string) string {
	if len(masked) < last4Length || digitsOnly(masked) != "" && len(masked) > last4Length {
		return ""
	}
	return digitsOnly(masked[len(masked)-last4Length:])
}
