package clickhouse

import (
	"encoding/binary"

	"github.com/seamline/seamline/schemas"
)

// profileTable is the table profiles.
type profileTable struct {
	block
	id                                                                               uuids
	index, userIDs, loyaltyIDs, emails, phones, cards, devices, anonymous, names     fixed[uint32]
	firstSeen, lastSeen, stageSince, sessionStart, checkoutAt, firstOrder, lastOrder fixed[int64]
	cartUpdated, lastOpen, lastClick                                                 fixed[int64]
	events, views, searches, session                                                 fixed[uint64]
	channels                                                                         channelMaps
	stage, stageReason, currency, country                                            words
	sessions, purchaseDays                                                           fixed[uint32]
	orders, refunds, storeOrders, onlineOrders                                       fixed[int64]
	revenue, cartQuantity, cartValue                                                 fixed[int64]
	otherCurrency                                                                    fixed[bool]
	sku                                                                              texts
	skus                                                                             array
	sent, delivered, opens, machineOpens, clicks, machineClicks                      fixed[uint64]
	bounces, unsubscribes, complaints                                                fixed[uint64]
	state                                                                            texts
	shard                                                                            fixed[uint16]
	version                                                                          fixed[uint64]
	deleted                                                                          fixed[uint8]
	scores                                                                           scoreColumns
}

func newProfileTable(database string) *profileTable {
	t := &profileTable{
		id: ids(), index: uint32s(), userIDs: uint32s(), loyaltyIDs: uint32s(), emails: uint32s(), phones: uint32s(), cards: uint32s(),
		devices: uint32s(), anonymous: uint32s(), names: uint32s(), firstSeen: times(), lastSeen: times(), stageSince: times(),
		sessionStart: times(), checkoutAt: times(), firstOrder: times(), lastOrder: times(), cartUpdated: times(), lastOpen: times(),
		lastClick: times(), events: uint64s(), views: uint64s(), searches: uint64s(), session: uint64s(), sessions: uint32s(),
		purchaseDays: uint32s(), orders: int64s(), refunds: int64s(), storeOrders: int64s(), onlineOrders: int64s(), revenue: decimals(),
		cartQuantity: decimals(), cartValue: decimals(), otherCurrency: bools(), sent: uint64s(), delivered: uint64s(), opens: uint64s(),
		machineOpens: uint64s(), clicks: uint64s(), machineClicks: uint64s(), bounces: uint64s(), unsubscribes: uint64s(),
		complaints: uint64s(), shard: uint16s(), version: uint64s(), deleted: uint8s(),
	}
	t.skus.items = &t.sku
	columns := []named{
		{"profile_id", &t.id}, {"profile_index", &t.index}, {"user_ids", &t.userIDs}, {"loyalty_ids", &t.loyaltyIDs}, {"emails", &t.emails},
		{"phones", &t.phones}, {"cards", &t.cards}, {"devices", &t.devices}, {"anonymous_ids", &t.anonymous}, {"identifiers", &t.names},
		{"first_seen", &t.firstSeen}, {"last_seen", &t.lastSeen}, {"events", &t.events}, {"stage", &t.stage},
		{"stage_since", &t.stageSince}, {"stage_reason", &t.stageReason}, {"sessions", &t.sessions}, {"product_views", &t.views}, {"searches", &t.searches},
		{"last_session_id", &t.session}, {"last_session_start", &t.sessionStart}, {"checkout_at", &t.checkoutAt}, {"orders", &t.orders},
		{"refunds", &t.refunds}, {"purchase_days", &t.purchaseDays}, {"revenue", &t.revenue}, {"currency", &t.currency},
		{"other_currency", &t.otherCurrency}, {"first_order", &t.firstOrder}, {"last_order", &t.lastOrder},
		{"store_orders", &t.storeOrders}, {"online_orders", &t.onlineOrders}, {"cart_skus", &t.skus},
		{"cart_quantity", &t.cartQuantity}, {"cart_value", &t.cartValue}, {"cart_updated", &t.cartUpdated}, {"email_sent", &t.sent},
		{"email_delivered", &t.delivered}, {"email_opens", &t.opens}, {"email_machine_opens", &t.machineOpens},
		{"email_clicks", &t.clicks}, {"email_machine_clicks", &t.machineClicks}, {"email_bounces", &t.bounces},
		{"email_unsubscribes", &t.unsubscribes}, {"email_complaints", &t.complaints}, {"last_open", &t.lastOpen},
		{"last_click", &t.lastClick}, {"state", &t.state}, {"shard", &t.shard}, {"version", &t.version}, {"deleted", &t.deleted}, {"country", &t.country},
	}
	t.block = newBlock(database, "profiles", append(append(columns, t.channels.init()...), t.scores.init()...)...)
	return t
}

func (t *profileTable) fill(b *schemas.Batch) []*block {
	t.reset()
	t.reserve(len(b.Profiles))
	for i := range b.Profiles {
		p := &b.Profiles[i]
		t.addPerson(p)
		t.addTrade(p)
		t.addEmail(&p.Email)
		t.channels.add(p)
		t.scores.add(p.Scores)
		t.keyed.add(printID(p.ID))
	}
	return t.filled()
}

