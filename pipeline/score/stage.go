// Package score keeps what every person did. Stitched events come in and are folded into the leaf that they belong to; one row per
// touched profile, the fold of its leaves, goes out. State is integers per leaf, so that merges are exact in any order.
// It never calls out and never asks the clock: scores are functions of state and the batch's clock.
package score

import (
	"flag"
	"fmt"
	"slices"
	"time"

	"github.com/dchest/siphash"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/seamline/seamline/schemas"
)

// Config are the spans that scores use.
type Config struct {
	SessionGap  time.Duration
	CartOpen    time.Duration // how long an untouched cart counts as considering
	AtRiskAfter time.Duration
	LapsedAfter time.Duration
	LoyalOrders int
}

// DefaultConfig has the defaults of every setting.
func DefaultConfig() Config {
	return Config{SessionGap: 30 * time.Minute, CartOpen: 7 * 24 * time.Hour, AtRiskAfter: 180 * 24 * time.Hour,
		LapsedAfter: 365 * 24 * time.Hour, LoyalOrders: 4}
}

// Flags registers every setting.
func (c *Config) Flags(fs *flag.FlagSet) {
	fs.DurationVar(&c.SessionGap, "score.session.gap", c.SessionGap, "silence that ends a session on web and app")
	fs.DurationVar(&c.CartOpen, "score.cart.open", c.CartOpen, "how long an untouched cart or checkout keeps a person in stage considering")
	fs.DurationVar(&c.AtRiskAfter, "score.at-risk-after", c.AtRiskAfter, "time since the last order after which a buyer is at risk")
	fs.DurationVar(&c.LapsedAfter, "score.lapsed-after", c.LapsedAfter, "time since the last order after which a buyer has lapsed")
	fs.IntVar(&c.LoyalOrders, "score.loyal-orders", c.LoyalOrders, "orders that make a buyer loyal, as long as the last one is recent")
}

// Validate finds settings that cannot work.
func (c *Config) Validate() error {
	switch {
	case c.SessionGap <= 0 || c.CartOpen <= 0:
		return fmt.Errorf("score.session.gap and score.cart.open must be longer than nothing")
	case c.AtRiskAfter <= 0 || c.LapsedAfter <= c.AtRiskAfter:
		return fmt.Errorf("score.at-risk-after must be longer than nothing and shorter than score.lapsed-after")
	case c.LoyalOrders < 2:
		return fmt.Errorf("score.loyal-orders must be at least 2")
	}
	return nil
}

// Graph is what score needs to know of the identity graph.
type Graph interface {
	// Profile tells the id of a profile, and when it was merged into another; 0 while it lives.
	Profile(profile uint32) (id schemas.ProfileID, merged schemas.Time)
	// Leaves calls f for every leaf of a living profile, in no particular order.
	Leaves(profile uint32, f func(leaf uint32))
	// Count fills in how many identifiers a profile has.
	Count(p *schemas.Profile)
}

// Stage is the score stage.
type Stage struct {
	cfg      Config
	graph    Graph
	leaves   []leaf
	orders   []order
	orderIdx map[uint64]uint32
	sessions map[uint64]session
	carts    map[uint32][]cartOp // by leaf
	skus     []string
	skuIndex map[string]uint32
	journeys []journey // by profile index
	fold     folder
	unsaved  unsaved
	scratch  []byte
	metrics  *metrics
}

// New makes an empty stage over a graph.
func New(cfg Config, graph Graph, reg prometheus.Registerer) *Stage {
	return &Stage{cfg: cfg, graph: graph, orders: make([]order, 1), orderIdx: map[uint64]uint32{},
		sessions: map[uint64]session{}, carts: map[uint32][]cartOp{}, skus: make([]string, 1), skuIndex: map[string]uint32{},
		unsaved: newUnsaved(), metrics: newMetrics(reg)}
}

// Name is the stage's stable name.
func (s *Stage) Name() string { return "score" }

