package control

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/seamline/seamline/consumers/goldentest"
	"github.com/seamline/seamline/schemas"
)

var suite = goldentest.Suite{
	New:         func() schemas.Decoder { return New() },
	Feed:        schemas.FeedIdentity,
	Folder:      "testdata",
	Endings:     []string{".json"},
	PayloadsMin: 20,
	JSONOnly:    true,
	Promise:     promise,
}

// promise checks that an event is a command, that it names as many identifiers as its kind takes, and that nothing else is in it.
func promise(t testing.TB, e *schemas.Event, _ map[string]json.RawMessage) {
	t.Helper()
	switch n := len(e.Identifiers); {
	case e.Command.Kind == schemas.CommandNone:
		t.Errorf("%s is no command", e.ID)
	case n != 1 && !(n == 2 && e.Command.Kind == schemas.CommandRetract):
		t.Errorf("%s: %s with %d identifiers", e.ID, e.Command.Kind, n)
	case e.Command.Forbid && n != 2:
		t.Errorf("%s forbids a link that it does not name", e.ID)
	case len(e.Command.Reason) > schemas.CommandReasonMax:
		t.Errorf("%s has a reason of %d bytes", e.ID, len(e.Command.Reason))
	}
	if e.Source != "seamline" || e.Properties != "" {
		t.Errorf("%s has source %q and properties %q", e.ID, e.Source, e.Properties)
	}
}

func TestGolden(t *testing.T) {
	t.Parallel()
	suite.Golden(t)
}

func TestDecoderIsSharedByGoroutines(t *testing.T) {
	t.Parallel()
	suite.Shared(t, "retract_link.json", "quarantine.json", "retract_without_time.json")
}

func TestCommandsUseNoMemory(t *testing.T) {
	suite.Allocations(t, "retract_link.json", suite.Read(t, "retract_link.json"), 0)
}

// TestHostile: what is made to cost much costs little more than its length.
func TestHostile(t *testing.T) {
	suite.Hostile(t, map[string]string{
		"a long id": goldentest.Fill(`{"id":"`, "x", `"}`), "arrays in arrays": goldentest.Fill("", "[", ""),
		"identifiers in identifiers": goldentest.Fill(`{"a":`, `{"a":`, ""), "many members": "{" + goldentest.ManyKeys() + `"id":"x"}`,
	}, 2*time.Second)
}

func FuzzDecode(f *testing.F) { suite.Fuzz(f) }

func BenchmarkDecode(b *testing.B) { suite.Benchmark(b, suite.Compact(b, "retract_link.json")) }
