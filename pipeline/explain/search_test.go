package explain

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seamline/seamline/schemas"
)

var seed = flag.Uint64("seed", 0, "seed of random tests; 0 takes one from the clock")

// story is an identity log for tests.
type story struct{ rows []schemas.Decision }

func (s *story) add(kind schemas.DecisionKind, a, b uint64, rule string) {
	n := uint64(len(s.rows) + 1)
	s.rows = append(s.rows, schemas.Decision{Position: n, Time: schemas.Time(n), Kind: kind, A: a, B: b, Rule: rule, EventID: fmt.Sprint("e", n)})
}

func (s *story) links(pairs ...uint64) *story {
	for i := 0; i < len(pairs); i += 2 {
		s.add(schemas.DecisionLinked, pairs[i], pairs[i+1], "")
	}
	return s
}

// search answers from the story, and checks that nothing is asked twice.
func (s *story) search(t testing.TB, a, b uint64, limits Limits) Answer {
	t.Helper()
	search := New(a, b, limits)
	asked := map[uint64]bool{}
	for ids := search.Wanted(); len(ids) > 0; ids = search.Wanted() {
		wanted := map[uint64]bool{}
		for _, id := range ids {
			if asked[id] {
				t.Fatalf("identifier %d is asked for again", id)
			}
			asked[id], wanted[id] = true, true
		}
		var rows []schemas.Decision
		for _, d := range s.rows {
			if wanted[d.A] || wanted[d.B] {
				rows = append(rows, d)
			}
		}
		search.Add(rows, false)
	}
	answer := search.Answer()
	if answer.Seen != len(asked) {
		t.Errorf("says that it looked at %d identifiers, asked for %d", answer.Seen, len(asked))
	}
	return answer
}

// text writes an answer as one line: 1-2-refused(limit user_id 1)-3.
func (a Answer) text() string {
	var b strings.Builder
	if !a.Together {
		b.WriteString("apart ")
	}
	if a.Truncated {
		b.WriteString("truncated ")
	}
	for i, s := range a.Chain {
		if i == 0 {
			fmt.Fprint(&b, s.From)
		}
		if s.State != Holds {
			fmt.Fprintf(&b, "-%s(%s)", s.State, s.Now.Rule)
		}
		if s.Lent {
			b.WriteString("-lent")
		}
		fmt.Fprintf(&b, "-%d", s.To)
	}
	return strings.TrimSpace(b.String())
}

