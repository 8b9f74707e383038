package export

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// replayed folds a list's changes as a platform does, and fails where they do not fit: an addition of who is on it, a removal with other keys.
func (w *world) replayed(x *Exporter, l List, limit int) []string {
	w.t.Helper()
	on, since, last := map[string]int{}, "", uint64(0)
	for {
		page, err := x.Changes(w.t.Context(), l, since, limit)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, c := range page.Changes {
			if c.Sequence != last+1 {
				w.t.Fatalf("change %d follows %d", c.Sequence, last)
			}
			last = c.Sequence
			switch c.Op {
			case opAdd:
				on[string(c.Keys)]++
			case opRemove:
				if on[string(c.Keys)]--; on[string(c.Keys)] < 0 {
					w.t.Fatalf("change %d removes keys that nobody added: %s", c.Sequence, c.Keys)
				}
			}
		}
		since = page.Next
		if !page.More {
			break
		}
	}
	var keys []string
	for k, n := range on {
		for range n {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys
}

// agree fails where the list and its ledger do not say the same.
func (w *world) agree(x *Exporter, l List) {
	w.t.Helper()
	file := strings.Split(strings.TrimSuffix(w.list(x, l, FormatNDJSON), "\n"), "\n")
	if file[0] == "" {
		file = nil
	}
	slices.Sort(file)
	if got := w.replayed(x, l, 7); !slices.Equal(got, file) {
		w.t.Errorf("the ledger gives\n%s\nand the list\n%s", strings.Join(got, "\n"), strings.Join(file, "\n"))
	}
}

func TestAListIsAsOfACommittedBatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.people(0, 40, "DE", grantedAll)
	w.audience("lapsed", 0)
	w.enter("lapsed", numbers(0, 20))
	w.commit()
	x, l := w.exporter(), List{"lapsed", "generic"}
	w.refresh(x, l)
	before := w.list(x, l, FormatCSV)
	// Two batches are written and none is committed: people enter, leave, and come back.
	w.enter("lapsed", numbers(20, 30))
	w.exit("lapsed", numbers(0, 10))
	w.batch++
	w.enter("lapsed", numbers(0, 2))
	w.exit("lapsed", numbers(20, 22))
	w.batch--
	done := make(chan error, 1)
	go func() { done <- x.Refresh(context.WithoutCancel(t.Context()), []List{l}) }()
	select {
	case err := <-done:
		t.Fatalf("the list did not wait for a batch that is seen in part: %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	w.commit() // both: what was begun stays as of the batch before
	w.commit()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got := w.list(x, l, FormatCSV); got != before {
		t.Errorf("the list shows a batch that was not committed when it was begun:\n%s", got)
	}
	w.refresh(x, l)
	if got := w.list(x, l, FormatCSV); lines(got) != 1+20+10-10+2-2 {
		t.Errorf("got\n%s", got)
	}
	w.agree(x, l)
}

func TestABatchWithMembersAndNoChangesIsWaitedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.people(0, 10, "DE", grantedAll)
	w.audience("lapsed", 0)
	w.enter("lapsed", numbers(0, 5))
	w.commit()
	x, l := w.exporter(), List{"lapsed", "generic"}
	w.members("lapsed", numbers(0, 3), 0) // the other half comes later
	done := make(chan error, 1)
	go func() { done <- x.Refresh(context.WithoutCancel(t.Context()), []List{l}) }()
	time.Sleep(200 * time.Millisecond)
	w.changes("lapsed", numbers(0, 3), 0)
	w.commit()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got := w.list(x, l, FormatCSV); lines(got) != 6 {
		t.Errorf("got\n%s", got)
	}
}

func TestARemovalHasTheKeysThatWereAdded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.people(0, 3, "US", grantedAll)
	w.audience("lapsed", 0)
	w.enter("lapsed", numbers(0, 3))
	w.commit()
	x, l := w.exporter(), List{"lapsed", "meta"}
	x.platforms["meta"].MinSize = 0
	w.refresh(x, l)
	before, err := x.Changes(t.Context(), l, "", 100)
	if err != nil {
		t.Fatal(err)
	}
	// The person gets a second address, then leaves while the first one goes to somebody else.
	w.exec("INSERT INTO identifiers (identifier_id, namespace, profile_id, class, _batch) SELECT 100, 'email', %s, 'personal', 5 FROM (SELECT 0 AS n)", profileID)
	w.exec("INSERT INTO contacts (identifier_id, kind, time, plain, _batch) SELECT 100, 'email', now64(3), SHA256('second-0@example.com'), 5")
	w.refresh(x, l)
	w.exec("INSERT INTO identifiers (identifier_id, namespace, profile_id, class, _batch) SELECT 0, 'email', %s, 'personal', 6 FROM (SELECT 1 AS n)", profileID)
	w.exit("lapsed", "SELECT 0 AS n")
	w.commit()
	w.refresh(x, l)
	after, err := x.Changes(t.Context(), l, before.Next, 100)
	if err != nil {
		t.Fatal(err)
	}
	var ops []string
	for _, c := range after.Changes {
		var keys map[string]any
		if err := json.Unmarshal(c.Keys, &keys); err != nil {
			t.Fatal(err)
		}
		ops = append(ops, fmt.Sprint(c.Op, " ", len(keys["email"].([]any))))
	}
	if got := strings.Join(ops, ", "); got != "remove 1, add 2, remove 1, remove 2, add 2" && got != "remove 1, add 2, remove 2, remove 1, add 2" {
		t.Errorf("changes are %s", got)
	}
	w.agree(x, l)
	if len(before.Changes) != 3 {
		t.Errorf("%d people were added, want 3", len(before.Changes))
	}
}

func TestAListThatIsTooSmallIsNotGivenOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.people(0, 120, "US", grantedAll)
	w.audience("lapsed", 0)
	w.audience("vip", 110)
	w.enter("lapsed", numbers(0, 99))
	w.enter("vip", numbers(0, 105))
	w.commit()
	x, l, vip := w.exporter(), List{"lapsed", "google"}, List{"vip", "google"}
	w.refresh(x, l, vip)
	if got := w.list(x, l, FormatCSV); got != ErrTooSmall.Error() {
		t.Errorf("99 people for google, who want 100: %.200s", got)
	}
	if got := w.list(x, vip, FormatCSV); got != ErrTooSmall.Error() {
		t.Errorf("105 people of an audience that wants 110: %.200s", got)
	}
	if got := w.query("SELECT count() FROM export_changes"); got != "0" {
		t.Errorf("%s changes of lists that nobody saw", got)
	}
	w.enter("lapsed", numbers(99, 101))
	w.commit()
	w.refresh(x, l)
	if got := w.list(x, l, FormatCSV); lines(got) != 102 {
		t.Errorf("101 people:\n%.200s", got)
	}
	page, err := x.Changes(t.Context(), l, "", 1000)
	if err != nil || len(page.Changes) != 101 {
		t.Fatalf("%d changes: %v", len(page.Changes), err)
	}
	w.exit("lapsed", numbers(0, 2))
	w.commit()
	w.refresh(x, l)
	if _, err := x.Changes(t.Context(), l, "", 1000); !errors.Is(err, ErrTooSmall) {
		t.Errorf("from the beginning: %v", err)
	}
	page, err = x.Changes(t.Context(), l, page.Next, 1000)
	if err != nil || len(page.Changes) != 101 || page.Changes[0].Op != opRemove || page.Changes[100].Op != opRemove {
		t.Errorf("whoever has the list is told to remove %d people: %v", len(page.Changes), err)
	}
}

