package shoppers

// squareHead opens the webhook and the order. The order is whole, as an integration forwards it
// after fetching what the bare notification names.
func (g *Generator) squareHead(w *writer, o *sale, k kind, at int64) {
	w.b = w.b[:0]
	w.raw(`{"merchant_id":"ML8EXAMPLE42","type":"order.updated","event_id":"`)
	w.uuid(mix(o.order, uint64(k)))
	w.raw(`","created_at":`)
	w.iso(at + 400)
	w.raw(`,"data":{"type":"order","id":"`)
	w.b = o.appendID(w.b, k)
	w.raw(`","object":{"order":{"id":"`)
	w.b = o.appendID(w.b, k)
	w.raw(`","location_id":"`)
	w.b = appendStore(w.b, o.store)
	w.raw(`","created_at":`)
	w.iso(at - 90_000)
	w.raw(`,"updated_at":`)
	w.iso(at + 200)
	w.raw(`,"closed_at":`)
	w.iso(at)
	w.raw(`,"state":"COMPLETED","version":4,"source":{"name":"Point of Sale"}`)
}

// squareMoney writes a Money field, in minor units.
func (g *Generator) squareMoney(w *writer, name string, cents int64) {
	w.raw(`,"`)
	w.raw(name)
	w.raw(`":{"amount":`)
	w.int(cents)
	w.raw(`,"currency":"`)
	w.raw(g.cfg.Currency)
	w.raw(`"}`)
}

// squareAmounts writes an object of the four sums that Square repeats everywhere.
func (g *Generator) squareAmounts(w *writer, name string, a amounts) {
	w.raw(`,"`)
	w.raw(name)
	w.raw(`":{"service_charge_money":{"amount":0,"currency":"`)
	w.raw(g.cfg.Currency)
	w.raw(`"}`)
	g.squareMoney(w, "total_money", a.gross)
	g.squareMoney(w, "tax_money", a.tax)
	g.squareMoney(w, "discount_money", a.discount)
	g.squareMoney(w, "tip_money", 0)
	w.raw(`}`)
}

func (g *Generator) squareTotals(w *writer, a amounts) {
	g.squareMoney(w, "total_money", a.gross)
	g.squareMoney(w, "total_tax_money", a.tax)
	g.squareMoney(w, "total_discount_money", a.discount)
	g.squareMoney(w, "total_tip_money", 0)
	g.squareMoney(w, "total_service_charge_money", 0)
}

// squareLine writes the members that sold and returned lines share.
func (g *Generator) squareLine(w *writer, o *sale, i int, uid uint64) {
	l := o.lines[i]
	product := &g.catalog[l.product]
	w.raw(`"uid":"`)
	w.token(mix(o.order, uid+uint64(i)), 22)
	w.raw(`","catalog_object_id":"`)
	w.raw(product.sku)
	w.raw(`","catalog_version":1756000000000,"quantity":"`)
	w.int(int64(l.quantity))
	w.raw(`","name":`)
	w.str(product.name)
	w.raw(`,"variation_name":"Regular","item_type":"ITEM"`)
	g.squareMoney(w, "base_price_money", product.price)
	g.squareMoney(w, "variation_total_price_money", product.price*int64(l.quantity))
	if uid == soldLine {
		g.squareMoney(w, "gross_sales_money", product.price*int64(l.quantity))
	} else {
		g.squareMoney(w, "gross_return_money", product.price*int64(l.quantity))
	}
	g.squareMoney(w, "total_tax_money", g.lineTax(l))
	g.squareMoney(w, "total_discount_money", int64(l.discount))
	g.squareMoney(w, "total_money", g.lineNet(l)+g.lineTax(l))
}

const (
	soldLine     = 1000
	returnedLine = 2000
)

