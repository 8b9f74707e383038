// Package stitch gives every event its person. Events with identifiers come in; profile ids, the rows of the identity log and of
// the identifiers go out. The graph is a deterministic fold of the events in their order under the rules.
// It never calls out, never forgets why, and never lets a link break a limit.
package stitch

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seamline/seamline/schemas"
)

// DefaultKey is the installation key where none is set. Anyone can compute the hashes that it gives.
const DefaultKey = "seamline default key: set identity.key to a secret"

// Config is where the rules and the key are.
type Config struct {
	Rules   string // a file; empty for the shipped rules
	Key     string
	KeyFile string
}

// DefaultConfig has the defaults of every setting.
func DefaultConfig() Config { return Config{} }

// Flags registers every setting.
func (c *Config) Flags(fs *flag.FlagSet) {
	fs.StringVar(&c.Rules, "identity.rules", c.Rules, "file of identity rules, which replace the shipped ones namespace by namespace")
	fs.StringVar(&c.Key, "identity.key", c.Key, "secret under which identifier values are hashed; never change it")
	fs.StringVar(&c.KeyFile, "identity.key-file", c.KeyFile, "file that holds identity.key")
}

// Validate finds settings that cannot work.
func (c *Config) Validate() error {
	if c.Key != "" && c.KeyFile != "" {
		return errors.New("identity.key and identity.key-file exclude each other")
	}
	_, err := ReadRules(c.Rules)
	return err
}

// Secret gives the installation key, and whether it is a secret and not the default.
func (c *Config) Secret() ([]byte, bool, error) {
	if c.KeyFile != "" {
		text, err := os.ReadFile(c.KeyFile)
		if err != nil {
			return nil, false, fmt.Errorf("identity.key-file: %w", err)
		}
		key := strings.TrimSpace(string(text))
		if key == "" {
			return nil, false, fmt.Errorf("identity.key-file: %s is empty", c.KeyFile)
		}
		return []byte(key), true, nil
	}
	if c.Key != "" {
		return []byte(c.Key), true, nil
	}
	return []byte(DefaultKey), false, nil
}

// kioskGap ends a kiosk's session: who comes after it is somebody else.
const kioskGap = 30 * schemas.Minute

// Stage is the stitch stage.
type Stage struct {
	rules   *Rules
	g       *graph
	metrics *metrics

	batch   *schemas.Batch
	event   *schemas.Event
	found   []candidate // of the event at hand
	touched []uint32    // profiles that the event at hand touched, each once
	ready   prepared    // of the batch at hand
	scratch []byte

	// What the batch at hand changed. Each list holds each index once.
	identifiers, profiles, aliases set
	// What changed since the last Save.
	unsaved unsaved
}

// candidate is one identifier of the event at hand.
type candidate struct {
	id    uint32
	ns    *Namespace
	kiosk bool
	leaf  uint32       // 0 for none yet
	last  schemas.Time // when the identifier was last seen before this event
}

// New makes an empty stage.
func New(rules *Rules, key []byte, reg prometheus.Registerer) *Stage {
	return &Stage{rules: rules, g: newGraph(key), metrics: newMetrics(reg)}
}

// Name is the stage's stable name.
func (s *Stage) Name() string { return "stitch" }

// Begin forgets what the batch before changed, and brings the identifiers of all events into one form.
func (s *Stage) Begin(b *schemas.Batch) error {
	s.identifiers.reset()
	s.profiles.reset()
	s.aliases.reset()
	s.prepare(b)
	return nil
}

// Step gives the moment's event its profile, and fills Decisions of the batch and Touched of the moment. A moment without an event has
// its profiles already.
func (s *Stage) Step(b *schemas.Batch, m *schemas.Moment) error {
	if m.Event == nil {
		for _, t := range m.Touched {
			s.profiles.add(t.Profile)
		}
		return nil
	}
	s.batch, s.event, s.touched = b, m.Event, s.touched[:0]
	s.stitch(m.Event)
	s.batch, s.event = nil, nil
	slices.SortFunc(s.touched, func(p, q uint32) int {
		if pm, qm := s.g.profiles[p].into != 0, s.g.profiles[q].into != 0; pm != qm {
			if pm {
				return -1
			}
			return 1
		}
		return cmp.Compare(p, q)
	})
	for _, p := range s.touched {
		m.Touched = append(m.Touched, schemas.Touch{Profile: p})
	}
	return nil
}

