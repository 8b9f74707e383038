// Package audience decides who belongs to which audience. Events and profile rows come in; entries, exits and memberships go out.
// A rule is looked at when what it reads may have changed, and at the instant at which time alone can change its answer.
// It never calls out: what is done with an audience is the sinks' business.
package audience

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"flag"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/expr-lang/expr/vm"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/seamline/seamline/pipeline/slab"
	"github.com/seamline/seamline/schemas"
)

// Config is where the audiences are defined, and how late events may be to change history.
type Config struct {
	Rules    string        // a file; empty for the shipped audiences
	Lateness time.Duration // of an event: how far back it may change who was in an audience when
}

// DefaultConfig has the defaults of every setting.
func DefaultConfig() Config { return Config{Lateness: 7 * 24 * time.Hour} }

// Flags registers every setting.
func (c *Config) Flags(fs *flag.FlagSet) {
	fs.StringVar(&c.Rules, "audiences.rules", c.Rules, "file of audiences, which replace the shipped ones")
	fs.DurationVar(&c.Lateness, "audiences.lateness", c.Lateness, "how late an event may be to change who was in an audience at its time; a later one counts from now on")
}

// Validate compiles every rule.
func (c *Config) Validate() error {
	_, err := ReadRules(c.Rules)
	return err
}

// Graph tells which pieces of history a profile is made of.
type Graph interface {
	// Leaves calls f for every leaf of a living profile, in no particular order.
	Leaves(profile uint32, f func(leaf uint32))
}

// audience is the ledger of one rule. Audiences that are no longer defined have no rule.
type audience struct {
	name     string
	plan     *plan  // nil where it is no longer defined
	place    uint32 // of the plan
	hash     [32]byte
	sequence uint64
	size     int
	changed  bool // since the last Save

	// Of the profile at hand, where look is that of the stage.
	look   uint64
	stay   stay
	inside bool
	isOut  bool // it was a member, and lately enough to matter

	turn    uint64 // instants that were looked at
	belongs bool   // the answer at the instant of turn
	why     string // it does not belong although its condition is true

	entered prometheus.Counter
	left    prometheus.Counter
	members prometheus.Gauge
}

// evaluationsMax bounds how many edges of time one profile is followed over in one moment; a timer brings it back for the rest.
const evaluationsMax = 1000

// Stage is the audience stage.
type Stage struct {
	rules     []Rule
	lateness  schemas.Time
	graph     Graph
	audiences []audience // index is stable
	byName    map[string]uint32
	plans     []plan             // in the order in which they are looked at
	choice    choice             // of plans, by what changed
	depends   bool               // plans ask about others
	asking    *chosen            // plans that ask about events
	ladders   map[string]*ladder // but for those of predicates
	watcher   watcher
	byNumber  []*watched // by number; nil where nobody asks any more
	deleted   *watched   // who asked for erasure
	signedUp  *watched   // and who came back

	look     uint64     // counts the profiles that were looked at
	turn     uint64     // counts the instants that they were looked at as of
	profile  uint32     // at hand
	gathered uint64     // the look for which the profile's history was gathered
	found    []*watched // that it has events of
	hits     []*watched // that the moment is about
	spare    []occurrence
	todo     todo

	clock     schemas.Time // of the moment
	stays     []uint32     // audiences that the profile at hand is in, or was for as long as one may
	forgotten []uint32     // audiences that the profile at hand left too long ago to matter
	removed   int          // audiences without a rule that have members
	deletions int          // how much of history asked for erasure

	members members
	history eventLog
	eval    *evaluator
	machine vm.VM

	gatherLeaf func(leaf uint32)
	gatherHead func(index uint32, h *head)
	enterStay  func(audience uint32, s *stay)

	changed      bool                 // rules differ from those that the loaded members were found by
	unpublished  bool                 // the definitions were not written yet
	isDefined    bool                 // the stored predicates are those of the rules
	retired      []uint32             // numbers of predicates that nobody asks about any more, whose history is to be deleted
	numbers      uint32               // that were given to predicates so far
	unsaved      []member             // changed since the last Save, some of them several times
	unsavedHeads []uint32             // what leaves remember of predicates, changed since the last Save
	rows         []schemas.Membership // of the batch at hand, while they are sorted
	order        []int32
	space        *slab.Space
	metrics      *metrics
}

// New makes a stage without members over a graph, whose memory is in the space; a nil space is anonymous memory.
func New(cfg Config, rules []Rule, graph Graph, space *slab.Space, reg prometheus.Registerer) *Stage {
	s := &Stage{rules: rules, lateness: schemas.Span(cfg.Lateness), graph: graph, byName: map[string]uint32{}, members: newMembers(space),
		history: newEventLog(space), space: space, metrics: newMetrics(reg)}
	s.eval = newEvaluator(s)
	s.gatherHead = s.noteHead
	s.gatherLeaf = func(leaf uint32) { s.history.each(leaf, s.gatherHead) }
	s.enterStay = s.noteStay
	s.define(map[string]uint32{})
	return s
}

// Name is the stage's stable name.
func (s *Stage) Name() string { return "audience" }

