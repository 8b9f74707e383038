package main

import (
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestTakeoverAfterACrash: a second instance with a state of its own follows the first, says that it is not ready, and goes on exactly
// when the first dies.
func TestTakeoverAfterACrash(t *testing.T) {
	t.Parallel()
	takesOver(t, func(leader *child) { leader.kill() })
}

// TestTakeoverAfterAStop: a leader that is stopped gracefully hands over at once.
func TestTakeoverAfterAStop(t *testing.T) {
	t.Parallel()
	takesOver(t, func(leader *child) { leader.stop("the leader") })
}

func takesOver(t *testing.T, end func(leader *child)) {
	t.Helper()
	s := newCrashStand(t, ownServer(t))
	rnd := seeded(t)
	s.settings.Kafka.RecordsMax, s.settings.CheckpointEvery = 5+rnd.IntN(40), 50*time.Millisecond
	s.settings.Kafka.TakeoverAfter = 3 * time.Second
	states := t.TempDir()
	instance := func(name string) (*child, string) {
		s.settings.StateDir = filepath.Join(states, name)
		s.settings.HTTPAddr = fmt.Sprintf("127.0.0.1:%d", freePort(t))
		return s.spawn(nil), s.settings.HTTPAddr
	}
	first, firstAddr := instance("first")
	first.await("msg=leading")
	load := s.load(newCrowd(rnd, 20), 10, 25*time.Millisecond)
	awaitReady(t, first, firstAddr, http.StatusOK, "")
	second, secondAddr := instance("second")
	awaitReady(t, second, secondAddr, http.StatusServiceUnavailable, "standby: ")
	time.Sleep(time.Second) // it follows while there is load
	if text := second.text(); strings.Contains(text, "msg=leading") {
		t.Fatalf("two instances lead: %s", text)
	}
	begun := time.Now()
	end(first)
	second.await("msg=leading")
	took := time.Since(begun)
	awaitReady(t, second, secondAddr, http.StatusOK, "")
	if first.cmd.ProcessState.ExitCode() == 0 && took >= s.settings.Kafka.TakeoverAfter {
		t.Errorf("after a graceful stop the second took over in %s only, as after a crash", took)
	}
	time.Sleep(500 * time.Millisecond) // it writes
	sent := load.sent()
	second.stop("the second")
	s.settings.HTTPAddr = ""
	s.finish("after the takeover")
	t.Logf("took over in %s; %d messages", took.Round(time.Millisecond), sent)
}

// awaitReady waits until /readyz answers with a status and a text.
func awaitReady(t *testing.T, p *child, addr string, status int, text string) {
	t.Helper()
	last := ""
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		response, err := http.Get("http://" + addr + "/readyz")
		if err != nil {
			last = err.Error()
			continue
		}
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err == nil && response.StatusCode == status && strings.Contains(string(body), text) {
			return
		}
		last = fmt.Sprintf("%d %s", response.StatusCode, body)
	}
	_ = p.cmd.Process.Signal(syscall.SIGQUIT)
	t.Fatalf("/readyz does not become %d %q but is %s; the process says: %s", status, text, last, p.text())
}
