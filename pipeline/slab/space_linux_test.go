package slab

import (
	"errors"
	"math/rand/v2"
	"os"
	"strings"
	"syscall"
	"testing"
)

// TestSpillKeepsCeilingAndContents holds several times the ceiling. It is not parallel: the ceiling is kept by the memory of the whole
// process, and another test that ends would blur it.
func TestSpillKeepsCeilingAndContents(t *testing.T) {
	rng := newSeed(t)
	const ceiling, count, batch = 8 << 20, 600_000, 5_000
	space := newSpace(t, Config{Dir: t.TempDir(), CeilingBytes: ceiling})
	slab, table := NewSlab[record](space), NewTable[uint64, uint32](space, Hash64)
	most := int64(0)
	check := func(i uint32) {
		if got, ok := table.Get(uint64(i)); !ok || got != i {
			t.Fatalf("key %d is %d %v", i, got, ok)
		}
		if r := slab.At(i); r.a != uint64(i)<<20 || r.b[2] != i {
			t.Fatalf("record %d holds %v", i, *r)
		}
	}
	for slab.Len() < count {
		if err := space.Reserve(batch * (32 + 16)); err != nil {
			t.Fatal(err)
		}
		for range batch {
			i := uint32(slab.Len())
			slab.Append(record{a: uint64(i) << 20, b: [3]uint32{1, 2, i}})
			table.Put(uint64(i), i)
			if i%64 == 0 {
				check(rng.Uint32N(i + 1))
			}
		}
		if err := space.Trim(); err != nil {
			t.Fatal(err)
		}
		most = max(most, space.Resident())
	}
	if space.Bytes() < 3*ceiling {
		t.Fatalf("%d bytes do not test a ceiling of %d", space.Bytes(), ceiling)
	}
	if slack := int64(ceiling / 4); most > ceiling+slack {
		t.Errorf("%d bytes were in memory after a Trim; the ceiling is %d", most, ceiling)
	}
	for n, i := range rand.New(rand.NewPCG(1, 1)).Perm(count) {
		check(uint32(i))
		if n%batch == 0 {
			if err := space.Trim(); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Logf("%d MiB held, at most %d KiB of them in memory", space.Bytes()>>20, most>>10)
}

func TestNoFileIsLeft(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	space := newSpace(t, Config{Dir: dir, CeilingBytes: 1 << 20})
	NewSlab[int](space).Append(1)
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("the directory holds %v, %v", entries, err)
	}
	if got := space.Resident(); got <= 0 || got > 1<<20 {
		t.Errorf("%d bytes are in memory, want some", got)
	}
}

// TestFullDisk: a file system without room gives an error that names the directory, and what was there stays usable.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const size = 40 << 20
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=40m"); err != nil {
		t.Skipf("cannot mount a small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	space := newSpace(t, Config{Dir: dir, CeilingBytes: 8 << 20})
	slab := NewSlab[record](space)
	const batch = 50_000
	var err error
	for err == nil {
		if err = space.Reserve(batch * 24); err == nil {
			for range batch {
				slab.Append(record{a: uint64(slab.Len())})
			}
			err = space.Trim()
		}
		if space.Bytes() > size {
			t.Fatalf("%d bytes fit into %d", space.Bytes(), size)
		}
	}
	if !errors.Is(err, ErrFull) || !strings.Contains(err.Error(), dir) {
		t.Errorf("got error %v, want ErrFull with %s", err, dir)
	}
	defer func() {
		if failure, _ := recover().(error); !errors.Is(failure, ErrFull) {
			t.Errorf("writing on panics with %v, want ErrFull", failure)
		}
		for i := range slab.Len() {
			if got := slab.At(uint32(i)).a; got != uint64(i) {
				t.Fatalf("record %d holds %d", i, got)
			}
		}
	}()
	for range size {
		slab.Append(record{a: uint64(slab.Len())})
	}
}

func TestWriteZerosReservesWhereTheFileSystemCannot(t *testing.T) {
	t.Parallel()
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	const size = zerosBytes*2 + 4096
	if err := writeZeros(file, 4096, size); err != nil {
		t.Fatal(err)
	}
	info, err := file.Stat()
	if err != nil || info.Size() != 4096+size || info.Sys().(*syscall.Stat_t).Blocks*512 < size {
		t.Errorf("the file has %d bytes, %v", info.Size(), err)
	}
}
