package stitch

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"unsafe"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seamline/seamline/schemas"
)

// forget empties the lists of what the batch changed.
func (s *Stage) forget() {
	for _, id := range s.identifiers {
		s.g.nodes.At(id).flags &^= inBatch
	}
	for _, p := range s.profiles {
		s.g.profiles.At(p).in.batch = false
	}
	for _, p := range s.aliases {
		s.g.profiles.At(p).in.alias = false
	}
	s.identifiers, s.profiles, s.aliases, s.attributed = s.identifiers[:0], s.profiles[:0], s.aliases[:0], s.attributed[:0]
}

// touchIdentifier remembers that the batch changed an identifier's row.
func (s *Stage) touchIdentifier(id uint32) {
	if n := s.g.nodes.At(id); !n.is(inBatch) {
		n.flags |= inBatch
		s.identifiers = append(s.identifiers, id)
	}
	s.changeIdentifier(id)
}

// touchProfile remembers that the batch touched a profile.
func (s *Stage) touchProfile(p uint32) {
	if at := s.g.profiles.At(p); !at.in.batch {
		at.in.batch = true
		s.profiles = append(s.profiles, p)
	}
}

// touchAlias remembers that the batch changed what a profile resolves to.
func (s *Stage) touchAlias(p uint32) {
	if at := s.g.profiles.At(p); !at.in.alias {
		at.in.alias = true
		s.aliases = append(s.aliases, p)
	}
}

// emit fills the batch's rows with what the batch changed, as it is after the last event, in the order of the indexes.
func (s *Stage) emit(b *schemas.Batch) error {
	slices.Sort(s.identifiers)
	size := 0
	for _, id := range s.identifiers {
		size += int(s.g.rows.At(id).textBytes)
	}
	texts := make([]byte, 0, size) // rows outlive the batch in some sinks
	for i, id := range s.identifiers {
		if i%coolEvery == 0 {
			if err := s.space.Cool(); err != nil {
				return fmt.Errorf("stitch: rows of identifiers: %w", err)
			}
		}
		from := len(texts)
		texts = s.g.appendDisplay(texts, s.g.rows.At(id))
		row := s.row(id)
		if len(texts) > from {
			row.Display = unsafe.String(&texts[from], len(texts)-from)
		}
		b.Identifiers = append(b.Identifiers, row)
	}
	slices.Sort(s.aliases)
	for _, p := range s.aliases {
		at := s.g.profiles.At(p)
		b.Aliases = append(b.Aliases, schemas.Alias{AliasID: at.id, ProfileID: s.g.profiles.At(s.g.living(p)).id, Since: at.changed})
	}
	slices.SortStableFunc(s.attributed, func(a, b schemas.Attribution) int { return cmp.Compare(a.Leaf, b.Leaf) })
	for i, a := range s.attributed {
		if i+1 == len(s.attributed) || s.attributed[i+1].Leaf != a.Leaf {
			b.Attributions = append(b.Attributions, a)
		}
	}
	slices.Sort(s.profiles)
	for _, p := range s.profiles {
		b.Touched = append(b.Touched, schemas.Touch{Profile: p})
	}
	s.metrics.identifiers.Set(float64(s.g.nodes.Len() - 1))
	s.metrics.profiles.Set(float64(s.g.alive))
	s.metrics.links.Set(float64(s.g.kept))
	s.metrics.leaves.Set(float64(s.g.leaves.Len() - 1))
	return nil
}

// row gives an identifier's row without its display.
func (s *Stage) row(id uint32) schemas.IdentifierRow {
	n, r := s.g.nodes.At(id), s.g.rows.At(id)
	ns := s.ruleOf(n.namespace)
	row := schemas.IdentifierRow{ID: uint64(id), Namespace: ns.Name, ValueHash: r.hash, Class: ns.Class,
		FirstSeen: r.first, LastSeen: r.last, Quarantined: n.is(isQuarantined)}
	switch {
	case n.is(isKiosk):
		row.Class = schemas.ClassKiosk
		if n.leaf != 0 {
			row.ProfileID = s.g.profiles.At(s.g.ownerOf(n.leaf)).id
		}
	case ns.links():
		row.ProfileID = s.g.profiles.At(s.g.profileOf(s.holder(id))).id
	}
	return row
}