// Apply folds the batch's events into their leaves and every touched profile into a row.
func (s *Stage) Apply(b *schemas.Batch) error {
	for _, e := range b.Events {
		s.update(e)
	}
	for _, t := range b.Touched {
		b.Profiles = append(b.Profiles, schemas.Profile{})
		p := &b.Profiles[len(b.Profiles)-1]
		s.profile(p, t, b)
	}
	s.metrics.leaves.Set(float64(len(s.leaves)))
	s.metrics.orders.Set(float64(len(s.orders) - 1))
	s.metrics.sessions.Set(float64(len(s.sessions)))
	s.metrics.carts.Set(float64(len(s.carts)))
	return nil
}

// update folds one event into its leaf.
func (s *Stage) update(e *schemas.Event) {
	s.trade(e)
	if e.Leaf == 0 {
		return
	}
	l := s.leaf(e.Leaf)
	c := &l.channels[e.Channel]
	c.events++
	if c.first == 0 || e.Time < c.first {
		c.first = e.Time
	}
	c.last = max(c.last, e.Time)
	if e.Channel == schemas.ChannelWeb || e.Channel == schemas.ChannelApp {
		s.sessionize(e, l)
	}
	switch e.Type {
	case schemas.TypeProductView:
		l.productViews++
	case schemas.TypeSearch:
		l.searches++
	case schemas.TypeCartAdd, schemas.TypeCartRemove:
		s.cart(e)
	case schemas.TypeCheckoutStart, schemas.TypeCheckoutStep:
		l.checkout = max(l.checkout, e.Time)
	case schemas.TypeMessageSent:
		l.email.Sent++
	case schemas.TypeMessageDelivered:
		l.email.Delivered++
	case schemas.TypeMessageOpen:
		count(e, &l.email.Opens, &l.email.MachineOpens, &l.email.LastOpen)
	case schemas.TypeMessageClick:
		count(e, &l.email.Clicks, &l.email.MachineClicks, &l.email.LastClick)
	case schemas.TypeMessageBounce:
		l.email.Bounces++
	case schemas.TypeMessageUnsubscribe:
		l.email.Unsubscribes++
	case schemas.TypeMessageComplaint:
		l.email.Complaints++
	}
}

// count counts an open or click as a person's or as a machine's.
func count(e *schemas.Event, person, machine *uint64, last *schemas.Time) {
	if e.Machine {
		*machine++
		return
	}
	*person++
	*last = max(*last, e.Time)
}

// leaf gives the state of a leaf and marks it changed.
func (s *Stage) leaf(i uint32) *leaf {
	if int(i) >= len(s.leaves) {
		s.leaves = append(s.leaves, make([]leaf, int(i)+1-len(s.leaves))...)
	}
	s.unsaved.leaves[i] = struct{}{}
	return &s.leaves[i]
}

// Keys of the hashes below. They are part of the stored format.
const hashKey0, hashKey1 = 0x7365616d6c696e65, 0x73636f72652d6964

func (s *Stage) hash(parts ...string) uint64 {
	s.scratch = s.scratch[:0]
	for _, p := range parts {
		s.scratch = append(append(s.scratch, p...), 0)
	}
	return siphash.Hash(hashKey0, hashKey1, s.scratch)
}

// sessionize gives a web or app event its session: that of its device, as long as the silence before it is short enough.
func (s *Stage) sessionize(e *schemas.Event, l *leaf) {
	gap := schemas.Span(s.cfg.SessionGap)
	key := s.deviceKey(e)
	at, known := s.sessions[key]
	switch {
	case known && e.Time >= at.start-gap && e.Time <= at.end+gap:
		at.start, at.end = min(at.start, e.Time), max(at.end, e.Time)
		e.SessionID = at.id
	case known && e.Time < at.start:
		if at.previousID != 0 && e.Time >= at.previousStart-gap && e.Time <= at.previousEnd+gap {
			at.previousStart, at.previousEnd = min(at.previousStart, e.Time), max(at.previousEnd, e.Time)
			e.SessionID = at.previousID
			break
		}
		// Later than two sessions: a session of its own, which the next late event of the same time finds again.
		e.SessionID = sessionID(key, e.Time-e.Time%gap)
		return
	default:
		at.previousID, at.previousStart, at.previousEnd = at.id, at.start, at.end
		at.id, at.start, at.end = sessionID(key, e.Time), e.Time, e.Time
		e.SessionID = at.id
		l.sessions++
	}
	s.sessions[key] = at
	s.unsaved.sessions[key] = struct{}{}
	if e.Time >= l.sessionStart {
		l.lastSession, l.sessionStart = e.SessionID, e.Time
	}
}

