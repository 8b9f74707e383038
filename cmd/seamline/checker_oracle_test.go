package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"
)

// rawRecord is one record of a topic, as a plain client reads it.
type rawRecord struct {
	feed, topic string
	partition   int32
	offset      int64
	at          time.Time
	key, value  []byte
	headers     map[string]string
}

// position names an element of a record.
func (r *rawRecord) position(element int) string {
	return fmt.Sprintf("%s/%d/%d/%d", r.topic, r.partition, r.offset, element)
}

// rawEvent is what the checker makes of an element of a record.
type rawEvent struct {
	position string
	source   string
	id       string // the producer's own id, unique within the source
	kind     string
	channel  string
	at       time.Time
	names    []string // namespace:value, normalised
	order    string
	revenue  int64 // ten-thousandths
	lines    []string
}

// oracle is what the tables must say, recomputed from the records alone.
type oracle struct {
	records int
	events  map[string]*rawEvent   // by source and id; each is in the tables once
	places  map[string][]string    // positions at which an event was sent, by source and id
	refused map[string]*rawRecord  // by position
	dropped map[string]bool        // positions of what is left out on purpose
	fates   map[string]int         // elements by topic and partition
	ends    map[string]int64       // offset after the last record by topic and partition
	persons map[string]string      // representative by name
	figures map[string]*rawProfile // by representative
	latest  time.Time              // event time
}

// recompute folds the records in canonical order: by time, topic, partition and offset.
func recompute(records []rawRecord) *oracle {
	o := &oracle{events: map[string]*rawEvent{}, places: map[string][]string{}, refused: map[string]*rawRecord{}, dropped: map[string]bool{},
		fates: map[string]int{}, ends: map[string]int64{}, persons: map[string]string{}, figures: map[string]*rawProfile{}}
	slices.SortFunc(records, func(a, b rawRecord) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.topic, b.topic), cmp.Compare(a.partition, b.partition), cmp.Compare(a.offset, b.offset))
	})
	for i := range records {
		o.take(&records[i])
	}
	for _, e := range o.events {
		for _, name := range e.names {
			o.unite(e.names[0], name)
		}
	}
	for _, e := range o.events {
		o.count(e)
	}
	return o
}

// take decides what becomes of each element of a record.
func (o *oracle) take(r *rawRecord) {
	o.records++
	place := fmt.Sprintf("%s/%d", r.topic, r.partition)
	o.ends[place] = max(o.ends[place], r.offset+1)
	events, isDropped := readRecord(r)
	if isDropped {
		o.fates[place]++
		o.dropped[r.position(0)] = true
		return
	}
	if events == nil {
		o.fates[place]++
		o.refused[r.position(0)] = r
		return
	}
	for i := range events {
		e := &events[i]
		o.fates[place]++
		e.position = r.position(i)
		key := e.source + " " + e.id
		o.places[key] = append(o.places[key], e.position)
		if o.events[key] == nil {
			o.events[key] = e
			if e.at.After(o.latest) {
				o.latest = e.at
			}
		}
	}
}

// readRecord understands the few forms that crowd makes. It gives nil for what must be refused.
func readRecord(r *rawRecord) (events []rawEvent, isDropped bool) {
	switch r.feed {
	case "email":
		return readMail(r), false
	case "pos":
		return readReceipt(r)
	default:
		return readCall(r), false
	}
}

var callKinds = map[string]string{"page": "page_view", "identify": "identify", "Product Viewed": "product_view",
	"Product Added": "cart_add", "Order Completed": "order"}

func readCall(r *rawRecord) []rawEvent {
	var c struct {
		Type, Event, MessageID, AnonymousID, UserID string
		Timestamp                                   time.Time
		Traits                                      struct{ Email string }
		Properties                                  struct {
			OrderID  string `json:"order_id"`
			Total    json.Number
			Products []struct {
				SKU   string
				Price json.Number
			}
		}
	}
	if json.Unmarshal(r.value, &c) != nil || c.AnonymousID == "" && c.UserID == "" {
		return nil
	}
	kind := callKinds[c.Type]
	if c.Type == "track" {
		kind = callKinds[c.Event]
	}
	e := rawEvent{source: "segment", id: c.MessageID, kind: kind, channel: "web", at: c.Timestamp, order: c.Properties.OrderID}
	for _, name := range [][2]string{{"user_id", c.UserID}, {"email", c.Traits.Email}, {"anonymous_id", c.AnonymousID}} {
		if name[1] != "" {
			e.names = append(e.names, name[0]+":"+name[1])
		}
	}
	if kind == "order" {
		e.revenue = units(c.Properties.Total.String())
		for _, p := range c.Properties.Products {
			e.lines = append(e.lines, fmt.Sprintf("%s %s 1 %d", c.Properties.OrderID, p.SKU, units(p.Price.String())))
		}
	}
	return []rawEvent{e}
}

var mailKinds = map[string]string{"open": "message_open", "click": "message_click", "delivered": "message_delivered"}

func readMail(r *rawRecord) []rawEvent {
	var hooks []struct {
		Email, Event string
		ID           string `json:"sg_event_id"`
		Timestamp    int64
	}
	if json.Unmarshal(r.value, &hooks) != nil {
		return nil
	}
	var events []rawEvent
	for _, h := range hooks {
		events = append(events, rawEvent{source: "sendgrid", id: h.ID, kind: mailKinds[h.Event], channel: "email",
			at: time.Unix(h.Timestamp, 0), names: []string{"email:" + h.Email}})
	}
	return events
}

