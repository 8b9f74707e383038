package pos

import (
	"github.com/seamline/seamline/consumers/field"
	"github.com/seamline/seamline/schemas"
)

// receipt is what one sale, refund, void or payment says, in any format. The formats fill it, and finish makes an event of it.
type receipt struct {
	kind       schemas.Type
	channel    schemas.Channel
	source     string
	eventID    string
	refundID   string // the event id if it is a refund, where versions of an object have different event ids
	id         string // its own
	originalID string // of the sale that it takes back or belongs to; empty for sales
	otherID    string // of one more order that later events may name
	version    int64
	time       field.Time
	event      string // the name of a custom event

	storeID    string
	registerID string
	clerkID    string
	number     string // as printed, where it is not the id
	reference  string
	status     string
	reason     string

	currency string
	total    field.Decimal
	subtotal field.Decimal
	tax      field.Decimal
	discount field.Decimal
	tip      field.Decimal
	net      bool // the subtotal is free of the discount already

	customer customer
	tenders  []tender
	coupons  []string
	payments []string // a provider's ids of payments, by which a refund may name its sale
	lines    []schemas.Item

	bad string // a member that is given but holds no number
}

// customer is who bought.
type customer struct {
	loyaltyID string
	userID    string
	namespace string // of id
	id        string // the provider's own
	email     [2]string
	phone     [2]string
	details   [2][]byte // objects that say more of the person, the better first
}

// tender is one means of payment.
type tender struct {
	kind        string
	brand       string
	bin         string
	last4       string
	fingerprint string
	amount      field.Decimal
}

// begin empties the receipt for one of a source, and keeps its memory.
func (p *receipt) begin(source string) {
	*p = receipt{tenders: p.tenders[:0], coupons: p.coupons[:0], payments: p.payments[:0], lines: p.lines[:0],
		source: source, channel: schemas.ChannelStore}
}

// forget lets go of all texts.
func (p *receipt) forget() {
	clear(p.tenders[:cap(p.tenders)])
	clear(p.coupons[:cap(p.coupons)])
	clear(p.payments[:cap(p.payments)])
	clear(p.lines[:cap(p.lines)])
	p.begin("")
}

// decimal reads the current member as a number, and remembers the first that is given but is none.
func (p *receipt) decimal(r *field.Reader) field.Decimal {
	key, kind := r.Key, r.Kind()
	d := r.Decimal()
	if d.Bad || kind == field.KindObject || kind == field.KindArray {
		p.spoil(key)
	}
	return d
}

// spoil remembers the first member that is no number.
func (p *receipt) spoil(key string) {
	if p.bad == "" {
		p.bad = key
	}
}

// add sums amounts; a sum that no Decimal holds spoils the receipt.
func (p *receipt) add(a, b schemas.Decimal) schemas.Decimal {
	sum := a + b
	if sum > decimalMax || sum < -decimalMax {
		p.spoil("the sum")
		return a
	}
	return sum
}

// addTo adds an amount to a sum, which is given then.
func (p *receipt) addTo(sum *field.Decimal, amount schemas.Decimal) {
	*sum = field.Decimal{Value: p.add(sum.Value, amount), Set: true}
}

// decimalMax is the largest Decimal.
const decimalMax schemas.Decimal = 999_999_999_999_999_999

// firstTime gives the first time that is given.
func firstTime(times ...field.Time) field.Time {
	for _, t := range times {
		if t.Set {
			return t
		}
	}
	return field.Time{}
}

// joinID writes an id of parts between colons. A colon or percent sign within a part is escaped, so that different parts never meet.
func (s *scratch) joinID(parts ...string) string {
	id := s.text[:0]
	for i, part := range parts {
		if i > 0 {
			id = append(id, ':')
		}
		for j := 0; j < len(part); j++ {
			switch c := part[j]; c {
			case ':', '%':
				id = append(id, '%', "0123456789ABCDEF"[c>>4], "0123456789ABCDEF"[c&15])
			default:
				id = append(id, c)
			}
		}
	}
	s.text = id
	return s.out.Text(id)
}