// deviceKey names the device that a session happens on; an event that names none has the person's leaf for one.
func (s *Stage) deviceKey(e *schemas.Event) uint64 {
	var device *schemas.Identifier
	for i := range e.Identifiers {
		switch e.Identifiers[i].Namespace {
		case schemas.NamespaceAnonymousID:
			return s.hash(schemas.NamespaceAnonymousID, e.Identifiers[i].Value)
		case schemas.NamespaceDeviceID, schemas.NamespaceKioskID:
			device = &e.Identifiers[i]
		}
	}
	if device != nil {
		return s.hash(device.Namespace, device.Value)
	}
	return siphash.Hash(hashKey0, hashKey1, []byte{byte(e.Leaf), byte(e.Leaf >> 8), byte(e.Leaf >> 16), byte(e.Leaf >> 24)})
}

func sessionID(key uint64, start schemas.Time) uint64 {
	var b [16]byte
	for i := range 8 {
		b[i], b[8+i] = byte(key>>(8*i)), byte(uint64(start)>>(8*i))
	}
	return max(1, siphash.Hash(hashKey0, hashKey1, b[:]))
}

// sku gives the dense index of an SKU.
func (s *Stage) sku(name string) uint32 {
	if i, ok := s.skuIndex[name]; ok {
		return i
	}
	i := uint32(len(s.skus))
	name = string([]byte(name)) // events alias their record's bytes
	s.skus = append(s.skus, name)
	s.skuIndex[name] = i
	return i
}

// cart adds a change to the leaf's ledger, in its place by time.
func (s *Stage) cart(e *schemas.Event) {
	if e.SKU == "" {
		return
	}
	op := cartOp{time: e.Time, sku: s.sku(e.SKU), quantity: e.Quantity, price: e.Amount}
	if len(e.Items) > 0 && e.Items[0].UnitPrice != 0 {
		op.price = e.Items[0].UnitPrice
	}
	switch {
	case e.Type == schemas.TypeCartRemove:
		op.quantity = -op.quantity
	case op.quantity == 0:
		op.quantity = schemas.DecimalOne
	}
	ops := s.carts[e.Leaf]
	at, _ := slices.BinarySearchFunc(ops, op, compareOps)
	ops = slices.Insert(ops, at, op)
	if len(ops) > cartOpsMax {
		ops = slices.Delete(ops, 0, len(ops)-cartOpsMax)
	}
	s.carts[e.Leaf] = ops
	s.unsaved.carts[e.Leaf] = struct{}{}
}

func compareOps(a, b cartOp) int {
	switch {
	case a.time != b.time:
		return int(max(-1, min(1, a.time-b.time)))
	case a.sku != b.sku:
		return int(a.sku) - int(b.sku)
	case a.quantity != b.quantity:
		return int(max(-1, min(1, a.quantity-b.quantity)))
	}
	return int(max(-1, min(1, a.price-b.price)))
}

type metrics struct{ leaves, orders, sessions, carts prometheus.Gauge }

func newMetrics(reg prometheus.Registerer) *metrics {
	gauge := func(name, help string) prometheus.Gauge {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
		reg.MustRegister(g)
		return g
	}
	return &metrics{leaves: gauge("seamline_score_leaves", "Leaves with state."), orders: gauge("seamline_score_orders", "Orders remembered."),
		sessions: gauge("seamline_score_sessions", "Devices with a remembered session."), carts: gauge("seamline_score_carts", "Leaves with a cart ledger.")}
}
