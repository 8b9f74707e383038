package clickhouse

import (
	"math"
	"os"
	"regexp"
	"testing"

	"github.com/seamline/seamline/schemas"
)

func TestSKULive(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	s := open(t, cfg)
	at := lately()
	of := func(name string, ago schemas.Time, kind schemas.Type) *schemas.Event {
		e := happened(name, at-ago, 1, schemas.ChannelWeb, kind)
		e.SKU = "lamp"
		return e
	}
	lines := func(e *schemas.Event, quantity schemas.Decimal) *schemas.Event {
		e.StoreID = "north"
		e.Items = []schemas.Item{{LineID: "1", SKU: "lamp", Quantity: quantity * schemas.DecimalOne, Total: quantity * 10 * schemas.DecimalOne}}
		return e
	}
	price, stock, shelf := of("price", schemas.Day, schemas.TypePriceChange), of("stock", schemas.Day, schemas.TypeStockChange), of("shelf", schemas.Day, schemas.TypeStockChange)
	price.Amount, price.Currency, price.Items = 12*schemas.DecimalOne, "EUR", []schemas.Item{{Name: "Lamp"}}
	stock.Quantity, shelf.Quantity, shelf.StoreID = 0, 4*schemas.DecimalOne, "north"
	back := sold("back", at-schemas.Hour, 1, schemas.ChannelStore, 10)
	back.Type = schemas.TypeRefund
	write(t, s, &schemas.Batch{Number: 1, Now: at, Events: []*schemas.Event{price, stock, shelf, of("now", 0, schemas.TypeProductView), of("today", 23*schemas.Hour, schemas.TypeProductView),
		of("this week", 6*schemas.Day, schemas.TypeProductView), of("long ago", 8*schemas.Day, schemas.TypeProductView), of("cart", 2*schemas.Day, schemas.TypeCartAdd),
		lines(sold("s1", at-3*schemas.Day, 1, schemas.ChannelStore, 30), 3), lines(back, 1), lines(sold("old", at-9*schemas.Day, 1, schemas.ChannelStore, 30), 3)}})
	expectLines(t, cfg, `SELECT channel, name, views_24h, views_7d, carts_24h, carts_7d, sales_24h, sales_7d, revenue_24h, revenue_7d, price, stock, in_stock, stock_known
		FROM sku_live WHERE sku = 'lamp' ORDER BY channel`,
		"store Lamp 0 0 0 0 -1 2 -10 20 12 4 true true", "web Lamp 2 3 0 1 0 0 0 0 12 0 false true")
}

// One person comes four times by known sources and buys; another comes and does not; a third buys without a visit.
func TestAttributionByHand(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	s := open(t, cfg)
	at := lately()
	session := uint64(0)
	visit := func(name string, ago schemas.Time, person byte, c schemas.Campaign, referrer string) *schemas.Event {
		session++
		e := happened(name, at-ago, person, schemas.ChannelWeb, schemas.TypePageView)
		e.SessionID, e.Campaign, e.Referrer, e.PageURL = session, c, referrer, "https://www.shop.example.com/"
		return e
	}
	click := happened("click", at-7*schemas.Day, 1, schemas.ChannelEmail, schemas.TypeMessageClick)
	write(t, s, &schemas.Batch{Number: 1, Now: at, Events: []*schemas.Event{
		visit("too old", 40*schemas.Day, 1, schemas.Campaign{Source: "radio"}, ""),
		visit("ad", 14*schemas.Day, 1, schemas.Campaign{Source: "google", Medium: "cpc"}, ""), click,
		visit("inside", 0, 1, schemas.Campaign{}, "https://shop.example.com/p/1"), sold("order", at, 1, schemas.ChannelStore, 100),
		visit("search", 2*schemas.Day, 2, schemas.Campaign{}, "https://www.google.com/"), sold("till", at-schemas.Day, 3, schemas.ChannelStore, 50)}})
	// Ages of 14, 7 and 0 days weigh 1/7, 2/7 and 4/7. Each source of the path is on every way to the order, so that each removes all of it.
	expectLines(t, cfg, `SELECT source, touches, first_touch, last_touch, round(linear, 6), position_based, round(time_decay, 6), round(markov, 6), removal_effect, last_touch_revenue, currency
		FROM attribution ORDER BY source`,
		"cpc / google 1 1 0 0.333333 0.4 0.142857 0.333333 1 0 EUR", "direct 1 0 1 0.333333 0.4 0.571429 0.333333 1 100 EUR",
		"email 1 0 0 0.333333 0.2 0.285714 0.333333 1 0 EUR", "none 1 1 1 1 1 1 1 0 50 EUR", "search 1 0 0 0 0 0 0 0 0 EUR")
}

