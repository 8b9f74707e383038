package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/seamline/seamline/pipeline/stitch"
	"github.com/seamline/seamline/schemas"
)

// dryReport is what other rules would make of the same events.
type dryReport struct {
	From    string   `json:"from"` // topics or log
	Records uint64   `json:"records"`
	Events  uint64   `json:"events"` // of a log: links
	Notes   []string `json:"notes"`

	Profiles  beforeAfter `json:"profiles"`           // living ones
	Seen      beforeAfter `json:"profiles_of_events"` // those that events belong to
	Nobody    beforeAfter `json:"events_of_nobody"`
	Gained    int         `json:"merges_gained"` // pieces of people that would be united and are not
	Lost      int         `json:"merges_lost"`   // pieces of people that are united and would not be
	ChangedID int         `json:"changed_ids"`   // profiles whose id none of their events would belong to

	GainedExamples  []dryMerge   `json:"merges_gained_examples"`
	LostExamples    []dryMerge   `json:"merges_lost_examples"`
	ChangedExamples []dryChange  `json:"changed_ids_examples"`
	Biggest         dryClusters  `json:"biggest"`
	Decisions       []dryCounted `json:"decisions"`
}

// beforeAfter is a count under the rules in force and under the others.
type beforeAfter struct {
	Before int `json:"before"`
	After  int `json:"after"`
}

// dryProfile is a profile of one side.
type dryProfile struct {
	ProfileID   *schemas.ProfileID `json:"profile_id,omitempty"` // missing of a log, which does not tell the values that ids derive from
	Oldest      dryIdentifier      `json:"oldest"`
	Identifiers uint32             `json:"identifiers"`
	UserIDs     uint32             `json:"user_ids"`
	Emails      uint32             `json:"emails"`
	Devices     uint32             `json:"devices"`
	Events      uint64             `json:"events"` // of a log: links
}

// dryIdentifier is an identifier as operators see it.
type dryIdentifier struct {
	ID        uint64 `json:"identifier_id,omitempty"` // of a log: that of the table identifiers
	Namespace string `json:"namespace"`
	Display   string `json:"display"`
}

// dryMerge is a profile of one side that is several of the other, with links that make the difference.
type dryMerge struct {
	Whole  dryProfile   `json:"whole"`
	Parts  []dryProfile `json:"parts"` // with the events that both sides give them
	Pieces int          `json:"pieces"`
	Links  []dryLink    `json:"links"`
}

// dryLink is a link that holds on one side only.
type dryLink struct {
	A    dryIdentifier `json:"a"`
	B    dryIdentifier `json:"b"`
	Time schemas.Time  `json:"time"` // of its first evidence
}

// dryChange is a profile that would have another id.
type dryChange struct {
	Before dryProfile `json:"before"`
	After  dryProfile `json:"after"` // where most of its events would be
}

// dryClusters are the profiles with the most identifiers.
type dryClusters struct {
	Before []dryProfile `json:"before"`
	After  []dryProfile `json:"after"`
}

// dryCounted counts decisions of a kind by a rule.
type dryCounted struct {
	Decision string `json:"decision"`
	Rule     string `json:"rule"`
	Before   uint64 `json:"before"`
	After    uint64 `json:"after"`
}

// Bounds of an example.
const (
	partsShownMax   = 5
	linksShownMax   = 3
	membersShownMax = 2000
)

// piece is what two profiles, one of each side, have in common.
type piece struct {
	inForce, other uint32
	events         uint64
}

// report compares the two sides.
func (f *dryFold) report(s *settings, opt dryRunOptions) (*dryReport, error) {
	r := &dryReport{From: opt.source, Records: f.records, Events: f.events, Notes: f.notes(s, opt), GainedExamples: []dryMerge{}, LostExamples: []dryMerge{},
		ChangedExamples: []dryChange{}}
	pieces := f.pieces(r)
	before, after := group(pieces, func(p piece) uint32 { return p.inForce }), group(pieces, func(p piece) uint32 { return p.other })
	r.Seen = beforeAfter{len(before), len(after)}
	r.Gained, r.Lost = len(pieces)-len(after), len(pieces)-len(before)
	for i, side := range []*drySide{f.inForce, f.other} {
		living := 0
		side.stage.Profiles(func(uint32) { living++ })
		if i == 0 {
			r.Profiles.Before = living
		} else {
			r.Profiles.After = living
		}
	}
	r.GainedExamples = f.merges(after, f.other, f.inForce, opt.top)
	r.LostExamples = f.merges(before, f.inForce, f.other, opt.top)
	f.changes(r, before, opt.top)
	r.Biggest = dryClusters{Before: f.biggest(f.inForce, before, opt.top), After: f.biggest(f.other, after, opt.top)}
	f.countDecisions(r)
	return r, f.name(r)
}

