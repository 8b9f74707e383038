package model

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"flag"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// sharedData gives a file of the data sets beside the repository, or skips.
func sharedData(t testing.TB, path string) string {
	t.Helper()
	root := os.Getenv("SEAMLINE_DATA")
	if root == "" {
		root = "../../../../shared/data"
	}
	file := filepath.Join(root, path)
	if _, err := os.Stat(file); err != nil {
		t.Skipf("the data set %s is not here: SEAMLINE_DATA names the folder that holds it", path)
	}
	return file
}

// readLines gives the lines of a zipped file.
func readLines(t testing.TB, path string) (lines []string) {
	t.Helper()
	file, err := os.Open(sharedData(t, path))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	scanner := bufio.NewScanner(unzipped)
	for scanner.Scan() {
		lines = append(lines, strings.TrimRight(scanner.Text(), "\r"))
	}
	if err := scanner.Err(); err != nil {
		t.Fatal(err)
	}
	return lines
}

// golden reads one entry of golden_vectors.json.
func golden(t testing.TB, name string, to any) {
	t.Helper()
	text, err := os.ReadFile(sharedData(t, "golden_vectors.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(all[name], to); err != nil {
		t.Fatalf("%s of golden_vectors.json: %v", name, err)
	}
}

func number(t testing.TB, text string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// near fails the test where got is further than within from want, or is not a number.
func near(t testing.TB, what string, got, want, within float64) {
	t.Helper()
	if !(math.Abs(got-want) <= within) {
		t.Errorf("%s is %.12g, want %.12g to %g", what, got, want, within)
	}
}

var seed = flag.Uint64("seed", 0, "seed of randomised tests; 0 draws one")

func newSeed(t testing.TB) *rand.Rand {
	t.Helper()
	n := *seed
	if n == 0 {
		n = uint64(time.Now().UnixNano())
	}
	t.Logf("replay with -seed %d", n)
	return rand.New(rand.NewPCG(n, n))
}
