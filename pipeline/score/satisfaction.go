package score

import "github.com/seamline/seamline/schemas"

// satisfaction sets the latest answers to surveys, by the time at which they were given, and their mean on a scale of 0 to 1: NPS of 0 to
// 10, CSAT of 1 to 5 (Reichheld, Harvard Business Review 81, 2003, for the first). The population's NPS, promoters less detractors, is what
// the view over survey_answers gives.
func satisfaction(sc *schemas.Scores, t *taste) {
	sc.NPS, sc.CSAT = -1, -1
	sum, n := float32(0), float32(0)
	if a := &t.answers[schemas.SurveyNPS]; a.at != 0 {
		sc.NPS, sc.AnsweredAt = a.score, a.at
		sum, n = sum+float32(a.score)/10, n+1
	}
	if a := &t.answers[schemas.SurveyCSAT]; a.at != 0 {
		sc.CSAT, sc.AnsweredAt = a.score, max(sc.AnsweredAt, a.at)
		sum, n = sum+float32(a.score-1)/4, n+1
	}
	if n > 0 {
		sc.Satisfaction = sum / n
	}
}
