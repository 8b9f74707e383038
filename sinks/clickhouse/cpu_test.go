//go:build unix

package clickhouse

import (
	"syscall"
	"testing"
	"time"
)

// processCPU is the CPU time that this process, without its servers, has used.
func processCPU(t testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
