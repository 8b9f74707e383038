package stitch

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seamline/seamline/schemas"
)

// set holds indexes, each once, and is emptied without touching its memory.
type set struct {
	list  []uint32
	marks []uint32 // generation in which an index was added
	now   uint32
}

func (s *set) reset() {
	s.list = s.list[:0]
	if s.now++; s.now == 0 {
		clear(s.marks)
		s.now = 1
	}
}

func (s *set) add(i uint32) {
	if s.now == 0 {
		s.now = 1
	}
	if int(i) >= len(s.marks) {
		s.marks = append(s.marks, make([]uint32, int(i)+1-len(s.marks)+len(s.marks)/2)...)
	}
	if s.marks[i] != s.now {
		s.marks[i] = s.now
		s.list = append(s.list, i)
	}
}

// sorted gives the indexes in order.
func (s *set) sorted() []uint32 {
	slices.Sort(s.list)
	return s.list
}

// emit fills the batch's rows with what the batch changed, as it is after the last event.
func (s *Stage) emit(b *schemas.Batch) {
	for _, id := range s.identifiers.sorted() {
		b.Identifiers = append(b.Identifiers, s.row(id))
	}
	for _, p := range s.aliases.sorted() {
		alias := &s.g.profiles[p]
		b.Aliases = append(b.Aliases, schemas.Alias{AliasID: alias.id, ProfileID: s.g.profiles[s.g.living(p)].id, Since: alias.merged})
	}
	for _, p := range s.profiles.sorted() {
		b.Touched = append(b.Touched, schemas.Touch{Profile: p})
	}
	s.metrics.identifiers.Set(float64(len(s.g.identifiers) - 1))
	s.metrics.profiles.Set(float64(s.g.alive))
	s.metrics.links.Set(float64(len(s.g.links)))
}

func (s *Stage) row(id uint32) schemas.IdentifierRow {
	i := &s.g.identifiers[id]
	ns := s.rules.namespace(s.g.names[i.namespace])
	row := schemas.IdentifierRow{ID: uint64(id), Namespace: ns.Name, ValueHash: i.hash, Display: s.g.display(i), Class: ns.Class,
		FirstSeen: i.first, LastSeen: i.last}
	if i.kiosk {
		row.Class = schemas.ClassKiosk
	}
	if i.leaf != 0 && ns.Class != schemas.ClassEvidence {
		row.ProfileID = s.g.profiles[s.g.profileOf(i.leaf)].id
	}
	return row
}

// Profile tells the id of a profile, and the event time at which it was merged into another; 0 while it lives.
func (s *Stage) Profile(p uint32) (id schemas.ProfileID, merged schemas.Time) {
	return s.g.profiles[p].id, s.g.profiles[p].merged
}

// Profiles calls f for every living profile.
func (s *Stage) Profiles(f func(profile uint32)) {
	for p := 1; p < len(s.g.profiles); p++ {
		if s.g.profiles[p].into == 0 {
			f(uint32(p))
		}
	}
}

// Leaves calls f for every leaf of a living profile, in the order in which the leaves were made.
func (s *Stage) Leaves(p uint32, f func(leaf uint32)) {
	// Sorted, since the order of a component's list depends on restarts.
	var few [32]uint32
	leaves := s.g.appendLeaves(few[:0], p)
	slices.Sort(leaves)
	for _, l := range leaves {
		f(l)
	}
}

// Count counts a profile's identifiers, by namespace where there is a column for it.
func (s *Stage) Count(p *schemas.Profile) {
	s.g.eachLeaf(p.Index, func(l uint32) {
		i := &s.g.identifiers[s.g.leaves[l].identifier]
		if i.leaf != l {
			return // it has changed hands: only its history is here
		}
		p.Identifiers++
		switch s.g.names[i.namespace] {
		case schemas.NamespaceUserID:
			p.UserIDs++
		case schemas.NamespaceLoyaltyID:
			p.LoyaltyIDs++
		case schemas.NamespaceEmail:
			p.Emails++
		case schemas.NamespacePhone:
			p.Phones++
		case schemas.NamespaceCard:
			p.Cards++
		case schemas.NamespaceDeviceID:
			p.Devices++
		case schemas.NamespaceAnonymousID:
			p.Anonymous++
		}
	})
}

type metrics struct {
	identifiers, profiles, links prometheus.Gauge
	decisions                    []prometheus.Counter // by kind
	ignored                      *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		identifiers: prometheus.NewGauge(prometheus.GaugeOpts{Name: "seamline_stitch_identifiers", Help: "Identifiers known."}),
		profiles:    prometheus.NewGauge(prometheus.GaugeOpts{Name: "seamline_stitch_profiles", Help: "Profiles that are not merged away."}),
		links:       prometheus.NewGauge(prometheus.GaugeOpts{Name: "seamline_stitch_links", Help: "Distinct pairs of identifiers that were decided about."}),
		ignored: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "seamline_stitch_ignored_total",
			Help: "Identifiers on events that name nobody: placeholders and values of the wrong form."}, []string{"reason"}),
	}
	decisions := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "seamline_stitch_decisions_total",
		Help: "Rows of the identity log, by kind."}, []string{"kind"})
	reg.MustRegister(m.identifiers, m.profiles, m.links, m.ignored, decisions)
	for _, kind := range schemas.DecisionNames() {
		m.decisions = append(m.decisions, decisions.WithLabelValues(kind))
	}
	m.ignored.WithLabelValues("invalid")
	m.ignored.WithLabelValues("blocked")
	return m
}
