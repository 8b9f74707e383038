package pipeline_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/seamline/seamline/schemas"
)

// fact is what the simulation knows of one event, apart from anything that Seamline makes of it.
type fact struct {
	id          string
	identifiers []string // namespace:value
	order       string   // empty for events that are no trade
	kind        string   // order, refund, cancel; empty for others
	amount      schemas.Decimal
}

// place is where an event stands.
type place struct {
	partition int32
	offset    int64
	element   int
}

// message is one record of the topic.
type message struct {
	at        time.Duration // when it is published, after the start
	stamp     time.Duration // its timestamp, after the start, where the producer sets it
	partition int32
	offset    int64 // filled when it is published
	value     string
	events    []*fact
	isBroken  bool
}

// traffic is everything that is published.
type traffic struct {
	messages  []*message // in the order in which they are published
	hasShared bool       // devices are shared between people, so that identity depends on the order of events
}

// shopper is one person and what names them.
type shopper struct {
	number  int
	devices []string
	isKnown bool
	orders  []*fact
	seen    int // events so far
}

// maker makes traffic.
type maker struct {
	rng    *rand.Rand
	start  time.Time
	span   time.Duration
	number int
}

func makeTraffic(rng *rand.Rand, start time.Time, span time.Duration, partitions int) *traffic {
	m := &maker{rng: rng, start: start, span: span}
	t := &traffic{hasShared: rng.IntN(4) == 0}
	hasCommands := rng.IntN(4) == 0 // of operators: who is who depends on them
	t.hasShared = t.hasShared || hasCommands
	people := make([]*shopper, 2+rng.IntN(7))
	for i := range people {
		people[i] = &shopper{number: i + 1, isKnown: rng.IntN(3) > 0}
		for k := range 1 + rng.IntN(3) {
			people[i].devices = append(people[i].devices, fmt.Sprintf("device-%d-%d", i+1, k+1))
		}
		if t.hasShared {
			people[i].devices = append(people[i].devices, "device-of-all")
		}
	}
	for range 20 + rng.IntN(100) {
		at := time.Duration(rng.Int64N(int64(span)))
		msg := &message{at: at, partition: int32(rng.IntN(partitions))}
		switch n := rng.IntN(40); {
		case hasCommands && n >= 36:
			msg.value = m.command(people[rng.IntN(len(people))])
		case n == 0:
			msg.value, msg.isBroken = fmt.Sprintf(`{"type":"track","messageId":"broken-%d"`, at), true
		case n == 1 && len(t.messages) > 0:
			// The same again, from a producer that was not sure.
			again := t.messages[rng.IntN(len(t.messages))]
			msg.value, msg.events, msg.isBroken = again.value, again.events, again.isBroken
		case n < 5:
			var parts []string
			for range 2 + rng.IntN(3) {
				value, f := m.event(people[rng.IntN(len(people))], at)
				parts, msg.events = append(parts, value), append(msg.events, f)
			}
			msg.value = "[" + strings.Join(parts, ",") + "]"
		default:
			value, f := m.event(people[rng.IntN(len(people))], at)
			msg.value, msg.events = value, []*fact{f}
		}
		t.messages = append(t.messages, msg)
	}
	t.arrange(rng)
	return t
}

// arrange sorts the messages by when they are published, and gives them timestamps, some of which go back.
func (t *traffic) arrange(rng *rand.Rand) {
	rng.Shuffle(len(t.messages), func(i, j int) { t.messages[i].at, t.messages[j].at = t.messages[j].at, t.messages[i].at })
	sorted(t.messages, func(a, b *message) bool { return a.at < b.at })
	for i, m := range t.messages {
		m.at += time.Duration(i) // no two at the same time
		m.stamp = m.at
		if rng.IntN(8) == 0 {
			m.stamp -= time.Duration(rng.Int64N(int64(2 * time.Second)))
		}
	}
}