func TestSearch(t *testing.T) {
	t.Parallel()
	f := func(s *story, a, b uint64, want string) {
		t.Helper()
		if got := s.search(t, a, b, DefaultLimits()).text(); got != want {
			t.Errorf("from %d to %d: got %q, want %q", a, b, got, want)
		}
	}
	chain := (&story{}).links(1, 2, 2, 3, 3, 4, 4, 5, 1, 9, 9, 5)
	f(chain, 1, 5, "1-9-5")
	f(chain, 5, 1, "5-9-1")
	f(chain, 2, 4, "2-3-4")
	f(chain, 2, 2, "")
	f(chain, 1, 77, "apart")

	refused := (&story{}).links(1, 2, 3, 4)
	refused.add(schemas.DecisionRefused, 2, 3, "limit user_id 1")
	f(refused, 1, 4, "apart 1-2-refused(limit user_id 1)-3-4")
	f(refused, 4, 1, "apart 4-3-refused(limit user_id 1)-2-1")
	refused.add(schemas.DecisionDemoted, 2, 3, "limit user_id 1")
	f(refused, 1, 4, "apart 1-2-refused(limit user_id 1)-lent-3-4")
	refused.add(schemas.DecisionMerged, 2, 3, "refold: ")
	f(refused, 1, 4, "1-2-3-4")

	retracted := (&story{}).links(1, 2, 2, 3)
	retracted.add(schemas.DecisionRetracted, 3, 2, "command: a mistake")
	f(retracted, 1, 3, "apart 1-2-retracted(command: a mistake)-3")
	retracted.links(2, 3)
	f(retracted, 1, 3, "1-2-3")
	retracted.add(schemas.DecisionRetracted, 2, 0, "command: sold")
	f(retracted, 1, 3, "apart 1-retracted(command: sold)-2-retracted(command: sold)-3")
	retracted.links(1, 2)
	f(retracted, 1, 3, "apart 1-2-retracted(command: sold)-3")

	quarantined := (&story{}).links(1, 10, 2, 10, 3, 10, 1, 4)
	quarantined.add(schemas.DecisionQuarantined, 10, 0, "fanout 20")
	f(quarantined, 4, 2, "apart 4-1-quarantined(fanout 20)-10-quarantined(fanout 20)-2")
	quarantined.add(schemas.DecisionMerged, 1, 10, "release: ")
	quarantined.add(schemas.DecisionRefused, 2, 10, "release: limit user_id 1")
	f(quarantined, 4, 3, "apart 4-1-10-quarantined(fanout 20)-3")
	f(quarantined, 4, 2, "apart 4-1-10-refused(release: limit user_id 1)-2")

	// The way with fewer links that do not hold wins over the shorter one.
	ways := (&story{}).links(1, 2, 2, 3, 5, 6, 6, 7)
	ways.add(schemas.DecisionRefused, 3, 5, "limit email 5")
	ways.add(schemas.DecisionRefused, 1, 8, "limit email 5")
	ways.add(schemas.DecisionRefused, 8, 7, "limit email 5")
	f(ways, 1, 7, "apart 1-2-3-refused(limit email 5)-5-6-7")
}

// TestSearchLimits: what the limits cut off is said, and so is what more rows than could be read leave open.
func TestSearchLimits(t *testing.T) {
	t.Parallel()
	long := &story{}
	for i := uint64(1); i < 100; i++ {
		long.links(i, i+1)
	}
	limits := DefaultLimits()
	limits.Waves = 10
	if got := long.search(t, 1, 100, limits).text(); got != "apart truncated" {
		t.Errorf("few waves: %s", got)
	}
	limits = DefaultLimits()
	limits.Identifiers = 20
	if got := long.search(t, 1, 100, limits).text(); got != "apart truncated" {
		t.Errorf("few identifiers: %s", got)
	}
	if got := long.search(t, 1, 10, limits); !got.Together || got.Truncated || len(got.Chain) != 9 {
		t.Errorf("near enough: %+v", got)
	}
	s := New(1, 2, DefaultLimits())
	s.Add(nil, true)
	if got := s.Answer(); got.Together || !got.Truncated {
		t.Errorf("rows were cut off: %+v", got)
	}
}

// profile names the person of an oldest identifier.
func profile(n byte) schemas.ProfileID { return schemas.ProfileID{n} }

func TestWholeGroups(t *testing.T) {
	t.Parallel()
	limits := DefaultLimits()
	limits.Whole = true
	s := &story{}
	row := func(kind schemas.DecisionKind, a, b uint64, of, other byte) {
		s.add(kind, a, b, "r")
		s.rows[len(s.rows)-1].ProfileID, s.rows[len(s.rows)-1].OtherProfile = profile(of), profile(other)
	}
	f := func(a, b uint64, personA, personB byte, want string) {
		t.Helper()
		got := s.search(t, a, b, limits)
		if got.ProfileA != profile(personA) || got.ProfileB != profile(personB) || got.text() != want {
			t.Errorf("%d and %d: %s and %s, %s; want %d and %d, %s", a, b, got.ProfileA, got.ProfileB, got.text(), personA, personB, want)
		}
	}
	row(schemas.DecisionLinked, 5, 4, 4, 0)
	f(5, 4, 4, 4, "5-4")
	f(5, 20, 4, 0, "apart")
	row(schemas.DecisionLinked, 8, 9, 8, 0)
	row(schemas.DecisionMerged, 3, 4, 3, 4)
	row(schemas.DecisionRefused, 4, 9, 3, 8)
	row(schemas.DecisionMerged, 9, 7, 7, 8)
	row(schemas.DecisionMerged, 3, 1, 1, 3)
	f(5, 4, 1, 1, "5-4")
	f(5, 8, 1, 7, "apart 5-4-refused(r)-9-8")
	f(8, 5, 7, 1, "apart 8-9-refused(r)-4-5")
	f(5, 5, 1, 1, "")
	row(schemas.DecisionRetracted, 4, 3, 4, 0)
	row(schemas.DecisionSplit, 4, 0, 4, 1)
	f(5, 3, 4, 1, "apart 5-4-retracted(r)-3")
	row(schemas.DecisionQuarantined, 4, 0, 4, 0)
	row(schemas.DecisionSplit, 5, 0, 5, 4)
	f(5, 4, 5, 4, "apart 5-quarantined(r)-4")
}

