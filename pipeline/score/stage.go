// Package score keeps what every person did. Stitched events come in and are folded into the leaf that they belong to; one row per
// touched profile, the fold of its leaves, goes out. State is integers per leaf, so that merges are exact in any order.
// It never calls out and never asks the clock: scores are functions of state and the batch's clock.
package score

import (
	"cmp"
	"flag"
	"fmt"
	"slices"
	"time"
	"unsafe"

	"github.com/dchest/siphash"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/seamline/seamline/pipeline/slab"
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
	// Owner gives the profile that a leaf belongs to.
	Owner(leaf uint32) (profile uint32)
	// Count fills in how many identifiers a profile has.
	Count(p *schemas.Profile)
}

// Stage is the score stage.
type Stage struct {
	cfg        Config
	graph      Graph
	leaves     *slab.Slab[leaf]
	orders     *slab.Slab[order] // the one with index 0 is nobody's
	orderIndex *slab.Table[uint64, uint32]
	totals     *slab.Slab[totals]           // the one with index 0 is nobody's
	sessions   *slab.Table[uint64, session] // by device
	carts      *slab.Slab[cartNode]         // the one with index 0 is nobody's
	cartFree   uint32                       // first of the list of nodes that are not used
	cartCount  int                          // ledgers
	journeys   *slab.Slab[journey]          // by profile
	skus       []string
	skuIndex   map[string]uint32
	fold       folder
	owners     []uint32                                    // profiles that the batch touched through an order of theirs alone
	readers    func(changed schemas.Fields) schemas.Fields // see Serve
	unsaved    unsaved
	space      *slab.Space
	last       struct{ states, skus int } // what the rows of the batch before needed
	metrics    *metrics
}

// New makes an empty stage over a graph, whose memory is in the space; a nil space is anonymous memory.
func New(cfg Config, graph Graph, space *slab.Space, reg prometheus.Registerer) *Stage {
	s := &Stage{cfg: cfg, graph: graph, leaves: slab.NewSlab[leaf](space), orders: slab.NewSlab[order](space), totals: slab.NewSlab[totals](space),
		orderIndex: slab.NewTable[uint64, uint32](space, slab.Hash64), sessions: slab.NewTable[uint64, session](space, slab.Hash64),
		carts: slab.NewSlab[cartNode](space), journeys: slab.NewSlab[journey](space), skus: make([]string, 1), skuIndex: map[string]uint32{},
		unsaved: unsaved{skus: 1}, space: space, metrics: newMetrics(reg)}
	s.Serve(func(schemas.Fields) schemas.Fields { return schemas.FieldsAll })
	s.orders.Append(order{})
	s.totals.Append(totals{})
	s.carts.Append(cartNode{})
	s.fold.names = map[currency]string{}
	s.fold.collect = func(leaf uint32) { s.fold.leaves = append(s.fold.leaves, leaf) }
	return s
}

// Name is the stage's stable name.
func (s *Stage) Name() string { return "score" }

// Serve tells what is read of a moment's profiles behind this stage when some of their fields may have changed. No more is folded than is
// read, and for most events that is nothing. By default everything is read.
func (s *Stage) Serve(readers func(changed schemas.Fields) schemas.Fields) { s.readers = readers }

// eventBytes is what an event may add to the state.
const eventBytes = int64(unsafe.Sizeof(leaf{}) + unsafe.Sizeof(order{}) + unsafe.Sizeof(totals{})/totalsKeptMin + unsafe.Sizeof(session{}) + unsafe.Sizeof(cartNode{}) + unsafe.Sizeof(journey{}) + 2*16)

// Begin makes sure that there is room for what the batch adds. It fails with slab.ErrFull where there is none.
func (s *Stage) Begin(b *schemas.Batch) error {
	s.owners = s.owners[:0]
	if err := s.space.Reserve(int64(len(b.Events)) * eventBytes); err != nil {
		return fmt.Errorf("score %d events: %w", len(b.Events), err)
	}
	return nil
}