// event gives an event and what is known of it. Its time is near the time of publication, sometimes late, seldom early.
func (m *maker) event(p *shopper, at time.Duration) (string, *fact) {
	m.number++
	p.seen++
	at -= time.Duration(m.rng.Int64N(int64(time.Second)))
	switch m.rng.IntN(12) {
	case 0:
		at -= time.Duration(m.rng.Int64N(int64(3 * time.Hour)))
	case 1:
		at += time.Duration(m.rng.Int64N(int64(time.Minute)))
	}
	f := &fact{id: fmt.Sprintf("event-%d", m.number)}
	head := fmt.Sprintf(`"messageId":"%s","timestamp":"%s"`, f.id, m.start.Add(at).UTC().Format("2006-01-02T15:04:05.000Z"))
	if kind := m.rng.IntN(24); kind < 2 && len(p.orders) > 0 {
		return m.takeBack(head, f, p.orders[m.rng.IntN(len(p.orders))], kind == 0), f
	}
	device := p.devices[m.rng.IntN(len(p.devices))]
	f.identifiers = append(f.identifiers, "anonymous_id:"+device)
	head += fmt.Sprintf(`,"anonymousId":"%s"`, device)
	if p.number%2 == 0 && m.rng.IntN(4) == 0 {
		head += fmt.Sprintf(`,"groupId":"company-%d"`, m.rng.IntN(2))
	}
	if p.isKnown && m.rng.IntN(3) == 0 {
		user := fmt.Sprintf("customer-%d", p.number)
		f.identifiers = append(f.identifiers, "user_id:"+user)
		head += fmt.Sprintf(`,"userId":"%s"`, user)
		if m.rng.IntN(3) == 0 {
			email := user + "@example.com"
			f.identifiers = append(f.identifiers, "email:"+email)
			return fmt.Sprintf(`{"type":"identify",%s,"traits":{"email":"%s"}}`, head, email), f
		}
	}
	return m.act(head, f, p), f
}

// command gives what an operator asks about somebody.
func (m *maker) command(p *shopper) string {
	m.number++
	device := fmt.Sprintf(`{"namespace":"anonymous_id","value":"%s"}`, p.devices[m.rng.IntN(len(p.devices))])
	user := fmt.Sprintf(`{"namespace":"user_id","value":"customer-%d"}`, p.number)
	kind := []string{"retract", "retract", "quarantine", "release", "release", "erase"}[m.rng.IntN(6)]
	rest := ""
	if kind == "retract" {
		rest = fmt.Sprintf(`,"b":%s,"forbid":%t`, user, m.rng.IntN(3) == 0)
	} else if m.rng.IntN(4) == 0 {
		device = user
	}
	return fmt.Sprintf(`{"id":"command-%d","kind":"%s","a":%s%s,"reason":"a test"}`, m.number, kind, device, rest)
}

// commands tells the commands of operators, which here are in the topic of everything else, from the rest.
type commands struct{ orders, rest schemas.Decoder }

func (c commands) Name() string { return c.rest.Name() }

func (c commands) Decode(r *schemas.Record, value []byte, out *schemas.Decoded) {
	if bytes.HasPrefix(value, []byte(`{"id":"command-`)) {
		c.orders.Decode(r, value, out)
		return
	}
	c.rest.Decode(r, value, out)
}

// act gives what somebody does in a shop.
func (m *maker) act(head string, f *fact, p *shopper) string {
	sku := fmt.Sprintf("sku-%d", m.rng.IntN(9))
	switch m.rng.IntN(6) {
	case 0:
		return fmt.Sprintf(`{"type":"page",%s,"properties":{"url":"https://shop.example.com/%s"}}`, head, sku)
	case 1, 2:
		return fmt.Sprintf(`{"type":"track",%s,"event":"Product Added","properties":{"sku":"%s","price":5,"quantity":%d}}`, head, sku, 1+m.rng.IntN(3))
	case 3:
		return fmt.Sprintf(`{"type":"track",%s,"event":"Product Removed","properties":{"sku":"%s","quantity":1}}`, head, sku)
	case 4:
		f.kind, f.order = "order", fmt.Sprintf("order-%d", m.number)
		f.amount = schemas.Decimal(1+m.rng.Int64N(50_000)) * schemas.DecimalOne / 100
		p.orders = append(p.orders, f)
		return fmt.Sprintf(`{"type":"track",%s,"event":"Order Completed","properties":{"order_id":"%s","total":%s,"currency":"EUR"}}`, head, f.order, f.amount)
	}
	return fmt.Sprintf(`{"type":"track",%s,"event":"Product Viewed","properties":{"sku":"%s","price":5}}`, head, sku)
}

// takeBack gives a refund of a part of an order, or its end, by whoever bought.
func (m *maker) takeBack(head string, f, sale *fact, isCancel bool) string {
	f.order, f.identifiers = sale.order, sale.identifiers
	for _, i := range sale.identifiers {
		namespace, value, _ := strings.Cut(i, ":")
		key := map[string]string{"anonymous_id": "anonymousId", "user_id": "userId"}[namespace]
		head += fmt.Sprintf(`,"%s":"%s"`, key, value)
	}
	if isCancel {
		f.kind = "cancel"
		return fmt.Sprintf(`{"type":"track",%s,"event":"Order Cancelled","properties":{"order_id":"%s"}}`, head, f.order)
	}
	f.kind, f.amount = "refund", sale.amount/3+1
	return fmt.Sprintf(`{"type":"track",%s,"event":"Order Refunded","properties":{"order_id":"%s","total":%s,"currency":"EUR"}}`, head, f.order, f.amount)
}
