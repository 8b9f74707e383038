package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seamline/seamline/pipeline/score"
	"github.com/seamline/seamline/schemas"
	producer "github.com/seamline/seamline/sinks/kafka"
)

// profileStory is a person on web, e-mail and in a store, in several days, with another one who is merged into them in the end.
func profileStory() (before, merging []producer.Message) {
	when := func(minutes int) time.Time { return start.Add(time.Duration(minutes) * time.Minute) }
	at := func(minutes int) string { return when(minutes).Format(time.RFC3339) }
	const day = 24 * 60
	track := func(n, minutes int, ids, event, properties string) producer.Message {
		return message(schemas.FeedClickstream, when(minutes), fmt.Sprintf(`{"type":"track","event":%q,"messageId":"m%d",%s,"timestamp":"%s","properties":{%s}}`, event, n, ids, at(minutes), properties))
	}
	mail := func(n, minutes int, event, more string) producer.Message {
		return message(schemas.FeedEmail, when(minutes), fmt.Sprintf(`[{"email":"customer-17@example.com","event":%q,"sg_event_id":"e%d","sg_message_id":"msg.filter","timestamp":%d%s}]`, event, n, when(minutes).Unix(), more))
	}
	const phone, both = `"anonymousId":"phone"`, `"anonymousId":"phone","userId":"user-1"`
	const boot = `"product_id":"BOOT-1","sku":"BOOT-1","name":"Boot","category":"Boots","brand":"Acme","price":80,"currency":"USD"`
	before = []producer.Message{
		message(schemas.FeedCatalog, when(0), "id\ttitle\tprice\tavailability\tproduct_type\tbrand\nSHOE-1\tRunning Shoe\t50.00 USD\tin stock\tShoes\tAcme\nBOOT-1\tBoot\t80.00 USD\tin stock\tBoots\tAcme\n"),
		message(schemas.FeedCatalog, when(1), `[{"store_code":"S-1","id":"BOOT-1","quantity":7,"availability":"in_stock"},{"store_code":"S-2","id":"BOOT-1","quantity":0,"price":"78 USD","availability":"out of stock"}]`),
		track(1, 10, `"anonymousId":"laptop"`, "Product Viewed", `"sku":"SHOE-1"`),
		track(2, 20, phone, "Product Viewed", boot),
		message(schemas.FeedClickstream, when(21), `{"type":"identify","messageId":"m3",`+both+`,"timestamp":"`+at(21)+`","traits":{"email":"customer-17@example.com"}}`),
		mail(1, 60, "processed", ""), mail(2, 61, "delivered", ""), mail(3, 62, "open", `,"sg_machine_open":true`), mail(4, 90, "open", `,"sg_machine_open":false`),
		mail(5, 91, "click", `,"url":"https://shop.example.com/boots"`),
		message(schemas.FeedPOS, when(120), `{"receipt_id":"R-1","store_id":"S-1","time":"`+at(120)+`","type":"sale","currency":"USD","customer":{"email":"customer-17@example.com","loyalty_id":"L-7"},"lines":[
			{"line_id":"1","sku":"SHOE-1","name":"Running Shoe","category":"Shoes","quantity":1,"unit_price":"49.90","discount":"5.00","total":"44.90"},{"line_id":"2","sku":"SOCK-1","name":"Socks","category":"Socks","quantity":2,"unit_price":"5.00","total":"10.00"}],"total":"54.90"}`),
		message(schemas.FeedPOS, when(130), `{"receipt_id":"R-2","store_id":"S-1","time":"`+at(130)+`","type":"refund","original_receipt_id":"R-1","currency":"USD","lines":[{"line_id":"2","sku":"SOCK-1","quantity":1,"unit_price":"5.00","total":"5.00"}],"total":"5.00"}`),
		message(schemas.FeedSurvey, when(200), `{"time":"`+at(200)+`","survey_id":"nps-1","answer_id":"A-1","kind":"nps","score":9,"customer":{"user_id":"user-1"}}`),
		message(schemas.FeedConsent, when(210), `{"time":"`+at(210)+`","customer":{"email":"customer-17@example.com"},"consents":{"email_marketing":"granted","ads_storage":"denied"}}`),
		track(20, 2*day, both, "Order Completed", `"order_id":"O-2","total":80,"currency":"USD","products":[{`+boot+`,"quantity":1}]`),
		track(21, 4*day, both, "Product Viewed", boot),
		track(22, 4*day+1, both, "Product Added", `"sku":"SHOE-1","price":50,"quantity":2,"currency":"USD"`),
	}
	return before, []producer.Message{track(30, 4*day+5, `"anonymousId":"laptop","userId":"user-1"`, "Product Viewed", `"sku":"SHOE-1"`)}
}

