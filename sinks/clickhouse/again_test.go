package clickhouse

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/seamline/seamline/deploy/local"
	"github.com/seamline/seamline/deploy/local/localtest"
	"github.com/seamline/seamline/schemas"
)

// counts gives the rows of every table, with and without FINAL.
func counts(t testing.TB, cfg Config, s *Sink) (raw, final map[string]string) {
	t.Helper()
	raw, final = map[string]string{}, map[string]string{}
	for _, table := range append(s.tables[:len(s.tables):len(s.tables)], s.commits) {
		raw[table.name()] = one(t, cfg, "SELECT count() FROM "+table.name())
		final[table.name()] = one(t, cfg, "SELECT count() FROM "+table.name()+" FINAL")
	}
	return raw, final
}

// counted reads a counter.
func counted(t testing.TB, c prometheus.Counter) float64 {
	t.Helper()
	var m dto.Metric
	if err := c.Write(&m); err != nil {
		t.Fatal(err)
	}
	return m.GetCounter().GetValue()
}

func TestWritingAgainChangesNothing(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	s := open(t, cfg)
	b := (&builder{Rand: random(t), events: 300, months: 2, words: 4}).batch(7)
	write(t, s, b)
	want := map[string][]row{}
	for _, table := range s.tables {
		want[table.name()] = stored(t, cfg, table.name())
	}
	rawBefore, _ := counts(t, cfg, s)
	b.Took[0].Nanos += 5_000_000 // a replay takes another time
	write(t, s, b)
	raw, _ := counts(t, cfg, s)
	for table, n := range raw {
		if n != rawBefore[table] {
			t.Errorf("%s has %s rows without FINAL after the second write, want %s", table, n, rawBefore[table])
		}
	}
	months := one(t, cfg, "SELECT uniqExact(toYYYYMM(event_time)) FROM events")
	if n := counted(t, s.metrics.duplicates.WithLabelValues("events")); fmt.Sprint(n) != months {
		t.Errorf("%v duplicate blocks of events counted, want one for each of %s months", n, months)
	}
	// Tokens do not help where the server forgot them: then the keys do.
	other, err := Open(t.Context(), cfg, Options{PipelineID: "another"})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	write(t, other, b)
	raw, final := counts(t, cfg, s)
	if raw["events"] == final["events"] {
		t.Error("another pipeline's rows were dropped as duplicates, so that this test shows nothing")
	}
	for _, table := range s.tables {
		same(t, table.name(), stored(t, cfg, table.name()), want[table.name()])
	}
}

func TestSameNumberOtherContentIsNoDuplicate(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	s := open(t, cfg)
	b := s.sample()
	write(t, s, b)
	// A line that starts over, under other rules, numbers its batches from 1 again.
	b.Memberships[0].Member, b.Profiles[0].Orders = true, 3
	write(t, s, b)
	if got := one(t, cfg, "SELECT member FROM audience_members FINAL"); got != "true" {
		t.Errorf("member is %s, want the newer row", got)
	}
	if got := one(t, cfg, "SELECT orders FROM profiles FINAL"); got != "3" {
		t.Errorf("orders is %s, want the newer row", got)
	}
}

// A server that was killed between noting a token and storing the rows takes the retry for a duplicate.
func TestLostRowsBehindTokensAreSentAgain(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	s := open(t, cfg)
	b := (&builder{Rand: random(t), events: 50, months: 1, words: 4}).batch(1)
	for round := range attemptsMax + 2 {
		write(t, s, b)
		same(t, fmt.Sprintf("events in round %d", round), stored(t, cfg, "events"), expected(b)["events"])
		same(t, fmt.Sprintf("profiles in round %d", round), stored(t, cfg, "profiles"), expected(b)["profiles"])
		for _, table := range []string{"events", "profiles"} {
			// A mutation keeps the tokens.
			exec(t, cfg, "ALTER TABLE "+table+" DELETE WHERE 1 SETTINGS mutations_sync = 2")
		}
	}
}

func TestCommitComesLast(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	s := open(t, cfg)
	exec(t, cfg, "RENAME TABLE audience_changes TO hidden")
	err := s.Write(t.Context(), s.sample())
	if !errors.Is(err, schemas.ErrFatal) || !strings.Contains(err.Error(), "audience_changes") {
		t.Errorf("a missing table gives %v, want a fatal error that names it", err)
	}
	if n := one(t, cfg, "SELECT count() FROM commits"); n != "0" {
		t.Errorf("%s commits of a batch that is not whole", n)
	}
	exec(t, cfg, "RENAME TABLE hidden TO audience_changes")
	write(t, s, s.sample())
	if n := one(t, cfg, "SELECT count() FROM commits"); n != "1" {
		t.Errorf("%s commits, want 1", n)
	}
}

