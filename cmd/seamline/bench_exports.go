package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/seamline/seamline/cmd/seamline/bench"
	"github.com/seamline/seamline/pipeline"
	"github.com/seamline/seamline/sinks/clickhouse"
	"github.com/seamline/seamline/sinks/export"
)

// exportsFile fills the tables in the server: people with an address and a phone number each, all of them in one audience, and each in one of many.
//
//go:embed bench_exports.sql
var exportsFile string

// Sizes of the part exports, and its targets.
const (
	exportPeopleLong  = 1_000_000
	exportPeopleShort = 200_000
	exportAudiences   = 1_000
	exportRowsMin     = 200_000 // per second
	exportHeapMax     = 256     // MB
	exportCallsMax    = 50      // milliseconds
	exportCalls       = 400
	exportPage        = 1000
	exportsDatabase   = "bench_exports"
)

// exporting measures lists of audiences: one of everybody, made and pulled, many small ones, and calls for changes.
func (b *benchRun) exporting(ctx context.Context) error {
	people := exportPeopleLong
	if b.isShort {
		people = exportPeopleShort
	}
	s := b.settings
	s.ClickHouse.Database, s.Exports.Dir = exportsDatabase, filepath.Join(b.dir, "exports", "lists")
	token, err := b.exportCredentials(&s)
	if err != nil {
		return err
	}
	if err := b.fillExports(ctx, &s, people); err != nil {
		return err
	}
	x, err := s.exporter(export.Options{}, nil)
	if err != nil {
		return err
	}
	defer x.Close()
	everybody := []export.List{{Audience: "everybody", Platform: "meta"}}
	before, err := b.processes.Usage()
	if err != nil {
		return err
	}
	took, peak, err := watchHeap(func() error { return x.Refresh(ctx, everybody) })
	if err != nil {
		return err
	}
	after, err := b.processes.Usage()
	if err != nil {
		return err
	}
	b.say("a list of %d people was made in %.2f s, with %.0f MB at most; ClickHouse used %.2f s of CPU", people, took.Seconds(), peak, (after.ClickHouse - before.ClickHouse).Seconds())
	b.part.Targets = append(b.part.Targets, bench.AtLeast("a full export of a list, made from ClickHouse with its ledger", float64(people)/took.Seconds(), exportRowsMin, "rows/s").With(fmt.Sprintf("%d people", people)),
		bench.AtMost("memory of that", peak, exportHeapMax, "MB").With("Go heap at most, beyond what was there"))
	if took, _, err = watchHeap(func() error { return x.Refresh(ctx, everybody) }); err != nil {
		return err
	}
	b.say("the same list, of which nothing changed: %.2f s", took.Seconds())
	var lists []export.List
	for i := range exportAudiences {
		lists = append(lists, export.List{Audience: "audience_" + strconv.Itoa(i), Platform: "meta"})
	}
	if took, peak, err = watchHeap(func() error { return x.Refresh(ctx, lists) }); err != nil {
		return err
	}
	b.say("%d lists of %d people each: %.2f s, with %.0f MB at most", len(lists), people/len(lists), took.Seconds(), peak)
	return b.pulling(ctx, &s, x, token, people)
}

// exportCredentials makes a credential for all lists.
func (b *benchRun) exportCredentials(s *settings) (token string, err error) {
	token, secret, err := export.NewSecret(export.KindBearer)
	if err != nil {
		return "", err
	}
	text, err := yaml.Marshal(map[string]any{"credentials": []export.Credential{{Name: "bench", Kind: export.KindBearer, Audiences: []string{"*"}, Platforms: []string{"meta"},
		Rate: 1e9, Burst: 1e9, Secrets: []export.Secret{secret}}}})
	if err != nil {
		return "", err
	}
	s.Exports.Credentials = filepath.Join(b.dir, "credentials.yaml")
	return token, os.WriteFile(s.Exports.Credentials, text, 0o600)
}

