package score

import "github.com/seamline/seamline/schemas"

// trade folds an order, its update, refund or void into the ledger of orders, and sets the event's Revenue to the change of net
// revenue, so that the sum of Revenue over all events is the net revenue in any order of arrival:
//
//	order          first sight: + amount; again, as a newer version: the difference, and the event becomes an order_update
//	order_update   like an order
//	refund         - amount; where it names no amount, the order's
//	void, cancel   takes the order back as a whole, now or when it arrives later
func (s *Stage) trade(e *schemas.Event) {
	switch e.Type {
	case schemas.TypeOrder, schemas.TypeOrderUpdate:
		s.sell(e)
	case schemas.TypeRefund:
		s.refund(e)
	case schemas.TypeVoid, schemas.TypeOrderCancel:
		s.void(e)
	}
}

// orderKey names an order. Receipt numbers repeat from store to store, so the store is part of a till's key.
func (s *Stage) orderKey(e *schemas.Event) uint64 {
	store := ""
	if e.Channel == schemas.ChannelStore {
		store = e.StoreID
	}
	return s.hash(store, e.OrderID)
}

// lookUp gives the index of the event's order and whether it was there; an event without an order id always starts a new one.
func (s *Stage) lookUp(e *schemas.Event) (uint32, bool) {
	var key uint64
	if e.OrderID != "" {
		key = s.orderKey(e)
		if i, ok := s.orderIdx[key]; ok {
			s.unsaved.orders[i] = struct{}{}
			return i, true
		}
	}
	i := uint32(len(s.orders))
	s.orders = append(s.orders, order{key: key, time: e.Time, version: e.OrderVersion, currency: packCurrency(e.Currency), channel: e.Channel})
	if key != 0 {
		s.orderIdx[key] = i
	}
	s.unsaved.orders[i] = struct{}{}
	s.own(i, e.Leaf)
	return i, false
}

// own puts an order without an owner into a leaf's list.
func (s *Stage) own(i, leaf uint32) {
	if leaf == 0 || s.orders[i].leaf != 0 {
		return
	}
	l := s.leaf(leaf)
	s.orders[i].leaf, s.orders[i].next = leaf, l.orders
	l.orders = i
}

func (s *Stage) sell(e *schemas.Event) {
	i, known := s.lookUp(e)
	o := &s.orders[i]
	s.own(i, e.Leaf)
	switch {
	case !known:
		e.Revenue, o.amount = e.Amount, e.Amount
	case !o.counted:
		// Its void came first.
		o.amount, o.version, o.time, o.currency, o.channel = e.Amount, e.OrderVersion, e.Time, packCurrency(e.Currency), e.Channel
	default:
		e.Type = schemas.TypeOrderUpdate
		if e.OrderVersion >= o.version {
			if !o.void {
				e.Revenue = e.Amount - o.amount
			}
			o.amount, o.version = e.Amount, e.OrderVersion
		}
	}
	o.counted = true
}

func (s *Stage) void(e *schemas.Event) {
	i, _ := s.lookUp(e)
	o := &s.orders[i]
	if o.counted && !o.void {
		e.Revenue = -o.amount
	}
	o.void = true
}

func (s *Stage) refund(e *schemas.Event) {
	amount := e.Amount
	if amount == 0 && e.OrderID != "" {
		if i, ok := s.orderIdx[s.orderKey(e)]; ok && !s.orders[i].void {
			amount = s.orders[i].amount
		}
	}
	e.Revenue = -amount
	if e.Leaf == 0 {
		return
	}
	l := s.leaf(e.Leaf)
	l.refunds++
	cur := packCurrency(e.Currency)
	for i := l.credit; i != 0; i = s.credits[i].next {
		if c := &s.credits[i]; c.currency == cur && c.channel == e.Channel {
			c.amount += amount
			s.unsaved.credits[i] = struct{}{}
			return
		}
	}
	i := uint32(len(s.credits))
	s.credits = append(s.credits, credit{leaf: e.Leaf, next: l.credit, currency: cur, channel: e.Channel, amount: amount})
	l.credit = i
	s.unsaved.credits[i] = struct{}{}
}
