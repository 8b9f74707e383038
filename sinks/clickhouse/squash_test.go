package clickhouse

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seamline/seamline/schemas"
)

// squasherOf gives one whose line has stored everything up to bound.
func squasherOf(t testing.TB, s *Sink, bound func() uint64) *squasher {
	t.Helper()
	k, err := s.newSquasher(Squashing{Bound: bound})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.pool.close)
	return k
}

// squashConfig has no waits: tests make them.
func squashConfig(t testing.TB) Config {
	cfg := config(t)
	cfg.SquashGrace, cfg.SquashMin, cfg.Fsync = 0, 1, false
	return cfg
}

// squashAll squashes everything at once.
func squashAll(t testing.TB, k *squasher) {
	t.Helper()
	ctx := t.Context()
	bound := k.Bound()
	for _, step := range []func() error{
		func() error { return k.ready(ctx, bound) },
		func() error { return k.settle(ctx, bound) },
		func() error { return k.emptyNow(ctx) },
		func() error { // which waits for what an earlier one left unfinished
			err := k.squash(ctx)
			for tries := 0; err == nil && k.retire == 0 && tries < 600; tries++ {
				time.Sleep(50 * time.Millisecond)
				err = k.squash(ctx)
			}
			return err
		},
		func() error { return k.retireLeaves(ctx) },
		func() error { return k.retireAliases(ctx) },
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
}

func (k *squasher) emptyNow(ctx context.Context) error {
	at, err := k.pending.read(ctx)
	if err != nil {
		return err
	}
	return k.empty(ctx, at)
}

// pendingKeys tells how many keys the dictionaries hold.
func pendingKeys(t testing.TB, cfg Config) string {
	return one(t, cfg, "SELECT toString(sum(element_count)) FROM system.dictionaries WHERE database = '"+cfg.Database+"' AND name LIKE '%s_%' AND name != 'profile_aliases_dict'")
}

func TestSquashedRowsNeedNoDictionary(t *testing.T) {
	t.Parallel()
	cfg := squashConfig(t)
	s := open(t, cfg)
	p := &people{Rand: random(t), events: map[string]int{}}
	for range 6 {
		write(t, s, p.next(40))
	}
	if n := pendingKeys(t, cfg); n == text("0") {
		t.Fatal("nothing is pending, so that this test shows nothing")
	}
	stale := "SELECT toString(countIf(e.profile_id != r.profile_id)) FROM events AS e JOIN events_resolved AS r USING event_id"
	if n := one(t, cfg, stale); n == text("0") {
		t.Fatal("no row is to be rewritten, so that this test shows nothing")
	}
	squashAll(t, squasherOf(t, s, func() uint64 { return p.number }))
	p.check(t, cfg, "squashing")
	if n := one(t, cfg, stale); n != text("0") {
		t.Errorf("%s rows do not say who they belong to", n)
	}
	if n := pendingKeys(t, cfg); n != text("0") {
		t.Errorf("the dictionaries hold %s keys after squashing", n)
	}
	if n := one(t, cfg, "SELECT toString(countIf(alias_id != profile_id) > 0) FROM profile_aliases FINAL"); n != text("1") {
		t.Error("no alias is left in the table")
	}
	if n := counted(t, s.metrics.squashed.WithLabelValues("events")); n == 0 {
		t.Error("no rewritten row was counted")
	}
	// What is not behind the bound stays as it is.
	before := one(t, cfg, "SELECT toString(max(_batch)) FROM events")
	bound := p.number
	for range 4 {
		write(t, s, p.next(40))
	}
	squashAll(t, squasherOf(t, s, func() uint64 { return bound }))
	p.check(t, cfg, "squashing up to "+before)
	if n := pendingKeys(t, cfg); n == text("0") {
		t.Error("what batches beyond the bound said is pending no longer")
	}
}

// Without its epoch, an instance that writes old batches again would leave rows that nobody resolves any more.
func TestBatchesWrittenAgainArePendingAgain(t *testing.T) {
	t.Parallel()
	cfg := squashConfig(t)
	s := open(t, cfg)
	p := &people{Rand: random(t), events: map[string]int{}}
	for range 5 {
		write(t, s, p.next(60))
	}
	squashAll(t, squasherOf(t, s, func() uint64 { return p.number }))
	careless := open(t, cfg)
	careless.pending.epoch = 1
	for _, b := range p.all {
		write(t, careless, b)
	}
	if len(differences(t, cfg, p.want())) == 0 {
		t.Error("rows of before were resolved by nobody, and all are right: this test shows nothing")
	}
	restored := open(t, cfg)
	restored.isPlain = true // so that rows of before come back in any case
	for i, b := range p.all {
		write(t, restored, b)
		if i == 0 {
			p.check(t, cfg, "the first batch of a restored instance")
		}
	}
	p.check(t, cfg, "all batches of a restored instance")
	// The instance of before has not noticed, and says that it is done.
	k := squasherOf(t, s, func() uint64 { return p.number })
	if err := k.settle(t.Context(), p.number); err != errOvertaken {
		t.Errorf("an instance that was overtaken settles: %v", err)
	}
	if err := s.pending.insert(t.Context(), point{epoch: s.pending.epoch, step: 99, squashed: p.number, attributed: p.number, settled: p.number, recent: p.number}); err != nil {
		t.Fatal(err)
	}
	if err := s.pending.reload(t.Context(), dictionaries()...); err != nil {
		t.Fatal(err)
	}
	p.check(t, cfg, "an instance that was overtaken")
}

// A merge is squashed, taken back, made again and squashed again.
func TestMergeSquashUnmergeMerge(t *testing.T) {
	t.Parallel()
	cfg := squashConfig(t)
	s := open(t, cfg)
	first, second, number := id(1), id(2), uint64(0)
	person := func(after, want string) {
		t.Helper()
		got := one(t, cfg, "SELECT arrayStringConcat(arraySort(groupArray(event_id || ' ' || toString(substring(toString(profile_id), 2, 1)))), ', ') FROM events_resolved")
		if got != text(want) {
			t.Errorf("after %s: %s, want %s", after, got, want)
		}
	}
	next := func(b *schemas.Batch) {
		t.Helper()
		number++
		b.Number, b.Now = number, start
		write(t, s, b)
	}
	of := func(name string, leaf uint32, who schemas.ProfileID) []*schemas.Event {
		e := event(name, start, schemas.TypeStoreVisit, who)
		e.Leaf = leaf
		return []*schemas.Event{e}
	}
	k := squasherOf(t, s, func() uint64 { return number })
	next(&schemas.Batch{Events: append(of("a", 1, first), of("b", 2, second)...)})
	person("the first events", "a 1, b 2")
	for round := range 3 {
		next(&schemas.Batch{Aliases: []schemas.Alias{{AliasID: second, ProfileID: first, Since: start}}})
		person(fmt.Sprintf("merge %d", round), "a 1, b 1")
		if round != 1 { // once it is taken back before it was squashed
			squashAll(t, k)
			person(fmt.Sprintf("squashing merge %d", round), "a 1, b 1")
		}
		next(&schemas.Batch{Aliases: []schemas.Alias{{AliasID: second, ProfileID: second, Since: start}},
			Attributions: []schemas.Attribution{{Leaf: 2, ProfileID: second, Since: start}}})
		person(fmt.Sprintf("unmerge %d", round), "a 1, b 2")
		if round != 2 {
			squashAll(t, k)
			person(fmt.Sprintf("squashing unmerge %d", round), "a 1, b 2")
		}
	}
	if n := one(t, cfg, "SELECT toString(dictHas('"+cfg.Database+".profile_aliases_dict', tuple(toUUID('"+second.String()+"'))))"); n != text("0") {
		t.Error("profile_aliases_dict takes a merge that was taken back for an alias")
	}
}

// Random batches, and the steps of squashing between them in any order, cut short at any of them.
func TestViewsAreRightAtEveryStep(t *testing.T) {
	t.Parallel()
	cfg := squashConfig(t)
	s := open(t, cfg)
	r := random(t)
	p := &people{Rand: r, events: map[string]int{}}
	bound := uint64(0)
	k := squasherOf(t, s, func() uint64 { return bound })
	ctx := t.Context()
	steps := map[string]int{}
	for range 50 {
		what, err := "", error(nil)
		if bound == 0 {
			what = "a batch"
		} else {
			what = []string{"a batch", "a batch", "a batch", "a checkpoint", "settling", "emptying", "squashing", "squashing one table", "retiring",
				"a turn", "a crash", "a restore", "a takeover"}[r.IntN(13)]
		}
		if err := k.ready(ctx, max(bound, 1)); err != nil {
			t.Fatal(err)
		}
		steps[what]++
		switch what {
		case "a batch":
			write(t, s, p.next(1+r.IntN(30)))
			if bound == 0 {
				bound = 1
			}
		case "a checkpoint":
			bound += uint64(r.IntN(int(p.number-bound) + 1))
		case "settling":
			err = k.settle(ctx, bound)
		case "emptying":
			err = k.emptyNow(ctx)
		case "squashing":
			if k.retire == 0 {
				err = k.squash(ctx)
			}
		case "squashing one table":
			at, failed := k.pending.read(ctx)
			if err = failed; err == nil {
				_, _, err = k.rewrite(ctx, squashedTables[r.IntN(len(squashedTables))], at.settled)
			}
		case "retiring":
			err = k.retireDue(ctx)
		case "a turn":
			err = k.turn(ctx)
		case "a crash":
			s = open(t, cfg)
			k = squasherOf(t, s, func() uint64 { return bound })
		case "a restore", "a takeover":
			// From a copy of the state: batches are written again that were squashed. Or from where the line stood.
			from := bound
			if what == "a restore" {
				from = uint64(r.IntN(int(bound) + 1))
			}
			s = open(t, cfg)
			s.isPlain = r.IntN(2) == 0 // the server has forgotten the tokens, so that rows are there twice
			k = squasherOf(t, s, func() uint64 { return bound })
			bound = max(1, from)
			for _, b := range p.all[from:] {
				write(t, s, b)
				p.check(t, cfg, fmt.Sprintf("%s from %d, at %d", what, from, b.Number))
				if r.IntN(3) == 0 {
					bound = b.Number
					if err = k.turn(ctx); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		p.check(t, cfg, what)
	}
	t.Logf("%d batches, %d events, steps %v", p.number, len(p.events), steps)
	bound = p.number
	squashAll(t, k)
	p.check(t, cfg, "the end")
	if n := pendingKeys(t, cfg); n != text("0") {
		t.Errorf("the dictionaries hold %s keys at the end", n)
	}
}

// Queries that run all the time are right all the time, while squashing runs in the background.
func TestQueriesWhileSquashing(t *testing.T) {
	t.Parallel()
	cfg := squashConfig(t)
	cfg.SquashEvery, cfg.SquashGrace = 50*time.Millisecond, 2*time.Second
	s := open(t, cfg)
	p := &people{Rand: random(t), events: map[string]int{}}
	for range 8 {
		write(t, s, p.next(300))
	}
	want := p.want()
	var stop atomic.Bool
	queries, wrong := 0, []string(nil)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for !stop.Load() && len(wrong) == 0 {
			wrong = differences(t, cfg, want)
			queries++
		}
	}()
	ctx, cancel := context.WithCancel(t.Context())
	background := make(chan struct{})
	go func() {
		defer close(background)
		s.KeepSquashed(ctx, Squashing{Bound: func() uint64 { return p.number }})
	}()
	deadline := time.Now().Add(time.Minute)
	for pendingKeys(t, cfg) != text("0") && time.Now().Before(deadline) {
		time.Sleep(50 * time.Millisecond)
	}
	stop.Store(true)
	cancel()
	<-ended
	<-background
	if n := pendingKeys(t, cfg); n != text("0") {
		t.Errorf("%s keys are pending after a minute", n)
	}
	if len(wrong) > 0 || queries < 3 {
		t.Errorf("of %d queries one gave: %v", queries, wrong[:min(3, len(wrong))])
	}
	if n := counted(t, s.metrics.squashed.WithLabelValues("order_lines")); n == 0 {
		t.Error("no rows were rewritten, so that this test shows nothing")
	}
}

// A server that is killed goes on where it was, and so does an instance that is: rewriting the rows again changes nothing.
func TestServerKilledWhileSquashing(t *testing.T) {
	t.Parallel()
	server := ownServer(t, "")
	cfg := DefaultConfig()
	cfg.Addr, cfg.SquashEvery, cfg.SquashGrace, cfg.SquashMin = server.Addr(), time.Millisecond, 100*time.Millisecond, 1
	s := open(t, cfg)
	p := &people{Rand: random(t), events: map[string]int{}}
	const kills = 5
	for round := range kills {
		for range 3 {
			write(t, s, p.next(100))
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			s.KeepSquashed(ctx, Squashing{Bound: func() uint64 { return p.number }})
		}()
		time.Sleep(time.Duration(p.IntN(600)) * time.Millisecond)
		if err := server.Kill(); err != nil {
			t.Fatal(err)
		}
		cancel()
		<-ended
		if err := server.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		p.check(t, cfg, fmt.Sprintf("kill %d", round))
		if round%2 == 0 {
			s = open(t, cfg)
		}
	}
	s.cfg.SquashGrace = 0
	squashAll(t, squasherOf(t, s, func() uint64 { return p.number }))
	p.check(t, cfg, "squashing at last")
	if n := pendingKeys(t, cfg); n != text("0") {
		t.Errorf("%s keys are pending", n)
	}
}
