package export

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// names are the files of a directory.
func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// TestFilesOfListsThatAreGone: whoever fetches finds no list of an audience that is gone, rests, or is not named any more; a list that fails keeps
// its file, and the others are written all the same.
func TestFilesOfListsThatAreGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.people(0, 20, "US", grantedAll)
	for _, name := range []string{"lapsed", "vip", "new"} {
		w.audience(name, 0)
		w.enter(name, numbers(0, 9))
	}
	w.commit()
	x := w.exporter()
	dir := filepath.Join(t.TempDir(), "out")
	target := Target{Dir: dir, Lists: []string{"*:generic"}, Formats: []string{FormatCSV}}
	write := func(want error) *Manifest {
		t.Helper()
		w.now = w.now.Add(time.Minute)
		m, err := x.WriteTo(t.Context(), target)
		if !errors.Is(err, want) || want == nil && err != nil || m == nil {
			t.Fatalf("got %v, want %v", err, want)
		}
		return m
	}
	write(nil)
	if err := os.WriteFile(filepath.Join(dir, "notes.of.csv"), []byte("of somebody"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, want := names(t, dir), "lapsed.generic.csv lapsed.generic.csv.sha256 manifest.json new.generic.csv new.generic.csv.sha256 notes.of.csv vip.generic.csv vip.generic.csv.sha256"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for name, want := range map[string]os.FileMode{".": 0o750, "vip.generic.csv": 0o640, "vip.generic.csv.sha256": 0o640, "manifest.json": 0o640} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, want %v: %v", name, info.Mode().Perm(), want, err)
		}
	}
	// One rests, one becomes a control group, one is not there, and one stays.
	w.exec("INSERT INTO audiences (audience, active, _batch) SELECT 'vip', 0, 9")
	w.exec("INSERT INTO audiences (audience, active, holdout_of, _batch) SELECT 'new', 1, 'lapsed', 9")
	target.Lists = []string{"nothing:generic", "*:generic", "lapsed:myspace"}
	m := write(ErrUnknown)
	if got, want := names(t, dir), "lapsed.generic.csv lapsed.generic.csv.sha256 manifest.json notes.of.csv"; got != want || len(m.Lists) != 1 {
		t.Errorf("got %s, want %s", got, want)
	}
	// A list that fails keeps its file, and its place in the manifest.
	w.exec("INSERT INTO audiences (audience, active, _batch) SELECT 'vip', 1, 10")
	target.Lists = []string{"lapsed:generic", "vip:generic"}
	write(nil)
	blocked := filepath.Join(dir, "lapsed.generic.csv")
	if err := errors.Join(os.Rename(blocked, blocked+".away"), os.MkdirAll(filepath.Join(blocked, "full"), 0o700), os.Remove(filepath.Join(dir, "vip.generic.csv"))); err != nil {
		t.Fatal(err)
	}
	w.now = w.now.Add(time.Minute)
	m, err := x.WriteTo(t.Context(), target)
	if err == nil || m == nil || len(m.Lists) != 2 || len(m.Lists[0].Files) != 1 || !strings.Contains(names(t, dir), "vip.generic.csv vip") || !strings.Contains(names(t, dir), "lapsed.generic.csv.sha256") {
		t.Errorf("got %+v, %v, %s", m, err, names(t, dir))
	}
}

func TestFormatsOfFiles(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "platforms.yaml")
	text := "own:\n  checked_on: 2026-09-21\n  rows: person\n  encoding: hex\n  anchors: [email]\n  formats: [csv]\n  columns:\n    - {name: email, key: email, form: plain}\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f := func(lists, formats, want string) {
		t.Helper()
		c := DefaultConfig()
		c.Platforms, c.FilesLists, c.FilesFormats = path, lists, formats
		if err := c.Validate(); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s as %s: %v, want %q", lists, formats, err, want)
		}
	}
	f("*:own", "csv", "")
	f("*:own,*:generic", "csv", "")
	f("*:generic", "csv,ndjson", "")
	f("*:own,*:generic", "csv,ndjson", "own takes csv, and not ndjson")
	f("*:own", "xls", "use some of")
	f("*:nobody", "csv", "no platform")
}

// TestAFileWithoutItsChecksum is as if it were not there: it is made anew.
func TestAFileWithoutItsChecksum(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.people(0, 5, "US", grantedAll)
	w.audience("lapsed", 0)
	w.enter("lapsed", numbers(0, 5))
	w.commit()
	x, l := w.exporter(), List{"lapsed", "generic"}
	w.refresh(x, l)
	s, err := x.Standing(t.Context(), l)
	if err != nil {
		t.Fatal(err)
	}
	want := w.list(x, l, FormatCSV)
	path := filepath.Join(x.store.path(s), "list.csv")
	for _, broken := range []string{"", "\n", strings.Repeat("x", 64), strings.Repeat("0", 63), "-"} {
		if err := errors.Join(os.WriteFile(path, []byte("half a li"), 0o600), os.WriteFile(path+suffixSum, []byte(broken), 0o600)); err != nil {
			t.Fatal(err)
		}
		if broken == "-" {
			if err := os.Remove(path + suffixSum); err != nil {
				t.Fatal(err)
			}
		}
		if got := w.list(x, l, FormatCSV); got != want {
			t.Errorf("with checksum %q the list is %q", broken, got)
		}
	}
	a, err := x.Open(t.Context(), s, FormatCSV, false)
	if err != nil || a.SHA256 != s.SHA256 {
		t.Fatalf("the file made anew has another checksum: %v", err)
	}
	a.Close()
}
