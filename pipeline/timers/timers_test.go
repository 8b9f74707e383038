package timers

import (
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/seamline/seamline/pipeline/state"
	"github.com/seamline/seamline/schemas"
)

// turn walks one batch through Due and Arm and gives what was touched.
func turn(t *testing.T, q *Queue, b *schemas.Batch, timers ...schemas.Touch) []schemas.Touch {
	t.Helper()
	if err := q.Due().Apply(b); err != nil {
		t.Fatal(err)
	}
	b.Timers = timers
	if err := q.Arm().Apply(b); err != nil {
		t.Fatal(err)
	}
	return b.Touched
}

func TestDue(t *testing.T) {
	t.Parallel()
	q := New(prometheus.NewRegistry())
	touched := []schemas.Touch{{Profile: 1}, {Profile: 2}, {Profile: 3}}
	turn(t, q, &schemas.Batch{Now: 100, Touched: touched}, schemas.Touch{Profile: 1, Due: 200}, schemas.Touch{Profile: 1, Due: 150},
		schemas.Touch{Profile: 2, Due: 160}, schemas.Touch{Profile: 3, Due: 300})
	if got := turn(t, q, &schemas.Batch{Now: 149}); len(got) != 0 {
		t.Errorf("before any edge: %v", got)
	}
	// Profile 2 is touched by an event as well: it stands once, as touched by the event.
	got := turn(t, q, &schemas.Batch{Now: 170, Touched: []schemas.Touch{{Profile: 2}}}, schemas.Touch{Profile: 2, Due: 400})
	if want := []schemas.Touch{{Profile: 1, Due: 150}, {Profile: 2}}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	// Profile 1 asked for nothing more; profile 3 is touched and asks for nothing: its timer is gone.
	turn(t, q, &schemas.Batch{Now: 180, Touched: []schemas.Touch{{Profile: 3}}})
	if got := turn(t, q, &schemas.Batch{Now: 1000}); !slices.Equal(got, []schemas.Touch{{Profile: 2, Due: 400}}) {
		t.Errorf("at the end: %v", got)
	}
}

func TestFixedClockFollowsEvents(t *testing.T) {
	t.Parallel()
	q := New(prometheus.NewRegistry())
	b := &schemas.Batch{Now: 1000, Fixed: true, Events: []*schemas.Event{{Time: 70}, {Time: 50}}}
	turn(t, q, b)
	if b.Clock != 70 {
		t.Errorf("clock is %d, want the latest event's 70", b.Clock)
	}
	b = &schemas.Batch{Now: 1000, Fixed: true, Advance: 90}
	if turn(t, q, b); b.Clock != 90 {
		t.Errorf("clock is %d, want 90", b.Clock)
	}
}

func TestRestartAndCall(t *testing.T) {
	t.Parallel()
	q := New(prometheus.NewRegistry())
	turn(t, q, &schemas.Batch{Now: 100, Touched: []schemas.Touch{{Profile: 1}, {Profile: 2}}}, schemas.Touch{Profile: 1, Due: 200}, schemas.Touch{Profile: 2, Due: 300})
	store, err := state.Open(state.Config{Dir: "state", PipelineID: "test", FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	c, err := store.Collect([]schemas.Keeper{q.Arm()}, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Commit(); err != nil {
		t.Fatal(err)
	}
	again := New(prometheus.NewRegistry())
	if err := store.Load([]schemas.Keeper{again.Arm()}); err != nil {
		t.Fatal(err)
	}
	again.Call(7)
	got := turn(t, again, &schemas.Batch{Now: 250})
	if want := []schemas.Touch{{Profile: 1, Due: 200}, {Profile: 7, Due: 100}}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
