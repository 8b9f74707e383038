package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seamline/seamline/pipeline/explain"
	"github.com/seamline/seamline/pipeline/stitch"
	"github.com/seamline/seamline/schemas"
)

// circle is a small world of identifiers whose history of events and commands is stitched, with what the log says of it.
type circle struct {
	stage *stitch.Stage
	log   []schemas.Decision
	clock schemas.Time
	n     int
}

// circleRules break often: few values per profile, a low fan-out, a limit of links.
const circleRules = `
namespaces:
  user_id: {class: personal, priority: 1, limit: 1, normalise: trim}
  email: {class: personal, priority: 3, limit: 2, fanout: 2, normalise: trim}
  device_id: {class: shared, priority: 6, limit: 2, fanout: 3, normalise: trim}
  anonymous_id: {class: shared, priority: 7, limit: 2, within: 1d, normalise: trim}
links:
  - {of: device_id, to: user_id, limit: 2}
`

func newCircle(t *testing.T) *circle {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(path, []byte(circleRules), 0o600); err != nil {
		t.Fatal(err)
	}
	rules, err := stitch.ReadRules(path)
	if err != nil {
		t.Fatal(err)
	}
	return &circle{stage: stitch.New(rules, []byte("key"), nil, prometheus.NewRegistry()), clock: schemas.TimeOf(start)}
}

// live stitches one event or command.
func (c *circle) live(t *testing.T, rnd *rand.Rand) {
	t.Helper()
	c.n++
	c.clock += schemas.Time(1+rnd.IntN(8)) * schemas.Hour
	one := func() schemas.Identifier {
		namespace := []string{"user_id", "email", "device_id", "anonymous_id"}[rnd.IntN(4)]
		return schemas.Identifier{Namespace: namespace, Value: fmt.Sprint(namespace, rnd.IntN(5))}
	}
	e := &schemas.Event{ID: fmt.Sprint("e", c.n), Source: "test", Time: c.clock, Record: &schemas.Record{Time: c.clock}}
	if rnd.IntN(6) == 0 {
		e.Command = schemas.Command{Kind: schemas.CommandKind(1 + rnd.IntN(4)), Reason: "a test"}
		e.Identifiers = append(e.Identifiers, one())
		if e.Command.Kind == schemas.CommandRetract && rnd.IntN(3) > 0 {
			e.Identifiers, e.Command.Forbid = append(e.Identifiers, one()), rnd.IntN(4) == 0
		}
	} else {
		for range 1 + rnd.IntN(3) {
			e.Identifiers = append(e.Identifiers, one())
		}
	}
	b := &schemas.Batch{Number: uint64(c.n), Events: []*schemas.Event{e}}
	if err := c.stage.Begin(b); err != nil {
		t.Fatal(err)
	}
	if err := c.stage.Step(b, &schemas.Moment{Event: e}); err != nil {
		t.Fatal(err)
	}
	if err := c.stage.Apply(b); err != nil {
		t.Fatal(err)
	}
	c.log = append(c.log, b.Decisions...)
}

// ask searches the rows up to a time.
func (c *circle) ask(a, b uint64, asOf schemas.Time, limits explain.Limits) explain.Answer {
	s := explain.New(a, b, limits)
	for ids := s.Wanted(); len(ids) > 0; ids = s.Wanted() {
		wanted := map[uint64]bool{}
		for _, id := range ids {
			wanted[id] = true
		}
		var rows []schemas.Decision
		for _, d := range c.log {
			if d.Time <= asOf && (wanted[d.A] || wanted[d.B]) {
				rows = append(rows, d)
			}
		}
		s.Add(rows, false)
	}
	return s.Answer()
}

// TestExplainAgreesWithStitch: what the log says of any two identifiers, as of any moment, is what the graph was then.
func TestExplainAgreesWithStitch(t *testing.T) {
	t.Parallel()
	rnd := seeded(t)
	together, apart := 0, 0
	for range 12 {
		c := newCircle(t)
		type moment struct {
			at       schemas.Time
			groups   map[uint64]uint32
			profiles map[uint64]schemas.ProfileID
		}
		var moments []moment
		for range 80 {
			c.live(t, rnd)
			if rnd.IntN(12) == 0 {
				m := moment{at: c.clock, groups: map[uint64]uint32{}, profiles: map[uint64]schemas.ProfileID{}}
				identifiers, _ := c.stage.Size()
				for id := uint32(1); int(id) <= identifiers; id++ {
					if p := c.stage.Group(id); p != 0 {
						m.groups[uint64(id)] = p
						m.profiles[uint64(id)], _ = c.stage.Profile(p)
					}
				}
				moments = append(moments, m)
			}
		}
		for _, m := range moments {
			for a, p := range m.groups {
				for b, q := range m.groups {
					limits := explain.DefaultLimits()
					limits.Whole = rnd.IntN(2) == 0
					got := c.ask(a, b, m.at, limits)
					if got.Together != (p == q) {
						t.Fatalf("as of %s, %d and %d: together %v, the graph says %v; %+v\nlog %+v", m.at, a, b, got.Together, p == q, got.Chain, c.log)
					}
					if limits.Whole && !got.ProfileA.IsZero() && got.ProfileA != m.profiles[a] {
						t.Fatalf("as of %s, %d belongs to %s, and the log says %s; log %+v", m.at, a, m.profiles[a], got.ProfileA, c.log)
					}
					if got.Together {
						together++
					} else {
						apart++
					}
				}
			}
		}
	}
	t.Logf("%d pairs together, %d apart", together, apart)
	if together < 500 || apart < 500 {
		t.Error("too few pairs to say much")
	}
}
