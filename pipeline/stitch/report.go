package stitch

import (
	"fmt"
	"slices"

	"github.com/seamline/seamline/schemas"
)

// What follows is for reports over a whole graph, such as a dry run's, and not for the line.

// IdentifierName names an identifier in every graph that was made under the same key.
type IdentifierName struct {
	Namespace string
	Hash      [16]byte
}

// Size gives how many identifiers and links the graph has.
func (s *Stage) Size() (identifiers, links int) { return s.g.nodes.Len() - 1, s.g.kept }

// Identifier gives the row of an identifier.
func (s *Stage) Identifier(id uint32) schemas.IdentifierRow {
	row := s.row(id)
	row.Display = string(s.g.appendDisplay(nil, s.g.rows.At(id)))
	return row
}

// Founder gives the identifier that a profile derives from, the oldest of its group.
func (s *Stage) Founder(p uint32) uint32 { return s.g.profiles.At(p).founder }

// Members gives identifiers of a living profile's group, at most so many, the oldest first. A kiosk's session has none.
func (s *Stage) Members(p uint32, most int) []uint32 {
	at := s.g.profiles.At(p)
	if at.alone {
		return nil
	}
	var members []uint32
	s.g.eachMember(at.founder, func(id uint32) {
		if len(members) < most {
			members = append(members, id)
		}
	})
	slices.Sort(members)
	return members
}

// Group gives the living profile of the group of an identifier that may link; 0 for others.
func (s *Stage) Group(id uint32) uint32 {
	if s.g.nodes.At(id).is(isBlocked|isErased) || !s.linkable(id) {
		return 0
	}
	return s.g.profileOf(id)
}

// Joined calls f for the links of an identifier that hold, with the other end and the event time of the first evidence.
func (s *Stage) Joined(id uint32, f func(other uint32, at schemas.Time)) {
	s.g.eachLink(id, func(_ uint32, l *link) {
		if l.state == linkLinked || l.state == linkUnited {
			f(l.other(id), l.time)
		}
	})
}

// Find fills in the ids of identifiers, in one pass over all. Those that are not there stay as they are; of an erased value that came
// again, the newest counts.
func (s *Stage) Find(ids map[IdentifierName]uint32) {
	for id := uint32(1); int(id) < s.g.nodes.Len() && len(ids) > 0; id++ {
		name := IdentifierName{s.nameOf(id), s.g.rows.At(id).hash}
		if _, wanted := ids[name]; wanted && !s.g.nodes.At(id).is(isErased) {
			ids[name] = id
		}
	}
}

// StandIn gives a value for a number, different for each, that has the form which both rules want of a namespace. It serves where a log
// tells identifiers apart and does not tell their values.
func (r *Rules) StandIn(other *Rules, namespace string, n uint64) string {
	if r.look(namespace).Normalise == NormalisePhone || other.look(namespace).Normalise == NormalisePhone {
		return fmt.Sprintf("+12%09d", n%1_000_000_000)
	}
	return fmt.Sprintf("i%d@stand-in.invalid", n)
}
