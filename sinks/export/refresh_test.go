package export

import (
	"os"
	"strings"
	"testing"
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
