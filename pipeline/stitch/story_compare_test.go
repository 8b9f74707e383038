package stitch

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seamline/seamline/schemas"
)

// names hold which profile and which row of identifiers the oracle's keys are. They must never change.
type names struct {
	profiles map[string]schemas.ProfileID // by founding identifier, or session of a kiosk
	founders map[schemas.ProfileID]string
	rows     map[string]uint64
}

func newNames() *names {
	return &names{map[string]schemas.ProfileID{}, map[schemas.ProfileID]string{}, map[string]uint64{}}
}

// meet fails where a profile is not that of its founder.
func (n *names) meet(what, founder string, id schemas.ProfileID) error {
	if (founder == "") != id.IsZero() {
		return fmt.Errorf("%s has profile %s of %q, want that of %q", what, id, n.founders[id], founder)
	}
	if founder == "" {
		return nil
	}
	of, known := n.founders[id]
	if want, met := n.profiles[founder]; known && of != founder || met && want != id {
		return fmt.Errorf("%s has profile %s of %q, want %s of %q", what, id, of, want, founder)
	}
	n.profiles[founder], n.founders[id] = id, founder
	return nil
}

// compare fails where engine and oracle, which have read the same, do not agree.
func compare(o *oracle, p *player, n *names) error {
	if len(o.events) != len(p.events) {
		return fmt.Errorf("%d events, want %d", len(p.events), len(o.events))
	}
	for i, ev := range o.events {
		e := &p.events[i]
		if len(e.ids) != len(ev.ids) {
			return fmt.Errorf("event %s has %d identifiers, want %d", e.name, len(e.ids), len(ev.ids))
		}
		for k, id := range ev.ids {
			key := o.ids[id].key
			if row, known := n.rows[key]; known && row != e.ids[k] {
				return fmt.Errorf("event %s: identifier %s is %d, was %d", e.name, key, e.ids[k], row)
			}
			n.rows[key] = e.ids[k]
		}
		if err := n.meet("event "+e.name, o.person(ev), p.person(e)); err != nil {
			return err
		}
	}
	if err := compareIdentifiers(o, p, n); err != nil {
		return err
	}
	if err := compareLinks(o, p, n); err != nil {
		return err
	}
	return compareAliases(o, p, n)
}

func compareIdentifiers(o *oracle, p *player, n *names) error {
	for i, id := range o.ids {
		row, known := p.rows[n.rows[id.key]]
		if !known {
			return fmt.Errorf("identifier %s has no row", id.key)
		}
		if id.erased || !id.linkable() {
			continue
		}
		if row.Quarantined != id.quarantined {
			return fmt.Errorf("identifier %s: quarantined is %v, want %v", id.key, row.Quarantined, id.quarantined)
		}
		if err := n.meet("identifier "+id.key, o.ids[o.holder(i)].key, row.ProfileID); err != nil {
			return err
		}
	}
	return nil
}

// compareLinks compares what the newest row of the identity log says about each pair whose link is in force.
func compareLinks(o *oracle, p *player, n *names) error {
	for _, l := range o.links {
		if l.decision == "out" {
			continue
		}
		a, b := o.ids[l.head].key, o.ids[l.other].key
		row, known := p.newest[pairOfRows(n.rows[a], n.rows[b])]
		want := []schemas.DecisionKind{schemas.DecisionRefused}
		if l.decision == "linked" {
			want = []schemas.DecisionKind{schemas.DecisionLinked, schemas.DecisionMerged}
		}
		if !known || !slices.Contains(want, row.Kind) {
			return fmt.Errorf("the newest row of %s and %s says %s (any: %v), want %s", a, b, row.Kind, known, l.decision)
		}
	}
	return nil
}

// compareRows: what was decided about a pair is about a link, and rows about profiles name those that are so after the entry.
func compareRows(o *oracle, p *player, n *names, from int) error {
	links, ids := map[[2]uint64]bool{}, map[uint64]int{}
	for _, l := range o.links {
		links[pairOfRows(n.rows[o.ids[l.head].key], n.rows[o.ids[l.other].key])] = true
	}
	for i, id := range o.ids {
		ids[n.rows[id.key]] = i
	}
	// An event that changes what is in force more than once has rows of each change.
	more := slices.ContainsFunc(p.decisions[from:], func(d schemas.Decision) bool {
		return d.Kind == schemas.DecisionSplit || d.Kind == schemas.DecisionQuarantined
	})
	for i := range p.decisions[from:] {
		d := &p.decisions[from+i]
		switch d.Kind {
		case schemas.DecisionLinked, schemas.DecisionMerged, schemas.DecisionRefused:
			if !links[pairOfRows(d.A, d.B)] {
				return fmt.Errorf("a row of the identity log is about no link: %v", *d)
			}
		case schemas.DecisionDemoted:
			again := slices.ContainsFunc(p.decisions[from+i+1:], func(e schemas.Decision) bool { return e.Kind == d.Kind && e.B == d.B })
			if more || again {
				continue
			}
			if err := n.meet("a demoted row", o.ids[o.holder(ids[d.B])].key, p.resolve(d.ProfileID)); err != nil {
				return err
			}
		case schemas.DecisionSplit:
			of := slices.IndexFunc(o.ids, func(id *oracleID) bool { return id.key == n.founders[d.ProfileID] })
			if of >= 0 && o.group[of] != of && strings.HasPrefix(d.EventID, "command-") {
				return fmt.Errorf("a row says that the profile of %s is split, and it is not", o.ids[of].key)
			}
		}
	}
	return nil
}

func pairOfRows(a, b uint64) [2]uint64 { return [2]uint64{min(a, b), max(a, b)} }

// compareAliases: whoever had a profile and is part of an older one now is its alias in one step, and who has one now is no alias.
func compareAliases(o *oracle, p *player, n *names) error {
	for i, id := range o.ids {
		own, met := n.profiles[id.key]
		if !met || !id.linkable() {
			continue
		}
		to, aliased := p.aliases[own]
		want := n.profiles[o.ids[o.group[i]].key]
		switch {
		case o.group[i] == i && aliased && to != own:
			return fmt.Errorf("the living profile of %s is an alias of that of %q", id.key, n.founders[to])
		case o.group[i] != i && !id.founded:
			return fmt.Errorf("%s has a profile, which it never had", id.key)
		case o.group[i] != i && !want.IsZero() && to != want:
			return fmt.Errorf("the profile of %s resolves to that of %q (any: %v), want that of %s", id.key, n.founders[to], aliased, o.ids[o.group[i]].key)
		}
	}
	return nil
}
