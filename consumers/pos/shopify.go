package pos

import (
	"cmp"

	"github.com/seamline/seamline/consumers/field"
	"github.com/seamline/seamline/schemas"
)

// namespaceShopifyCustomer is the namespace of Shopify's ids of customers.
const namespaceShopifyCustomer = "shopify_customer_id"

// shopifyOrder is what an order says that decides its type and channel.
type shopifyOrder struct {
	created   field.Time
	processed field.Time
	updated   field.Time
	cancelled field.Time
	source    string
	financial string
	refunded  bool // money went back by refunds
	test      bool
}

// shopifyOrder reads an order, as webhooks and the REST API give it. An order is sold once it is placed:
//
//	test                                       dropped
//	financial_status voided                    a void
//	cancelled_at                               a void; but where refunds have given money back, they take back the sale by themselves
//	paid, partially_paid, partially_refunded,
//	refunded, authorized, pending, none        an order
//	expired                                    no event: it was placed, and is neither paid nor cancelled
//
// Event ids are shopify:order:id:updated_at:sale or void, so that each newer version is a new event.
func (s *scratch) shopifyOrder(raw []byte) {
	var o shopifyOrder
	p := &s.receipt
	p.begin(sourceShopify)
	p.customer.namespace, p.net = namespaceShopifyCustomer, true
	r := field.NewReader(raw, s.out)
	for r.Object(); r.Next(); {
		if !s.shopifyOrderMember(&r, &o) && !p.shopifyPeople(&r) {
			r.Skip()
		}
	}
	if o.test {
		s.out.Drop(sourceShopify, schemas.DropTest)
		return
	}
	if o.source != "pos" && (o.source != "" || p.storeID == "") {
		p.channel = schemas.ChannelWeb
	}
	p.version, p.status, p.kind = int64(o.updated.Value), o.financial, schemas.TypeOrder
	p.time = firstTime(o.processed, o.created)
	state := "sale"
	switch {
	case o.financial == "voided", o.cancelled.Set && !o.refunded:
		p.kind, state = schemas.TypeVoid, "void"
		p.time = firstTime(o.cancelled, o.updated, p.time)
	case o.financial == "expired":
		s.out.Drop(sourceShopify, schemas.DropNoEvent)
		return
	case !shopifyFinancial(o.financial):
		s.out.Reject(schemas.ReasonUnknownEvent, "the order's financial_status is not known")
		return
	}
	p.eventID = s.joinID(sourceShopify, "order", p.id, field.IntText(s.out, p.version), state)
	s.finish()
}

// shopifyFinancial tells whether an order of this financial status is sold.
func shopifyFinancial(status string) bool {
	switch status {
	case "", "pending", "authorized", "partially_paid", "paid", "partially_refunded", "refunded":
		return true
	}
	return false
}

func (s *scratch) shopifyOrderMember(r *field.Reader, o *shopifyOrder) bool {
	p := &s.receipt
	switch r.Key {
	case "created_at":
		o.created = r.Time()
	case "processed_at":
		o.processed = r.Time()
	case "updated_at":
		o.updated = r.Time()
	case "cancelled_at":
		o.cancelled = r.Time()
	case "cancel_reason":
		p.reason = r.Text()
	case "source_name":
		o.source = r.Text()
	case "financial_status":
		o.financial = r.Text()
	case "test":
		o.test = r.Bool().Value
	case "currency":
		p.currency = r.Text()
	case "total_price":
		p.total = p.decimal(r)
	case "subtotal_price":
		p.subtotal = p.decimal(r)
	case "total_tax":
		p.tax = p.decimal(r)
	case "total_discounts":
		p.discount = p.decimal(r)
	case "total_tip_received":
		if tip := p.decimal(r); tip.Value != 0 {
			p.tip = tip
		}
	case "line_items":
		p.shopifyLines(s, r)
	case "discount_codes":
		p.shopifyCodes(r)
	case "payment_details":
		var t tender
		t.shopifyCard(r)
		p.addTender(&t)
	case "transactions":
		s.shopifyTenders(r)
	case "refunds":
		o.refunded = shopifyMoneyBack(r)
	default:
		return false
	}
	return true
}

// shopifyPeople reads the members that name the order, the place and the people.
func (p *receipt) shopifyPeople(r *field.Reader) bool {
	switch r.Key {
	case "id":
		p.id = r.Text()
	case "name":
		p.number = r.Text()
	case "location_id":
		p.storeID = r.Text()
	case "device_id":
		p.registerID = r.Text()
	case "user_id":
		p.clerkID = r.Text()
	case "email":
		p.customer.email[0] = r.Text()
	case "phone":
		p.customer.phone[0] = r.Text()
	case "billing_address": // the shipping address may be that of whom the goods are given to
		p.customer.details[1] = r.Raw()
	case "customer":
		here := r.Here()
		p.customer.readShopify(r)
		p.customer.details[0] = r.Since(here)
	default:
		return false
	}
	return true
}

func (c *customer) readShopify(r *field.Reader) {
	if !r.Object() {
		return
	}
	for r.Next() {
		switch r.Key {
		case "id":
			c.id = r.Text()
		case "email":
			c.email[1] = r.Text()
		case "phone":
			c.phone[1] = r.Text()
		default:
			r.Skip()
		}
	}
}

// shopifyLines reads sold lines. The discount is what the order's discounts allocate to the line, else the line's own.
func (p *receipt) shopifyLines(s *scratch, r *field.Reader) {
	if !r.Array() {
		return
	}
	for r.Element() {
		var l line
		if p.shopifyLine(r, &l) {
			p.addLine(s, &l)
		}
	}
}

func (p *receipt) shopifyLine(r *field.Reader, l *line) bool {
	if !r.Object() {
		return false
	}
	var allocated field.Decimal
	variant := ""
	for r.Next() {
		switch r.Key {
		case "id":
			l.item.LineID = r.Text()
		case "sku":
			l.item.SKU = r.Text()
		case "product_id":
			l.productID = r.Text()
		case "variant_id":
			variant = r.Text()
		case "title":
			l.item.Name = r.Text()
		case "vendor":
			l.item.Brand = r.Text()
		case "product_type":
			l.item.Category = r.Text()
		case "quantity":
			l.quantity = p.decimal(r)
		case "price":
			l.price = p.decimal(r)
		case "total_discount":
			l.discount = p.decimal(r)
		case "discount_allocations":
			allocated = p.shopifyAllocations(r)
		default:
			r.Skip()
		}
	}
	l.productID = cmp.Or(l.productID, variant)
	if allocated.Set {
		l.discount = allocated
	}
	return true
}

func (p *receipt) shopifyAllocations(r *field.Reader) (sum field.Decimal) {
	if !r.Array() {
		return sum
	}
	for r.NextObject() {
		for r.Next() {
			if r.Key == "amount" {
				p.addTo(&sum, p.decimal(r).Value)
				continue
			}
			r.Skip()
		}
	}
	return sum
}

func (p *receipt) shopifyCodes(r *field.Reader) {
	if !r.Array() {
		return
	}
	for r.Element() {
		p.coupon(r.Member("code"))
	}
}

// shopifyCard reads payment_details: Shopify masks the number and gives no fingerprint.
func (t *tender) shopifyCard(r *field.Reader) {
	if !r.Object() {
		return
	}
	for r.Next() {
		switch r.Key {
		case "credit_card_bin":
			t.bin = r.Text()
		case "credit_card_number":
			t.last4 = lastFour(r.Text())
		case "credit_card_company":
			t.brand = r.Text()
		default:
			r.Skip()
		}
	}
	t.kind = cmp.Or(t.kind, "card")
}
