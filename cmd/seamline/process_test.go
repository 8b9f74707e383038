package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seamline/seamline/deploy/local"
	"github.com/seamline/seamline/deploy/local/localtest"
	"github.com/seamline/seamline/sinks/clickhouse"
)

// envCommand makes the test binary behave as the seamline command.
const envCommand = "SEAMLINE_TEST_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(envCommand) != "" {
		main()
		return
	}
	localtest.Main(m)
}

// Bounds on how long a process may take to end, and live at all.
const (
	processStopMax = 20 * time.Second
	processLifeMax = 3 * time.Minute
)

// process is a running seamline process.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdout *bufio.Reader

	mu     sync.Mutex // guards stderr
	stderr bytes.Buffer
	ended  chan error
}

// Write collects the standard error.
func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stderr.Write(b)
}

func (p *process) errors() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stderr.String()
}

// begin starts seamline with arguments. It is killed at the test's end.
func begin(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(os.Args[0], args...), ended: make(chan error, 1)}
	p.cmd.Env = append(os.Environ(), envCommand+"=1")
	p.cmd.Stderr = p
	out, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stdout = w
	p.stdout = bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	go func() { p.ended <- p.cmd.Wait() }()
	// A process that hangs shows where: SIGQUIT makes it print its goroutines.
	watchdog := time.AfterFunc(processLifeMax, func() { _ = p.cmd.Process.Signal(syscall.SIGQUIT) })
	t.Cleanup(func() {
		watchdog.Stop()
		_ = p.cmd.Process.Kill()
		_ = out.Close()
		if strings.Contains(p.errors(), "SIGQUIT") {
			t.Errorf("%v hung:\n%s", args, p.errors())
		}
	})
	return p
}

// wait gives the exit code.
func (p *process) wait() int {
	p.t.Helper()
	select {
	case err := <-p.ended:
		p.ended <- err
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return exit.ExitCode()
		}
		if err != nil {
			p.t.Fatal(err)
		}
		return 0
	case <-time.After(processStopMax + time.Minute):
		p.t.Fatalf("%v does not end; it says: %s", p.cmd.Args[1:], p.errors())
		return -1
	}
}

func (p *process) stop(signal syscall.Signal) int {
	p.t.Helper()
	if err := p.cmd.Process.Signal(signal); err != nil {
		p.t.Fatal(err)
	}
	start := time.Now()
	code := p.wait()
	if took := time.Since(start); took > processStopMax {
		p.t.Errorf("%v took %s to end", p.cmd.Args[1:], took)
	}
	return code
}

// seamline runs a command to its end.
func seamline(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	p := begin(t, args...)
	out, err := io.ReadAll(p.stdout)
	if err != nil {
		t.Fatal(err)
	}
	code = p.wait()
	return string(out), p.errors(), code
}

// startLocal runs `seamline local` and reads its addresses.
func startLocal(t *testing.T, dir string, args ...string) (*process, local.Addresses) {
	t.Helper()
	p := begin(t, append([]string{"local", "--data-dir", dir}, args...)...)
	line, err := p.stdout.ReadString('\n')
	if err != nil {
		t.Fatalf("no line of addresses: %v; %s", err, p.errors())
	}
	var a local.Addresses
	if err := json.Unmarshal([]byte(line), &a); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	return p, a
}

// flags are those that point a command at addresses.
func flags(a local.Addresses, dir string) []string {
	return []string{"--kafka.brokers", a.Kafka, "--clickhouse.addr", a.ClickHouse, "--state.dir", filepath.Join(dir, "state"),
		"--kafka.topics.create", "--http.addr", "", "--identity.key", "test", "--batch.wait", "50ms"}
}

func ask(t *testing.T, a local.Addresses, sql string) string {
	t.Helper()
	cfg := clickhouse.DefaultConfig()
	cfg.Addr = a.ClickHouse
	_, rows, err := clickhouse.Query(context.Background(), cfg, sql)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	var out []string
	for _, row := range rows {
		for _, v := range row {
			out = append(out, cell(v))
		}
	}
	return strings.Join(out, "|")
}

