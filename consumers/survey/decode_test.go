package survey

import (
	"encoding/json"
	"testing"

	"github.com/seamline/seamline/consumers/goldentest"
	"github.com/seamline/seamline/schemas"
)

var suite = goldentest.Suite{
	New:         func() schemas.Decoder { return New(DefaultConfig(), calls()) },
	Feed:        schemas.FeedSurvey,
	Folder:      "testdata",
	Endings:     []string{".json"},
	PayloadsMin: 30,
	JSONOnly:    true,
	Promise:     promise,
}

// promise checks that an answer is on its scale, and that properties hold no contact data.
func promise(t testing.TB, e *schemas.Event, properties map[string]json.RawMessage) {
	t.Helper()
	lowest, highest := int8(0), int8(10)
	if e.Answer.Kind == schemas.SurveyCSAT {
		lowest, highest = 1, 5
	}
	if e.Answer.Kind != schemas.SurveyNone && (e.Answer.Score < lowest || e.Answer.Score > highest || e.Type != schemas.TypeSurveyAnswer) {
		t.Errorf("an impossible answer: %+v", e)
	}
	if e.Source == sourceSeamline && (e.Answer.Kind == schemas.SurveyNone || e.Answer.Survey == "") {
		t.Errorf("no answer: %+v", e)
	}
	goldentest.NoContact(t, e, properties)
}

func decode(t testing.TB, config Config, value string) *schemas.Decoded {
	t.Helper()
	return suite.Decode(t, New(config, calls()), []byte(value))
}

func TestGolden(t *testing.T) {
	t.Parallel()
	suite.Golden(t)
}

func TestDecoderIsSharedByGoroutines(t *testing.T) {
	t.Parallel()
	suite.Shared(t, "nps.json", "array_mixed.json", "more_members.json", "segment_batch.json")
}

func FuzzDecode(f *testing.F) { suite.Fuzz(f) }
