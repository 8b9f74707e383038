// Package stitch gives every event its person. Events with identifiers come in; profile ids, the rows of the identity log and of
// the identifiers go out. The graph is a deterministic fold of the events in their order under the rules.
// It never calls out, never forgets why, and never lets a link break a limit.
package stitch

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"hash/maphash"
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
	newFrom uint32      // identifiers from here on are new with the event at hand
	touched []uint32    // profiles that the event at hand touched, each once
	moved   bool        // the event at hand decided something, or some profile has more or less than before
	pending []pendingRow
	region  region
	ready   prepared // of the batch at hand
	spaces  spaces
	normals *normals
	warmed  uint32 // keeps the reads of warm from being left out

	// What the batch at hand changed. Each list holds each index once: the records say whether they stand in it.
	identifiers, profiles, aliases []uint32
	attributed                     []schemas.Attribution // some leaves several times: the last counts
	// What changed since the last Save.
	unsaved unsaved
}

// candidate is one identifier of the event at hand.
type candidate struct {
	id       uint32
	ns       *Namespace
	form     *form
	isKiosk  bool
	isNew    bool
	link     uint32       // with the head; 0 for none
	previous schemas.Time // when the identifier was last seen before this event
}

// linkable tells whether an identifier may link at all.
func (c *candidate) linkable() bool {
	return !c.isKiosk && c.ns.links()
}

// New makes an empty stage, whose state lives in the space.
func New(rules *Rules, key []byte, space *slab.Space, reg prometheus.Registerer) *Stage {
	return &Stage{rules: rules, g: newGraph(key, space), space: space, metrics: newMetrics(reg), normals: &normals{seed: maphash.MakeSeed()}, unsaved: unsaved{leaves: 1, founded: 1, renewals: 1}}
}

// Name is the stage's stable name.
func (s *Stage) Name() string { return "stitch" }

// Begin makes the batch's events ready to be prepared.
func (s *Stage) Begin(b *schemas.Batch) error {
	s.forget()
	if len(s.g.names) == 0 && len(b.Events) > 0 {
		// Limits hold for the namespaces that come first.
		for _, name := range s.rules.names() {
			s.g.namespaceIndex(name)
		}
	}
	s.ready.events, s.ready.from, s.ready.to, s.ready.next = b.Events, 0, 0, 0
	return nil
}

