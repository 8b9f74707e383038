// Package score keeps what every person did. Stitched events come in and are folded into the leaf that they belong to; one row per
// touched profile, the fold of its leaves, goes out. State is integers per leaf, so that merges are exact in any order.
// It never calls out and never asks the clock: scores are functions of state and the batch's clock.
package score

import (
	"cmp"
	"fmt"
	"slices"
	"unsafe"

	"github.com/dchest/siphash"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/seamline/seamline/pipeline/score/model"
	"github.com/seamline/seamline/pipeline/slab"
	"github.com/seamline/seamline/schemas"
)

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
	cfg   Config
	gaps  [schemas.ChannelCount]schemas.Time // silence that ends a visit
	graph Graph

	// Of people, leaf by leaf; records with index 0 are nobody's.
	leaves     *slab.Slab[leaf]
	orders     *slab.Slab[order]
	orderIndex *slab.Table[uint64, uint32]
	totals     *slab.Slab[totals]
	carts      *slab.Slab[cartNode]
	cartFree   uint32 // first of the list of nodes that are not used
	cartCount  int    // ledgers
	visits     *slab.Slab[visitNode]
	visitFree  uint32
	blocks     *slab.Slab[block]
	cellGroups *slab.Slab[cellGroup]
	recents    *slab.Slab[recent]
	extras     *slab.Slab[extras]
	cases      *slab.Table[uint64, cartCase] // by leaf
	journeys   *slab.Slab[journey]           // by profile
	standings  *slab.Slab[standing]          // by profile
	accounts   *slab.Slab[account]           // by word
	members    *slab.Slab[member]

	// Of devices.
	sessions  *slab.Table[uint64, session]
	renamed   *slab.Table[uint64, uint32] // ids that sessions had before, by the one that they have now
	formerIDs *slab.Slab[former]

	// Of products and of the population.
	skus, words  lexicon
	products     *slab.Slab[product] // by SKU
	descriptions *slab.Slab[description]
	stocks       *slab.Slab[stock]
	pairs        *slab.Table[uint64, pair]
	companions   []companions // by companionsAt
	wordStats    *slab.Slab[wordStats]
	people       population
	models       *models
	nextFit      schemas.Time // 0 before the first moment
	hasNews      bool         // an event was folded since the last fit
	propensity   *learner
	conversion   *learner
	endings      deadlines // of sessions, by leaf
	verdicts     deadlines // of carts, by leaf

	// Of the batch.
	owners          []uint32 // profiles that it touched through an order of theirs alone
	looked          []uint32 // profiles that it touched and has no scores of in early
	early           map[uint32]*schemas.Scores
	earlySteps      uint32       // up to which scores are in early
	generations     []generation // before the one in force, as far as rows of the batch need them
	step            uint32
	flips           map[uint32][]flip
	touchedAccounts []uint32

	ahead    ahead
	fold     folder
	formers  []schemas.Time
	features model.Features
	reasons  map[uint64]string
	moment   []schemas.Scores                            // of the moment's profiles, where somebody reads them
	readers  func(changed schemas.Fields) schemas.Fields // see Serve
	unsaved  unsaved
	space    *slab.Space
	last     struct{ states, skus, words, brands, recommended int } // what the rows of the batch before needed
	metrics  *metrics
}

