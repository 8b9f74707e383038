package model

import (
	"slices"
	"strings"
	"testing"
)

// groceries counts baskets by item and by pair of items.
type groceries struct {
	baskets []map[string]bool
	items   map[string]float64
}

func readGroceries(t *testing.T) (g groceries) {
	t.Helper()
	g.items = map[string]float64{}
	for _, line := range readLines(t, "pos/groceries_baskets.csv.gz") {
		basket := map[string]bool{}
		for _, item := range strings.Split(line, ",") {
			if !basket[item] {
				g.items[item]++
			}
			basket[item] = true
		}
		g.baskets = append(g.baskets, basket)
	}
	return g
}

func (g *groceries) with(items ...string) (n float64) {
	for _, b := range g.baskets {
		if !slices.ContainsFunc(items, func(i string) bool { return !b[i] }) {
			n++
		}
	}
	return n
}

func TestGroceriesLift(t *testing.T) {
	t.Parallel()
	g := readGroceries(t)
	n := float64(len(g.baskets))
	near(t, "baskets", n, 9835, 0)
	f := func(a, b, then string, lift float64) {
		t.Helper()
		near(t, then+" after "+a+", "+b, Lift(n, g.with(a, b), g.with(then), g.with(a, b, then)), lift, 6e-6)
	}
	f("Instant food products", "soda", "hamburger meat", 18.99565)
	f("liquor", "red/blush wine", "bottled beer", 11.23527)
	f("rice", "sugar", "whole milk", 3.913649)
	near(t, "confidence", Confidence(g.with("rice", "sugar"), g.with("rice", "sugar", "whole milk")), 1, 0)
}

// TestGroceriesPairs finds the pairs with the highest likelihood ratio among all.
func TestGroceriesPairs(t *testing.T) {
	t.Parallel()
	var want [][5]any
	golden(t, "groceries_top_llr", &want)
	g := readGroceries(t)
	both := map[[2]string]float64{}
	for _, b := range g.baskets {
		for x := range b {
			for y := range b {
				if x < y {
					both[[2]string{x, y}]++
				}
			}
		}
	}
	type pair struct {
		items           [2]string
		both, llr, lift float64
	}
	var list []pair
	n := float64(len(g.baskets))
	for p, k := range both {
		x, y := g.items[p[0]], g.items[p[1]]
		if lift := Lift(n, x, y, k); lift > 1 {
			list = append(list, pair{p, k, PairLLR(n, x, y, k), lift})
		}
	}
	slices.SortFunc(list, func(a, b pair) int {
		if a.llr > b.llr {
			return -1
		}
		return 1
	})
	for i, w := range want {
		p := list[i]
		if p.items != [2]string{w[0].(string), w[1].(string)} {
			t.Errorf("pair %d is %v, want %v", i, p.items, w)
		}
		near(t, "baskets with both", p.both, w[2].(float64), 0)
		near(t, "LLR", p.llr, w[3].(float64), 5e-5)
		near(t, "lift", p.lift, w[4].(float64), 5e-5)
	}
}
