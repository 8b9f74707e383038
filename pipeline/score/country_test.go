package score

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/seamline/seamline/pipeline/state/statetest"
	"github.com/seamline/seamline/schemas"
)

func TestCountry(t *testing.T) {
	t.Parallel()
	at := func(minute int, leaf uint32, code string) *schemas.Event {
		return with(event(schemas.TypePageView, day0+schemas.Time(minute)*schemas.Minute, leaf), func(e *schemas.Event) { e.Country = code })
	}
	for _, c := range []struct {
		events []*schemas.Event
		want   string
	}{
		{[]*schemas.Event{at(1, 1, "")}, ""},
		{[]*schemas.Event{at(1, 1, "DE"), at(2, 1, "")}, "DE"},
		{[]*schemas.Event{at(1, 1, "DE"), at(2, 1, "FR")}, "FR"},
		{[]*schemas.Event{at(2, 1, "FR"), at(1, 1, "DE")}, "FR"},
		{[]*schemas.Event{at(1, 1, "DE"), at(3, 2, "GB"), at(2, 3, "FR")}, "GB"},
		{[]*schemas.Event{at(1, 1, "FR"), at(1, 2, "DE")}, "FR"},
		{[]*schemas.Event{at(1, 1, "D")}, ""},
		{[]*schemas.Event{at(1, 1, "d1"), at(0, 2, "ZZ")}, "ZZ"},
	} {
		if p := play(t, newStage(3), day0+schemas.Day, c.events...); p.Country != c.want {
			t.Errorf("%d events give the country %q, want %q", len(c.events), p.Country, c.want)
		}
	}
}

// TestCountryInAnyOrder: neither order of arrival, nor the leaves that events belong to, nor a restart in between matter.
func TestCountryInAnyOrder(t *testing.T) {
	t.Parallel()
	n := *seed
	if n == 0 {
		n = uint64(time.Now().UnixNano())
	}
	t.Logf("replay with -seed %d", n)
	rng := rand.New(rand.NewPCG(n, n))
	codes := []string{"", "AT", "CH", "DE", "FR"}
	for round := range 50 {
		var events []*schemas.Event
		want, latest := "", schemas.Time(0)
		for i := range 12 {
			code, when := codes[rng.IntN(len(codes))], day0+schemas.Time(rng.IntN(8))*schemas.Minute
			e := event(schemas.TypePageView, when, 1+uint32(rng.IntN(3)))
			e.ID, e.Country = fmt.Sprint(i), code
			events = append(events, e)
			if code != "" && (when > latest || when == latest && code > want) {
				want, latest = code, when
			}
		}
		for range 4 {
			rng.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
			if got := playRestarted(t, rng, events).Country; got != want {
				t.Fatalf("round %d: country %q, want %q", round, got, want)
			}
		}
	}
}

// playRestarted plays events with a restart somewhere in between.
func playRestarted(t *testing.T, rng *rand.Rand, events []*schemas.Event) *schemas.Profile {
	t.Helper()
	cut := rng.IntN(len(events))
	first, shelf := newStage(3), statetest.Shelf{}
	play(t, first, day0+schemas.Day, copies(events[:cut])...)
	if err := first.Save(shelf); err != nil {
		t.Fatal(err)
	}
	second := newStage(3)
	if err := second.Load(shelf); err != nil {
		t.Fatal(err)
	}
	return play(t, second, day0+schemas.Day, copies(events[cut:])...)
}

func copies(events []*schemas.Event) []*schemas.Event {
	list := make([]*schemas.Event, len(events))
	for i, e := range events {
		one := *e
		list[i] = &one
	}
	return list
}
