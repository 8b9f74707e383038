package slab

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"unsafe"
)

// fileBacked tells that files work as memory on this system.
const fileBacked = true

// mapFile makes the file longer, with blocks that are really there, so that a full disk is an error here and no signal later.
func mapFile(file *os.File, dir string, from, size int64) ([]byte, error) {
	if err := reserveBlocks(file, from, size); err != nil {
		if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG) {
			err = fmt.Errorf("%w: %w", ErrFull, err)
		}
		return nil, errors.Join(fmt.Errorf("reserve %d bytes more in %s for state: %w", size, dir, err), file.Truncate(from))
	}
	memory, err := syscall.Mmap(int(file.Fd()), from, int(size), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("map %d bytes of a file in %s: %w: %w", size, dir, ErrFull, err), file.Truncate(from))
	}
	// Keys are hashes: reading around a page would fetch what nobody asked for. Only advice, so its failure changes nothing.
	_ = syscall.Madvise(memory, syscall.MADV_RANDOM)
	return memory, nil
}

// hugeBytesMin is from where on large pages are worth their waste: reading at random is a sixth faster with them.
const hugeBytesMin = 8 << 20

func adviseAnonymous(memory []byte) {
	if len(memory) >= hugeBytesMin {
		_ = syscall.Madvise(memory, syscall.MADV_HUGEPAGE) // only advice
	}
}

// zerosBytes is how much is written at once where blocks cannot be reserved otherwise.
const zerosBytes = 1 << 20

func reserveBlocks(file *os.File, from, size int64) error {
	for {
		err := syscall.Fallocate(int(file.Fd()), 0, from, size)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if errors.Is(err, syscall.EOPNOTSUPP) || errors.Is(err, syscall.ENOSYS) {
			return writeZeros(file, from, size)
		}
		return err
	}
}

func writeZeros(file *os.File, from, size int64) error {
	zeros := make([]byte, zerosBytes)
	for end := from + size; from < end; {
		n, err := file.WriteAt(zeros[:min(zerosBytes, end-from)], from)
		if err != nil {
			return err
		}
		from += int64(n)
	}
	return nil
}

// hand goes round the file like the hand of a clock. What it passes leaves memory, and comes back when it is used: from the system's
// cache of the file while that holds it, and from the disk afterwards.
type hand struct {
	step, window int
	others       int64 // shared resident memory of the process that is not ours
}

const (
	windowBytes  = 2 << 20 // what the hand drops at a time
	trimFraction = 8       // keepCeiling goes below the ceiling by one part in so many, so that it works seldom
)

// keepCeiling drops the pages that the hand meets. The process's shared resident memory less what it was at the start is taken for ours,
// so that other spaces and mapped files of the process make it drop more than needed. Where nobody uses the space meanwhile, what is still
// there after a whole round is others'.
func (s *Space) keepCeiling(isIdle bool) error {
	ceiling := s.cfg.CeilingBytes
	if sharedResident()-s.hand.others <= ceiling {
		return nil
	}
	windows := 0
	for _, st := range s.steps {
		windows += st.windows()
	}
	target := ceiling - ceiling/trimFraction
	for range windows {
		if sharedResident()-s.hand.others <= target {
			return nil
		}
		if err := s.dropNext(); err != nil {
			return err
		}
	}
	if isIdle {
		s.hand.others = sharedResident()
	}
	return nil
}

func (s *step) windows() int { return int((s.used + windowBytes - 1) / windowBytes) }

// dropNext drops the window at the hand and moves the hand on.
func (s *Space) dropNext() error {
	h := &s.hand
	for h.step >= len(s.steps) || h.window >= s.steps[h.step].windows() {
		h.window = 0
		if h.step++; h.step >= len(s.steps) {
			h.step = 0
		}
	}
	memory := s.steps[h.step].memory
	from := h.window * windowBytes
	h.window++
	if err := syscall.Madvise(memory[from:min(from+windowBytes, len(memory))], syscall.MADV_DONTNEED); err != nil {
		return fmt.Errorf("drop state from memory: %w", err)
	}
	return nil
}

// sharedResident is the process's resident memory that is backed by files; 0 where the system does not tell.
func sharedResident() int64 {
	var buffer [128]byte
	fd, err := syscall.Open("/proc/self/statm", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return 0
	}
	defer syscall.Close(fd)
	n, err := syscall.Read(fd, buffer[:])
	if err != nil {
		return 0
	}
	fields := bytes.Fields(buffer[:n])
	if len(fields) < 3 {
		return 0
	}
	pages, err := strconv.ParseInt(string(fields[2]), 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}

// Resident is how much of what was taken is in memory. It asks about every page, so it is for tests and for a metric now and then.
func (s *Space) Resident() int64 {
	if s == nil {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	pagemap, err := os.Open("/proc/self/pagemap")
	if err != nil {
		return max(0, min(s.taken, sharedResident()-s.hand.others))
	}
	defer pagemap.Close()
	page := int64(os.Getpagesize())
	const entryBytes, present = 8, 1 << 63
	buffer := make([]byte, 64<<10)
	resident := int64(0)
	for _, st := range s.steps {
		at := int64(uintptr(unsafe.Pointer(&st.memory[0]))) / page * entryBytes
		for left := (st.used + page - 1) / page * entryBytes; left > 0; {
			n, err := pagemap.ReadAt(buffer[:min(left, int64(len(buffer)))], at)
			if n == 0 || err != nil {
				return max(0, min(s.taken, sharedResident()-s.hand.others))
			}
			for i := 0; i+entryBytes <= n; i += entryBytes {
				if binary.NativeEndian.Uint64(buffer[i:])&present != 0 {
					resident += page
				}
			}
			at, left = at+int64(n), left-int64(n)
		}
	}
	return resident
}
