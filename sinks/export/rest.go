package export

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// nameRebuild is a file in the directory of lists that is there while tables are rebuilt, and where that was interrupted.
const nameRebuild = "rebuild"

// ErrRebuild means that the tables are not whole.
var ErrRebuild = errors.New("no lists are made while everything is rebuilt (seamline replay --from-start): wait until that has ended, or finish it where it was interrupted; those that stand stay")

func checkRebuild(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, nameRebuild)); err == nil {
		return ErrRebuild
	}
	return nil
}

// Rest waits for lists that are being made in a directory, and keeps new ones from being made until the function that it gives is called. Where the
// rebuild is not done by then, lists rest until the next rebuild has ended, or a line runs again.
func Rest(ctx context.Context, dir string) (end func(isDone bool) error, err error) {
	unlock, err := lockDir(ctx, dir, true)
	if err != nil {
		return nil, fmt.Errorf("exports.dir: %w", err)
	}
	path := filepath.Join(dir, nameRebuild)
	if err := writeSmall(path, "tables are rebuilt, and no lists made\n", modeStore); err != nil {
		unlock()
		return nil, fmt.Errorf("exports.dir: %w", err)
	}
	return func(isDone bool) error {
		defer unlock()
		if isDone {
			return remove(path)
		}
		return nil
	}, nil
}