// New makes an empty stage over a graph, whose memory is in the space; a nil space is anonymous memory.
func New(cfg Config, graph Graph, space *slab.Space, reg prometheus.Registerer) *Stage {
	cfg.propertyNames = names(cfg.Properties)
	s := &Stage{cfg: cfg, graph: graph, leaves: slab.NewSlab[leaf](space), orders: slab.NewSlab[order](space),
		orderIndex: slab.NewTable[uint64, uint32](space, slab.Hash64), totals: slab.NewSlab[totals](space), carts: slab.NewSlab[cartNode](space),
		visits: slab.NewSlab[visitNode](space), blocks: slab.NewSlab[block](space), cellGroups: slab.NewSlab[cellGroup](space), recents: slab.NewSlab[recent](space),
		extras: slab.NewSlab[extras](space), cases: slab.NewTable[uint64, cartCase](space, slab.Hash64),
		journeys: slab.NewSlab[journey](space), standings: slab.NewSlab[standing](space), accounts: slab.NewSlab[account](space),
		members: slab.NewSlab[member](space), sessions: slab.NewTable[uint64, session](space, slab.Hash64),
		renamed: slab.NewTable[uint64, uint32](space, slab.Hash64), formerIDs: slab.NewSlab[former](space),
		skus: newLexicon(skusMax), words: newLexicon(wordsMax), products: slab.NewSlab[product](space), descriptions: slab.NewSlab[description](space),
		stocks: slab.NewSlab[stock](space), pairs: slab.NewTable[uint64, pair](space, slab.Hash64),
		wordStats: slab.NewSlab[wordStats](space), people: newPopulation(), models: newModels(), propensity: newLearner(), conversion: newLearner(),
		endings: newDeadlines(), verdicts: newDeadlines(), early: map[uint32]*schemas.Scores{}, flips: map[uint32][]flip{},
		reasons: map[uint64]string{}, space: space, metrics: newMetrics(reg)}
	for c := range s.gaps {
		s.gaps[c] = schemas.Span(cfg.SessionGap)
	}
	if cfg.SessionGapApp > 0 {
		s.gaps[schemas.ChannelApp] = schemas.Span(cfg.SessionGapApp)
	}
	s.Serve(func(schemas.Fields) schemas.Fields { return schemas.FieldsAll })
	s.orders.Append(order{})
	s.totals.Append(totals{})
	s.carts.Append(cartNode{})
	s.visits.Append(visitNode{})
	s.blocks.Append(block{})
	s.recents.Append(recent{})
	s.extras.Append(extras{})
	s.members.Append(member{})
	s.formerIDs.Append(former{})
	s.descriptions.Append(description{})
	s.stocks.Append(stock{})
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
const eventBytes = int64(unsafe.Sizeof(leaf{}) + unsafe.Sizeof(order{}) + unsafe.Sizeof(totals{})/totalsKeptMin + unsafe.Sizeof(session{}) +
	unsafe.Sizeof(cartNode{}) + unsafe.Sizeof(journey{}) + unsafe.Sizeof(visitNode{}) + 2*unsafe.Sizeof(block{}) + 3*unsafe.Sizeof(cellGroup{}) + unsafe.Sizeof(recent{}) +
	unsafe.Sizeof(standing{}) + unsafe.Sizeof(product{}) + unsafe.Sizeof(description{}) + 4*16)

// Begin makes sure that there is room for what the batch adds. It fails with slab.ErrFull where there is none.
func (s *Stage) Begin(b *schemas.Batch) error {
	s.owners, s.looked, s.step, s.earlySteps = s.owners[:0], s.looked[:0], 0, 0
	s.ahead.at, s.ahead.until = 0, 0
	clear(s.early)
	clear(s.generations)
	s.generations = s.generations[:0]
	clear(s.flips)
	if err := s.space.Reserve(int64(len(b.Events)) * eventBytes); err != nil {
		return fmt.Errorf("score %d events: %w", len(b.Events), err)
	}
	return nil
}

// Step folds the moment's event into its leaf, and every touched profile into a row and a place on the journey. A profile whose order
// was changed by somebody else's event is touched as well.
func (s *Stage) Step(b *schemas.Batch, m *schemas.Moment) error {
	s.pass(b, m.Clock)
	m.Profiles, m.Timers = m.Profiles[:0], m.Timers[:0]
	if m.Event != nil {
		s.lookAhead(b, m.Event)
		owner, changed := s.update(b, m.Event)
		s.touchOwner(m, owner)
		if !m.Moved {
			s.narrow(m, changed)
		}
	}
	s.moment = slices.Grow(s.moment[:0], len(m.Touched))[:len(m.Touched)]
	for i := range m.Touched {
		t := &m.Touched[i]
		s.look(t.Profile, m.Clock)
		if t.Changed&schemas.FieldsClock != 0 {
			t.Changed |= schemas.FieldsScores
		}
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
		lives := s.profile(p, t.Profile, reads)
		if t.Changed == 0 || t.Changed&schemas.FieldsOrders != 0 {
			s.stand(t.Profile, p)
		}
		if !lives {
			continue
		}
		if !moves {
			j := s.journey(t.Profile)
			p.Stage, p.StageSince, p.StageReason = j.stage, j.since, j.reason.String()
		} else if s.place(b, p, t, m) && t.Changed != 0 {
			t.Changed |= schemas.FieldsStage
		}
		if reads&schemas.FieldsScores != 0 && s.readers(schemas.FieldsScores) != 0 {
			p.Scores = &s.moment[i]
			g := s.now()
			s.scores(&g, p, p.Scores, m.Clock)
		}
		if moves {
			s.rescore(p, m)
		}
	}
	return nil
}

// pass does what time alone does: models are fitted, and sessions and carts whose time is over are learned from.
func (s *Stage) pass(b *schemas.Batch, now schemas.Time) {
	s.step++
	if every := schemas.Span(s.cfg.FitEvery); every > 0 && now >= s.nextFit {
		if s.nextFit != 0 && s.hasNews {
			s.passLearners(s.nextFit)
			s.retire()
			s.fit(b, now-now%every)
		}
		s.nextFit = now - now%every + every
		s.unsaved.models = true
	}
	s.passLearners(now)
}

func (s *Stage) passLearners(now schemas.Time) {
	if s.endings.isDue(now) {
		s.passSessions(now)
	}
	if s.verdicts.isDue(now) {
		s.passCases(now)
	}
}

// look notes when a profile is touched: its row is as of then, wherever the batch ends.
func (s *Stage) look(profile uint32, clock schemas.Time) {
	j := s.journey(profile)
	if j.step <= s.earlySteps || !j.inBatch {
		s.looked = append(s.looked, profile)
	}
	j.looked, j.step, j.inBatch = clock, s.step, true
}

// generationsMax bounds the models that are kept for the rows of one batch. In a batch with more fits, rows are made early.
const generationsMax = 16

// retire keeps what is in force for the rows of those who were touched before now, before a fit takes its place.
func (s *Stage) retire() {
	if len(s.looked) == 0 {
		return
	}
	if len(s.generations) == generationsMax {
		s.scoreEarly()
		clear(s.generations)
		s.generations = s.generations[:0]
		return
	}
	g := s.now()
	g.until = s.step - 1
	s.generations = append(s.generations, g)
}

// scoreEarly scores the profiles that the batch touched so far and has no scores of yet.
func (s *Stage) scoreEarly() {
	for _, index := range s.looked {
		var p schemas.Profile
		if s.profile(&p, index, schemas.FieldsAll) {
			sc, j := &schemas.Scores{}, s.journey(index)
			g := s.at(j.step)
			s.scores(&g, &p, sc, j.looked)
			s.early[index] = sc
		}
	}
	s.looked, s.earlySteps = s.looked[:0], s.step-1
}

// rescore asks for a look at a buyer after a fit, although nothing happens: after the first fit by when the silence has grown enough.
func (s *Stage) rescore(p *schemas.Profile, m *schemas.Moment) {
	every := schemas.Span(s.cfg.FitEvery)
	if every == 0 || p.PurchaseDays == 0 {
		return
	}
	due := m.Clock + 1
	if n := schemas.Time(s.cfg.RescoreShare); n > 0 {
		due = max(due, m.Clock+max(0, m.Clock-p.LastOrder)/n)
	}
	due += every - 1
	due -= due % every
	m.Timers = append(m.Timers, schemas.Touch{Profile: p.Index, Due: due})
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

// Apply closes the batch: every profile that it touched gets one whole row, as of the last moment that touched it.
func (s *Stage) Apply(b *schemas.Batch) error {
	s.addOwners(b)
	if cap(b.Profiles) < len(b.Touched) { // slices.Grow would copy all that there is room for
		b.Profiles = make([]schemas.Profile, 0, len(b.Touched)+len(b.Touched)/8)
	}
	r := s.newRows(len(b.Touched))
	for i, t := range b.Touched {
		if i%coolEvery == 0 {
			if err := s.space.Cool(); err != nil {
				return fmt.Errorf("score: rows of profiles: %w", err)
			}
		}
		b.Profiles = append(b.Profiles, schemas.Profile{Version: b.Number, CartSKUs: r.skus[len(r.skus):]})
		s.row(r, &b.Profiles[len(b.Profiles)-1], t.Profile)
	}
	s.last.states, s.last.skus, s.last.words, s.last.brands, s.last.recommended = len(r.states), len(r.skus), len(r.words), len(r.brands), len(r.recommended)
	for _, t := range b.Touched {
		s.journey(t.Profile).inBatch = false
	}
	s.emitAccounts(b)
	s.measure()
	return nil
}

// rows is memory for what rows refer to. Rows outlive the batch in some sinks, so that it is new for each batch: as much as the batch before
// needed.
type rows struct {
	states      []byte
	skus        []string
	words       []schemas.Weighed // categories
	brands      []schemas.Weighed
	recommended []schemas.Recommendation
	scores      []schemas.Scores
}

func (s *Stage) newRows(n int) *rows {
	return &rows{states: make([]byte, 0, s.last.states+s.last.states/8), skus: make([]string, 0, s.last.skus+s.last.skus/8),
		words: make([]schemas.Weighed, 0, s.last.words+s.last.words/8), brands: make([]schemas.Weighed, 0, s.last.brands+s.last.brands/8), scores: make([]schemas.Scores, 0, n),
		recommended: make([]schemas.Recommendation, 0, s.last.recommended+s.last.recommended/8)}
}

// row fills the row of one profile.
func (s *Stage) row(r *rows, p *schemas.Profile, index uint32) {
	lives := s.profile(p, index, schemas.FieldsAll)
	s.recount(index, lives)
	if !lives {
		return
	}
	j := s.journey(index)
	p.Stage, p.StageSince, p.StageReason = j.stage, j.since, j.reason.String()
	if n := len(p.CartSKUs); n <= cap(r.skus)-len(r.skus) { // else they have memory of their own
		r.skus = r.skus[:len(r.skus)+n]
	}
	p.CartSKUs = slices.Clip(p.CartSKUs)
	if sc := s.early[index]; sc != nil && j.step <= s.earlySteps {
		p.Scores = sc
	} else {
		r.scores = append(r.scores, schemas.Scores{Categories: r.words[len(r.words):], Brands: r.brands[len(r.brands):], Recommended: r.recommended[len(r.recommended):]})
		p.Scores = &r.scores[len(r.scores)-1]
		g := s.at(j.step)
		s.scores(&g, p, p.Scores, j.looked)
		r.keep(p.Scores)
	}
	from := len(r.states)
	r.states = s.encodeProfile(r.states)
	p.State = r.states[from:len(r.states):len(r.states)]
}

// keep counts what a row's lists took of the common memory; where that was too small they have memory of their own.
func (r *rows) keep(sc *schemas.Scores) {
	if n := len(sc.Categories); n <= cap(r.words)-len(r.words) {
		r.words = r.words[:len(r.words)+n]
	}
	if n := len(sc.Brands); n <= cap(r.brands)-len(r.brands) {
		r.brands = r.brands[:len(r.brands)+n]
	}
	if n := len(sc.Recommended); n <= cap(r.recommended)-len(r.recommended) {
		r.recommended = r.recommended[:len(r.recommended)+n]
	}
	sc.Categories, sc.Brands, sc.Recommended = slices.Clip(sc.Categories), slices.Clip(sc.Brands), slices.Clip(sc.Recommended)
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
func (s *Stage) update(b *schemas.Batch, e *schemas.Event) (owner uint32, changed schemas.Fields) {
	if !s.hasNews {
		s.hasNews, s.unsaved.models = true, true
	}
	if s.learn(e) {
		return 0, 0
	}
	s.enrich(b, e)
	owner = s.trade(e)
	if e.Leaf == 0 {
		return owner, 0
	}
	changed = schemas.FieldsSeen | schemas.FieldsScores
	l := s.leaf(e.Leaf)
	if e.OrderSign() != 0 {
		changed |= schemas.FieldsOrders | schemas.FieldsCart // a sale closes the cart
		if e.Type == schemas.TypeOrder {
			s.orderIn(l, e)
		}
	}
	c := &l.channels[e.Channel]
	c.events++
	if c.first == 0 || e.Time < c.first {
		c.first = e.Time
	}
	c.last = max(c.last, e.Time)
	if s.stayOn(b, l, e) {
		changed |= schemas.FieldsSessions
	}
	l.readFor(e)
	s.tastes(l, e)
	s.consents(l, e)
	s.belong(l, e)
	return owner, changed | s.happen(l, e)
}

// stayOn notes an event in the visits of its leaf, and, on web and app, in the sessions of its device. It tells whether the number of
// sessions is another than before.
func (s *Stage) stayOn(b *schemas.Batch, l *leaf, e *schemas.Event) bool {
	switch e.Channel {
	case schemas.ChannelWeb, schemas.ChannelApp:
		device := s.deviceKey(e)
		s.sessionize(b, l, e, device)
		counts := s.visit(l, device, e)
		if at := s.observe(l, e, device); at != nil && e.Type == schemas.TypeProductView {
			if sku := s.skus.of(e.SKU); sku != 0 {
				s.viewedInSession(at, sku)
			}
		}
		return counts
	case schemas.ChannelStore, schemas.ChannelSocial, schemas.ChannelCall:
		s.visit(l, 0, e)
	default:
		if e.Type == schemas.TypeMessageClick && !e.Machine {
			s.visit(l, 0, e)
		}
	}
	return false
}

// happen folds what only events of some types say.
func (s *Stage) happen(l *leaf, e *schemas.Event) schemas.Fields {
	switch e.Type {
	case schemas.TypeProductView:
		l.productViews++
		return schemas.FieldsViews
	case schemas.TypeSearch:
		l.searches++
		return schemas.FieldsSearches
	case schemas.TypeCartAdd, schemas.TypeCartRemove:
		s.cart(e, l)
		s.changeCase(l, e)
		return schemas.FieldsCart
	case schemas.TypeCheckoutStart, schemas.TypeCheckoutStep:
		l.checkout = max(l.checkout, e.Time)
		return schemas.FieldsCheckout
	case schemas.TypeSurveyAnswer:
		s.answer(l, e)
		return 0
	}
	return l.message(e)
}

// message counts what happened to a message.
func (l *leaf) message(e *schemas.Event) schemas.Fields {
	switch e.Type {
	case schemas.TypeMessageSent:
		l.email.sent++
	case schemas.TypeMessageDelivered:
		l.email.delivered++
	case schemas.TypeMessageOpen:
		count(e, &l.email.opens, &l.email.machineOpens, &l.email.lastOpen)
	case schemas.TypeMessageClick:
		count(e, &l.email.clicks, &l.email.machineClicks, &l.email.lastClick)
	case schemas.TypeMessageBounce:
		l.email.bounces++
	case schemas.TypeMessageUnsubscribe:
		l.email.unsubscribes++
	case schemas.TypeMessageComplaint:
		l.email.complaints++
	default:
		return 0
	}
	return schemas.FieldsMessages
}

// count counts an open or click as a person's or as a machine's.
func count(e *schemas.Event, person, machine *uint32, last *schemas.Time) {
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

// measure sets what is watched.
func (s *Stage) measure() {
	m := s.metrics
	m.leaves.Set(float64(s.leaves.Len()))
	m.orders.Set(float64(s.orders.Len() - 1))
	m.sessions.Set(float64(s.sessions.Len()))
	m.carts.Set(float64(s.cartCount))
	m.products.Set(float64(len(s.skus.words) - 1))
	m.pairs.Set(float64(s.pairs.Len()))
	m.version.Set(float64(s.models.Version))
}

type metrics struct {
	leaves, orders, sessions, carts, products, pairs, version prometheus.Gauge
	fits                                                      prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) *metrics {
	gauge := func(name, help string) prometheus.Gauge {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
		reg.MustRegister(g)
		return g
	}
	fits := prometheus.NewCounter(prometheus.CounterOpts{Name: "seamline_score_fits_total", Help: "Fits of the population's models."})
	reg.MustRegister(fits)
	return &metrics{fits: fits, products: gauge("seamline_score_products", "Products that were met."),
		pairs: gauge("seamline_score_pairs", "Pairs of products that are counted."), version: gauge("seamline_score_models_version", "Version of the models in force."),
		leaves: gauge("seamline_score_leaves", "Leaves with state."), orders: gauge("seamline_score_orders", "Orders remembered."),
		sessions: gauge("seamline_score_sessions", "Devices with a remembered session."), carts: gauge("seamline_score_carts", "Leaves with a cart ledger.")}
}
