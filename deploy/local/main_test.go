package local

import (
	"context"
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(envForgetful); dir != "" {
		helper(dir)
	}
	Main()
	if library := os.Getenv(envServer); library != "" {
		fakeServer(library)
	}
	if dir := os.Getenv(envHelper); dir != "" {
		helper(dir)
	}
	os.Exit(m.Run())
}

// envForgetful is like envHelper in a program that forgot to call Main.
const envForgetful = "SEAMLINE_LOCAL_TEST_FORGETFUL"

// envServer turns the test binary into a stand-in for the clickhouse binary: same arguments, same configuration file, but the
// engine is the library that it names.
const envServer = "SEAMLINE_LOCAL_TEST_SERVER"

func fakeServer(library string) {
	err := func() error {
		if len(os.Args) != 3 || os.Args[1] != "server" {
			return fmt.Errorf("want server --config-file=F, got %q", os.Args[1:])
		}
		text, err := os.ReadFile(strings.TrimPrefix(os.Args[2], "--config-file="))
		if err != nil {
			return err
		}
		var cfg serverConfig
		if err := xml.Unmarshal(text, &cfg); err != nil {
			return err
		}
		return serveLibrary(childSpec{Engine: Engine{Path: library}, Args: []string{
			os.Args[2], "--path=" + cfg.Path, "--listen_host=" + cfg.ListenHost, fmt.Sprintf("--tcp_port=%d", cfg.TCPPort),
			fmt.Sprintf("--http_port=%d", cfg.HTTPPort), "--query", serveStatement,
		}})
	}()
	fmt.Println("error:", err)
	os.Exit(1)
}

// envHelper turns the test binary into a parent that a test may kill: it starts a ClickHouse in the named directory and waits.
const envHelper = "SEAMLINE_LOCAL_TEST_PARENT"

func helper(dir string) {
	server, err := StartClickHouse(context.Background(), ClickHouseConfig{DataDir: dir})
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	fmt.Printf("pid %d url %s\n", server.PID(), server.URL())
	select {}
}

func startClickHouse(t *testing.T, cfg ClickHouseConfig) *ClickHouse {
	t.Helper()
	cfg.Progress = os.Stderr
	c, err := StartClickHouse(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func query(t *testing.T, c *ClickHouse, statement string) string {
	t.Helper()
	answer, err := c.Query(t.Context(), statement)
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	return strings.TrimSpace(answer)
}

// dataDir is shorter lived than the server: t.TempDir would be removed first otherwise.
func dataDir(t *testing.T) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "data")
}

func isAlive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	// A zombie waits for its new parent, but holds nothing any more.
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z")
}

func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for range 500 {
		if holds() {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("not within 10 s: %s", what)
}
