package score

import "github.com/seamline/seamline/schemas"

// scores computes all scores of the profile that was folded last, as of a time. It is a function of the profile's state, the time, and the
// models in force.
func (s *Stage) scores(p *schemas.Profile, sc *schemas.Scores, at schemas.Time) {
	m := s.models
	*sc = schemas.Scores{At: at, Models: m.Version, Categories: sc.Categories[:0], Brands: sc.Brands[:0], Recommended: sc.Recommended[:0]}
	t := s.foldTaste(at)
	sum := s.fold.sum
	m.rfm(p, sc)
	m.alive(p, sc, schemas.Span(s.cfg.Horizon))
	s.value(m, p, sc)
	s.churn(m, p, sc)
	s.propensityOf(sc)
	s.conversionOf(p, sc)
	engagement(sc, t, p)
	s.reading(sc)
	m.sendTime(p, sc, t)
	m.channels(p, sc, t)
	sc.Handovers, sc.ChannelSwitches = s.changes(s.fold.visits)
	m.discount(sc, sum)
	s.affinities(m, sc, t)
	s.recommend(m, p, sc, t)
	satisfaction(sc, t)
	s.loyalty(p, sc, sum)
	s.margin(p, sc, t)
	sc.Consent, sc.ConsentAt = t.consent, t.consentAt
}
