package email

import (
	"encoding/json"
	"testing"

	"github.com/seamline/seamline/consumers/goldentest"
	"github.com/seamline/seamline/schemas"
)

var suite = goldentest.Suite{
	New:         func() schemas.Decoder { return New(DefaultConfig(), calls()) },
	Feed:        schemas.FeedEmail,
	Folder:      "testdata",
	Endings:     []string{".json"},
	PayloadsMin: 150,
	JSONOnly:    true,
	Promise:     promise,
}

// promise checks that machines only open and click, and that properties hold no contact data.
func promise(t testing.TB, e *schemas.Event, properties map[string]json.RawMessage) {
	t.Helper()
	if e.Machine && (e.DwellMillis != 0 || e.Type != schemas.TypeMessageOpen && e.Type != schemas.TypeMessageClick) {
		t.Errorf("a machine that reads, or does more than open and click: %+v", e)
	}
	goldentest.NoContact(t, e, properties)
}

func decode(t testing.TB, config Config, value []byte) *schemas.Decoded {
	t.Helper()
	return suite.Decode(t, New(config, calls()), value)
}

func TestGolden(t *testing.T) {
	t.Parallel()
	suite.Golden(t)
}

// The golden payloads are also published together, so that no two of their events may have one id.
func TestGoldenEventsAreDistinct(t *testing.T) {
	t.Parallel()
	seen := map[[2]string]string{}
	for _, file := range suite.Files(t) {
		out := decode(t, DefaultConfig(), goldentest.Read(t, file))
		for i := range out.Events {
			key := [2]string{out.Events[i].Source, out.Events[i].ID}
			if other := seen[key]; other != "" {
				t.Errorf("%s and %s have an event of one id: %v", file, other, key)
			}
			seen[key] = file
		}
	}
	if len(seen) < 100 {
		t.Errorf("only %d events", len(seen))
	}
}

func TestDecoderIsSharedByGoroutines(t *testing.T) {
	t.Parallel()
	suite.Shared(t, "mixed_array.json")
}

func FuzzDecode(f *testing.F) { suite.Fuzz(f) }
