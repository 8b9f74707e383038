//go:build unix

package export

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// lockPoll is how often a process looks whether another one is done.
const lockPoll = 50 * time.Millisecond

// lockDir waits until no other process makes lists in a directory, and gives a function that ends that. While tables are rebuilt it fails, but for
// an owner: who rebuilds, or leads the line.
func lockDir(ctx context.Context, dir string, isOwner bool) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if wrong := checkRebuild(dir); wrong != nil && !isOwner {
			_ = file.Close()
			return nil, wrong
		}
		if err == nil {
			return func() { _ = file.Close() }, nil // which gives the lock back
		}
		if err != syscall.EWOULDBLOCK && err != syscall.EINTR {
			_ = file.Close()
			return nil, err
		}
		select {
		case <-time.After(lockPoll):
		case <-ctx.Done():
			_ = file.Close()
			return nil, context.Cause(ctx)
		}
	}
}
