package shoppers

import (
	"encoding/json"
	"math/big"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
)

// reader is the plainest possible consumer: it reads every record as JSON, believes the first of each event id,
// and sums in exact arithmetic. It knows the formats but nothing of the generator.
type reader struct {
	t           *testing.T
	seen        map[string]bool
	events      []read
	duplicates  int
	training    int
	refused     map[string]map[string]int // topic, reason: records that are marked as broken
	formats     map[string]int
	parent      map[string]string // identifiers tied together by records
	placeholder map[string]bool
	fillers     map[string]int // placeholders that were dropped
}

// read is one event as the reader understands it.
type read struct {
	id, format, channel string
	ids                 []string // namespace and value
	kind                string   // order, refund, or empty
	net                 *big.Rat
	at                  time.Time
	sku                 string // of cart events
	quantity            int    // into the cart, or out of it
}

type object = map[string]any

func newReader(t *testing.T) *reader {
	return &reader{t: t, seen: map[string]bool{}, refused: map[string]map[string]int{}, formats: map[string]int{}, parent: map[string]string{},
		fillers: map[string]int{},
		placeholder: map[string]bool{
			"user_id null": true, "user_id undefined": true, "user_id anonymous": true, "email test@test.com": true,
			"anonymous_id 00000000-0000-0000-0000-000000000000": true, "device_id 00000000-0000-0000-0000-000000000000": true,
			"phone 0000000": true, "email none@none.com": true, "email noemail@noemail.com": true, "email nomail@nomail.example": true,
			"email x@x.example": true, "email asdf@asdf.example": true,
		}}
}

func (r *reader) consume(record Record) {
	r.t.Helper()
	if string(record.Key) == "broken" {
		return
	}
	value := record.Value
	if value[0] == 0 {
		value = value[frameLength:]
	}
	var parsed any
	decoder := json.NewDecoder(strings.NewReader(string(value)))
	decoder.UseNumber()
	if err := decoder.Decode(&parsed); err != nil || decoder.More() {
		r.t.Fatalf("%s record is no JSON value: %v\n%s", record.Topic, err, value)
	}
	switch record.Topic {
	case TopicClickstream:
		for _, e := range elements(parsed) {
			r.segment(e, "segment/")
		}
	case TopicEmail:
		for _, e := range elements(parsed) {
			r.mail(e)
		}
	case TopicPOS:
		r.till(parsed.(object))
	}
}

// elements takes arrays and batches apart.
func elements(v any) []object {
	if o, ok := v.(object); ok {
		batch, ok := o["batch"]
		if !ok {
			return []object{o}
		}
		v = batch
	}
	var all []object
	for _, e := range v.([]any) {
		all = append(all, e.(object))
	}
	return all
}

func (r *reader) accept(e read) {
	if r.seen[e.format+e.id] {
		r.duplicates++
		return
	}
	r.seen[e.format+e.id] = true
	r.formats[e.format]++
	e.ids = r.tie(e.ids)
	r.events = append(r.events, e)
}

// tie drops placeholders and joins the others.
func (r *reader) tie(ids []string) []string {
	var kept []string
	for _, id := range ids {
		namespace, value, _ := strings.Cut(id, " ")
		switch {
		case value == "" || r.placeholder[id] || strings.HasSuffix(id, "@shop.example.com") || strings.HasPrefix(id, "loyalty_id LC00STAFF"):
			r.fillers[id]++
			continue
		case namespace == "email":
			id = "email " + strings.ToLower(strings.TrimSpace(value))
		case namespace == "phone":
			id = "phone " + plainPhone(value)
		}
		kept = append(kept, id)
	}
	return kept
}

func plainPhone(s string) string {
	digits := strings.Map(func(c rune) rune {
		if unicode.IsDigit(c) {
			return c
		}
		return -1
	}, s)
	if strings.HasPrefix(s, "+") {
		return "+" + digits
	}
	return "+1" + digits
}

// walk walks down an object.
func walk(o object, path ...string) any {
	var v any = o
	for _, p := range path {
		inner, ok := v.(object)
		if !ok {
			return nil
		}
		v = inner[p]
	}
	return v
}

