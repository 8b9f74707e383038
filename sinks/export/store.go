package export

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"hash/fnv"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/seamline/seamline/schemas"
)

// store keeps standing lists in a directory: one directory per snapshot, with its state and the files made of it. A file that is there under
// its name is whole and never changes.
type store struct {
	dir   string
	vault *vault

	making [2][makingLocks]sync.Mutex // one makes a file at a time: plain ones, and zipped ones, which need the plain
}

// makingLocks is how many files may be made at the same time at most.
const makingLocks = 64

const (
	modeStore     fs.FileMode = 0o600
	nameTemporary             = "tmp-"
	suffixSum                 = ".sha256"
	suffixGzip                = ".gz"
)

// path is where a snapshot is.
func (s *store) path(of *Snapshot) string {
	return filepath.Join(s.listPath(of.List), fmt.Sprintf("%010d-%s", of.Number, of.ID))
}

func (s *store) listPath(of List) string { return filepath.Join(s.dir, of.Audience, of.Platform) }

// temporary makes an empty directory that becomes a snapshot's by keep.
func (s *store) temporary(of List) (string, error) {
	parent := s.listPath(of)
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return "", err
	}
	return os.MkdirTemp(parent, nameTemporary)
}

// has tells whether the state of a snapshot is there.
func (s *store) has(of *Snapshot) bool {
	_, err := os.Stat(filepath.Join(s.path(of), nameState))
	return err == nil
}

// keep gives a temporary directory its name.
func (s *store) keep(temporary string, of *Snapshot) error {
	path := s.path(of)
	if err := syncFile(filepath.Join(temporary, nameState)); err != nil {
		return err
	}
	if err := os.RemoveAll(path); err != nil { // what an earlier life left
		return err
	}
	return os.Rename(temporary, path)
}

func syncFile(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}

// replaced notes that a snapshot is kept from now on, and no longer than that.
func (s *store) replaced(of *Snapshot, now time.Time) {
	_ = os.Chtimes(s.path(of), now, now) // without it the snapshot goes sooner
}

// sweep removes what no list needs: what crashes left, and snapshots that a newer one replaced long enough ago.
func (s *store) sweep(standing *Snapshot, before time.Time) error {
	entries, err := os.ReadDir(s.listPath(standing.List))
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	keep := filepath.Base(s.path(standing))
	var failed error
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || e.Name() == keep {
			continue
		}
		if strings.HasPrefix(e.Name(), nameTemporary) || info.ModTime().Before(before) {
			failed = errors.Join(failed, os.RemoveAll(filepath.Join(s.listPath(standing.List), e.Name())))
		}
	}
	return failed
}

// Artefact is an immutable file of a list.
type Artefact struct {
	*os.File
	SHA256 string
	Bytes  int64
}

// open gives a file of a snapshot, and makes it where it is not there yet.
func (s *store) open(ctx context.Context, of *Snapshot, p *Platform, format string, isZipped bool) (*Artefact, error) {
	name := "list." + format
	if isZipped {
		name += suffixGzip
	}
	path := filepath.Join(s.path(of), name)
	if found, err := openArtefact(path); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return found, err
	}
	lock := s.lock(path, isZipped)
	lock.Lock()
	defer lock.Unlock()
	if found, err := openArtefact(path); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return found, err
	}
	make := func(out io.Writer) error {
		return renderState(ctx, filepath.Join(s.path(of), nameState), newRenderer(p, format, s.vault), out)
	}
	if isZipped {
		plain, err := s.open(ctx, of, p, format, false)
		if err != nil {
			return nil, err
		}
		defer plain.Close()
		make = func(out io.Writer) error { return zip(ctx, plain, out) }
	}
	if _, err := writeArtefact(path, modeStore, make); err != nil {
		if errors.Is(err, errDamaged) {
			_ = os.Remove(filepath.Join(s.path(of), nameState)) // so that the next turn makes it anew; the error tells
		}
		return nil, fmt.Errorf("make %s of %s: %w", name, of.List, err)
	}
	return openArtefact(path)
}

func (s *store) lock(path string, isZipped bool) *sync.Mutex {
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(path)) // it never fails
	kind := 0
	if isZipped {
		kind = 1
	}
	return &s.making[kind][sum.Sum32()%makingLocks]
}

// openArtefact opens a file with its checksum. One without it is as if it were not there: it is made anew.
func openArtefact(path string) (*Artefact, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	sum, err := os.ReadFile(path + suffixSum)
	if err != nil {
		file.Close()
		return nil, err
	}
	info, err := file.Stat()
	if err != nil {
		file.Close()
		return nil, err
	}
	text, _, _ := strings.Cut(string(sum), " ")
	if b, err := hex.DecodeString(text); err != nil || len(b) != sha256.Size {
		file.Close()
		return nil, fmt.Errorf("%s holds no checksum, so that the file counts as missing: %w", path+suffixSum, fs.ErrNotExist)
	}
	return &Artefact{File: file, SHA256: text, Bytes: info.Size()}, nil
}

// writeArtefact writes a file beside its place, puts it there once it is on the disk, and then its checksum.
func writeArtefact(path string, mode fs.FileMode, write func(io.Writer) error) (sum string, err error) {
	file, err := os.CreateTemp(filepath.Dir(path), nameTemporary)
	if err != nil {
		return "", err
	}
	defer os.Remove(file.Name())
	out := &summing{to: file, hash: sha256.New()}
	buffered := bufio.NewWriterSize(out, recordsBuffer)
	if err := errors.Join(write(buffered), buffered.Flush(), file.Chmod(mode), file.Sync(), file.Close()); err != nil {
		return "", err
	}
	sum = checksum(out.hash.Sum(nil))
	if err := os.Rename(file.Name(), path); err != nil {
		return "", err
	}
	return sum, writeSmall(path+suffixSum, sum+"  "+filepath.Base(path)+"\n", mode)
}

// writeSmall writes a file so that nobody sees a part of it.
func writeSmall(path, text string, mode fs.FileMode) error {
	file, err := os.CreateTemp(filepath.Dir(path), nameTemporary)
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	_, err = file.WriteString(text)
	if err := errors.Join(err, file.Chmod(mode), file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}

type summing struct {
	to   io.Writer
	hash hash.Hash
}

// Write writes and sums up.
func (s *summing) Write(b []byte) (int, error) {
	s.hash.Write(b)
	return s.to.Write(b)
}

// lookEvery is how many people are written between looks at the context.
const lookEvery = 10_000

// renderState writes the list of a state.
func renderState(ctx context.Context, state string, r *renderer, out io.Writer) error {
	buffer := r.header(nil)
	count := 0
	err := eachRecord(state, func(id schemas.ProfileID, record []byte) error {
		if count++; count%lookEvery == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		var err error
		if buffer, err = r.person(buffer, id, record); err != nil {
			return err
		}
		_, err = out.Write(buffer)
		buffer = buffer[:0]
		return err
	})
	if err != nil {
		return err
	}
	_, err = out.Write(buffer)
	return err
}

// zip compresses. It leaves out time and name, so that equal lists are equal bytes.
func zip(ctx context.Context, in io.Reader, out io.Writer) error {
	w, err := gzip.NewWriterLevel(out, gzip.BestSpeed)
	if err != nil {
		return err
	}
	buffer := make([]byte, recordsBuffer)
	for {
		n, err := in.Read(buffer)
		if n > 0 {
			if _, err := w.Write(buffer[:n]); err != nil {
				return err
			}
		}
		switch {
		case err == io.EOF:
			return w.Close()
		case err != nil:
			return err
		case ctx.Err() != nil:
			return context.Cause(ctx)
		}
	}
}
