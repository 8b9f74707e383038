package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seamline/seamline/pipeline/audience"
	"github.com/seamline/seamline/schemas"
	producer "github.com/seamline/seamline/sinks/kafka"
)

// biographies make people whose histories are known, as of a time.
type biographies struct {
	now      time.Time
	messages []producer.Message
	made     int
}

func (b *biographies) add(feed schemas.Feed, ago time.Duration, text string) {
	b.messages = append(b.messages, message(feed, b.now.Add(-ago), text))
}

// track is what somebody did on the site. Who is a user's id, or of one who is not known a cookie that begins with anon-.
func (b *biographies) track(who string, ago time.Duration, event, properties string) {
	b.made++
	name := fmt.Sprintf(`"anonymousId":"cookie-%s","userId":"%s"`, who, who)
	if strings.HasPrefix(who, "anon-") {
		name = fmt.Sprintf(`"anonymousId":"%s"`, who)
	}
	b.add(schemas.FeedClickstream, ago, fmt.Sprintf(`{"type":"track","event":"%s","messageId":"b%d",%s,"timestamp":"%s","properties":{%s}}`, event, b.made, name,
		b.now.Add(-ago).Format(time.RFC3339Nano), properties))
}

// knows tells a user's e-mail address.
func (b *biographies) knows(who string, ago time.Duration) {
	b.made++
	b.add(schemas.FeedClickstream, ago, fmt.Sprintf(`{"type":"identify","messageId":"b%d","userId":"%s","timestamp":"%s","traits":{"email":"%s@example.com"}}`, b.made, who,
		b.now.Add(-ago).Format(time.RFC3339Nano), who))
}

// buys is an order on the site.
func (b *biographies) buys(who string, ago time.Duration, amount string, skus ...string) {
	var products []string
	for _, sku := range skus {
		products = append(products, fmt.Sprintf(`{"sku":"%s","quantity":1,"price":1}`, sku))
	}
	b.track(who, ago, "Order Completed", fmt.Sprintf(`"order_id":"o%d","total":%s,"currency":"EUR","products":[%s]`, b.made, amount, strings.Join(products, ",")))
}

// receipt is a sale in a shop. Customer is what names the customer.
func (b *biographies) receipt(customer string, ago time.Duration, total string, lines ...string) {
	b.made++
	b.add(schemas.FeedPOS, ago, fmt.Sprintf(`{"receipt_id":"r%d","store_id":"s1","time":"%s","type":"sale","currency":"EUR","customer":{%s},"lines":[%s],"total":"%s"}`, b.made,
		b.now.Add(-ago).Format(time.RFC3339), customer, strings.Join(lines, ","), total))
}

// mail is what happened to an e-mail.
func (b *biographies) mail(who string, ago time.Duration, event, more string) {
	b.made++
	b.add(schemas.FeedEmail, ago, fmt.Sprintf(`[{"email":"%s@example.com","event":"%s","sg_event_id":"b%d","sg_message_id":"g%d","timestamp":%d%s}]`, who, event, b.made, b.made,
		b.now.Add(-ago).Unix(), more))
}

// consents is an answer about the use of data for ads.
func (b *biographies) consents(who string, ago time.Duration, isGranted bool) {
	b.made++
	b.add(schemas.FeedConsent, ago, fmt.Sprintf(`{"type":"track","event":"Segment Consent Preference Updated","messageId":"b%d","userId":"%s","timestamp":"%s","context":{"consent":{"categoryPreferences":{"Advertising":%t}}}}`,
		b.made, who, b.now.Add(-ago).Format(time.RFC3339), isGranted))
}

const view = `"sku":"COAT-1","category":"coats","price":90`

const minute, hour, day = time.Minute, time.Hour, 24 * time.Hour

// somebody notes who is to be in which audiences, and in no other.
type somebody func(name string, audiences ...string) string

// browsers are people with unfinished business.
func (b *biographies) browsers(who somebody) {
	p := who("anon-looker", "browse_abandoners", "retargeting_cookie_only")
	b.track(p, 3*hour, "Product Viewed", view)
	b.track(p, 2*hour, "Product Viewed", view)
	p = who("anon-looking", "retargeting_cookie_only") // still looking
	b.track(p, 3*hour, "Product Viewed", view)
	b.track(p, 59*minute, "Product Viewed", view)
	p = who("looked-long-ago", "retargeting_cookie_only")
	b.track(p, 8*day, "Product Viewed", view)
	b.track(p, 8*day-hour, "Product Viewed", view)
	p = who("known-looker", "browse_abandoners")
	b.knows(p, 3*hour)
	b.track(p, 3*hour, "Product Viewed", view)
	b.track(p, 2*hour, "Product Viewed", view)
	b.track(who("cart-left", "cart_abandoners"), 2*hour, "Product Added", `"sku":"COAT-1","price":90,"quantity":1`)
	b.track(who("cart-fresh"), 59*minute, "Product Added", `"sku":"COAT-1","price":90,"quantity":1`)
	b.track(who("cart-old"), 31*day, "Product Added", `"sku":"COAT-1","price":90,"quantity":1`)
	p = who("checkout-left", "cart_abandoners", "checkout_abandoners")
	b.track(p, 3*hour, "Product Added", `"sku":"COAT-1","price":90,"quantity":1`)
	b.track(p, 2*hour, "Checkout Started", `"value":90`)
	p = who("bought-in-the-shop", "complement_candidates", "recent_buyers", "store_only_customers") // which closes the cart
	b.knows(p, 4*hour)
	b.track(p, 3*hour, "Product Added", `"sku":"COAT-1","price":90,"quantity":1`)
	b.receipt(`"email":"bought-in-the-shop@example.com"`, 2*hour, "90.00")
}