// TestEndToEndProfile: a person over HTTP and by the command's desk, by each of their names, before and after a merge.
func TestEndToEndProfile(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.create()
	s.settings.HTTPToken = testToken
	before, merging := profileStory()
	s.publish(before...)
	now := schemas.TimeOf(start.Add(4*24*time.Hour + 10*time.Minute))
	s.run(func(o *runOptions) { o.now = now })
	var log bytes.Buffer
	ask := apiServer(t, &s.settings, &log)
	get := func(path string) (a shownPerson) {
		t.Helper()
		status, kind, answer := ask("GET", "/v1/profiles/"+path, "Bearer "+testToken, "")
		if err := json.Unmarshal([]byte(answer), &a); err != nil || status != 200 || kind != "application/json" {
			t.Fatalf("%s: %d, %s, %s: %v", path, status, kind, answer, err)
		}
		if strings.Contains(answer, "customer-17") || strings.Contains(answer, "L-7") || strings.Contains(answer, "user-1") {
			t.Errorf("%s: the answer has a value: %s", path, answer)
		}
		return a
	}
	other := get("anonymous_id/laptop")
	a := get("email/" + url.PathEscape(" Customer-17@Example.com"))
	if a.ID == other.ID || other.Stage.Stage != "visitor" {
		t.Fatalf("before the merge: %+v and %+v", a, other)
	}
	s.checkStory(a)
	for _, path := range []string{"user_id/user-1", "loyalty_id/L-7", "anonymous_id/phone", a.ID} {
		if b := get(path); b.ID != a.ID || b.Alias != nil {
			t.Errorf("%s: got %s, want %s", path, b.ID, a.ID)
		}
	}
	s.checkExplained(get("user_id/user-1?explain=true"))
	if b := get("user_id/user-1?explain=false"); len(b.Scores) == 0 || b.Scores[0].Evidence != nil || b.Scores[0].Inputs != nil {
		t.Errorf("without an explanation: %+v", b.Scores)
	}
	s.refusesPeople(ask)

	s.publish(merging...)
	s.run(func(o *runOptions) { o.now = now })
	merged := get("anonymous_id/laptop")
	if merged.ID != other.ID || merged.Summary.Orders != 2 || merged.Alias != nil {
		t.Errorf("after the merge the older id stays: %+v", merged)
	}
	old := get(a.ID)
	if old.ID != other.ID || old.Alias == nil || old.Alias.ID != a.ID || old.Summary.Events != a.Summary.Events+2 {
		t.Errorf("by the id that was merged away: %+v", old)
	}
	explained := get(a.ID + "?explain=1")
	if evidence := explained.score(t, "reading").Evidence; evidence[len(evidence)-2].Type != "product_view" || evidence[len(evidence)-2].Person.Events != 4 {
		t.Errorf("evidence of both: %+v", evidence)
	}
	s.expect("SELECT count() FROM profiles FINAL", "1")
	if text := log.String(); strings.Contains(text, "customer-17") || strings.Contains(text, "Customer-17") || strings.Contains(text, "user-1") {
		t.Errorf("the log has a value:\n%s", text)
	}
	s.profileCommands(a.ID, other.ID)
}

