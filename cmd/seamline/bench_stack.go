package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/seamline/seamline/cmd/seamline/bench"
	"github.com/seamline/seamline/deploy/local"
)

// onNewStack runs a part of the benchmark on a broker and a ClickHouse of its own.
func (b *benchRun) onNewStack(ctx context.Context, part benchPart) error {
	dir := filepath.Join(b.dir, part.name)
	addresses, stop, err := b.startLocal(dir)
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	defer stop()
	b.settings = defaultSettings()
	b.settings.Kafka.Brokers, b.settings.Kafka.CreateTopics = addresses.Kafka, true
	b.settings.ClickHouse.Addr, b.clickHouse = addresses.ClickHouse, addresses.ClickHouseHTTP
	b.settings.StateDir, b.settings.HTTPAddr = filepath.Join(dir, "state"), ""
	b.settings.Identity.Key = "bench"
	if err := b.settings.validate(); err != nil {
		return err
	}
	if err := ensureTopics(ctx, &b.settings, func(error) {}, b.log); err != nil {
		return err
	}
	answer, err := b.askClickHouse(ctx, "SELECT version() FORMAT TSV", nil)
	if err != nil {
		return err
	}
	b.report.Machine.ClickHouse = strings.TrimSpace(string(answer))
	return part.run(b, ctx)
}

// startLocal runs `seamline local` as a child and reads its addresses.
func (b *benchRun) startLocal(dir string) (local.Addresses, func(), error) {
	var a local.Addresses
	self, err := os.Executable()
	if err != nil {
		return a, nil, err
	}
	stack := exec.Command(self, "local", "--data-dir", filepath.Join(dir, "data"))
	stack.Stderr = os.Stderr
	out, err := stack.StdoutPipe()
	if err != nil {
		return a, nil, err
	}
	if err := stack.Start(); err != nil {
		return a, nil, err
	}
	stop := func() {
		_ = stack.Process.Signal(syscall.SIGTERM)
		_ = stack.Wait()
	}
	if err := json.NewDecoder(out).Decode(&a); err != nil {
		stop()
		return a, nil, fmt.Errorf("start Kafka and ClickHouse: %w", err)
	}
	if b.processes, err = bench.FindStack(stack.Process.Pid); err != nil {
		stop()
		return a, nil, err
	}
	return a, stop, nil
}

// commit is the revision that the program was built from; empty where the build does not say.
func commit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return ""
}
