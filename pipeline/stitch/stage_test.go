package stitch

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seamline/seamline/pipeline/slab"
	"github.com/seamline/seamline/pipeline/state"
	"github.com/seamline/seamline/schemas"
)

var seed = flag.Uint64("seed", 0, "seed of randomised tests; 0 draws one")

func newSeed(t *testing.T) *rand.Rand {
	t.Helper()
	n := *seed
	if n == 0 {
		n = uint64(time.Now().UnixNano())
	}
	t.Logf("replay with -seed %d", n)
	return rand.New(rand.NewPCG(n, n))
}

// story plays events through a stage. An event is written as "minute namespace:value namespace:value ...".
type story struct {
	t     *testing.T
	stage *Stage
	batch schemas.Batch
	steps [][]schemas.Touch // what each event touched
	count int
	all   []schemas.Decision
	ids   map[uint64]schemas.IdentifierRow
	alias map[schemas.ProfileID]schemas.ProfileID

	since    map[schemas.ProfileID]schemas.Time
	touched  map[uint32]bool
	profiles []schemas.ProfileID // of all events, as processed
	store    *state.Store        // where restarts are told
	space    *slab.Space
}

func tell(t *testing.T, rules string) *story {
	t.Helper()
	r, err := parseRules([]byte(rules))
	if err != nil {
		t.Fatal(err)
	}
	return &story{t: t, stage: New(r, []byte("test"), nil, prometheus.NewRegistry()), ids: map[uint64]schemas.IdentifierRow{},
		alias: map[schemas.ProfileID]schemas.ProfileID{}, since: map[schemas.ProfileID]schemas.Time{}, touched: map[uint32]bool{}}
}

// play gives the profile of each event, all events in one batch.
func (s *story) play(lines ...string) []schemas.ProfileID {
	s.t.Helper()
	b := &s.batch
	b.Reset()
	b.Number++
	for i, line := range lines {
		fields := strings.Fields(line)
		var minute int
		if _, err := fmt.Sscan(fields[0], &minute); err != nil {
			s.t.Fatalf("event %d: %v", i, err)
		}
		s.count++
		e := &schemas.Event{ID: fmt.Sprint("event-", s.count), Time: schemas.Day*20_000 + schemas.Time(minute)*schemas.Minute}
		for _, f := range fields[1:] {
			ns, value, _ := strings.Cut(f, ":")
			e.Identify(ns, value)
		}
		b.Events = append(b.Events, e)
	}
	s.steps = append(s.steps, apply(s.t, s.stage, b)...)
	if err := s.space.Trim(); err != nil {
		s.t.Fatal(err)
	}
	b.CheckStitched()
	s.all = append(s.all, b.Decisions...)
	for _, row := range b.Identifiers {
		s.ids[row.ID] = row
	}
	for _, a := range b.Aliases {
		s.alias[a.AliasID], s.since[a.AliasID] = a.ProfileID, a.Since
	}
	for _, touch := range b.Touched {
		s.touched[touch.Profile] = true
	}
	ids := make([]schemas.ProfileID, 0, len(lines))
	for _, e := range b.Events {
		ids = append(ids, e.ProfileID)
	}
	s.profiles = append(s.profiles, ids...)
	return ids
}

// apply takes a batch through a stage and gives what each event touched.
func apply(t testing.TB, s *Stage, b *schemas.Batch) (steps [][]schemas.Touch) {
	t.Helper()
	if err := s.Begin(b); err != nil {
		t.Fatal(err)
	}
	m := &schemas.Moment{}
	for _, e := range b.Events {
		m.Event, m.Touched = e, m.Touched[:0]
		if err := s.Step(b, m); err != nil {
			t.Fatal(err)
		}
		steps = append(steps, slices.Clone(m.Touched))
	}
	if err := s.Apply(b); err != nil {
		t.Fatal(err)
	}
	return steps
}

// now resolves ids through the aliases.
func (s *story) now(ids []schemas.ProfileID) []schemas.ProfileID {
	out := slices.Clone(ids)
	for i, id := range out {
		if to, ok := s.alias[id]; ok {
			out[i] = to
		}
	}
	return out
}

// kinds lists the decisions made, as "linked a b" with namespaces.
func (s *story) kinds() []string {
	var out []string
	for _, d := range s.all {
		out = append(out, fmt.Sprintf("%s %s %s", d.Kind, d.ANamespace, d.BNamespace))
	}
	return out
}

