//go:build !unix

package export

import (
	"context"
	"os"
)

// lockDir makes the directory. Where files cannot be locked, one process at a time may make lists in it.
func lockDir(_ context.Context, dir string, isOwner bool) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := checkRebuild(dir); err != nil && !isOwner {
		return nil, err
	}
	return func() {}, nil
}