// writeSquareSale writes the webhook about a completed order.
func (g *Generator) writeSquareSale(o *sale, p *person) {
	w := &g.w
	g.squareHead(w, o, kindSquareSale, o.at)
	g.squareCustomer(w, o, p)
	w.raw(`,"line_items":[`)
	for i := range o.lines {
		if i > 0 {
			w.raw(`,`)
		}
		w.raw(`{`)
		g.squareLine(w, o, i, soldLine)
		w.raw(`}`)
	}
	w.raw(`],"taxes":[{"uid":"state-tax","name":"Sales Tax","type":"ADDITIVE","percentage":"8","scope":"ORDER"}]`)
	if o.coupon {
		w.raw(`,"discounts":[{"uid":"save10","name":"SAVE10","type":"FIXED_PERCENTAGE","percentage":"10","scope":"ORDER"}]`)
	}
	g.squareTender(w, o, p)
	g.squareTotals(w, o.sum)
	g.squareAmounts(w, "net_amounts", o.sum)
	g.squareMoney(w, "net_amount_due_money", 0)
	w.raw(`}}}}`)
}

func (g *Generator) squareCustomer(w *writer, o *sale, p *person) {
	if o.has(slotPosSquare) {
		w.raw(`,"customer_id":"`)
		w.b = p.append(w.b, slotPosSquare)
		w.raw(`"`)
	}
}

func (g *Generator) squareTender(w *writer, o *sale, p *person) {
	w.raw(`,"tenders":[{"id":"`)
	w.token(mix(o.order, 4), 22)
	w.raw(`","location_id":"`)
	w.b = appendStore(w.b, o.store)
	w.raw(`","transaction_id":"`)
	w.b = o.appendID(w.b, kindSquareSale)
	w.raw(`","created_at":`)
	w.iso(o.at)
	g.squareMoney(w, "amount_money", o.sum.gross)
	w.raw([...]string{
		tenderCash: `,"type":"CASH"`, tenderCard: `,"type":"CARD"`,
		tenderGift: `,"type":"SQUARE_GIFT_CARD"`, tenderVoucher: `,"type":"OTHER"`,
	}[o.tender])
	if o.tender == tenderCard {
		w.raw(`,"card_details":{"status":"CAPTURED","entry_method":"EMV","card":{"card_brand":"`)
		w.raw(p.cardBrand(o.card))
		w.raw(`","last_4":"`)
		w.b = p.appendLast4(w.b, o.card)
		w.raw(`","exp_month":11,"exp_year":2029,"fingerprint":"`)
		w.b = p.append(w.b, o.card)
		w.raw(`","card_type":"CREDIT"}}`)
	}
	w.raw(`,"payment_id":"`)
	w.token(mix(o.order, 5), 22)
	w.raw(`"}]`)
}

// writeSquareReturn writes the webhook about an order that only returns lines of another.
func (g *Generator) writeSquareReturn(o *sale, p *person, at int64) {
	w := &g.w
	o.set &= setOf(slotPosSquare)
	g.squareHead(w, o, kindSquareReturn, at)
	g.squareCustomer(w, o, p)
	w.raw(`,"returns":[{"uid":"`)
	w.token(mix(o.order, 6), 22)
	w.raw(`","source_order_id":"`)
	w.b = o.appendID(w.b, kindSquareSale)
	w.raw(`","return_line_items":[`)
	for i := range o.lines {
		if i > 0 {
			w.raw(`,`)
		}
		w.raw(`{"source_line_item_uid":"`)
		w.token(mix(o.order, soldLine+uint64(i)), 22)
		w.raw(`",`)
		g.squareLine(w, o, i, returnedLine)
		w.raw(`}`)
	}
	w.raw(`]}],"refunds":[{"id":"`)
	w.token(mix(o.order, 7), 22)
	w.raw(`","status":"APPROVED","reason":"Returned goods","created_at":`)
	w.iso(at)
	g.squareMoney(w, "amount_money", o.sum.gross)
	w.raw(`}]`)
	g.squareTotals(w, amounts{})
	g.squareAmounts(w, "return_amounts", o.sum)
	g.squareAmounts(w, "net_amounts", o.sum.negated())
	w.raw(`}}}}`)
}
