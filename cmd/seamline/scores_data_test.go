package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seamline/seamline/schemas"
	producer "github.com/seamline/seamline/sinks/kafka"
)

// unzipped gives the bytes of a gzipped data set, or skips.
func unzipped(t *testing.T, path string) []byte {
	t.Helper()
	file, err := os.Open(dataSet(t, path))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	r, err := gzip.NewReader(bufio.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := b.ReadFrom(r); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// dataLines gives the lines of a gzipped data set.
func dataLines(t *testing.T, path string) []string {
	t.Helper()
	return strings.Split(strings.TrimSpace(string(unzipped(t, path))), "\n")
}

// dataRows gives the rows of a gzipped data set behind its header, and the column of every name.
func dataRows(t *testing.T, path string, comma rune) (rows [][]string, columns map[string]int) {
	t.Helper()
	r := csv.NewReader(bytes.NewReader(unzipped(t, path)))
	r.Comma = comma
	all, err := r.ReadAll()
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	columns = map[string]int{}
	for i, name := range all[0] {
		columns[name] = i
	}
	return all[1:], columns
}

// goldenVectors reads one of the recomputed results beside the data sets.
func goldenVectors(t *testing.T, name string, into any) {
	t.Helper()
	text, err := os.ReadFile(dataSet(t, "golden_vectors.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(all[name], into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

func float(t *testing.T, text string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func money(t *testing.T, text string) schemas.Decimal {
	t.Helper()
	d, err := schemas.ParseDecimal(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// isNear tells whether a number is where it was published to be.
func isNear(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s is %.9g, want %.9g within %g", what, got, want, tolerance)
	}
}

// number gives the only cell of a query as a number.
func (s *stand) number(sql string, args ...any) float64 {
	s.t.Helper()
	return float(s.t, s.one("SELECT toString(v) FROM ("+sql+")", args...))
}

// parameter gives a parameter of the last fit of a model. The names people and log_likelihood give the columns.
func (s *stand) parameter(model, name string) float64 {
	s.t.Helper()
	what := "parameters['" + name + "']"
	if name == "people" || name == "log_likelihood" {
		what = name
	}
	return s.number("SELECT "+what+" AS v FROM models FINAL WHERE name = ? ORDER BY version DESC LIMIT 1", model)
}

// jsonMessage is a record with the JSON of a value.
func jsonMessage(t *testing.T, feed schemas.Feed, at time.Time, value any) producer.Message {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return producer.Message{Topic: string(feed), Value: text, Time: at}
}

// settle runs the line and lets time pass up to a moment, so that what is due by then is done.
func (s *stand) settle(at time.Time) {
	s.t.Helper()
	s.run(func(o *runOptions) { o.now, o.advanceTo = schemas.TimeOf(at.Add(24*time.Hour)), schemas.TimeOf(at) })
	s.expect("SELECT count() FROM dead_letters", "0")
}