func (f *dryFold) notes(s *settings, opt dryRunOptions) []string {
	inForce := s.Identity.Rules
	if inForce == "" {
		inForce = "the shipped rules"
	}
	notes := []string{fmt.Sprintf("before: %s; after: %s", inForce, opt.rules)}
	if f.isLog {
		notes = append(notes, "the log tells identifiers and their links, once each, and no values: blocked values, kiosk patterns, normalisers, fan-outs, changes of hands "+
			"and commands are not judged, and profiles have no ids; --from topics judges all")
	}
	return notes
}

// pieces finds what the profiles of both sides have in common. Events of nobody are counted apart.
func (f *dryFold) pieces(r *dryReport) []piece {
	common := map[[2]uint32]uint64{}
	f.pairs.Each(func(key uint64, events *uint64) {
		var p [2]uint32
		if l := uint32(key >> 32); l != 0 {
			p[0] = f.inForce.stage.Owner(l)
		} else {
			r.Nobody.Before += int(*events)
		}
		if l := uint32(key); l != 0 {
			p[1] = f.other.stage.Owner(l)
		} else {
			r.Nobody.After += int(*events)
		}
		if p[0] != 0 && p[1] != 0 {
			common[p] += *events
		}
	})
	pieces := make([]piece, 0, len(common))
	for p, events := range common {
		pieces = append(pieces, piece{p[0], p[1], events})
	}
	slices.SortFunc(pieces, func(p, q piece) int {
		return cmp.Or(cmp.Compare(p.inForce, q.inForce), cmp.Compare(p.other, q.other))
	})
	return pieces
}

// group gives the pieces of each profile of a side.
func group(pieces []piece, of func(p piece) uint32) map[uint32][]piece {
	groups := map[uint32][]piece{}
	for _, p := range pieces {
		groups[of(p)] = append(groups[of(p)], p)
	}
	return groups
}

