package score

import "github.com/seamline/seamline/schemas"

// leaf is what one leaf of the identity graph has done. It holds integers only and no pointers: merging two leaves into one
// profile is adding, taking the smaller or larger, or sorting together, so that the order of arrival never shows.
type leaf struct {
	channels     [schemas.ChannelCount]seen
	sessions     uint32
	productViews uint32
	searches     uint32
	lastSession  uint64
	sessionStart schemas.Time // of lastSession
	checkout     schemas.Time // last checkout step
	email        schemas.EmailTotals
	refunds      int64
	orders       uint32 // head of the list of orders, through order.next
	cart         uint32 // head of the ledger of cart changes, latest first
	cartOps      uint32
	totals       uint32 // where the sum of the orders is kept; 0 for nowhere
	totalsKnown  bool   // no order changed since the sum was made
	unsaved      bool   // changed since the last Save
	cartUnsaved  bool
}

// seen is presence on one channel.
type seen struct {
	events uint32
	first  schemas.Time
	last   schemas.Time
}

// order is the latest state of one order or receipt. Its parts come in any order: a refund or void may be seen before its sale.
type order struct {
	key      uint64
	leaf     uint32 // 0 for an anonymous sale
	next     uint32 // of the leaf's list
	time     schemas.Time
	version  int64
	amount   schemas.Decimal
	refunded schemas.Decimal
	currency currency
	channel  schemas.Channel
	sold     bool // a sale was seen
	void     bool // taken back as if it had never been
	returned bool // refunded as a whole, by a refund that named no amount
	unsaved  bool // changed since the last Save
}

// net is what the order contributes to revenue as far as it is known.
func (o *order) net() schemas.Decimal {
	switch {
	case o.void || o.returned:
		return 0
	case !o.sold:
		return -o.refunded
	}
	return o.amount - o.refunded
}

// stands tells whether the order counts as one.
func (o *order) stands() bool { return o.sold && !o.void }

// currency is an ISO 4217 code packed into an integer, so that state has no strings; 0 for none.
type currency uint32

func packCurrency(code string) currency {
	if len(code) != 3 {
		return 0
	}
	return currency(code[0])<<16 | currency(code[1])<<8 | currency(code[2])
}

func (c currency) String() string {
	if c == 0 {
		return ""
	}
	return string([]byte{byte(c >> 16), byte(c >> 8), byte(c)})
}

// journey is the stage that a profile was in last.
type journey struct {
	since   schemas.Time // 0 before the profile was placed
	stage   schemas.JourneyStage
	unsaved bool
}
