package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/seamline/seamline/deploy/local"
	"github.com/seamline/seamline/schemas"
)

// tool runs a tool of the system, or skips where it is missing or not allowed.
func tool(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput(); err != nil {
		t.Skipf("no disk whose power can be cut: %s %v: %v: %s", name, args, err, out)
	}
}

// mountImage mounts a file as a disk.
func mountImage(t *testing.T, image string) string {
	t.Helper()
	dir := image + ".mounted"
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	tool(t, "mount", "-o", "loop", image, dir)
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
		}
	})
	return dir
}

// serve starts a ClickHouse whose data are on a disk.
func serve(t *testing.T, disk string) *local.ClickHouse {
	t.Helper()
	c, err := local.StartClickHouse(t.Context(), local.ClickHouseConfig{DataDir: filepath.Join(disk, "clickhouse")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() }) // of the first one the power was cut
	return c
}

// TestPowerLossOfClickHouse cuts the power of ClickHouse's disk: what its tables were told to keep is there afterwards, and the line goes
// on exactly, with FINAL.
func TestPowerLossOfClickHouse(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("skipped with -short: it mounts disks")
	}
	dir := t.TempDir()
	image, after := filepath.Join(dir, "before.img"), filepath.Join(dir, "after.img")
	tool(t, "truncate", "-s", "1G", image)
	tool(t, "mkfs.ext4", "-q", "-F", image)
	c := serve(t, mountImage(t, image))
	s := newStand(t)
	shared := s.settings.ClickHouse.Addr
	s.settings.ClickHouse.Addr = c.Addr()
	s.create()
	s.settings.Kafka.RecordsMax, s.settings.CheckpointEvery = 20, 10*time.Millisecond
	messages := streetTraffic(seeded(t), 20, 300)
	fixed := func(o *runOptions) { o.now = schemas.TimeOf(start.Add(30 * 24 * time.Hour)) }
	s.publish(messages[:200]...)
	s.run(fixed)
	if err := c.Kill(); err != nil {
		t.Fatal(err)
	}
	tool(t, "cp", "--sparse=always", image, after) // what the disk has; what the system had not written yet is gone
	c = serve(t, mountImage(t, after))
	s.settings.ClickHouse.Addr = c.Addr()
	s.publish(messages[200:]...)
	s.run(fixed)
	s.expect("SELECT count() - uniqExact(source, event_id) FROM events FINAL", "0")
	whole := s.beside()
	whole.settings.StateDir = t.TempDir()
	whole.run(fixed)
	s.same(whole, "after a power loss")
	s.settings.ClickHouse.Addr, whole.settings.ClickHouse.Addr = shared, shared // which the clean-up asks
}
