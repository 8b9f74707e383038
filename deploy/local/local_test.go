package local

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func startStack(t *testing.T, cfg Config) *Stack {
	t.Helper()
	cfg.Progress = os.Stderr
	s, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestTwoStacksLiveSideBySideAndComeBack(t *testing.T) {
	t.Parallel()
	left, right := dataDir(t), dataDir(t)
	a := startStack(t, Config{DataDir: left, KafkaTopics: []string{"pos"}})
	b := startStack(t, Config{DataDir: right})
	if a.Addresses() == b.Addresses() {
		t.Fatalf("both are %+v", a.Addresses())
	}
	publish(t, a.Addresses().Kafka, "pos", "receipt")
	query(t, a.ClickHouse, "CREATE TABLE words (word String) ORDER BY word")
	query(t, a.ClickHouse, "INSERT INTO words VALUES ('stay')")
	if got := query(t, b.ClickHouse, "EXISTS TABLE words"); got != "0" {
		t.Errorf("the other stack has the table: %s", got)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if got := query(t, b.ClickHouse, "SELECT 1"); got != "1" {
		t.Errorf("the other stack answers %q", got)
	}
	again := startStack(t, Config{DataDir: left, KafkaTopics: []string{"pos"}})
	if got := read(t, again.Addresses().Kafka, "pos", 1); !got["receipt"] {
		t.Errorf("read %v", got)
	}
	if got := query(t, again.ClickHouse, "SELECT word FROM words"); got != "stay" {
		t.Errorf("words = %q", got)
	}
}

func TestAddressesAreWhatTheContractSays(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	s := startStack(t, Config{DataDir: dir})
	text, err := json.Marshal(s.Addresses())
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]string
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"kafka": s.Kafka.Addr(), "clickhouse": s.ClickHouse.Addr(),
		"clickhouse_http": "http://" + s.ClickHouse.HTTPAddr(), "data_dir": dir,
	}
	if len(got) != len(want) {
		t.Errorf("keys of %s", text)
	}
	for key, value := range want {
		if got[key] != value {
			t.Errorf("%s = %q, want %q", key, got[key], value)
		}
	}
	resp, err := http.Get(got["clickhouse_http"] + "/ping")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || strings.TrimSpace(string(body)) != "Ok." {
		t.Errorf("ping says %q, %v", body, err)
	}
}

func TestAFailedStackLetsItsDirectoryGo(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	blocker := filepath.Join(dir, "clickhouse")
	if err := os.WriteFile(blocker, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Start(t.Context(), Config{DataDir: dir}); err == nil || !strings.Contains(err.Error(), "create data directory") {
		t.Fatalf("error is %v", err)
	}
	if err := os.Remove(blocker); err != nil {
		t.Fatal(err)
	}
	startStack(t, Config{DataDir: dir})
}
