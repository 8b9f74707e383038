package export

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestADamagedStateIsMadeAnew: the ledger has what a damaged file held, and the other lists of the pass are made as ever.
func TestADamagedStateIsMadeAnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.people(0, 60, "US", grantedAll)
	w.audience("lapsed", 0)
	w.audience("vip", 0)
	w.enter("lapsed", numbers(0, 20))
	w.enter("vip", numbers(10, 30))
	w.commit()
	x, l, vip := w.exporter(), List{"lapsed", "generic"}, List{"vip", "generic"}
	w.refresh(x, l, vip)
	next := 30
	for name, damage := range map[string]func([]byte) []byte{
		"empty":     func([]byte) []byte { return nil },
		"cut":       func(b []byte) []byte { return b[:len(b)/2] },
		"no end":    func(b []byte) []byte { return b[:len(b)-3] },
		"count":     func(b []byte) []byte { b[len(b)-1]++; return b },
		"no magic":  func(b []byte) []byte { b[0]++; return b },
		"an ending": func(b []byte) []byte { copy(b[len(recordsMagic)+16:], "\xff\xff\xff\xff"); return b },
	} {
		s, err := x.Standing(t.Context(), l)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(x.store.path(s), nameState)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, damage(text), 0o600); err != nil {
			t.Fatal(err)
		}
		w.enter("lapsed", numbers(next, next+2))
		w.enter("vip", numbers(next, next+2))
		w.commit()
		next += 2
		w.refresh(x, l, vip)
		w.agree(x, l)
		w.agree(x, vip)
		if got := lines(w.list(x, l, FormatCSV)); got != 1+20+next-30 {
			t.Errorf("%s: %d lines", name, got)
		}
	}
	// Who only serves makes it anew at the next turn.
	s, _ := x.Standing(t.Context(), l)
	path := filepath.Join(x.store.path(s), nameState)
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := x.Open(t.Context(), s, FormatTSV, false); err == nil {
		t.Fatal("a list is made of a damaged file")
	}
	if err := x.turn(t.Context(), false, true); err != nil {
		t.Fatal(err)
	}
	if got := lines(w.list(x, l, FormatTSV)); got != 1+20+next-30 {
		t.Errorf("%d lines", got)
	}
}

// TestAListThatCannotBeTakenOver does not keep others from being made.
func TestAListThatCannotBeTakenOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.people(0, 20, "US", grantedAll)
	w.audience("lapsed", 0)
	w.audience("vip", 0)
	w.enter("lapsed", numbers(0, 10))
	w.enter("vip", numbers(0, 10))
	w.commit()
	l, vip := List{"lapsed", "generic"}, List{"vip", "generic"}
	w.refresh(w.exporter(), l, vip)
	w.exec("ALTER TABLE export_changes DELETE WHERE audience = 'lapsed' SETTINGS mutations_sync = 2") // of which the files are gone as well
	w.enter("vip", numbers(10, 15))
	w.commit()
	w.cfg.Dir += "-other"
	x := w.exporter()
	if err := x.Refresh(t.Context(), []List{l, vip}); err == nil || !strings.Contains(err.Error(), "lapsed:generic gives 0 people") {
		t.Errorf("got %v", err)
	}
	if got := lines(w.list(x, vip, FormatCSV)); got != 16 {
		t.Errorf("%d lines", got)
	}
}

// TestReplacedListsGo once exports.keep is over, where lists are made and where they are only served.
func TestReplacedListsGo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.now = time.Now()
	w.people(0, 20, "US", grantedAll)
	w.audience("lapsed", 0)
	w.enter("lapsed", numbers(0, 10))
	w.commit()
	l := List{"lapsed", "generic"}
	x := w.exporter()
	w.cfg.Dir += "-standby"
	y := w.exporter()
	snapshots := func(x *Exporter) int {
		t.Helper()
		return len(strings.Fields(names(t, x.store.listPath(l))))
	}
	turn := func(want int) {
		t.Helper()
		for _, x := range []*Exporter{x, y} {
			if err := x.turn(t.Context(), x != y, true); err != nil {
				t.Fatal(err)
			}
			if got := snapshots(x); got != want {
				t.Errorf("%d snapshots are kept, want %d", got, want)
			}
		}
	}
	w.refresh(x, l)
	turn(1)
	w.enter("lapsed", numbers(10, 12))
	w.commit()
	w.now = w.now.Add(30 * time.Hour) // longer than the first stood, which counts from when it is replaced
	turn(2)
	w.now = w.now.Add(23 * time.Hour)
	turn(2)
	w.now = w.now.Add(2 * time.Hour)
	turn(1)
}

// TestAnAudienceWithoutARuleIsNotActive: sizes are left of what is gone.
func TestAnAudienceWithoutARuleIsNotActive(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.people(0, 5, "US", grantedAll)
	w.audience("lapsed", 0)
	w.enter("lapsed", numbers(0, 5))
	w.enter("gone", numbers(0, 5))
	w.commit()
	all, err := w.exporter().Audiences(t.Context())
	if err != nil || !all["lapsed"].IsActive || all["gone"].IsActive || all["gone"].Size != 5 {
		t.Errorf("got %+v: %v", all, err)
	}
}

// TestAskingAgainWakes: a list that could not be made when it was asked for first is tried again when somebody asks.
func TestAskingAgainWakes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.audience("lapsed", 0)
	x, l := w.exporter(), List{"lapsed", "generic"}
	for range 2 {
		if _, err := x.Standing(t.Context(), l); err != ErrNotYet {
			t.Fatal(err)
		}
		select {
		case <-x.wake:
		default:
			t.Error("nobody was woken")
		}
	}
}

// TestNoListsWhileTablesAreRebuilt: neither while a rebuild is under way nor where it was interrupted, until it has ended or its line runs again.
func TestNoListsWhileTablesAreRebuilt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.people(0, 5, "US", grantedAll)
	w.audience("lapsed", 0)
	w.enter("lapsed", numbers(0, 5))
	w.commit()
	x, l := w.exporter(), []List{{"lapsed", "generic"}}
	rest := func() func(bool) error {
		t.Helper()
		end, err := Rest(t.Context(), w.cfg.Dir)
		if err != nil {
			t.Fatal(err)
		}
		return end
	}
	refused := func(when string) {
		t.Helper()
		if err := x.Refresh(t.Context(), l); !errors.Is(err, ErrRebuild) {
			t.Errorf("%s: %v", when, err)
		}
		if err := x.turn(t.Context(), false, true); !errors.Is(err, ErrRebuild) {
			t.Errorf("%s, a standby: %v", when, err)
		}
	}
	end := rest()
	refused("under way")
	if err := end(false); err != nil {
		t.Fatal(err)
	}
	refused("interrupted")
	if err := rest()(true); err != nil {
		t.Fatal(err)
	}
	if err := x.Refresh(t.Context(), l); err != nil {
		t.Errorf("a rebuild that ended: %v", err)
	}
	if err := rest()(false); err != nil {
		t.Fatal(err)
	}
	if err := x.turn(t.Context(), true, true); err != nil {
		t.Errorf("the line runs again: %v", err)
	}
	if err := x.Refresh(t.Context(), l); err != nil {
		t.Errorf("after the line ran: %v", err)
	}
}
