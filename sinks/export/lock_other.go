//go:build !unix

package export

import (
	"context"
	"os"
)

// lockDir makes the directory. Where files cannot be locked, one process at a time may make lists in it.
func lockDir(_ context.Context, dir string) (unlock func(), err error) {
	return func() {}, os.MkdirAll(dir, 0o700)
}
