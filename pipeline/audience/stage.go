// Package audience decides who belongs to which audience. Profile rows come in; entries, exits and memberships go out.
// A rule is looked at when its profile changed, and at the instant at which time alone can change its answer.
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

	"github.com/expr-lang/expr/vm"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/seamline/seamline/pipeline/slab"
	"github.com/seamline/seamline/schemas"
)

// Config is where the audiences are defined.
type Config struct {
	Rules string // a file; empty for the shipped audiences
}

// DefaultConfig has the defaults of every setting.
func DefaultConfig() Config { return Config{} }

// Flags registers every setting.
func (c *Config) Flags(fs *flag.FlagSet) {
	fs.StringVar(&c.Rules, "audiences.rules", c.Rules, "file of audiences, which replace the shipped ones")
}

// Validate compiles every rule.
func (c *Config) Validate() error {
	_, err := ReadRules(c.Rules)
	return err
}

// audience is the ledger of one rule. Audiences that are no longer defined have no rule.
type audience struct {
	name     string
	rule     *Rule
	hash     [32]byte // of the condition that the members were found by
	sequence uint64
	size     int
	changed  bool // since the last Save
	inside   bool // the profile at hand is a member, and since when; holds where look is that of the stage
	since    schemas.Time
	look     uint64
	belongs  bool // the rule's answer about it
	entered  prometheus.Counter
	left     prometheus.Counter
	members  prometheus.Gauge
}

// evaluationsMax bounds how many edges of time one profile is followed over in one moment; a timer brings it back for the rest.
const evaluationsMax = 1000

// Stage is the audience stage.
type Stage struct {
	rules     []Rule
	audiences []audience // index is stable
	byName    map[string]uint32
	active    []uint32 // audiences with a rule, in the order of the rules
	choice    choice   // of audiences, by what changed
	look      uint64   // counts the profiles that were looked at
	members   members
	eval      *evaluator
	machine   vm.VM
	changed   bool                 // rules differ from those that the loaded members were found by
	unsaved   []member             // changed since the last Save, some of them several times
	rows      []schemas.Membership // of the batch at hand, while they are sorted
	order     []int32
	space     *slab.Space
	metrics   *metrics
}

// New makes a stage without members, whose memory is in the space; a nil space is anonymous memory.
func New(rules []Rule, space *slab.Space, reg prometheus.Registerer) *Stage {
	s := &Stage{rules: rules, byName: map[string]uint32{}, members: newMembers(space), eval: newEvaluator(), space: space, metrics: newMetrics(reg)}
	return s.define()
}

// Name is the stage's stable name.
func (s *Stage) Name() string { return "audience" }

// define gives every rule its audience.
func (s *Stage) define() *Stage {
	s.active, s.choice = s.active[:0], choice{}
	for i := range s.rules {
		r := &s.rules[i]
		a := s.audience(r.Name)
		s.audiences[a].rule = r
		if hash := sha256.Sum256([]byte(r.When)); s.audiences[a].hash != hash {
			s.audiences[a].hash, s.audiences[a].changed, s.changed = hash, true, true
		}
		s.active = append(s.active, a)
	}
	return s
}

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

// membersPerEvent is for how many new memberships by event room is reserved.
const membersPerEvent = 4

// Begin makes sure that there is room for the batch's members.
func (s *Stage) Begin(b *schemas.Batch) error {
	if err := s.space.Reserve(int64(len(b.Events)) * (profileBytes + membersPerEvent*nodeBytes)); err != nil {
		return fmt.Errorf("members of %d events: %w", len(b.Events), err)
	}
	return nil
}

// Reads gives the fields of a profile that are read when some of them may have changed.
func (s *Stage) Reads(changed schemas.Fields) schemas.Fields { return s.choice.of(changed, s).reads }

