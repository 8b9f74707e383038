package score_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/seamline/seamline/schemas"
)

// arrivals gives events in a random order, each a millisecond after the one before, all after the year and within the window of dedup, with
// repeats of a tenth of them in random places.
func arrivals(rng *rand.Rand, events []*schemas.Event) (arrived []*schemas.Event) {
	for _, e := range events {
		arrived = append(arrived, copyOf(e))
		if rng.IntN(10) == 0 {
			arrived = append(arrived, copyOf(e))
		}
	}
	rng.Shuffle(len(arrived), func(i, j int) { arrived[i], arrived[j] = arrived[j], arrived[i] })
	for i, e := range arrived {
		e.Record = &schemas.Record{Time: yearEnd + schemas.Day + schemas.Time(i)}
	}
	return arrived
}

// sample gives some of the customers who bought more than once, and whose ids have no more visits than are kept.
func sample(customers []*customer, rng *rand.Rand, n int) (some []*customer) {
	for _, i := range rng.Perm(len(customers)) {
		if c := customers[i]; !c.isBusy() && len(c.days[0])+len(c.days[1])+len(c.days[2]) > 1 && len(some) < n {
			some = append(some, c)
		}
	}
	return some
}

// TestSplitCustomersInAnyOrder: whatever order events, links included, arrive in, and with repeats, every profile and every score is the same
// as in the order of time.
func TestSplitCustomersInAnyOrder(t *testing.T) {
	t.Parallel()
	rng := splitRand(t)
	customers := sample(invoices(t, rng), rng, 200)
	history, last := historyOf(customers), looks(customers)
	want := outcome(t, customers, history, last, 1000)
	orders := 20
	if testing.Short() {
		orders = 3
	}
	for i := range orders {
		got := outcome(t, customers, arrivals(rng, history), last, 1+rng.IntN(5000))
		if wrong(t, fmt.Sprintf("order %d", i+1), got, want) > 0 {
			return
		}
	}
	t.Logf("%d customers, %d events in %d orders", len(customers), len(history), orders)
}

// TestSplitCustomersUnmerged: when links are retracted at the end, every profile and every score is that of a run in which they were
// retracted and forbidden before anything came of them.
func TestSplitCustomersUnmerged(t *testing.T) {
	t.Parallel()
	rng := splitRand(t)
	customers := sample(invoices(t, rng), rng, map[bool]int{false: 300, true: 80}[testing.Short()])
	history, last := historyOf(customers), []*schemas.Event(nil)
	var soon, late []*schemas.Event
	linked := 0
	for i, c := range customers {
		for id := range 3 { // after the links are gone each id may be somebody of their own
			at := lastLook + schemas.Time(3*i+id)
			last = append(last, &schemas.Event{ID: fmt.Sprint("look-", c.name, "-", id), Source: "split", Channel: channelOf[id], Type: schemas.TypeProductView, Time: at, Received: at,
				Identifiers: []schemas.Identifier{c.id(id)}, Record: &schemas.Record{Time: at}})
		}
		link := c.links[rng.IntN(2)]
		if i%2 == 0 {
			continue // half of the customers keep their links
		}
		linked++
		command := &schemas.Event{ID: "retract-" + c.name, Source: "split", Time: link.Time, Received: link.Time, Record: &schemas.Record{Time: link.Time},
			Command: schemas.Command{Kind: schemas.CommandRetract, Forbid: true, Reason: "a test"}, Identifiers: slices.Clone(link.Identifiers)}
		soon = append(soon, command)
		after := copyOf(command)
		after.Time, after.Record = yearEnd+schemas.Hour, &schemas.Record{Time: yearEnd + schemas.Hour}
		late = append(late, after)
	}
	// Right behind the link, before any other event.
	var early []*schemas.Event
	for _, e := range history {
		early = append(early, e)
		for _, c := range soon {
			if c.Time == e.Time && slices.Equal(c.Identifiers, e.Identifiers) {
				early = append(early, c)
			}
		}
	}
	people := func(history []*schemas.Event) map[string]schemas.Profile {
		s := newStages(t)
		s.play(history, 1000, lastFit)
		rows := map[string]schemas.Profile{}
		for _, e := range s.play(last, 1000, lastLook+schemas.Hour) {
			rows[e.ID] = s.scored[e.Profile]
		}
		return rows
	}
	want, got := people(early), people(slices.Concat(history, late))
	wrong(t, "retracted at the end", got, want)
	ids := map[uint32]bool{}
	for _, p := range got {
		ids[p.Index] = true
	}
	if glued := people(history); len(ids) != len(customers)+linked || linked == 0 {
		t.Errorf("%d people after %d retractions among %d customers, of whom %d rows were one", len(ids), linked, len(customers), len(glued))
	}
	t.Logf("%d links retracted; %d people", linked, len(ids))
}