// TestACrashAtAnyStep: whatever was done before, the next run ends with a list and a ledger that agree, and nobody is lost or added twice.
func TestACrashAtAnyStep(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.people(0, 60, "US", grantedAll)
	w.audience("lapsed", 0)
	w.enter("lapsed", numbers(0, 10))
	w.commit()
	l, crash, next := List{"lapsed", "generic"}, errors.New("crash"), 10
	w.refresh(w.exporter(), l)
	for _, step := range []string{"prepared", "read", "written", "kept", "committed"} {
		w.enter("lapsed", numbers(next, next+3))
		w.exit("lapsed", numbers(next-10, next-8))
		w.commit()
		next += 3
		x := w.exporter()
		x.step = func(name string) error {
			if name == step {
				return crash
			}
			return nil
		}
		w.now = w.now.Add(time.Minute)
		if err := x.Refresh(t.Context(), []List{l}); !errors.Is(err, crash) {
			t.Fatalf("%s: %v", step, err)
		}
		y := w.exporter() // a new process
		w.refresh(y, l)
		w.agree(y, l)
		if got, want := lines(w.list(y, l, FormatCSV)), 1+int(wantMembers(w)); got != want {
			t.Errorf("%s: %d lines, want %d", step, got, want)
		}
	}
	if got := w.query("SELECT count() - max(number), min(number) FROM export_snapshots FINAL"); got != "0 1" {
		t.Errorf("snapshots have gaps: %s", got)
	}
	if got := w.query("SELECT countIf(snapshot NOT IN (SELECT snapshot FROM export_snapshots)) > 0 FROM export_changes"); got != "1" && got != "true" {
		t.Errorf("no crash left rows behind, so that this test shows nothing: %s", got)
	}
}

func wantMembers(w *world) (n uint64) {
	_, _ = fmt.Sscan(w.query("SELECT countIf(member) FROM audience_members FINAL"), &n)
	return n
}

// TestACutInTheLedger: the connection breaks in the middle of an insert, at several places.
func TestACutInTheLedger(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const people = 45_000 // more than two blocks
	w.people(0, people, "US", grantedAll)
	w.audience("lapsed", 0)
	w.enter("lapsed", numbers(0, people))
	w.commit()
	l := List{"lapsed", "generic"}
	for _, after := range []time.Duration{20, 60, 120, 200, 300, 450} {
		ctx, cancel := context.WithTimeout(t.Context(), after*time.Millisecond)
		_ = w.exporter().Refresh(ctx, []List{l}) // it may have been quick enough
		cancel()
	}
	x := w.exporter()
	if err := x.Refresh(t.Context(), []List{l}); errors.Is(err, errOvertaken) { // the server went on with a commit whose caller had gone
		w.refresh(x, l)
	} else if err != nil {
		t.Fatal(err)
	}
	if got := lines(w.list(x, l, FormatCSV)); got != people+1 {
		t.Errorf("%d lines", got)
	}
	if got := len(w.replayed(x, l, ChangesMax)); got != people {
		t.Errorf("the ledger has %d people", got)
	}
}

