package clickhouse

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seamline/seamline/schemas"
	"github.com/seamline/seamline/schemas/tables"
)

func migrate(t testing.TB, cfg Config) {
	t.Helper()
	if err := Migrate(t.Context(), cfg, nil); err != nil {
		t.Fatal(err)
	}
}

// migrateWith migrates with other migrations than those of this build.
func migrateWith(t testing.TB, cfg Config, migrations []tables.Migration) error {
	t.Helper()
	conn, err := cfg.open()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	m := migrator{cfg: cfg, conn: conn, log: slog.New(slog.DiscardHandler), migrations: migrations}
	return m.run(t.Context())
}

// migrateFirst makes a database as the first release left it.
func migrateFirst(t testing.TB, cfg Config) {
	t.Helper()
	conn, err := cfg.open()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	m := migrator{cfg: cfg, conn: conn, log: slog.New(slog.DiscardHandler)}
	if err := errors.Join(m.createDatabase(t.Context()), m.exec(t.Context(), tables.History()), m.apply(t.Context(), tables.Migrations()[0])); err != nil {
		t.Fatal(err)
	}
}

// schema is everything that migrations may change.
func schema(t testing.TB, cfg Config) []row {
	t.Helper()
	return append(read(t, cfg, "SELECT name, create_table_query FROM system.tables WHERE database = '"+cfg.Database+"'"),
		read(t, cfg, "SELECT * FROM schema_migrations")...)
}

func TestMigrateAgainChangesNothing(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	migrate(t, cfg)
	before := fmt.Sprint(schema(t, cfg))
	migrate(t, cfg)
	if after := fmt.Sprint(schema(t, cfg)); after != before {
		t.Errorf("the second time changed the schema:\n%s\nwas\n%s", after, before)
	}
}

func TestMigrateConcurrently(t *testing.T) {
	t.Parallel()
	for round := range 3 {
		cfg := config(t)
		exec(t, cfg, "DROP DATABASE "+cfg.Database+" SYNC")
		cfg.Retention.EventsDays = retentionDaysMax
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				if err := Migrate(t.Context(), cfg, nil); err != nil {
					t.Errorf("round %d: %v", round, err)
				}
			})
		}
		all.Wait()
		if got := one(t, cfg, "SELECT toString(count()) || ' ' || toString(max(version)) FROM schema_migrations FINAL"); got != text("5 5") {
			t.Errorf("schema_migrations holds %s", got)
		}
		s := open(t, cfg)
		write(t, s, s.sample())
		if n := one(t, cfg, "SELECT count() FROM events_resolved"); n != "1" {
			t.Errorf("%s events after concurrent migrations, want 1", n)
		}
	}
}

func TestMigrateHalfDone(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	// A process was killed in the middle of the first migration.
	half := tables.Migrations()[0].Statements[:6]
	for _, s := range half {
		exec(t, cfg, s.Fill(cfg.values()))
	}
	migrate(t, cfg)
	whole := config(t)
	migrate(t, whole)
	names := func(c Config) string {
		return one(t, c, "SELECT toString(count()) || ': ' || arrayStringConcat(arraySort(groupArray(name)), ', ') FROM system.tables WHERE database = '"+c.Database+"'")
	}
	if got, want := names(cfg), names(whole); got != want || !strings.Contains(want, "contacts_clear") {
		t.Errorf("after a migration that was cut short there are %s; otherwise %s", got, want)
	}
}

func TestLaterMigration(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	migrate(t, cfg)
	later := append(tables.Migrations(), tables.Migration{Version: 6, Name: "notes", Statements: []tables.Statement{
		{Name: "add_note", SQL: "ALTER TABLE {database}.profiles {on_cluster} ADD COLUMN IF NOT EXISTS note String COMMENT 'A note'"}}})
	for range 2 {
		if err := migrateWith(t, cfg, later); err != nil {
			t.Fatal(err)
		}
	}
	if got := one(t, cfg, "SELECT groupConcat(',')(name) FROM (SELECT name FROM schema_migrations FINAL ORDER BY version)"); got != text("initial,replay,identity,scoring,audiences,notes") {
		t.Errorf("migrations applied: %s", got)
	}
	if got := one(t, cfg, "SELECT comment FROM system.columns WHERE database = '"+cfg.Database+"' AND table = 'profiles' AND name = 'note'"); got != text("A note") {
		t.Errorf("the new column's comment is %s", got)
	}

	// An older build comes back.
	err := Migrate(t.Context(), cfg, nil)
	if !errors.Is(err, schemas.ErrFatal) || !strings.Contains(err.Error(), "newer build") || !strings.Contains(err.Error(), "version 6 (notes)") {
		t.Errorf("an older build gets %v", err)
	}
	begun := time.Now()
	if _, err := Open(t.Context(), cfg, Options{PipelineID: "main"}); !errors.Is(err, schemas.ErrFatal) {
		t.Errorf("Open of an older build gives %v", err)
	}
	if took := time.Since(begun); took > 30*time.Second {
		t.Errorf("Open waited %s for a database that no waiting changes", took)
	}

	// Somebody edited a migration that was applied.
	later[5].Statements[0].SQL += " "
	err = migrateWith(t, cfg, later)
	if !errors.Is(err, schemas.ErrFatal) || !strings.Contains(err.Error(), "migration 6 (notes) was applied as another text") {
		t.Errorf("an edited migration gives %v", err)
	}
}

