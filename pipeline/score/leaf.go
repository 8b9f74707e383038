package score

import "github.com/seamline/seamline/schemas"

// leaf is what one leaf of the identity graph has done. It holds integers only and no pointers: merging two leaves into one
// profile is adding, taking the smaller or larger, or sorting together, so that the order of arrival never shows.
//
// What nearly every event touches stands side by side in front.
type leaf struct {
	held  held
	visit visit // the latest
	stay  stay  // the latest session; first is 0 for none

	visits        uint32 // head of the ledger of visits before the latest, latest first
	cells         uint32 // head of the list of blocks of cells
	viewed        uint32 // products looked at lately; 0 for none
	sessions      uint32 // visits to web and app in the ledger
	productViews  uint32
	readingPages  uint32
	readingMS     int64
	visitCount    uint8
	totalsKnown   bool // no order changed since the sum was made
	unsaved       bool // changed since the last Save
	cartUnsaved   bool
	visitsUnsaved bool
	tastesUnsaved bool // cells, viewed or bought
	heldUnsaved   bool
	cut           schemas.Bounds // what something fell out of

	channels     [schemas.ChannelCount]seen
	email        mailed
	cellCount    uint32
	sessionsGone uint32 // those that fell out of the ledger
	searches     uint32
	bought       uint32       // products bought lately; 0 for none
	checkout     schemas.Time // last checkout step
	refunds      int64
	orders       uint32 // head of the list of orders, through order.next
	totals       uint32 // where the sum of the orders is kept; 0 for nowhere
	cart         uint32 // head of the ledger of cart changes, latest first
	cartOps      uint32
	account      uint32 // company or other group, as a word; 0 for none
	accountAt    schemas.Time
	country      country // that was told last
	countryAt    schemas.Time
	_            [fill]byte // leaves begin with a cache line
}

// fill makes a leaf as long as whole cache lines.
const fill = 8

// mailed counts what happened to messages, as schemas.EmailTotals does.
type mailed struct {
	lastOpen, lastClick                                                                            schemas.Time // by a person
	sent, delivered, opens, machineOpens, clicks, machineClicks, bounces, unsubscribes, complaints uint32
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
	lines    orderLines // of the sale
	currency currency
	channel  schemas.Channel
	sold     bool // a sale was seen
	void     bool // taken back as if it had never been
	returned bool // refunded as a whole, by a refund that named no amount
	unsaved  bool // changed since the last Save
}

// orderLines sums the lines of a sale.
type orderLines struct {
	discount, list schemas.Decimal // discounts, and values before discounts
	cost           schemas.Decimal // of the goods, as far as it is known
	costed         schemas.Decimal // value of the lines whose cost is known
	redeemed       schemas.Decimal // paid with loyalty points
	count          uint16
	promoted       uint16 // lines with a discount
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

// journey is what is kept of a profile beside its leaves.
type journey struct {
	since   schemas.Time // 0 before the profile was placed
	looked  schemas.Time // the clock then; not stored
	account uint32       // that the person was counted in last; 0 for none
	stage   schemas.JourneyStage
	reason  reason
	inBatch bool   // touched by it; not stored
	step    uint32 // that touched the profile last in this batch, from 1; not stored
	unsaved bool
}