func TestCursors(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.people(0, 30, "US", grantedAll)
	w.audience("lapsed", 0)
	w.audience("other", 0)
	w.enter("lapsed", numbers(0, 10))
	w.commit()
	x, l := w.exporter(), List{"lapsed", "generic"}
	w.refresh(x, l, List{"other", "generic"})
	first, err := x.Changes(t.Context(), l, "", 4)
	if err != nil || len(first.Changes) != 4 || !first.More || first.Snapshot != 1 {
		t.Fatalf("got %+v: %v", first, err)
	}
	f := func(list List, since string, want error) {
		t.Helper()
		if _, err := x.Changes(t.Context(), list, since, 4); !errors.Is(err, want) {
			t.Errorf("%s since %q: %v, want %v", list, since, err, want)
		}
	}
	f(l, first.Next, nil)
	f(List{"other", "generic"}, first.Next, ErrCursor)
	f(l, first.Next[:10], ErrCursor)
	f(l, "B"+first.Next[1:], ErrCursor)
	f(l, first.Next[:len(first.Next)-2]+"AA", ErrCursor)
	f(List{"nothing", "generic"}, "", ErrUnknown)
	w.exec("INSERT INTO audiences (audience, holdout_of, active) SELECT 'held_out', 'lapsed', true")
	w.enter("held_out", numbers(20, 30))
	w.commit()
	w.now = w.now.Add(time.Minute) // sizes are read again
	f(List{"held_out", "generic"}, "", ErrUnknown)
	f(List{"lapsed", "nowhere"}, "", ErrUnknown)
	f(List{"../lapsed", "generic"}, "", ErrUnknown)
	s, err := x.Standing(t.Context(), l)
	if err != nil {
		t.Fatal(err)
	}
	other := cursor{sequence: 10, snapshot: [cursorID]byte{1, 2, 3}}
	f(l, x.seal(l, other), ErrGone)                // of a ledger that is gone
	f(l, x.seal(l, cursor{sequence: 10}), ErrGone) // the same
	other.sequence, other.snapshot = 11, [cursorID]byte(s.ID[:cursorID])
	f(l, x.seal(l, other), ErrGone)
	behind := x.Cursor(s)
	f(l, behind, nil)
	// Ninety days later, and one change: the first ten are too old, the cursor behind them is not.
	w.now = w.now.Add(91 * 24 * time.Hour)
	w.enter("lapsed", numbers(10, 11))
	w.commit()
	w.refresh(x, l)
	f(l, "", ErrGone)
	f(l, first.Next, ErrGone)
	page, err := x.Changes(t.Context(), l, behind, 4)
	if err != nil || len(page.Changes) != 1 || page.More {
		t.Errorf("got %+v: %v", page, err)
	}
	if s, err = x.Standing(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	if page, err = x.Changes(t.Context(), l, x.Cursor(s), 4); err != nil || len(page.Changes) != 0 || page.More {
		t.Errorf("behind the whole list: %+v: %v", page, err)
	}
}

// TestCursorsOfAReplacedLedger: a backup brings back an older ledger, which goes on with other changes under the numbers that somebody has seen.
func TestCursorsOfAReplacedLedger(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.people(0, 30, "US", grantedAll)
	w.audience("lapsed", 0)
	w.enter("lapsed", numbers(0, 10))
	w.commit()
	x, l := w.exporter(), List{"lapsed", "generic"}
	w.refresh(x, l)
	s, err := x.Standing(t.Context(), l)
	if err != nil {
		t.Fatal(err)
	}
	old := x.Cursor(s)
	w.enter("lapsed", numbers(10, 15))
	w.commit()
	w.refresh(x, l)
	page, err := x.Changes(t.Context(), l, old, 3)
	if err != nil || len(page.Changes) != 3 {
		t.Fatalf("got %+v: %v", page, err)
	}
	w.exec("ALTER TABLE export_snapshots DELETE WHERE number = 2 SETTINGS mutations_sync = 2")
	w.enter("lapsed", numbers(20, 26))
	w.commit()
	w.cfg.Dir += "-restored"
	y := w.exporter()
	w.refresh(y, l)
	if _, err := y.Changes(t.Context(), l, page.Next, 3); !errors.Is(err, ErrGone) {
		t.Errorf("a cursor of changes that do not count any more gives %v", err)
	}
	if page, err = y.Changes(t.Context(), l, old, 100); err != nil || len(page.Changes) != 11 {
		t.Errorf("a cursor of before gives %+v: %v", page, err)
	}
	w.agree(y, l)
}