// pattern names equal ids by equal letters in order of appearance; no person is "-".
func pattern(ids []schemas.ProfileID) string {
	var out strings.Builder
	seen := map[schemas.ProfileID]byte{}
	for _, id := range ids {
		if id.IsZero() {
			out.WriteByte('-')
			continue
		}
		if seen[id] == 0 {
			seen[id] = byte('a' + len(seen))
		}
		out.WriteByte(seen[id])
	}
	return out.String()
}

func TestStories(t *testing.T) {
	t.Parallel()
	f := func(name string, events []string, processed, resolved string, decisions ...string) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := tell(t, "")
			ids := s.play(events...)
			if got := pattern(ids); got != processed {
				t.Errorf("as processed: got %s, want %s", got, processed)
			}
			if got := pattern(s.now(ids)); got != resolved {
				t.Errorf("resolved: got %s, want %s", got, resolved)
			}
			if got := s.kinds(); decisions != nil && !slices.Equal(got, decisions) {
				t.Errorf("decisions: got %q, want %q", got, decisions)
			}
		})
	}
	f("anonymous becomes known and keeps its id",
		[]string{"1 anonymous_id:x", "2 anonymous_id:x user_id:u", "3 user_id:u"}, "aaa", "aaa", "linked user_id anonymous_id")
	f("two devices meet through one login",
		[]string{"1 anonymous_id:x", "2 anonymous_id:y", "3 anonymous_id:x user_id:u", "4 anonymous_id:y user_id:u", "5 anonymous_id:y"},
		"abaaa", "aaaaa", "linked user_id anonymous_id", "merged user_id anonymous_id")
	f("shared tablet: the last login wins from then on, history stays",
		[]string{"1 anonymous_id:x user_id:u", "2 anonymous_id:x", "3 anonymous_id:x user_id:v", "4 anonymous_id:x", "5 user_id:u"},
		"aabba", "aabba", "linked user_id anonymous_id", "refused user_id anonymous_id", "demoted user_id anonymous_id")
	f("by event time: a late event of the first owner goes to the first owner",
		[]string{"1 anonymous_id:x user_id:u", "30 anonymous_id:x user_id:v", "31 anonymous_id:x", "15 anonymous_id:x"}, "abba", "abba")
	f("handed back: the old leaf serves again",
		[]string{"1 anonymous_id:x user_id:u", "2 anonymous_id:x user_id:v", "3 anonymous_id:x user_id:u", "4 anonymous_id:x"}, "abaa", "abaa")
	f("placeholders glue nobody",
		[]string{"1 anonymous_id:x user_id:null", "2 anonymous_id:y user_id:NULL", "3 user_id:undefined", "4 email:test@test.com"}, "ab--", "ab--")
	f("a kiosk never links, and forgets after its session",
		[]string{"1 kiosk_id:k user_id:u", "2 kiosk_id:k user_id:v", "3 kiosk_id:k", "10 kiosk_id:k", "60 kiosk_id:k"}, "abccd", "abccd")
	f("an anonymous id that looks like a kiosk is one",
		[]string{"1 anonymous_id:kiosk-7 user_id:u", "2 anonymous_id:kiosk-7 user_id:v", "3 user_id:u"}, "aba", "aba")
	f("evidence never links, but an order finds its buyer",
		[]string{"1 user_id:u order_id:o ip:10.0.0.1", "2 user_id:v ip:10.0.0.1", "3 order_id:o", "4 ip:10.0.0.1", "5 order_id:p"}, "aba--", "aba--")
	f("a second user id on a personal e-mail is refused, and the e-mail stays",
		[]string{"1 user_id:u email:a@example.com", "2 user_id:v email:a@example.com", "3 email:a@example.com"}, "aba", "aba",
		"linked user_id email", "refused user_id email")
	f("household card: both stay themselves, the card follows",
		[]string{"1 loyalty_id:L1 card:c", "2 loyalty_id:L2 user_id:v", "3 loyalty_id:L1 user_id:u", "4 loyalty_id:L2 card:c", "5 card:c"}, "ababb", "ababb")
	f("forms of one e-mail and one phone are the same",
		[]string{"1 email:Ann.Ex@Example.com phone:+1-650-555-1212", "2 email:ann.ex@example.com", "3 phone:6505551212"}, "aaa", "aaa")
	f("unknown namespaces link like shared ones",
		[]string{"1 crm_key:7 user_id:u", "2 crm_key:7"}, "aa", "aa")
}

