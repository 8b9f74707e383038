package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seamline/seamline/schemas"
)

// logBuffer keeps what is logged.
type logBuffer struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) contains(text string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Contains(b.text.String(), text)
}

// TestFullStateDisk: while the disk of the state directory is full, the line goes on and says what is wrong; nothing is torn, and once
// there is space again the checkpoint is stored.
func TestFullStateDisk(t *testing.T) {
	t.Parallel()
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=160m"); err != nil {
		t.Skipf("a small disk cannot be mounted here (%v): skipped", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	s := newStand(t)
	s.settings.StateDir = filepath.Join(disk, "state")
	s.settings.CheckpointEvery = 50 * time.Millisecond
	s.create()
	messages := streetTraffic(seeded(t), 20, 300)
	s.publish(messages[:150]...)
	fixed := func(o *runOptions) { o.now = schemas.TimeOf(start.Add(30 * 24 * time.Hour)) }
	s.run(fixed)
	ballast := filepath.Join(disk, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 110<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	s.publish(messages[150:]...)
	var logged logBuffer
	done := make(chan error, 1)
	go func() {
		opt := runOptions{untilCaughtUp: true, log: s.settings.logger(&logged)}
		fixed(&opt)
		done <- runPipeline(context.WithoutCancel(t.Context()), &s.settings, opt)
	}()
	for deadline := time.Now().Add(time.Minute); !logged.contains("nearly full"); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("nothing said about the full disk: %s", logged.text.String())
		}
	}
	select {
	case err := <-done:
		t.Fatalf("the run ended: %v", err)
	default:
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	s.exact()
	whole := s.beside()
	whole.settings.StateDir = t.TempDir()
	whole.run(fixed)
	s.same(whole, "after a full disk")
}
