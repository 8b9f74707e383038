package shoppers

type receiptType uint8

const (
	receiptSale receiptType = iota
	receiptRefund
	receiptVoid
)

// appendID appends the id of the sale, or of what was done to it, in the format of kind k.
func (o *sale) appendID(b []byte, k kind) []byte {
	switch k {
	case kindSquareSale:
		return appendToken(b, mix(o.order, 1), 22)
	case kindSquareReturn:
		return appendToken(b, mix(o.order, 2), 22)
	case kindShopifyOrder:
		return appendPadded(append(b, '6'), int64(mix(o.order, 1)%1e12), 12)
	case kindShopifyRefund:
		return appendPadded(append(b, '9'), int64(mix(o.order, 2)%1e11), 11)
	case kindLightspeedSale:
		return appendUUID(b, mix(o.order, 1))
	case kindLightspeedReturn:
		return appendUUID(b, mix(o.order, 2))
	}
	b = appendStore(append(b, "R-"...), o.store)
	b = appendPadded(append(b, '-'), o.number, 7)
	switch k {
	case kindReceiptRefund:
		b = append(b, "-R"...)
	case kindReceiptVoid:
		b = append(b, "-V"...)
	}
	return b
}

// writeReceipt writes the Seamline receipt. Amounts are positive in every type; the type says the sign.
func (g *Generator) writeReceipt(typ receiptType, o *sale, p *person, at int64) {
	w := &g.w
	w.b = w.b[:0]
	k := [...]kind{kindReceipt, kindReceiptRefund, kindReceiptVoid}[typ]
	w.raw(`{"receipt_id":"`)
	w.b = o.appendID(w.b, k)
	w.raw(`","store_id":"`)
	w.b = appendStore(w.b, o.store)
	w.raw(`","register_id":"`)
	w.int(1 + int64(o.order%4))
	w.raw(`","clerk_id":"clerk-`)
	w.int(1 + int64(o.order>>8%20))
	w.raw(`","time":`)
	w.iso(at)
	w.raw([...]string{`,"type":"sale"`, `,"type":"refund"`, `,"type":"void"`}[typ])
	if typ != receiptSale {
		w.raw(`,"original_receipt_id":"`)
		w.b = o.appendID(w.b, kindReceipt)
		w.raw(`"`)
	}
	w.raw(`,"currency":"`)
	w.raw(g.cfg.Currency)
	w.raw(`","training":`)
	w.bool(o.test)
	g.receiptCustomer(w, o, p)
	g.receiptLines(w, o)
	g.receiptTender(w, o, p)
	w.raw(`,"subtotal":`)
	w.quotedCents(o.sum.subtotal)
	w.raw(`,"tax":`)
	w.quotedCents(o.sum.tax)
	w.raw(`,"discount":`)
	w.quotedCents(o.sum.discount)
	w.raw(`,"total":`)
	w.quotedCents(o.sum.gross)
	if o.coupon {
		w.raw(`,"coupons":["SAVE10"]`)
	}
	w.raw(`}`)
}

// receiptCustomer writes who the customer is, as far as the till knows, and as carelessly as clerks type.
func (g *Generator) receiptCustomer(w *writer, o *sale, p *person) {
	w.raw(`,"customer":`)
	before := len(w.b)
	r := rng{o.looseID}
	field := func(has bool, name string) bool {
		if !has {
			return false
		}
		if len(w.b) == before {
			w.raw(`{"`)
		} else {
			w.raw(`,"`)
		}
		w.raw(name)
		w.raw(`":"`)
		return true
	}
	if field(o.has(slotLoyalty) || o.filler == fillerLoyalty, "loyalty_id") {
		w.b = o.appendLoyalty(g, p, w.b)
		w.raw(`"`)
	}
	if field(o.has(slotUser), "user_id") {
		w.b = p.append(w.b, slotUser)
		w.raw(`"`)
	}
	switch {
	case !field(o.hasEmail(), "email"):
	case o.filler == fillerEmail:
		w.b = o.appendEmail(g, p, w.b)
		w.raw(`"`)
	default:
		writeEmailLoosely(w, p, o.email, &r)
		w.raw(`"`)
	}
	switch {
	case !field(o.hasPhone(), "phone"):
	case o.filler == fillerPhone:
		w.b = g.appendFiller(w.b, fillerPhone, o.store, o.order)
		w.raw(`"`)
	default:
		w.b = p.appendPhoneSpoken(w.b, r.below(4))
		w.raw(`"`)
	}
	if len(w.b) == before {
		w.raw(`null`)
		return
	}
	w.raw(`}`)
}

func (g *Generator) receiptLines(w *writer, o *sale) {
	w.raw(`,"lines":[`)
	for i, l := range o.lines {
		product := &g.catalog[l.product]
		if i > 0 {
			w.raw(`,`)
		}
		w.raw(`{"line_id":"`)
		w.int(int64(i + 1))
		w.raw(`","sku":"`)
		w.raw(product.sku)
		w.raw(`","gtin":"`)
		w.raw(product.gtin)
		w.raw(`","name":`)
		w.str(product.name)
		w.raw(`,"category":`)
		w.str(product.category)
		w.raw(`,"quantity":`)
		w.int(int64(l.quantity))
		w.raw(`,"unit_price":`)
		w.quotedCents(product.price)
		w.raw(`,"discount":`)
		w.quotedCents(int64(l.discount))
		w.raw(`,"total":`)
		w.quotedCents(g.lineNet(l))
		w.raw(`,"cost":`) // of the whole line, like total
		w.quotedCents(product.cost * int64(l.quantity))
		w.raw(`}`)
	}
	w.raw(`]`)
}

func (g *Generator) receiptTender(w *writer, o *sale, p *person) {
	w.raw([...]string{
		tenderCash: `,"tenders":[{"type":"cash"`, tenderCard: `,"tenders":[{"type":"card"`,
		tenderGift: `,"tenders":[{"type":"gift"`, tenderVoucher: `,"tenders":[{"type":"voucher"`,
	}[o.tender])
	w.raw(`,"amount":`)
	w.quotedCents(o.sum.gross)
	if o.tender == tenderCard {
		if o.has(o.card) {
			w.raw(`,"card_fingerprint":"`)
			w.b = p.append(w.b, o.card)
			w.raw(`"`)
		}
		w.raw(`,"brand":"`)
		w.raw(p.cardBrand(o.card))
		w.raw(`","last4":"`)
		w.b = p.appendLast4(w.b, o.card)
		w.raw(`"`)
	}
	w.raw(`}]`)
}

func (p *person) cardBrand(card slot) string {
	return [3]string{"VISA", "MASTERCARD", "AMERICAN_EXPRESS"}[mix(p.seed, 300+uint64(card))%3]
}

func (p *person) appendLast4(b []byte, card slot) []byte {
	return appendPadded(b, int64(mix(p.seed, 310+uint64(card))%10000), 4)
}