// Profile tells the id of a profile, and the event time at which it was merged into another; 0 while it lives.
func (s *Stage) Profile(p uint32) (id schemas.ProfileID, merged schemas.Time) {
	at := s.g.profiles.At(p)
	if s.g.living(p) == p {
		return at.id, 0
	}
	return at.id, at.changed
}

// Profiles calls f for every living profile.
func (s *Stage) Profiles(f func(profile uint32)) {
	for p := uint32(1); int(p) < s.g.profiles.Len(); p++ {
		if s.g.living(p) == p {
			f(p)
		}
	}
}

// Owner gives the living profile that a leaf belongs to.
func (s *Stage) Owner(leaf uint32) uint32 { return s.g.ownerOf(leaf) }

// Leaves calls f for every leaf of a living profile, in no certain order.
func (s *Stage) Leaves(p uint32, f func(leaf uint32)) { s.g.eachLeaf(p, f) }

// Count counts a profile's identifiers, by namespace where there is a column for it.
func (s *Stage) Count(p *schemas.Profile) {
	held := &s.g.profiles.At(p.Index).held
	p.UserIDs, p.LoyaltyIDs, p.Emails, p.Phones = held[heldUsers], held[heldLoyalty], held[heldEmails], held[heldPhones]
	p.Cards, p.Devices, p.Anonymous, p.Identifiers = held[heldCards], held[heldDevices], held[heldAnonymous], held[heldAll]
}

// quarantinedNamed is how many quarantined identifiers the metric names; the rest are in the table identifiers alone.
const quarantinedNamed = 100

type metrics struct {
	identifiers, profiles, links, leaves prometheus.Gauge
	decisions                            []prometheus.Counter // by kind
	ignored, commands                    *prometheus.CounterVec
	quarantined, named                   *prometheus.GaugeVec
	names                                map[uint32]bool // identifiers that named names
}

// quarantine counts and names a quarantined identifier.
func (m *metrics) quarantine(namespace string, id uint32) {
	m.quarantined.WithLabelValues(namespace).Inc()
	if len(m.names) < quarantinedNamed {
		m.names[id] = true
		m.named.WithLabelValues(namespace, strconv.FormatUint(uint64(id), 10)).Set(1)
	}
}

// release takes an identifier out of what quarantine counted.
func (m *metrics) release(namespace string, id uint32) {
	m.quarantined.WithLabelValues(namespace).Dec()
	if m.names[id] {
		delete(m.names, id)
		m.named.DeleteLabelValues(namespace, strconv.FormatUint(uint64(id), 10))
	}
}

func newMetrics(reg prometheus.Registerer) *metrics {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	}
	m := &metrics{
		identifiers: gauge("seamline_stitch_identifiers", "Identifiers known."),
		profiles:    gauge("seamline_stitch_profiles", "Profiles that are not merged away."),
		links:       gauge("seamline_stitch_links", "Distinct pairs of identifiers that were seen together."),
		leaves:      gauge("seamline_stitch_leaves", "Pieces of history between changes of hands."),
		ignored: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "seamline_stitch_ignored_total",
			Help: "Identifiers on events that name nobody: placeholders, values of the wrong form, and namespaces beyond the most."}, []string{"reason"}),
		commands: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "seamline_stitch_commands_total",
			Help: "Commands of operators: done, with nothing to do, or about identifiers that are not known."}, []string{"outcome"}),
		quarantined: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "seamline_stitch_quarantined",
			Help: "Identifiers whose links do not carry, because they were seen with too many people or by command."}, []string{"namespace"}),
		named: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "seamline_stitch_quarantined_identifier",
			Help: "1 for a quarantined identifier, by its identifier_id in the table identifiers; at most 100 of them."}, []string{"namespace", "identifier_id"}),
		names: map[uint32]bool{},
	}
	decisions := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "seamline_stitch_decisions_total",
		Help: "Rows of the identity log, by kind."}, []string{"kind"})
	reg.MustRegister(m.identifiers, m.profiles, m.links, m.leaves, m.ignored, m.commands, m.quarantined, m.named, decisions)
	for _, kind := range schemas.DecisionNames() {
		m.decisions = append(m.decisions, decisions.WithLabelValues(kind))
	}
	for _, reason := range []string{"invalid", "blocked", "namespace"} {
		m.ignored.WithLabelValues(reason)
	}
	for _, outcome := range []string{"done", "nothing to do", "unknown"} {
		m.commands.WithLabelValues(outcome)
	}
	return m
}