func TestOldestSurvivesThroughChains(t *testing.T) {
	t.Parallel()
	s := tell(t, "")
	first := s.play("1 anonymous_id:a", "2 anonymous_id:b", "3 anonymous_id:c", "4 email:x@example.com")
	// b and c unite first, then with the e-mail, then with a: every old id resolves to a's.
	s.play("5 device_id:d anonymous_id:b", "6 device_id:d anonymous_id:c")
	s.play("7 email:x@example.com device_id:d")
	last := s.play("8 email:x@example.com anonymous_id:a")
	for i, id := range s.now(first) {
		if id != first[0] {
			t.Errorf("id %d resolves to %s, want the oldest %s", i, id, first[0])
		}
	}
	if last[0] != first[0] {
		t.Errorf("the merged profile has id %s, want the oldest %s", last[0], first[0])
	}
	for id, row := range s.ids {
		if row.ProfileID != first[0] {
			t.Errorf("identifier %d (%s) has profile %s, want %s", id, row.Namespace, row.ProfileID, first[0])
		}
	}
	if id, merged := s.stage.Profile(2); merged == 0 || id == first[0] {
		t.Errorf("profile 2 is %s, merged at %s; want it merged away", id, merged)
	}
}

func TestWindowedLimit(t *testing.T) {
	t.Parallel()
	s := tell(t, "namespaces: {device_id: {class: shared, priority: 6, limit: 1, within: 1d}}")
	// Within a day the second device is refused; a day later it is welcome.
	if got := pattern(s.play("0 user_id:u device_id:d1", "10 user_id:u device_id:d2", "20 device_id:d2")); got != "aab" {
		t.Errorf("within the window: got %s, want aab", got)
	}
	if got := pattern(s.play("3000 user_id:u device_id:d3", "3001 device_id:d3")); got != "aa" {
		t.Errorf("after the window: got %s, want aa", got)
	}
}

