package score

import "github.com/seamline/seamline/schemas"

// engagedViews is the number of looked-at products that shows more than passing interest.
const engagedViews = 3

// journeyFields are the fields that decide on the stage.
const journeyFields = schemas.FieldsSessions | schemas.FieldsViews | schemas.FieldsCart | schemas.FieldsCheckout | schemas.FieldsOrders | schemas.FieldsIdentity | schemas.FieldsClock

// journeyReads gives the fields whose change can end a stage. Who has shown interest once has shown it: further visits and views lead
// nowhere.
func journeyReads(stage schemas.JourneyStage) schemas.Fields {
	if stage > schemas.JourneyVisitor {
		return journeyFields &^ (schemas.FieldsSessions | schemas.FieldsViews)
	}
	return journeyFields
}

// place sets the journey stage and since when the profile is in it, and asks to be called when time alone will change it. It follows
// the profile from its last event, or from the timer that fell due, up to the moment's clock, so that since is when the stage began
// and not when that was noticed. It tells whether the stage is another than before.
func (s *Stage) place(p *schemas.Profile, t *schemas.Touch, m *schemas.Moment) (changed bool) {
	j := s.journey(p.Index)
	at := min(p.LastSeen, m.Clock)
	if t.Due != 0 {
		at = t.Due
	}
	for {
		stage, until := s.stage(p, at)
		if j.since == 0 || j.stage != stage {
			j.stage, j.since, changed = stage, at, true
			if !j.unsaved {
				j.unsaved = true
				s.unsaved.journeys = append(s.unsaved.journeys, p.Index)
			}
		}
		if until == 0 || until > m.Clock {
			p.Stage, p.StageSince = j.stage, j.since
			if until != 0 {
				m.Timers = append(m.Timers, schemas.Touch{Profile: p.Index, Due: until})
			}
			return changed
		}
		at = until // later than before: every stage ends after the time that it was looked at
	}
}

// journey gives what is known of a profile's journey.
func (s *Stage) journey(profile uint32) *journey {
	s.journeys.Extend(int(profile) + 1)
	return s.journeys.At(profile)
}

// stage says how far a person has come, and when time alone changes that; 0 for never.
func (s *Stage) stage(p *schemas.Profile, now schemas.Time) (schemas.JourneyStage, schemas.Time) {
	cartAt := p.CartUpdated
	if p.CheckoutAt > p.LastOrder {
		cartAt = max(cartAt, p.CheckoutAt)
	}
	open := cartAt + schemas.Span(s.cfg.CartOpen)
	if p.Orders > 0 {
		return s.buyer(p, now)
	}
	switch {
	case cartAt != 0 && now < open:
		return schemas.JourneyConsidering, open
	case p.UserIDs+p.LoyaltyIDs+p.Emails+p.Phones > 0:
		return schemas.JourneyKnown, 0
	case p.Sessions > 1 || p.ProductViews >= engagedViews:
		return schemas.JourneyEngaged, 0
	case p.Sessions > 0:
		return schemas.JourneyVisitor, 0
	}
	return schemas.JourneyStranger, 0
}

// buyer places somebody who has bought.
func (s *Stage) buyer(p *schemas.Profile, now schemas.Time) (schemas.JourneyStage, schemas.Time) {
	risk, lapse := p.LastOrder+schemas.Span(s.cfg.AtRiskAfter), p.LastOrder+schemas.Span(s.cfg.LapsedAfter)
	switch {
	case now >= lapse:
		return schemas.JourneyLapsed, 0
	case now >= risk:
		return schemas.JourneyAtRisk, lapse
	case p.Orders >= int64(s.cfg.LoyalOrders):
		return schemas.JourneyLoyal, risk
	case p.Orders > 1:
		return schemas.JourneyRepeat, risk
	}
	return schemas.JourneyCustomer, risk
}
