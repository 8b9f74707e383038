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

	"github.com/seamline/seamline/pipeline/slab"
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
	ruled   []*Namespace // rules by index of namespace
	g       *graph
	space   *slab.Space
	metrics *metrics

	batch   *schemas.Batch
	event   *schemas.Event
	found   []candidate // of the event at hand
	touched []uint32    // profiles that the event at hand touched, each once
	ready   prepared    // of the batch at hand
	leaves  []uint32    // of the identifiers of the batch at hand, while it is prepared
	scratch []byte

	// What the batch at hand changed. Each list holds each index once: the records say whether they stand in it.
	identifiers, profiles, aliases []uint32
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

// New makes an empty stage, whose state lives in the space.
func New(rules *Rules, key []byte, space *slab.Space, reg prometheus.Registerer) *Stage {
	return &Stage{rules: rules, g: newGraph(key, space), space: space, metrics: newMetrics(reg), unsaved: unsaved{leaves: 1}}
}

// Name is the stage's stable name.
func (s *Stage) Name() string { return "stitch" }

// Begin brings the identifiers of all events into one form, looks them up, and makes sure that there is room for what is new. It fails
// with slab.ErrFull where there is none.
func (s *Stage) Begin(b *schemas.Batch) error {
	s.forget()
	if err := s.space.Reserve(s.prepare(b)); err != nil {
		return fmt.Errorf("stitch %d events: %w", len(b.Events), err)
	}
	return nil
}

// Step gives the moment's event its profile, and fills Decisions of the batch and Touched of the moment. A moment without an event has
// its profiles already.
func (s *Stage) Step(b *schemas.Batch, m *schemas.Moment) error {
	if m.Event == nil {
		for _, t := range m.Touched {
			s.touchProfile(t.Profile)
		}
		return nil
	}
	s.batch, s.event, s.touched = b, m.Event, s.touched[:0]
	s.stitch(m.Event)
	s.batch, s.event = nil, nil
	slices.SortFunc(s.touched, func(p, q uint32) int {
		if pm, qm := s.g.profiles.At(p).into != 0, s.g.profiles.At(q).into != 0; pm != qm {
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
	s.forget()
	s.release()
	return nil
}

// touch remembers that the event at hand touched a profile.
func (s *Stage) touch(p uint32) {
	s.touchProfile(p)
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
	e.ProfileID = s.g.profiles.At(e.Profile).id
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
		id := s.identify(&form, e.Time)
		if id == 0 {
			s.metrics.ignored.WithLabelValues("namespace").Inc()
			continue
		}
		i := s.g.identifiers.At(id)
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
			c.leaf = s.g.leafAt(i, e.Time)
		}
		s.found = append(s.found, c)
	}
	// Stable: identifiers of equal priority keep the producer's order.
	slices.SortStableFunc(s.found, func(a, b candidate) int { return a.ns.Priority - b.ns.Priority })
}

// identify gives the id of a value: where it is new, the next one. It gives 0 for a new value of one namespace too many.
func (s *Stage) identify(f *form, at schemas.Time) uint32 {
	if f.id != 0 {
		return f.id
	}
	if id, known := s.g.index.Get(f.print); known { // since the batch began
		return id
	}
	if _, known := s.g.nameIndex[f.ns.Name]; !known && (len(s.g.names) >= namespacesMax || len(f.ns.Name) > valueBytesMax) {
		return 0
	}
	id := s.g.addIdentifier(f.ns, f.value, f.print, at)
	i := s.g.identifiers.At(id)
	i.blocked, i.kiosk = s.rules.isBlocked(f.ns, f.value), s.rules.isKiosk(f.ns, f.value)
	s.changeIdentifier(id)
	return id
}

// ruleOf gives the rule of a namespace by its index.
func (s *Stage) ruleOf(index uint16) *Namespace {
	for i := len(s.ruled); i <= int(index); i++ {
		s.ruled = append(s.ruled, s.rules.namespace(s.g.names[i]))
	}
	return s.ruled[index]
}

// know remembers what was decided about a pair and tells whether that is news.
func (s *Stage) know(a, b *candidate, kind linkKind) bool {
	key := pair(a.id, b.id)
	l := s.g.links.Ref(key)
	switch {
	case l == nil:
		s.g.links.Put(key, link{kind: kind, inUnsaved: true})
		s.unsaved.links = append(s.unsaved.links, key)
		return true
	case l.kind == kind:
		return false
	case !l.inUnsaved:
		l.inUnsaved = true
		s.unsaved.links = append(s.unsaved.links, key)
	}
	l.kind = kind
	return true
}

// log appends a row of the identity log.
func (s *Stage) log(kind schemas.DecisionKind, a, b *candidate, other uint32, rule string) {
	s.g.position++
	d := schemas.Decision{Position: s.g.position, Time: s.event.Time, Kind: kind, A: uint64(a.id), ANamespace: s.nameOf(a),
		B: uint64(b.id), BNamespace: s.nameOf(b), Rule: rule, EventID: s.event.ID}
	d.ProfileID = s.g.profiles.At(s.g.profileOf(a.leaf)).id
	if other != 0 {
		d.OtherProfile = s.g.profiles.At(other).id
	}
	s.batch.Decisions = append(s.batch.Decisions, d)
	s.metrics.decisions[kind].Inc()
}

func (s *Stage) nameOf(c *candidate) string {
	return s.g.names[s.g.identifiers.At(c.id).namespace]
}
