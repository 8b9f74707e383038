package clickhouse

import (
	"reflect"
	"strings"
	"testing"

	"github.com/seamline/seamline/schemas"
)

func TestIntentsComeBack(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	s, err := Open(t.Context(), cfg, Options{PipelineID: "main", Rules: "d1gest"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	other, err := Open(t.Context(), cfg, Options{PipelineID: "other", Rules: "another"})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	shape := &builder{Rand: random(t), events: 3, months: 1, words: 2}
	var want []schemas.Intent
	for number := range uint64(6) {
		b := shape.batch(number + 1)
		switch number {
		case 4:
			b.Ranges, b.Latest, b.Advance = nil, 0, 0 // only time passed
		case 5:
			b.Fixed, b.Rewind = true, true
		}
		want = append(want, schemas.IntentOf(b, "d1gest", nil))
		write(t, s, b)
		write(t, other, shape.batch(number+1))
	}
	// Rows that are there twice count once.
	exec(t, cfg, "INSERT INTO commits SELECT * FROM commits SETTINGS insert_deduplicate = 0, deduplicate_insert = 'disable'")
	for _, after := range []uint64{0, 1, 5, 6, 100} {
		got, err := s.Intents(t.Context(), after)
		if err != nil {
			t.Fatal(err)
		}
		if wanted := append([]schemas.Intent(nil), want[min(after, 6):]...); !reflect.DeepEqual(got, wanted) {
			t.Errorf("intents after %d:\n%+v\nwant\n%+v", after, got, wanted)
		}
	}

	exec(t, cfg, "ALTER TABLE commits DELETE WHERE batch = 3 SETTINGS mutations_sync = 2")
	if _, err := s.Intents(t.Context(), 1); err == nil || !strings.Contains(err.Error(), "lacks batch 3 of pipeline main") {
		t.Errorf("a gap gives %v", err)
	}
	if got, err := s.Intents(t.Context(), 3); err != nil || len(got) != 3 {
		t.Errorf("%d intents after the gap, %v", len(got), err)
	}
	for format, word := range map[string]string{"0": "older build", "77": "use the build that wrote it"} {
		exec(t, cfg, "ALTER TABLE commits UPDATE format = "+format+" WHERE batch = 5 SETTINGS mutations_sync = 2")
		if _, err := s.Intents(t.Context(), 3); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("format %s gives %v", format, err)
		}
	}
}

// A database of the first release gets the new columns, and its rows say that they are older.
func TestIntentsOfAnOlderBuild(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	migrateFirst(t, cfg)
	exec(t, cfg, "INSERT INTO commits (pipeline, batch, time) VALUES ('main', 1, now64(3))")
	s := open(t, cfg)
	if _, err := s.Intents(t.Context(), 0); err == nil || !strings.Contains(err.Error(), "batch 1 was written by an older build") {
		t.Errorf("a row of the first release gives %v", err)
	}
	b := s.sample()
	b.Number = 2
	write(t, s, b)
	if got, err := s.Intents(t.Context(), 1); err != nil || len(got) != 1 {
		t.Errorf("%d intents of this build, %v", len(got), err)
	}
}

func TestInstallation(t *testing.T) {
	t.Parallel()
	id := func(cfg Config) string {
		t.Helper()
		found, err := open(t, cfg).Installation(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	one, two := config(t), config(t)
	first := id(one)
	if len(first) != 36 || id(one) != first {
		t.Errorf("the id is %q and then %q, want the same UUID", first, id(one))
	}
	if id(two) == first {
		t.Error("two databases have the same id")
	}
	exec(t, one, "DROP DATABASE "+one.Database+" SYNC")
	if id(one) == first {
		t.Error("tables that were dropped and made again have the same id")
	}
	// An Ordinary database has no UUIDs.
	for _, cfg := range []Config{one, two} {
		conn, err := cfg.open()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		for _, sql := range []string{"DROP DATABASE " + cfg.Database + " SYNC", "SET allow_deprecated_database_ordinary = 1", "CREATE DATABASE " + cfg.Database + " ENGINE = Ordinary"} {
			if err := conn.Exec(t.Context(), sql); err != nil {
				t.Fatal(err)
			}
		}
	}
	if a, b := id(one), id(two); len(a) != 32 || a == b || a != id(one) {
		t.Errorf("without UUIDs the ids are %q and %q", a, b)
	}
}