// Step evaluates the rules over every profile of the moment, but for those that read nothing of what changed. It fills the batch's
// Memberships and Changes, and the moment's Timers.
func (s *Stage) Step(b *schemas.Batch, m *schemas.Moment) error {
	for i := range m.Profiles {
		p := &m.Profiles[i]
		rules := s.active
		if changed := m.Touched[i].Changed; changed != 0 {
			if rules = s.choice.of(changed, s).rules; len(rules) == 0 {
				continue
			}
		}
		s.enter(p.Index)
		if p.Merged {
			s.eval.now = min(p.LastSeen, m.Clock)
			s.leave(b, p, "the profile was merged into another", func(*audience) bool { return true })
			continue
		}
		if err := s.follow(b, m, i, rules); err != nil {
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
	return nil
}

func compareMemberships(a, b *schemas.Membership) int {
	if c := strings.Compare(a.Audience, b.Audience); c != 0 {
		return c
	}
	return bytes.Compare(a.ProfileID[:], b.ProfileID[:])
}

// enter notes of which audiences a profile is a member.
func (s *Stage) enter(profile uint32) {
	s.look++
	s.members.each(profile, func(i uint32, since schemas.Time) {
		a := &s.audiences[i]
		a.look, a.inside, a.since = s.look, true, since
	})
}

// isInside tells whether the profile at hand is a member.
func (s *Stage) isInside(a *audience) bool { return a.look == s.look && a.inside }

// follow evaluates rules over a profile at the time of its last event, or of the timer that fell due, and from there from edge to edge up
// to the moment's clock. So every entry and exit stands in the ledger with its own time, however late the events came.
func (s *Stage) follow(b *schemas.Batch, m *schemas.Moment, i int, rules []uint32) error {
	p, t := &m.Profiles[i], &m.Touched[i]
	s.eval.look(p)
	at, reason := min(p.LastSeen, m.Clock), "its events"
	if t.Due != 0 {
		at, reason = t.Due, "time passed"
	}
	for range evaluationsMax {
		s.eval.now, s.eval.next = at, 0
		if err := s.evaluate(rules); err != nil {
			return err
		}
		isLast := s.eval.next == 0 || s.eval.next > m.Clock
		s.settle(b, p, rules, reason, isLast)
		if t.Changed == 0 && len(s.active) < len(s.audiences) {
			s.leave(b, p, "the audience was removed", func(a *audience) bool { return a.rule == nil })
		}
		if isLast {
			break
		}
		at, reason = s.eval.next, "time passed"
	}
	if s.eval.next != 0 {
		m.Timers = append(m.Timers, schemas.Touch{Profile: p.Index, Due: s.eval.next})
	}
	return nil
}

// evaluate runs rules over the profile that the evaluator looks at.
func (s *Stage) evaluate(rules []uint32) error {
	for _, i := range rules {
		a := &s.audiences[i]
		if a.rule.condition != nil {
			a.belongs = a.rule.condition(s.eval)
			continue
		}
		out, err := s.machine.Run(a.rule.program, &s.eval.env)
		if err != nil {
			return fmt.Errorf("audience %s: %w", a.name, err)
		}
		a.belongs = out.(bool)
	}
	return nil
}

// settle writes down where the rules' answers differ from what was known. An event that comes late has the profile looked at again as of a
// time before somebody entered; that he was not yet a member then is no exit, unless nothing later is looked at.
func (s *Stage) settle(b *schemas.Batch, p *schemas.Profile, rules []uint32, reason string, isLast bool) {
	for _, i := range rules {
		a := &s.audiences[i]
		if inside := s.isInside(a); a.belongs != inside && (isLast || !inside || s.eval.now >= a.since) {
			s.change(b, i, p, reason)
		}
	}
}

// leave takes the profile out of every audience that which names.
func (s *Stage) leave(b *schemas.Batch, p *schemas.Profile, reason string, which func(a *audience) bool) {
	for i := range s.audiences {
		if a := &s.audiences[i]; s.isInside(a) && which(a) {
			s.change(b, uint32(i), p, reason)
		}
	}
}

// change writes an entry or an exit into the ledger. Nobody leaves earlier than he came, although the event that makes him leave may have
// happened earlier than the one that made him come.
func (s *Stage) change(b *schemas.Batch, i uint32, p *schemas.Profile, reason string) {
	a, at := &s.audiences[i], s.eval.now
	enter := !s.isInside(a)
	a.inside, a.look = enter, s.look
	a.sequence++
	a.changed = true
	s.unsaved = append(s.unsaved, member{i, p.Index})
	row := schemas.Membership{Audience: a.name, ProfileID: p.ID, Member: enter, Since: at, Reason: reason}
	if enter {
		a.since = at
		s.members.add(p.Index, i, at)
		a.size++
		a.entered.Inc()
	} else {
		at = max(at, a.since)
		row.Since, row.Until = a.since, at
		s.members.remove(p.Index, i)
		a.size--
		a.left.Inc()
	}
	b.Memberships = append(b.Memberships, row)
	b.Changes = append(b.Changes, schemas.AudienceChange{Audience: a.name, Sequence: a.sequence, ProfileID: p.ID, Enter: enter, Time: at, Reason: reason})
}

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
