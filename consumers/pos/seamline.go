package pos

import (
	"cmp"

	"github.com/seamline/seamline/consumers/field"
	"github.com/seamline/seamline/schemas"
)

// seamline reads a Seamline receipt. Its event id is seamline:store:register:receipt:type, since receipt numbers repeat from store to
// store and from register to register, and a void may carry the number of the receipt that it voids.
func (s *scratch) seamline(raw []byte) {
	p := &s.receipt
	p.begin(sourceSeamline)
	kind, training := "", false
	r := field.NewReader(raw, s.out)
	for r.Object(); r.Next(); {
		switch r.Key {
		case "receipt_id":
			p.id = r.Text()
		case "original_receipt_id":
			p.originalID = r.Text()
		case "store_id":
			p.storeID = r.Text()
		case "register_id":
			p.registerID = r.Text()
		case "clerk_id":
			p.clerkID = r.Text()
		case "time":
			p.time = r.Time()
		case "type":
			kind = r.Text()
		case "training":
			training = r.Bool().Value
		case "currency":
			p.currency = r.Text()
		case "reason":
			p.reason = r.Text()
		case "customer":
			here := r.Here()
			p.customer.readSeamline(&r)
			p.customer.details[0] = r.Since(here)
		case "lines":
			p.seamlineLines(s, &r)
		case "tenders":
			p.seamlineTenders(&r)
		case "coupons":
			p.seamlineCoupons(&r)
		default:
			if !p.readTotals(&r) {
				r.Skip()
			}
		}
	}
	if !r.Done() {
		s.out.Reject(schemas.ReasonMalformed, notJSON)
		return
	}
	if training {
		s.out.Drop(sourceSeamline, schemas.DropTraining)
		return
	}
	switch kind {
	case "sale":
		p.kind = schemas.TypeOrder
	case "refund":
		p.kind = schemas.TypeRefund
	case "void":
		p.kind = schemas.TypeVoid
	case "":
		s.out.Reject(schemas.ReasonMissingField, "type")
		return
	default:
		s.out.Reject(schemas.ReasonUnknownEvent, "type is none of sale, refund, void")
		return
	}
	p.eventID = s.joinID(sourceSeamline, p.storeID, p.registerID, p.id, kind)
	s.finish()
}

// readTotals reads the amounts of the whole receipt.
func (p *receipt) readTotals(r *field.Reader) bool {
	switch r.Key {
	case "total":
		p.total = p.decimal(r)
	case "subtotal":
		p.subtotal = p.decimal(r)
	case "tax":
		p.tax = p.decimal(r)
	case "discount":
		p.discount = p.decimal(r)
	default:
		return false
	}
	return true
}

func (c *customer) readSeamline(r *field.Reader) {
	if !r.Object() {
		return
	}
	for r.Next() {
		switch r.Key {
		case "loyalty_id":
			c.loyaltyID = r.Text()
		case "user_id":
			c.userID = r.Text()
		case "email":
			c.email[0] = r.First()
		case "phone":
			c.phone[0] = r.First()
		default:
			r.Skip()
		}
	}
}

// seamlineCoupons reads an array of codes.
func (p *receipt) seamlineCoupons(r *field.Reader) {
	if !r.Array() {
		return
	}
	for r.Element() {
		p.coupon(r.Text())
	}
}

// couponsMax bounds the coupons of a receipt; what comes behind them is ignored.
const couponsMax = 64

func (p *receipt) coupon(code string) {
	if code != "" && len(p.coupons) < couponsMax {
		p.coupons = append(p.coupons, code)
	}
}

// line is a line as it is read, before it is known what is missing.
type line struct {
	item      schemas.Item
	gtin      string
	productID string
	quantity  field.Decimal
	price     field.Decimal
	discount  field.Decimal
	total     field.Decimal
	cost      field.Decimal
}

// addLine adds a line with what it leaves out: one piece, its position for an id, another code for the SKU, and quantity times price
// less discount for the total.
func (p *receipt) addLine(s *scratch, l *line) {
	item := &l.item
	item.LineID = cmp.Or(item.LineID, field.IntText(s.out, int64(len(p.lines)+1)))
	item.SKU = cmp.Or(item.SKU, l.gtin, l.productID)
	item.Quantity = l.quantity.Or(schemas.DecimalOne)
	item.UnitPrice, item.Discount, item.Cost = l.price.Value, l.discount.Value, l.cost.Value
	item.Total = l.total.Value
	if !l.total.Set {
		item.Total = p.add(l.price.Value.Mul(item.Quantity), -l.discount.Value)
	}
	p.lines = append(p.lines, *item)
}

func (p *receipt) seamlineLines(s *scratch, r *field.Reader) {
	if !r.Array() {
		return
	}
	for r.NextObject() {
		var l line
		for r.Next() {
			switch r.Key {
			case "line_id":
				l.item.LineID = r.Text()
			case "sku":
				l.item.SKU = r.Text()
			case "gtin":
				l.gtin = r.Text()
			case "product_id":
				l.productID = r.Text()
			case "name":
				l.item.Name = r.Text()
			case "category":
				l.item.Category = r.First()
			case "brand", "vendor":
				l.item.Brand = r.Text()
			case "quantity":
				l.quantity = p.decimal(r)
			case "unit_price":
				l.price = p.decimal(r)
			case "discount":
				l.discount = p.decimal(r)
			case "total":
				l.total = p.decimal(r)
			case "cost":
				l.cost = p.decimal(r)
			default:
				r.Skip()
			}
		}
		p.addLine(s, &l)
	}
}

func (p *receipt) seamlineTenders(r *field.Reader) {
	if !r.Array() {
		return
	}
	for r.NextObject() {
		var t tender
		for r.Next() {
			switch r.Key {
			case "type":
				t.kind = r.Text()
			case "amount":
				t.amount = p.decimal(r)
			case "card_fingerprint":
				t.fingerprint = r.Text()
			case "brand":
				t.brand = r.Text()
			case "bin":
				t.bin = r.Text()
			case "last4":
				t.last4 = r.Text()
			default:
				r.Skip()
			}
		}
		p.addTender(&t)
	}
}

// tendersMax bounds the means of payment of a receipt; what comes behind them is ignored.
const tendersMax = 32

func (p *receipt) addTender(t *tender) {
	if len(p.tenders) < tendersMax {
		p.tenders = append(p.tenders, *t)
	}
}
