package score

import (
	"slices"
	"testing"

	"github.com/seamline/seamline/pipeline/score/model"
	"github.com/seamline/seamline/schemas"
)

// TestOrderTellsNothingOfItself: what a session is learned from is the same whether an order came or not.
func TestOrderTellsNothingOfItself(t *testing.T) {
	t.Parallel()
	known := func(events ...*schemas.Event) []model.Feature {
		s := newStage(1)
		play(t, s, day0+schemas.Hour, events...)
		var f model.Features
		s.describeStay(&f, &s.leaves.At(1).stay)
		return slices.Clone(f.List())
	}
	page := func(at schemas.Time) *schemas.Event { return event(schemas.TypePageView, at, 1) }
	order := func(at schemas.Time) *schemas.Event { return sale("a", at, 1, 100) }
	visit, later := day0+schemas.Minute, day0+5*schemas.Minute
	without := known(page(visit))
	if got := known(page(visit), order(later)); !slices.Equal(got, without) {
		t.Errorf("with an order %v is known, and without %v", got, without)
	}
	if got := known(page(visit), order(later), page(later+schemas.Minute)); !slices.Equal(got, without) {
		t.Errorf("with a page behind an order %v is known, and without %v", got, without)
	}
	if got := known(page(visit), page(later)); slices.Equal(got, without) {
		t.Error("a second page makes no difference")
	}
}

// TestTenureIsOfDaysThatBegan: at midnight nothing of the new day has passed, so that scores right after a fit count to the fit's last day.
func TestTenureIsOfDaysThatBegan(t *testing.T) {
	t.Parallel()
	f := func(clock schemas.Time, want uint32) {
		t.Helper()
		if got := play(t, newStage(1), clock, sale("a", day0+12*schemas.Hour, 1, 100)).Scores.Tenure; got != want {
			t.Errorf("%v after the day began, the tenure is %d days, want %d", clock-day0, got, want)
		}
	}
	f(day0+12*schemas.Hour, 0)
	f(day0+schemas.Day, 0)
	f(day0+schemas.Day+1, 1)
	f(day0+7*schemas.Day, 6)
}

// TestGivenAway: a line that cost nothing counts with its discount, and a line without a total with its price.
func TestGivenAway(t *testing.T) {
	t.Parallel()
	f := func(it schemas.Item, list schemas.Decimal) {
		t.Helper()
		e := with(sale("a", day0, 1, 100), func(e *schemas.Event) { e.Items = []schemas.Item{it} })
		if sc := play(t, newStage(1), day0, e).Scores; sc.List != list || sc.Discount != it.Discount || sc.Lines != 1 {
			t.Errorf("%+v: list value %v and discount %v of %d lines, want %v", it, sc.List, sc.Discount, sc.Lines, list)
		}
	}
	const one = schemas.DecimalOne
	f(schemas.Item{Quantity: one, Discount: 5 * one}, 5*one)
	f(schemas.Item{Quantity: one, Discount: 5 * one, Total: 2 * one}, 7*one)
	f(schemas.Item{Quantity: 2 * one, Discount: one, UnitPrice: 3 * one}, 6*one)
}
