// Package stitch gives every event its person. Events with identifiers come in; profile ids, the rows of the identity log and of
// the identifiers go out. The graph is a deterministic fold of the events in their order under the rules.
// It never calls out, never forgets why, and never lets a link break a limit.
package stitch

import (
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

// Apply gives every event its profile and fills Decisions, Identifiers, Aliases and Touched.
func (s *Stage) Apply(b *schemas.Batch) error {
	s.batch = b
	s.identifiers.reset()
	s.profiles.reset()
	s.aliases.reset()
	for _, e := range b.Events {
		s.event = e
		s.stitch(e)
	}
	s.emit(b)
	s.batch, s.event = nil, nil
	return nil
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
	s.profiles.add(e.Profile)
	s.annotate(l)
}

// collect looks every identifier of an event up, drops placeholders, and sorts by priority.
func (s *Stage) collect(e *schemas.Event) {
	s.found = s.found[:0]
	for _, raw := range e.Identifiers {
		ns := s.rules.namespace(raw.Namespace)
		value, ok := normalise(ns.Normalise, raw.Value, s.rules.Region)
		if !ok {
			s.metrics.ignored.WithLabelValues("invalid").Inc()
			continue
		}
		var print fingerprint
		print, s.scratch = s.g.print(s.scratch, ns.Name, value)
		id, known := s.g.index[print]
		if !known {
			id = s.g.addIdentifier(ns, value, print, e.Time)
			i := &s.g.identifiers[id]
			i.blocked, i.kiosk = s.rules.isBlocked(ns, value), s.rules.isKiosk(ns, value)
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

// link joins the event's other identifiers to the profile of its head, and gives the head's leaf.
func (s *Stage) link(head int) uint32 {
	h := &s.found[head]
	if h.leaf == 0 {
		// A new head founds no profile of its own where another identifier of the event already has one that takes it in.
		s.adoptHead(head)
	}
	for i := range s.found {
		c := &s.found[i]
		if i == head || c.kiosk || c.ns.Class == schemas.ClassEvidence {
			continue
		}
		if c.leaf == 0 {
			s.admit(h, c)
		} else if s.g.root(h.leaf) != s.g.root(c.leaf) {
			s.unite(h, c)
		} else {
			s.know(h, c, linkMade)
		}
	}
	return h.leaf
}

// adoptHead gives a head without a leaf one: in the oldest profile of the event's other identifiers that takes it in, or in a
// profile of its own.
func (s *Stage) adoptHead(head int) {
	h := &s.found[head]
	var best uint32
	var with *candidate
	for i := range s.found {
		c := &s.found[i]
		if i == head || c.leaf == 0 || c.kiosk || c.ns.Class == schemas.ClassEvidence {
			continue
		}
		p := s.g.profileOf(c.leaf)
		if (best == 0 || p < best) && s.broken(p, 0, h.ns) == nil {
			best, with = p, c
		}
	}
	h.leaf = s.g.addLeaf(h.id)
	s.unsaved.leaves.add(h.leaf)
	if best == 0 {
		s.foundProfile(h.leaf)
		return
	}
	s.g.join(h.leaf, best)
	s.profiles.add(best)
	s.log(schemas.DecisionLinked, h, with, 0, "")
	s.know(h, with, linkMade)
}

// foundProfile makes a profile of a leaf.
func (s *Stage) foundProfile(l uint32) {
	p := s.g.found(l, s.event.Time)
	s.profiles.add(p)
	s.unsaved.profiles.add(p)
}

// admit gives a new identifier a leaf in the head's profile, or in one of its own where a limit forbids that.
func (s *Stage) admit(h, c *candidate) {
	c.leaf = s.g.addLeaf(c.id)
	s.unsaved.leaves.add(c.leaf)
	p := s.g.profileOf(h.leaf)
	if rule := s.broken(p, 0, c.ns); rule != nil {
		s.foundProfile(c.leaf)
		s.refuse(h, c, rule)
		return
	}
	s.g.join(c.leaf, p)
	s.log(schemas.DecisionLinked, h, c, 0, "")
	s.know(h, c, linkMade)
}

// unite merges the profiles of two known identifiers, or refuses where a limit of the merged profile would break.
func (s *Stage) unite(h, c *candidate) {
	a, b := s.g.profileOf(h.leaf), s.g.profileOf(c.leaf)
	if rule := s.broken(a, b, nil); rule != nil {
		s.refuse(h, c, rule)
		return
	}
	loser := max(a, b)
	s.g.eachLeaf(loser, func(l uint32) { s.touchIdentifier(s.g.leaves[l].identifier) })
	survivor, loser := s.g.merge(a, b)
	s.profiles.add(survivor)
	s.profiles.add(loser)
	s.unsaved.profiles.add(survivor)
	s.unsaved.profiles.add(loser)
	s.g.profiles[loser].merged = s.event.Time
	s.g.eachAlias(loser, func(p uint32) { s.aliases.add(p) })
	s.log(schemas.DecisionMerged, h, c, loser, "")
	s.know(h, c, linkMade)
}

// refuse keeps two profiles apart. A personal identifier stays where it is; a shared one follows the record from its event time
// on, and its earlier events stay where they were.
func (s *Stage) refuse(h, c *candidate, rule *Namespace) {
	p, other := s.g.profileOf(h.leaf), s.g.profileOf(c.leaf)
	if s.know(h, c, linkRefused) {
		s.log(schemas.DecisionRefused, h, c, other, limitText(rule))
	}
	if c.ns.Class != schemas.ClassShared {
		return
	}
	// The leaf that the identifier had when it was last in these hands serves again.
	to := uint32(0)
	for _, m := range s.g.moves[c.id] {
		if s.g.profileOf(m.leaf) == p {
			to = m.leaf
		}
	}
	if to == 0 {
		if s.broken(p, 0, c.ns) != nil {
			return
		}
		to = s.g.addLeaf(c.id)
		s.g.identifiers[c.id].leaf = c.leaf // moveTo decides which leaf is the newest
		s.g.join(to, p)
		s.unsaved.leaves.add(to)
	}
	s.g.moveTo(c.id, to, s.event.Time)
	s.unsaved.moves.add(c.id)
	s.touchIdentifier(c.id)
	s.profiles.add(other)
	s.profiles.add(p)
	s.log(schemas.DecisionDemoted, h, c, other, limitText(rule))
	c.leaf = to
}

func limitText(ns *Namespace) string {
	if ns.Within != 0 {
		return fmt.Sprintf("limit %s %d within %dh", ns.Name, ns.Limit, ns.Within/schemas.Hour)
	}
	return fmt.Sprintf("limit %s %d", ns.Name, ns.Limit)
}

// loner gives the leaf of an event without an identifier that may link: a kiosk's session, or whom the evidence was first seen
// with. 0 means that nobody is known.
func (s *Stage) loner() uint32 {
	for i := range s.found {
		if c := &s.found[i]; c.kiosk {
			return s.kioskLeaf(c)
		}
	}
	for i := range s.found {
		if c := &s.found[i]; c.ns.Resolves && c.leaf != 0 {
			return c.leaf
		}
	}
	return 0
}

// kioskLeaf gives the leaf of a kiosk's session: a new one once nobody has used it for kioskGap.
func (s *Stage) kioskLeaf(c *candidate) uint32 {
	at := s.event.Time
	if c.leaf != 0 && at-c.last <= kioskGap {
		return c.leaf
	}
	newest := s.g.identifiers[c.id].leaf
	l := s.g.addLeaf(c.id)
	s.foundProfile(l)
	s.unsaved.leaves.add(l)
	if newest != 0 {
		s.g.identifiers[c.id].leaf = newest // moveTo decides which leaf is the newest
		s.g.moveTo(c.id, l, at)
		s.unsaved.moves.add(c.id)
	}
	return l
}

// annotate remembers whom evidence was first seen with.
func (s *Stage) annotate(l uint32) {
	for i := range s.found {
		c := &s.found[i]
		if id := &s.g.identifiers[c.id]; c.ns.Resolves && id.leaf == 0 {
			id.leaf = l
		}
	}
}

// broken gives the namespace whose limit a profile would break by taking in another profile, or one more value of a namespace;
// nil where all limits hold. With a window, only values seen within it before the event count.
func (s *Stage) broken(p, other uint32, one *Namespace) *Namespace {
	var counts [64]uint16 // by namespace index; namespaces beyond have no limit
	var rules [64]*Namespace
	count := func(l uint32) {
		id := &s.g.identifiers[s.g.leaves[l].identifier]
		if id.namespace >= uint16(len(counts)) || id.leaf != l {
			return // the identifier has changed hands: only its history is here
		}
		ns := s.rules.namespace(s.g.names[id.namespace])
		if ns.Within != 0 && id.last < s.event.Time-ns.Within {
			return
		}
		rules[id.namespace] = ns
		counts[id.namespace]++
	}
	s.g.eachLeaf(p, count)
	if other != 0 {
		s.g.eachLeaf(other, count)
	}
	if one != nil {
		if i := s.g.namespaceIndex(one.Name); i < uint16(len(counts)) {
			rules[i] = one
			counts[i]++
		}
	}
	for i, ns := range rules {
		if ns != nil && ns.Limit > 0 && int(counts[i]) > ns.Limit {
			return ns
		}
	}
	return nil
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
