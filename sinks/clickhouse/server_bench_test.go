package clickhouse

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seamline/seamline/deploy/local/localtest"
)

// insertCostMax is the goal: what our INSERTs may cost the server, as a part of what the same rows cost as JSON objects.
const insertCostMax = 0.45

// BenchmarkServer tells what the server's CPU costs: the same rows of events as our INSERTs and as JSON objects, side by side, with the
// columns, codecs, indexes and durability of the table and equal rows in each INSERT; and a batch with all its tables, with our own CPU
// and the parts that it makes. Merges are stopped, so that both pay for writing alone. Medians of all rounds.
func BenchmarkServer(b *testing.B) {
	const rows = 100_000
	used := serverCPU(b)
	ours, theirs, whole := config(b), config(b), config(b)
	s, all := open(b, ours), open(b, whole)
	migrate(b, theirs)
	for _, cfg := range []Config{ours, theirs, whole} {
		for table := range keys {
			exec(b, cfg, "SYSTEM STOP MERGES "+cfg.Database+"."+table)
		}
	}
	r := rand.New(rand.NewPCG(1, 1))
	var native, json, batch, client []float64
	number := uint64(0)
	round := func() {
		number++
		full := usual(r, number, rows)
		alone := *full
		alone.Profiles, alone.Identifiers = nil, nil
		native = append(native, per(used, rows, func() { write(b, s, &alone) }))
		text := post(b, "SELECT * FROM "+ours.Database+".events WHERE _batch = "+strconv.FormatUint(number, 10)+" ORDER BY kafka_offset FORMAT JSONEachRow", "")
		json = append(json, per(used, rows, func() { post(b, "INSERT INTO "+theirs.Database+".events FORMAT JSONEachRow", text) }))
		batch = append(batch, per(used, rows, func() {
			client = append(client, per(func() time.Duration { return processCPU(b) }, rows, func() { write(b, all, full) }))
		}))
	}
	round() // warms up
	native, json, batch, client = nil, nil, nil, nil
	for b.Loop() {
		round()
	}
	sum := func(c Config) string { return one(b, c, "SELECT sum(cityHash64(*)) FROM events") }
	if one, other := sum(ours), sum(theirs); one != other {
		b.Fatalf("the tables differ: %s and %s", one, other)
	}
	parts := one(b, whole, "SELECT toFloat64(max(n)) FROM (SELECT table, count() AS n FROM system.parts WHERE active AND database = '"+whole.Database+"' AND table IN ('events', 'profiles', 'identifiers', 'commits') GROUP BY table)")
	n, err := strconv.ParseFloat(parts, 64)
	if err != nil {
		b.Fatal(err)
	}
	ratio := median(native) / median(json)
	b.ReportMetric(median(native), "server-us/row")
	b.ReportMetric(median(json), "json-us/row")
	b.ReportMetric(ratio, "ratio")
	b.ReportMetric(median(batch), "batch-server-us/event")
	b.ReportMetric(median(client), "batch-client-us/event")
	b.ReportMetric(n/float64(number), "parts/table/batch")
	b.ReportMetric(0, "ns/op")
	verdict := "pass"
	if ratio > insertCostMax {
		verdict = "not met"
	}
	b.Logf("our INSERTs cost the server %.2f times what JSONEachRow costs; goal at most %.2f: %s", ratio, insertCostMax, verdict)
}

func median(of []float64) float64 {
	of = slices.Sorted(slices.Values(of))
	return of[len(of)/2]
}

// per gives microseconds of CPU per row.
func per(used func() time.Duration, rows int, f func()) float64 {
	before := used()
	f()
	return float64((used() - before).Microseconds()) / float64(rows)
}

// post sends a statement, and what it is to insert, to the shared server.
func post(t testing.TB, statement, data string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, localtest.ClickHouse(t).URL()+"/?async_insert=0", strings.NewReader(statement+"\n"+data))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %.300s %v", statement, resp.Status, body, err)
	}
	return string(body)
}

// serverCPU reads the CPU time that the shared server has used so far.
func serverCPU(t testing.TB) func() time.Duration {
	const tick = 10 * time.Millisecond // of every Linux that Go runs on
	path := fmt.Sprintf("/proc/%d/stat", localtest.ClickHouse(t).PID())
	if _, err := os.Stat(path); err != nil {
		t.Skip("the CPU time of other processes can be read on Linux only")
	}
	return func() time.Duration {
		line, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		// The command's name stands in parentheses and may hold blanks.
		fields := strings.Fields(string(line[strings.LastIndexByte(string(line), ')')+1:]))
		user, _ := strconv.ParseInt(fields[11], 10, 64)
		system, _ := strconv.ParseInt(fields[12], 10, 64)
		return time.Duration(user+system) * tick
	}
}