func TestRetention(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	cfg.Retention = Retention{EventsDays: 30, OrderLinesDays: 31, IdentityLogDays: 32, AudienceChangesDays: 33, DeadLettersDays: 34, CommitsDays: 35,
		JourneyChangesDays: 36, ConsentsDays: 37, SurveyAnswersDays: 38}
	s := open(t, cfg)
	ttl := func() map[string]string {
		found := map[string]string{}
		for _, r := range read(t, cfg, "SELECT name, extract(engine_full, 'TTL (.*) SETTINGS') AS ttl FROM system.tables WHERE database = '"+cfg.Database+"' AND engine LIKE '%MergeTree' AND engine_full LIKE '% TTL %'") {
			found[strings.Trim(r["name"], `"`)] = strings.Trim(r["ttl"], `"`)
		}
		return found
	}
	for table, want := range map[string]string{"events": "toDateTime(event_time) + toIntervalDay(30)", "order_lines": "toDateTime(time) + toIntervalDay(31)",
		"identity_log": "toDateTime(time) + toIntervalDay(32)", "audience_changes": "toDateTime(time) + toIntervalDay(33)",
		"dead_letters": "toDateTime(time) + toIntervalDay(34)", "commits": "toDateTime(time) + toIntervalDay(35)",
		"journey_changes": "toDateTime(time) + toIntervalDay(36)", "consents": "toDateTime(time) + toIntervalDay(37)", "survey_answers": "toDateTime(time) + toIntervalDay(38)"} {
		if got := ttl()[table]; got != want {
			t.Errorf("%s is kept for %q, want %q", table, got, want)
		}
	}
	now := schemas.TimeOf(time.Now())
	write(t, s, &schemas.Batch{Number: 1, Now: now, Events: []*schemas.Event{event("old", now-31*schemas.Day, schemas.TypeCustom, id(1)),
		event("new", now-29*schemas.Day, schemas.TypeCustom, id(1))}})
	exec(t, cfg, "OPTIMIZE TABLE events FINAL")
	if got := one(t, cfg, "SELECT groupConcat(',')(event_id) FROM events"); got != text("new") {
		t.Errorf("events left: %s, want only the new one", got)
	}

	cfg.Retention = Retention{EventsDays: 60}
	migrate(t, cfg)
	if got := fmt.Sprint(ttl()); got != "map[events:toDateTime(event_time) + toIntervalDay(60)]" {
		t.Errorf("after a change of settings: %s", got)
	}
	mutations := "SELECT count() FROM system.mutations WHERE database = '" + cfg.Database + "'"
	before := one(t, cfg, mutations)
	migrate(t, cfg)
	if after := one(t, cfg, mutations); after != before {
		t.Errorf("the same retention again started a mutation")
	}
	cfg.Retention = Retention{}
	migrate(t, cfg)
	if got := ttl(); len(got) != 0 {
		t.Errorf("kept for ever, but there is a TTL: %v", got)
	}
}

// The engine here forms no cluster; it can at least read what a cluster would be told.
func TestStatementsForAClusterParse(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	cfg.Cluster, cfg.User, cfg.Password = "shop", "writer", `it's \secret`
	values := cfg.values()
	cfg.User, cfg.Password = "default", ""
	all := []tables.Statement{tables.History()}
	for _, m := range tables.Migrations() {
		all = append(all, m.Statements...)
	}
	for _, s := range all {
		sql := s.Fill(values)
		if strings.ContainsAny(strings.ReplaceAll(sql, "Map(", ""), "{}") {
			t.Errorf("%s has a place that nobody fills:\n%s", s.Name, sql)
		}
		if !strings.Contains(sql, "ON CLUSTER `shop`") {
			t.Errorf("%s is not for the cluster", s.Name)
		}
		if strings.Contains(sql, "MergeTree") && !strings.Contains(sql, "ReplicatedReplacingMergeTree") {
			t.Errorf("%s is not replicated", s.Name)
		}
		read(t, cfg, "EXPLAIN AST "+sql)
	}
}
