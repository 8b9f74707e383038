package score

import (
	"github.com/seamline/seamline/pipeline/score/model"
	"github.com/seamline/seamline/schemas"
)

// engagement sets how likely the person answers to an e-mail: clicks and opens by the person per message, all decayed with a half-life of
// 30 days, as the mean of a Beta posterior (weights in model.DefaultEngagement). What a machine opened or clicked weighs nothing: leaving it
// out changes no bit. A complaint or an unsubscription ends it.
func engagement(sc *schemas.Scores, t *taste, p *schemas.Profile) {
	e := model.DefaultEngagement
	sc.Engagement = float32(e.Score(model.Mailed{Sends: t.sent, HumanClicks: t.clicks, HumanOpens: t.opens,
		Stopped: p.Email.Unsubscribes+p.Email.Complaints > 0}))
	if t.sent+t.clicks+t.opens == 0 {
		sc.Engagement = 0
	}
}
