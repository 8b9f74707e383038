package score

import (
	"slices"

	"github.com/seamline/seamline/schemas"
)

// sku gives the dense index of an SKU.
func (s *Stage) sku(name string) uint32 {
	if i, ok := s.skuIndex[name]; ok {
		return i
	}
	i := uint32(len(s.skus))
	name = string([]byte(name)) // events alias their record's bytes
	s.skus = append(s.skus, name)
	s.skuIndex[name] = i
	return i
}

// cart adds a change to the leaf's ledger, in its place by time.
func (s *Stage) cart(e *schemas.Event) {
	if e.SKU == "" {
		return
	}
	op := cartOp{time: e.Time, sku: s.sku(e.SKU), quantity: e.Quantity, price: e.Amount}
	if len(e.Items) > 0 && e.Items[0].UnitPrice != 0 {
		op.price = e.Items[0].UnitPrice
	}
	switch {
	case e.Type == schemas.TypeCartRemove:
		op.quantity = -op.quantity
	case op.quantity == 0:
		op.quantity = schemas.DecimalOne
	}
	ops := s.carts[e.Leaf]
	at, _ := slices.BinarySearchFunc(ops, op, compareOps)
	ops = slices.Insert(ops, at, op)
	if len(ops) > cartOpsMax {
		ops = slices.Delete(ops, 0, len(ops)-cartOpsMax)
	}
	s.carts[e.Leaf] = ops
	s.unsaved.carts[e.Leaf] = struct{}{}
}

func compareOps(a, b cartOp) int {
	switch {
	case a.time != b.time:
		return int(max(-1, min(1, a.time-b.time)))
	case a.sku != b.sku:
		return int(a.sku) - int(b.sku)
	case a.quantity != b.quantity:
		return int(max(-1, min(1, a.quantity-b.quantity)))
	}
	return int(max(-1, min(1, a.price-b.price)))
}
