// Package localtest lends tests a real ClickHouse and a broker.
// In comes a test; out come one ClickHouse per test process, a database of the test's own in it, and brokers in memory.
// It never shares data between two tests, and never leaves a server behind when the process ends.
package localtest

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"unicode"

	"github.com/seamline/seamline/deploy/local"
)

const (
	memoryMaxBytes = 4 << 30 // of the shared server: several test processes run at once
	nameMax        = 40      // characters of a test's name in the name of its database
)

var (
	server     = sync.OnceValues(startServer)
	wasStarted atomic.Bool
	databases  atomic.Int64
)

func startServer() (*local.ClickHouse, error) {
	wasStarted.Store(true)
	return local.StartClickHouse(context.Background(), local.ClickHouseConfig{Progress: os.Stderr, MemoryMaxBytes: memoryMaxBytes})
}

// Main is for TestMain: it runs the tests, stops what they shared and exits. It also is the place where this process becomes
// the ClickHouse child, so that nothing may come before it.
func Main(m *testing.M) {
	local.Main()
	if err := checkDocker(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	for _, end := range []func() error{stop, stopEngines} {
		if err := end(); err != nil {
			fmt.Fprintf(os.Stderr, "stop what the tests shared: %v\n", err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

func stop() error {
	if !wasStarted.Load() {
		return nil
	}
	c, err := server()
	if err != nil {
		return nil // The tests that asked for it have failed with this error.
	}
	return c.Close()
}

// ClickHouse returns the server that all tests of this process share, and starts it for the first. Tests use a Database each,
// and do not stop it: a test that does starts its own with local.StartClickHouse.
func ClickHouse(t testing.TB) *local.ClickHouse {
	t.Helper()
	c, err := server()
	if err != nil {
		t.Fatalf("start the shared ClickHouse: %v", err)
	}
	return c
}

// Database creates an empty database for this test on the shared server, and drops it at the test's end.
func Database(t testing.TB) string {
	t.Helper()
	c := ClickHouse(t)
	name := databaseName(t.Name(), databases.Add(1))
	if _, err := c.Query(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatalf("create database %s: %v", name, err)
	}
	t.Cleanup(func() {
		// The test's own context has ended by now.
		if _, err := c.Query(context.Background(), "DROP DATABASE IF EXISTS "+name+" SYNC"); err != nil {
			t.Errorf("drop database %s: %v", name, err)
		}
	})
	return name
}

// databaseName makes a plain SQL name of a test's name; the number makes it unique.
func databaseName(test string, number int64) string {
	plain := strings.Map(func(r rune) rune {
		if r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
			return unicode.ToLower(r)
		}
		return '_'
	}, test)
	return fmt.Sprintf("%s_%d", plain[:min(len(plain), nameMax)], number)
}

// Kafka starts a broker in memory with these topics and closes it at the test's end.
func Kafka(t testing.TB, topics ...string) *local.Kafka {
	t.Helper()
	k, err := local.StartKafka(t.Context(), local.KafkaConfig{Topics: topics})
	if err != nil {
		t.Fatalf("start a broker: %v", err)
	}
	t.Cleanup(func() {
		if err := k.Close(); err != nil {
			t.Errorf("stop the broker: %v", err)
		}
	})
	return k
}