// fillExports makes the people, and merges the parts, as time does.
func (b *benchRun) fillExports(ctx context.Context, s *settings, people int) error {
	if err := clickhouse.Migrate(ctx, s.ClickHouse, b.log); err != nil {
		return err
	}
	fill := strings.NewReplacer("{people}", strconv.Itoa(people), "{database}", exportsDatabase, "{audiences}", strconv.Itoa(exportAudiences))
	for statement := range strings.SplitSeq(exportsFile, ";\n") {
		if strings.TrimSpace(statement) == "" {
			continue
		}
		if _, err := b.askClickHouse(ctx, fill.Replace(statement), nil); err != nil {
			return err
		}
	}
	b.say("%d people are there, in %d audiences", people, exportAudiences+1)
	return nil
}

// watchHeap runs f and tells how long it took and by how many megabytes the heap grew at most.
func watchHeap(f func() error) (took time.Duration, peak float64, err error) {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	look := func() float64 {
		metrics.Read(sample)
		return float64(sample[0].Value.Uint64())
	}
	runtime.GC()
	before := look()
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			peak = max(peak, look()-before)
			select {
			case <-time.After(5 * time.Millisecond):
			case <-stop:
				return
			}
		}
	}()
	start := time.Now()
	err = f()
	took = time.Since(start)
	close(stop)
	<-ended
	return took, peak / 1e6, err
}

// pulling measures what callers see, over real HTTP.
func (b *benchRun) pulling(ctx context.Context, s *settings, x *export.Exporter, token string, people int) error {
	r := &pipelineRun{settings: s, exports: x, health: pipeline.NewHealth(), runOptions: runOptions{registry: newRegistry(), log: b.log}}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: r.handler(), ReadHeaderTimeout: 5 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	defer func() { _ = server.Close(); <-ended }() // nobody asks any more
	ask := func(path string, read func(io.Reader) error) (time.Duration, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+listener.Addr().String()+path, nil)
		if err != nil {
			return 0, err
		}
		request.Header.Set("Authorization", "Bearer "+token)
		request.Header.Set("Accept-Encoding", "identity")
		start := time.Now()
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			return 0, err
		}
		defer answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			text, _ := io.ReadAll(answer.Body) // the status says enough
			return 0, fmt.Errorf("%s: %s: %s", path, answer.Status, text)
		}
		err = read(answer.Body)
		return time.Since(start), err
	}
	bytes := int64(0)
	took, err := ask("/v1/audiences/everybody/export/meta.csv", func(in io.Reader) (err error) { bytes, err = io.Copy(io.Discard, in); return err })
	if err != nil {
		return err
	}
	b.part.Targets = append(b.part.Targets, bench.AtLeast("a full export of a list, pulled", float64(people)/took.Seconds(), exportRowsMin, "rows/s").With(fmt.Sprintf("%d MB", bytes/1e6)))
	return b.following(ask)
}

// following measures calls for changes.
func (b *benchRun) following(ask func(string, func(io.Reader) error) (time.Duration, error)) error {
	var took []time.Duration
	var page struct {
		Changes []json.RawMessage `json:"changes"`
		Next    string            `json:"next"`
		More    bool              `json:"more"`
	}
	query := ""
	for range exportCalls {
		whole, err := ask(fmt.Sprintf("/v1/audiences/everybody/changes?limit=%d%s", exportPage, query), func(in io.Reader) error { return json.NewDecoder(in).Decode(&page) })
		if err != nil {
			return err
		}
		if len(page.Changes) != exportPage {
			return fmt.Errorf("a page has %d changes", len(page.Changes))
		}
		took, query = append(took, whole), "&since="+page.Next
		if !page.More {
			query = ""
		}
	}
	slices.Sort(took)
	p99 := took[len(took)*99/100]
	b.say("calls for %d changes: median %s, p99 %s", exportPage, took[len(took)/2].Round(time.Microsecond), p99.Round(time.Microsecond))
	b.part.Targets = append(b.part.Targets, bench.AtMost("p99 of a call for changes", float64(p99.Microseconds())/1000, exportCallsMax, "ms").With(fmt.Sprintf("%d calls for %d changes each", exportCalls, exportPage)))
	return nil
}
