package score

import "github.com/seamline/seamline/schemas"

// trade folds an order, its update, refund or void into the ledger of orders. It sets the event's Revenue to the change of the order's
// net, so that the sum of Revenue over all events is the net revenue in any order of arrival:
//
//	order          the amount; of several versions the newest counts, and events after the first become order_update
//	refund         takes its amount off; where it names none, all of the order
//	void, cancel   takes the order back as if it had never been, with its refunds
//
// It gives the leaf that the order belongs to, 0 for none.
func (s *Stage) trade(e *schemas.Event) (owner uint32) {
	if e.OrderSign() == 0 {
		return 0
	}
	i := s.lookUp(e)
	o := s.orders.At(i)
	before, isNew := o.net(), !o.sold
	switch e.Type {
	case schemas.TypeRefund:
		o.refunded += e.Amount
		o.returned = o.returned || e.Amount == 0
		if e.Leaf != 0 {
			s.leaf(e.Leaf).refunds++
		}
	case schemas.TypeVoid, schemas.TypeOrderCancel:
		o.void = true
	default:
		o.sell(e)
	}
	e.Revenue = o.net() - before
	if isNew && o.sold {
		s.basket(e)
	}
	return o.leaf
}

// sell takes a version of the sale in.
func (o *order) sell(e *schemas.Event) {
	if o.sold {
		e.Type = schemas.TypeOrderUpdate
		if e.OrderVersion < o.version {
			return
		}
		o.amount, o.version = e.Amount, e.OrderVersion
		if len(e.Items) > 0 {
			o.lines.sum(e)
		}
		return
	}
	o.lines.sum(e)
	o.sold, o.amount, o.version, o.time = true, e.Amount, e.OrderVersion, e.Time
	o.currency, o.channel = packCurrency(e.Currency), e.Channel
}

// sum sets the sums of an order's lines.
func (l *orderLines) sum(e *schemas.Event) {
	*l = orderLines{redeemed: e.Redeemed}
	for i := range e.Items {
		it := &e.Items[i]
		if l.count < 1<<16-1 {
			l.count++
			if it.Discount > 0 {
				l.promoted++
			}
		}
		l.discount += max(0, it.Discount)
		value := it.Total
		if value == 0 && it.UnitPrice != 0 { // else it was given away
			value = it.UnitPrice.Mul(it.Quantity) - max(0, it.Discount)
		}
		l.list += value + max(0, it.Discount)
		if it.Cost != 0 {
			l.cost += it.Cost
			l.costed += value
		}
	}
}

// orderKey names an order. Receipt numbers repeat from store to store, so the store is part of a till's key.
func orderKey(e *schemas.Event) uint64 {
	store := ""
	if e.Channel == schemas.ChannelStore {
		store = e.StoreID
	}
	return hash(store, e.OrderID)
}

// lookUp gives the index of the event's order, which belongs to the first leaf that is known for it. An event without an order id
// always starts a new one.
func (s *Stage) lookUp(e *schemas.Event) uint32 {
	var key uint64
	i, known := uint32(0), false
	if e.OrderID != "" {
		key = orderKey(e)
		i, known = s.orderIndex.Get(key)
	}
	if !known {
		i = s.orders.Append(order{key: key, time: e.Time, currency: packCurrency(e.Currency), channel: e.Channel})
		if key != 0 {
			s.orderIndex.Put(key, i)
		}
	}
	if o := s.orders.At(i); !o.unsaved {
		o.unsaved = true
		s.unsaved.orders = append(s.unsaved.orders, i)
	}
	s.own(i, e.Leaf)
	if owner := s.orders.At(i).leaf; owner != 0 {
		s.leafAt(owner).totalsKnown = false
	}
	return i
}

// own puts an order without an owner into a leaf's list.
func (s *Stage) own(i, leaf uint32) {
	o := s.orders.At(i)
	if leaf == 0 || o.leaf != 0 {
		return
	}
	l := s.leafAt(leaf)
	o.leaf, o.next = leaf, l.orders
	l.orders = i
}