// checkStory compares what is shown of the person with the story.
func (s *stand) checkStory(a shownPerson) {
	t := s.t
	t.Helper()
	if a.Stage.Stage != "repeat" || a.Stage.Since != schemas.TimeOf(start.Add(48*time.Hour)) {
		t.Errorf("stage: %+v", a.Stage)
	}
	if a.Stage.Reason != "bought more than once" || len(a.Journey) < 3 || a.Journey[0].To != "repeat" || a.Journey[1].To != "customer" || a.Journey[1].Reason != "bought once" {
		t.Errorf("journey: %+v, %+v", a.Stage, a.Journey)
	}
	if last := a.Journey[len(a.Journey)-1]; last.From != "" || last.To != "visitor" || last.Time != schemas.TimeOf(start.Add(20*time.Minute)) {
		t.Errorf("the first step: %+v", last)
	}
	if m := a.Summary; m.Orders != 2 || m.Revenue != "129.9" || m.Average != "64.95" || m.Currency != "USD" || len(m.Channels) != 3 {
		t.Errorf("summary: %+v", m)
	}
	if c := a.Cart; c == nil || !slices.Equal(c.SKUs, []string{"SHOE-1"}) || c.Quantity != "2" || c.Value != "100" {
		t.Errorf("cart: %+v", c)
	}
	if len(a.Orders) != 2 || a.Orders[0].ID != "O-2" || a.Orders[0].Net != "80" || a.Orders[0].Channel != "web" || a.Orders[0].Store != "" || len(a.Orders[0].Lines) != 1 {
		t.Errorf("orders: %+v", a.Orders)
	} else if o := a.Orders[1]; o.ID != "R-1" || o.Net != "49.9" || o.Store != "S-1" || o.Refunds != 1 || len(o.Lines) != 3 || o.Lines[0].Discount != "5" || o.Lines[2].Type != "refund" || o.Lines[2].Total != "-5" {
		t.Errorf("the receipt: %+v", o)
	}
	if !a.Loyalty.Member || a.Loyalty.Points != 129 { // a point for each whole unit of an order
		t.Errorf("loyalty: %+v", a.Loyalty)
	}
	if c := a.Preferences.Consent; c["email_marketing"] != "granted" || c["ads_storage"] != "denied" || c["personalization"] != "unset" || len(c) != schemas.PurposeCount {
		t.Errorf("consent: %v", c)
	}
	if len(a.Products) < 2 || a.Products[0].SKU != "SHOE-1" || !a.Products[0].InCart || a.Products[0].Price != "50" || a.Products[0].Name != "Running Shoe" {
		t.Fatalf("products: %+v", a.Products)
	}
	p := a.Products[1]
	if p.SKU != "BOOT-1" || p.Price != "80" || p.LookedAt != schemas.TimeOf(start.Add(4*24*time.Hour)) || len(p.Places) != 2 || p.Places[0].Store != "S-1" || p.Places[0].Quantity != "7" ||
		p.Places[1].Quantity != "0" || p.Places[1].Price != "78" || p.Places[1].Availability != "out_of_stock" {
		t.Errorf("what was looked at: %+v", p)
	}
}

