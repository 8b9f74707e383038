// Package deploy_test reads every file under deploy as the tool that it is written for would read it.
// In come the files and the Go sources; out comes a failure for each field, file, metric or setting that does not exist.
// It never starts anything.
package deploy_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"gopkg.in/yaml.v3"
)

// decodeStrict reads every document of a YAML file into a T each, and fails for fields that T does not have.
func decodeStrict[T any](t *testing.T, path string) []T {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return decodeStrictText[T](t, path, text)
}

func decodeStrictText[T any](t *testing.T, path string, text []byte) []T {
	t.Helper()
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	var documents []T
	for {
		var document T
		err := decoder.Decode(&document)
		if errors.Is(err, io.EOF) {
			return documents
		}
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		documents = append(documents, document)
	}
}

// files lists what lies under a folder with one of the endings.
func files(t *testing.T, root string, endings ...string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() && path != root && (strings.HasPrefix(name, ".") || name == "testdata" || name == "build" || name == "bin") {
			return filepath.SkipDir
		}
		if !entry.IsDir() && slices.Contains(endings, filepath.Ext(name)) {
			found = append(found, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// Every file must be read by one of the tests of this package: whoever adds one adds its reader.
func TestEveryFileHasAReader(t *testing.T) {
	t.Parallel()
	read := []string{
		"compose/compose.yaml", "compose/seamline.yaml",
		"kubernetes/*.yaml",
		"prometheus/prometheus.yml", "prometheus/alerts.yaml",
		"grafana/provisioning/*/*.yaml", "grafana/dashboards/*.json",
	}
	for _, path := range files(t, ".", ".yaml", ".yml", ".json") {
		if strings.HasPrefix(path, "local/") || strings.HasPrefix(path, "shoppers/") {
			continue
		}
		isRead := slices.ContainsFunc(read, func(pattern string) bool {
			ok, err := filepath.Match(pattern, filepath.ToSlash(path))
			return ok && err == nil
		})
		if !isRead {
			t.Errorf("%s is read by no test", path)
		}
		if text, err := os.ReadFile(path); err != nil || !parses(path, text) {
			t.Errorf("%s cannot be parsed: %v", path, err)
		}
	}
}

func parses(path string, text []byte) bool {
	if filepath.Ext(path) == ".json" {
		return json.Valid(text)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var node yaml.Node
		if err := decoder.Decode(&node); err != nil {
			return errors.Is(err, io.EOF)
		}
	}
}

// names are what the Go sources define.
type names struct{ metrics, settings map[string]bool }

var (
	metricName  = regexp.MustCompile(`seamline_[a-z0-9]+(?:_[a-z0-9]+)+`)
	metricText  = regexp.MustCompile(`"(seamline_[a-z0-9_]+)"`)
	settingText = regexp.MustCompile(`\b\w+Var\(&[\w.\[\]"]+, "([a-z][a-z0-9.-]*)"`)
	sources     = sync.OnceValues(readSources)
)

func readSources() (names, error) {
	found := names{metrics: map[string]bool{}, settings: map[string]bool{}}
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && path != ".." && strings.HasPrefix(entry.Name(), ".") {
			return filepath.SkipDir
		}
		if entry.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, match := range metricText.FindAllSubmatch(text, -1) {
			found.metrics[string(match[1])] = true
		}
		for _, match := range settingText.FindAllSubmatch(text, -1) {
			found.settings[string(match[1])] = true
		}
		return nil
	})
	return found, err
}

func sourceNames(t *testing.T) names {
	t.Helper()
	found, err := sources()
	if err != nil {
		t.Fatal(err)
	}
	if len(found.metrics) == 0 || len(found.settings) == 0 {
		t.Fatalf("the Go sources define %d metrics and %d settings: the patterns of this test do not fit them", len(found.metrics), len(found.settings))
	}
	return found
}

// rooms tells where the metrics seamline_<room>_... are defined.
var rooms = map[string]string{
	"consumers": "consumers/kafka", "decode": "consumers/decode", "dedup": "pipeline/dedup", "line": "pipeline",
	"state": "pipeline", "stitch": "pipeline/stitch", "score": "pipeline/score", "audience": "pipeline/audience",
	"clickhouse": "sinks/clickhouse",
}

// checkMetrics fails for metrics in an expression that the sources do not define. Only those of a room without any source are
// logged instead.
func checkMetrics(t *testing.T, where, expression string) {
	t.Helper()
	known := sourceNames(t).metrics
	for _, name := range metricName.FindAllString(expression, -1) {
		base := name
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			base = strings.TrimSuffix(base, suffix)
		}
		if known[name] || known[base] {
			continue
		}
		folder := rooms[strings.Split(name, "_")[1]]
		if written, err := filepath.Glob(filepath.Join("..", folder, "*.go")); folder != "" && len(written) == 0 && err == nil {
			t.Logf("%s names %s; %s is not written yet", where, name, folder)
			continue
		}
		t.Errorf("%s names %s, which no source defines", where, name)
	}
}

