package shoppers

// tender is how a receipt is paid.
type tender uint8

const (
	tenderCash tender = iota
	tenderCard
	tenderGift
	tenderVoucher
)

// sale is a completed purchase, on the web or in a store, as long as something may follow from it.
type sale struct {
	order   uint64 // seed of its ids
	lines   []line
	sum     amounts
	at      int64
	channel channel
	coupon  bool
	store   int     // of the till or of the pick-up, -1 when there is none
	set     slotSet // identifiers on it

	device  int  // web: from which it was ordered
	account bool // web: whether by an account

	number  int64 // store: of the receipt in its store
	tender  tender
	card    slot // store: which card paid
	email   slot // store: which address was given
	looseID uint64
	test    bool // training mode
	filler  filler
}

func (o *sale) has(s slot) bool { return o.set&(1<<s) != 0 }

const (
	homeStoreChance = 0.8
	trainingChance  = 0.005
	returnChance    = 0.06
	voidChance      = 0.01
	storeCoupon     = 0.1
	basketMax       = 4
)

// runVisit simulates a purchase in a store.
func (g *Generator) runVisit(p *person, s *shopper, at int64, r rng) {
	store := p.homeStore
	if !r.chance(homeStoreChance) {
		store = r.below(g.cfg.Stores)
	}
	g.receipts[store]++
	o := sale{order: r.next(), at: at, channel: channelStore, store: store, number: g.receipts[store], looseID: r.next()}
	o.coupon = r.chance(storeCoupon) && posOf(store) != posLightspeed
	g.showIdentity(&o, p, s, &r)
	o.test = r.chance(trainingChance) && (posOf(store) == posSeamline || posOf(store) == posShopify)
	g.fillBasket(&o, s, &r)
	if o.test {
		g.book.training++
	} else {
		g.spent(p, channelStore, o.sum, o.set.core())
	}
	g.receipt(&o, p, &r)
	if o.test {
		return
	}
	if o.set != 0 {
		s.lastPurchase = at
	}
	switch {
	case r.chance(returnChance):
		g.follow(taskReturn, p, &o, at+r.between(86_400_000, 10*86_400_000))
	case posOf(store) == posSeamline && r.chance(voidChance):
		g.follow(taskVoid, p, &o, at+r.between(2*60_000, 20*60_000))
	}
}

// showIdentity decides what the person shows at the till and how they pay.
func (g *Generator) showIdentity(o *sale, p *person, s *shopper, r *rng) {
	o.email = slotEmail
	if p.second && r.chance(0.5) {
		o.email = slotEmailSecond
	}
	phone := r.chance(0.4)
	switch pos := posOf(o.store); {
	case pos == posSeamline && p.loyal && r.chance(0.75):
		o.set = setOf(slotLoyalty)
		if r.chance(0.25) {
			o.set |= setOf(o.email)
		}
		if phone {
			o.set |= setOf(slotPhone)
		}
		if s.signedUp && r.chance(0.1) {
			o.set |= setOf(slotUser)
		}
	case pos == posSeamline && r.chance(0.15):
		o.set = setOf(o.email)
	case pos == posSquare && (p.loyal || s.known) && r.chance(0.5):
		o.set = setOf(slotPosSquare)
	case (pos == posShopify || pos == posLightspeed) && (p.loyal || s.known) && r.chance(0.5):
		o.set = setOf(o.email, slotPosShopify)
		if pos == posLightspeed {
			o.set = setOf(o.email, slotPosLight)
		}
		if phone {
			o.set |= setOf(slotPhone)
		}
	}
	g.fillReceipt(o)
	if o.has(slotEmail) {
		s.known = true
	}
	pay := r.float()
	switch {
	case pay < 0.3:
		o.tender = tenderCash
	case pay < 0.9:
		o.tender, o.card = tenderCard, slotCard+slot(r.below(p.cards))
		if pos := posOf(o.store); pos == posSquare || pos == posSeamline && r.chance(0.9) {
			o.set |= setOf(o.card)
		}
	case pay < 0.95:
		o.tender = tenderGift
	default:
		o.tender = tenderVoucher
	}
}

// fillBasket takes things from the shelf. A person who can be recognised also buys what lies in their cart on the web.
func (g *Generator) fillBasket(o *sale, s *shopper, r *rng) {
	percent := int64(0)
	if o.coupon {
		percent = couponPercent
	}
	add := func(product int, quantity uint8) {
		price := g.catalog[product].price * int64(quantity)
		o.lines = append(o.lines, line{uint16(product), quantity, int32(price * percent / 100)})
	}
	if c := s.cartBehind(o.set); c != nil && !o.test {
		for _, l := range c.lines[:c.n] {
			add(int(l.product), l.quantity)
		}
		*c = cart{}
	}
	for range 1 + r.below(basketMax) {
		add(pick(r, -1), uint8(1+r.below(6)/5))
	}
	o.sum = g.sum(o.lines, 0)
}