// buyers are people by when, how and where they bought.
func (b *biographies) buyers(who somebody) {
	b.buys(who("bought-last-week", "recent_buyers", "web_only_customers"), 7*day, "20")
	b.buys(who("at-risk", "at_risk_buyers", "web_only_customers"), 200*day, "20")
	b.buys(who("lapsed", "lapsed_buyers", "web_only_customers"), 370*day, "20")
	p := who("buys-anywhere", "at_risk_buyers")
	b.knows(p, 200*day)
	b.buys(p, 200*day, "20")
	b.receipt(`"email":"buys-anywhere@example.com"`, 190*day, "20.00")
	// Buyers by worth and by how they buy.
	p = who("spends-most", "high_value", "social_seed_buyers", "web_only_customers")
	b.knows(p, 101*day)
	b.buys(p, 100*day, "2000")
	b.consents(p, 100*day, true)
	p = who("said-no", "high_value", "web_only_customers")
	b.knows(p, 101*day)
	b.buys(p, 100*day, "1900")
	b.consents(p, 100*day, true)
	b.consents(p, 99*day, false)
	p = who("waits-for-sales", "price_sensitive", "web_only_customers")
	for i := range 12 {
		b.track(p, 60*day+time.Duration(i)*day, "Order Completed", fmt.Sprintf(`"order_id":"w%d","total":5,"currency":"EUR","products":[{"sku":"SOCK-%d","quantity":1,"price":5,"discount":5}]`, i, i))
	}
	// Two who bought a phone with its case show what goes with what.
	for i := range 6 {
		b.buys(who(fmt.Sprint("pair-", i), "at_risk_buyers", "web_only_customers"), 300*day, "20", "PHONE", "CASE")
	}
	b.buys(who("needs-a-case", "complement_candidates", "recent_buyers", "web_only_customers"), 4*day, "20", "PHONE")
}

// others are members, readers and companies.
func (b *biographies) others(who somebody) {
	b.track(who("signed-up", "new_members"), 29*day, "Signed Up", "")
	b.track(who("signed-up-before"), 31*day, "Signed Up", "")
	who("CARD450", "loyalty_near_reward", "store_only_customers")
	b.receipt(`"loyalty_id":"CARD450"`, 40*day, "450.00")
	who("CARD510", "high_value", "new_members", "recent_buyers", "store_only_customers")
	b.receipt(`"loyalty_id":"CARD510"`, 20*day, "510.00")
	// Messages.
	p := who("reads", "email_readers")
	b.knows(p, 90*day)
	b.mail(p, 80*day, "open", "")
	p = who("reads-by-machine", "email_non_readers")
	b.knows(p, 90*day)
	for i := range 3 {
		b.mail(p, time.Duration(80-i)*day, "processed", "")
		b.mail(p, time.Duration(80-i)*day-hour, "open", `,"sg_machine_open":true`)
	}
	p = who("read-and-left")
	b.knows(p, 90*day)
	b.mail(p, 80*day, "click", `,"url":"https://shop.example.com/"`)
	b.mail(p, 79*day, "unsubscribe", "")
	// Companies.
	b.track(who("wants-a-demo", "b2b_demo_requesters"), 10*day, "Demo Requested", "")
	p = who("saw-a-demo", "recent_buyers", "web_only_customers")
	b.track(p, 10*day, "Demo Requested", "")
	b.buys(p, 9*day, "20")
}

// TestEndToEndShippedAudiences: people with known histories go through the whole line, and each is in the shipped audiences that the history
// says, and in no other. Each shipped audience has somebody.
func TestEndToEndShippedAudiences(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.create()
	b := &biographies{now: start}
	want := map[string][]string{}
	who := func(name string, audiences ...string) string {
		want[name] = audiences
		return name
	}
	b.browsers(who)
	b.buyers(who)
	b.others(who)
	slices.SortStableFunc(b.messages, func(x, y producer.Message) int { return x.Time.Compare(y.Time) })
	s.publish(b.messages...)
	now := schemas.TimeOf(start)
	s.run(func(o *runOptions) { o.now, o.advanceTo = now, now })
	s.expect("SELECT count() FROM dead_letters FINAL", "0")
	used := map[string]bool{}
	for name, audiences := range want {
		got := s.query(`SELECT audience FROM audience_members FINAL WHERE member AND profile_id IN (SELECT profile_id FROM identifiers FINAL WHERE hex(value_hash) = upper('` + hash(name) + `')) ORDER BY audience`)
		if slices.Sort(audiences); !slices.Equal(got, audiences) {
			t.Errorf("%s is in %q, want %q", name, got, audiences)
		}
		for _, a := range audiences {
			used[a] = true
		}
	}
	s.expect("SELECT count() FROM profiles FINAL WHERE NOT deleted", fmt.Sprint(len(want)))
	rules, err := audience.ReadRules("")
	if err != nil {
		t.Fatal(err)
	}
	for i := range rules {
		if !used[rules[i].Name] {
			t.Errorf("nobody is in %s", rules[i].Name)
		}
	}
}
