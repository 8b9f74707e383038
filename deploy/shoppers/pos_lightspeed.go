package shoppers

// clock writes a time field as Lightspeed X-Series does: UTC without saying so.
func clock(w *writer, name string, ms int64) {
	w.raw(`,"`)
	w.raw(name)
	w.raw(`":"`)
	w.b = appendClock(w.b, ms, ' ')
	w.raw(`"`)
}

// writeLightspeed writes the sale.update webhook: the JSON of its payload field. A return is a sale of its own
// with negative quantities.
func (g *Generator) writeLightspeed(o *sale, p *person, at int64, back bool) {
	w := &g.w
	w.b = w.b[:0]
	k, sign := kindLightspeedSale, int64(1)
	if back {
		k, sign = kindLightspeedReturn, -1
	}
	w.raw(`{"id":"`)
	w.b = o.appendID(w.b, k)
	w.raw(`","source":"USER","source_id":null,"outlet_id":"`)
	w.b = appendStore(w.b, o.store)
	w.raw(`","register_id":"`)
	w.uuid(mix(0x1167, uint64(o.store)))
	w.raw(`","market_id":"1","user_id":"`)
	w.uuid(mix(0x1168, o.order%20))
	w.raw(`","user_name":"till-`)
	w.int(int64(o.order % 20))
	w.raw(`"`)
	clock(w, "sale_date", at)
	clock(w, "created_at", at)
	clock(w, "updated_at", at+1000)
	w.raw(`,"deleted_at":null,"status":"CLOSED","state":"closed","note":"","short_code":"`)
	w.token(mix(o.order, uint64(k)), 6)
	w.raw(`","invoice_number":"LS-`)
	w.int(int64(o.store+1)*1_000_000 + o.number)
	if back {
		w.raw(`-R","return_for":"`)
		w.b = o.appendID(w.b, kindLightspeedSale)
		w.raw(`"`)
	} else {
		w.raw(`","return_for":null`)
	}
	w.raw(`,"total_price":`)
	w.cents(sign * o.sum.net)
	w.raw(`,"total_tax":`)
	w.cents(sign * o.sum.tax)
	w.raw(`,"tax_name":"Sales Tax"`)
	g.lightspeedCustomer(w, o, p)
	w.raw(`,"register_sale_products":[`)
	for i := range o.lines {
		if i > 0 {
			w.raw(`,`)
		}
		g.lightspeedLine(w, o, i, sign)
	}
	w.raw(`],"register_sale_payments":[{"id":"`)
	w.uuid(mix(o.order, uint64(k)+50))
	w.raw(`","payment_type_id":"`)
	w.raw([...]string{tenderCash: `1","name":"Cash"`, tenderCard: `5","name":"Card"`, tenderGift: `106","name":"Gift Card"`, tenderVoucher: `4","name":"Voucher"`}[o.tender])
	w.raw(`,"retailer_payment_type_id":"`)
	w.uuid(mix(0x1169, uint64(o.tender)))
	w.raw(`"`)
	clock(w, "payment_date", at)
	w.raw(`,"amount":`)
	w.cents(sign * o.sum.gross)
	w.raw(`}],"totals":{"total_tax":`)
	w.quotedCents(sign * o.sum.tax)
	w.raw(`,"total_price":`)
	w.quotedCents(sign * o.sum.net)
	w.raw(`,"total_payment":`)
	w.quotedCents(sign * o.sum.gross)
	w.raw(`,"total_to_pay":"0.00"}}`)
}

func (g *Generator) lightspeedCustomer(w *writer, o *sale, p *person) {
	if !o.has(slotPosLight) {
		w.raw(`,"customer_id":null,"customer":null`)
		return
	}
	w.raw(`,"customer_id":"`)
	w.b = p.append(w.b, slotPosLight)
	w.raw(`","customer":{"id":"`)
	w.b = p.append(w.b, slotPosLight)
	w.raw(`","name":"Customer `)
	w.int(int64(p.index))
	w.raw(`","customer_code":"Customer-`)
	w.int(int64(p.index))
	w.raw(`","customer_group_name":"All Customers","balance":"0.00","contact":{"first_name":"Customer","last_name":"`)
	w.int(int64(p.index))
	w.raw(`","email":"`)
	w.b = o.appendEmail(g, p, w.b)
	w.raw(`","phone":"","mobile":"`)
	switch {
	case o.filler == fillerPhone:
		w.b = g.appendFiller(w.b, fillerPhone, o.store, o.order)
	case o.has(slotPhone):
		w.b = p.appendPhoneSpoken(w.b, int(o.looseID%4))
	}
	w.raw(`"}}`)
}

func (g *Generator) lightspeedLine(w *writer, o *sale, i int, sign int64) {
	l := o.lines[i]
	product := &g.catalog[l.product]
	w.raw(`{"id":"`)
	w.uuid(mix(o.order, uint64(3000*sign)+uint64(i)))
	w.raw(`","product_id":"`)
	w.uuid(mix(0x116a, uint64(l.product)))
	w.raw(`","sequence":`)
	w.int(int64(i))
	w.raw(`,"handle":"`)
	w.raw(product.id)
	w.raw(`","sku":"`)
	w.raw(product.sku)
	w.raw(`","name":`)
	w.str(product.name)
	w.raw(`,"quantity":`)
	w.int(sign * int64(l.quantity))
	w.raw(`,"price":`)
	w.cents(product.price)
	w.raw(`,"cost":`)
	w.cents(product.cost)
	w.raw(`,"price_set":0,"discount":0,"loyalty_value":0,"tax":`)
	unit := g.lineTax(l) * 1000 / int64(l.quantity) // in 1/1000 cent
	w.int(unit / 100_000)
	w.raw(`.`)
	w.padded(unit%100_000, 5)
	w.raw(`,"tax_name":"Sales Tax","tax_rate":0.08,"tax_total":`)
	w.cents(sign * g.lineTax(l))
	w.raw(`,"price_total":`)
	w.cents(sign * g.lineNet(l))
	w.raw(`,"status":"CONFIRMED","attributes":[]}`)
}