// checkExplained compares explanations with the tables and the story.
func (s *stand) checkExplained(a shownPerson) {
	t := s.t
	t.Helper()
	if len(a.Scores) != len(score.Docs()) {
		t.Fatalf("got %d scores, want %d", len(a.Scores), len(score.Docs()))
	}
	for i, doc := range score.Docs() {
		got := a.Scores[i]
		if got.Name != doc.Name || got.Version != doc.Version || got.Formula != doc.Formula || len(got.Values) != len(doc.Columns) || len(got.Inputs) != len(doc.Inputs) {
			t.Errorf("%s: %+v", doc.Name, got)
		}
		for _, column := range slices.Concat(doc.Columns, doc.Inputs) {
			value, isThere := got.Values[column]
			if !isThere {
				value, isThere = got.Inputs[column]
			}
			number, isNumber := value.(float64)
			if !isThere {
				t.Errorf("%s: column %s is missing", doc.Name, column)
			}
			if isNumber && s.one("SELECT toFloat32("+column+") = toFloat32(?) FROM profiles FINAL WHERE profile_id = ?", number, a.ID) != "1" {
				t.Errorf("%s: %s is %v, and not so in the table", doc.Name, column, number)
			}
		}
	}
	if m := a.score(t, "rfm").model(t, "rfm"); a.Models == 0 || m.Version != a.Models || m.FittedAt != schemas.TimeOf(time.Date(2026, 9, 4, 0, 0, 0, 0, time.UTC)) || len(m.Parameters) != 12 {
		t.Errorf("model of rfm, of version %d: %+v", a.Models, m)
	}
	evidence := func(name string) string {
		var parts []string
		for _, e := range a.score(t, name).Evidence {
			for who, c := range map[string]*struct {
				Events      int
				First, Last schemas.Time
			}{"": e.Person, " machine": e.Machine} {
				if c != nil {
					minutes := func(at schemas.Time) int { return int(at.Std().Sub(start) / time.Minute) }
					parts = append(parts, fmt.Sprintf("%s%s %d %d-%d", e.Type, who, c.Events, minutes(c.First), minutes(c.Last)))
				}
			}
		}
		slices.Sort(parts)
		return strings.Join(parts, ", ")
	}
	f := func(name, want string) {
		t.Helper()
		if got := evidence(name); got != want {
			t.Errorf("evidence of %s: got %s, want %s", name, got, want)
		}
	}
	f("rfm", "order 2 120-2880, refund 1 130-130")
	f("email_engagement", "message_click 1 91-91, message_delivered 1 61-61, message_open 1 90-90, message_open machine 1 62-62, message_sent 1 60-60")
	f("satisfaction", "survey_answer 1 200-200")
	f("cart_conversion", "cart_add 1 5761-5761, order 2 120-2880")
	s.recompute(a)
	if v := a.score(t, "satisfaction").Values; v["nps"] != 9.0 || v["csat"] != nil {
		t.Errorf("satisfaction: %v", v)
	}
	if in := a.score(t, "loyalty").Inputs; in["loyalty_earned"] != 129.0 {
		t.Errorf("loyalty: %v", in)
	}
}

// recompute makes scores of nothing but what their explanation says.
func (s *stand) recompute(a shownPerson) {
	s.t.Helper()
	f := func(name, column string, want float64, known ...float64) {
		s.t.Helper()
		got, _ := a.score(s.t, name).Values[column].(float64)
		if got == 0 || math.Abs(got-want) > 1e-6*want || slices.Contains(known, 0) {
			s.t.Errorf("%s is %v, and its explanation gives %v of %v", column, got, want, known)
		}
	}
	input := func(name, column string) float64 {
		x, _ := a.score(s.t, name).Inputs[column].(float64)
		return x
	}
	parameter := func(name, model, of string) float64 { return a.score(s.t, name).model(s.t, model).Parameters[of] }
	p, promoted, lines := parameter("discount", "discount", "promoted_share"), input("discount", "promoted_lines"), input("discount", "lines")
	f("discount", "discount_share", (promoted+4*p)/(lines+4), p, promoted, lines)
	m0, span, days := parameter("next_order", "gap", "days"), input("next_order", "repeat_span"), input("next_order", "purchase_days")
	f("next_order", "order_gap", (2*m0+span)/(2+days-1), m0, span, days)
}

// refusesPeople asks for people who cannot be looked up.
func (s *stand) refusesPeople(ask func(method, path, token, body string) (int, string, string)) {
	t := s.t
	t.Helper()
	f := func(method, path, token string, want int, name string) {
		t.Helper()
		status, kind, answer := ask(method, "/v1/profiles/"+path, token, "")
		if status != want || kind != "application/problem+json" || !strings.Contains(answer, `"urn:seamline:problem:`+name+`"`) {
			t.Errorf("%s %s: got %d, %s, %s; want %d, %s", method, path, status, kind, answer, want, name)
		}
	}
	const bearer, nobody = "Bearer " + testToken, "0192f0c1-7a52-7f5e-8f00-112233445566"
	f("GET", "user_id/user-1", "", 401, "unauthorized")
	f("GET", nobody, "Bearer nonsense-of-some-length", 401, "unauthorized")
	f("POST", "user_id/user-1", bearer, 405, "method-not-allowed")
	f("DELETE", nobody, bearer, 405, "method-not-allowed")
	f("GET", nobody, bearer, 404, "unknown-profile")
	f("GET", "user_id/user-99", bearer, 404, "unknown-identifier")
	f("GET", "user_id/a%2Fb%2F%2Fc", bearer, 404, "unknown-identifier")
	f("GET", "user_id/null", bearer, 422, "names-nobody")
	f("GET", "email/nonsense", bearer, 422, "names-nobody")
	f("GET", "user_id", bearer, 400, "bad-request")
	f("GET", "user_id/%20", bearer, 400, "bad-request")
	f("GET", "user_id/user-1?explain=perhaps", bearer, 400, "bad-request")
	f("GET", "user_id/user-1?as_of=now", bearer, 400, "bad-request")
	f("GET", "user_id/user-1/orders", bearer, 404, "not-found")
}

