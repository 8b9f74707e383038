package audience

import "github.com/seamline/seamline/schemas"

// Of calls f for every audience that a profile is in, with the time since when.
func (s *Stage) Of(profile uint32, f func(audience string, since schemas.Time)) {
	s.members.each(profile, func(i uint32, st *stay) {
		if st.until == 0 {
			f(s.audiences[i].name, st.since)
		}
	})
}
