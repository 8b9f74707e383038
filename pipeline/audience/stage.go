// Package audience decides who belongs to which audience. Profile rows come in; entries, exits and memberships go out.
// A rule is looked at when its profile changed, and at the instant at which time alone can change its answer.
// It never calls out: what is done with an audience is the sinks' business.
package audience

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"slices"

	"github.com/expr-lang/expr/vm"
	"github.com/prometheus/client_golang/prometheus"

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

// member is a profile in an audience.
type member struct {
	audience uint32
	profile  uint32
}

// audience is the ledger of one rule. Audiences that are no longer defined have no rule.
type audience struct {
	name     string
	rule     *Rule
	hash     [32]byte // of the condition that the members were found by
	sequence uint64
	size     int
	entered  prometheus.Counter
	left     prometheus.Counter
	members  prometheus.Gauge
}

// evaluationsMax bounds how many edges of time one profile is followed over in one batch.
const evaluationsMax = 1000

// Stage is the audience stage.
type Stage struct {
	rules     []Rule
	audiences []audience // index is stable
	byName    map[string]uint32
	active    []uint32                // audiences with a rule, in the order of the rules
	since     map[member]schemas.Time // who is in what
	eval      *evaluator
	machine   vm.VM
	changed   bool // rules differ from those that the loaded members were found by
	unsaved   map[member]struct{}
	dirty     map[uint32]struct{} // audiences whose ledger changed
	metrics   *metrics
}

// New makes a stage without members.
func New(rules []Rule, reg prometheus.Registerer) *Stage {
	s := &Stage{rules: rules, byName: map[string]uint32{}, since: map[member]schemas.Time{}, eval: newEvaluator(),
		unsaved: map[member]struct{}{}, dirty: map[uint32]struct{}{}, metrics: newMetrics(reg)}
	return s.define()
}

// Name is the stage's stable name.
func (s *Stage) Name() string { return "audience" }