func readReceipt(r *rawRecord) (events []rawEvent, isDropped bool) {
	var c struct {
		ID       string `json:"receipt_id"`
		Original string `json:"original_receipt_id"`
		Time     time.Time
		Type     string
		Training bool
		Total    string
		Customer struct {
			Loyalty string `json:"loyalty_id"`
			Email   string
		}
		Lines []struct{ SKU, Total string }
	}
	if json.Unmarshal(r.value, &c) != nil {
		return nil, false
	}
	if c.Training {
		return nil, true
	}
	e := rawEvent{source: "seamline", id: c.ID, kind: "order", channel: "store", at: c.Time, order: c.ID, names: []string{"loyalty_id:" + c.Customer.Loyalty},
		revenue: units(c.Total)}
	sign := int64(1)
	if c.Type == "refund" {
		sign, e.kind, e.order, e.revenue = -1, "refund", c.Original, -e.revenue
	}
	if c.Customer.Email != "" {
		e.names = append(e.names, "email:"+c.Customer.Email)
	}
	for _, l := range c.Lines {
		e.lines = append(e.lines, fmt.Sprintf("%s %s %d %d", e.order, l.SKU, sign, sign*units(l.Total)))
	}
	return []rawEvent{e}, false
}

// units gives an amount in ten-thousandths.
func units(text string) int64 {
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		return 0
	}
	r.Mul(r, big.NewRat(10_000, 1))
	return r.Num().Int64() / r.Denom().Int64()
}

// find gives the representative of a name.
func (o *oracle) find(name string) string {
	for o.persons[name] != "" && o.persons[name] != name {
		name = o.persons[name]
	}
	if o.persons[name] == "" {
		o.persons[name] = name
	}
	return name
}

func (o *oracle) unite(a, b string) {
	a, b = o.find(a), o.find(b)
	o.persons[max(a, b)] = min(a, b)
}

// rawProfile is what the profiles table must say of a person.
type rawProfile struct {
	numbers             map[string]int64
	firstSeen, lastSeen time.Time
	firstOrder          time.Time
	lastOrder           time.Time
	days                map[string]bool
	names               map[string]bool
}

// count adds an event to the figures of its person.
func (o *oracle) count(e *rawEvent) {
	who := o.find(e.names[0])
	p := o.figures[who]
	if p == nil {
		p = &rawProfile{numbers: map[string]int64{}, days: map[string]bool{}, names: map[string]bool{}, firstSeen: e.at, lastSeen: e.at}
		o.figures[who] = p
	}
	for _, name := range e.names {
		p.names[name] = true
	}
	p.firstSeen, p.lastSeen = earlier(p.firstSeen, e.at), later(p.lastSeen, e.at)
	p.numbers["events"]++
	p.numbers[e.channel+"_events"]++
	p.numbers["revenue"] += e.revenue
	switch e.kind {
	case "order":
		p.numbers["orders"]++
		p.numbers[map[string]string{"web": "online_orders", "store": "store_orders"}[e.channel]]++
		p.days[e.at.UTC().Format(time.DateOnly)] = true
		if p.firstOrder.IsZero() {
			p.firstOrder = e.at
		}
		p.firstOrder, p.lastOrder = earlier(p.firstOrder, e.at), later(p.lastOrder, e.at)
	case "refund":
		p.numbers["refunds"]++
	case "product_view":
		p.numbers["product_views"]++
	case "message_open":
		p.numbers["email_opens"]++
	case "message_click":
		p.numbers["email_clicks"]++
	case "message_delivered":
		p.numbers["email_delivered"]++
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// figureColumns says how a figure is read from the profiles table, as an integer.
var figureColumns = map[string]string{
	"events": "toInt64(events)", "orders": "orders", "refunds": "refunds", "revenue": "toInt64(revenue * 10000)", "product_views": "toInt64(product_views)",
	"email_opens": "toInt64(email_opens)", "email_clicks": "toInt64(email_clicks)", "email_delivered": "toInt64(email_delivered)",
	"online_orders": "online_orders", "store_orders": "store_orders", "web_events": "toInt64(channel_events['web'])",
	"email_events": "toInt64(channel_events['email'])", "store_events": "toInt64(channel_events['store'])", "purchase_days": "toInt64(purchase_days)",
	"user_ids": "toInt64(user_ids)", "loyalty_ids": "toInt64(loyalty_ids)", "emails": "toInt64(emails)", "anonymous_ids": "toInt64(anonymous_ids)",
	"first_seen": "toUnixTimestamp64Milli(first_seen)", "last_seen": "toUnixTimestamp64Milli(last_seen)",
	"first_order": "toUnixTimestamp64Milli(first_order)", "last_order": "toUnixTimestamp64Milli(last_order)",
}

// figure gives what the profiles table must say under a name.
func (p *rawProfile) figure(name string) int64 {
	millis := func(t time.Time) int64 {
		if t.IsZero() {
			return 0
		}
		return t.UnixMilli()
	}
	namespace, counts := strings.CutSuffix(name, "s")
	if counts && slices.Contains([]string{"user_id", "loyalty_id", "email", "anonymous_id"}, namespace) {
		n := int64(0)
		for name := range p.names {
			if strings.HasPrefix(name, namespace+":") {
				n++
			}
		}
		return n
	}
	switch name {
	case "first_seen":
		return millis(p.firstSeen)
	case "last_seen":
		return millis(p.lastSeen)
	case "first_order":
		return millis(p.firstOrder)
	case "last_order":
		return millis(p.lastOrder)
	case "purchase_days":
		return int64(len(p.days))
	}
	return p.numbers[name]
}
