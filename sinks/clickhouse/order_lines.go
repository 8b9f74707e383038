package clickhouse

import (
	"encoding/binary"

	"github.com/cespare/xxhash/v2"

	"github.com/seamline/seamline/schemas"
)

// orderLineTable is the table order_lines: the items of orders, refunds and voids.
type orderLineTable struct {
	block
	line []byte // scratch

	order, lineID, event, sku, item            texts
	store, category, brand, currency           words
	kind, channel                              names
	orderVersion, at                           fixed[int64]
	profile                                    uuids
	quantity, unitPrice, discount, total, cost fixed[int64]
	leaf, batch                                fixed[uint64]
	version                                    fixed[[16]byte]
}

func newOrderLineTable(database string) *orderLineTable {
	t := &orderLineTable{
		kind: newNames(schemas.TypeNames()), channel: newNames(schemas.ChannelNames()), orderVersion: int64s(), at: times(), profile: ids(), leaf: uint64s(),
		quantity: decimals(), unitPrice: decimals(), discount: decimals(), total: decimals(), cost: decimals(), batch: uint64s(),
		version: bytes16("UInt128"),
	}
	t.block = newBlock(database, "order_lines",
		named{"order_id", &t.order}, named{"store_id", &t.store}, named{"line_id", &t.lineID}, named{"event_id", &t.event},
		named{"type", &t.kind}, named{"order_version", &t.orderVersion}, named{"time", &t.at}, named{"profile_id", &t.profile}, named{"leaf", &t.leaf},
		named{"channel", &t.channel}, named{"sku", &t.sku}, named{"name", &t.item}, named{"category", &t.category},
		named{"brand", &t.brand}, named{"quantity", &t.quantity}, named{"unit_price", &t.unitPrice}, named{"discount", &t.discount},
		named{"total", &t.total}, named{"cost", &t.cost}, named{"currency", &t.currency}, named{"_batch", &t.batch},
		named{"_version", &t.version})
	return t
}

func (t *orderLineTable) fill(b *schemas.Batch) []*block {
	t.reset()
	for i, e := range b.Events {
		if e.OrderID == "" || e.OrderSign() == 0 {
			continue
		}
		for j := range e.Items {
			t.add(e, &e.Items[j])
			t.batch.add(b.Number)
			t.version.add(lineVersion(e.OrderVersion, b.Number, i))
		}
	}
	return t.filled()
}

func (t *orderLineTable) add(e *schemas.Event, i *schemas.Item) {
	sign := int64(e.OrderSign())
	t.order.add(e.OrderID)
	t.store.add(e.StoreID)
	t.line = appendLineID(t.line[:0], e, i)
	t.lineID.addBytes(t.line)
	t.event.add(e.ID)
	t.kind.add(uint8(e.Type))
	t.orderVersion.add(e.OrderVersion)
	t.at.add(int64(e.Time))
	t.profile.addID(e.ProfileID)
	t.leaf.add(uint64(e.Leaf))
	t.channel.add(uint8(e.Channel))
	t.sku.add(i.SKU)
	t.item.add(i.Name)
	t.category.add(i.Category)
	t.brand.add(i.Brand)
	t.quantity.add(sign * int64(i.Quantity))
	t.unitPrice.add(int64(i.UnitPrice))
	t.discount.add(sign * int64(i.Discount))
	t.total.add(sign * int64(i.Total))
	t.cost.add(sign * int64(i.Cost))
	t.currency.add(e.Currency)
	t.keyed.add(addTo(addTo(printText(e.OrderID), printText(e.StoreID)), xxhash.Sum64(t.line)))
}

// appendLineID keeps the lines of refunds and voids beside those of the sale. An order may be refunded by many events, each of
// which counts; but it is taken back as a whole only once, however many events say so.
func appendLineID(to []byte, e *schemas.Event, i *schemas.Item) []byte {
	switch e.Type {
	case schemas.TypeRefund:
		to = append(append(to, e.ID...), '/')
	case schemas.TypeVoid, schemas.TypeOrderCancel:
		to = append(to, "void/"...)
	}
	return append(to, i.LineID...)
}

// placeBits is the part of a line's version that tells events of one batch apart.
const placeBits = 20

// lineVersion makes the newer version of an order win, and of equal versions the event that came later.
func lineVersion(order int64, batch uint64, place int) [16]byte {
	var v [16]byte
	binary.LittleEndian.PutUint64(v[:8], batch<<placeBits|uint64(min(place, 1<<placeBits-1)))
	binary.LittleEndian.PutUint64(v[8:], uint64(max(order, 0)))
	return v
}