// define gives every rule its audience.
func (s *Stage) define() *Stage {
	s.active = s.active[:0]
	for i := range s.rules {
		r := &s.rules[i]
		a := s.audience(r.Name)
		s.audiences[a].rule = r
		if hash := sha256.Sum256([]byte(r.When)); s.audiences[a].hash != hash {
			s.audiences[a].hash, s.changed = hash, true
			s.dirty[a] = struct{}{}
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

// Apply evaluates the rules over every profile of the batch and fills Memberships, Changes and Timers.
func (s *Stage) Apply(b *schemas.Batch) error {
	for i := range b.Profiles {
		p := &b.Profiles[i]
		if p.Merged {
			s.leaveAll(b, p, "the profile was merged into another")
			continue
		}
		if err := s.follow(b, p, b.Touched[i].Due); err != nil {
			return err
		}
	}
	for _, a := range s.audiences {
		a.members.Set(float64(a.size))
	}
	return nil
}

// follow evaluates a profile at the time of its last event, or of the timer that fell due, and from there from edge to edge up to
// the batch's clock. So every entry and exit stands in the ledger with its own time, however late or in how large a batch the
// events came.
func (s *Stage) follow(b *schemas.Batch, p *schemas.Profile, due schemas.Time) error {
	s.eval.look(p)
	at, reason := min(p.LastSeen, b.Clock), "its events"
	if due != 0 {
		at, reason = due, "time passed"
	}
	for range evaluationsMax {
		s.eval.now, s.eval.next = at, 0
		if err := s.evaluate(b, p, reason); err != nil {
			return err
		}
		if s.eval.next == 0 || s.eval.next > b.Clock {
			break
		}
		at, reason = s.eval.next, "time passed"
	}
	if s.eval.next != 0 {
		b.Timers = append(b.Timers, schemas.Touch{Profile: p.Index, Due: s.eval.next})
	}
	return nil
}

// evaluate runs every rule over the profile that the evaluator looks at.
func (s *Stage) evaluate(b *schemas.Batch, p *schemas.Profile, reason string) error {
	for _, a := range s.active {
		out, err := s.machine.Run(s.audiences[a].rule.program, &s.eval.env)
		if err != nil {
			return fmt.Errorf("audience %s: %w", s.audiences[a].name, err)
		}
		_, in := s.since[member{a, p.Index}]
		if belongs := out.(bool); belongs != in {
			s.change(b, a, p, belongs, reason)
		}
	}
	if !s.changed {
		return nil
	}
	for a := range s.audiences {
		if _, in := s.since[member{uint32(a), p.Index}]; in && s.audiences[a].rule == nil {
			s.change(b, uint32(a), p, false, "the audience was removed")
		}
	}
	return nil
}

// change writes an entry or an exit into the ledger.
func (s *Stage) change(b *schemas.Batch, i uint32, p *schemas.Profile, enter bool, reason string) {
	a, m, at := &s.audiences[i], member{i, p.Index}, s.eval.now
	a.sequence++
	s.dirty[i] = struct{}{}
	s.unsaved[m] = struct{}{}
	row := schemas.Membership{Audience: a.name, ProfileID: p.ID, Member: enter, Since: at, Reason: reason}
	if enter {
		s.since[m] = at
		a.size++
		a.entered.Inc()
	} else {
		row.Since, row.Until = s.since[m], at
		delete(s.since, m)
		a.size--
		a.left.Inc()
	}
	b.Memberships = append(b.Memberships, row)
	b.Changes = append(b.Changes, schemas.AudienceChange{Audience: a.name, Sequence: a.sequence, ProfileID: p.ID, Enter: enter, Time: at, Reason: reason})
}

// leaveAll takes a merged profile out of every audience, as of the merge.
func (s *Stage) leaveAll(b *schemas.Batch, p *schemas.Profile, reason string) {
	s.eval.now = p.LastSeen
	for a := range s.audiences {
		if _, in := s.since[member{uint32(a), p.Index}]; in {
			s.change(b, uint32(a), p, false, reason)
		}
	}
}

// Kinds of stored entry, the first byte of each key.
const (
	keyAudience = 'a'
	keyMember   = 'b'
)

var errEntry = errors.New("an entry of the audience state has the wrong size")

// Save writes what changed since the last Save.
func (s *Stage) Save(w schemas.StateWriter) error {
	for i := range s.dirty {
		a := &s.audiences[i]
		v := append(binary.BigEndian.AppendUint64(nil, a.sequence), a.hash[:]...)
		if err := w.Put(binary.BigEndian.AppendUint32([]byte{keyAudience}, i), append(v, a.name...)); err != nil {
			return err
		}
	}
	for m := range s.unsaved {
		key := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32([]byte{keyMember}, m.audience), m.profile)
		since, in := s.since[m]
		var err error
		if in {
			err = w.Put(key, binary.BigEndian.AppendUint64(nil, uint64(since)))
		} else {
			err = w.Delete(key)
		}
		if err != nil {
			return err
		}
	}
	clear(s.dirty)
	clear(s.unsaved)
	return nil
}

// Load reads ledgers and members, and then lays the rules over them.
func (s *Stage) Load(r schemas.StateReader) error {
	s.audiences, s.changed = nil, false
	clear(s.byName)
	clear(s.dirty)
	err := r.Each(func(key, v []byte) error {
		switch {
		case key[0] == keyAudience && len(key) == 5 && len(v) > 40:
			i := s.audience(string(v[40:]))
			if i != binary.BigEndian.Uint32(key[1:]) {
				return errEntry
			}
			s.audiences[i].sequence, s.audiences[i].hash = binary.BigEndian.Uint64(v), [32]byte(v[8:40])
		case key[0] == keyMember && len(key) == 9 && len(v) == 8:
			m := member{binary.BigEndian.Uint32(key[1:]), binary.BigEndian.Uint32(key[5:])}
			if int(m.audience) >= len(s.audiences) {
				return errEntry
			}
			s.since[m] = schemas.Time(binary.BigEndian.Uint64(v))
			s.audiences[m.audience].size++
		default:
			return errEntry
		}
		return nil
	})
	had := len(s.audiences) > 0
	s.define()
	removed := slices.ContainsFunc(s.audiences, func(a audience) bool { return a.rule == nil && a.size > 0 })
	s.changed = had && (s.changed || removed)
	return err
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
