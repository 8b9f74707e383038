package local

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// registry is a stand-in for npm with one package.
type registry struct {
	npm       string // the program
	calls     string // a file with one line per run
	integrity string // of the package
}

const libraryText = "the library's bytes"

// newRegistry writes a package with the given file and an npm that reports the integrity that reported makes of the true one.
func newRegistry(t *testing.T, file, report string) registry {
	t.Helper()
	dir := t.TempDir()
	pack := packageWith(t, file)
	sum := sha512.Sum512(pack)
	r := registry{
		npm: filepath.Join(dir, "npm"), calls: filepath.Join(dir, "calls"),
		integrity: "sha512-" + base64.StdEncoding.EncodeToString(sum[:]),
	}
	source := filepath.Join(dir, "source.tgz")
	if err := os.WriteFile(source, pack, 0o644); err != nil {
		t.Fatal(err)
	}
	if report == "" {
		report = `[{"filename":"lib.tgz","integrity":"` + r.integrity + `"}]`
	}
	script := fmt.Sprintf(`#!/bin/sh
echo "$@" >> '%s'
while [ $# -gt 0 ]; do [ "$1" = --pack-destination ] && out=$2; shift; done
cp '%s' "$out/lib.tgz" || exit 1
echo '%s'
`, r.calls, source, report)
	if err := os.WriteFile(r.npm, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return r
}

func packageWith(t *testing.T, file string) []byte {
	t.Helper()
	var pack bytes.Buffer
	zip := gzip.NewWriter(&pack)
	archive := tar.NewWriter(zip)
	for _, entry := range [][2]string{{"package/package.json", "{}"}, {file, libraryText}} {
		if err := archive.WriteHeader(&tar.Header{Name: entry[0], Mode: 0o644, Size: int64(len(entry[1]))}); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Write([]byte(entry[1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(archive.Close(), zip.Close()); err != nil {
		t.Fatal(err)
	}
	return pack.Bytes()
}

func (r registry) fetcher(root string) fetcher {
	return fetcher{
		root: root, release: release{platform: "test-os", version: "1.2.3"}, pinned: r.integrity,
		look: func(string) (string, error) { return r.npm, nil }, progress: newProgress(nil),
	}
}

func (r registry) runs(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile(r.calls)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return bytes.Count(text, []byte("\n"))
}

func noNpm(string) (string, error) { return "", exec.ErrNotFound }

func checkEngine(t *testing.T, engine Engine) {
	t.Helper()
	text, err := os.ReadFile(engine.Path)
	if err != nil || string(text) != libraryText || engine.Kind != Library || engine.Version != "1.2.3" {
		t.Errorf("engine %+v holds %q, %v", engine, text, err)
	}
}

func TestADownloadIsCachedAndNeedsNoNpmAgain(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	r := newRegistry(t, "package/libchdb.so", "")
	f := r.fetcher(root)
	var said bytes.Buffer
	f.progress = newProgress(&said)
	engine, err := f.ensure(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	checkEngine(t, engine)
	if text := said.String(); !strings.Contains(text, "downloading ClickHouse 1.2.3") || !strings.Contains(text, "is ready in") {
		t.Errorf("progress is %q", text)
	}
	f.look, f.pinned = noNpm, ""
	said.Reset()
	if engine, err = f.ensure(t.Context()); err != nil {
		t.Fatal(err)
	}
	checkEngine(t, engine)
	if said.Len() != 0 {
		t.Errorf("a cached engine says %q", said.String())
	}
	left, err := filepath.Glob(filepath.Join(f.dir(), stagePrefix+"*"))
	if err != nil || len(left) != 0 {
		t.Errorf("the download left %v, %v", left, err)
	}
	if calls, err := os.ReadFile(r.calls); err != nil || !strings.HasPrefix(string(calls), "pack @chdb/lib-test-os@1.2.3 --json") {
		t.Errorf("npm was called with %q, %v", calls, err)
	}
}

func TestReportsOfOtherNpmVersionsAndNamesOfOtherSystems(t *testing.T) {
	t.Parallel()
	plain := newRegistry(t, "package/libchdb.dylib", "")
	r := newRegistry(t, "package/libchdb.dylib", `{"@chdb/lib-test-os":{"filename":"lib.tgz","integrity":"`+plain.integrity+`"}}`)
	engine, err := r.fetcher(t.TempDir()).ensure(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Base(engine.Path) != "libchdb.dylib" {
		t.Errorf("engine is %s", engine.Path)
	}
}

func TestWhatIsNotExactlyThePackageIsRefused(t *testing.T) {
	t.Parallel()
	good := newRegistry(t, "package/libchdb.so", "")
	f := func(name string, fetch fetcher, want ...string) {
		t.Helper()
		engine, err := fetch.ensure(t.Context())
		if err == nil {
			t.Errorf("%s: accepted %+v", name, engine)
			return
		}
		for _, part := range want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: error is %q, want %q in it", name, err, part)
			}
		}
		if _, ok := fetch.cached(); ok {
			t.Errorf("%s: the cache holds an engine", name)
		}
		if left, err := filepath.Glob(filepath.Join(fetch.dir(), stagePrefix+"*")); err != nil || len(left) > 0 {
			t.Errorf("%s: left %v, %v", name, left, err)
		}
	}
	other := good.fetcher(t.TempDir())
	other.pinned = "sha512-AAAA"
	f("another pin", other, "integrity mismatch", good.integrity, "sha512-AAAA")
	lying := newRegistry(t, "package/libchdb.so", `[{"filename":"lib.tgz","integrity":"sha512-BBBB"}]`)
	f("another report", lying.fetcher(t.TempDir()), "integrity mismatch", "npm reports", "sha512-BBBB")
	f("no library", newRegistry(t, "package/other.so", "").fetcher(t.TempDir()), "neither libchdb.so nor libchdb.dylib")
	f("no report", newRegistry(t, "package/libchdb.so", "oops").fetcher(t.TempDir()), "read the report of npm pack")
	f("empty report", newRegistry(t, "package/libchdb.so", "[]").fetcher(t.TempDir()), "names 0 packages")
	unpinned := good.fetcher(t.TempDir())
	unpinned.pinned = ""
	f("no pin", unpinned, errNoPin.Error(), envIntegrity, envBinary)
	absent := good.fetcher(t.TempDir())
	absent.look = noNpm
	f("no npm", absent, "not on the PATH", "install Node.js with npm", envBinary)
	failing := good.fetcher(t.TempDir())
	failing.look = func(string) (string, error) { return failingNpm(t), nil }
	f("npm fails", failing, "npm pack @chdb/lib-test-os@1.2.3", "exit status 7", "npm error code E404")
	if n := good.runs(t); n != 1 {
		t.Errorf("npm ran %d times, want once, for the wrong pin", n)
	}
}

func failingNpm(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "npm")
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho 'npm error code E404' >&2\nexit 7\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestConcurrentCallersDownloadOnce(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	r := newRegistry(t, "package/libchdb.so", "")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			engine, err := r.fetcher(root).ensure(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			checkEngine(t, engine)
		})
	}
	all.Wait()
	if n := r.runs(t); n != 1 {
		t.Errorf("npm ran %d times", n)
	}
}

func TestTornAndDamagedCopiesAreReplaced(t *testing.T) {
	t.Parallel()
	r := newRegistry(t, "package/libchdb.so", "")
	f := r.fetcher(t.TempDir())
	torn := filepath.Join(f.dir(), stagePrefix+"torn")
	if err := os.MkdirAll(torn, 0o755); err != nil {
		t.Fatal(err)
	}
	engine, err := f.ensure(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(torn); !os.IsNotExist(err) {
		t.Errorf("the torn download is still there: %v", err)
	}
	damages := map[string]func() error{
		"truncated library": func() error { return os.Truncate(engine.Path, 3) },
		"missing library":   func() error { return os.Remove(engine.Path) },
		"broken receipt": func() error {
			return os.WriteFile(filepath.Join(f.home(), receiptName), []byte("{"), 0o644)
		},
		"receipt that points elsewhere": func() error {
			return os.WriteFile(filepath.Join(f.home(), receiptName), []byte(`{"library":"../lock","bytes":0}`), 0o644)
		},
	}
	for name, damage := range damages {
		if err := damage(); err != nil {
			t.Fatal(err)
		}
		if engine, ok := f.cached(); ok {
			t.Errorf("%s: %+v counts as cached", name, engine)
		}
		again, err := f.ensure(t.Context())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		checkEngine(t, again)
	}
	if n := r.runs(t); n != 1+len(damages) {
		t.Errorf("npm ran %d times, want %d", n, 1+len(damages))
	}
}

func TestACancelledDownloadLeavesNothing(t *testing.T) {
	t.Parallel()
	r := newRegistry(t, "package/libchdb.so", "")
	started := filepath.Join(t.TempDir(), "started")
	slow := filepath.Join(t.TempDir(), "npm")
	if err := os.WriteFile(slow, []byte("#!/bin/sh\necho > '"+started+"'\nexec sleep 600\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	f := r.fetcher(t.TempDir())
	f.look = func(string) (string, error) { return slow, nil }
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	go func() {
		_, err := f.ensure(ctx)
		failed <- err
	}()
	await(t, "npm runs", func() bool {
		_, err := os.Stat(started)
		return err == nil
	})
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
	if left, err := filepath.Glob(filepath.Join(f.dir(), stagePrefix+"*")); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
}
