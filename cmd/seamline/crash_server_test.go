package main

import (
	"context"
	"testing"
	"time"

	"github.com/seamline/seamline/deploy/local"
	"github.com/seamline/seamline/deploy/local/localtest"
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
