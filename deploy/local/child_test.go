package local

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// startParent runs a process that starts a ClickHouse, and tells the child's pid and URL.
func startParent(t *testing.T, dir string) (parent *exec.Cmd, pid int, url string) {
	t.Helper()
	parent = exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), envHelper+"="+dir)
	parent.Stderr = os.Stderr
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = parent.Process.Kill()
		_ = parent.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscanf(line, "pid %d url %s", &pid, &url); err != nil {
		t.Fatalf("the parent says %q: %v", line, err)
	}
	if !isAlive(pid) {
		t.Fatalf("the child %d does not live", pid)
	}
	return parent, pid, url
}

func TestTheChildEndsWithAKilledParent(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	parent, pid, url := startParent(t, dir)
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	await(t, "the child is gone", func() bool { return !isAlive(pid) })
	if resp, err := http.Get(url); err == nil {
		_ = resp.Body.Close()
		t.Errorf("%s still answers", url)
	}
	next := startClickHouse(t, ClickHouseConfig{DataDir: dir})
	if got := query(t, next, "SELECT 1"); got != "1" {
		t.Errorf("the next server answers %q", got)
	}
}

// The kernel's signal alone must do: the pipe is kept open from here after the parent is gone.
func TestTheKernelEndsTheChild(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux signals the death of a parent")
	}
	parent, pid, _ := startParent(t, dataDir(t))
	keep := holdPipe(t, parent.Process.Pid, pid)
	defer keep.Close()
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	await(t, "the child is gone", func() bool { return !isAlive(pid) })
}

// holdPipe opens the parent's end of the pipe that the child watches.
func holdPipe(t *testing.T, parent, child int) *os.File {
	t.Helper()
	watched, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", child, fdParent))
	if err != nil || !strings.HasPrefix(watched, "pipe:") {
		t.Fatalf("the child watches %q: %v", watched, err)
	}
	links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", parent))
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		if target, err := os.Readlink(link); err != nil || target != watched {
			continue
		}
		file, err := os.OpenFile(link, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		return file
	}
	t.Fatalf("the parent does not hold %s", watched)
	return nil
}

// The pipe alone must do: the parent lives on and only lets go.
func TestThePipeEndsTheChild(t *testing.T) {
	t.Parallel()
	c := startClickHouse(t, ClickHouseConfig{})
	c.mu.Lock()
	p := c.process
	c.mu.Unlock()
	if err := p.alive.Close(); err != nil {
		t.Fatal(err)
	}
	<-p.done
	await(t, "the child is gone", func() bool { return !isAlive(p.pid) })
	if err := c.Kill(); err == nil || !strings.Contains(err.Error(), "file already closed") {
		t.Errorf("the pipe was not the one that Kill closes: %v", err)
	}
}

func TestAProgramThatForgotMainIsTold(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), envForgetful+"="+dataDir(t))
	out, err := cmd.Output()
	if err == nil || !strings.Contains(string(out), errNoMain.Error()) {
		t.Errorf("it says %q, %v", out, err)
	}
}

func TestABrokenOrderFails(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), envChild+"=no JSON")
	if out, err := cmd.CombinedOutput(); err == nil || cmd.ProcessState.ExitCode() != 2 || !strings.Contains(string(out), "read "+envChild) {
		t.Errorf("it says %q, %v", out, err)
	}
}

// fakeBinary is a stand-in for ClickHouse's own executable.
func fakeBinary(t *testing.T) Engine {
	t.Helper()
	engine, err := EnsureClickHouse(t.Context(), os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	if engine.Kind == Binary {
		return engine
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(t.TempDir(), "clickhouse")
	text := fmt.Sprintf("#!/bin/sh\n[ \"$CLICKHOUSE_WATCHDOG_ENABLE\" = 0 ] || exit 9\nexec env %s='%s' '%s' \"$@\"\n", envServer, engine.Path, self)
	if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return Engine{Kind: Binary, Path: script}
}

func TestABinaryIsSupervised(t *testing.T) {
	t.Parallel()
	engine, dir := fakeBinary(t), dataDir(t)
	c := startClickHouse(t, ClickHouseConfig{DataDir: dir, Engine: engine})
	query(t, c, "CREATE TABLE words (word String) ORDER BY word")
	query(t, c, "INSERT INTO words VALUES ('stay')")
	if err := c.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := c.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := query(t, c, "SELECT word FROM words"); got != "stay" {
		t.Errorf("words = %q", got)
	}
	group := groupOf(t, c.PID())
	if len(group) != 2 {
		t.Errorf("group of %d has %v, want the supervisor and the server", c.PID(), group)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	for _, pid := range group {
		await(t, "the group is gone", func() bool { return !isAlive(pid) })
	}
}

func TestABinaryEndsWithItsSupervisor(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux signals the death of a parent")
	}
	c := startClickHouse(t, ClickHouseConfig{Engine: fakeBinary(t)})
	group, done := groupOf(t, c.PID()), c.Done()
	if err := syscall.Kill(c.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-done
	for _, pid := range group {
		await(t, "the group is gone", func() bool { return !isAlive(pid) })
	}
}

func groupOf(t *testing.T, leader int) []int {
	t.Helper()
	if runtime.GOOS != "linux" {
		return []int{leader, leader}
	}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	var group []int
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		var pid, parent, pgrp int
		var state string
		head, rest, _ := strings.Cut(string(text), " (")
		_, tail, _ := strings.Cut(rest, ") ")
		if _, err := fmt.Sscan(head, &pid); err != nil {
			continue
		}
		if _, err := fmt.Sscan(tail, &state, &parent, &pgrp); err == nil && pgrp == leader {
			group = append(group, pid)
		}
	}
	return group
}
