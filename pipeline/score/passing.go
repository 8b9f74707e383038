package score

import (
	"github.com/seamline/seamline/schemas"
)

// pass does what time alone does: models are fitted, and sessions and carts whose time is over are learned from.
func (s *Stage) pass(b *schemas.Batch, now schemas.Time) {
	s.step++
	if every := schemas.Span(s.cfg.FitEvery); every > 0 && now >= s.nextFit {
		if s.nextFit != 0 && s.hasNews {
			s.passLearners(s.nextFit)
			s.retire()
			s.fit(b, now-now%every)
		}
		s.nextFit = now - now%every + every
		s.unsaved.models = true
	}
	s.passLearners(now)
}

func (s *Stage) passLearners(now schemas.Time) {
	if s.endings.isDue(now) {
		s.passSessions(now)
	}
	if s.verdicts.isDue(now) {
		s.passCases(now)
	}
}

// look notes when a profile is touched: its row is as of then, wherever the batch ends.
func (s *Stage) look(profile uint32, clock schemas.Time) {
	j := s.journey(profile)
	if j.step <= s.earlySteps || !j.inBatch {
		s.looked = append(s.looked, profile)
	}
	j.looked, j.step, j.inBatch = clock, s.step, true
}

// generationsMax bounds the models that are kept for the rows of one batch. In a batch with more fits, rows are made early.
const generationsMax = 16

// retire keeps what is in force for the rows of those who were touched before now, before a fit takes its place.
func (s *Stage) retire() {
	if len(s.looked) == 0 {
		return
	}
	if len(s.generations) == generationsMax {
		s.scoreEarly()
		clear(s.generations)
		s.generations = s.generations[:0]
		return
	}
	g := s.now()
	g.until = s.step - 1
	s.generations = append(s.generations, g)
}

// scoreEarly scores the profiles that the batch touched so far and has no scores of yet.
func (s *Stage) scoreEarly() {
	for _, index := range s.looked {
		var p schemas.Profile
		if s.profile(&p, index, schemas.FieldsAll) {
			sc, j := &schemas.Scores{}, s.journey(index)
			g := s.at(j.step)
			s.scores(&g, &p, sc, j.looked)
			s.early[index] = sc
		}
	}
	s.looked, s.earlySteps = s.looked[:0], s.step-1
}

// isRescore tells whether a timer is one of those that rescore asks for: at the instants of fits.
func (s *Stage) isRescore(due schemas.Time) bool {
	every := schemas.Span(s.cfg.FitEvery)
	return every == 0 || due%every == 0
}

// rescore asks for a look at a buyer after a fit, although nothing happens: after the first fit by when the silence has grown enough.
func (s *Stage) rescore(p *schemas.Profile, m *schemas.Moment) {
	every := schemas.Span(s.cfg.FitEvery)
	if every == 0 || p.PurchaseDays == 0 {
		return
	}
	due := m.Clock + 1
	if n := schemas.Time(s.cfg.RescoreShare); n > 0 {
		due = max(due, m.Clock+max(0, m.Clock-p.LastOrder)/n)
	}
	due += every - 1
	due -= due % every
	m.Timers = append(m.Timers, schemas.Touch{Profile: p.Index, Due: due})
}