// Apply closes the batch: it fills Identifiers, Aliases and Touched.
func (s *Stage) Apply(b *schemas.Batch) error {
	s.emit(b)
	return nil
}

// touch remembers that the event at hand touched a profile.
func (s *Stage) touch(p uint32) {
	s.profiles.add(p)
	if !slices.Contains(s.touched, p) {
		s.touched = append(s.touched, p)
	}
}

// stitch resolves one event.
func (s *Stage) stitch(e *schemas.Event) {
	s.collect(e)
	head := -1
	for i := range s.found {
		c := &s.found[i]
		e.IdentifierIDs = append(e.IdentifierIDs, uint64(c.id))
		if head < 0 && !c.kiosk && c.ns.Class != schemas.ClassEvidence {
			head = i
		}
	}
	var l uint32
	switch {
	case head >= 0:
		l = s.link(head)
	default:
		l = s.loner()
	}
	if l == 0 {
		return
	}
	e.Leaf, e.Profile = l, s.g.profileOf(l)
	e.ProfileID = s.g.profiles[e.Profile].id
	s.touch(e.Profile)
	s.annotate(l)
}

// collect takes the identifiers of an event, gives new ones an id, drops placeholders, and sorts by priority.
func (s *Stage) collect(e *schemas.Event) {
	s.found = s.found[:0]
	for _, form := range s.formsOf(e) {
		if form.ns == nil {
			s.metrics.ignored.WithLabelValues("invalid").Inc()
			continue
		}
		ns := form.ns
		id, known := s.g.index[form.print]
		if !known {
			id = s.g.addIdentifier(ns, form.value, form.print, e.Time)
			i := &s.g.identifiers[id]
			i.blocked, i.kiosk = s.rules.isBlocked(ns, form.value), s.rules.isKiosk(ns, form.value)
			s.unsaved.identifiers.add(id)
		}
		i := &s.g.identifiers[id]
		if i.blocked {
			s.metrics.ignored.WithLabelValues("blocked").Inc()
			continue
		}
		if slices.ContainsFunc(s.found, func(c candidate) bool { return c.id == id }) {
			continue
		}
		c := candidate{id: id, ns: ns, kiosk: i.kiosk, last: i.last}
		i.first, i.last = min(i.first, e.Time), max(i.last, e.Time)
		s.touchIdentifier(id)
		if c.kiosk && ns.Class != schemas.ClassKiosk {
			c.ns = s.rules.kiosk
		}
		if i.leaf != 0 {
			c.leaf = s.g.leafAt(id, e.Time)
		}
		s.found = append(s.found, c)
	}
	// Stable: identifiers of equal priority keep the producer's order.
	slices.SortStableFunc(s.found, func(a, b candidate) int { return a.ns.Priority - b.ns.Priority })
}

// know remembers what was decided about a pair and tells whether that is news.
func (s *Stage) know(a, b *candidate, kind linkKind) bool {
	key := pair(a.id, b.id)
	if s.g.links[key] == kind {
		return false
	}
	s.g.links[key] = kind
	s.unsaved.links = append(s.unsaved.links, key)
	return true
}

// log appends a row of the identity log.
func (s *Stage) log(kind schemas.DecisionKind, a, b *candidate, other uint32, rule string) {
	s.g.position++
	d := schemas.Decision{Position: s.g.position, Time: s.event.Time, Kind: kind, A: uint64(a.id), ANamespace: s.nameOf(a),
		B: uint64(b.id), BNamespace: s.nameOf(b), Rule: rule, EventID: s.event.ID}
	d.ProfileID = s.g.profiles[s.g.profileOf(a.leaf)].id
	if other != 0 {
		d.OtherProfile = s.g.profiles[other].id
	}
	s.batch.Decisions = append(s.batch.Decisions, d)
	s.metrics.decisions[kind].Inc()
}

func (s *Stage) nameOf(c *candidate) string {
	return s.g.names[s.g.identifiers[c.id].namespace]
}

func (s *Stage) touchIdentifier(id uint32) {
	s.identifiers.add(id)
	s.unsaved.identifiers.add(id)
}
