package export

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/seamline/seamline/schemas"
)

// recordsMagic opens a file of records: people in order, each with the keys that a list has of them.
const recordsMagic = "seamline export records 1\n"

// Bounds of files of records.
const (
	recordsBuffer  = 64 << 10
	recordBytesMax = 8 << 20
)

// errDamaged means that a file of records cannot be read to its end. The ledger has what stood in it.
var errDamaged = errors.New("a file of records is damaged")

// damaged says what is wrong with a file. Errors of the disk are not the file's.
func damaged(path string, err error) error {
	if err == nil || errors.Is(err, errRecord) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: %w (%v)", path, errDamaged, err)
	}
	return fmt.Errorf("%s: %w", path, err)
}

// recordWriter writes a file of records.
type recordWriter struct {
	file  *os.File
	out   *bufio.Writer
	count uint64
}

func createRecords(path string) (*recordWriter, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	w := &recordWriter{file: file, out: bufio.NewWriterSize(file, recordsBuffer)}
	_, err = w.out.WriteString(recordsMagic)
	return w, err
}

func (w *recordWriter) add(id schemas.ProfileID, record []byte) error {
	var head [16 + 4]byte
	copy(head[:], id[:])
	binary.LittleEndian.PutUint32(head[16:], uint32(len(record)))
	w.count++
	if _, err := w.out.Write(head[:]); err != nil {
		return err
	}
	_, err := w.out.Write(record)
	return err
}

// close ends the file with the number of its records, so that one which was cut short is found out.
func (w *recordWriter) close() error {
	if w.file == nil {
		return nil
	}
	var foot [16 + 4 + 8]byte
	binary.LittleEndian.PutUint32(foot[16:], recordsEnd)
	binary.LittleEndian.PutUint64(foot[20:], w.count)
	_, err := w.out.Write(foot[:])
	err = errors.Join(err, w.out.Flush(), w.file.Close())
	w.file = nil
	return err
}

// abandon closes a file that nobody needs.
func (w *recordWriter) abandon() {
	if w.file != nil {
		_ = w.file.Close() // it is removed
		w.file = nil
	}
}

// recordsEnd stands where a record would have its length.
const recordsEnd = 1<<32 - 1

// recordReader reads a file of records.
type recordReader struct {
	file   *os.File
	in     *bufio.Reader
	count  uint64
	id     schemas.ProfileID
	record []byte
	has    bool // id and record are those of a person
}

// openRecords opens a file at its first record; an empty path is a file of nobody.
func openRecords(path string) (*recordReader, error) {
	if path == "" {
		return &recordReader{}, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, damaged(path, err)
	}
	r := &recordReader{file: file, in: bufio.NewReaderSize(file, recordsBuffer)}
	magic := make([]byte, len(recordsMagic))
	if _, err := io.ReadFull(r.in, magic); err != nil || string(magic) != recordsMagic {
		file.Close()
		return nil, damaged(path, err)
	}
	if err := r.next(); err != nil {
		file.Close()
		return nil, err
	}
	return r, nil
}

// next moves to the next record; has is false at the end.
func (r *recordReader) next() error {
	r.has = false
	if r.in == nil {
		return nil
	}
	var head [16 + 4]byte
	if _, err := io.ReadFull(r.in, head[:]); err != nil {
		return damaged(r.file.Name(), err)
	}
	length := binary.LittleEndian.Uint32(head[16:])
	if length == recordsEnd {
		var count [8]byte
		if _, err := io.ReadFull(r.in, count[:]); err != nil || binary.LittleEndian.Uint64(count[:]) != r.count {
			return damaged(r.file.Name(), err)
		}
		return nil
	}
	if length > recordBytesMax {
		return damaged(r.file.Name(), errRecord)
	}
	copy(r.id[:], head[:16])
	if cap(r.record) < int(length) {
		r.record = make([]byte, length)
	}
	r.record = r.record[:length]
	if _, err := io.ReadFull(r.in, r.record); err != nil {
		return damaged(r.file.Name(), err)
	}
	if err := checkKeys(r.record); err != nil {
		return damaged(r.file.Name(), err)
	}
	r.count, r.has = r.count+1, true
	return nil
}

func (r *recordReader) close() {
	if r.file != nil {
		_ = r.file.Close() // it was read
	}
}

// eachRecord calls f for every record of a file.
func eachRecord(path string, f func(id schemas.ProfileID, record []byte) error) error {
	r, err := openRecords(path)
	if err != nil {
		return err
	}
	defer r.close()
	for r.has {
		if err := f(r.id, r.record); err != nil {
			return err
		}
		if err := r.next(); err != nil {
			return err
		}
	}
	return nil
}
