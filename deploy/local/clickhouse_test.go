package local

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func TestASecondStartFindsItsData(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	first := startClickHouse(t, ClickHouseConfig{DataDir: dir})
	query(t, first, "CREATE TABLE words (word String) ORDER BY word")
	query(t, first, "INSERT INTO words VALUES ('stay')")
	url := first.URL()
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Errorf("a second Close: %v", err)
	}
	if err := first.Restart(t.Context()); err == nil {
		t.Error("Restart after Close worked")
	}
	if _, err := first.Query(t.Context(), "SELECT 1"); err == nil {
		t.Errorf("%s still answers after Close", url)
	}
	second := startClickHouse(t, ClickHouseConfig{DataDir: dir})
	if got := query(t, second, "SELECT word FROM words"); got != "stay" {
		t.Errorf("words = %q", got)
	}
}

func TestKillAndRestartKeepPortsAndData(t *testing.T) {
	t.Parallel()
	c := startClickHouse(t, ClickHouseConfig{})
	query(t, c, "CREATE TABLE words (word String) ORDER BY word")
	query(t, c, "INSERT INTO words VALUES ('stay')")
	addr, url, done, pid := c.Addr(), c.URL(), c.Done(), c.PID()
	if err := c.Kill(); err != nil {
		t.Fatal(err)
	}
	<-done
	if isAlive(pid) {
		t.Errorf("process %d lives after Kill", pid)
	}
	if err := c.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if c.Addr() != addr || c.URL() != url {
		t.Errorf("moved from %s, %s to %s, %s", addr, url, c.Addr(), c.URL())
	}
	if got := query(t, c, "SELECT word FROM words"); got != "stay" {
		t.Errorf("words = %q", got)
	}
	if err := c.Restart(t.Context()); err != nil {
		t.Fatalf("restart a running server: %v", err)
	}
	if got := query(t, c, "SELECT count() FROM words"); got != "1" {
		t.Errorf("%s words after a graceful restart", got)
	}
}

func TestGivenPortsAndSettingsAreUsed(t *testing.T) {
	t.Parallel()
	at, err := ports{}.choose()
	if err != nil {
		t.Fatal(err)
	}
	c := startClickHouse(t, ClickHouseConfig{Port: at.native, HTTPPort: at.http, MemoryMaxBytes: 3 << 30, Fsync: true})
	if want := "127.0.0.1:" + strconv.Itoa(at.native); c.Addr() != want {
		t.Errorf("native on %s, want %s", c.Addr(), want)
	}
	if want := "http://127.0.0.1:" + strconv.Itoa(at.http); c.URL() != want {
		t.Errorf("HTTP on %s, want %s", c.URL(), want)
	}
	f := func(statement, want string) {
		t.Helper()
		if got := query(t, c, statement); got != want {
			t.Errorf("%s = %q, want %q", statement, got, want)
		}
	}
	f("SELECT value FROM system.server_settings WHERE name = 'max_server_memory_usage'", "3221225472")
	f("SELECT value FROM system.merge_tree_settings WHERE name = 'old_parts_lifetime'", "480")
	f("SELECT value FROM system.merge_tree_settings WHERE name = 'max_suspicious_broken_parts'", "1000000")
	f("SELECT value FROM system.merge_tree_settings WHERE name = 'fsync_after_insert'", "1")
	f("SELECT value FROM system.merge_tree_settings WHERE name = 'fsync_part_directory'", "1")
	f("SELECT value FROM system.merge_tree_settings WHERE name = 'min_rows_to_fsync_after_merge'", "1")
	f("SELECT timezone()", "UTC")
	f("SELECT currentUser()", "default")
	if _, err := os.Stat(c.LogPath()); err != nil {
		t.Errorf("no log: %v", err)
	}
}

func TestABusyPortIsNamed(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	busy := ln.Addr().(*net.TCPAddr).Port
	for name, cfg := range map[string]ClickHouseConfig{
		"native": {Port: busy}, "http": {HTTPPort: busy},
	} {
		_, err := StartClickHouse(t.Context(), cfg)
		if err == nil || !strings.Contains(err.Error(), "port "+strconv.Itoa(busy)) || !strings.Contains(err.Error(), "address already in use") {
			t.Errorf("%s: error is %v", name, err)
		}
	}
	if _, err := StartKafka(t.Context(), KafkaConfig{Port: busy}); err == nil || !strings.Contains(err.Error(), strconv.Itoa(busy)) {
		t.Errorf("kafka: error is %v", err)
	}
}

