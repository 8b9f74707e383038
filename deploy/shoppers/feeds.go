package shoppers

import "time"

// Topics of what is sent where Config.Feeds says so.
const (
	TopicCatalog = "catalog"
	TopicConsent = "consent"
	TopicSurvey  = "survey"
)

// Times of the feeds, in milliseconds.
const (
	catalogPause = 86_400_000 // between two sendings of the whole catalog
	consentPause = 10 * 86_400_000
	surveyPause  = 5 * 86_400_000
	surveyAfter  = 7 * 86_400_000 // the longest time that a purchase is asked about
)

// feedOrder begins the numbers of tasks and records of the feeds. Numbers are part of other tasks' randomness, so the feeds count their own:
// what is sent to the other topics is the same with and without them.
const feedOrder = 1 << 62

// beginFeeds plans the first catalog and everybody's first answers.
func (g *Generator) beginFeeds() {
	if !g.cfg.Feeds {
		return
	}
	g.addApart(task{at: g.start, who: -1, kind: taskCatalog})
	for i := range g.shoppers {
		r := rng{mix(g.cfg.Seed, 1<<43+uint64(i))}
		g.addApart(task{at: g.start + int64(r.exponential(consentPause/3)), who: int32(i), kind: taskConsent})
		g.addApart(task{at: g.start + int64(r.exponential(surveyPause)), who: int32(i), kind: taskSurvey})
	}
}

// addApart queues a task of the feeds.
func (g *Generator) addApart(t task) {
	g.feedTasks++
	t.order = feedOrder + g.feedTasks
	g.tasks.push(t)
}

// runFeed does what a task of the feeds says, and plans the next one of its kind.
func (g *Generator) runFeed(t task) {
	r := rng{mix(mix(g.cfg.Seed, 1<<44+t.order), uint64(t.at))}
	switch t.kind {
	case taskCatalog:
		g.sendCatalog(t.at, t.ref)
		t.at, t.ref = t.at+catalogPause, t.ref+1
	case taskConsent:
		g.sendConsent(int(t.who), t.at, &r)
		t.at += 1 + int64(r.exponential(consentPause))
	case taskSurvey:
		g.sendAnswer(int(t.who), t.at, &r)
		t.at += 1 + int64(r.exponential(surveyPause))
	}
	g.addApart(t)
}

// postApart queues the record in the scratch writer as it stands. Feeds are tidy: their records are neither late nor sent twice.
func (g *Generator) postApart(topic string, at int64) {
	record := Record{Topic: topic, Time: time.UnixMilli(at).UTC(), Value: g.carve(g.w.b, false, false)}
	g.feedRecords++
	g.outbox.push(task{at: at, order: feedOrder + g.feedRecords, ref: g.records.put(record), kind: taskSend})
}

// sendCatalog sends all products, and the stock of every store. Prices stay what shoppers pay; the forms take turns day by day.
func (g *Generator) sendCatalog(at int64, day uint64) {
	if day%2 == 0 {
		g.sendItemTable(at, day)
	} else {
		g.sendItems(at, day)
	}
	for store := range g.cfg.Stores {
		if posOf(store) == posSquare {
			g.sendCounts(at, store, day)
		} else {
			g.sendStock(at, store, day)
		}
	}
}

// Stock is made up anew every day.
const (
	webStore     = -1
	stockMax     = 40
	soldOutShare = 0.08
)

// stock gives how many pieces of a product a store has on a day.
func (g *Generator) stock(store int, product, day uint64) int64 {
	r := rng{mix(mix(g.cfg.Seed, 1<<45+uint64(store+1)), day*catalogSize+product)}
	if r.chance(soldOutShare) {
		return 0
	}
	return 1 + int64(r.below(stockMax))
}

func availability(pieces int64) string {
	if pieces == 0 {
		return "out_of_stock"
	}
	return "in_stock"
}

