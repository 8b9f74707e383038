package score_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seamline/seamline/pipeline/dedup"
	"github.com/seamline/seamline/pipeline/score"
	"github.com/seamline/seamline/pipeline/stitch"
	"github.com/seamline/seamline/pipeline/timers"
	"github.com/seamline/seamline/schemas"
)

var splitSeed = flag.Uint64("split.seed", 0, "seed of the tests that split customers over several ids; 0 for a random one")

// The year of the retailer, a fit after all links are known, and a look at everybody behind it.
var (
	yearBegin = schemas.TimeOf(time.Date(2010, 12, 1, 0, 0, 0, 0, time.UTC))
	yearEnd   = schemas.TimeOf(time.Date(2011, 12, 9, 23, 0, 0, 0, time.UTC))
	lastFit   = schemas.TimeOf(time.Date(2012, 1, 1, 0, 0, 0, 0, time.UTC))
	lastLook  = lastFit + schemas.Hour
)

// stages is what gives events their people and their scores, without a broker and a database.
type stages struct {
	t       *testing.T
	dedup   *dedup.Stage
	folders []schemas.Folder
	clock   *timers.Queue
	number  uint64
	moment  schemas.Moment
	scored  map[uint32]schemas.Profile // latest rows
}

func newStages(t *testing.T) *stages {
	t.Helper()
	rules, err := stitch.ReadRules("")
	if err != nil {
		t.Fatal(err)
	}
	cfg := score.DefaultConfig()
	cfg.FitEvery, cfg.RescoreShare = 59*24*time.Hour, 0 // one of the fits is lastFit
	reg := prometheus.NewRegistry()
	graph, clock := stitch.New(rules, []byte("key"), nil, reg), timers.New(nil, reg)
	return &stages{t: t, dedup: dedup.New(dedup.DefaultConfig(), nil, reg), clock: clock, scored: map[uint32]schemas.Profile{},
		folders: []schemas.Folder{graph, score.New(cfg, graph, nil, reg), clock}}
}

// play takes copies of events through the stages in batches, as the line does, and lets time pass up to a moment at the end.
func (s *stages) play(events []*schemas.Event, size int, until schemas.Time) (played []*schemas.Event) {
	s.t.Helper()
	for _, e := range events {
		played = append(played, copyOf(e))
	}
	for chunk := range slices.Chunk(played, size) {
		s.number++
		b := &schemas.Batch{Number: s.number, Now: until, Fixed: true, Events: slices.Clone(chunk)}
		s.check(s.dedup.Apply(b))
		for _, f := range s.folders {
			s.check(f.Begin(b))
		}
		for _, e := range b.Events {
			s.advance(b, min(e.Time, e.Record.Time))
			s.step(b, schemas.Moment{Clock: s.clock.Now(), Event: e})
		}
		if &chunk[len(chunk)-1] == &played[len(played)-1] {
			s.advance(b, until)
		}
		for _, f := range s.folders {
			s.check(f.Apply(b))
		}
		for _, p := range b.Profiles {
			s.scored[p.Index] = p
		}
	}
	return played
}

func (s *stages) advance(b *schemas.Batch, to schemas.Time) {
	s.clock.Advance(to)
	for due, ok := s.clock.Next(); ok; due, ok = s.clock.Next() {
		s.step(b, schemas.Moment{Clock: due.Due, Touched: []schemas.Touch{due}})
	}
}

func (s *stages) step(b *schemas.Batch, m schemas.Moment) {
	m.Profiles, m.Timers = s.moment.Profiles[:0], s.moment.Timers[:0]
	s.moment = m
	for _, f := range s.folders {
		s.check(f.Step(b, &s.moment))
	}
}

func (s *stages) check(err error) {
	if err != nil {
		s.t.Helper()
		s.t.Fatal(err)
	}
}

func copyOf(e *schemas.Event) *schemas.Event {
	c := *e
	c.Identifiers, c.Items, c.Consents = slices.Clone(e.Identifiers), slices.Clone(e.Items), slices.Clone(e.Consents)
	return &c
}

