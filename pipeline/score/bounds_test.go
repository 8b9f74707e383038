package score

import (
	"fmt"
	"slices"
	"testing"

	"github.com/seamline/seamline/pipeline/state/statetest"
	"github.com/seamline/seamline/schemas"
)

// TestApproximate: scores say so from where on something fell out of what they are made of, after a restart as well.
func TestApproximate(t *testing.T) {
	t.Parallel()
	many := func(n int, leaf uint32, make func(i int, at schemas.Time, leaf uint32) *schemas.Event) (events []*schemas.Event) {
		for i := range n {
			events = append(events, make(i, day0+schemas.Time(i)*schemas.Day/16, leaf))
		}
		return events
	}
	visit := func(_ int, at schemas.Time, leaf uint32) *schemas.Event { return event(schemas.TypePageView, at, leaf) }
	call := func(i int, at schemas.Time, leaf uint32) *schemas.Event {
		return with(mail(schemas.TypeMessageClick, at, false), func(e *schemas.Event) {
			e.Leaf = leaf
			if i%2 == 0 {
				e.Channel = schemas.ChannelSMS
			}
		})
	}
	add := func(i int, at schemas.Time, leaf uint32) *schemas.Event {
		return with(event(schemas.TypeCartAdd, day0+schemas.Time(i), leaf), func(e *schemas.Event) { e.SKU, e.Quantity = fmt.Sprint("S", i%5), schemas.DecimalOne })
	}
	look := func(i int, at schemas.Time, leaf uint32) *schemas.Event {
		return looked(fmt.Sprint("S", i), fmt.Sprint("category ", i), day0+schemas.Time(i), leaf)
	}
	f := func(name, want string, events ...*schemas.Event) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, clock := newStage(3), day0+40*schemas.Day
			p := play(t, s, clock, events...)
			if got := fmt.Sprint(p.Scores.Approximate.Words()); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			kept := statetest.Shelf{}
			again := play(t, restart(t, kept, s), clock)
			if got := fmt.Sprint(again.Scores.Approximate.Words()); got != want {
				t.Errorf("after a restart: got %s, want %s", got, want)
			}
		})
	}
	f("nothing happened", "[]", visit(0, day0, 1))
	f("as many visits as are kept", "[]", many(visitsMax, 1, visit)...)
	f("one visit more", "[visits]", many(visitsMax+1, 1, visit)...)
	f("one visit more, of two leaves", "[visits]", append(many(visitsMax, 1, visit), event(schemas.TypePageView, day0+30*schemas.Day, 2))...)
	f("visits that are no sessions", "[visits]", many(visitsMax+1, 1, call)...)
	f("as many changes of the cart as are kept", "[]", many(cartOpsMax, 1, add)...)
	f("one change more", "[cart]", many(cartOpsMax+1, 1, add)...)
	f("changes of two leaves", "[]", slices.Concat(many(cartOpsMax, 1, add), many(cartOpsMax, 2, add))...)
	f("one change more of a cart that was bought", "[]", append(many(cartOpsMax+1, 1, add), sale("a", day0+schemas.Minute, 1, 100))...)
	f("one change more, and the cart before was bought", "[cart]", append(many(cartOpsMax+1, 1, add), sale("a", day0, 1, 100))...)
	f("as many categories as are kept", "[]", many(cellsMax, 1, look)...)
	f("one category more", "[categories]", many(cellsMax+1, 1, look)...)
}
