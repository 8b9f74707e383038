package clickstream

import (
	"github.com/seamline/seamline/consumers/field"
	"github.com/seamline/seamline/schemas"
)

// survey is an answer to a survey as it was read.
type survey struct {
	id     string
	kind   string // as it is named
	nps    field.Decimal
	csat   field.Decimal
	score  field.Decimal
	rating field.Decimal
	bad    bool // one of them is given, but no number
}

// read reads the current member of a survey's properties. All of them stay in the properties; a comment only where it cannot hold
// contact data.
func (v *survey) read(r *field.Reader, s *scratch) bool {
	key := r.Key
	raw, word := r.RawText()
	switch key {
	case "survey_id", "surveyId":
		v.id = word
	case "survey":
		if v.id == "" {
			v.id = word
		}
	case "kind", "survey_type", "surveyType":
		v.kind = word
	case "score":
		v.score = v.number(word)
	case "nps":
		v.nps = v.number(word)
	case "csat":
		v.csat = v.number(word)
	case "rating":
		v.rating = v.number(word)
	case "comment":
		s.properties.AddText(key, field.FreeText(word))
		return true
	default:
		return false
	}
	s.properties.Add(key, raw)
	return true
}

func (v *survey) number(word string) field.Decimal {
	d := field.DecimalOf(word)
	v.bad = v.bad || d.Bad
	return d
}

// answer gives the event its answer, or says why it cannot be one. The scale is the one that is named, else the name of the score: nps,
// csat, score for NPS, rating for CSAT. A survey may be answered in words alone; then there is no answer.
func (f *facts) answer(s *scratch, e *schemas.Event) string {
	v, kind, score := &f.survey, schemas.SurveyNone, field.Decimal{}
	switch {
	case v.bad:
		return "the score is no number"
	case v.nps.Set:
		kind, score = schemas.SurveyNPS, v.nps
	case v.csat.Set:
		kind, score = schemas.SurveyCSAT, v.csat
	case v.score.Set:
		kind, score = schemas.SurveyNPS, v.score
	case v.rating.Set:
		kind, score = schemas.SurveyCSAT, v.rating
	default:
		return ""
	}
	if named := field.SurveyKindOf(v.kind); named != schemas.SurveyNone && !v.nps.Set && !v.csat.Set {
		kind = named
	}
	whole, ok := field.SurveyScore(kind, score)
	if !ok {
		return field.SurveyScoreBad
	}
	e.Answer = schemas.Answer{Survey: v.id, Kind: kind, Score: whole}
	return ""
}
