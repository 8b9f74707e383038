package clickhouse

import (
	"encoding/hex"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"math/big"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seamline/seamline/deploy/local/localtest"
	"github.com/seamline/seamline/schemas"
)

var seed = flag.Uint64("seed", 0, "seed of random tests; 0 takes one from the clock")

func TestMain(m *testing.M) { localtest.Main(m) }

// random gives a generator whose seed a failing test prints.
func random(t testing.TB) *rand.Rand {
	s := *seed
	if s == 0 {
		s = uint64(time.Now().UnixNano())
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("to repeat: -seed %d", s)
		}
	})
	return rand.New(rand.NewPCG(s, 1))
}

// config points at an empty database of the shared server.
func config(t testing.TB) Config {
	c := DefaultConfig()
	c.Database = localtest.Database(t)
	c.Addr = localtest.ClickHouse(t).Addr()
	return c
}

func open(t testing.TB, cfg Config) *Sink {
	t.Helper()
	s, err := Open(t.Context(), cfg, Options{PipelineID: "main", Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Registry: prometheus.NewRegistry(), Clear: testSealer()})
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

func write(t testing.TB, s *Sink, b *schemas.Batch) {
	t.Helper()
	if err := s.Write(t.Context(), b); err != nil {
		t.Fatalf("write batch %d: %v", b.Number, err)
	}
}

// row is one row as text, by column.
type row map[string]string

// read runs a query on the database and gives its rows as text, sorted.
func read(t testing.TB, cfg Config, sql string) []row {
	t.Helper()
	columns, found, err := Query(t.Context(), cfg, sql)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	rows := make([]row, len(found))
	for i, values := range found {
		rows[i] = row{}
		for j, v := range values {
			rows[i][columns[j]] = text(v)
		}
	}
	sortRows(rows)
	return rows
}

// one gives the only value of a query.
func one(t testing.TB, cfg Config, sql string) string {
	t.Helper()
	rows := read(t, cfg, sql)
	if len(rows) != 1 || len(rows[0]) != 1 {
		t.Fatalf("%s: %d rows, want one value", sql, len(rows))
	}
	for _, v := range rows[0] {
		return v
	}
	return ""
}

func sortRows(rows []row) {
	type keyed struct {
		key string
		row row
	}
	sort := make([]keyed, len(rows))
	for i, r := range rows {
		sort[i].row = r
		for _, column := range slices.Sorted(maps.Keys(r)) {
			sort[i].key += r[column] + "\x00"
		}
	}
	slices.SortFunc(sort, func(a, b keyed) int { return strings.Compare(a.key, b.key) })
	for i := range sort {
		rows[i] = sort[i].row
	}
}

// text gives equal texts for equal values of the driver and of our own types.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return "NULL"
	case time.Time:
		return v.UTC().Format("2006-01-02T15:04:05.000")
	case schemas.Time:
		return time.UnixMilli(int64(v)).UTC().Format("2006-01-02T15:04:05.000")
	case schemas.ProfileID:
		return v.String()
	case string:
		return fmt.Sprintf("%q", v)
	case *big.Int:
		return v.String()
	}
	r := reflect.ValueOf(v)
	if r.Kind() == reflect.Pointer {
		if r.IsNil() {
			return "NULL"
		}
		return text(r.Elem().Interface())
	}
	if s, ok := v.(fmt.Stringer); ok {
		return s.String()
	}
	switch r.Kind() {
	case reflect.Slice, reflect.Array:
		if r.Type().Elem().Kind() == reflect.Uint8 {
			return hex.EncodeToString(fmt.Appendf(nil, "%s", v))
		}
		parts := make([]string, r.Len())
		for i := range parts {
			parts[i] = text(r.Index(i).Interface())
		}
		return "[" + strings.Join(parts, " ") + "]"
	case reflect.Map:
		var parts []string
		for _, k := range r.MapKeys() {
			parts = append(parts, text(k.Interface())+":"+text(r.MapIndex(k).Interface()))
		}
		slices.Sort(parts)
		return "{" + strings.Join(parts, " ") + "}"
	}
	return fmt.Sprint(v)
}

// same fails where rows differ, naming the first column that does.
func same(t testing.TB, what string, got, want []row) {
	t.Helper()
	sortRows(want)
	if len(got) != len(want) {
		t.Errorf("%s: %d rows, want %d", what, len(got), len(want))
		return
	}
	for i := range got {
		for column, value := range got[i] {
			expected, ok := want[i][column]
			if !ok {
				t.Errorf("%s has column %s, and this test does not know it", what, column)
				return
			}
			if value != expected {
				t.Errorf("%s row %d column %s:\n got %.300s\nwant %.300s", what, i, column, value, expected)
				return
			}
		}
		if len(got[i]) != len(want[i]) {
			t.Errorf("%s has %d columns, want %d", what, len(got[i]), len(want[i]))
			return
		}
	}
}
