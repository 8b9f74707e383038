package main

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/seamline/seamline/schemas"
	producer "github.com/seamline/seamline/sinks/kafka"
)

// crowd makes traffic that the checker can recompute by itself: people with several devices, households that share one, sales and
// refunds, records that are refused, dropped, late, or sent twice. No limit of the identity rules is ever reached, so that who is who
// does not depend on the order of events.
type crowd struct {
	rnd    *rand.Rand
	people int
	at     time.Time // record time of the latest message
	made   int
	sales  []sale
	sent   []producer.Message
}

type sale struct{ receipt, customer string }

func newCrowd(rnd *rand.Rand, people int) *crowd {
	return &crowd{rnd: rnd, people: people, at: start}
}

// crowdAudiences are rules that the checker evaluates in SQL: see audienceDefinitions.
const crowdAudiences = `audiences:
  - name: repeat_buyers
    when: orders >= 2
  - name: big_spenders
    when: revenue > 25
  - name: fresh_buyers
    when: within(last_order, "40m")
  - name: idle_carts
    when: cart_quantity > 0 and idle(cart_updated, "20m")
`

// messages gives the next n messages. Record times grow, so that what is published in this order is in canonical order.
func (c *crowd) messages(n int) []producer.Message {
	out := make([]producer.Message, 0, n)
	for range n {
		c.at = c.at.Add(time.Duration(1+c.rnd.IntN(15_000)) * time.Millisecond)
		m := c.message()
		if c.rnd.IntN(15) == 0 && len(c.sent) > 0 {
			m = c.sent[c.rnd.IntN(len(c.sent))] // the same bytes once more
		}
		m.Time = c.at
		c.sent = append(c.sent, m)
		out = append(out, m)
		c.made++
	}
	return out
}

func (c *crowd) message() producer.Message {
	when := c.at
	if c.rnd.IntN(4) == 0 {
		when = when.Add(-time.Duration(c.rnd.IntN(3600)) * time.Second) // late
	}
	p := c.rnd.IntN(c.people)
	switch kind := c.rnd.IntN(20); {
	case kind < 10:
		return c.call(p, when)
	case kind < 13:
		return c.mail(p, when)
	case kind < 18:
		return c.receipt(p, when)
	case kind < 19:
		return message(schemas.FeedPOS, c.at, fmt.Sprintf(`{"receipt_id":"T%d","store_id":"S1","time":"%s","type":"sale","training":true,"currency":"EUR","lines":[],"total":"1.00"}`, c.made, when.Format(time.RFC3339)))
	default:
		return message(schemas.FeedClickstream, c.at, []string{`{"type":"track"`, fmt.Sprintf(`{"type":"page","messageId":"x%d"}`, c.made), "nonsense \x00\xff"}[c.rnd.IntN(3)])
	}
}

// call is a page, a product, a cart, an order or a login on the web. Every third person never logs in, and shares a device with the
// person before.
func (c *crowd) call(p int, when time.Time) producer.Message {
	head := fmt.Sprintf(`"messageId":"m%d","anonymousId":"a%d-%d","timestamp":"%s"`, c.made, p, c.rnd.IntN(3), when.Format(time.RFC3339Nano))
	if p%3 != 0 && c.rnd.IntN(4) == 0 {
		head = fmt.Sprintf(`"messageId":"m%d","anonymousId":"tablet-%d","timestamp":"%s"`, c.made, p/3, when.Format(time.RFC3339Nano))
	}
	if p%3 != 2 && c.rnd.IntN(3) == 0 {
		head += fmt.Sprintf(`,"userId":"u%d"`, p)
	}
	body := ""
	switch c.rnd.IntN(6) {
	case 0, 1:
		body = fmt.Sprintf(`"type":"page","properties":{"path":"/%d"}`, c.made%9)
	case 2:
		body = fmt.Sprintf(`"type":"track","event":"Product Viewed","properties":{"sku":"S%d"}`, c.made%7)
	case 3:
		body = fmt.Sprintf(`"type":"track","event":"Product Added","properties":{"sku":"S%d","price":%d,"quantity":1}`, c.made%7, 1+c.made%5)
	case 4:
		body = fmt.Sprintf(`"type":"track","event":"Order Completed","properties":{"order_id":"W%d","total":%d.25,"currency":"EUR","products":[{"sku":"S%d","price":%d.25,"quantity":1}]}`, c.made, 2+c.made%9, c.made%7, 2+c.made%9)
	case 5:
		body = fmt.Sprintf(`"type":"identify","traits":{"email":"customer-%d@example.com"}`, p)
	}
	return message(schemas.FeedClickstream, c.at, "{"+head+","+body+"}")
}

// mail is one to three things that happened to messages, in one record.
func (c *crowd) mail(p int, when time.Time) producer.Message {
	text := ""
	for i := range 1 + c.rnd.IntN(3) {
		if i > 0 {
			text += ","
		}
		text += fmt.Sprintf(`{"email":"customer-%d@example.com","event":"%s","sg_event_id":"e%d-%d","sg_message_id":"g%d","timestamp":%d}`,
			p, []string{"open", "click", "delivered"}[c.rnd.IntN(3)], c.made, i, c.made, when.Unix())
	}
	return message(schemas.FeedEmail, c.at, "["+text+"]")
}

// receipt is a sale in a shop, or a refund of an earlier one.
func (c *crowd) receipt(p int, when time.Time) producer.Message {
	id, kind, original := fmt.Sprint("R", c.made), "sale", ""
	customer := fmt.Sprintf(`{"loyalty_id":"L%d"}`, p)
	if c.rnd.IntN(2) == 0 {
		customer = fmt.Sprintf(`{"loyalty_id":"L%d","email":"customer-%d@example.com"}`, p, p)
	}
	if c.rnd.IntN(4) == 0 && len(c.sales) > 0 {
		kind = "refund"
		i := c.rnd.IntN(len(c.sales))
		original, customer = fmt.Sprintf(`"original_receipt_id":"%s",`, c.sales[i].receipt), c.sales[i].customer
		c.sales = append(c.sales[:i], c.sales[i+1:]...)
	} else {
		c.sales = append(c.sales, sale{id, customer})
	}
	price := fmt.Sprintf("%d.50", 3+c.made%9)
	return message(schemas.FeedPOS, c.at, fmt.Sprintf(`{"receipt_id":"%s","store_id":"S1","time":"%s","type":"%s",%s"currency":"EUR","customer":%s,"lines":[{"line_id":"1","sku":"S%d","quantity":1,"unit_price":"%s","total":"%s"}],"total":"%s"}`,
		id, when.Format(time.RFC3339), kind, original, customer, c.made%7, price, price, price))
}
