package score

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seamline/seamline/schemas"
)

// processorTime is what the process has used so far, in user mode and in the kernel.
func processorTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// traffic draws events of people who come in sessions of some eight events, a thousand at a time.
type traffic struct {
	rng    *rand.Rand
	people uint32
	active [1000]uint32
	clock  schemas.Time
	events [4096]schemas.Event
	items  [4096]schemas.Item
	next   int
}

var (
	skuNames      = names1(2000, "sku-%d")
	categoryNames = names1(40, "category %d")
	brandNames    = names1(60, "brand %d")
)

func names1(n int, form string) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf(form, i)
	}
	return list
}

func (c *traffic) event() *schemas.Event {
	i := c.next % len(c.events)
	c.next++
	c.clock += schemas.Time(1 + c.rng.IntN(200))
	at := c.rng.IntN(len(c.active))
	if c.active[at] == 0 || c.rng.IntN(8) == 0 {
		c.active[at] = 1 + c.rng.Uint32N(c.people)
	}
	leaf, sku := c.active[at], c.rng.IntN(len(skuNames))
	e, it := &c.events[i], &c.items[i]
	*e = schemas.Event{ID: "e", Source: "bench", Channel: schemas.ChannelWeb, Type: schemas.TypePageView, Time: c.clock, Leaf: leaf, Profile: leaf,
		Device: uint64(leaf)*0x9E3779B97F4A7C15 + 1}
	*it = schemas.Item{SKU: skuNames[sku], Category: categoryNames[sku%len(categoryNames)], Brand: brandNames[sku%len(brandNames)], Quantity: schemas.DecimalOne,
		UnitPrice: 10 * schemas.DecimalOne, Total: 10 * schemas.DecimalOne, Cost: 6 * schemas.DecimalOne}
	switch n := c.rng.IntN(100); {
	case n < 50:
		e.Type, e.SKU, e.Items = schemas.TypeProductView, it.SKU, c.items[i:i+1]
	case n < 58:
		e.Type, e.SKU, e.Items, e.Quantity = schemas.TypeCartAdd, it.SKU, c.items[i:i+1], schemas.DecimalOne
	case n < 61:
		e.Type, e.OrderID, e.Amount, e.Currency, e.Items = schemas.TypeOrder, fmt.Sprint("o", c.next), it.Total, "EUR", c.items[i:i+1]
	case n < 75:
		e.Type, e.Channel = schemas.TypeMessageSent, schemas.ChannelEmail
	case n < 80:
		e.Type, e.Channel = schemas.TypeMessageClick, schemas.ChannelEmail
	}
	return e
}

const benchBatch = 4000

func (c *traffic) batch() []*schemas.Event {
	events := make([]*schemas.Event, 0, benchBatch)
	for range benchBatch {
		events = append(events, c.event())
	}
	return events
}

// BenchmarkUpdate measures the update of a person's state by an event, and what time alone does, with as many people as the name says.
func BenchmarkUpdate(b *testing.B) {
	for _, people := range []uint32{100_000, 1_000_000} {
		b.Run(fmt.Sprint("people=", people), func(b *testing.B) {
			cfg := DefaultConfig()
			cfg.FitEvery = 0
			s, c := New(cfg, crowd{}, nil, prometheus.NewRegistry()), &traffic{rng: rand.New(rand.NewPCG(1, 1)), people: people, clock: day0}
			batch, m := &schemas.Batch{Number: 1}, &schemas.Moment{}
			run := func(events []*schemas.Event) {
				batch.Events = events
				if err := s.Begin(batch); err != nil {
					b.Fatal(err)
				}
				for _, e := range events {
					m.Event, m.Clock = e, e.Time
					if err := s.Step(batch, m); err != nil {
						b.Fatal(err)
					}
				}
			}
			for range 6 * people / benchBatch {
				run(c.batch())
			}
			var spent time.Duration
			b.ReportAllocs()
			b.ResetTimer()
			for n := 0; n < b.N; {
				b.StopTimer()
				events := c.batch()
				if n%400_000 == 0 {
					if err := s.Save(discard{}); err != nil {
						b.Fatal(err)
					}
				}
				b.StartTimer()
				begin := processorTime(b)
				run(events)
				spent += processorTime(b) - begin
				n += len(events)
			}
			b.ReportMetric(float64(spent.Nanoseconds())/float64((b.N+benchBatch-1)/benchBatch*benchBatch), "cpu-ns/event")
		})
	}
}

// BenchmarkRow measures a whole row of a profile with all scores.
func BenchmarkRow(b *testing.B) {
	const people = 100_000
	cfg := DefaultConfig()
	cfg.FitEvery = time.Hour
	s, c := New(cfg, crowd{}, nil, prometheus.NewRegistry()), &traffic{rng: rand.New(rand.NewPCG(1, 1)), people: people, clock: day0}
	s.Serve(func(*schemas.Event, schemas.Fields) schemas.Fields { return 0 })
	m := &schemas.Moment{Touched: make([]schemas.Touch, 1)}
	batch := &schemas.Batch{Number: 1}
	for range 6 * people {
		e := c.event()
		m.Event, m.Clock, m.Touched = e, e.Time, append(m.Touched[:0], schemas.Touch{Profile: e.Leaf})
		if err := s.Step(batch, m); err != nil {
			b.Fatal(err)
		}
	}
	*batch = schemas.Batch{Number: 2}
	if err := s.Begin(batch); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	begin := processorTime(b)
	for n := 0; n < b.N; n += 10_000 {
		batch.Touched, batch.Profiles = batch.Touched[:0], batch.Profiles[:0]
		for range 10_000 {
			batch.Touched = append(batch.Touched, schemas.Touch{Profile: 1 + c.rng.Uint32N(people)})
		}
		if err := s.Apply(batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64((processorTime(b)-begin).Nanoseconds())/float64((b.N+9999)/10_000*10_000), "cpu-ns/row")
}
