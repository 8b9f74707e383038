package shoppers

import (
	"math"
	"time"
)

// Header is one header of a record.
type Header struct {
	Key   string
	Value []byte
}

// Record is what a producer would send.
type Record struct {
	Topic   string // logical name: clickstream, email, pos, and with feeds catalog, consent or survey
	Key     []byte
	Value   []byte // never written again; the caller may keep it
	Headers []Header
	Time    time.Time // when it is sent; to be used as the broker's timestamp
}

// Logical topic names.
const (
	TopicClickstream = "clickstream"
	TopicEmail       = "email"
	TopicPOS         = "pos"
)

type taskKind uint8

const (
	taskSession  taskKind = iota // ref: 0
	taskVisit                    // ref: 0
	taskMail                     // ref: 0
	taskMailStep                 // ref: index in mails
	taskFlush                    // ref: 0; sends what the SendGrid collector holds
	taskReturn                   // ref: index in sales
	taskVoid                     // ref: index in sales
	taskPickup                   // ref: index in sales
	taskBot                      // ref: number of the bot
	taskSend                     // ref: index in waiting records
	taskCatalog                  // ref: number of the day
	taskConsent                  // ref: 0
	taskSurvey                   // ref: 0
)

// Generator simulates the shoppers. It is for one goroutine.
type Generator struct {
	cfg      Config
	catalog  []product
	shoppers []shopper
	book     ledger

	start, end int64 // milliseconds
	clock      int64 // time of the task at work; nothing is sent before it
	order      uint64
	tasks      heap // what people will do
	outbox     heap // what is built and waits to be sent
	records    slab[Record]
	mails      slab[mail]
	sales      slab[sale]

	arena    []byte // where the bytes of records are carved from
	w        writer // scratch for the record that is built
	session  session
	sendGrid collector
	receipts []int64 // receipts per store so far

	feedTasks, feedRecords uint64 // see feedOrder
}

// New returns a generator for a Config that Validate accepts, and panics for any other.
func New(cfg Config) *Generator {
	if err := cfg.Validate(); err != nil {
		panic("shoppers: " + err.Error())
	}
	g := &Generator{
		cfg: cfg, catalog: newCatalog(), shoppers: make([]shopper, cfg.Shoppers),
		start: cfg.Start.UnixMilli(), end: cfg.Start.Add(cfg.Duration).UnixMilli(),
		receipts: make([]int64, cfg.Stores),
	}
	g.book.init(g)
	for i := range g.shoppers {
		p := g.person(i)
		g.settle(&g.shoppers[i], &p)
		g.schedule(task{at: g.start, who: int32(i), kind: taskSession}, &p)
		g.schedule(task{at: g.start, who: int32(i), kind: taskVisit}, &p)
		g.schedule(task{at: g.start, who: int32(i), kind: taskMail}, &p)
	}
	for bot := range uint64(botCount) {
		g.add(task{at: g.start + int64(bot+1)*botPause/2, ref: bot, who: -1, kind: taskBot})
	}
	g.beginFeeds()
	return g
}

// Next returns the next record in the order of sending, and false when the simulation is over.
func (g *Generator) Next() (Record, bool) {
	for len(g.tasks.items) > 0 && (len(g.outbox.items) == 0 || g.tasks.items[0].at <= g.outbox.items[0].at) {
		t := g.tasks.pop()
		if t.at >= g.end && t.kind != taskFlush {
			g.drop(t)
			continue
		}
		g.run(t)
	}
	if len(g.outbox.items) == 0 {
		return Record{}, false
	}
	t := g.outbox.pop()
	record := g.records.take(t.ref)
	g.book.sent(&record)
	return record, true
}

// breather is the least time between two things that a person does, in milliseconds.
const breather = 30_000

// run does what a task says and schedules the next one of its kind.
func (g *Generator) run(t task) {
	g.clock = t.at
	if t.kind == taskBot {
		g.runBot(t)
		t.at += botPause
		g.add(t)
		return
	}
	if t.kind >= taskCatalog {
		g.runFeed(t)
		return
	}
	if t.kind == taskFlush {
		g.flushSendGrid(t.at)
		return
	}
	p := g.person(int(t.who))
	s := &g.shoppers[t.who]
	if (t.kind == taskSession || t.kind == taskVisit) && t.at <= s.busy {
		t.at = s.busy + breather
		g.add(t)
		return
	}
	r := rng{mix(mix(p.seed, uint64(t.kind)+1), t.order)}
	switch t.kind {
	case taskSession:
		g.runSession(visitPlan{p: &p, s: s, at: t.at}, r)
		g.schedule(t, &p)
	case taskVisit:
		g.runVisit(&p, s, t.at, r)
		g.schedule(t, &p)
	case taskMail:
		g.runMail(&p, s, t.at, r)
		g.schedule(t, &p)
	case taskMailStep:
		g.runMailStep(&p, s, t, r)
	case taskReturn, taskVoid, taskPickup:
		g.runSale(&p, s, t, r)
	}
}

// drop forgets what a task that will never run had kept.
func (g *Generator) drop(t task) {
	switch t.kind {
	case taskMailStep:
		g.mails.take(t.ref)
	case taskReturn, taskVoid, taskPickup:
		g.sales.take(t.ref)
	}
}

// add queues a task.
func (g *Generator) add(t task) {
	g.order++
	t.order = g.order
	g.tasks.push(t)
}

// hourWeights is how busy the hours of a day are.
var hourWeights = [24]float64{.25, .15, .1, .1, .1, .2, .4, .7, .9, 1, 1, 1.1, 1.2, 1.1, 1, 1, 1.1, 1.3, 1.5, 1.6, 1.6, 1.4, 1, .5}

const (
	hourWeightMax   = 1.6
	hourWeightMean  = 0.879
	rescheduleTries = 400
)

// schedule queues the next activity of t's kind: a Poisson process that follows the hours of the shopper's day.
func (g *Generator) schedule(t task, p *person) {
	daily := [...]float64{taskSession: g.cfg.SessionsPerDay, taskVisit: g.cfg.VisitsPerDay, taskMail: g.cfg.MailsPerDay}[t.kind]
	if daily <= 0 {
		return
	}
	if t.kind == taskSession {
		daily *= p.activity
	}
	r := rng{mix(mix(p.seed, 50+uint64(t.kind)), uint64(t.at))}
	mean := 86_400_000 / daily * hourWeightMean / hourWeightMax
	for range rescheduleTries {
		t.at += 1 + int64(math.Min(r.exponential(mean), 1e12))
		if t.at >= g.end {
			return
		}
		hour := (t.at + regions[p.region].offset) / 3_600_000 % 24
		if r.chance(hourWeights[hour] / hourWeightMax) {
			break
		}
	}
	g.add(t)
}

// slab keeps values under small numbers, and uses the numbers again.
type slab[T any] struct {
	values []T
	free   []uint64
}

func (s *slab[T]) put(v T) uint64 {
	if n := len(s.free); n > 0 {
		ref := s.free[n-1]
		s.free = s.free[:n-1]
		s.values[ref] = v
		return ref
	}
	s.values = append(s.values, v)
	return uint64(len(s.values) - 1)
}

func (s *slab[T]) take(ref uint64) T {
	v := s.values[ref]
	var zero T
	s.values[ref] = zero
	s.free = append(s.free, ref)
	return v
}
