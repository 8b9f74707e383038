//go:build unix

package decode_test

import (
	"syscall"
	"testing"
	"time"
)

// processorTime is what the process has used so far, in user mode and in the kernel.
func processorTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
