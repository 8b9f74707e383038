package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
)

// TestStitchEngine compares the groups that the benchmark reads from the engine, after a part of the edges and after all, with plain
// union-find over the same edges, and what ClickHouse answers with both.
func TestStitchEngine(t *testing.T) {
	t.Parallel()
	edges, identifiers := stitchEdges(25_000)
	if again, _ := stitchEdges(25_000); !slices.Equal(edges, again) {
		t.Error("the same seed gives other edges")
	}
	b := &benchRun{dir: t.TempDir()}
	engine, err := b.newStitchEngine(identifiers)
	if err != nil {
		t.Fatal(err)
	}
	least := make([]uint64, identifiers)
	for i := range least {
		least[i] = uint64(i)
	}
	find := func(id uint64) uint64 {
		for least[id] != id {
			id = least[id]
		}
		return id
	}
	seen := map[uint64]bool{}
	for _, part := range [][]edge{edges[:15_000], edges[15_000:]} {
		if took, err := engine.add(part); err != nil || took <= 0 {
			t.Fatalf("the engine took %v: %v", took, err)
		}
		for _, e := range part {
			x, y := find(e.a), find(e.b)
			least[max(x, y)] = min(x, y)
			seen[e.a], seen[e.b] = true, true
		}
		var want []edge
		for id := range identifiers {
			if seen[id] {
				want = append(want, edge{id, find(id)})
			}
		}
		// A group's least identifier may come later than the group: it is the least of those that came.
		if got := engine.groups(); !slices.Equal(got, want) {
			t.Errorf("the engine has %d identifiers in groups, union-find %d, or they differ in groups", len(got), len(want))
		}
		compareLabels(t, want)
	}
	if int(identifiers) != len(seen) {
		t.Errorf("%d identifiers came, want %d", len(seen), identifiers)
	}
}

// compareLabels takes labels that are right, one that is not, and too few to the comparison.
func compareLabels(t *testing.T, groups []edge) {
	t.Helper()
	var answer []byte
	for _, g := range groups {
		answer = appendPair(answer, g.a, g.b)
	}
	l := labels{ask: func(_ context.Context, query string, _ []byte) ([]byte, error) {
		if !strings.Contains(query, "labels_0 ORDER BY id") {
			t.Errorf("unexpected query %s", query)
		}
		return answer, nil
	}}
	if err := l.compare(t.Context(), groups); err != nil {
		t.Error(err)
	}
	answer[len(answer)-8]++
	if err := l.compare(t.Context(), groups); !errors.Is(err, errDifferentGroups) {
		t.Errorf("a wrong label gives error %v", err)
	}
	answer = answer[:len(answer)-16]
	if err := l.compare(t.Context(), groups); err == nil {
		t.Error("a missing label gives no error")
	}
}
