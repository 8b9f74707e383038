package audience

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/seamline/seamline/schemas"
)

// drawer draws rules from a grammar, and histories from the same few words, so that conditions come out both ways.
type drawer struct{ *rand.Rand }

func (d drawer) one(of ...string) string { return of[d.IntN(len(of))] }

// types of events in drawn histories, and in drawn rules.
var drawnTypes = []schemas.Type{schemas.TypePageView, schemas.TypeProductView, schemas.TypeProductView, schemas.TypeCartAdd, schemas.TypeOrder, schemas.TypeRefund,
	schemas.TypeMessageOpen, schemas.TypeSearch}

func (d drawer) types() string {
	one := func() string { return fmt.Sprintf("%q", drawnTypes[d.IntN(len(drawnTypes))]) }
	if d.IntN(4) == 0 {
		return "[" + one() + ", " + one() + "]"
	}
	return one()
}

func (d drawer) span() string {
	s := d.one("90s", "30m", "2h", "36h", "7d", "2w", "45d", "1y", "1h30m", fmt.Sprint(1+d.IntN(300), "m"), fmt.Sprint(1+d.IntN(60), "d"))
	if d.IntN(4) == 0 {
		return `"` + s + `"`
	}
	return s
}

func (d drawer) order() string { return d.one("==", "!=", "<", "<=", ">", ">=") }

// filter is a condition on an event.
func (d drawer) filter(depth int) string {
	if depth > 0 && d.IntN(3) == 0 {
		left, right := d.filter(depth-1), d.filter(depth-1)
		return d.one("("+left+" and "+right+")", "("+left+" or "+right+")", "not ("+left+")", left+" and "+right)
	}
	number := func() string { return d.one("0", "0.5", "1", "2", "3.5") }
	switch d.IntN(9) {
	case 0:
		return `channel == "` + d.one("web", "store", "app") + `"`
	case 1, 2:
		return d.one(`sku == "A"`, `sku in ["A", "B"]`, `sku not in ["B", "C"]`, `sku != ""`)
	case 3:
		return d.one(`category == "coats"`, `category in ["coats", "socks"]`, `brand == "x"`, `brand != "x"`)
	case 4:
		return d.one("quantity", "price", "total") + " " + d.order() + " " + number()
	case 5:
		return d.one("amount", "revenue") + " " + d.order() + " " + number()
	case 6:
		return d.one(`currency == "EUR"`, `store == "s1"`, `country in ["DE", "FR"]`, `variant != "b"`)
	case 7:
		return d.one(`page_path startsWith "/a"`, `page_path contains "b"`, `campaign == "c1"`, `campaign_source == "mail"`)
	}
	return d.one("machine", "not machine", `message == "m1"`, `link endsWith "c"`, "total * 2 > amount + 1")
}

// about draws a type with, maybe, a filter and a span.
func (d drawer) about(middle string, hasSpan bool) string {
	text := d.types() + middle
	if d.IntN(2) == 0 {
		text += ", " + d.filter(2)
	}
	if hasSpan && d.IntN(5) > 0 {
		text += ", within " + d.span()
	}
	return text
}

func (d drawer) sequence() string {
	parts := []string{}
	for range 2 + d.IntN(2) {
		parts = append(parts, "event("+d.about("", false)+")")
	}
	parts = append(parts, "within "+d.span())
	if d.IntN(2) == 0 {
		parts = append(parts, "without("+d.about("", false)+")")
	}
	if d.IntN(2) == 0 {
		parts = append(parts, "during "+d.span())
	}
	return "sequence(" + strings.Join(parts, ", ") + ")"
}

// atom is a question. Others are audiences that it may ask about.
func (d drawer) atom(others []string) string {
	switch d.IntN(11) {
	case 0, 1:
		return "did(" + d.about("", true) + ")"
	case 2, 3:
		return "count(" + d.about("", true) + ") " + d.order() + " " + fmt.Sprint(d.IntN(4))
	case 4:
		return "sum(" + d.about(", "+d.one("amount", "revenue", "quantity", "total"), true) + ") " + d.order() + " " + d.one("0", "1", "2.5", "4")
	case 5, 6:
		return d.one("idle", "within") + "(" + d.one("first", "last") + "(" + d.about("", true) + "), " + d.span() + ")"
	case 7, 8:
		return d.sequence()
	case 9:
		if len(others) > 0 {
			return `member("` + others[d.IntN(len(others))] + `")`
		}
	}
	return d.one("events > 3", "orders >= 2", "product_views == 1", `consent("ads_user_data") == "granted"`, "idle(last_order, "+d.span()+")", "within(last_order, "+d.span()+")",
		"idle(last_seen, "+d.span()+")", "orders * 2 > product_views", "true")
}

