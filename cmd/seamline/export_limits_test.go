package main

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/seamline/seamline/sinks/export"
)

// TestExportDownloadsAtOnce: one credential cannot take the place of all others.
func TestExportDownloadsAtOnce(t *testing.T) {
	t.Parallel()
	e := &exportAPI{downloads: map[string]int{}}
	one, two := &export.Credential{Name: "one"}, &export.Credential{Name: "two"}
	var leave []func()
	for range downloadsAtOnceMax {
		end, err := e.download(httptest.NewRecorder(), one)
		if err != nil {
			t.Fatal(err)
		}
		leave = append(leave, end)
	}
	w := httptest.NewRecorder()
	var p *problem
	if _, err := e.download(w, one); !errors.As(err, &p) || p.Status != http.StatusTooManyRequests || w.Header().Get("Retry-After") != "5" {
		t.Errorf("one more gives %v, %v", err, w.Header())
	}
	if end, err := e.download(w, two); err != nil {
		t.Errorf("somebody else is kept out: %v", err)
	} else {
		end()
	}
	leave[0]()
	end, err := e.download(w, one)
	if err != nil {
		t.Fatalf("one has ended, and the next is kept out: %v", err)
	}
	end()
	for _, end := range leave[1:] {
		end()
	}
	if len(e.downloads) != 0 {
		t.Errorf("left over: %v", e.downloads)
	}
}

// deadlineWriter notes when a caller is given up.
type deadlineWriter struct {
	http.ResponseWriter
	deadlines []time.Time
}

// SetWriteDeadline notes a deadline.
func (w *deadlineWriter) SetWriteDeadline(at time.Time) error {
	w.deadlines = append(w.deadlines, at)
	return nil
}

// TestExportWriteDeadline: each piece of a list has its own time, so that a long download goes on and one that stands still ends.
func TestExportWriteDeadline(t *testing.T) {
	t.Parallel()
	to := &deadlineWriter{ResponseWriter: httptest.NewRecorder()}
	w, began := &exportWriter{ResponseWriter: to}, time.Now()
	for range 3 {
		if _, err := w.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	if len(to.deadlines) != 3 {
		t.Fatalf("%d pieces have a deadline, want 3", len(to.deadlines))
	}
	for _, at := range to.deadlines {
		if wait := at.Sub(began); wait < writeWaitMax || wait > 2*writeWaitMax {
			t.Errorf("a piece has %s", wait)
		}
	}
}

func TestExportAccessLogIsCut(t *testing.T) {
	t.Parallel()
	f := func(text, want string) {
		t.Helper()
		if got := cut(text); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	f("curl/8", "curl/8")
	f(strings.Repeat("x", 200), strings.Repeat("x", 200))
	f(strings.Repeat("x", 201), strings.Repeat("x", 200)+"...")
	f(strings.Repeat("x", 199)+"é", strings.Repeat("x", 199)+"...")
}

// TestExportRetryAfter: every answer that asks to wait says how long.
func TestExportRetryAfter(t *testing.T) {
	t.Parallel()
	e := &exportAPI{api: &api{log: slog.New(slog.DiscardHandler)}}
	f := func(err error, want string) {
		t.Helper()
		w := httptest.NewRecorder()
		e.problemOf(err).write(w)
		if got := w.Header().Get("Retry-After"); got != want {
			t.Errorf("%v: Retry-After %q, want %q", err, got, want)
		}
	}
	f(export.ErrNotYet, "5")
	f(errors.New("ClickHouse is away"), "5")
	f(export.ErrUnknown, "")
	slots := make(chan struct{}, 1)
	leave, p := enter(slots)
	if p != nil {
		t.Fatal(p)
	}
	if _, p := enter(slots); p == nil {
		t.Error("two are let into one slot")
	} else {
		f(p, "1")
	}
	leave()
}
