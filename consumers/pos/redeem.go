package pos

import (
	"github.com/seamline/seamline/consumers/field"
	"github.com/seamline/seamline/schemas"
)

// tenderLengthMax bounds the names of means of payment that are looked up.
const tenderLengthMax = 48

// redeems tells whether a means of payment is loyalty points, of any till, or a voucher of a Seamline receipt. Elsewhere a voucher, a gift
// card or store credit is money that somebody has paid before: POSLog calls gift certificates vouchers.
func (p *receipt) redeems(kind string) bool {
	if kind == "" || len(kind) > tenderLengthMax {
		return false
	}
	var buffer [tenderLengthMax]byte
	switch string(field.Fold(buffer[:0], kind)) {
	case "loyalty", "loyaltypoints", "loyaltyredemption", "loyaltycard", "points", "pointsredemption", "bonuspoints", "rewardpoints", "reward", "rewards":
		return true
	case "voucher":
		return p.source == sourceSeamline
	}
	return false
}

// redeemed sums what was paid with points and vouchers, never negative: what goes back to the customer has either sign.
func (p *receipt) redeemed() (sum schemas.Decimal) {
	for i := range p.tenders {
		if t := &p.tenders[i]; t.amount.Set && p.redeems(t.kind) {
			sum = p.add(sum, t.amount.Value)
		}
	}
	return abs(sum)
}