func (d drawer) condition(depth int, others []string) string {
	if depth == 0 || d.IntN(3) == 0 {
		return d.atom(others)
	}
	left, right := d.condition(depth-1, others), d.condition(depth-1, others)
	return d.one("("+left+" and "+right+")", "("+left+" or "+right+")", "not ("+left+")", left+" and not ("+right+")")
}

// drawnRule is a rule, and the audiences that it excludes.
type drawnRule struct {
	name, when string
	exclude    []string
}

func (d drawer) rules(n int) (list []drawnRule) {
	var names []string
	for i := range n {
		r := drawnRule{name: fmt.Sprint("a", i), when: d.condition(2, names)}
		if i > 0 && d.IntN(5) == 0 {
			r.exclude = []string{names[d.IntN(i)]}
		}
		list, names = append(list, r), append(names, r.name)
	}
	return list
}

// event draws an event at a time.
func (d drawer) event(at schemas.Time) *schemas.Event {
	half := func() schemas.Decimal { return schemas.DecimalOne / 2 * schemas.Decimal(d.IntN(8)) }
	gained, lost := half(), half()
	e := &schemas.Event{Type: drawnTypes[d.IntN(len(drawnTypes))], Time: at, Channel: []schemas.Channel{schemas.ChannelWeb, schemas.ChannelApp, schemas.ChannelStore}[d.IntN(3)],
		SKU: d.one("A", "B", "C", ""), Quantity: half(), Amount: half(), Revenue: gained - lost, Currency: d.one("EUR", "USD"), StoreID: d.one("s1", "s2", ""),
		Country: d.one("DE", "FR", ""), Variant: d.one("a", "b"), PagePath: d.one("/a/b", "/c", "/a"), MessageID: d.one("m1", "m2"), LinkURL: d.one("x/c", "x/d"),
		Machine: d.IntN(3) == 0}
	e.Campaign.ID, e.Campaign.Source = d.one("c1", "c2", ""), d.one("mail", "search")
	if e.Type == schemas.TypeOrder || e.Type == schemas.TypeProductView {
		for range d.IntN(4) {
			e.Items = append(e.Items, schemas.Item{SKU: d.one("A", "B", "C"), Category: d.one("coats", "shoes", "socks", ""), Brand: d.one("x", "y"), Quantity: half(),
				UnitPrice: half(), Total: half()})
		}
	}
	switch d.IntN(60) {
	case 0:
		e.Type = schemas.TypeAccountDeleted
	case 1:
		e.Type = schemas.TypeSignup
	case 2, 3, 4:
		e.Type, e.Consents = schemas.TypeConsentUpdate, []schemas.Consent{{Purpose: schemas.PurposeAdsUserData, State: schemas.ConsentGranted + schemas.ConsentState(d.IntN(2))}}
	}
	return e
}

// turn is one step of a history: an event, which may bring a second leaf's people together with the first's or take a leaf away from them,
// and how long nothing happens after it.
type turn struct {
	event *schemas.Event
	clock schemas.Time
	join  uint32 // a leaf; 0 for none
	part  uint32 // a leaf; 0 for none
	asks  []schemas.Time
}

// turns draws a history with events that come late, and some that say that they are of the future.
func (d drawer) turns(n, leaves int) (list []turn) {
	clock := day0
	for range n {
		t := turn{clock: clock}
		at := clock
		switch d.IntN(12) {
		case 0, 1, 2:
			at -= schemas.Time(d.Int64N(int64(2 * schemas.Hour)))
		case 3:
			at -= schemas.Time(d.Int64N(int64(12 * schemas.Day))) // later than audiences.lateness, some of them
		case 4:
			if d.IntN(3) == 0 {
				at += schemas.Time(d.Int64N(int64(3 * schemas.Hour)))
			}
		}
		if len(list) > 0 && d.IntN(10) == 0 {
			at = list[len(list)-1].event.Time // at one instant
		}
		t.event = d.event(at)
		if t.event.Type == schemas.TypeAccountDeleted || t.event.Type == schemas.TypeSignup {
			t.event.Time = min(at, clock) // the definition knows nothing of when an event came
		}
		t.event.Leaf = 1 + uint32(d.IntN(leaves))
		switch d.IntN(14) {
		case 0:
			t.join = 1 + uint32(d.IntN(leaves))
		case 1:
			t.part = 1 + uint32(d.IntN(leaves))
		}
		gap := schemas.Time(d.Int64N(int64(d.gap())))
		for range d.IntN(3) {
			t.asks = append(t.asks, clock+schemas.Time(d.Int64N(int64(gap+1))))
		}
		clock += gap
		slices.Sort(t.asks)
		list = append(list, t)
	}
	return list
}

func (d drawer) gap() schemas.Time {
	switch n := d.IntN(100); {
	case n == 0:
		return 500 * schemas.Day
	case n < 5:
		return 20 * schemas.Day
	case n < 60:
		return 10 * schemas.Hour
	}
	return 5 * schemas.Minute
}
