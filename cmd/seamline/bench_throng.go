package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	producer "github.com/seamline/seamline/sinks/kafka"
)

// throngSeed makes the same throng each time.
const throngSeed = 1

// throng is people of whom nothing is known but their identifiers, and who view pages.
type throng struct {
	each  int // identifiers of one person, up to 4
	known int // people
	sent  int64
	start time.Time
	rng   *rand.Rand
}

func newThrong(each int) *throng {
	now := time.Now().UTC()
	return &throng{each: each, start: time.Date(now.Year(), now.Month()-1, 8, 0, 0, 0, 0, time.UTC), rng: rand.New(rand.NewPCG(throngSeed, throngSeed))}
}

// any gives somebody who is known.
func (c *throng) any() int { return c.rng.IntN(c.known) }

// meet sends the first event of somebody new.
func (c *throng) meet(send func([]byte, time.Time) error) error {
	c.known++
	return c.again(c.known-1, send)
}

// again sends an event of somebody: a page view with all of the person's identifiers, a millisecond after the event before.
func (c *throng) again(who int, send func([]byte, time.Time) error) error {
	at := c.start.Add(time.Duration(c.sent) * time.Millisecond)
	c.sent++
	call := fmt.Appendf(make([]byte, 0, 400), `{"type":"page","messageId":"m-%d","anonymousId":"visitor-%d"`, c.sent, who)
	if c.each > 1 {
		call = fmt.Appendf(call, `,"userId":"account-%d"`, who)
	}
	call = append(call, `,"context":{"library":{"name":"analytics.js"},"page":{"path":"/","url":"https://shop.example.com/"}`...)
	if c.each > 2 {
		call = fmt.Appendf(call, `,"traits":{"email":"customer-%d@example.com"}`, who)
	}
	if c.each > 3 {
		call = fmt.Appendf(call, `,"device":{"id":"device-%d"}`, who)
	}
	call = at.AppendFormat(append(call, `},"timestamp":"`...), "2006-01-02T15:04:05.000Z")
	return send(append(call, `"}`...), at)
}

// publishCalls fills a topic of single calls with what make sends.
func (b *benchRun) publishCalls(ctx context.Context, d *dataset, partitions int, fill func(send func([]byte, time.Time) error) error) error {
	if err := b.createTopics(ctx, d, partitions); err != nil {
		return err
	}
	publisher, err := openPublisher(&b.settings.Kafka)
	if err != nil {
		return err
	}
	defer publisher.Close()
	topic := d.names()[0]
	err = fill(func(value []byte, at time.Time) error {
		return publisher.Publish(ctx, producer.Message{Topic: topic, Value: value, Time: at})
	})
	if err != nil {
		return err
	}
	if err := publisher.Flush(ctx); err != nil {
		return err
	}
	d.records, d.bytes = publisher.Published()
	return ctx.Err()
}