func exec(t testing.TB, cfg Config, sql string) {
	t.Helper()
	conn, err := cfg.open()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := errors.Join(conn.Exec(t.Context(), "USE "+cfg.Database), conn.Exec(t.Context(), sql)); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func TestClassesOfErrors(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	s := open(t, cfg)
	b := (&builder{Rand: random(t), events: 20, months: 1, words: 4}).batch(1)

	exec(t, cfg, "ALTER TABLE profiles DROP COLUMN sessions")
	if err := s.Write(t.Context(), b); !errors.Is(err, schemas.ErrFatal) {
		t.Errorf("a missing column gives %v, want a fatal error", err)
	}
	exec(t, cfg, "ALTER TABLE profiles ADD COLUMN sessions UInt32")
	exec(t, cfg, "ALTER TABLE profiles MODIFY SETTING parts_to_delay_insert = 1, parts_to_throw_insert = 1")
	exec(t, cfg, "SYSTEM STOP MERGES "+cfg.Database+".profiles")
	for number := uint64(1); ; number++ {
		b := (&builder{Rand: random(t), events: 20, months: 1, words: 4}).batch(number)
		err := s.Write(t.Context(), b)
		if err != nil {
			if errors.Is(err, schemas.ErrFatal) || !strings.Contains(err.Error(), "TOO_MANY_PARTS") {
				t.Errorf("too many parts give %v, want an error worth a retry", err)
			}
			break
		}
		if number == 10 {
			t.Fatal("the server takes any number of parts")
		}
	}
	exec(t, cfg, "ALTER TABLE profiles RESET SETTING parts_to_delay_insert, parts_to_throw_insert")
	write(t, s, b)

	ended, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("told to stop"))
	if err := s.Write(ended, b); err == nil || errors.Is(err, schemas.ErrFatal) || !strings.Contains(err.Error(), "told to stop") {
		t.Errorf("an ended context gives %v", err)
	}
	write(t, s, b)
}

// ownServer starts a server that a test may kill.
func ownServer(t testing.TB, dir string) *local.ClickHouse {
	t.Helper()
	localtest.ClickHouse(t) // so that the engine is there
	c, err := local.StartClickHouse(t.Context(), local.ClickHouseConfig{DataDir: dir, MemoryMaxBytes: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func TestServerKilledWhileWriting(t *testing.T) {
	t.Parallel()
	server := ownServer(t, "")
	cfg := DefaultConfig()
	cfg.Addr = server.Addr()
	s := open(t, cfg)
	const kills, batches = 4, 40
	done := make(chan error, 1)
	r := random(t)
	pauses := make([]time.Duration, kills)
	for i := range pauses {
		pauses[i] = time.Duration(20+r.IntN(150)) * time.Millisecond
	}
	shape := &builder{Rand: r, events: 400, months: 2, words: 20}
	var all []*schemas.Batch
	for number := range uint64(batches) {
		all = append(all, shape.batch(number+1))
	}
	failures := 0
	go func() {
		for i := 0; i < batches; {
			err := s.Write(context.Background(), all[i])
			switch {
			case errors.Is(err, schemas.ErrFatal):
				done <- err
				return
			case err != nil:
				failures++
				time.Sleep(20 * time.Millisecond)
			default:
				i++
			}
		}
		done <- nil
	}()
	for _, pause := range pauses {
		time.Sleep(pause)
		if err := server.Kill(); err != nil {
			t.Error(err)
		}
		if err := server.Restart(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if failures == 0 {
		t.Error("no write failed, so that this test shows nothing")
	}
	want := map[string][]row{}
	for _, b := range all {
		for table, rows := range expected(b) {
			want[table] = append(want[table], rows...)
		}
	}
	for _, table := range s.tables {
		same(t, table.name(), stored(t, cfg, table.name()), want[table.name()])
		if n := one(t, cfg, "SELECT count() FROM "+table.name()); n != fmt.Sprint(len(want[table.name()])) {
			t.Errorf("%s has %s rows without FINAL, want %d", table.name(), n, len(want[table.name()]))
		}
	}
	if n := one(t, cfg, "SELECT count() FROM commits FINAL"); n != fmt.Sprint(batches) {
		t.Errorf("%s commits, want %d", n, batches)
	}
	t.Logf("%d writes failed, %v blocks were sent twice", failures, counted(t, s.metrics.duplicates.WithLabelValues("events")))
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	s := open(t, config(t))
	write(t, s, s.sampleOfAll())
	for _, table := range append(s.tables[:len(s.tables):len(s.tables)], s.commits) {
		want := 1.0
		if table.name() == "events" {
			want = 3
		}
		if n := counted(t, s.metrics.rows.WithLabelValues(table.name())); n != want {
			t.Errorf("%v rows of %s counted, want %v", n, table.name(), want)
		}
	}
	for name, c := range map[string]prometheus.Collector{"histograms": s.metrics.seconds, "counters of duplicates": s.metrics.duplicates} {
		found := make(chan prometheus.Metric, 100)
		c.Collect(found)
		if len(found) != len(keys) {
			t.Errorf("%d %s, want one per table from the start", len(found), name)
		}
	}
}

func TestOpenRefusesNonsense(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"", " ", "a/b"} {
		if _, err := Open(t.Context(), DefaultConfig(), Options{PipelineID: id, Log: slog.Default()}); err == nil || !strings.Contains(err.Error(), "pipeline.id") {
			t.Errorf("pipeline %q gives %v", id, err)
		}
	}
	cfg := DefaultConfig()
	cfg.Addr = ""
	if _, err := Open(t.Context(), cfg, Options{PipelineID: "main"}); err == nil || !strings.Contains(err.Error(), "clickhouse.addr") {
		t.Errorf("no address gives %v", err)
	}
}

func TestSortByTime(t *testing.T) {
	t.Parallel()
	r := random(t)
	for _, span := range []int64{1, 3, 1 << 11, 1 << 22, 1 << 40, 1 << 62} {
		for _, n := range []int{0, 1, 2, 1000} {
			var keys []eventKey
			for i := range n {
				keys = append(keys, eventKey{schemas.Time(r.Int64N(span) - span/2), i})
			}
			want := slices.Clone(keys)
			slices.SortStableFunc(want, func(a, b eventKey) int { return cmp.Compare(a.time, b.time) })
			if got, _ := sortByTime(keys, make([]eventKey, n)); !slices.Equal(got, want) {
				t.Errorf("%d keys over a span of %d are out of order", n, span)
			}
		}
	}
}
