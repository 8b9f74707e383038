package main

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strconv"

	"github.com/seamline/seamline/schemas"
)

// What the people of the scoring part do.
const (
	crowdSeed       = 1
	crowdSKUs       = 2_000
	crowdCategories = 40
	crowdBrands     = 60
	crowdTaste      = 5          // categories that one person looks at
	crowdVisit      = 8          // events of one visit, on average
	crowdEvents     = 6          // events per person and day
	crowdBuffer     = scoreChunk // of what came before nothing is read again
)

// scoreGraph says that every leaf is a person of its own.
type scoreGraph struct{}

func (scoreGraph) Profile(p uint32) (id schemas.ProfileID, merged schemas.Time) {
	binary.BigEndian.PutUint32(id[:], p)
	id[15] = 1
	return id, 0
}
func (scoreGraph) Leaves(p uint32, f func(leaf uint32)) { f(p) }
func (scoreGraph) Owner(leaf uint32) uint32             { return leaf }
func (scoreGraph) Count(p *schemas.Profile)             { p.UserIDs, p.Identifiers = p.Index%2, 2 }

// scoreCrowd draws events of people who come in visits of some eight events and look at products of their own few categories.
type scoreCrowd struct {
	rng                     *rand.Rand
	people                  int
	pause                   float64 // milliseconds between events
	now                     float64
	clock                   schemas.Time
	active                  []uint32 // who is on a visit; 0 for a place that nobody took yet
	skus, categories, names []string
	events                  [crowdBuffer]schemas.Event
	items                   [crowdBuffer]schemas.Item
	sent                    int
}

func newScoreCrowd(people int) *scoreCrowd {
	c := &scoreCrowd{rng: rand.New(rand.NewPCG(crowdSeed, crowdSeed)), people: people, pause: float64(schemas.Day) / float64(crowdEvents*people),
		now: float64(20_000 * schemas.Day)}
	c.active = make([]uint32, max(1, people/192)) // so that a visit of eight events takes ten minutes
	for i := range crowdSKUs {
		c.skus = append(c.skus, "sku-"+strconv.Itoa(i))
	}
	for i := range crowdCategories {
		c.categories = append(c.categories, "category "+strconv.Itoa(i))
	}
	for i := range crowdBrands {
		c.names = append(c.names, "brand "+strconv.Itoa(i))
	}
	return c
}

func (c *scoreCrowd) anybody() uint32 { return 1 + c.rng.Uint32N(uint32(c.people)) }

// batch draws the next events. They are valid until the next batch.
func (c *scoreCrowd) batch() []*schemas.Event {
	list := make([]*schemas.Event, scoreChunk)
	for i := range list {
		list[i] = c.event()
	}
	return list
}

// product draws a product of one of a person's categories.
func (c *scoreCrowd) product(who uint32) int {
	category := (uint64(who)*0x9E3779B97F4A7C15>>32 + 7*c.rng.Uint64N(crowdTaste)) % crowdCategories
	return int(category) + crowdCategories*c.rng.IntN(crowdSKUs/crowdCategories)
}

func (c *scoreCrowd) event() *schemas.Event {
	i := c.sent % crowdBuffer
	c.sent++
	c.now += 2 * c.pause * c.rng.Float64()
	c.clock = schemas.Time(c.now)
	at := c.rng.IntN(len(c.active))
	if c.active[at] == 0 || c.rng.IntN(crowdVisit) == 0 {
		c.active[at] = c.anybody()
	}
	who := c.active[at]
	sku := c.product(who)
	e, it := &c.events[i], &c.items[i]
	*e = schemas.Event{ID: "e", Source: "bench", Channel: schemas.ChannelWeb, Type: schemas.TypePageView, Time: c.clock, Leaf: who, Profile: who,
		Device: uint64(who)*0x9E3779B97F4A7C15 + 1}
	*it = schemas.Item{SKU: c.skus[sku], Category: c.categories[sku%crowdCategories], Brand: c.names[sku%crowdBrands], Quantity: schemas.DecimalOne,
		UnitPrice: 10 * schemas.DecimalOne, Total: 10 * schemas.DecimalOne, Cost: 6 * schemas.DecimalOne}
	switch n := c.rng.IntN(100); {
	case n < 30:
		e.Type, e.SKU, e.Items = schemas.TypeProductView, it.SKU, c.items[i:i+1]
	case n < 36:
		e.Type, e.SKU, e.Items, e.Quantity = schemas.TypeCartAdd, it.SKU, c.items[i:i+1], schemas.DecimalOne
	case n < 39:
		e.Type, e.OrderID, e.Amount, e.Currency, e.Items = schemas.TypeOrder, fmt.Sprint("o", c.sent), it.Total, "EUR", c.items[i:i+1]
	case n < 48:
		e.Type, e.Channel = schemas.TypeMessageSent, schemas.ChannelEmail
	case n < 51:
		e.Type, e.Channel = schemas.TypeMessageClick, schemas.ChannelEmail
	}
	return e
}