// A port that was free when we chose it and is taken when the child binds it must be recognised, or no others would be tried.
func TestAPortTakenInBetweenIsRecognised(t *testing.T) {
	t.Parallel()
	c := startClickHouse(t, ClickHouseConfig{})
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	free, err := freePort(0)
	if err != nil {
		t.Fatal(err)
	}
	err = c.startOn(t.Context(), ports{native: ln.Addr().(*net.TCPAddr).Port, http: free})
	if err == nil || !strings.Contains(err.Error(), busyPortMessage) {
		t.Errorf("error is %v", err)
	}
	if err := c.Restart(t.Context()); err != nil {
		t.Errorf("restart after the failure: %v", err)
	}
}

func TestADirectoryInUseIsRefused(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	first := startClickHouse(t, ClickHouseConfig{DataDir: dir})
	_, err := StartClickHouse(t.Context(), ClickHouseConfig{DataDir: dir})
	if err == nil || !strings.Contains(err.Error(), "in use by another process (process "+strconv.Itoa(os.Getpid())+")") {
		t.Errorf("error is %v", err)
	}
	if got := query(t, first, "SELECT 1"); got != "1" {
		t.Errorf("the first server answers %q afterwards", got)
	}
	broker := filepath.Join(dir, "kafka")
	k, err := StartKafka(t.Context(), KafkaConfig{DataDir: broker})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	if _, err := StartKafka(t.Context(), KafkaConfig{DataDir: broker}); err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("kafka: error is %v", err)
	}
}

func TestBadInputIsRefused(t *testing.T) {
	t.Parallel()
	f := func(cfg ClickHouseConfig, want string) {
		t.Helper()
		c, err := StartClickHouse(t.Context(), cfg)
		if err == nil {
			t.Errorf("%+v started: %v", cfg, c.Close())
			return
		}
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error is %q, want %q in it", err, want)
		}
	}
	notLibrary := filepath.Join(t.TempDir(), "libchdb.so")
	if err := os.WriteFile(notLibrary, []byte("no library"), 0o644); err != nil {
		t.Fatal(err)
	}
	f(ClickHouseConfig{Port: -1}, "port -1")
	f(ClickHouseConfig{HTTPPort: 65536}, "port 65536")
	f(ClickHouseConfig{Port: 9000, HTTPPort: 9000}, "both protocols")
	f(ClickHouseConfig{MemoryMaxBytes: -1}, "negative")
	f(ClickHouseConfig{Engine: Engine{Kind: Library, Path: notLibrary}}, "load "+notLibrary)
	f(ClickHouseConfig{Engine: Engine{Kind: Binary, Path: notLibrary}}, "permission denied")
	f(ClickHouseConfig{DataDir: filepath.Join(notLibrary, "below a file")}, "create data directory")
	if _, err := Start(t.Context(), Config{}); err == nil || !strings.Contains(err.Error(), "no data directory") {
		t.Errorf("error is %v", err)
	}
}

func TestACancelledStartLeavesNothing(t *testing.T) {
	t.Parallel()
	// A server that never answers: the stand-in of the binary only sleeps.
	script := filepath.Join(t.TempDir(), "clickhouse")
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho $$ > "+script+".pid\nexec sleep 600\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	go func() {
		_, err := StartClickHouse(ctx, ClickHouseConfig{Engine: Engine{Kind: Binary, Path: script}})
		failed <- err
	}()
	var pid int
	await(t, "the stand-in writes its pid", func() bool {
		text, err := os.ReadFile(script + ".pid")
		if err != nil {
			return false
		}
		pid, err = strconv.Atoi(strings.TrimSpace(string(text)))
		return err == nil
	})
	cancel()
	if err := <-failed; err == nil || !strings.Contains(err.Error(), "context canceled") {
		t.Errorf("error is %v", err)
	}
	await(t, "the stand-in is gone", func() bool { return !isAlive(pid) })
}
