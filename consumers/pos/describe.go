package pos

import (
	"cmp"
	"strings"

	"github.com/seamline/seamline/consumers/field"
	"github.com/seamline/seamline/schemas"
)

// describe writes the properties: what the receipt says beyond its columns.
func (s *scratch) describe(e *schemas.Event) {
	p, to := &s.receipt, &s.properties
	to.Begin(s.out)
	to.AddText("event", p.event)
	switch {
	case e.Type == schemas.TypeCustom:
		to.AddText("payment_id", p.id)
	case p.id != e.OrderID:
		to.AddText("receipt_id", p.id)
	}
	if p.originalID != e.OrderID {
		to.AddText("original_id", p.originalID)
	}
	to.AddText("receipt_number", p.number)
	to.AddText("reference", plainID(p.reference))
	to.AddText("register_id", p.registerID)
	to.AddText("clerk_id", plainID(p.clerkID))
	to.AddText("status", p.status)
	to.AddText("reason", field.FreeText(p.reason))
	if e.Type == schemas.TypeCustom && p.total.Set {
		to.AddDecimal("amount", p.total.Value)
	}
	for _, money := range [...]struct {
		key   string
		value field.Decimal
	}{{"subtotal", p.subtotal}, {"tax", p.tax}, {"discount", p.discount}, {"tip", p.tip}} {
		if money.value.Set {
			to.AddDecimal(money.key, money.value.Value)
		}
	}
	s.describeCoupons()
	s.describeTenders()
	e.Properties = to.String(s.out)
}

// plainID gives an id, unless it is an e-mail address, by which some tills name their clerks.
func plainID(id string) string {
	if strings.IndexByte(id, '@') >= 0 {
		return ""
	}
	return id
}

// describeCoupons writes the coupons as an array of texts.
func (s *scratch) describeCoupons() {
	p := &s.receipt
	if len(p.coupons) == 0 {
		return
	}
	s.text = append(s.text[:0], '[')
	for i, coupon := range p.coupons {
		if i > 0 {
			s.text = append(s.text, ',')
		}
		s.text = field.AppendQuoted(s.text, coupon)
	}
	s.properties.AddTrusted("coupons", append(s.text, ']'))
}

// describeTenders writes how it was paid as an array of objects; never fingerprints or numbers.
func (s *scratch) describeTenders() {
	p := &s.receipt
	if len(p.tenders) == 0 {
		return
	}
	s.text = append(s.text[:0], '[')
	for i := range p.tenders {
		t := &p.tenders[i]
		if i > 0 {
			s.text = append(s.text, ',')
		}
		s.text = append(s.text, `{"type":`...)
		s.text = field.AppendQuoted(s.text, cmp.Or(t.kind, "unknown"))
		if t.amount.Set {
			s.text = t.amount.Value.Append(append(s.text, `,"amount":`...))
		}
		if t.brand != "" {
			s.text = field.AppendQuoted(append(s.text, `,"brand":`...), t.brand)
		}
		s.text = append(s.text, '}')
	}
	s.properties.AddTrusted("tenders", append(s.text, ']'))
}