// merges gives examples of profiles of a side that are several of the other: those of the most pieces first.
func (f *dryFold) merges(groups map[uint32][]piece, side, against *drySide, top int) []dryMerge {
	var ids []uint32
	for id, pieces := range groups {
		if len(pieces) > 1 {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(p, q uint32) int { return cmp.Or(len(groups[q])-len(groups[p]), cmp.Compare(p, q)) })
	out := []dryMerge{}
	for _, id := range ids[:min(top, len(ids))] {
		pieces := slices.Clone(groups[id])
		slices.SortFunc(pieces, func(p, q piece) int {
			return cmp.Or(cmp.Compare(q.events, p.events), cmp.Compare(p.inForce, q.inForce), cmp.Compare(p.other, q.other))
		})
		m := dryMerge{Whole: f.profile(side, id, eventsOf(pieces)), Pieces: len(pieces), Parts: []dryProfile{}, Links: f.bridges(side, against, id)}
		for _, p := range pieces[:min(partsShownMax, len(pieces))] {
			part := p.inForce
			if against == f.other {
				part = p.other
			}
			m.Parts = append(m.Parts, f.profile(against, part, p.events))
		}
		out = append(out, m)
	}
	return out
}

func eventsOf(pieces []piece) (n uint64) {
	for _, p := range pieces {
		n += p.events
	}
	return n
}

// bridges gives links that hold in a profile of a side, and whose ends are in different groups of the other.
func (f *dryFold) bridges(side, against *drySide, profile uint32) []dryLink {
	members := side.stage.Members(profile, membersShownMax)
	names, ids := map[uint32]stitch.IdentifierName{}, map[stitch.IdentifierName]uint32{}
	for _, id := range members {
		row := side.stage.Identifier(id)
		names[id] = stitch.IdentifierName{Namespace: row.Namespace, Hash: row.ValueHash}
		ids[names[id]] = 0
	}
	against.stage.Find(ids)
	groupOf := func(id uint32) uint32 {
		if found := ids[names[id]]; found != 0 {
			return against.stage.Group(found)
		}
		return 0
	}
	links := []dryLink{}
	for _, id := range members {
		here := groupOf(id)
		side.stage.Joined(id, func(other uint32, at schemas.Time) {
			if _, known := names[other]; !known || other < id || len(links) == linksShownMax {
				return
			}
			if there := groupOf(other); here == 0 || here != there {
				links = append(links, dryLink{A: f.identifier(side, id), B: f.identifier(side, other), Time: at})
			}
		})
	}
	return links
}

// changes counts profiles whose id is none of those that their events would belong to.
func (f *dryFold) changes(r *dryReport, before map[uint32][]piece, top int) {
	for _, p := range slices.Sorted(maps.Keys(before)) {
		id, _ := f.inForce.stage.Profile(p)
		most := piece{}
		stays := false
		for _, x := range before[p] {
			other, _ := f.other.stage.Profile(x.other)
			stays = stays || other == id
			if x.events > most.events {
				most = x
			}
		}
		if stays {
			continue
		}
		if r.ChangedID++; len(r.ChangedExamples) < top {
			r.ChangedExamples = append(r.ChangedExamples, dryChange{Before: f.profile(f.inForce, p, eventsOf(before[p])), After: f.profile(f.other, most.other, most.events)})
		}
	}
}

// biggest gives the profiles of a side with the most identifiers.
func (f *dryFold) biggest(side *drySide, groups map[uint32][]piece, top int) []dryProfile {
	type sized struct{ profile, identifiers uint32 }
	var all []sized
	trim := func() {
		slices.SortFunc(all, func(p, q sized) int {
			return cmp.Or(cmp.Compare(q.identifiers, p.identifiers), cmp.Compare(p.profile, q.profile))
		})
		all = all[:min(top, len(all))]
	}
	side.stage.Profiles(func(p uint32) {
		counted := schemas.Profile{Index: p}
		side.stage.Count(&counted)
		if all = append(all, sized{p, counted.Identifiers}); len(all) > 4*top+1000 {
			trim()
		}
	})
	trim()
	out := []dryProfile{}
	for _, p := range all {
		out = append(out, f.profile(side, p.profile, eventsOf(groups[p.profile])))
	}
	return out
}

func (f *dryFold) profile(side *drySide, p uint32, events uint64) dryProfile {
	counted := schemas.Profile{Index: p}
	side.stage.Count(&counted)
	id, _ := side.stage.Profile(p)
	out := dryProfile{ProfileID: &id, Oldest: f.identifier(side, side.stage.Founder(p)), Identifiers: counted.Identifiers, UserIDs: counted.UserIDs, Emails: counted.Emails,
		Devices: counted.Devices + counted.Anonymous, Events: events}
	if f.isLog {
		out.ProfileID = nil
	}
	return out
}

func (f *dryFold) identifier(side *drySide, id uint32) dryIdentifier {
	row := side.stage.Identifier(id)
	out := dryIdentifier{Namespace: row.Namespace, Display: row.Display}
	if f.isLog {
		out.Display = ""
		if int(id) < len(side.numbers) {
			out.ID = side.numbers[id]
		}
	}
	return out
}

// name gives the identifiers of a log the display texts of their rows.
func (f *dryFold) name(r *dryReport) error {
	if f.resolve == nil {
		return nil
	}
	var shown []*dryIdentifier
	profiles := func(list []dryProfile) {
		for i := range list {
			shown = append(shown, &list[i].Oldest)
		}
	}
	profiles(r.Biggest.Before)
	profiles(r.Biggest.After)
	for i := range r.ChangedExamples {
		shown = append(shown, &r.ChangedExamples[i].Before.Oldest, &r.ChangedExamples[i].After.Oldest)
	}
	for _, merges := range [][]dryMerge{r.GainedExamples, r.LostExamples} {
		for i := range merges {
			shown = append(shown, &merges[i].Whole.Oldest)
			profiles(merges[i].Parts)
			for j := range merges[i].Links {
				shown = append(shown, &merges[i].Links[j].A, &merges[i].Links[j].B)
			}
		}
	}
	ids := map[uint64]bool{}
	for _, s := range shown {
		ids[s.ID] = true
	}
	rows, err := f.resolve(slices.Sorted(maps.Keys(ids)))
	for _, s := range shown {
		s.Display = rows[s.ID].Display
	}
	return err
}

// countDecisions lists decisions by kind and rule.
func (f *dryFold) countDecisions(r *dryReport) {
	keys := map[dryDecision]bool{}
	for _, side := range []*drySide{f.inForce, f.other} {
		for key := range side.counts {
			keys[key] = true
		}
	}
	sorted := slices.SortedFunc(maps.Keys(keys), func(x, y dryDecision) int { return cmp.Or(cmp.Compare(x.kind, y.kind), cmp.Compare(x.rule, y.rule)) })
	r.Decisions = []dryCounted{}
	for _, key := range sorted {
		r.Decisions = append(r.Decisions, dryCounted{Decision: key.kind, Rule: key.rule, Before: f.inForce.counts[key], After: f.other.counts[key]})
	}
}