func keys(set map[string]bool) []string {
	list := make([]string, 0, len(set))
	for key := range set {
		list = append(list, key)
	}
	slices.Sort(list)
	return list
}

// contractSettings are promised; a room that is not written yet may be configured by them.
var contractSettings = []string{
	"kafka.brokers", "clickhouse.addr", "clickhouse.user", "clickhouse.password", "clickhouse.database", "state.dir",
	"state.memory", "http.addr", "identity.rules", "audiences.rules", "batch.records", "batch.wait", "pipeline.id",
}

// checkSetting fails for a setting that neither the sources nor the contract know.
func checkSetting(t *testing.T, where, key string) {
	t.Helper()
	if !sourceNames(t).settings[key] && !slices.Contains(contractSettings, key) {
		t.Errorf("%s sets %s, which no source defines", where, key)
	}
}

// checkSettingsText checks every key of a settings file.
func checkSettingsText(t *testing.T, where string, text []byte) {
	t.Helper()
	documents := decodeStrictText[map[string]any](t, where, text)
	if len(documents) != 1 {
		t.Fatalf("%s has %d documents", where, len(documents))
	}
	var walk func(prefix string, node map[string]any)
	walk = func(prefix string, node map[string]any) {
		for key, value := range node {
			if inner, ok := value.(map[string]any); ok {
				walk(prefix+key+".", inner)
				continue
			}
			checkSetting(t, where, prefix+key)
		}
	}
	walk("", documents[0])
}

// checkVariable checks a SEAMLINE_ variable; others are not ours.
func checkVariable(t *testing.T, where, variable string) {
	t.Helper()
	if !strings.HasPrefix(variable, "SEAMLINE_") {
		return
	}
	known := append(keys(sourceNames(t).settings), contractSettings...)
	if !slices.ContainsFunc(known, func(key string) bool { return variableOf(key) == variable }) {
		t.Errorf("%s sets %s, which is no setting's variable", where, variable)
	}
}

func variableOf(key string) string {
	return "SEAMLINE_" + strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(key))
}

// The checks must be able to fail.
func TestTheChecksFindMistakes(t *testing.T) {
	t.Parallel()
	if got := metricName.FindAllString(`rate(seamline_line_latency_seconds_bucket{a="b"}[5m]) / seamline_dedup_ids`, -1); len(got) != 2 {
		t.Errorf("metrics found: %q", got)
	}
	if got := variableOf("identity.key-file"); got != "SEAMLINE_IDENTITY_KEY_FILE" {
		t.Errorf("variable is %s", got)
	}
	known := sourceNames(t)
	for _, name := range []string{"seamline_line_batches_total", "seamline_consumers_records_total"} {
		if !known.metrics[name] {
			t.Errorf("%s was not found in the sources", name)
		}
	}
	for _, name := range []string{"kafka.brokers", "batch.wait", "identity.key-file"} {
		if !known.settings[name] {
			t.Errorf("setting %s was not found in the sources", name)
		}
	}
	if known.metrics["seamline_line_nothing_total"] || known.settings["kafka.nothing"] {
		t.Error("what does not exist was found")
	}
	if parses("a.yaml", []byte("a: [")) || parses("a.json", []byte("{")) || !parses("a.yaml", []byte("a: 1\n---\nb: 2\n")) {
		t.Error("parses does not tell good from bad")
	}
}
