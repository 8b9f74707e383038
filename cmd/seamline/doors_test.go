package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/seamline/seamline/"

// doors says which of our packages a room may import, beside itself and those below it. Rooms know only the words; only cmd knows
// the rooms. `contact` is pure and needs tables of phone numbers and letters. `field`, `state` and `slab` are tools of the
// consumers, the line and its stages, and know no room either.
var doors = map[string][]string{
	"cmd":               {"*"},
	"schemas":           {},
	"schemas/contact":   {"schemas"},
	"consumers/decode":  {"schemas", "consumers/field"},
	"consumers/kafka":   {"schemas", "schemas/fault"},
	"consumers":         {"schemas", "schemas/contact", "consumers/field"},
	"pipeline":          {"schemas", "schemas/fault", "pipeline/state"},
	"pipeline/state":    {"schemas", "schemas/fault"},
	"pipeline/slab":     {},
	"pipeline/stitch":   {"schemas", "schemas/contact", "pipeline/slab"},
	"pipeline/score":    {"schemas", "pipeline/slab"},
	"pipeline/audience": {"schemas", "pipeline/slab"},
	"pipeline/timers":   {"schemas", "pipeline/slab"},
	"pipeline/dedup":    {"schemas", "pipeline/slab"},
	"sinks":             {"schemas", "schemas/contact", "schemas/fault", "schemas/tables"},
	"deploy":            {"schemas"},
}

// guarded says which libraries may be imported only in some places.
var guarded = map[string][]string{
	"github.com/twmb/franz-go":           {"consumers/kafka", "sinks/kafka", "deploy/local", "cmd/seamline/bench"}, // the last measures it
	"github.com/ClickHouse/":             {"sinks/clickhouse", "sinks/export"},
	"github.com/cockroachdb/pebble":      {"pipeline/state"},
	"github.com/testcontainers/":         {"deploy/local/localtest"},
	"github.com/prometheus/client_model": {"cmd"},
}

func TestDoors(t *testing.T) {
	t.Parallel()
	files := 0
	err := filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (strings.HasPrefix(entry.Name(), ".") && entry.Name() != ".." && len(entry.Name()) > 2 || entry.Name() == "testdata" || entry.Name() == "build") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		files++
		folder, _ := filepath.Rel("../..", filepath.Dir(path))
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range file.Imports {
			name, _ := strconv.Unquote(spec.Path.Value)
			checkDoor(t, filepath.ToSlash(folder), name)
		}
		return nil
	})
	if err != nil || files < 50 {
		t.Fatalf("read %d files: %v", files, err)
	}
}

func checkDoor(t *testing.T, folder, name string) {
	t.Helper()
	for library, places := range guarded {
		if strings.HasPrefix(name, library) && !slices.ContainsFunc(places, func(p string) bool { return within(folder, p) }) {
			t.Errorf("%s imports %s, which is for %v only", folder, name, places)
		}
	}
	target, ours := strings.CutPrefix(name, module)
	if !ours {
		if within(folder, "schemas") && strings.Contains(name, ".") && folder != "schemas/contact" {
			t.Errorf("%s imports %s: the words import the standard library only", folder, name)
		}
		return
	}
	room := folder
	for doors[room] == nil {
		parent := filepath.ToSlash(filepath.Dir(room))
		if parent == room || parent == "." {
			t.Errorf("%s is in no room that doors knows", folder)
			return
		}
		room = parent
	}
	if within(target, folder) || within(folder, target) && strings.Count(target, "/") > 0 {
		return // its own room
	}
	if !slices.Contains(doors[room], "*") && !slices.Contains(doors[room], target) {
		t.Errorf("%s imports %s; its doors are %v", folder, target, doors[room])
	}
}

func within(folder, room string) bool { return folder == room || strings.HasPrefix(folder, room+"/") }

func TestTopLevel(t *testing.T) {
	t.Parallel()
	allowed := []string{"cmd", "pipeline", "consumers", "sinks", "schemas", "deploy", "docs", "go.mod", "go.sum", "Makefile", "README.md",
		"LICENSE", ".ci", ".git", ".gitignore", ".github", "build"}
	entries, err := os.ReadDir("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !slices.Contains(allowed, e.Name()) {
			t.Errorf("%s is outside the agreed top level", e.Name())
		}
	}
}
