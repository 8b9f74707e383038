package score

import (
	"github.com/seamline/seamline/pipeline/score/model"
	"github.com/seamline/seamline/schemas"
)

// generation is what the fits of one moment gave: scores are computed with it until the next.
type generation struct {
	models     *models
	companions []companions
	propensity *model.FTRL
	conversion *model.FTRL
	until      uint32 // last step of the batch that it was in force in; of the one in force it says nothing
}

// now gives the generation in force.
func (s *Stage) now() generation {
	return generation{models: s.models, companions: s.companions, propensity: s.propensity.used, conversion: s.conversion.used}
}

// at gives the generation that was in force at a step of the batch.
func (s *Stage) at(step uint32) generation {
	for i := range s.generations {
		if step <= s.generations[i].until {
			return s.generations[i]
		}
	}
	return s.now()
}

// scores computes all scores of the profile that was folded last, as of a time. It is a function of the profile's state, the time, and a
// generation of models.
func (s *Stage) scores(g *generation, p *schemas.Profile, sc *schemas.Scores, at schemas.Time) {
	m := g.models
	*sc = schemas.Scores{At: at, Models: m.Version, Categories: sc.Categories[:0], Brands: sc.Brands[:0], Recommended: sc.Recommended[:0]}
	t := s.foldTaste(at)
	sum := s.fold.sum
	m.rfm(p, sc)
	m.alive(p, sc, schemas.Span(s.cfg.Horizon))
	s.value(m, p, sc)
	s.churn(m, p, sc)
	s.propensityOf(g, sc)
	s.conversionOf(g, p, sc)
	engagement(sc, t, p)
	s.reading(sc)
	m.sendTime(p, sc, t)
	m.channels(p, sc, t)
	sc.Handovers, sc.ChannelSwitches = s.changes(s.fold.visits)
	m.discount(sc, sum)
	s.affinities(m, sc, t)
	s.recommend(g, p, sc, t)
	satisfaction(sc, t)
	s.loyalty(p, sc, sum)
	s.margin(p, sc, t)
	sc.Consent, sc.ConsentAt = t.consent, t.consentAt
	sc.Approximate = s.approximate(p)
}

// approximate tells what fell out of the state of the profile that was folded last, as far as its scores miss it.
func (s *Stage) approximate(p *schemas.Profile) (cut schemas.Bounds) {
	if s.fold.visitsCut {
		cut = schemas.BoundVisits
	}
	for _, i := range s.fold.leaves {
		l := s.leaves.At(i)
		lost := l.cut
		if l.sessionsGone > 0 { // an earlier build only counted them
			lost |= schemas.BoundVisits
		}
		if lost&schemas.BoundCart != 0 && s.oldestOp(l) <= p.LastOrder {
			lost &^= schemas.BoundCart // all that is forgotten is of carts that were bought
		}
		cut |= lost
	}
	return cut
}