func (s *Stage) audience(name string) uint32 {
	if i, ok := s.byName[name]; ok {
		return i
	}
	i := uint32(len(s.audiences))
	s.audiences = append(s.audiences, audience{name: name, members: s.metrics.members.WithLabelValues(name),
		entered: s.metrics.changes.WithLabelValues(name, "enter"), left: s.metrics.changes.WithLabelValues(name, "exit")})
	s.byName[name] = i
	return i
}

// Changed tells, after Load, whether the rules differ from those that the members were found by: then every profile must be
// looked at again.
func (s *Stage) Changed() bool { return s.changed }

// For how many new memberships and remembered events by event room is reserved.
const (
	membersPerEvent = 4
	entriesPerEvent = 2
)

// Begin makes sure that there is room for the batch's members.
func (s *Stage) Begin(b *schemas.Batch) error {
	s.watcher.forget()
	perEvent := profileBytes + membersPerEvent*nodeBytes + entriesPerEvent*(headBytes+entryBytes)
	if err := s.space.Reserve(int64(len(b.Events)) * perEvent); err != nil {
		return fmt.Errorf("members of %d events: %w", len(b.Events), err)
	}
	return nil
}

// Reads gives the fields of a profile that are read when some of them may have changed, by an event or, where that is nil, by time.
func (s *Stage) Reads(e *schemas.Event, changed schemas.Fields) schemas.Fields {
	found := s.choice.of(changed, s)
	reads := found.reads
	if e == nil || e.Type == schemas.TypeUnknown {
		return reads
	}
	matches, _ := s.match(e) // Step gives the error
	for _, m := range matches {
		if m.watched == s.deleted || m.watched == s.signedUp {
			return schemas.FieldsAll
		}
		reads |= schemas.FieldsSeen
		for _, i := range m.rules {
			reads |= s.plans[i].allReads
		}
	}
	return reads
}

// Step remembers the moment's event as far as windows ask for it, and evaluates the rules over every profile of the moment, but for those
// that read nothing of what changed. It fills the batch's Memberships and Changes, and the moment's Timers.
func (s *Stage) Step(b *schemas.Batch, m *schemas.Moment) error {
	if m.Event != nil && m.Event.Leaf != 0 {
		if err := s.record(m.Event, m.Clock); err != nil {
			return err
		}
	}
	for i := range m.Profiles {
		p := &m.Profiles[i]
		s.look++
		s.profile = p.Index
		if p.Merged {
			s.enter(p.Index, m.Clock)
			s.eval.now = min(p.LastSeen, m.Clock)
			s.leave(b, p, "the profile was merged into another", func(*audience) bool { return true })
			continue
		}
		if err := s.follow(b, m, i); err != nil {
			return err
		}
	}
	return nil
}

// Apply closes the batch. Of several rows of one audience and profile the last is kept; rows stand in the order of audience and profile.
func (s *Stage) Apply(b *schemas.Batch) error {
	// Rows are large, and most batches change few people: their numbers are sorted.
	s.order, s.rows = s.order[:0], append(s.rows[:0], b.Memberships...)
	for i := range s.rows {
		s.order = append(s.order, int32(i))
	}
	slices.SortFunc(s.order, func(i, j int32) int {
		return cmp.Or(compareMemberships(&s.rows[i], &s.rows[j]), cmp.Compare(i, j))
	})
	b.Memberships = b.Memberships[:0]
	for n, i := range s.order {
		if n+1 == len(s.order) || compareMemberships(&s.rows[i], &s.rows[s.order[n+1]]) != 0 {
			b.Memberships = append(b.Memberships, s.rows[i])
		}
	}
	clear(s.rows)
	for i := range s.audiences {
		s.audiences[i].members.Set(float64(s.audiences[i].size))
	}
	if s.unpublished && !b.Empty() {
		s.unpublished = false
		s.publish(b)
	}
	return nil
}

func compareMemberships(a, b *schemas.Membership) int {
	if c := strings.Compare(a.Audience, b.Audience); c != 0 {
		return c
	}
	return bytes.Compare(a.ProfileID[:], b.ProfileID[:])
}

// publish writes down what the audiences are, those that are no longer defined as well.
func (s *Stage) publish(b *schemas.Batch) {
	for i := range s.audiences {
		b.Audiences = append(b.Audiences, s.row(&s.audiences[i]))
	}
}

func (s *Stage) row(a *audience) schemas.Audience {
	row := schemas.Audience{Name: a.name}
	if a.plan != nil {
		r := a.plan.rule
		row.Description, row.Rule, row.MinSize, row.HoldoutOf, row.Active = r.Description, r.When, uint32(r.MinSize), r.HoldoutOf, true
	}
	return row
}

// definitions stands for all that publish writes.
func (s *Stage) definitions() [sha256.Size]byte {
	d := sha256.New()
	for i := range s.audiences {
		fmt.Fprintf(d, "%+q\n", fmt.Sprint(s.row(&s.audiences[i])))
	}
	return [sha256.Size]byte(d.Sum(nil))
}

// hashOf stands for what decides who is a member.
func hashOf(r *Rule) [32]byte { return sha256.Sum256([]byte(r.definition())) }

type metrics struct {
	members *prometheus.GaugeVec
	changes *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		members: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "seamline_audience_members", Help: "Profiles in the audience."}, []string{"audience"}),
		changes: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "seamline_audience_changes_total",
			Help: "Entries and exits."}, []string{"audience", "change"}),
	}
	reg.MustRegister(m.members, m.changes)
	return m
}