func TestRulesErrors(t *testing.T) {
	t.Parallel()
	f := func(text, want string) {
		t.Helper()
		_, err := parseRules([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got error %v, want one with %q", text, err, want)
		}
	}
	f("namespaces:\n\n  x: {class: other, priority: 1}", `line 3: namespace x: class "other"`)
	f("namespaces:\n  x: {class: shared}", "line 2: namespace x: priority")
	f("namespaces:\n  x: {class: shared, priority: 1, prio: 2}", `line 2: unknown key "prio"`)
	f("namespaces:\n  x: {class: shared, priority: 1, limit: 3, within: soon}", "line 2: namespace x: within")
	f("namespaces:\n  x: {class: shared, priority: 1, within: 3d}", "line 2: namespace x: within needs a limit")
	f("namespaces:\n  x: {class: shared, priority: 1, normalise: upper}", "line 2: namespace x: normalise")
	f("namespaces:\n  x: {class: shared, priority: 1, history: goes}", `line 2: namespace x: history "goes" is not stays or moves`)
	f("namespaces:\n  x: {class: personal, priority: 1, history: moves}", "line 2: namespace x: history is for class shared")
	f("namespaces:\n  x: {class: evidence, priority: 1, fanout: 3}", "line 2: namespace x: limit and fanout are for classes personal and shared")
	f("namespaces:\n  x: {class: shared, priority: 1, resolves: true}", "line 2: namespace x: resolves is for class evidence")
	f("namespaces:\n  x: {class: shared, priority: 1, limit: many}", "line 2")
	f("namespaces:\n  x:\n    class: shared\n    priority: 1\n    blocked: {patterns: ['(']}", "line 5: pattern \"(\"")
	f("\nregion: USA", "line 2: region \"USA\" is not a two-letter")
	f("kiosks:\n  - a\n  - '('", "kiosks: line 3: pattern \"(\"")
	f("blocked:\n  value: []", `line 2: unknown key "value"`)
	f("links:\n  - {of: email, limit: 1}", "line 2: links: of and to must name namespaces")
	f("links:\n  - {of: email, to: user_id, max: 1}", `line 2: unknown key "max"`)
	f("namespace: {}", `line 1: unknown key "namespace"`)
	f("namespaces: {kiosk_id: {class: shared, priority: 1}}", "must have class kiosk")
}

// TestPlainValuesAreNormal: what counts as normal at first sight is what a closer look gives.
func TestPlainValuesAreNormal(t *testing.T) {
	t.Parallel()
	rng := newSeed(t)
	const letters = "ab1AZ@@.:<>,; \t\n-_+\x00\x7f\u00e9mailto:"
	for range 200_000 {
		value := make([]byte, rng.IntN(9))
		for i := range value {
			value[i] = letters[rng.IntN(len(letters))]
		}
		for n := range Normaliser(len(normaliserNames())) {
			got, ok := normalise(n, string(value), "US")
			want, wantOK := normaliseAny(n, string(value), "US")
			if got != want || ok != wantOK {
				t.Fatalf("normaliser %d of %q gives %q %v, want %q %v", n, value, got, ok, want, wantOK)
			}
		}
	}
}

func TestNormalise(t *testing.T) {
	t.Parallel()
	f := func(n Normaliser, in, want string) {
		t.Helper()
		got, ok := normalise(n, in, "US")
		if got != want || ok != (want != "") {
			t.Errorf("%q: got %q %v, want %q", in, got, ok, want)
		}
	}
	f(NormaliseEmail, " Customer.17@Example.COM ", "customer.17@example.com")
	f(NormaliseEmail, "Customer 17 <c17@example.com>", "c17@example.com")
	f(NormaliseEmail, "vale\u0301ry@example.com", "val\u00e9ry@example.com")
	f(NormaliseEmail, "no at", "")
	f(NormaliseEmail, "two@at@example.com", "")
	f(NormaliseEmail, "@example.com", "")
	f(NormalisePhone, "(650) 555-1212", "+16505551212")
	f(NormalisePhone, "+44 (0)113 496 0987", "+441134960987")
	f(NormalisePhone, "+4401134960987", "+441134960987")
	f(NormalisePhone, "0044 113 496 0987", "+441134960987")
	f(NormalisePhone, "ABC", "")
	f(NormaliseCode, " ab-12 34 ", "AB1234")
	f(NormaliseCode, "AB1234", "AB1234")
	f(NormaliseLower, "6D92-AB", "6d92-ab")
	f(NormaliseTrim, " Case Counts ", "Case Counts")
	f(NormaliseTrim, strings.Repeat("x", valueBytesMax+1), "")
	f(NormaliseTrim, "\xff", "")
}

func TestNoLimitBreaks(t *testing.T) {
	t.Parallel()
	rng := newSeed(t)
	s := tell(t, "namespaces: {email: {class: personal, priority: 3, limit: 2, normalise: email}}")
	for i := range 400 {
		line := fmt.Sprint(i)
		for _, ns := range []string{"user_id", "email", "anonymous_id"} {
			if rng.IntN(2) == 0 {
				line += fmt.Sprintf(" %s:%s%d@example.com", ns, ns, rng.IntN(30))
			}
		}
		s.play(line)
		s.stage.Profiles(func(p uint32) {
			row := schemas.Profile{Index: p}
			s.stage.Count(&row)
			if row.UserIDs > 1 || row.Emails > 2 {
				t.Fatalf("after event %d a profile has %d user ids and %d e-mails", i, row.UserIDs, row.Emails)
			}
		})
	}
}

func BenchmarkApply(b *testing.B) {
	for _, people := range []int{10_000, 1_000_000} {
		b.Run(fmt.Sprintf("people=%d", people), func(b *testing.B) {
			rng := rand.New(rand.NewPCG(1, 1))
			s := New(DefaultRules(), []byte("bench"), nil, prometheus.NewRegistry())
			batch := &schemas.Batch{}
			const events = 10_000
			arena := make([]schemas.Event, events)
			fill := func() {
				batch.Reset()
				for i := range arena {
					p := rng.IntN(people)
					e := &arena[i]
					e.ID, e.Time = "event", schemas.Day*20_000
					e.Identifiers = append(e.Identifiers[:0], schemas.Identifier{Namespace: "anonymous_id", Value: fmt.Sprintf("anonymous-%d", p)})
					if p%3 == 0 {
						e.Identify("user_id", fmt.Sprintf("user-%d", p))
					}
					batch.Events = append(batch.Events, e)
				}
			}
			for range people / events * 3 {
				fill()
				apply(b, s, batch)
			}
			b.ReportAllocs()
			b.ResetTimer()
			for n := 0; n < b.N; n += events {
				b.StopTimer()
				fill()
				b.StartTimer()
				apply(b, s, batch)
			}
		})
	}
}
