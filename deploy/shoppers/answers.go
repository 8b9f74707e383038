package shoppers

// namedSlots are the identifiers by which people are known to forms, the strongest first.
var namedSlots = [...]slot{slotUser, slotLoyalty, slotEmail, slotPhone}

// knownAs gives one identifier of a person that stood on a record before, so that a form ties nothing that was not tied. False for people
// whom nobody can name yet.
func (s *shopper) knownAs() (slot, bool) {
	for _, one := range namedSlots {
		if s.seen&(1<<one) != 0 {
			return one, true
		}
	}
	return 0, false
}

// beginForm starts a record of Seamline's own with time and customer, and gives false for people who cannot be named.
func (g *Generator) beginForm(who int, at int64) bool {
	one, ok := g.shoppers[who].knownAs()
	if !ok {
		return false
	}
	p, w := g.person(who), &g.w
	w.b = append(w.b[:0], `{"time":`...)
	w.iso(at)
	w.raw(`,"customer":{"`)
	w.raw(one.namespace())
	w.raw(`":"`)
	w.b = p.append(w.b, one)
	w.raw(`"}`)
	return true
}

// Shares of what people say.
const (
	grantShare     = 0.7
	googleShare    = 0.3 // of consents, in the words of Google's consent mode
	gpcShare       = 0.1
	accessShare    = 0.01
	erasureShare   = 0.003
	commentShare   = 0.3
	satisfiedShare = 0.75
)

var (
	ownPurposes    = [...]string{"email_marketing", "sms_marketing", "push_marketing", "analytics", "personalization", "ads_storage", "ads_user_data", "ads_personalization"}
	googlePurposes = [...]string{"ad_storage", "analytics_storage", "ad_user_data", "ad_personalization"}
	comments       = [...]string{"Fast delivery", "Friendly staff", "The size did not fit", "Too expensive", "Found it at once", "Long queue at the till"}
)

// sendConsent sends what somebody answers to a form about consent, or asks for.
func (g *Generator) sendConsent(who int, at int64, r *rng) {
	if !g.beginForm(who, at) {
		return
	}
	w := &g.w
	purposes := ownPurposes[:]
	switch {
	case r.chance(googleShare):
		purposes = googlePurposes[:]
		w.raw(`,"source":"banner","consents":{`)
	default:
		w.raw(`,"source":"preference center","consents":{`)
	}
	for i, purpose := range purposes {
		if i > 0 {
			w.raw(`,`)
		}
		w.str(purpose)
		if r.chance(grantShare) {
			w.raw(`:"granted"`)
		} else {
			w.raw(`:"denied"`)
		}
	}
	w.raw(`}`)
	if r.chance(gpcShare) {
		w.raw(`,"gpc":true`)
	}
	if request := r.float(); request < accessShare+erasureShare {
		w.raw(`,"request_id":"`)
		w.uuid(r.next())
		if request < accessShare {
			w.raw(`","request":"access"`)
		} else {
			w.raw(`","request":"erasure"`)
		}
	}
	w.raw(`}`)
	g.postApart(TopicConsent, at)
}

// sendAnswer sends what somebody who bought something lately answers to a survey.
func (g *Generator) sendAnswer(who int, at int64, r *rng) {
	if bought := g.shoppers[who].lastPurchase; bought == 0 || bought > at || at-bought > surveyAfter || !g.beginForm(who, at) {
		return
	}
	w := &g.w
	kind, lowest, middle, highest := "nps", int64(0), int64(7), int64(10)
	if r.chance(0.4) {
		kind, lowest, middle, highest = "csat", 1, 4, 5
	}
	score := r.between(lowest, middle)
	if r.chance(satisfiedShare) {
		score = r.between(middle, highest+1)
	}
	w.raw(`,"survey_id":"`)
	w.raw(kind)
	w.raw(`-purchase","answer_id":"`)
	w.uuid(r.next())
	w.raw(`","kind":"`)
	w.raw(kind)
	w.raw(`","score":`)
	w.int(score)
	if r.chance(commentShare) {
		w.raw(`,"comment":`)
		w.str(comments[r.below(len(comments))])
	}
	w.raw(`,"channel":"email"}`)
	g.postApart(TopicSurvey, at)
}
