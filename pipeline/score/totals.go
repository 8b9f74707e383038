package score

import (
	"math/bits"
	"slices"

	"github.com/seamline/seamline/schemas"
)

// totals is the sum of some orders, in the currency of most of them.
type totals struct {
	channels               [schemas.ChannelCount]channelOrders
	revenue                schemas.Decimal
	orders, stores, online int64
	first, last            schemas.Time
	days                   uint32
	firstDay               schemas.Decimal // net of the first day
	lines, promoted        uint32
	discount, list         schemas.Decimal
	cost                   schemas.Decimal // of goods, as far as it is known
	uncosted               schemas.Decimal // net of what is not known to cost anything
	loyalty                points
	currency               currency
	otherCurrency          bool
}

type channelOrders struct {
	orders  int64
	revenue schemas.Decimal
}

// totalsKeptMin is from how many orders on the sum of a leaf's orders is kept, so that looking at a page does not cost more for those
// who buy often. What is kept is not part of the stored state: it is what summing again would give.
const totalsKeptMin = 4

// foldOrders sums the orders of the leaves that were folded.
func (s *Stage) foldOrders(p *schemas.Profile) {
	f := &s.fold
	if len(f.buyers) == 1 && f.buyers[0].totalsKnown {
		f.sum = s.totals.At(f.buyers[0].totals)
		f.sum.fill(p, f)
		return
	}
	f.orders = f.orders[:0]
	for _, l := range f.buyers {
		f.orders = s.appendOrdersOf(f.orders, l)
	}
	f.sum = &f.own
	s.sumOrders(f.sum)
	if len(f.buyers) == 1 && len(f.orders) >= totalsKeptMin {
		l := f.buyers[0]
		if l.totals == 0 {
			l.totals = s.totals.Append(f.own)
		} else {
			*s.totals.At(l.totals) = f.own
		}
		l.totalsKnown = true
	}
	f.own.fill(p, f)
}

// fill sets what a profile's row says about orders.
func (t *totals) fill(p *schemas.Profile, f *folder) {
	for c := range t.channels {
		p.Channels[c].Orders, p.Channels[c].Revenue = t.channels[c].orders, t.channels[c].revenue
	}
	p.Orders, p.StoreOrders, p.OnlineOrders, p.Revenue = t.orders, t.stores, t.online, t.revenue
	p.FirstOrder, p.LastOrder, p.PurchaseDays = t.first, t.last, t.days
	p.Currency, p.OtherCurrency = f.currencyName(t.currency), t.otherCurrency
}

// sumOrders sums the collected orders into sum. Amounts that name no currency count as in that of most of them.
func (s *Stage) sumOrders(sum *totals) {
	f := &s.fold
	*sum = totals{}
	if len(f.orders) == 0 {
		return
	}
	sum.currency = s.mainCurrency()
	f.days = f.days[:0]
	for _, i := range f.orders {
		o := s.orders.At(i)
		c := &sum.channels[o.channel]
		isCounted := o.currency == sum.currency || o.currency == 0
		if isCounted {
			sum.revenue += o.net()
			c.revenue += o.net()
		} else {
			sum.otherCurrency = true
		}
		if !o.stands() {
			continue
		}
		if isCounted {
			sum.addLines(o)
			s.cfg.Loyalty.earn(&sum.loyalty, o)
		}
		sum.orders++
		c.orders++
		if o.channel == schemas.ChannelStore {
			sum.stores++
		} else {
			sum.online++
		}
		sum.first, sum.last = schemas.Earlier(sum.first, o.time), max(sum.last, o.time)
		f.days = append(f.days, day(o.time))
	}
	slices.Sort(f.days)
	sum.days = uint32(len(slices.Compact(f.days)))
	for _, i := range f.orders {
		o := s.orders.At(i)
		if o.stands() && day(o.time) == day(sum.first) && (o.currency == sum.currency || o.currency == 0) {
			sum.firstDay += o.net()
		}
	}
}

// addLines adds what the lines of an order say. What was given back of it takes the same share of its costs back.
func (t *totals) addLines(o *order) {
	t.lines += uint32(o.lines.count)
	t.promoted += uint32(o.lines.promoted)
	t.discount += o.lines.discount
	t.list += o.lines.list
	net := o.net()
	cost, costed := o.lines.cost, o.lines.costed
	if o.amount > 0 && net != o.amount {
		cost, costed = share(cost, net, o.amount), share(costed, net, o.amount)
	}
	t.cost += cost
	t.uncosted += max(0, net-costed)
}

// share gives the part of a value that net is of whole, which is positive, rounded towards zero; a loss is none.
func share(value, net, whole schemas.Decimal) schemas.Decimal {
	if net <= 0 || value <= 0 {
		return 0
	}
	high, low := bits.Mul64(uint64(value), uint64(net))
	if high >= uint64(whole) { // more than a Decimal holds
		return value
	}
	part, _ := bits.Div64(high, low, uint64(whole))
	return schemas.Decimal(part)
}

// day is the number of a time's day since 1970, UTC.
func day(t schemas.Time) int32 { return int32(t.Whole(schemas.Day)) }

// appendOrdersOf appends the indexes of a leaf's orders, in no order that means anything.
func (s *Stage) appendOrdersOf(list []uint32, l *leaf) []uint32 {
	for i := l.orders; i != 0; i = s.orders.At(i).next {
		list = append(list, i)
	}
	return list
}

// coin is how many orders in a currency stand.
type coin struct {
	currency currency
	orders   int
}

// mainCurrency gives the currency of most orders that stand, else of any order; ties go to the first in the alphabet, and none comes
// last.
func (s *Stage) mainCurrency() currency {
	f := &s.fold
	f.currencies = f.currencies[:0]
	for _, i := range f.orders {
		o := s.orders.At(i)
		if o.currency == 0 {
			continue
		}
		at := slices.IndexFunc(f.currencies, func(c coin) bool { return c.currency == o.currency })
		if at < 0 {
			at = len(f.currencies)
			f.currencies = append(f.currencies, coin{currency: o.currency})
		}
		if o.stands() {
			f.currencies[at].orders++
		}
	}
	var best coin
	for _, c := range f.currencies {
		if best.currency == 0 || c.orders > best.orders || c.orders == best.orders && c.currency < best.currency {
			best = c
		}
	}
	return best.currency
}

// currencyName gives the code of a currency without making a new string each time.
func (f *folder) currencyName(c currency) string {
	name, known := f.names[c]
	if !known {
		name = c.String()
		f.names[c] = name
	}
	return name
}