// cartBehind returns the open cart that records tie to one of the identifiers, if there is one.
func (s *shopper) cartBehind(set slotSet) *cart {
	for i := range s.carts {
		if s.carts[i].n == 0 {
			continue
		}
		owner := s.root(s.owner(i))
		for one := slot(0); one < slotPosShopify; one++ {
			if set&s.seen&(1<<one) != 0 && s.root(one) == owner {
				return &s.carts[i]
			}
		}
	}
	return nil
}

// follow keeps a sale until something happens to it.
func (g *Generator) follow(kind taskKind, p *person, o *sale, at int64) {
	g.add(task{at: at, who: int32(p.index), kind: kind, ref: g.sales.put(*o)})
}

// runSale does what follows from a sale: a return, a void, or picking up a web order.
func (g *Generator) runSale(p *person, s *shopper, t task, r rng) {
	o := g.sales.take(t.ref)
	switch {
	case o.channel != channelStore:
		g.serverEvent(p, s, &o, t, r)
	case t.kind == taskVoid:
		g.spent(p, channelStore, o.sum.negated(), o.set.core())
		g.writeReceipt(receiptVoid, &o, p, t.at)
		g.finishReceipt(&o, p, kindReceiptVoid, t.at, &r)
	default:
		back := o
		if n := 1 + r.below(len(o.lines)); n < len(o.lines) {
			back.lines = o.lines[:n]
			back.sum = g.sum(back.lines, 0)
		}
		g.giveBack(&o, &back, p, t.at, &r)
	}
}

// giveBack writes the return of some lines of a sale. Only some formats say whose it is.
func (g *Generator) giveBack(o, back *sale, p *person, at int64, r *rng) {
	k := kindReceiptRefund
	switch posOf(o.store) {
	case posSeamline:
		g.writeReceipt(receiptRefund, back, p, at)
	case posSquare:
		k = kindSquareReturn
		g.writeSquareReturn(back, p, at)
	case posShopify:
		k = kindShopifyRefund
		back.set = 0
		g.writeShopifyRefund(back, at)
	case posLightspeed:
		k = kindLightspeedReturn
		g.writeLightspeed(back, p, at, true)
	}
	g.spent(p, channelStore, back.sum.negated(), back.set.core())
	g.finishReceipt(back, p, k, at, r)
}

// receipt writes a sale in the format of its store.
func (g *Generator) receipt(o *sale, p *person, r *rng) {
	k := kindReceipt
	switch posOf(o.store) {
	case posSeamline:
		g.writeReceipt(receiptSale, o, p, o.at)
	case posSquare:
		k = kindSquareSale
		g.writeSquareSale(o, p)
	case posShopify:
		k = kindShopifyOrder
		g.writeShopifyOrder(o, p)
	case posLightspeed:
		k = kindLightspeedSale
		g.writeLightspeed(o, p, o.at, false)
	}
	g.finishReceipt(o, p, k, o.at, r)
}

// finishReceipt books the receipt in the scratch writer and sends it.
func (g *Generator) finishReceipt(o *sale, p *person, k kind, at int64, r *rng) {
	var store, id [40]byte
	post := parcel{topic: TopicPOS, key: appendStore(store[:0], o.store), at: at + r.between(500, 8000)}
	if !o.test {
		post.events = 1
		g.happened(k, hashString(o.appendID(id[:0], k)), p, o.set)
		if o.filler != fillerNone && k != kindShopifyRefund {
			g.book.fillers++
		}
	}
	switch k {
	case kindShopifyOrder:
		post.headers = shopifyHeaders("orders/create", o.order)
	case kindShopifyRefund:
		post.headers = shopifyHeaders("refunds/create", o.order)
	}
	g.post(post, r)
}

// serverEvent lets the shop's back end report the return or the pick-up of a web order.
func (g *Generator) serverEvent(p *person, s *shopper, o *sale, t task, r rng) {
	e := g.begin(visitPlan{p: p, s: s, at: t.at}, placeServer, o.device, r)
	e.shape, e.groupMax, e.rudder, e.plain = shapeSingle, 1, false, true
	if o.account {
		e.account, e.user, e.set = true, p.append(e.user, slotUser), setOf(slotUser)
	} else {
		for i := slotAnonymous; i < slotPosShopify; i++ {
			if o.has(i) {
				e.anonymous, e.set = p.append(e.anonymous, i), setOf(i)
			}
		}
	}
	if t.kind == taskReturn {
		g.spent(p, o.channel, o.sum.negated(), true)
		e.orderEvent(kindOrderRefunded, "Order Refunded", o)
		return
	}
	w := e.open(kindPickedUp, "track", "Order Picked Up")
	e.properties(w)
	w.raw(`"order_id":"`)
	w.b = appendOrder(w.b, o.order)
	w.raw(`","store_id":"`)
	w.b = appendStore(w.b, o.store)
	w.raw(`"`)
	e.close(`}}`)
}
