package local

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
)

// envChild marks a process that runs ClickHouse for its parent, and tells it how.
const envChild = "SEAMLINE_LOCAL_CHILD"

// Files that a child inherits: the end of a pipe that the parent holds open for as long as it lives; the lock of the data
// directory, which so stays locked until the child has ended too; and the end of a pipe that tells the parent so.
const (
	fdParent = 3
	fdLock   = 4
	fdGone   = 5
)

// childSpec is what a parent asks of its child.
type childSpec struct {
	Engine Engine   `json:"engine"`
	Args   []string `json:"args"` // without the program's name
}

var (
	mainCalled atomic.Bool
	errNoMain  = errors.New("local.Main was not called first in main or TestMain, so this program cannot serve as its own ClickHouse child")
)

// Main belongs on the first line of main and of every TestMain that uses this package. In a process that was started as the
// ClickHouse child it runs the server and never returns; in any other it returns at once.
func Main() {
	text, isChild := os.LookupEnv(envChild)
	if !isChild {
		mainCalled.Store(true)
		return
	}
	os.Exit(childMain(text))
}

func childMain(text string) int {
	var spec childSpec
	if err := json.Unmarshal([]byte(text), &spec); err != nil {
		fmt.Fprintf(os.Stderr, "read %s: %v\n", envChild, err)
		return 2
	}
	if err := os.Unsetenv(envChild); err != nil {
		fmt.Fprintf(os.Stderr, "unset %s: %v\n", envChild, err)
		return 2
	}
	go dieWithParent()
	serve := serveLibrary
	if spec.Engine.Kind == Binary {
		serve = serveBinary
	}
	if err := serve(spec); err != nil {
		fmt.Fprintf(os.Stderr, "clickhouse child: %v\n", err)
		return 1
	}
	return 0
}

// dieWithParent ends our process group when the parent's end of the pipe closes, however the parent ended. The server loses
// nothing that it acknowledged when it is killed.
func dieWithParent() {
	pipe := os.NewFile(fdParent, "parent")
	if pipe == nil {
		return
	}
	// Read returns only at the end of the file: the parent never writes.
	_, _ = io.Copy(io.Discard, pipe)
	_ = syscall.Kill(-os.Getpid(), syscall.SIGKILL)
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
}

// serveBinary runs ClickHouse's own executable and waits for it. Signals go to the whole group, so that this process only has
// to outlive it.
func serveBinary(spec childSpec) error {
	signal.Ignore(syscall.SIGINT, syscall.SIGHUP)
	ending := make(chan os.Signal, 1)
	signal.Notify(ending, syscall.SIGTERM)
	args := spec.Args
	if !strings.HasSuffix(filepath.Base(spec.Engine.Path), "-server") {
		args = append([]string{"server"}, args...)
	}
	cmd := exec.Command(spec.Engine.Path, args...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), "CLICKHOUSE_WATCHDOG_ENABLE=0")
	cmd.SysProcAttr = endWithParent(&syscall.SysProcAttr{})
	cmd.ExtraFiles = []*os.File{nil, os.NewFile(fdLock, "lock"), os.NewFile(fdGone, "gone")}
	err := runOnOwnThread(cmd)
	select {
	case <-ending:
		return nil
	default:
	}
	if err == nil {
		err = errors.New("it ended")
	}
	return fmt.Errorf("run %s: %w", spec.Engine.Path, err)
}