// Step gives the moment's event its profile, and fills Decisions and Contacts of the batch and Touched of the moment. A moment without an event has
// its profiles already. Some events at a time are prepared before the first of them is stitched; where there is no room for what they may
// add, Step fails with slab.ErrFull and has changed nothing for them.
func (s *Stage) Step(b *schemas.Batch, m *schemas.Moment) error {
	if m.Event == nil {
		for _, t := range m.Touched {
			s.touchProfile(t.Profile)
		}
		return nil
	}
	if err := s.prepareNext(m.Event); err != nil {
		return err
	}
	s.batch, s.event, s.touched, s.moved = b, m.Event, s.touched[:0], m.Event.Command.Kind != schemas.CommandNone
	s.stitch(m.Event)
	m.Moved = s.moved
	s.batch, s.event = nil, nil
	slices.SortFunc(s.touched, func(p, q uint32) int {
		if pm, qm := s.g.living(p) != p, s.g.living(q) != q; pm != qm {
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

// Apply closes the batch: it fills Identifiers, Aliases, Attributions and Touched, and takes the commands out of Events.
func (s *Stage) Apply(b *schemas.Batch) error {
	if err := s.emit(b); err != nil {
		return err
	}
	b.Events = slices.DeleteFunc(b.Events, func(e *schemas.Event) bool { return e.Command.Kind != schemas.CommandNone })
	s.forget()
	s.letGo()
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
	s.newFrom = uint32(s.g.nodes.Len())
	if e.Command.Kind != schemas.CommandNone {
		s.command(e)
		s.flush()
		return
	}
	s.collect(e)
	from := len(s.batch.IDs)
	for i := range s.found {
		s.batch.IDs = append(s.batch.IDs, uint64(s.found[i].id))
	}
	e.IdentifierIDs = s.batch.IDs[from:len(s.batch.IDs):len(s.batch.IDs)]
	head := s.head()
	if head >= 0 {
		s.connect(head)
		s.flush()
		s.hands(head)
		e.Leaf = s.leafAt(s.found[head].id, e.Time)
	} else {
		e.Leaf = s.loner()
	}
	s.tell(e, head)
	s.learn()
	s.flush()
	s.settle()
	if e.Leaf == 0 {
		return
	}
	e.Profile = s.g.ownerOf(e.Leaf)
	e.ProfileID = s.g.profiles.At(e.Profile).id
	s.touch(e.Profile)
	s.annotate(e.Leaf)
}

// head gives the identifier that the event belongs to: the first that may link and is not quarantined, else the first that may link;
// -1 for none.
func (s *Stage) head() int {
	first := -1
	for i := range s.found {
		if !s.found[i].linkable() {
			continue
		}
		if !s.g.nodes.At(s.found[i].id).is(isQuarantined) {
			return i
		}
		if first < 0 {
			first = i
		}
	}
	return first
}

// collect takes the identifiers of an event, drops placeholders, sorts by priority, and gives new ones an id in that order.
func (s *Stage) collect(e *schemas.Event) {
	s.found = s.found[:0]
	forms := s.formsOf(e)
	for i := range forms {
		s.take(&forms[i], e.Time)
	}
	// Stable: identifiers of equal priority keep the producer's order.
	if !slices.IsSortedFunc(s.found, comparePriorities) {
		slices.SortStableFunc(s.found, comparePriorities)
	}
	for i := range s.found {
		c := &s.found[i]
		if c.id == 0 {
			c.isNew = true
			c.id = s.add(c.form, e.Time, 1)
		} else if s.g.nodes.At(c.id).is(isErased) {
			c.isNew = true
			c.id = s.add(c.form, e.Time, s.g.rows.At(c.id).generation+1)
		}
		if c.isNew && c.isKiosk {
			s.g.nodes.At(c.id).flags |= isKiosk
		}
		r := s.g.rows.At(c.id)
		c.previous = r.last
		r.first, r.last = min(r.first, e.Time), max(r.last, e.Time)
		s.touchIdentifier(c.id)
	}
}

func comparePriorities(a, b candidate) int { return a.ns.Priority - b.ns.Priority }

// known gives the identifier of a form; 0 for none. It may have come, or another may have come in its place, since the batch began.
func (s *Stage) known(f *form) uint32 {
	if f.id != 0 && !s.g.nodes.At(f.id).is(isErased) {
		return f.id
	}
	return s.g.index.Get(f.print)
}

// take makes a form a candidate, unless it names nobody.
func (s *Stage) take(f *form, at schemas.Time) {
	if f.ns == nil {
		s.metrics.ignored.WithLabelValues("invalid").Inc()
		return
	}
	c := candidate{ns: f.ns, form: f, id: s.known(f)}
	if slices.ContainsFunc(s.found, func(o candidate) bool { return o.form.print == f.print }) {
		return
	}
	blocked := false
	if c.id != 0 {
		n := s.g.nodes.At(c.id)
		blocked, c.isKiosk = n.is(isBlocked), n.is(isKiosk)
	} else {
		if _, known := s.g.nameIndex[f.ns.Name]; !known && (len(s.g.names) >= namespacesMax || len(f.ns.Name) > valueBytesMax) {
			s.metrics.ignored.WithLabelValues("namespace").Inc()
			return
		}
		blocked, c.isKiosk = s.rules.isBlocked(f.ns, f.value), s.rules.isKiosk(f.ns, f.value)
		if blocked { // remembered, so that patterns are matched once
			s.g.nodes.At(s.add(f, at, 1)).flags |= isBlocked
		}
	}
	if blocked {
		s.metrics.ignored.WithLabelValues("blocked").Inc()
		return
	}
	if c.isKiosk && f.ns.Class != schemas.ClassKiosk {
		c.ns = s.rules.kiosk
	}
	s.found = append(s.found, c)
}

// add gives a new value an identifier.
func (s *Stage) add(f *form, at schemas.Time, generation uint32) uint32 {
	id := s.g.addIdentifier(f, at, generation)
	s.unsaved.prints = append(s.unsaved.prints, fresh{f.print, id})
	s.changeIdentifier(id)
	return id
}
