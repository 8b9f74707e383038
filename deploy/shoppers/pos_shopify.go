package shoppers

// appendZoned appends a time as Shopify writes it, in the zone of its shop: five hours behind UTC.
func appendZoned(b []byte, ms int64) []byte {
	return append(appendClock(b, ms-5*3600_000, 'T'), "-05:00"...)
}

func zoned(w *writer, name string, ms int64) {
	w.raw(`,"`)
	w.raw(name)
	w.raw(`":"`)
	w.b = appendZoned(w.b, ms)
	w.raw(`"`)
}

// shopifyHeaders are the headers of Shopify's webhooks, which a gateway hands on.
func shopifyHeaders(topic string, order uint64) []Header {
	return []Header{
		{"X-Shopify-Topic", []byte(topic)},
		{"X-Shopify-Shop-Domain", []byte("shop-example.myshopify.com")},
		{"X-Shopify-API-Version", []byte("2026-07")},
		{"X-Shopify-Webhook-Id", appendUUID(nil, mix(order, hashString(topic)))},
	}
}

// shopifyLocation numbers the stores as Shopify does.
func shopifyLocation(store int) int64 { return 65_000_000_100 + int64(store) }

// shopifyLineID is the number of a line; real ones have fourteen digits, too, and are no card numbers.
func shopifyLineID(o *sale, i int) int64 {
	return 15_000_000_000_000 + int64(mix(o.order, 3)%1e11)*8 + int64(i)
}

// writeShopifyOrder writes the webhook about an order at a Shopify till.
func (g *Generator) writeShopifyOrder(o *sale, p *person) {
	w := &g.w
	w.b = w.b[:0]
	w.raw(`{"id":`)
	w.b = o.appendID(w.b, kindShopifyOrder)
	w.raw(`,"admin_graphql_api_id":"gid:\/\/shopify\/Order\/`)
	w.b = o.appendID(w.b, kindShopifyOrder)
	w.raw(`","app_id":129785,"buyer_accepts_marketing":false,"cancel_reason":null,"cancelled_at":null,"cart_token":null,"checkout_token":null,"confirmed":true`)
	zoned(w, "created_at", o.at)
	zoned(w, "processed_at", o.at)
	zoned(w, "updated_at", o.at+1000)
	zoned(w, "closed_at", o.at+1000)
	w.raw(`,"currency":"`)
	w.raw(g.cfg.Currency)
	w.raw(`","presentment_currency":"`)
	w.raw(g.cfg.Currency)
	w.raw(`","device_id":`)
	w.int(1 + int64(o.order%4))
	w.raw(`,"financial_status":"paid","fulfillment_status":"fulfilled","location_id":`)
	w.int(shopifyLocation(o.store))
	w.raw(`,"name":"#`)
	w.int(int64(o.store+1)*1_000_000 + o.number)
	w.raw(`","number":`)
	w.int(o.number)
	w.raw(`,"order_number":`)
	w.int(int64(o.store+1)*1_000_000 + o.number)
	w.raw(`,"source_name":"pos","test":`)
	w.bool(o.test)
	w.raw(`,"token":"`)
	w.token(mix(o.order, 4), 32)
	w.raw(`","user_id":`)
	w.int(99_000_000 + int64(o.order>>8%20))
	w.raw(`,"taxes_included":false`)
	g.shopifyMoney(w, "subtotal_price", o.sum.net)
	g.shopifyMoney(w, "total_line_items_price", o.sum.subtotal)
	g.shopifyMoney(w, "total_discounts", o.sum.discount)
	g.shopifyMoney(w, "total_tax", o.sum.tax)
	g.shopifyMoney(w, "total_price", o.sum.gross)
	w.raw(`,"payment_gateway_names":[`)
	w.raw([...]string{tenderCash: `"cash"`, tenderCard: `"shopify_payments"`, tenderGift: `"gift_card"`, tenderVoucher: `"manual"`}[o.tender])
	w.raw(`],"discount_codes":[`)
	if o.coupon {
		w.raw(`{"code":"SAVE10","amount":`)
		w.quotedCents(o.sum.discount)
		w.raw(`,"type":"percentage"}`)
	}
	w.raw(`]`)
	g.shopifyCustomer(w, o, p)
	w.raw(`,"line_items":[`)
	for i := range o.lines {
		if i > 0 {
			w.raw(`,`)
		}
		g.shopifyLine(w, o, i)
	}
	w.raw(`],"shipping_lines":[],"fulfillments":[],"refunds":[]}`)
}

func (g *Generator) shopifyMoney(w *writer, name string, cents int64) {
	w.raw(`,"`)
	w.raw(name)
	w.raw(`":`)
	w.quotedCents(cents)
}