// Two arms of four and three people over two days; one person saw both.
func TestSplitTestsByHand(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	s := open(t, cfg)
	var events []*schemas.Event
	show := func(person byte, at schemas.Time, arm string, spends ...schemas.Decimal) {
		e := happened("exposed "+arm+string('a'+rune(person)), at, person, schemas.ChannelWeb, schemas.TypeCustom)
		e.Variant, e.Properties = arm, `{"event":"Experiment Viewed","experiment_id":"e1"}`
		events = append(events, e)
		for i, amount := range spends {
			events = append(events, sold("order "+string('a'+rune(person))+string('0'+rune(i)), at+schemas.Time(i+1)*schemas.Day, person, schemas.ChannelStore, amount))
		}
	}
	day := start
	show(1, day, "control", 10)
	show(2, day, "control")
	show(3, day+schemas.Day, "control", 2, 2)
	show(4, day+schemas.Day, "control", 0)
	show(5, day, "new", 10)
	show(6, day, "new", 20)
	show(7, day+schemas.Day, "new", 24)
	show(7, day+2*schemas.Day, "control")
	late := sold("late", day+15*schemas.Day, 2, schemas.ChannelWeb, 1000)
	write(t, s, &schemas.Batch{Number: 1, Now: day, Events: append(events, late)})
	r := read(t, cfg, "SELECT * FROM split_tests WHERE metric = 'spend' AND variant = 'new'")[0]
	// Control: 10, 0, 4, 0 with mean 3.5 and variance 67/3; new: 10, 20, 24 with mean 18 and variance 52.
	v := 52.0/3 + 67.0/12
	near(t, "effect", r["effect"], 14.5, 1e-9)
	near(t, "standard error", r["se"], math.Sqrt(v), 1e-9)
	near(t, "crossed", r["crossed"], 1, 0)
	near(t, "chi-square", r["srm_chi2"], 1.0/7, 1e-9)
	near(t, "p of the sample ratio", r["srm_p"], math.Erfc(math.Sqrt(1.0/14)), 1e-9)
	inverse := func(v, d, tau2 float64) float64 { return math.Sqrt((v+tau2)/v) * math.Exp(-tau2*d*d/(2*v*(v+tau2))) }
	tau2 := 0.01 * 67.0 / 3
	first := inverse(50.0/2+50.0/2, 10, tau2) // after the first day: 10 and 0 against 10 and 20
	near(t, "always-valid p", r["always_valid_p"], min(1, first, inverse(v, 14.5, tau2)), 1e-9)
	conversion := read(t, cfg, "SELECT people, mean, is_control FROM split_tests WHERE metric = 'conversion' AND variant = 'control'")
	same(t, "conversion of the control", conversion, []row{{"people": "4", "mean": "0.75", "is_control": "true"}})
}

var sqlBlock = regexp.MustCompile("(?s)```sql\n(.*?)```")

// Every view is described with a query that runs, also where there is nothing to find.
func TestExampleQueriesOfViewsRun(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/views.md")
	if err != nil {
		t.Fatal(err)
	}
	cfg := config(t)
	s := open(t, cfg)
	blocks := sqlBlock.FindAllStringSubmatch(string(page), -1)
	if len(blocks) != 12 {
		t.Errorf("docs/views.md has %d queries, want one per view and one more", len(blocks))
	}
	for range 2 {
		for _, b := range blocks {
			lines(t, cfg, b[1])
		}
		write(t, s, s.sampleOfAll())
	}
}