// profileCommands runs the commands as an analyst types them.
func (s *stand) profileCommands(alias, living string) {
	t := s.t
	t.Helper()
	c := &s.settings.ClickHouse
	connect := []string{"--clickhouse.addr", c.Addr, "--clickhouse.database", c.Database, "--identity.key", s.settings.Identity.Key}
	f := prompt{t, "profile", connect}.run
	f("show email:customer-17@example.com", exitDone, "profile  ", living, "repeat since 2026-09-05", "BOOT-1", "129.9 USD, 64.95 an order", "store S-1")
	f("show "+alias, exitDone, living, "was "+alias+" until 2026-09-05")
	f("explain "+living, exitDone, "rfm, version 1: fifth of the buyers", "events message_open, machines", "model rfm", "source")
	var fromHTTP, fromCommand any
	ask := apiServer(t, &s.settings, t.Output())
	_, _, answer := ask("GET", "/v1/profiles/"+living+"?explain=true", "Bearer "+testToken, "")
	if err := json.Unmarshal([]byte(answer), &fromHTTP); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(f("explain --json user_id:user-1", exitDone)), &fromCommand); err != nil || fmt.Sprint(fromHTTP) != fmt.Sprint(fromCommand) {
		t.Errorf("HTTP and the command give different answers: %v\n%v\n%v", err, fromHTTP, fromCommand)
	}
	f("show 0192f0c1-7a52-7f5e-8f00-112233445566", exitFailed, "no profile has this id")
	f("explain user_id:user-99", exitFailed, "is unknown")
	f("show", exitUsage, "needs one person")
	f("show user-1", exitUsage, "NAMESPACE:VALUE")
	f("frobnicate", exitUsage, "unknown command", "seamline profile explain")
}

// TestEndToEndProfileOfNobody: what is quarantined, or is evidence, names nobody.
func TestEndToEndProfileOfNobody(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.create()
	s.settings.HTTPToken = testToken
	s.publish(identifies(1, `"anonymousId":"kiosk-tablet"`), identifies(2, `"anonymousId":"kiosk-tablet","userId":"u-1"`),
		message(schemas.FeedPOS, start, `{"receipt_id":"R-1","store_id":"S-1","time":"`+start.Format(time.RFC3339)+`","type":"sale","currency":"USD","customer":{"user_id":"u-1"},"lines":[{"line_id":"1","sku":"A","quantity":1,"unit_price":"5","total":"5"}],
			"tenders":[{"type":"card","amount":"5","brand":"visa","bin":"411111","last4":"1111"}],"total":"5"}`))
	if _, err := publishOrder(t.Context(), &s.settings.Kafka, orderOf(t, "q1", "quarantine", "anonymous_id:kiosk-tablet", "")); err != nil {
		t.Fatal(err)
	}
	s.run(nil)
	s.run(nil) // the command may have been taken before the events
	ask := apiServer(t, &s.settings, t.Output())
	f := func(path, value, why string) {
		t.Helper()
		status, _, answer := ask("GET", "/v1/profiles/"+path+url.PathEscape(value), "Bearer "+testToken, "")
		if status != 422 || !strings.Contains(answer, "names-nobody") || !strings.Contains(answer, why) || strings.Contains(answer, value) {
			t.Errorf("%s: got %d, %s", why, status, answer)
		}
	}
	f("anonymous_id/", "kiosk-tablet", "quarantined")
	f("card_weak/", "411111/1111/visa", "evidence")
}
