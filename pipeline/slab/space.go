// Package slab keeps large numbers of pointer-free records outside the garbage collector's sight, and may be larger than memory.
// Records come in by value; pointers into mapped memory and copies go out. With a ceiling the memory is a temporary file whose cold
// pages leave memory between batches. It never keeps anything beyond the process, and never frees what a slab or a table took.
package slab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

// ErrFull says that there is no room: the file system of the directory is full, or the system gives no more memory.
var ErrFull = errors.New("no room for state")

// Config says where the memory of a space is.
type Config struct {
	Dir          string // holds one unlinked file; empty for anonymous memory
	CeilingBytes int64  // most bytes of the file that stay in memory; 0 for anonymous memory, which has no ceiling
}

const (
	stepBytesMin = 1 << 20   // what a space grows by at least
	stepFileMin  = 16 << 20  // the same for files, whose blocks are reserved
	stepBytesMax = 512 << 20 // what it grows by at most, unless one reservation needs more
	alignBytes   = 64        // a cache line

	chunkBytesMin = 32 << 10 // slabs and tables take no less at a time
)

// step is one mapping. Its memory is handed out from the front and never moves.
type step struct {
	memory []byte
	used   int64
}

// Space is where slabs and tables get their memory. It may be shared by any number of them. A nil Space gives anonymous memory.
type Space struct {
	cfg  Config
	file *os.File // nil for anonymous memory

	mu       sync.Mutex // guards the following
	steps    []step
	open     int   // steps before this one are used up
	taken    int64 // bytes handed out
	promised int64 // bytes reserved since the last Trim, less what was handed out since
	mapped   int64
	chunks   int64 // bytes of one chunk of every slab and table
	chunkMax int64 // bytes of the largest of these chunks
	hand     hand
}

// NewSpace makes a space. With a directory and a ceiling it makes a file there that has no name, so that nothing is left of it after the
// process. Where the system is not Linux the memory is anonymous in any case.
func NewSpace(cfg Config) (*Space, error) {
	s := &Space{cfg: cfg}
	if cfg.CeilingBytes < 0 {
		return nil, fmt.Errorf("ceiling of %d bytes: must not be negative", cfg.CeilingBytes)
	}
	if cfg.Dir == "" || cfg.CeilingBytes == 0 || !fileBacked {
		return s, nil
	}
	file, err := os.CreateTemp(cfg.Dir, "slab-*")
	if err != nil {
		return nil, fmt.Errorf("create file for state: %w", err)
	}
	if err := os.Remove(file.Name()); err != nil {
		return nil, errors.Join(fmt.Errorf("unlink file for state: %w", err), file.Close())
	}
	s.file = file
	s.hand.others = sharedResident()
	return s, nil
}

// reserveFactor covers what tables take beyond their entries: in the worst phase of their growth 3.3 slots for one more entry, where a
// slot is larger than key and value by what tells that it is used.
const reserveFactor = 6

// Reserve makes sure that records of so many bytes can be put into the slabs and tables of the space without failing, besides all that was
// reserved since the last Trim. The caller counts records times their size; the space adds what free slots and whole chunks need.
// It fails with ErrFull and then changes nothing. Without a Reserve, or after one that was too small, a slab or table that gets no memory panics with an error that wraps ErrFull.
func (s *Space) Reserve(bytes int64) error {
	if s == nil || bytes <= 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	promised := s.promised + bytes*reserveFactor
	need := promised + s.chunks
	for i := s.open; i < len(s.steps); i++ {
		if need -= max(0, s.steps[i].room()-s.chunkMax); need <= 0 { // the rest of a step may be too small for a chunk
			s.promised = promised
			return nil
		}
	}
	if err := s.grow(need + s.chunkMax); err != nil {
		return err
	}
	s.promised = promised
	return nil
}

func (s *step) room() int64 { return int64(len(s.memory)) - s.used }

// grow maps at least so many bytes more.
func (s *Space) grow(need int64) error {
	least := int64(stepBytesMin)
	if s.file != nil {
		least = stepFileMin
	}
	page := int64(os.Getpagesize())
	size := max(need, min(max(s.mapped/4, least), stepBytesMax))
	size = (size + page - 1) / page * page
	memory, err := s.mapMore(size)
	if err != nil && size > need { // the least may still fit
		size = (need + page - 1) / page * page
		memory, err = s.mapMore(size)
	}
	if err != nil {
		return err
	}
	s.steps = append(s.steps, step{memory: memory})
	s.mapped += size
	return nil
}

func (s *Space) mapMore(size int64) ([]byte, error) {
	if s.file != nil {
		return mapFile(s.file, s.cfg.Dir, s.mapped, size)
	}
	memory, err := syscall.Mmap(-1, 0, int(size), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return nil, fmt.Errorf("map %d bytes of memory: %w: %w", size, ErrFull, err)
	}
	adviseAnonymous(memory)
	return memory, nil
}

// take hands out zeroed memory that never moves.
func (s *Space) take(bytes int64) unsafe.Pointer {
	bytes = (bytes + alignBytes - 1) / alignBytes * alignBytes
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := s.open; ; i++ {
		if i == len(s.steps) {
			if err := s.grow(bytes); err != nil {
				panic(fmt.Errorf("slab: %w", err))
			}
		}
		if st := &s.steps[i]; st.room() >= bytes {
			p := unsafe.Pointer(&st.memory[st.used])
			st.used += bytes
			s.taken += bytes
			s.promised = max(0, s.promised-bytes)
			return p
		}
		if i == s.open && s.steps[i].room() < chunkBytesMin {
			s.open++
		}
	}
}

// join counts a new slab or table in, which takes memory in chunks of so many bytes. Where the space is nil it gives one.
func (s *Space) join(chunkBytes int64) *Space {
	if s == nil {
		return &Space{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.chunks += chunkBytes
	s.chunkMax = max(s.chunkMax, chunkBytes)
	return s
}

// Trim comes between batches. What was reserved before may be taken no longer. Where more of the file is in memory than the ceiling
// allows, pages leave memory until that is kept again; contents stay as they are. It costs little where nothing is to do.
func (s *Space) Trim() error {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.promised = 0
	if s.file == nil {
		return nil
	}
	return s.keepCeiling(true)
}

// keepEvery is how often Keep looks. Within that time a machine reads some ten MiB of cold pages.
const keepEvery = 5 * time.Millisecond

// Keep keeps the ceiling until ctx ends, also while slabs and tables are used: one batch may come back to more cold pages than the ceiling
// allows. It must have returned before Close.
func (s *Space) Keep(ctx context.Context) error {
	if s == nil || s.file == nil {
		return nil
	}
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := s.Cool(); err != nil {
			return err
		}
	}
}

// Cool keeps the ceiling once, while slabs and tables may be in use. What was reserved stays so.
func (s *Space) Cool() error {
	if s == nil || s.file == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keepCeiling(false)
}

// Bytes is how much the slabs and tables have taken, in memory or not.
func (s *Space) Bytes() int64 {
	if s == nil {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.taken
}

// Close gives all memory back. Slabs and tables of the space must not be used afterwards.
func (s *Space) Close() error {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, st := range s.steps {
		errs = append(errs, syscall.Munmap(st.memory))
	}
	s.steps, s.open, s.taken, s.promised, s.mapped = nil, 0, 0, 0, 0
	if s.file != nil {
		errs = append(errs, s.file.Close())
		s.file = nil
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close state memory: %w", err)
	}
	return nil
}
