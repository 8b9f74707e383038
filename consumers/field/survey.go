package field

import "github.com/seamline/seamline/schemas"

// The bounds of the scales of surveys.
const (
	NPSMax  = 10
	CSATMin = 1
	CSATMax = 5
)

// SurveyKindOf gives the scale that a word names, and SurveyNone for any other word.
func SurveyKindOf(word string) schemas.SurveyKind {
	if len(word) > channelLengthMax {
		return schemas.SurveyNone
	}
	var buffer [channelLengthMax]byte
	switch string(Fold(buffer[:0], word)) {
	case "nps", "netpromoterscore", "netpromoter":
		return schemas.SurveyNPS
	case "csat", "customersatisfaction", "satisfaction":
		return schemas.SurveyCSAT
	}
	return schemas.SurveyNone
}

// SurveyScore gives a score as a whole number of its scale, and false for one that is no number, broken, or outside the scale.
func SurveyScore(kind schemas.SurveyKind, score Decimal) (int8, bool) {
	lowest, highest := schemas.Decimal(0), schemas.Decimal(NPSMax)
	if kind == schemas.SurveyCSAT {
		lowest, highest = CSATMin, CSATMax
	}
	whole := score.Value / schemas.DecimalOne
	if !score.Set || score.Value%schemas.DecimalOne != 0 || whole < lowest || whole > highest {
		return 0, false
	}
	return int8(whole), true
}

// SurveyScoreBad is the detail of a reject for a score that SurveyScore does not take.
const SurveyScoreBad = "the score is no whole number of its scale: 0 to 10 for nps, 1 to 5 for csat"
