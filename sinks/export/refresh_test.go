package export

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func lines(text string) int { return strings.Count(text, "\n") }

func TestListFollowsTheAudience(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.people(0, 50, "DE", grantedAll)
	w.audience("lapsed", 0)
	w.enter("lapsed", numbers(0, 20))
	w.commit()
	x, l := w.exporter(), List{"lapsed", "generic"}
	w.refresh(x, l)
	if got := w.list(x, l, FormatCSV); lines(got) != 21 || !strings.HasPrefix(got, "profile_id,email_sha256,phone_sha256,mobile_id,country\n") {
		t.Errorf("got\n%s", got)
	}
	w.enter("lapsed", numbers(20, 25))
	w.exit("lapsed", numbers(0, 3))
	w.commit()
	w.refresh(x, l)
	if got := w.list(x, l, FormatCSV); lines(got) != 23 {
		t.Errorf("got\n%s", got)
	}
	if got := w.query("SELECT groupArray((op, n)) FROM (SELECT op, count() AS n FROM export_changes WHERE snapshot = (SELECT argMax(snapshot, number) FROM export_snapshots) GROUP BY op ORDER BY op)"); got != "add 5] [remove 3" {
		t.Errorf("changes %s", got)
	}
	before := w.list(x, l, FormatCSV)
	w.refresh(x, l)
	if got := w.query("SELECT max(number), min(first), max(sequence) FROM export_snapshots"); got != "2 1 28" {
		t.Errorf("nothing changed, and the ledger is at %s", got)
	}
	// Rows of people who were erased may go, once they are off the list.
	w.exec("ALTER TABLE export_changes DELETE WHERE profile_id IN (SELECT profile_id FROM audience_members FINAL WHERE NOT member) SETTINGS mutations_sync = 2")
	if got := w.query("SELECT count() FROM export_changes"); got != "22" {
		t.Errorf("%s changes are left, want 22", got)
	}
	// A machine without the files makes the same bytes of the ledger.
	w.cfg.Dir += "-other"
	y := w.exporter()
	w.refresh(y, l)
	if got := w.list(y, l, FormatCSV); got != before {
		t.Errorf("the ledger gives\n%s\nwant\n%s", got, before)
	}
	if got := w.query("SELECT count() FROM export_snapshots FINAL"); got != "2" {
		t.Errorf("%s snapshots, want 2", got)
	}
	if _, err := os.Stat(w.cfg.Dir); err != nil {
		t.Error(err)
	}
}

// TestLastModifiedGrows by whole seconds, however soon lists follow each other.
func TestLastModifiedGrows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.people(0, 9, "US", grantedAll)
	w.audience("lapsed", 0)
	x, l := w.exporter(), List{"lapsed", "generic"}
	last := w.now.Add(-time.Hour)
	for n := range 3 {
		w.enter("lapsed", numbers(n, n+1))
		w.commit()
		if err := x.Refresh(t.Context(), []List{l}); err != nil {
			t.Fatal(err)
		}
		s, err := x.Standing(t.Context(), l)
		if err != nil {
			t.Fatal(err)
		}
		if at := s.Time.Truncate(time.Second); !at.After(last) || s.Number != uint64(n+1) {
			t.Errorf("list %d is of %s, and the one before it of %s", s.Number, at, last)
		} else {
			last = at
		}
	}
}

// TestAPlatformOfIdsOnly needs no contact data.
func TestAPlatformOfIdsOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.cfg.Platforms = filepath.Join(t.TempDir(), "platforms.yaml")
	text := "ids:\n  checked_on: 2026-09-21\n  rows: person\n  encoding: hex\n  anchors: [profile_id]\n  formats: [csv]\n  columns:\n    - {name: id, key: profile_id, form: clear}\n"
	if err := os.WriteFile(w.cfg.Platforms, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	w.people(0, 9, "US", grantedAll)
	w.audience("lapsed", 0)
	w.enter("lapsed", numbers(0, 9))
	w.commit()
	x, l := w.exporter(), List{"lapsed", "ids"}
	w.refresh(x, l)
	if got := lines(w.list(x, l, FormatCSV)); got != 9 {
		t.Errorf("%d lines", got)
	}
}

// TestKeysThatDoNotFit are not counted as there.
func TestKeysThatDoNotFit(t *testing.T) {
	t.Parallel()
	p := &Platform{Name: "own", CheckedOn: "2026-09-21", Rows: RowsPerson, Encoding: "hex", Anchors: []string{"email"}, Formats: []string{FormatCSV},
		Columns: []Column{{Name: "email", Key: "email", Form: FormPlain}, {Name: "city", Key: "city", Form: FormPlain}}}
	if err := p.prepare(); err != nil {
		t.Fatal(err)
	}
	told := []contact{{kind: kindEmail, plain: [32]byte{1}}, {kind: kindEmail, plain: [32]byte{2}, identifier: 1}, {kind: kindCity, plain: [32]byte{3}}}
	for room, want := range []kindSet{0, 1 << kindEmail, 1 << kindEmail, 1<<kindEmail | 1<<kindCity} {
		if chosen, present := p.pick(told, make([]int, 0, room)); present != want || len(chosen) != room {
			t.Errorf("with room for %d: %d are chosen, of kinds %b, want %b", room, len(chosen), present, want)
		}
	}
}