// Step folds the moment's event into its leaf, and every touched profile into a row and a place on the journey. A profile whose order
// was changed by somebody else's event is touched as well.
func (s *Stage) Step(b *schemas.Batch, m *schemas.Moment) error {
	m.Profiles, m.Timers = m.Profiles[:0], m.Timers[:0]
	if m.Event != nil {
		owner, changed := s.update(m.Event)
		s.touchOwner(m, owner)
		if !m.Moved {
			s.narrow(m, changed)
		}
	}
	for i := range m.Touched {
		t := &m.Touched[i]
		// The elements' memory is that of moments before.
		if n := len(m.Profiles); n < cap(m.Profiles) {
			m.Profiles = m.Profiles[:n+1]
		} else {
			m.Profiles = append(m.Profiles, schemas.Profile{})
		}
		p := &m.Profiles[len(m.Profiles)-1]
		reads, moves := s.reads(t)
		if reads == 0 {
			p.Index = t.Profile
			continue
		}
		if !s.profile(p, t.Profile, reads) {
			continue
		}
		if !moves {
			j := s.journey(t.Profile)
			p.Stage, p.StageSince = j.stage, j.since
		} else if s.place(p, t, m) && t.Changed != 0 {
			t.Changed |= schemas.FieldsStage
		}
	}
	return nil
}

// reads gives what must be folded of a touched profile, and whether its place on the journey may be another than before.
func (s *Stage) reads(t *schemas.Touch) (reads schemas.Fields, moves bool) {
	if t.Changed == 0 {
		return schemas.FieldsAll, true
	}
	reads = s.readers(t.Changed)
	if t.Changed&journeyReads(s.journey(t.Profile).stage) != 0 {
		return reads | s.readers(schemas.FieldsStage) | journeyFields, true
	}
	return reads, false
}

// narrow notes what an event changed of its person, where nobody else has more or less history by it. A profile that is looked at for the
// first time is looked at as a whole.
func (s *Stage) narrow(m *schemas.Moment, changed schemas.Fields) {
	for i := range m.Touched {
		if t := &m.Touched[i]; t.Profile == m.Event.Profile && s.journey(t.Profile).since != 0 {
			t.Changed = changed
		}
	}
}

// touchOwner adds the profile that a leaf belongs to, unless the moment touches it already.
func (s *Stage) touchOwner(m *schemas.Moment, leaf uint32) {
	if leaf == 0 || leaf == m.Event.Leaf {
		return
	}
	owner := s.graph.Owner(leaf)
	if slices.ContainsFunc(m.Touched, func(t schemas.Touch) bool { return t.Profile == owner }) {
		return
	}
	m.Touched = append(m.Touched, schemas.Touch{Profile: owner})
	s.owners = append(s.owners, owner)
}

// Apply closes the batch: every profile that it touched gets one whole row, as of the last moment.
func (s *Stage) Apply(b *schemas.Batch) error {
	s.addOwners(b)
	if cap(b.Profiles) < len(b.Touched) { // slices.Grow would copy all that there is room for
		b.Profiles = make([]schemas.Profile, 0, len(b.Touched)+len(b.Touched)/8)
	}
	// Rows outlive the batch in some sinks, so what they refer to is new for each batch: as much as the batch before needed.
	states, skus := make([]byte, 0, s.last.states+s.last.states/8), make([]string, 0, s.last.skus+s.last.skus/8)
	for i, t := range b.Touched {
		if i%coolEvery == 0 {
			if err := s.space.Cool(); err != nil {
				return fmt.Errorf("score: rows of profiles: %w", err)
			}
		}
		b.Profiles = append(b.Profiles, schemas.Profile{Version: b.Number, CartSKUs: skus[len(skus):]})
		p := &b.Profiles[len(b.Profiles)-1]
		if !s.profile(p, t.Profile, schemas.FieldsAll) {
			continue
		}
		j := s.journey(t.Profile)
		p.Stage, p.StageSince = j.stage, j.since
		if n := len(p.CartSKUs); n <= cap(skus)-len(skus) { // else they have memory of their own
			skus = skus[:len(skus)+n]
		}
		p.CartSKUs = slices.Clip(p.CartSKUs)
		from := len(states)
		states = s.encodeProfile(states)
		p.State = states[from:len(states):len(states)]
	}
	s.last.states, s.last.skus = len(states), len(skus)
	s.metrics.leaves.Set(float64(s.leaves.Len()))
	s.metrics.orders.Set(float64(s.orders.Len() - 1))
	s.metrics.sessions.Set(float64(s.sessions.Len()))
	s.metrics.carts.Set(float64(s.cartCount))
	return nil
}

