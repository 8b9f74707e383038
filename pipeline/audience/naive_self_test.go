package audience

import (
	"testing"

	"github.com/seamline/seamline/schemas"
)

const naiveNow = 1000 * schemas.Day

// naiveEvent is an event some time before naiveNow.
func naiveEvent(kind schemas.Type, ago schemas.Time, change func(e *schemas.Event)) *schemas.Event {
	e := &schemas.Event{Type: kind, Channel: schemas.ChannelWeb, Time: naiveNow - ago}
	if change != nil {
		change(e)
	}
	return e
}

// somebody has a small history.
func somebody() *past {
	const hour, day, now = schemas.Hour, schemas.Day, naiveNow
	event := naiveEvent
	return &past{inside: map[string]bool{"friends": true}, fields: map[string]any{"orders": 2.0, "stage": "known", "last_order": schemas.Time(now - 3*day), "never": schemas.Time(0),
		"consent_ads_user_data": "granted"},
		events: []*schemas.Event{
			event(schemas.TypeProductView, 0, func(e *schemas.Event) { e.SKU = "A" }),
			event(schemas.TypeProductView, hour, func(e *schemas.Event) {
				e.SKU, e.Items = "B", []schemas.Item{{SKU: "B", Category: "coats", UnitPrice: 995_000}}
			}),
			event(schemas.TypeProductView, 7*day, func(e *schemas.Event) { e.SKU = "A" }),
			event(schemas.TypeCartAdd, 2*hour, func(e *schemas.Event) { e.SKU, e.Quantity = "B", 20_000 }),
			event(schemas.TypeOrder, 3*day, func(e *schemas.Event) {
				e.Channel, e.StoreID, e.Amount, e.Revenue, e.Currency = schemas.ChannelStore, "s1", 500_000, 480_000, "EUR"
				e.Items = []schemas.Item{{SKU: "C", Category: "shoes", Quantity: 10_000, Total: 300_000}, {SKU: "D", Category: "socks", Quantity: 30_000, Total: 200_000}}
			}),
			event(schemas.TypeRefund, day, func(e *schemas.Event) { e.Revenue = -100_000 }),
			event(schemas.TypeMessageOpen, 5*hour, func(e *schemas.Event) { e.Machine, e.PagePath = true, "/mail/spring" }),
			event(schemas.TypeSearch, -hour, nil), // is still to come
			event(schemas.TypeSignup, 729*day, nil), event(schemas.TypeLogin, 730*day, nil),
		}}
}

// TestNaive: the naive evaluator says what anybody reads from small histories.
func TestNaive(t *testing.T) {
	t.Parallel()
	who := somebody()
	f := func(rule string, want bool) {
		t.Helper()
		if got := asked(t, rule, who, naiveNow); got != want {
			t.Errorf("%s: %v", rule, got)
		}
	}
	// Logic, numbers and fields.
	f(`orders == 2 and stage == "known"`, true)
	f(`orders > 2 or not (stage in ["lapsed", "known"])`, false)
	f(`!(orders * 2 - 1 < 3) && orders / 4 == 0.5`, true)
	f(`stage not in ["a"] and true`, true)
	f(`consent("ads_user_data") == "granted" and member("friends") and not member("enemies")`, true)
	f(`orders < 3 or never`, true) // the right side is not looked at
	f("within(last_order, 4d) and idle(last_order, 3d)", true)
	f("within(last_order, 3d)", false)
	f(`idle(last_order, "73h")`, false)
	f("idle(never, 1s) or within(never, 2w)", false)
	// Windows: from the instant back to, and without, the span before it.
	f(`count("product_view") == 3`, true)
	f(`count("product_view", within 7d) == 2`, true)
	f(`count("product_view", within "168h0m1s") == 3`, true)
	f(`count("product_view", sku == "A", within "8d") == 2`, true)
	f(`count(["product_view", "cart_add"], sku in ["B"], within 1w) == 2`, true)
	f(`did("product_view", category == "coats" and price >= 99.5, within 2h)`, true)
	f(`did("product_view", category == "coats", within 1h)`, false)
	f(`did("search")`, false)
	f(`did("signup") and not did("login")`, true)
	f(`did("message_open") and not did("message_open", not machine)`, true)
	f(`did("message_open", page_path startsWith "/mail" and page_path contains "spr")`, true)
	// Items: asked of each; an event counts once.
	f(`count("order", category in ["shoes", "socks"]) == 1`, true)
	f(`did("order", category == "shoes" and quantity == 3)`, false)
	f(`did("order", category == "socks" and quantity == 3)`, true)
	f(`sum("order", total, category == "socks") == 20`, true)
	f(`did("refund", price == 0 and total == 0) and not did("cart_add", total > 0)`, true) // their own amount, where there are no items
	f(`sum("order", quantity) == 4 and sum("cart_add", quantity, sku == "B") == 2`, true)
	f(`sum("order", amount, category == "shoes" or category == "socks") == 50`, true)
	f(`sum(["order", "refund"], revenue, within 1y) == 38`, true)
	f(`sum("order", amount, store == "s2") == 0 and did("order", channel == "store" and currency == "EUR")`, true)
}

// TestNaiveTimes: times of events, sequences, and erasure.
func TestNaiveTimes(t *testing.T) {
	t.Parallel()
	who := somebody()
	f := func(rule string, want bool) {
		t.Helper()
		if got := asked(t, rule, who, naiveNow); got != want {
			t.Errorf("%s: %v", rule, got)
		}
	}
	// Times of events.
	f(`within(last("product_view", sku == "B"), 61m) and idle(first("product_view"), 7d)`, true)
	f(`idle(first("product_view", within 7d), 2h)`, false)
	f(`idle(last("wishlist_add"), 1s) or within(last("wishlist_add"), 1y)`, false)
	// Sequences.
	f(`sequence(event("cart_add"), event("product_view"), within 2h)`, true)
	f(`sequence(event("cart_add"), event("product_view", sku == "A"), within 2h)`, false) // two hours are not less
	f(`sequence(event("cart_add"), event("product_view", sku == "A"), within 121m)`, true)
	f(`sequence(event("product_view"), event("cart_add"), within 2d)`, false)
	f(`sequence(event("product_view"), event("cart_add"), within 8d)`, true)
	f(`sequence(event("order"), event("refund"), within 3d, without("login"))`, true)
	f(`sequence(event("order"), event("refund"), within 3d, without("cart_add"))`, false)
	f(`sequence(event("cart_add"), event("product_view"), within 2h, without("cart_add"))`, true) // the first step does not spoil itself
	f(`sequence(event("order"), event("refund"), within 3d, during 3d)`, false)
	f(`sequence(event("order"), event("refund"), within 3d, during 73h)`, true)
	f(`sequence(event("cart_add"), event("product_view", sku == "B"), event("product_view", sku == "A"), within 3h)`, true)
	f(`sequence(event("product_view", sku == "B"), event("product_view", sku == "B"), within 3d)`, false) // one event is one step
	f(`sequence(event("cart_add"), event("search"), within 1y)`, false)
	who.events = append(who.events, naiveEvent(schemas.TypeAccountDeleted, 0, nil))
	f("orders == 2", false)
	if !asked(t, "orders == 2", who, naiveNow-1) {
		t.Error("erased before it was asked for")
	}
	who.events = append(who.events, naiveEvent(schemas.TypeSignup, -1, nil))
	f("orders == 2", false)
	if !asked(t, "orders == 2", who, naiveNow+1) {
		t.Error("who comes back stays erased")
	}
}