// TestSearchAgainstNaive compares answers on random logs with those of the plainest search: the newest row of each pair, and breadth first
// over all of them.
func TestSearchAgainstNaive(t *testing.T) {
	t.Parallel()
	at := *seed
	if at == 0 {
		at = uint64(time.Now().UnixNano())
	}
	t.Logf("to repeat: -seed %d", at)
	rnd := rand.New(rand.NewPCG(at, 0))
	together := 0
	for round := range 3000 {
		s := randomStory(rnd, 2+rnd.IntN(14), 1+rnd.IntN(40))
		n := uint64(2 + rnd.IntN(14))
		a, b := 1+rnd.Uint64N(n), 1+rnd.Uint64N(n)
		limits := DefaultLimits()
		limits.Whole, limits.Broken = rnd.IntN(2) == 0, 50
		got := s.search(t, a, b, limits)
		broken, length := s.naive(a, b)
		steps, lost := 0, 0
		for i, step := range got.Chain {
			if state, _ := s.state(step.From, step.To); state != step.State {
				t.Errorf("round %d: step %d says %s", round, i, step.State)
			}
			if i == 0 && step.From != a || i == len(got.Chain)-1 && step.To != b || i > 0 && step.From != got.Chain[i-1].To {
				t.Errorf("round %d: the chain from %d to %d is torn: %s", round, a, b, got.text())
			}
			if steps++; step.State != Holds {
				lost++
			}
		}
		if got.Together != (broken == 0) || broken > 0 && lost != broken || broken == 0 && steps != length || broken < 0 && steps > 0 {
			t.Fatalf("round %d, from %d to %d: got %q with %d links that do not hold, want %d and %d steps; log %v", round, a, b, got.text(), lost, broken, length, s.rows)
		}
		if got.Together {
			together++
		}
	}
	if together < 300 {
		t.Errorf("only %d pairs were together: the comparison says little", together)
	}
}

func randomStory(rnd *rand.Rand, identifiers, rows int) *story {
	s := &story{}
	for range rows {
		a, b := 1+rnd.Uint64N(uint64(identifiers)), 1+rnd.Uint64N(uint64(identifiers))
		kind := []schemas.DecisionKind{schemas.DecisionLinked, schemas.DecisionLinked, schemas.DecisionMerged, schemas.DecisionRefused, schemas.DecisionRetracted,
			schemas.DecisionDemoted}[rnd.IntN(6)]
		switch {
		case rnd.IntN(15) == 0:
			s.add([]schemas.DecisionKind{schemas.DecisionQuarantined, schemas.DecisionRetracted, schemas.DecisionSplit}[rnd.IntN(3)], a, 0, "r")
		case a != b:
			s.add(kind, a, b, "r")
		}
	}
	return s
}