func text(o object, path ...string) string {
	switch v := walk(o, path...).(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return ""
}

func rat(s string) *big.Rat {
	v, ok := new(big.Rat).SetString(s)
	if !ok {
		panic("no number: " + s)
	}
	return v
}

func (r *reader) segment(o object, prefix string) {
	name := text(o, "event")
	if name == "" {
		name = text(o, "type")
	}
	at := func(field string) time.Time {
		when, err := time.Parse(time.RFC3339, text(o, field))
		if err != nil {
			r.t.Fatalf("%s of %s: %v", field, name, err)
		}
		return when
	}
	if name == "merge" {
		prefix = "rudderstack/"
	}
	e := read{id: text(o, "messageId"), format: prefix + name, channel: "web"}
	e.ids = []string{"anonymous_id " + text(o, "anonymousId"), "user_id " + text(o, "userId"), "device_id " + text(o, "context", "device", "id"),
		"email " + text(o, "traits", "email"), "phone " + text(o, "traits", "phone"), "email " + text(o, "context", "traits", "email"),
		"email " + text(o, "properties", "email"), "anonymous_id " + text(o, "previousId")}
	if walk(o, "context", "device") != nil {
		e.channel = "app"
	}
	if o["originalTimestamp"] != nil {
		e.at = at("receivedAt").Add(at("originalTimestamp").Sub(at("sentAt")))
	}
	if o["timestamp"] != nil {
		if corrected := at("timestamp"); o["originalTimestamp"] != nil && !corrected.Equal(e.at) {
			r.t.Fatalf("timestamp of %s is %v, its other times give %v", name, corrected, e.at)
		}
		e.at = at("timestamp")
	}
	merges, _ := o["mergeProperties"].([]any)
	for _, m := range merges {
		namespace := map[string]string{"email": "email", "mobile": "phone"}[text(m.(object), "type")]
		e.ids = append(e.ids, namespace+" "+text(m.(object), "value"))
	}
	switch name {
	case "Product Added", "Product Removed":
		e.sku, e.quantity = text(o, "properties", "sku"), int(rat(text(o, "properties", "quantity")).Num().Int64())
		if name == "Product Removed" {
			e.quantity = -e.quantity
		}
	case "Order Completed":
		e.kind, e.net = "order", rat(text(o, "properties", "revenue"))
	case "Order Refunded":
		e.kind, e.net = "refund", rat("-"+text(o, "properties", "revenue"))
	}
	r.accept(e)
}

func (r *reader) mail(o object) {
	e := read{channel: "email"}
	switch {
	case o["sg_event_id"] != nil:
		name := map[string]string{"processed": "sent", "bounce": "bounced", "spamreport": "complained", "unsubscribe": "unsubscribed"}[text(o, "event")]
		if name == "" {
			name = text(o, "event")
		}
		if o["sg_machine_open"] == true {
			name = "machine open"
		}
		e.id, e.format, e.ids = text(o, "sg_event_id"), "sendgrid/"+name, []string{"email " + text(o, "email")}
	case o["event-data"] != nil:
		d := o["event-data"].(object)
		name := map[string]string{"accepted": "sent", "opened": "open", "clicked": "click"}[text(d, "event")]
		switch {
		case text(d, "severity") == "permanent":
			name = "bounced"
		case text(d, "severity") == "temporary":
			name = "deferred"
		case text(d, "client-info", "bot") != "":
			name = "machine open"
		case name == "":
			name = text(d, "event")
		}
		e.id, e.format, e.ids = text(d, "id"), "mailgun/"+name, []string{"email " + text(d, "recipient")}
	case o["RecordType"] != nil:
		e = postmark(o)
	case o["Type"] == "Notification":
		var inner object
		if err := json.Unmarshal([]byte(text(o, "Message")), &inner); err != nil {
			r.t.Fatalf("message inside SNS: %v", err)
		}
		e = ses(inner)
		e.id, e.format = text(o, "MessageId"), "ses-sns/"+e.format
	case o["eventType"] != nil:
		e = ses(o)
		e.format = "ses/" + e.format
	case o["ts_epoch"] != nil:
		name := strings.TrimPrefix(text(o, "event"), "unique_")
		if n := map[string]string{"request": "sent", "hard_bounce": "bounced", "proxy_open": "machine open", "opened": "open",
			"unsubscribe": "unsubscribed", "spam": "complained"}[name]; n != "" {
			name = n
		}
		e.id, e.format = text(o, "message-id")+name+text(o, "ts_epoch"), "brevo/"+name
		e.ids = []string{"email " + text(o, "email")}
	default:
		name := map[string]string{"Email Delivered": "delivered", "Email Bounced": "bounced", "Email Opened": "open", "Email Link Clicked": "click",
			"Unsubscribed": "unsubscribed", "Email Marked as Spam": "complained"}[text(o, "event")]
		e.id, e.format = text(o, "messageId"), "segment-email/"+name
		e.ids = []string{"user_id " + text(o, "userId"), "email " + text(o, "context", "traits", "email")}
	}
	r.accept(e)
}

func postmark(o object) read {
	name := map[string]string{"Delivery": "delivered", "Bounce": "bounced", "Open": "open", "Click": "click",
		"SubscriptionChange": "unsubscribed", "SpamComplaint": "complained"}[text(o, "RecordType")]
	if name == "open" && text(o, "UserAgent") == "Mozilla/5.0" {
		name = "machine open"
	}
	times := text(o, "DeliveredAt") + text(o, "BouncedAt") + text(o, "ReceivedAt") + text(o, "ChangedAt")
	return read{id: text(o, "MessageID") + name + times, format: "postmark/" + name,
		ids: []string{"email " + text(o, "Recipient"), "email " + text(o, "Email")}}
}

func ses(o object) read {
	kind := text(o, "eventType")
	name := map[string]string{"Send": "sent", "DeliveryDelay": "deferred", "Delivery": "delivered", "Bounce": "bounced", "Open": "open",
		"Click": "click", "Subscription": "unsubscribed", "Complaint": "complained"}[kind]
	detail, _ := o[map[string]string{"DeliveryDelay": "deliveryDelay"}[kind]].(object)
	if detail == nil {
		detail, _ = o[strings.ToLower(kind)].(object)
	}
	if kind == "Open" && text(detail, "userAgent") == "Mozilla/5.0" {
		name = "machine open"
	}
	return read{id: text(o, "mail", "messageId") + name + text(detail, "timestamp"), format: name,
		ids: []string{"email " + walk(o, "mail", "destination").([]any)[0].(string)}}
}

func (r *reader) till(o object) {
	switch {
	case o["receipt_id"] != nil:
		if o["training"] == true {
			r.training++
			return
		}
		e := read{id: text(o, "receipt_id"), at: r.time("2006-01-02T15:04:05Z07:00", text(o, "time")), format: "seamline/" + text(o, "type"), channel: "store", kind: "order", ids: []string{
			"loyalty_id " + text(o, "customer", "loyalty_id"), "user_id " + text(o, "customer", "user_id"),
			"email " + text(o, "customer", "email"), "phone " + text(o, "customer", "phone"),
			"card " + text(o["tenders"].([]any)[0].(object), "card_fingerprint")}}
		e.net = rat(text(o, "total"))
		e.net.Sub(e.net, rat(text(o, "tax")))
		r.signed(&e, text(o, "type") != "sale")
	case o["merchant_id"] != nil:
		r.square(walk(o, "data", "object", "order").(object))
	case o["register_sale_products"] != nil:
		e := read{id: text(o, "id"), at: r.time("2006-01-02 15:04:05", text(o, "sale_date")), format: "lightspeed/sale", channel: "store", kind: "order", net: rat(text(o, "total_price")), ids: []string{
			"email " + text(o, "customer", "contact", "email"), "phone " + text(o, "customer", "contact", "mobile")}}
		if text(o, "return_for") != "" {
			e.format, e.kind = "lightspeed/return", "refund"
		}
		r.accept(e)
	case o["refund_line_items"] != nil:
		net := new(big.Rat)
		for _, l := range o["refund_line_items"].([]any) {
			net.Add(net, rat(text(l.(object), "subtotal")))
		}
		r.accept(read{id: text(o, "id"), format: "shopify/refund", channel: "store", kind: "refund", net: net.Neg(net)})
	default:
		if o["test"] == true {
			r.training++
			return
		}
		r.accept(read{id: text(o, "id"), at: r.time(time.RFC3339, text(o, "processed_at")), format: "shopify/order", channel: "store", kind: "order", net: rat(text(o, "subtotal_price")),
			ids: []string{"email " + text(o, "email"), "phone " + text(o, "phone")}})
	}
}

func (r *reader) time(layout, s string) time.Time {
	at, err := time.Parse(layout, s)
	if err != nil {
		r.t.Fatal(err)
	}
	return at
}

// signed turns an amount around when it takes a sale back.
func (r *reader) signed(e *read, back bool) {
	if back {
		e.kind = "refund"
		e.net.Neg(e.net)
	}
	r.accept(*e)
}

func (r *reader) square(o object) {
	e := read{id: text(o, "id"), at: r.time(time.RFC3339, text(o, "closed_at")), format: "square/sale", channel: "store", kind: "order"}
	minor := func(path ...string) int64 {
		n, err := strconv.ParseInt(text(o, path...), 10, 64)
		if err != nil {
			r.t.Fatalf("square amount %v: %v", path, err)
		}
		return n
	}
	e.net = big.NewRat(minor("net_amounts", "total_money", "amount")-minor("net_amounts", "tax_money", "amount"), 100)
	if o["returns"] != nil {
		e.format, e.kind = "square/return", "refund"
	}
	if tenders, ok := o["tenders"].([]any); ok {
		e.ids = []string{"card " + text(tenders[0].(object), "card_details", "card", "fingerprint")}
	}
	r.accept(e)
}