// coolEvery is after how many profiles, each on some dozen pages, the ceiling of memory is kept.
const coolEvery = 64

// addOwners completes Touched, which stays in order of index.
func (s *Stage) addOwners(b *schemas.Batch) {
	if len(s.owners) == 0 {
		return
	}
	for _, p := range s.owners {
		b.Touched = append(b.Touched, schemas.Touch{Profile: p})
	}
	slices.SortFunc(b.Touched, func(a, c schemas.Touch) int { return cmp.Compare(a.Profile, c.Profile) })
	b.Touched = slices.CompactFunc(b.Touched, func(a, c schemas.Touch) bool { return a.Profile == c.Profile })
}

// update folds one event into its leaf. It gives the leaf whose order the event changed, 0 for none, and what changed of the event's
// person.
func (s *Stage) update(e *schemas.Event) (owner uint32, changed schemas.Fields) {
	owner = s.trade(e)
	if e.Leaf == 0 {
		return owner, 0
	}
	changed = schemas.FieldsSeen
	if e.OrderSign() != 0 {
		changed |= schemas.FieldsOrders | schemas.FieldsCart // a sale closes the cart
	}
	l := s.leaf(e.Leaf)
	c := &l.channels[e.Channel]
	c.events++
	if c.first == 0 || e.Time < c.first {
		c.first = e.Time
	}
	c.last = max(c.last, e.Time)
	if (e.Channel == schemas.ChannelWeb || e.Channel == schemas.ChannelApp) && s.sessionize(e, l) {
		changed |= schemas.FieldsSessions
	}
	switch e.Type {
	case schemas.TypeProductView:
		l.productViews++
		changed |= schemas.FieldsViews
	case schemas.TypeSearch:
		l.searches++
		changed |= schemas.FieldsSearches
	case schemas.TypeCartAdd, schemas.TypeCartRemove:
		s.cart(e, l)
		changed |= schemas.FieldsCart
	case schemas.TypeCheckoutStart, schemas.TypeCheckoutStep:
		l.checkout = max(l.checkout, e.Time)
		changed |= schemas.FieldsCheckout
	default:
		changed |= l.message(e)
	}
	return owner, changed
}

// message counts what happened to a message.
func (l *leaf) message(e *schemas.Event) schemas.Fields {
	switch e.Type {
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
	default:
		return 0
	}
	return schemas.FieldsMessages
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
	l := s.leafAt(i)
	if !l.unsaved {
		l.unsaved = true
		s.unsaved.leaves = append(s.unsaved.leaves, i)
	}
	return l
}

func (s *Stage) leafAt(i uint32) *leaf {
	s.leaves.Extend(int(i) + 1)
	return s.leaves.At(i)
}

// Keys of the hashes below. They are part of the stored format.
const hashKey0, hashKey1 = 0x7365616d6c696e65, 0x73636f72652d6964

func hash(a, b string) uint64 {
	var text [256]byte // most are shorter
	return siphash.Hash(hashKey0, hashKey1, append(append(append(append(text[:0], a...), 0), b...), 0))
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