// state is the newest of the rows that are about a pair, or about all links of one of its ends.
func (s *story) state(a, b uint64) (State, bool) {
	state, known, isRetracted, isQuarantined := Refused, false, false, false
	for _, d := range s.rows {
		isPair := d.A == a && d.B == b || d.A == b && d.B == a
		isEnd := d.B == 0 && (d.A == a || d.A == b)
		known = known || isPair
		switch d.Kind {
		case schemas.DecisionLinked, schemas.DecisionMerged, schemas.DecisionRefused:
			if isPair {
				isRetracted, isQuarantined, state = false, false, Holds
				if d.Kind == schemas.DecisionRefused {
					state = Refused
				}
			}
		case schemas.DecisionRetracted:
			isRetracted = isRetracted || isPair || isEnd
		case schemas.DecisionQuarantined:
			isQuarantined = isQuarantined || isEnd && s.decided(a, b, d.Position)
		}
	}
	switch {
	case isRetracted:
		return Retracted, known
	case isQuarantined:
		return Quarantined, known
	}
	return state, known
}

// decided tells whether a row before a position decided about a pair.
func (s *story) decided(a, b, before uint64) bool {
	return slices.ContainsFunc(s.rows, func(d schemas.Decision) bool {
		isPair := d.A == a && d.B == b || d.A == b && d.B == a
		return isPair && d.Position < before && d.Kind != schemas.DecisionDemoted && d.Kind != schemas.DecisionRetracted
	})
}

// naive gives the fewest links that do not hold on any way, -1 for no way, and the length of the shortest way of links that hold.
func (s *story) naive(a, b uint64) (broken, length int) {
	type at struct{ broken, depth int }
	best := map[uint64]at{a: {}}
	for changed := true; changed; {
		changed = false
		for _, d := range s.rows {
			if d.B == 0 {
				continue
			}
			for _, pair := range [][2]uint64{{d.A, d.B}, {d.B, d.A}} {
				from, ok := best[pair[0]]
				if !ok {
					continue
				}
				next := at{from.broken, from.depth + 1}
				if state, _ := s.state(pair[0], pair[1]); state != Holds {
					next.broken++
				}
				old, is := best[pair[1]]
				if !is || next.broken < old.broken || next.broken == old.broken && next.depth < old.depth {
					best[pair[1]], changed = next, true
				}
			}
		}
	}
	if found, ok := best[b]; ok {
		return found.broken, found.depth
	}
	return -1, 0
}

// TestSearchOfLargeGroups: a group of 100,000 identifiers, as a star, a tree and a bush, is searched in few questions.
func TestSearchOfLargeGroups(t *testing.T) {
	t.Parallel()
	const n = 100_000
	f := func(name string, parent func(i uint64) uint64, wavesMax int) {
		t.Helper()
		by := map[uint64][]schemas.Decision{}
		for i := uint64(2); i <= n; i++ {
			d := schemas.Decision{Position: i, Kind: schemas.DecisionLinked, A: parent(i), B: i, ProfileID: profile(1)}
			by[d.A], by[d.B] = append(by[d.A], d), append(by[d.B], d)
		}
		for _, whole := range []bool{false, true} {
			limits := DefaultLimits()
			limits.Whole = whole
			s, waves := New(n-1, n, limits), 0
			for ids := s.Wanted(); len(ids) > 0; ids = s.Wanted() {
				waves++
				var rows []schemas.Decision
				for _, id := range slices.Clone(ids) {
					rows = append(rows, by[id]...)
				}
				s.Add(rows, false)
			}
			got := s.Answer()
			if !got.Together || got.Truncated || waves > wavesMax || whole && (got.ProfileA != profile(1) || got.Seen != n) {
				t.Errorf("%s: together %v, truncated %v, %d waves, %d seen, person %s", name, got.Together, got.Truncated, waves, got.Seen, got.ProfileA)
			}
		}
	}
	f("star", func(uint64) uint64 { return 1 }, 10)
	f("tree", func(i uint64) uint64 { return i / 2 }, 80)
	f("bush", func(i uint64) uint64 { return max(1, min(i-1, i%300)) }, 620)
}
