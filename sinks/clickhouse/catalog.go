package clickhouse

import (
	"encoding/binary"

	"github.com/seamline/seamline/schemas"
)

// catalogTable is the table catalog: what price_change events say.
type catalogTable struct {
	block
	sku, item, page                        texts
	store, category, brand, currency, sold words
	price, list, cost, since               fixed[int64]
	batch                                  fixed[uint64]
	version                                fixed[[16]byte]
}

func newCatalogTable(database string) *catalogTable {
	t := &catalogTable{price: decimals(), list: decimals(), cost: decimals(), since: times(), batch: uint64s(), version: bytes16("UInt128")}
	t.block = newBlock(database, "catalog",
		named{"sku", &t.sku}, named{"store_id", &t.store}, named{"name", &t.item}, named{"category", &t.category}, named{"brand", &t.brand},
		named{"price", &t.price}, named{"list_price", &t.list}, named{"cost", &t.cost}, named{"currency", &t.currency},
		named{"availability", &t.sold}, named{"page_url", &t.page}, named{"since", &t.since}, named{"_batch", &t.batch},
		named{"_version", &t.version})
	return t
}

func (t *catalogTable) fill(b *schemas.Batch) []*block {
	t.reset()
	for _, e := range b.Events {
		if e.Type == schemas.TypePriceChange && e.SKU != "" {
			t.add(e)
			t.batch.add(b.Number)
		}
	}
	return t.filled()
}

func (t *catalogTable) add(e *schemas.Event) {
	var item schemas.Item
	if len(e.Items) > 0 {
		item = e.Items[0]
	}
	if item.UnitPrice == 0 {
		item.UnitPrice = e.Amount
	}
	t.sku.add(e.SKU)
	t.store.add(e.StoreID)
	t.item.add(item.Name)
	t.category.add(item.Category)
	t.brand.add(item.Brand)
	t.price.add(int64(e.Amount))
	t.list.add(int64(item.UnitPrice))
	t.cost.add(int64(item.Cost))
	t.currency.add(e.Currency)
	t.sold.add(e.Variant)
	t.page.add(e.PageURL)
	t.since.add(int64(e.Time))
	t.version.add(latestVersion(e))
	t.keyed.add(addTo(printText(e.SKU), printText(e.StoreID)))
}

// latestVersion makes the row of the newest event win, and of events of one instant always the same one, however they were spread over
// batches.
func latestVersion(e *schemas.Event) [16]byte {
	var v [16]byte
	binary.LittleEndian.PutUint64(v[:8], addTo(printText(e.Source), printText(e.ID)))
	binary.LittleEndian.PutUint64(v[8:], uint64(max(e.Time, 0)))
	return v
}

// stockTable is the table stock: what stock_change events say.
type stockTable struct {
	block
	sku             texts
	store, sold     words
	quantity, since fixed[int64]
	batch           fixed[uint64]
	version         fixed[[16]byte]
}

func newStockTable(database string) *stockTable {
	t := &stockTable{quantity: decimals(), since: times(), batch: uint64s(), version: bytes16("UInt128")}
	t.block = newBlock(database, "stock",
		named{"sku", &t.sku}, named{"store_id", &t.store}, named{"quantity", &t.quantity}, named{"availability", &t.sold},
		named{"since", &t.since}, named{"_batch", &t.batch}, named{"_version", &t.version})
	return t
}

func (t *stockTable) fill(b *schemas.Batch) []*block {
	t.reset()
	for _, e := range b.Events {
		if e.Type != schemas.TypeStockChange || e.SKU == "" {
			continue
		}
		t.sku.add(e.SKU)
		t.store.add(e.StoreID)
		t.quantity.add(int64(e.Quantity))
		t.sold.add(e.Variant)
		t.since.add(int64(e.Time))
		t.batch.add(b.Number)
		t.version.add(latestVersion(e))
		t.keyed.add(addTo(printText(e.SKU), printText(e.StoreID)))
	}
	return t.filled()
}
