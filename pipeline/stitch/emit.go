package stitch

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seamline/seamline/schemas"
)

// forget empties the lists of what the batch changed.
func (s *Stage) forget() {
	for _, id := range s.identifiers {
		s.g.identifiers.At(id).inBatch = false
	}
	for _, p := range s.profiles {
		s.g.profiles.At(p).inBatch = false
	}
	for _, p := range s.aliases {
		s.g.profiles.At(p).inAliases = false
	}
	s.identifiers, s.profiles, s.aliases = s.identifiers[:0], s.profiles[:0], s.aliases[:0]
}

// touchIdentifier remembers that the batch changed an identifier's row.
func (s *Stage) touchIdentifier(id uint32) {
	if i := s.g.identifiers.At(id); !i.inBatch {
		i.inBatch = true
		s.identifiers = append(s.identifiers, id)
	}
	s.changeIdentifier(id)
}

// touchProfile remembers that the batch touched a profile.
func (s *Stage) touchProfile(p uint32) {
	if at := s.g.profiles.At(p); !at.inBatch {
		at.inBatch = true
		s.profiles = append(s.profiles, p)
	}
}

// touchAlias remembers that the batch changed what a profile was merged into.
func (s *Stage) touchAlias(p uint32) {
	if at := s.g.profiles.At(p); !at.inAliases {
		at.inAliases = true
		s.aliases = append(s.aliases, p)
	}
}

// emit fills the batch's rows with what the batch changed, as it is after the last event, in the order of the indexes.
func (s *Stage) emit(b *schemas.Batch) {
	slices.Sort(s.identifiers)
	for _, id := range s.identifiers {
		b.Identifiers = append(b.Identifiers, s.row(id))
	}
	slices.Sort(s.aliases)
	for _, p := range s.aliases {
		alias := s.g.profiles.At(p)
		b.Aliases = append(b.Aliases, schemas.Alias{AliasID: alias.id, ProfileID: s.g.profiles.At(s.g.living(p)).id, Since: alias.merged})
	}
	slices.Sort(s.profiles)
	for _, p := range s.profiles {
		b.Touched = append(b.Touched, schemas.Touch{Profile: p})
	}
	s.metrics.identifiers.Set(float64(s.g.identifiers.Len() - 1))
	s.metrics.profiles.Set(float64(s.g.alive))
	s.metrics.links.Set(float64(s.g.links.Len()))
}

func (s *Stage) row(id uint32) schemas.IdentifierRow {
	i := s.g.identifiers.At(id)
	ns := s.ruleOf(i.namespace)
	s.scratch = s.g.appendDisplay(s.scratch[:0], i)
	row := schemas.IdentifierRow{ID: uint64(id), Namespace: ns.Name, ValueHash: i.hash, Display: string(s.scratch), Class: ns.Class,
		FirstSeen: i.first, LastSeen: i.last}
	if i.kiosk {
		row.Class = schemas.ClassKiosk
	}
	if i.leaf != 0 && ns.Class != schemas.ClassEvidence {
		row.ProfileID = s.g.profiles.At(s.g.profileOf(i.leaf)).id
	}
	return row
}

// Profile tells the id of a profile, and the event time at which it was merged into another; 0 while it lives.
func (s *Stage) Profile(p uint32) (id schemas.ProfileID, merged schemas.Time) {
	at := s.g.profiles.At(p)
	return at.id, at.merged
}

// Profiles calls f for every living profile.
func (s *Stage) Profiles(f func(profile uint32)) {
	for p := uint32(1); int(p) < s.g.profiles.Len(); p++ {
		if s.g.profiles.At(p).into == 0 {
			f(p)
		}
	}
}

// Owner gives the living profile that a leaf belongs to.
func (s *Stage) Owner(leaf uint32) uint32 { return s.g.profileOf(leaf) }

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
		i := s.g.identifiers.At(s.g.leaves.At(l).identifier)
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
			Help: "Identifiers on events that name nobody: placeholders, values of the wrong form, and namespaces beyond the most."}, []string{"reason"}),
	}
	decisions := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "seamline_stitch_decisions_total",
		Help: "Rows of the identity log, by kind."}, []string{"kind"})
	reg.MustRegister(m.identifiers, m.profiles, m.links, m.ignored, decisions)
	for _, kind := range schemas.DecisionNames() {
		m.decisions = append(m.decisions, decisions.WithLabelValues(kind))
	}
	m.ignored.WithLabelValues("invalid")
	m.ignored.WithLabelValues("blocked")
	m.ignored.WithLabelValues("namespace")
	return m
}
