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
func (s *Stage) place(b *schemas.Batch, p *schemas.Profile, t *schemas.Touch, m *schemas.Moment) (changed bool) {
	j := s.journey(p.Index)
	at := min(p.LastSeen, m.Clock)
	if t.Due != 0 {
		at = t.Due
	}
	for {
		stage, why, until := s.stage(p, at)
		if j.since == 0 || j.stage != stage {
			b.StageChanges = append(b.StageChanges, schemas.StageChange{Profile: p.Index, ProfileID: p.ID, Time: at, From: j.stage, To: stage,
				IsFirst: j.since == 0, Reason: why.String()})
			j.stage, j.since, j.reason, changed = stage, at, why, true
			s.changeJourney(p.Index, j)
		}
		if until == 0 || until > m.Clock {
			p.Stage, p.StageSince, p.StageReason = j.stage, j.since, j.reason.String()
			if until != 0 {
				m.Timers = append(m.Timers, schemas.Touch{Profile: p.Index, Due: until})
			}
			return changed
		}
		at = until // later than before: every stage ends after the time that it was looked at
	}
}

func (s *Stage) changeJourney(profile uint32, j *journey) {
	if !j.unsaved {
		j.unsaved = true
		s.unsaved.journeys = append(s.unsaved.journeys, profile)
	}
}

// journey gives what is known of a profile's journey.
func (s *Stage) journey(profile uint32) *journey {
	s.journeys.Extend(int(profile) + 1)
	return s.journeys.At(profile)
}

// reason is why a person is in a stage.
type reason uint8

// The reasons. They are part of the stored format.
const (
	whyNothing reason = iota
	whySeen
	whyVisit
	whyReturn
	whyProducts
	whyContact
	whyCart
	whyCheckout
	whyOrder
	whyOrders
	whyManyOrders
	whySilent
	whyLongSilent
)

var whys = [...]string{"", "seen, but never on an own channel", "came to the site or app", "came back", "looked at several products",
	"gave contact data or an account", "has an open cart", "began a checkout", "bought once", "bought more than once",
	"bought often, and lately", "bought nothing for long", "bought nothing for very long"}

// String gives the reason in words.
func (r reason) String() string { return whys[r] }

// stage says how far a person has come, why, and when time alone changes that; 0 for never.
func (s *Stage) stage(p *schemas.Profile, now schemas.Time) (schemas.JourneyStage, reason, schemas.Time) {
	cartAt, why := p.CartUpdated, whyCart
	if p.CheckoutAt > p.LastOrder && p.CheckoutAt > cartAt {
		cartAt, why = p.CheckoutAt, whyCheckout
	}
	open := cartAt + schemas.Span(s.cfg.CartOpen)
	if p.Orders > 0 {
		return s.buyer(p, now)
	}
	switch {
	case cartAt != 0 && now < open:
		return schemas.JourneyConsidering, why, open
	case p.UserIDs+p.LoyaltyIDs+p.Emails+p.Phones > 0:
		return schemas.JourneyKnown, whyContact, 0
	case p.ProductViews >= engagedViews:
		return schemas.JourneyEngaged, whyProducts, 0
	case p.Sessions > 1:
		return schemas.JourneyEngaged, whyReturn, 0
	case p.Sessions > 0:
		return schemas.JourneyVisitor, whyVisit, 0
	}
	return schemas.JourneyStranger, whySeen, 0
}

// buyer places somebody who has bought.
func (s *Stage) buyer(p *schemas.Profile, now schemas.Time) (schemas.JourneyStage, reason, schemas.Time) {
	risk, lapse := p.LastOrder+schemas.Span(s.cfg.AtRiskAfter), p.LastOrder+schemas.Span(s.cfg.LapsedAfter)
	switch {
	case now >= lapse:
		return schemas.JourneyLapsed, whyLongSilent, 0
	case now >= risk:
		return schemas.JourneyAtRisk, whySilent, lapse
	case p.Orders >= int64(s.cfg.LoyalOrders):
		return schemas.JourneyLoyal, whyManyOrders, risk
	case p.Orders > 1:
		return schemas.JourneyRepeat, whyOrders, risk
	}
	return schemas.JourneyCustomer, whyOrder, risk
}