// outcome plays a history, fits, looks at everybody, and gives the row of each.
func outcome(t *testing.T, customers []*customer, history, last []*schemas.Event, size int) map[string]schemas.Profile {
	t.Helper()
	s := newStages(t)
	s.play(history, size, lastFit)
	rows := map[string]schemas.Profile{}
	for i, e := range s.play(last, size, lastLook+schemas.Hour) {
		rows[customers[i].name] = s.scored[e.Profile]
	}
	return rows
}

// comparable leaves out what names ids and versions, counts ids, or depends on when people were merged: since when somebody is in a stage,
// what made it begin, and what is learned from sessions and carts while they pass. The hour to send at that chance draws depends on the id.
func comparable(p schemas.Profile) schemas.Profile {
	p.Index, p.ID, p.Version, p.State, p.StageSince, p.StageReason = 0, schemas.ProfileID{}, 0, nil, 0, ""
	p.UserIDs, p.Identifiers = 0, 0
	sc := *p.Scores
	sc.Models, sc.Propensity, sc.CartConversion, sc.SendHour = 0, 0, 0, 0
	p.Scores = &sc
	return p
}

// differences lists the fields in which two rows differ.
func differences(a, b schemas.Profile) (list []string) {
	x, y := comparable(a), comparable(b)
	compare := func(a, b reflect.Value) {
		for i := range a.NumField() {
			if name := a.Type().Field(i).Name; name != "Scores" && !reflect.DeepEqual(a.Field(i).Interface(), b.Field(i).Interface()) {
				list = append(list, fmt.Sprintf("%s: %v, %v", name, a.Field(i).Interface(), b.Field(i).Interface()))
			}
		}
	}
	compare(reflect.ValueOf(x), reflect.ValueOf(y))
	compare(reflect.ValueOf(*x.Scores), reflect.ValueOf(*y.Scores))
	return list
}

// wrong counts the customers whose rows differ, and reports some of them.
func wrong(t *testing.T, what string, got, want map[string]schemas.Profile) (count int) {
	t.Helper()
	for name := range want {
		if list := differences(got[name], want[name]); len(list) > 0 {
			if count++; count <= 3 {
				t.Errorf("%s: customer %s: %s", what, name, strings.Join(list, "; "))
			}
		}
	}
	if count > 0 {
		t.Errorf("%s: %d of %d profiles differ", what, count, len(want))
	}
	return count
}

func splitRand(t *testing.T) *rand.Rand {
	seed := *splitSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d (-split.seed)", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// naive counts the customers whose purchases came with more than one id, and those of them whose purchase days would be wrong if the
// days of each id were added up.
func naive(customers []*customer) (split, wrong int) {
	for _, c := range customers {
		all, sum, ids := map[string]bool{}, 0, 0
		for _, days := range c.days {
			for day := range days {
				all[day] = true
			}
			sum += len(days)
			ids += min(1, len(days))
		}
		if ids < 2 {
			continue
		}
		split++
		if sum != len(all) {
			wrong++
		}
	}
	return split, wrong
}

// TestSplitCustomers gives every invoice of a real retailer's customers to one of three ids by lot, reveals the links between the ids at
// random times, and finds every profile and every score as if nothing had ever been split.
func TestSplitCustomers(t *testing.T) {
	t.Parallel()
	rng := splitRand(t)
	customers := invoices(t, rng)
	if testing.Short() {
		customers = customers[:1000]
	}
	history, last := historyOf(customers), looks(customers)
	got := outcome(t, customers, history, last, 5000)
	want := outcome(t, customers, known(customers, history), known(customers, last), 5000)
	split, added := naive(customers)
	busy := 0
	for _, c := range customers {
		if a, b := got[c.name], want[c.name]; c.isBusy() {
			busy++
			a.Sessions, b.Sessions = 0, 0
			got[c.name], want[c.name] = a, b
		}
	}
	n := wrong(t, "split and merged", got, want)
	t.Logf("%d customers, %d events, %d with more visits than are kept; %d of %d that were split are wrong, where adding up days would get %d wrong", len(customers), len(history), busy, n, split, added)
	if split < len(customers)/3 || added < split/10 {
		t.Errorf("%d customers are split, and %d of them on one day: too few to show anything", split, added)
	}
}
