// Package score keeps what every person did. Stitched events come in and are folded into the leaf that they belong to; one row per
// touched profile, the fold of its leaves, goes out. State is integers per leaf, so that merges are exact in any order.
// It never calls out and never asks the clock: scores are functions of state and the batch's clock.
package score

import (
	"fmt"
	"slices"
	"unsafe"

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
	moment   []schemas.Scores                                              // of the moment's profiles, where somebody reads them
	readers  func(e *schemas.Event, changed schemas.Fields) schemas.Fields // see Serve
	unsaved  unsaved
	space    *slab.Space
	last     lengths // what the rows of the batch before needed
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
	s.Serve(func(*schemas.Event, schemas.Fields) schemas.Fields { return schemas.FieldsAll })
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
	s.fold.collect = func(leaf uint32) {
		if int(leaf) < s.leaves.Len() { // else nothing happened in it yet
			s.fold.leaves = append(s.fold.leaves, leaf)
		}
	}
	return s
}

// Name is the stage's stable name.
func (s *Stage) Name() string { return "score" }

// Serve tells what is read of a moment's profiles behind this stage when some of their fields may have changed, by an event of theirs or,
// where that is nil, by something else. No more is folded than is read, and for most events that is nothing. By default everything is read.
func (s *Stage) Serve(readers func(e *schemas.Event, changed schemas.Fields) schemas.Fields) {
	s.readers = readers
}

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
		if t.Changed&schemas.FieldsClock != 0 && s.isRescore(t.Due) {
			t.Changed |= schemas.FieldsScored
		}
		// The elements' memory is that of moments before.
		if n := len(m.Profiles); n < cap(m.Profiles) {
			m.Profiles = m.Profiles[:n+1]
		} else {
			m.Profiles = append(m.Profiles, schemas.Profile{})
		}
		p := &m.Profiles[len(m.Profiles)-1]
		reads, moves := s.reads(m.Event, t)
		if reads == 0 {
			p.Index, p.ID, p.Merged = t.Profile, schemas.ProfileID{}, false // the rest is that of a moment before, and nobody looks
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
		if reads&schemas.FieldsConsent != 0 && s.readers(nil, schemas.FieldsConsent) != 0 {
			s.foldConsent(p)
		}
		if reads&schemas.FieldsScored != 0 && s.readers(nil, schemas.FieldsScored) != 0 {
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

// reads gives what must be folded of a touched profile, and whether its place on the journey may be another than before.
func (s *Stage) reads(e *schemas.Event, t *schemas.Touch) (reads schemas.Fields, moves bool) {
	if t.Changed == 0 {
		return schemas.FieldsAll, true
	}
	if e != nil && e.Profile != t.Profile {
		e = nil
	}
	reads = s.readers(e, t.Changed)
	if t.Changed&journeyReads(s.journey(t.Profile).stage) != 0 {
		return reads | s.readers(nil, schemas.FieldsStage) | journeyFields, true
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
