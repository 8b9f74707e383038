package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// lockWaitMax covers a predecessor that was just killed and whose children are still going away.
const lockWaitMax = 2 * time.Second

// dirLock keeps a directory for one process. The kernel drops it with the last holder of the file.
type dirLock struct{ file *os.File }

// lockDir creates the directory when it is missing and takes its lock file.
func lockDir(ctx context.Context, dir string) (*dirLock, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("create data directory: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, lockWaitMax)
	defer cancel()
	path := filepath.Join(dir, "lock")
	lock, err := lockFile(ctx, path, nil)
	if errors.Is(err, errLocked) {
		return nil, fmt.Errorf("data directory %s is in use by another process%s; stop it or choose another directory", dir, holder(path))
	}
	return lock, err
}

var errLocked = errors.New("locked by another process")

// lockFile waits for the lock until the context ends; waiting is called once if it has to wait.
func lockFile(ctx context.Context, path string, waiting func()) (*dirLock, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open lock file: %w", err)
	}
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return signLock(file)
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), file.Close())
		}
		if waiting != nil {
			waiting()
			waiting = nil
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("lock %s: %w", path, errLocked), file.Close())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// signLock writes our process id, for the error message of whoever comes second.
func signLock(file *os.File) (*dirLock, error) {
	if err := file.Truncate(0); err != nil {
		return nil, errors.Join(fmt.Errorf("write lock file: %w", err), file.Close())
	}
	if _, err := file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0); err != nil {
		return nil, errors.Join(fmt.Errorf("write lock file: %w", err), file.Close())
	}
	return &dirLock{file: file}, nil
}

func (l *dirLock) release() error {
	if l == nil {
		return nil
	}
	if err := l.file.Close(); err != nil {
		return fmt.Errorf("release lock file: %w", err)
	}
	return nil
}

func holder(path string) string {
	text, err := os.ReadFile(path)
	if pid := strings.TrimSpace(string(text)); err == nil && pid != "" {
		return " (process " + pid + ")"
	}
	return ""
}
