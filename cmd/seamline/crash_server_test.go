package main

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/seamline/seamline/deploy/local"
	"github.com/seamline/seamline/deploy/local/localtest"
	"github.com/seamline/seamline/sinks/clickhouse"
)

// ownServer starts a ClickHouse for tests that kill its clients. The library ends now and then when a client's connection is reset as
// it opens; it loses nothing by that, and is started again, as seamline local does.
func ownServer(t *testing.T) *local.ClickHouse {
	t.Helper()
	server, err := local.StartClickHouse(t.Context(), local.ClickHouseConfig{MemoryMaxBytes: 2 << 30})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			ended := server.Done()
			select {
			case <-ctx.Done():
				return
			case <-ended:
			}
			if ctx.Err() != nil || server.PID() == 0 { // killed by the test, which starts it again
				select {
				case <-ctx.Done():
					return
				case <-time.After(10 * time.Millisecond):
					continue
				}
			}
			t.Log("ClickHouse ended by itself and is started again")
			if err := server.Restart(ctx); err != nil && ctx.Err() == nil {
				t.Errorf("start ClickHouse again: %v", err)
				return
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		if err := server.Close(); err != nil {
			t.Logf("close ClickHouse: %v", err)
		}
	})
	return server
}

// newCrashStand is a crowd's stand on a ClickHouse that may end.
func newCrashStand(t *testing.T, server *local.ClickHouse) *stand {
	t.Helper()
	s := newCrowdStand(t)
	shared := localtest.Server(t)
	s.settings.ClickHouse.Addr = server.Addr()
	t.Cleanup(func() { s.settings.ClickHouse.Addr = shared }) // the database goes with its server
	return s
}

// sameMax bounds how often a question is asked again to a ClickHouse that ended.
const sameMax = 5

// patiently asks again where ClickHouse ended meanwhile.
func patiently(t *testing.T, ask func() error) {
	t.Helper()
	var err error
	for range sameMax {
		if err = ask(); err == nil {
			return
		}
		time.Sleep(time.Second) // a server starts in less
	}
	t.Fatal(err)
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
		if rows < 100 {
			s.t.Errorf("%s: only %d rows are equal: the comparison says nothing", when, rows)
		}
		text.Reset()
		failed = printDifferences(&text, differences)
		return nil
	})
	if failed == nil {
		return ""
	}
	return failed.Error() + "\n" + text.String()
}