func (t *profileTable) addPerson(p *schemas.Profile) {
	t.id.addID(p.ID)
	t.index.add(p.Index)
	t.userIDs.add(p.UserIDs)
	t.loyaltyIDs.add(p.LoyaltyIDs)
	t.emails.add(p.Emails)
	t.phones.add(p.Phones)
	t.cards.add(p.Cards)
	t.devices.add(p.Devices)
	t.anonymous.add(p.Anonymous)
	t.names.add(p.Identifiers)
	t.firstSeen.add(int64(p.FirstSeen))
	t.lastSeen.add(int64(p.LastSeen))
	t.events.add(p.Events)
	t.stageSince.add(int64(p.StageSince))
	t.stageReason.add(p.StageReason)
	t.country.add(p.Country)
	t.sessions.add(p.Sessions)
	t.views.add(p.ProductViews)
	t.searches.add(p.Searches)
	t.session.add(p.LastSessionID)
	t.sessionStart.add(int64(p.LastSessionStart))
	t.checkoutAt.add(int64(p.CheckoutAt))
	t.state.addBytes(p.State)
	t.shard.add(shard(p.ID))
	t.version.add(p.Version)
	if p.Merged {
		t.stage.add("")
		t.deleted.add(1)
	} else {
		t.stage.add(p.Stage.String())
		t.deleted.add(0)
	}
}

func (t *profileTable) addTrade(p *schemas.Profile) {
	t.orders.add(p.Orders)
	t.refunds.add(p.Refunds)
	t.purchaseDays.add(p.PurchaseDays)
	t.revenue.add(int64(p.Revenue))
	t.currency.add(p.Currency)
	t.otherCurrency.add(p.OtherCurrency)
	t.firstOrder.add(int64(p.FirstOrder))
	t.lastOrder.add(int64(p.LastOrder))
	t.storeOrders.add(p.StoreOrders)
	t.onlineOrders.add(p.OnlineOrders)
	for _, sku := range p.CartSKUs {
		t.sku.add(sku)
	}
	t.skus.end()
	t.cartQuantity.add(int64(p.CartQuantity))
	t.cartValue.add(int64(p.CartValue))
	t.cartUpdated.add(int64(p.CartUpdated))
}

func (t *profileTable) addEmail(e *schemas.EmailTotals) {
	t.sent.add(e.Sent)
	t.delivered.add(e.Delivered)
	t.opens.add(e.Opens)
	t.machineOpens.add(e.MachineOpens)
	t.clicks.add(e.Clicks)
	t.machineClicks.add(e.MachineClicks)
	t.bounces.add(e.Bounces)
	t.unsubscribes.add(e.Unsubscribes)
	t.complaints.add(e.Complaints)
	t.lastOpen.add(int64(e.LastOpen))
	t.lastClick.add(int64(e.LastClick))
}

// shardCount is how many shards profiles spread over.
const shardCount = 1024

// shard is a stable function of the id.
func shard(id schemas.ProfileID) uint16 { return binary.BigEndian.Uint16(id[:2]) % shardCount }

// channelMaps are the maps by channel of profiles.
type channelMaps struct {
	events, firstSeen, lastSeen, orders, revenue channelMap
	counts                                       fixed[uint64]
	first, last, sales, money                    fixed[int64]
}

// channelMap is a map by channel; its values are a column of channelMaps.
type channelMap struct {
	dictionary
	channel names
}

func (m *channelMap) init(values column) *channelMap {
	m.channel = newNames(schemas.ChannelNames())
	m.keys, m.values = &m.channel, values
	return m
}

func (m *channelMaps) init() []named {
	m.counts, m.first, m.last, m.sales, m.money = uint64s(), times(), times(), int64s(), decimals()
	return []named{
		{"channel_events", m.events.init(&m.counts)}, {"channel_first_seen", m.firstSeen.init(&m.first)},
		{"channel_last_seen", m.lastSeen.init(&m.last)}, {"channel_orders", m.orders.init(&m.sales)},
		{"channel_revenue", m.revenue.init(&m.money)},
	}
}

// add writes only channels with something.
func (m *channelMaps) add(p *schemas.Profile) {
	for i := range p.Channels {
		c, key := &p.Channels[i], uint8(i)
		if *c == (schemas.ChannelTotals{}) {
			continue
		}
		if c.Events != 0 {
			m.events.channel.add(key)
			m.counts.add(c.Events)
		}
		if c.FirstSeen != 0 {
			m.firstSeen.channel.add(key)
			m.first.add(int64(c.FirstSeen))
		}
		if c.LastSeen != 0 {
			m.lastSeen.channel.add(key)
			m.last.add(int64(c.LastSeen))
		}
		if c.Orders != 0 {
			m.orders.channel.add(key)
			m.sales.add(c.Orders)
		}
		if c.Revenue != 0 {
			m.revenue.channel.add(key)
			m.money.add(int64(c.Revenue))
		}
	}
	for _, d := range []*channelMap{&m.events, &m.firstSeen, &m.lastSeen, &m.orders, &m.revenue} {
		d.end()
	}
}