// sendItemTable sends the products as a Merchant feed with tabs.
func (g *Generator) sendItemTable(at int64, day uint64) {
	w := &g.w
	w.b = append(w.b[:0], "id\ttitle\tlink\tavailability\tprice\tbrand\tgtin\tproduct_type\tcost_of_goods_sold\tquantity\n"...)
	for i := range g.catalog {
		p, pieces := &g.catalog[i], g.stock(webStore, uint64(i), day)
		for _, cell := range [...]string{p.sku, p.name, "https://shop.example.com" + p.path, availability(pieces)} {
			w.raw(cell)
			w.raw("\t")
		}
		g.money(p.price)
		for _, cell := range [...]string{p.brand, p.gtin, p.category} {
			w.raw("\t")
			w.raw(cell)
		}
		w.raw("\t")
		g.money(p.cost)
		w.raw("\t")
		w.int(pieces)
		w.raw("\n")
	}
	g.postApart(TopicCatalog, at)
}

// money writes an amount with its currency.
func (g *Generator) money(cents int64) {
	g.w.cents(cents)
	g.w.raw(" ")
	g.w.raw(g.cfg.Currency)
}

// itemsPerRecord is how many products of the Content API stand in a record.
const itemsPerRecord = 100

// sendItems sends the products as the Content API writes them.
func (g *Generator) sendItems(at int64, day uint64) {
	w := &g.w
	for first := 0; first < len(g.catalog); first += itemsPerRecord {
		w.b = append(w.b[:0], `{"items":[`...)
		for i := first; i < min(first+itemsPerRecord, len(g.catalog)); i++ {
			if i > first {
				w.raw(`,`)
			}
			g.item(uint64(i), g.stock(webStore, uint64(i), day))
		}
		w.raw(`]}`)
		g.postApart(TopicCatalog, at)
	}
}

// item writes a product as an object.
func (g *Generator) item(product uint64, pieces int64) {
	p, w := &g.catalog[product], &g.w
	w.raw(`{"offerId":"`)
	w.raw(p.sku)
	w.raw(`","title":`)
	w.str(p.name)
	w.raw(`,"link":"https://shop.example.com`)
	w.raw(p.path)
	w.raw(`","availability":"`)
	w.raw(availability(pieces))
	w.raw(`","brand":`)
	w.str(p.brand)
	w.raw(`,"gtin":"`)
	w.raw(p.gtin)
	w.raw(`","productTypes":[`)
	w.str(p.category)
	w.raw(`],"price":`)
	g.moneyObject(p.price)
	w.raw(`,"costOfGoodsSold":`)
	g.moneyObject(p.cost)
	w.raw(`,"quantity":`)
	w.int(pieces)
	w.raw(`}`)
}

func (g *Generator) moneyObject(cents int64) {
	w := &g.w
	w.raw(`{"value":`)
	w.quotedCents(cents)
	w.raw(`,"currency":"`)
	w.raw(g.cfg.Currency)
	w.raw(`"}`)
}

// sendStock sends the stock of a store as a local inventory feed.
func (g *Generator) sendStock(at int64, store int, day uint64) {
	w := &g.w
	w.b = append(w.b[:0], "store_code\tid\tquantity\tavailability\n"...)
	for i := range g.catalog {
		pieces := g.stock(store, uint64(i), day)
		w.b = appendStore(w.b, store)
		w.raw("\t")
		w.raw(g.catalog[i].sku)
		w.raw("\t")
		w.int(pieces)
		w.raw("\t")
		w.raw(availability(pieces))
		w.raw("\n")
	}
	g.postApart(TopicCatalog, at)
}

// sendCounts sends the stock of a store with tills of Square as its webhook.
func (g *Generator) sendCounts(at int64, store int, day uint64) {
	w := &g.w
	w.b = append(w.b[:0], `{"merchant_id":"MSHOP0001","type":"inventory.count.updated","event_id":"`...)
	w.uuid(mix(mix(g.cfg.Seed, 1<<46+uint64(store)), day))
	w.raw(`","created_at":`)
	w.iso(at)
	w.raw(`,"data":{"type":"inventory_counts","object":{"inventory_counts":[`)
	for i := range g.catalog {
		if i > 0 {
			w.raw(`,`)
		}
		w.raw(`{"catalog_object_id":"`)
		w.raw(g.catalog[i].sku)
		w.raw(`","catalog_object_type":"ITEM_VARIATION","state":"IN_STOCK","location_id":"`)
		w.b = appendStore(w.b, store)
		w.raw(`","quantity":"`)
		w.int(g.stock(store, uint64(i), day))
		w.raw(`","calculated_at":`)
		w.iso(at)
		w.raw(`}`)
	}
	w.raw(`]}}}`)
	g.postApart(TopicCatalog, at)
}