// shopifyCustomer writes the customer three times, as Shopify does: e-mail, telephone and object.
func (g *Generator) shopifyCustomer(w *writer, o *sale, p *person) {
	if !o.has(slotPosShopify) {
		w.raw(`,"email":"","phone":null,"contact_email":null,"customer":null`)
		return
	}
	w.raw(`,"email":"`)
	w.b = o.appendEmail(g, p, w.b)
	w.raw(`","contact_email":"`)
	w.b = o.appendEmail(g, p, w.b)
	w.raw(`","phone":`)
	g.shopifyPhone(w, o, p)
	w.raw(`,"customer":{"id":`)
	w.b = p.append(w.b, slotPosShopify)
	w.raw(`,"email":"`)
	w.b = o.appendEmail(g, p, w.b)
	w.raw(`","first_name":"Customer","last_name":"`)
	w.int(int64(p.index))
	w.raw(`","phone":`)
	g.shopifyPhone(w, o, p)
	w.raw(`,"state":"disabled","verified_email":true,"tags":"","currency":"`)
	w.raw(g.cfg.Currency)
	w.raw(`"}`)
}

func (g *Generator) shopifyPhone(w *writer, o *sale, p *person) {
	if !o.hasPhone() {
		w.raw(`null`)
		return
	}
	w.raw(`"`)
	if o.filler == fillerPhone {
		w.b = g.appendFiller(w.b, fillerPhone, o.store, o.order)
	} else {
		w.b = p.appendPhone(w.b)
	}
	w.raw(`"`)
}

func (g *Generator) shopifyLine(w *writer, o *sale, i int) {
	l := o.lines[i]
	product := &g.catalog[l.product]
	w.raw(`{"id":`)
	w.int(shopifyLineID(o, i))
	w.raw(`,"product_id":`)
	w.int(7_100_000_000_000 + int64(l.product))
	w.raw(`,"variant_id":`)
	w.int(41_000_000_000_000 + int64(l.product))
	w.raw(`,"sku":"`)
	w.raw(product.sku)
	w.raw(`","title":`)
	w.str(product.name)
	w.raw(`,"name":`)
	w.str(product.name)
	w.raw(`,"vendor":`)
	w.str(product.brand)
	w.raw(`,"quantity":`)
	w.int(int64(l.quantity))
	w.raw(`,"price":`)
	w.quotedCents(product.price)
	w.raw(`,"total_discount":"0.00","gift_card":false,"taxable":true,"requires_shipping":false,"fulfillment_status":"fulfilled","properties":[],"discount_allocations":[`)
	if l.discount > 0 {
		w.raw(`{"amount":`)
		w.quotedCents(int64(l.discount))
		w.raw(`,"discount_application_index":0}`)
	}
	w.raw(`],"tax_lines":[{"title":"Sales Tax","rate":0.08,"price":`)
	w.quotedCents(g.lineTax(l))
	w.raw(`}]}`)
}

// writeShopifyRefund writes the webhook about a refund. It names the order and no customer.
func (g *Generator) writeShopifyRefund(o *sale, at int64) {
	w := &g.w
	w.b = w.b[:0]
	w.raw(`{"id":`)
	w.b = o.appendID(w.b, kindShopifyRefund)
	w.raw(`,"admin_graphql_api_id":"gid:\/\/shopify\/Refund\/`)
	w.b = o.appendID(w.b, kindShopifyRefund)
	w.raw(`","order_id":`)
	w.b = o.appendID(w.b, kindShopifyOrder)
	zoned(w, "created_at", at)
	zoned(w, "processed_at", at)
	w.raw(`,"note":"returned at the till","restock":true,"user_id":`)
	w.int(99_000_000 + int64(o.order>>8%20))
	w.raw(`,"order_adjustments":[],"duties":[],"refund_line_items":[`)
	for i, l := range o.lines {
		if i > 0 {
			w.raw(`,`)
		}
		w.raw(`{"id":`)
		w.int(600_000_000_000 + shopifyLineID(o, i)%1e10)
		w.raw(`,"line_item_id":`)
		w.int(shopifyLineID(o, i))
		w.raw(`,"location_id":`)
		w.int(shopifyLocation(o.store))
		w.raw(`,"restock_type":"return","quantity":`)
		w.int(int64(l.quantity))
		w.raw(`,"subtotal":`)
		w.cents(g.lineNet(l))
		w.raw(`,"total_tax":`)
		w.cents(g.lineTax(l))
		w.raw(`,"line_item":`)
		g.shopifyLine(w, o, i)
		w.raw(`}`)
	}
	w.raw(`],"transactions":[{"id":`)
	w.int(700_000_000_000 + int64(mix(o.order, 5)%1e10))
	w.raw(`,"order_id":`)
	w.b = o.appendID(w.b, kindShopifyOrder)
	w.raw(`,"kind":"refund","status":"success","gateway":"shopify_payments","test":false,"amount":`)
	w.quotedCents(o.sum.gross)
	w.raw(`,"currency":"`)
	w.raw(g.cfg.Currency)
	w.raw(`"`)
	zoned(w, "processed_at", at)
	w.raw(`}]}`)
}
