package local

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"

	"github.com/klauspost/compress/gzip"
)

// libraryBytesMax bounds what a package may make us write.
const libraryBytesMax = 4 << 30

// extractLibrary copies the one library of a package into dir and syncs it. Nothing else of the package is used.
func extractLibrary(ctx context.Context, pack, dir string, p *progress) (string, int64, error) {
	file, err := os.Open(pack)
	if err != nil {
		return "", 0, fmt.Errorf("open the package: %w", err)
	}
	defer file.Close()
	unzip, err := gzip.NewReader(file)
	if err != nil {
		return "", 0, fmt.Errorf("read the package: %w", err)
	}
	defer unzip.Close()
	archive := tar.NewReader(unzip)
	for {
		head, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return "", 0, fmt.Errorf("the package holds neither libchdb.so nor libchdb.dylib")
		}
		if err != nil {
			return "", 0, fmt.Errorf("read the package: %w", err)
		}
		name := path.Base(head.Name)
		if head.Typeflag != tar.TypeReg || (name != "libchdb.so" && name != "libchdb.dylib") {
			continue
		}
		if head.Size > libraryBytesMax {
			return "", 0, fmt.Errorf("the library in the package has %d bytes, more than %d", head.Size, int64(libraryBytesMax))
		}
		from := &watchedReader{ctx: ctx, from: archive, seen: func(done int64) {
			p.update("extracting "+name, done, head.Size)
		}}
		return name, head.Size, writeLibrary(filepath.Join(dir, name), from)
	}
}

func writeLibrary(path string, from io.Reader) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return fmt.Errorf("write the library: %w", err)
	}
	_, err = io.CopyBuffer(struct{ io.Writer }{file}, from, make([]byte, 1<<20))
	if err == nil {
		err = file.Sync()
	}
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("write the library: %w", err)
	}
	return nil
}

// watchedReader stops with its context and tells how much went through.
type watchedReader struct {
	ctx  context.Context
	from io.Reader
	done int64
	seen func(int64)
}

// Read reads on until the context ends.
func (r *watchedReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := r.from.Read(p)
	r.done += int64(n)
	r.seen(r.done)
	return n, err
}
