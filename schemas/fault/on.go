//go:build faults

package fault

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

// Enabled tells whether this build can fail on demand.
const Enabled = true

var (
	point, countdown = crash(os.Getenv(EnvCrash))
	off              = strings.Split(os.Getenv(EnvOff), ",")
)

func crash(text string) (string, *atomic.Int64) {
	name, times, _ := strings.Cut(text, ":")
	left := &atomic.Int64{}
	n, err := strconv.ParseInt(times, 10, 64)
	if err != nil {
		n = 1
	}
	left.Store(n)
	return name, left
}

// At is a place where a test build may kill the process.
func At(name string) {
	if name != point || countdown.Add(-1) != 0 {
		return
	}
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {} // the signal arrives at once, but not before this instruction
}

// Off tells whether a protection is switched off.
func Off(name string) bool { return slices.Contains(off, name) }
