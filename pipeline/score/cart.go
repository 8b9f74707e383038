package score

import (
	"cmp"

	"github.com/seamline/seamline/schemas"
)

// cartOp is one change of a cart.
type cartOp struct {
	time     schemas.Time
	quantity schemas.Decimal // negative: taken out; 0: all of it taken out
	price    schemas.Decimal
	sku      uint32
}

// cartNode is a change in the ledger of a leaf.
type cartNode struct {
	cartOp
	next uint32 // an earlier change; 0 for none
}

// cartOpsMax bounds a leaf's cart ledger; the oldest changes fall out first.
const cartOpsMax = 128

// cart adds a change to the leaf's ledger, in its place by time.
func (s *Stage) cart(e *schemas.Event, l *leaf) {
	sku := s.skus.of(e.SKU)
	if sku == 0 {
		return
	}
	op := cartOp{time: e.Time, sku: sku, quantity: e.Quantity, price: e.Amount}
	if len(e.Items) > 0 && e.Items[0].UnitPrice != 0 {
		op.price = e.Items[0].UnitPrice
	}
	switch {
	case e.Type == schemas.TypeCartRemove:
		op.quantity = -op.quantity
	case op.quantity == 0:
		op.quantity = schemas.DecimalOne
	}
	s.addOp(l, op)
	if !l.cartUnsaved {
		l.cartUnsaved = true
		s.unsaved.carts = append(s.unsaved.carts, e.Leaf)
	}
}

// addOp puts a change into a ledger, which begins with the latest.
func (s *Stage) addOp(l *leaf, op cartOp) {
	at := &l.cart
	for *at != 0 {
		n := s.carts.At(*at)
		if compareOps(n.cartOp, op) <= 0 {
			break
		}
		at = &n.next
	}
	if l.cartOps == 0 {
		s.cartCount++
	}
	node := cartNode{cartOp: op, next: *at}
	if i := s.cartFree; i != 0 {
		unused := s.carts.At(i)
		s.cartFree, *unused, *at = unused.next, node, i
	} else {
		*at = s.carts.Append(node)
	}
	if l.cartOps++; l.cartOps > cartOpsMax {
		s.dropOldest(l)
	}
}

// dropOldest takes the last change out of a ledger.
func (s *Stage) dropOldest(l *leaf) {
	at := &l.cart
	for {
		i := *at
		n := s.carts.At(i)
		if n.next == 0 {
			*at, n.next, s.cartFree = 0, s.cartFree, i
			break
		}
		at = &n.next
	}
	l.cartOps--
	l.cut |= schemas.BoundCart
}

// oldestOp gives the time of the first change in a ledger, which has one.
func (s *Stage) oldestOp(l *leaf) schemas.Time {
	n := s.carts.At(l.cart)
	for n.next != 0 {
		n = s.carts.At(n.next)
	}
	return n.time
}

// appendOpsOf appends a leaf's ledger, latest change first.
func (s *Stage) appendOpsOf(ops []cartOp, l *leaf) []cartOp {
	for i := l.cart; i != 0; {
		n := s.carts.At(i)
		ops = append(ops, n.cartOp)
		i = n.next
	}
	return ops
}

// compareOps orders changes by time, then by all else that they consist of.
func compareOps(a, b cartOp) int {
	switch {
	case a.time != b.time:
		return cmp.Compare(a.time, b.time)
	case a.sku != b.sku:
		return cmp.Compare(a.sku, b.sku)
	case a.quantity != b.quantity:
		return cmp.Compare(a.quantity, b.quantity)
	}
	return cmp.Compare(a.price, b.price)
}
