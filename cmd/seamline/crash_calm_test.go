//go:build faults

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/seamline/seamline/sinks/clickhouse"
)

// expectKilled waits for an end by SIGKILL.
func (c *child) expectKilled(what string) {
	c.t.Helper()
	c.wait()
	if !c.wasKilled() {
		c.t.Fatalf("%s: the process was not killed there: %s: %s", what, c.cmd.ProcessState, c.text())
	}
}

func (c *child) wasKilled() bool {
	status, ok := c.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// loseState makes the next process of a stand find no state.
func (s *stand) loseState() { s.settings.StateDir = filepath.Join(s.t.TempDir(), "state") }

// scale is how many times the T0 numbers of crashes a run makes: SEAMLINE_TEST_CRASHES, 1 by default.
func scale(t *testing.T) int {
	t.Helper()
	n := 1
	if text := os.Getenv("SEAMLINE_TEST_CRASHES"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil || n < 1 {
			t.Fatalf("SEAMLINE_TEST_CRASHES=%s is not a number above 0", text)
		}
	}
	return n
}

// calm compares a stand with a run over the same topics that nothing disturbed.
func (s *stand) calm(when string) {
	s.t.Helper()
	if text := s.unlike(when); text != "" {
		s.t.Errorf("%s, the tables are not those of a calm run:\n%s", when, text)
	}
}

// unlike tells how the tables differ from those of a calm run, empty for not at all.
func (s *stand) unlike(when string) string {
	s.t.Helper()
	other := s.beside()
	other.settings.Kafka.RecordsMax = 100_000
	other.run(crowdClock)
	var text bytes.Buffer
	var failed error
	patiently(s.t, func() error {
		differences, err := clickhouse.Compare(s.t.Context(), s.settings.ClickHouse, other.settings.ClickHouse)
		if err != nil {
			return err
		}
		rows := uint64(0)
		for _, d := range differences {
			rows += d.Rows
		}
		text.Reset()
		failed = printDifferences(&text, differences)
		if failed == nil && rows < 100 {
			s.t.Errorf("%s: only %d rows are equal: the comparison says nothing", when, rows)
		}
		return nil
	})
	if failed == nil {
		return ""
	}
	return failed.Error() + "\n" + text.String()
}
