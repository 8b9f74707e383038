package audience

import (
	"maps"
	"slices"

	"github.com/seamline/seamline/schemas"
)

// environment is what a rule sees of a profile. The tags are the names that rules use.
type environment struct {
	Stage         string       `expr:"stage"`
	StageSince    schemas.Time `expr:"stage_since"`
	FirstSeen     schemas.Time `expr:"first_seen"`
	LastSeen      schemas.Time `expr:"last_seen"`
	Events        int          `expr:"events"`
	Sessions      int          `expr:"sessions"`
	ProductViews  int          `expr:"product_views"`
	Searches      int          `expr:"searches"`
	Orders        int          `expr:"orders"`
	StoreOrders   int          `expr:"store_orders"`
	OnlineOrders  int          `expr:"online_orders"`
	Refunds       int          `expr:"refunds"`
	PurchaseDays  int          `expr:"purchase_days"`
	Revenue       float64      `expr:"revenue"`
	Currency      string       `expr:"currency"`
	FirstOrder    schemas.Time `expr:"first_order"`
	LastOrder     schemas.Time `expr:"last_order"`
	CartSKUs      []string     `expr:"cart_skus"`
	CartQuantity  float64      `expr:"cart_quantity"`
	CartValue     float64      `expr:"cart_value"`
	CartUpdated   schemas.Time `expr:"cart_updated"`
	CheckoutAt    schemas.Time `expr:"checkout_at"`
	UserIDs       int          `expr:"user_ids"`
	LoyaltyIDs    int          `expr:"loyalty_ids"`
	Emails        int          `expr:"emails"`
	Phones        int          `expr:"phones"`
	Cards         int          `expr:"cards"`
	Devices       int          `expr:"devices"`
	Anonymous     int          `expr:"anonymous_ids"`
	EmailsSent    int          `expr:"emails_sent"`
	EmailOpens    int          `expr:"email_opens"`
	EmailClicks   int          `expr:"email_clicks"`
	EmailBounces  int          `expr:"email_bounces"`
	Unsubscribes  int          `expr:"unsubscribes"`
	Complaints    int          `expr:"complaints"`
	LastOpen      schemas.Time `expr:"last_open"`
	LastClick     schemas.Time `expr:"last_click"`
	WebEvents     int          `expr:"web_events"`
	AppEvents     int          `expr:"app_events"`
	StoreEvents   int          `expr:"store_events"`
	WebLastSeen   schemas.Time `expr:"web_last_seen"`
	AppLastSeen   schemas.Time `expr:"app_last_seen"`
	StoreLastSeen schemas.Time `expr:"store_last_seen"`

	functions
}

// functions are what rules may call.
type functions struct {
	// Idle tells whether a time lies at least a span back. It is false for a time that never was.
	Idle func(at schemas.Time, span int) bool `expr:"idle"`
	// Within tells whether a time lies less than a span back.
	Within func(at schemas.Time, span int) bool `expr:"within"`

	// What the windows of a rule, by their number in it, hold at the instant; see window. Rules write them as calls of count and the like.
	Count    func(window int) int          `expr:"window_count"`
	AtLeast  func(window, count int) bool  `expr:"window_at_least"`
	Sum      func(window int) float64      `expr:"window_sum"`
	First    func(window int) schemas.Time `expr:"window_first"`
	Last     func(window int) schemas.Time `expr:"window_last"`
	Sequence func(window int) bool         `expr:"window_sequence"`
	// Member tells whether the profile is in another audience of those that a rule names.
	Member func(other int) bool `expr:"window_member"`
}

// fieldNames lists the names that rules may use, sorted.
func fieldNames() []string { return slices.Sorted(maps.Keys(fields)) }

// evaluator runs rules over one profile at one instant, and notes when time alone could change an answer.
type evaluator struct {
	env  environment
	now  schemas.Time
	next schemas.Time // the earliest instant after now at which an answer may change; 0 for never
}

func newEvaluator() *evaluator {
	e := &evaluator{}
	e.env.Idle = func(at schemas.Time, span int) bool { return e.idle(at, schemas.Time(span)) }
	e.env.Within = func(at schemas.Time, span int) bool { return e.within(at, schemas.Time(span)) }
	return e
}

func (e *evaluator) idle(at, span schemas.Time) bool { return at != 0 && !e.before(at+span) }

func (e *evaluator) within(at, span schemas.Time) bool { return at != 0 && e.before(at+span) }

// before tells whether edge is still to come, and notes it then: a rule's answer can change by time only at an edge that it
// looked at.
func (e *evaluator) before(edge schemas.Time) bool {
	if e.now >= edge {
		return false
	}
	if e.next == 0 || edge < e.next {
		e.next = edge
	}
	return true
}

// look sets the profile that rules are run over.
func (e *evaluator) look(p *schemas.Profile) {
	calls := e.env.functions
	web, app, store := &p.Channels[schemas.ChannelWeb], &p.Channels[schemas.ChannelApp], &p.Channels[schemas.ChannelStore]
	e.env = environment{
		Stage: p.Stage.String(), StageSince: p.StageSince, FirstSeen: p.FirstSeen, LastSeen: p.LastSeen, Events: int(p.Events),
		Sessions: int(p.Sessions), ProductViews: int(p.ProductViews), Searches: int(p.Searches), Orders: int(p.Orders),
		StoreOrders: int(p.StoreOrders), OnlineOrders: int(p.OnlineOrders), Refunds: int(p.Refunds), PurchaseDays: int(p.PurchaseDays),
		Revenue: number(p.Revenue), Currency: p.Currency, FirstOrder: p.FirstOrder, LastOrder: p.LastOrder, CartSKUs: p.CartSKUs,
		CartQuantity: number(p.CartQuantity), CartValue: number(p.CartValue), CartUpdated: p.CartUpdated, CheckoutAt: p.CheckoutAt,
		UserIDs: int(p.UserIDs), LoyaltyIDs: int(p.LoyaltyIDs), Emails: int(p.Emails), Phones: int(p.Phones), Cards: int(p.Cards),
		Devices: int(p.Devices), Anonymous: int(p.Anonymous), EmailsSent: int(p.Email.Sent), EmailOpens: int(p.Email.Opens),
		EmailClicks: int(p.Email.Clicks), EmailBounces: int(p.Email.Bounces), Unsubscribes: int(p.Email.Unsubscribes),
		Complaints: int(p.Email.Complaints), LastOpen: p.Email.LastOpen, LastClick: p.Email.LastClick,
		WebEvents: int(web.Events), AppEvents: int(app.Events), StoreEvents: int(store.Events),
		WebLastSeen: web.LastSeen, AppLastSeen: app.LastSeen, StoreLastSeen: store.LastSeen, functions: calls,
	}
}

// number is exact for all amounts below 2^53 ten-thousandths.
func number(d schemas.Decimal) float64 { return float64(d) / float64(schemas.DecimalOne) }
