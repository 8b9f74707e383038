package state

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/seamline/seamline/schemas"
)

var seedFlag = flag.Int64("seed", 0, "seed of random tests; 0 for a new one")

func newRand(t *testing.T) *rand.Rand {
	t.Helper()
	seed := *seedFlag
	if seed == 0 {
		seed = time.Now().UnixNano()
	}
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(uint64(seed), 0))
}

// story writes checkpoints with a known content each, and gives the content by batch.
func story(t *testing.T, s *Store, rnd *rand.Rand, from, to uint64, known map[uint64]string) {
	t.Helper()
	a, b := &shelf{name: "a"}, &shelf{name: "b"}
	if err := s.Load([]schemas.Keeper{a, b}); err != nil {
		t.Fatal(err)
	}
	for n := from; n <= to; n++ {
		for range 1 + rnd.IntN(4) {
			a.set(fmt.Sprint("k", rnd.IntN(20)), fmt.Sprint(n, "-", rnd.Uint64()))
		}
		b.set("last", fmt.Sprint(n))
		commit(t, s, n, a, b)
		known[n] = fmt.Sprint(a.values, b.values)
		if rnd.IntN(4) == 0 {
			if err := s.db.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// look opens a directory and tells whether it is refused, or stands at an earlier checkpoint exactly. Anything else is an error.
func look(fs vfs.FS, known map[uint64]string) (refused bool, err error) {
	s, err := Open(Config{Dir: "d", PipelineID: "p", FS: fs})
	if err != nil {
		if errors.Is(err, ErrNewer) || errors.Is(err, ErrOlder) || errors.Is(err, schemas.ErrDamaged) {
			return true, nil
		}
		return true, fmt.Errorf("refused, but not as damaged: %w", err)
	}
	defer func() { _ = s.Close() }()
	if err := s.Verify(); err != nil {
		if !errors.Is(err, schemas.ErrDamaged) {
			return true, fmt.Errorf("refused, but not as damaged: %w", err)
		}
		return true, nil
	}
	a, b := &shelf{name: "a"}, &shelf{name: "b"}
	if err := s.Load([]schemas.Keeper{a, b}); err != nil {
		return true, fmt.Errorf("verified, and then not loaded: %w", err)
	}
	if got := fmt.Sprint(a.values, b.values); got != known[s.Point().Batch] {
		return false, fmt.Errorf("batch %d came up as %s, and was %s", s.Point().Batch, got, known[s.Point().Batch])
	}
	return false, nil
}

// files reads a directory.
func files(t *testing.T, fs vfs.FS) map[string][]byte {
	t.Helper()
	names, err := fs.List("d")
	if err != nil {
		t.Fatal(err)
	}
	contents := map[string][]byte{}
	for _, name := range names {
		f, err := fs.Open(fs.PathJoin("d", name))
		if err != nil {
			t.Fatal(err)
		}
		if contents[name], err = io.ReadAll(f); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return contents
}

// with makes a directory of these files, one of them replaced; a nil replacement leaves it out.
func with(t *testing.T, contents map[string][]byte, name string, replaced []byte) vfs.FS {
	t.Helper()
	fs := vfs.NewMem()
	if err := fs.MkdirAll("d", 0o700); err != nil {
		t.Fatal(err)
	}
	for n, content := range contents {
		if n == name {
			if content = replaced; content == nil {
				continue
			}
		}
		f, err := fs.Create(fs.PathJoin("d", n), vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(content); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return fs
}

// TestEveryFlippedByte flips every byte of every file of a small state, one at a time, cuts every file short, and leaves each out: each is
// refused as damage, or leaves an earlier checkpoint as it was. Nothing comes up that never was.
func TestEveryFlippedByte(t *testing.T) {
	t.Parallel()
	rnd := newRand(t)
	known := map[uint64]string{0: "map[] map[]"}
	fs := vfs.NewCrashableMem()
	s := open(t, fs)
	story(t, s, rnd, 1, 8, known)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, fs)
	story(t, s, rnd, 9, 12, known) // a log that was never flushed
	// Killed, and not closed.
	contents := files(t, fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rnd}))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	tries, refused := 0, 0
	try := func(what, name string, content []byte) {
		isRefused, err := look(with(t, contents, name, content), known)
		if err != nil {
			t.Fatalf("%s %s: %v", name, what, err)
		}
		if tries++; isRefused {
			refused++
		}
	}
	for name, content := range contents {
		step := 1
		if testing.Short() {
			step = 8
		}
		for at := 0; at < len(content); at += step {
			bad := append([]byte(nil), content...)
			bad[at] ^= 1 << rnd.IntN(8)
			try(fmt.Sprintf("with byte %d of %d flipped", at, len(content)), name, bad)
			if at%16 == 0 {
				try(fmt.Sprintf("cut off at %d of %d", at, len(content)), name, content[:at:at])
			}
		}
		try("missing", name, nil)
	}
	t.Logf("%d tries in %d files, %d refused; the others fell back to an earlier checkpoint or changed nothing", tries, len(contents), refused)
	if tries < 1000 && !testing.Short() || refused == 0 {
		t.Errorf("%d tries, %d refused: too weak", tries, refused)
	}
}

// TestPowerLoss cuts the power at random instants: what was acknowledged is there, and nothing is torn.
func TestPowerLoss(t *testing.T) {
	t.Parallel()
	rnd := newRand(t)
	rounds := 200
	if testing.Short() {
		rounds = 30
	}
	for range rounds {
		fs := vfs.NewCrashableMem()
		known := map[uint64]string{0: "map[] map[]"}
		last := uint64(0)
		s, err := Open(Config{Dir: "d", PipelineID: "p", FS: fs})
		if err != nil {
			t.Fatal(err)
		}
		for range 1 + rnd.IntN(3) {
			to := last + 1 + rnd.Uint64N(8)
			story(t, s, rnd, last+1, to, known)
			last = to
			// What was not synced is there or not, by chance.
			after := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rnd.IntN(101), RNG: rnd})
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			fs = after
			if s, err = Open(Config{Dir: "d", PipelineID: "p", FS: fs}); err != nil {
				t.Fatal(err)
			}
			if got := dump(t, s); s.Point().Batch != last || got != known[last] {
				t.Fatalf("after the power came back: batch %d with %s; want %d with %s", s.Point().Batch, got, last, known[last])
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// fullDisk has little space left.
type fullDisk struct {
	vfs.FS
	free uint64
}

func (f *fullDisk) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: f.free, TotalBytes: 1 << 40}, nil
}

func TestFullDiskIsNoticedBeforeWriting(t *testing.T) {
	t.Parallel()
	fs := &fullDisk{FS: vfs.NewMem(), free: 1 << 30}
	s, err := Open(Config{Dir: "d", PipelineID: "p", FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	a := &shelf{name: "a", values: map[string]string{}}
	a.set("x", "1")
	c, err := s.Collect([]schemas.Keeper{a}, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	fs.free = 1 << 20
	for range 2 {
		if _, err := c.Commit(false); !errors.Is(err, ErrFull) || s.Point().Batch != 0 {
			t.Fatalf("a full disk: got error %v, the point is %d", err, s.Point().Batch)
		}
	}
	fs.free = 1 << 30
	if _, err := c.Commit(false); err != nil || s.Point().Batch != 1 {
		t.Errorf("after there is space again: error %v, the point is %d", err, s.Point().Batch)
	}
}

// TestMissingPieceInTheMiddle: a directory that came up without some checkpoints in the middle is refused.
func TestMissingPieceInTheMiddle(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	s := open(t, fs)
	for n := uint64(1); n <= 9; n++ {
		commit(t, s, n)
	}
	if err := s.db.Delete(canaryKey(5), pebble.Sync); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Config{Dir: "d", PipelineID: "p", FS: fs}); !errors.Is(err, schemas.ErrDamaged) {
		t.Errorf("got error %v, want ErrDamaged", err)
	}
}
