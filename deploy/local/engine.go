package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// The variables that choose the ClickHouse engine.
const (
	envBinary    = "SEAMLINE_CLICKHOUSE_BIN"       // a clickhouse binary to use
	envCache     = "SEAMLINE_CACHE_DIR"            // replaces the user's cache directory
	envIntegrity = "SEAMLINE_CLICKHOUSE_INTEGRITY" // sha512-... of the package, where this build pins none
)

// EngineKind says how an engine is run.
type EngineKind string

// A Binary is ClickHouse's own executable, a Library is loaded by a child of this process.
const (
	Binary  EngineKind = "binary"
	Library EngineKind = "library"
)

// Engine is a ClickHouse that can be started.
type Engine struct {
	Kind    EngineKind `json:"kind"`
	Path    string     `json:"path"`
	Version string     `json:"version"` // of the library's package; empty for a binary
}

// EnsureClickHouse finds the engine, downloading it when there is none: first SEAMLINE_CLICKHOUSE_BIN, then `clickhouse` or
// `clickhouse-server` on the PATH, then the cached library, then the library's npm package.
func EnsureClickHouse(ctx context.Context, progress io.Writer) (Engine, error) {
	if engine, found, err := findBinary(os.Getenv(envBinary), exec.LookPath); err != nil || found {
		return engine, err
	}
	rel, err := releaseFor(runtime.GOOS, runtime.GOARCH)
	if err != nil {
		return Engine{}, err
	}
	if !libraryLoads {
		return Engine{}, fmt.Errorf("this build cannot load the ClickHouse library: put a clickhouse binary on the PATH or name it in %s", envBinary)
	}
	root, err := cacheRoot()
	if err != nil {
		return Engine{}, err
	}
	f := fetcher{root: root, release: rel, pinned: rel.pinned(), look: exec.LookPath, progress: newProgress(progress)}
	return f.ensure(ctx)
}

func findBinary(named string, look func(string) (string, error)) (Engine, bool, error) {
	if named != "" {
		path, err := look(named)
		if err != nil {
			return Engine{}, false, fmt.Errorf("%s names %s, which cannot be run: %w", envBinary, named, err)
		}
		return binaryAt(path)
	}
	for _, name := range []string{"clickhouse", "clickhouse-server"} {
		if path, err := look(name); err == nil {
			return binaryAt(path)
		}
	}
	return Engine{}, false, nil
}

func binaryAt(path string) (Engine, bool, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return Engine{}, false, fmt.Errorf("resolve %s: %w", path, err)
	}
	return Engine{Kind: Binary, Path: abs}, true, nil
}

func cacheRoot() (string, error) {
	if dir := os.Getenv(envCache); dir != "" {
		abs, err := filepath.Abs(dir)
		if err != nil {
			return "", fmt.Errorf("resolve %s: %w", envCache, err)
		}
		return abs, nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the user's cache directory (%s replaces it): %w", envCache, err)
	}
	return filepath.Join(dir, "seamline"), nil
}

// release is one version of the library's package for one platform.
type release struct {
	platform  string // as npm packages are named
	version   string
	integrity string // pinned; empty where the publisher's value could not be checked when this was written
	sizeBytes int64  // of the package, for progress; 0 when unknown
}

// libraryVersion is pinned since older libraries have no listen option, among them the one that is tagged latest.
const libraryVersion = "26.7.3-stable.1"

var releases = map[string]release{
	"linux/amd64": {
		platform:  "linux-x64-gnu",
		integrity: "sha512-XP97mMqnc5tZpKQywR8N7cLTsHNiTmHr30pC5mzo3jWmukjKn2IBa60c2B/gWUNcuFjOMjWoorQICCqBVj5wpw==",
		sizeBytes: 177_817_999,
	},
	"linux/arm64":  {platform: "linux-arm64-gnu"},
	"darwin/amd64": {platform: "darwin-x64"},
	"darwin/arm64": {platform: "darwin-arm64"},
}

func releaseFor(goos, goarch string) (release, error) {
	rel, ok := releases[goos+"/"+goarch]
	if !ok {
		return release{}, fmt.Errorf("there is no ClickHouse library for %s/%s: put a clickhouse binary on the PATH or name it in %s", goos, goarch, envBinary)
	}
	rel.version = libraryVersion
	return rel, nil
}

func (r release) spec() string { return "@chdb/lib-" + r.platform + "@" + r.version }

// pinned is the integrity that a download must have: the one in the code or else the one that the user checked.
func (r release) pinned() string {
	if r.integrity != "" {
		return r.integrity
	}
	return os.Getenv(envIntegrity)
}

var errNoPin = errors.New("no pinned integrity")

func (r release) noPin() error {
	return fmt.Errorf("download ClickHouse: %w for %s in this build: set %s to the value of `npm view %s dist.integrity` if you trust it, or name a clickhouse binary in %s",
		errNoPin, r.platform, envIntegrity, r.spec(), envBinary)
}
