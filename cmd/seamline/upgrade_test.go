package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"

	consumer "github.com/seamline/seamline/consumers/kafka"
	"github.com/seamline/seamline/pipeline/state"
	"github.com/seamline/seamline/schemas"
)

// reformat makes a state directory claim another format.
func reformat(t *testing.T, dir string, format int) {
	t.Helper()
	db, err := pebble.Open(dir, &pebble.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Set([]byte("m/point"), fmt.Appendf(nil, `{"format":%d,"pipeline_id":"main","batch":3}`, format), pebble.Sync); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// asides lists what was kept of a state directory.
func asides(t *testing.T, dir string) []string {
	t.Helper()
	kept, err := filepath.Glob(dir + ".unusable-*")
	if err != nil {
		t.Fatal(err)
	}
	return kept
}

// TestEndToEndUpgrade: a state of an older format is kept aside and restored, with a word about it; one of a newer format is refused.
func TestEndToEndUpgrade(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.create()
	s.settings.StateDir = filepath.Join(t.TempDir(), "state")
	messages := streetTraffic(seeded(t), 20, 300)
	fixed := func(o *runOptions) { o.now = schemas.TimeOf(start.Add(30 * 24 * time.Hour)) }
	s.settings.Kafka.RecordsMax = 20
	s.publish(messages[:200]...)
	s.run(fixed)
	reformat(t, s.settings.StateDir, 1)
	s.publish(messages[200:]...)
	s.run(fixed)
	s.exact()
	if kept := asides(t, s.settings.StateDir); len(kept) != 1 {
		t.Errorf("kept aside: %v", kept)
	}
	whole := s.beside()
	whole.run(fixed)
	s.same(whole, "after an upgrade")

	reformat(t, s.settings.StateDir, state.Format+1)
	opt := runOptions{untilCaughtUp: true, log: s.settings.logger(testWriter{t})}
	if err := runPipeline(t.Context(), &s.settings, opt); !errors.Is(err, state.ErrNewer) || !strings.Contains(err.Error(), "use the build that wrote it") {
		t.Errorf("a newer format: got error %v", err)
	}
	if kept := asides(t, s.settings.StateDir); len(kept) != 1 {
		t.Errorf("a newer state was set aside: %v", kept)
	}
}

// TestEndToEndDamagedState: whatever file of the state is damaged, the run notices, restores, and goes on exactly.
func TestEndToEndDamagedState(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.create()
	rnd := seeded(t)
	s.settings.StateDir = filepath.Join(t.TempDir(), "state")
	s.settings.Kafka.RecordsMax, s.settings.CheckpointEvery = 10, time.Millisecond
	messages := streetTraffic(rnd, 20, 400)
	fixed := func(o *runOptions) { o.now = schemas.TimeOf(start.Add(30 * 24 * time.Hour)) }
	for round := range 4 {
		s.publish(messages[round*100 : (round+1)*100]...)
		s.run(fixed)
		files, err := filepath.Glob(filepath.Join(s.settings.StateDir, []string{"*.log", "*.sst", "MANIFEST*", "*"}[round]))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for range min(3, len(content)) {
				content[rnd.IntN(len(content))] ^= 1 << rnd.IntN(8)
			}
			if err := os.WriteFile(file, content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		t.Logf("damaged %d files", len(files))
	}
	s.run(fixed)
	s.exact()
	if kept := asides(t, s.settings.StateDir); len(kept) == 0 {
		t.Error("no damage was noticed")
	}
	whole := s.beside()
	whole.run(fixed)
	s.same(whole, "after damage")
}

// TestEndToEndStaleState: a state directory that is older than what the journal and the table commits remember is kept aside, and the
// state is restored from its newer copy.
func TestEndToEndStaleState(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.create()
	s.settings.StateDir = filepath.Join(t.TempDir(), "state")
	s.settings.Kafka.RecordsMax = 20
	messages := streetTraffic(seeded(t), 20, 300)
	fixed := func(o *runOptions) { o.now = schemas.TimeOf(start.Add(30 * 24 * time.Hour)) }
	s.publish(messages[:100]...)
	s.run(fixed)
	stale := filepath.Join(t.TempDir(), "stale")
	if err := os.CopyFS(stale, os.DirFS(s.settings.StateDir)); err != nil {
		t.Fatal(err)
	}
	next := s.one("SELECT max(batch) + 1 FROM commits")
	s.publish(messages[100:200]...)
	s.run(fixed)
	if err := consumer.DeleteUpTo(t.Context(), s.settings.Kafka, []schemas.Range{{Topic: s.settings.Kafka.Intents, To: -1}}); err != nil {
		t.Fatal(err)
	}
	s.query("ALTER TABLE commits DELETE WHERE batch = " + next + " SETTINGS mutations_sync = 2")
	s.settings.StateDir = stale
	s.publish(messages[200:]...)
	s.run(fixed)
	if kept := asides(t, stale); len(kept) != 1 {
		t.Errorf("kept aside: %v", kept)
	}
	s.expect("SELECT count() - uniqExact(source, event_id) FROM events", "0")
	whole := s.beside()
	whole.settings.StateDir = t.TempDir()
	whole.run(fixed)
	s.same(whole, "after a stale state")
}