// pages writes a file of page calls, one a line.
func pages(t *testing.T, from, to int) string {
	t.Helper()
	var lines strings.Builder
	for i := from; i < to; i++ {
		fmt.Fprintf(&lines, `{"type":"page","messageId":"m%d","anonymousId":"a%d","timestamp":"%s","properties":{"path":"/%d"}}`+"\n",
			i, i%50, start.Add(time.Duration(i)*time.Second).Format(time.RFC3339), i)
	}
	path := filepath.Join(t.TempDir(), "pages.ndjson")
	if err := os.WriteFile(path, []byte(lines.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestProcessesFromEndToEnd uses the commands as a person would: local, publish, run, a kill, run again, and a second local on the
// same directory.
func TestProcessesFromEndToEnd(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	stack, a := startLocal(t, dir)
	publish := func(from, to int) {
		t.Helper()
		out, errs, code := seamline(t, append([]string{"publish", "--topic", "clickstream", "--kafka.brokers", a.Kafka}, pages(t, from, to))...)
		if code != 0 || !strings.Contains(out, fmt.Sprintf("published %d records", to-from)) {
			t.Fatalf("publish: exit %d, %s %s", code, out, errs)
		}
	}
	publish(0, 2000)
	// A kill at some moment, whatever was in flight.
	running := begin(t, append([]string{"run", "--batch.records", "100"}, flags(a, dir)...)...)
	for range 200 {
		if strings.Contains(running.errors(), "msg=running") {
			break
		}
		time.Sleep(20 * time.Millisecond) // another process: there is nothing to wait on
	}
	time.Sleep(100 * time.Millisecond)
	running.stop(syscall.SIGKILL)
	publish(1900, 2500) // a hundred repeats
	if _, errs, code := seamline(t, append([]string{"run", "--until-caught-up"}, flags(a, dir)...)...); code != 0 {
		t.Fatalf("run: exit %d, %s", code, errs)
	}
	if got := ask(t, a, "SELECT count(), uniqExact(event_id) FROM events FINAL"); got != "2500|2500" {
		t.Errorf("events after a kill: %s, want 2500|2500", got)
	}
	if got := ask(t, a, "SELECT count(), sum(events) FROM profiles FINAL"); got != "50|2500" {
		t.Errorf("profiles after a kill: %s, want 50|2500", got)
	}
	// A graceful stop leaves nothing to do again.
	graceful := begin(t, append([]string{"run"}, flags(a, dir)...)...)
	for range 200 {
		if strings.Contains(graceful.errors(), "msg=running") {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if code := graceful.stop(syscall.SIGTERM); code != 0 || !strings.Contains(graceful.errors(), "everything is committed") {
		t.Errorf("SIGTERM: exit %d, %s", code, graceful.errors())
	}
	if code := stack.stop(syscall.SIGTERM); code != 0 {
		t.Errorf("local ended with exit %d: %s", code, stack.errors())
	}
	// A second start on the same directory finds Kafka's and ClickHouse's data, on other ports.
	again, b := startLocal(t, dir)
	if got := ask(t, b, "SELECT count() FROM events FINAL"); got != "2500" {
		t.Errorf("events after the second start: %s, want 2500", got)
	}
	if _, errs, code := seamline(t, append([]string{"run", "--until-caught-up"}, flags(b, dir)...)...); code != 0 {
		t.Fatalf("run after the second start: exit %d, %s", code, errs)
	}
	if got := ask(t, b, "SELECT count() FROM events"); got != "2500" {
		t.Errorf("events after going on: %s, want 2500", got)
	}
	again.stop(syscall.SIGINT)
}

func TestWaitsForClickHouseAndSaysSo(t *testing.T) {
	t.Parallel()
	k := localtest.Kafka(t, "clickstream", "email", "pos", "catalog", "consent", "survey", "seamline.identity", "seamline.audiences", "seamline.dead_letters")
	dir := t.TempDir()
	port := freePort(t)
	web := freePort(t)
	p := begin(t, "run", "--kafka.brokers", k.Addr(), "--clickhouse.addr", fmt.Sprintf("127.0.0.1:%d", port), "--state.dir", filepath.Join(dir, "state"),
		"--http.addr", fmt.Sprintf("127.0.0.1:%d", web), "--http.pprof")
	get := func(path string) (int, string) {
		response, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d%s", web, path))
		if err != nil {
			return 0, err.Error()
		}
		defer response.Body.Close()
		body, _ := io.ReadAll(response.Body)
		return response.StatusCode, string(body)
	}
	until := func(what string, ok func() bool) {
		t.Helper()
		for range 600 {
			if ok() {
				return
			}
			time.Sleep(50 * time.Millisecond) // another process: there is nothing to wait on
		}
		t.Fatalf("waited in vain for %s; the process says: %s", what, p.errors())
	}
	until("a readiness that names ClickHouse", func() bool {
		code, body := get("/readyz")
		return code == http.StatusServiceUnavailable && strings.Contains(body, "clickhouse: ") && strings.Contains(body, "refused")
	})
	if code, _ := get("/healthz"); code != http.StatusOK {
		t.Errorf("healthz gives %d while waiting", code)
	}
	server, err := local.StartClickHouse(t.Context(), local.ClickHouseConfig{Port: port})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	until("readiness", func() bool { code, _ := get("/readyz"); return code == http.StatusOK })
	_, metrics := get("/metrics")
	for _, name := range []string{"seamline_line_batches_total", "seamline_decode_rejects_total{feed=\"pos\",reason=\"card_number\"} 0", "seamline_consumers_lag_records",
		"seamline_line_stage_seconds_count{stage=\"stitch\"}", "seamline_clickhouse_rows_total{table=\"events\"}", "seamline_line_latency_seconds_bucket", "process_cpu_seconds_total"} {
		if !strings.Contains(metrics, name) {
			t.Errorf("/metrics has no %s", name)
		}
	}
	if code, _ := get("/debug/pprof/cmdline"); code != http.StatusOK {
		t.Errorf("pprof gives %d", code)
	}
	if code := p.stop(syscall.SIGTERM); code != 0 {
		t.Errorf("exit %d: %s", code, p.errors())
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	k := localtest.Kafka(t)
	var port int
	if _, err := fmt.Sscanf(k.Addr(), "127.0.0.1:%d", &port); err != nil {
		t.Fatal(err)
	}
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	return port
}

func TestExitCodesAndMessages(t *testing.T) {
	t.Parallel()
	k := localtest.Kafka(t)
	config := filepath.Join(t.TempDir(), "seamline.yaml")
	if err := os.WriteFile(config, []byte("kafka:\n  brokers: [a:9092, b:9092]\n  topic.pos: till\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := func(want int, message string, args ...string) {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			t.Parallel()
			out, errs, code := seamline(t, args...)
			if code != want || !strings.Contains(out+errs, message) {
				t.Errorf("exit %d, want %d with %q; it says: %s%s", code, want, message, out, errs)
			}
		})
	}
	f(2, "a command is missing")
	f(2, `unknown command "runn"`, "runn")
	f(0, "seamline run", "help")
	f(0, "-kafka.brokers", "run", "-h")
	f(0, "go1.", "version")
	f(2, "kafka.brokers is empty", "run")
	f(2, "flag provided but not defined: -kafka.broker", "run", "--kafka.broker", "x")
	f(2, "line 3: unknown setting kafka.topic.pos; did you mean", "check", "--config", config)
	f(2, "no such file", "run", "--config", "/nonexistent.yaml")
	f(2, "--advance-to needs", "run", "--kafka.brokers", "x:1", "--advance-to", "2026-01-01T00:00:00Z")
	f(2, "RFC 3339", "run", "--now", "yesterday")
	f(2, "audiences.rules", "run", "--kafka.brokers", "x:1", "--audiences.rules", config)
	f(2, "--topic is missing", "publish", "--kafka.brokers", "x:1", "file")
	f(1, "no such file", "publish", "--kafka.brokers", k.Addr(), "--topic", "t", "/nonexistent")
	f(1, "kafka-topics.sh --bootstrap-server", "run", "--kafka.brokers", k.Addr(), "--state.dir", t.TempDir(), "--http.addr", "")
	f(1, "kafka.brokers", "check")
}

func TestCheckPrintsEffectiveSettings(t *testing.T) {
	t.Parallel()
	config := filepath.Join(t.TempDir(), "seamline.yaml")
	text := "kafka:\n  brokers: [a:9092, b:9092]\n  sasl: {mechanism: plain, user: u, password: secret-1}\nbatch.wait: 250ms\nstate:\n  memory: 8GiB\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Run("file, flag and default", func(t *testing.T) {
		t.Parallel()
		out, errs, code := seamline(t, "check", "--config", config, "--batch.records", "17")
		for _, want := range []string{"kafka.brokers: a:9092,b:9092", "batch.wait: 250ms", "batch.records: \"17\"", "state.memory: 8GiB",
			"kafka.sasl.password: (set)", "clickhouse.database: seamline", "dedup.window: 168h0m0s"} {
			if !strings.Contains(out, want+"\n") {
				t.Errorf("check does not print %q", want)
			}
		}
		if code != 0 || strings.Contains(out+errs, "secret-1") {
			t.Errorf("exit %d, secrets shown: %v", code, strings.Contains(out+errs, "secret-1"))
		}
	})
}

// TestEverySettingHasThreeNames: each setting can be given as a flag, in the environment and in a file.
func TestEverySettingHasThreeNames(t *testing.T) {
	s := defaultSettings()
	t.Setenv("SEAMLINE_BATCH_RECORDS", "5")
	t.Setenv("SEAMLINE_KAFKA_TOPICS_DEAD_LETTERS", "dl")
	t.Setenv("SEAMLINE_DEDUP_WINDOW", "2h")
	config := filepath.Join(t.TempDir(), "seamline.yaml")
	if err := os.WriteFile(config, []byte("batch: {records: 6, bytes: 2000000}\ndedup.window: 3h\npipeline.id: shop\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.parse(flag.NewFlagSet("test", flag.ContinueOnError), []string{"--config", config, "--dedup.window", "4h"}); err != nil {
		t.Fatal(err)
	}
	if s.Kafka.RecordsMax != 5 || s.Kafka.BytesMax != 2000000 || s.Kafka.DeadLetters != "dl" || s.Dedup.Window != 4*time.Hour || s.PipelineID != "shop" {
		t.Errorf("flag over environment over file: got %d %d %s %s %s", s.Kafka.RecordsMax, s.Kafka.BytesMax, s.Kafka.DeadLetters, s.Dedup.Window, s.PipelineID)
	}
	t.Setenv("SEAMLINE_BATCH_RECORDS", "many")
	if err := s.parse(flag.NewFlagSet("test", flag.ContinueOnError), nil); err == nil || !strings.Contains(err.Error(), "SEAMLINE_BATCH_RECORDS") {
		t.Errorf("a bad variable: got error %v", err)
	}
}

// TestDemo runs the demo as a newcomer does, for a few seconds.
func TestDemo(t *testing.T) {
	t.Parallel()
	out, errs, code := seamline(t, "demo", "--for", "9s", "--shoppers", "900", "--history", "96h", "--rate", "50")
	for _, want := range []string{"Customers across channels", "Cart abandoners", "The funnel", "clickhouse client --host 127.0.0.1", "kcat -b 127.0.0.1", "/metrics", "/export/google.csv",
		"records (", "Stopped; everything read was committed."} {
		if !strings.Contains(out, want) {
			t.Errorf("the demo does not print %q", want)
		}
	}
	if strings.Contains(out, "(none yet)") {
		t.Errorf("a query of the demo finds nothing:\n%s", out)
	}
	if code != 0 {
		t.Errorf("exit %d: %s", code, errs)
	}
}

// TestGenerateAndCheckTruth checks the generator's command: the truth it writes counts the records that are in the topics.
func TestGenerateAndCheckTruth(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	truth := filepath.Join(t.TempDir(), "truth.ndjson")
	out, errs, code := seamline(t, "generate", "--kafka.brokers", s.settings.Kafka.Brokers, "--kafka.topics.create", "--shoppers.count", "50",
		"--shoppers.seed", "7", "--truth", truth)
	if code != 0 || !strings.Contains(out, "seed 7: published ") {
		t.Fatalf("exit %d: %s%s", code, out, errs)
	}
	text, err := os.ReadFile(truth)
	if err != nil || !bytes.Contains(text, []byte(`"by_type"`)) {
		t.Errorf("the truth file has %d bytes, error %v", len(text), err)
	}
}
