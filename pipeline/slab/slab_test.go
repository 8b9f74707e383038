package slab

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"
)

var seed = flag.Uint64("seed", 0, "seed of randomised tests; 0 draws one")

func newSeed(t *testing.T) *rand.Rand {
	t.Helper()
	n := *seed
	if n == 0 {
		n = uint64(time.Now().UnixNano())
	}
	t.Logf("replay with -seed %d", n)
	return rand.New(rand.NewPCG(n, n))
}

func newSpace(t *testing.T, cfg Config) *Space {
	t.Helper()
	s, err := NewSpace(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

type record struct {
	a uint64
	b [3]uint32
}

func TestSlabKeepsRecords(t *testing.T) {
	t.Parallel()
	for name, space := range map[string]*Space{"none": nil, "memory": newSpace(t, Config{}), "file": newSpace(t, Config{Dir: t.TempDir(), CeilingBytes: 1 << 20})} {
		s := NewSlab[record](space)
		first := s.At(s.Append(record{a: 7}))
		const count = 100_000
		for i := 1; i < count; i++ {
			if got := s.Append(record{a: uint64(i)}); got != uint32(i) {
				t.Fatalf("%s: record %d got index %d", name, i, got)
			}
		}
		if first != s.At(0) || first.a != 7 {
			t.Errorf("%s: the first record moved", name)
		}
		s.Extend(count + 10)
		s.Extend(5)
		if s.Len() != count+10 || *s.At(count + 9) != (record{}) {
			t.Errorf("%s: extended to %d records, the last is %v", name, s.Len(), *s.At(count + 9))
		}
		for i := 1; i < count; i++ {
			if got := s.At(uint32(i)).a; got != uint64(i) {
				t.Fatalf("%s: record %d holds %d", name, i, got)
			}
		}
		if least := int64(count) * 24; space != nil && (space.Bytes() < least || space.Bytes() > 2*least) {
			t.Errorf("%s: %d bytes for records of %d", name, space.Bytes(), least)
		}
	}
}

func TestPanicsOnMisuse(t *testing.T) {
	t.Parallel()
	f := func(want string, misuse func()) {
		t.Helper()
		defer func() {
			t.Helper()
			if got := fmt.Sprint(recover()); !strings.Contains(got, want) {
				t.Errorf("got panic %q, want one with %q", got, want)
			}
		}()
		misuse()
	}
	f("holds pointers", func() { NewSlab[*int](nil) })
	f("holds pointers", func() { NewSlab[struct{ names [2]string }](nil) })
	f("holds pointers", func() { NewTable[string, int](nil, nil) })
	f("holds pointers", func() { NewTable[int, []byte](nil, nil) })
	f("have no size", func() { NewSlab[struct{}](nil) })
	f("out of range", func() {
		s := NewSlab[int](nil)
		s.Extend(2)
		s.At(2)
	})
	f("does not spread", func() {
		table := NewTable[int, int](nil, func(int) uint64 { return 1 })
		for i := range 10_000 {
			table.Put(i, i)
		}
	})
	if _, err := NewSpace(Config{CeilingBytes: -1}); err == nil {
		t.Error("a negative ceiling is accepted")
	}
	if _, err := NewSpace(Config{Dir: "/does/not/exist", CeilingBytes: 1}); fileBacked && !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing directory gives error %v", err)
	}
}

// TestTableAgainstMap: any sequence of operations leaves a table that equals Go's own.
func TestTableAgainstMap(t *testing.T) {
	t.Parallel()
	rng := newSeed(t)
	spread := func(k uint64) uint64 { return Hash64(k) }
	// All entries share their homes with many others, so that runs are long and wrap around.
	crowded := func(k uint64) uint64 { return Hash64(k)&^0xffffffff | Hash64(k)&7<<29 | 0x1fffffff }
	for name, hash := range map[string]func(uint64) uint64{"spread": spread, "crowded": crowded} {
		keys := uint64(100_000)
		if name == "crowded" {
			keys = 1_000
		}
		table, model := NewTable[uint64, uint32](nil, hash), map[uint64]uint32{}
		for op := range 200_000 {
			key := rng.Uint64N(keys)
			switch n := rng.IntN(10); {
			case n < 5-op/50_000:
				value := rng.Uint32()
				table.Put(key, value)
				model[key] = value
			case n < 8:
				table.Delete(key)
				delete(model, key)
			case n < 9:
				if v := table.Ref(key); v != nil {
					*v++
					model[key]++
				}
			}
			want, known := model[key]
			if got, ok := table.Get(key); ok != known || got != want {
				t.Fatalf("%s: after operation %d key %d is %d %v, want %d %v", name, op, key, got, ok, want, known)
			}
			if op%20_000 == 0 {
				compare(t, name, table, model)
			}
		}
		compare(t, name, table, model)
	}
}

func compare(t *testing.T, name string, table *Table[uint64, uint32], model map[uint64]uint32) {
	t.Helper()
	if table.Len() != len(model) {
		t.Fatalf("%s: %d entries, want %d", name, table.Len(), len(model))
	}
	seen := 0
	table.Each(func(key uint64, value *uint32) {
		seen++
		if want, ok := model[key]; !ok || want != *value {
			t.Fatalf("%s: Each gave %d=%d, want %d %v", name, key, *value, want, ok)
		}
	})
	if seen != len(model) {
		t.Fatalf("%s: Each gave %d entries, want %d", name, seen, len(model))
	}
	for key, want := range model {
		if got, ok := table.Get(key); !ok || got != want {
			t.Fatalf("%s: key %d is %d %v, want %d", name, key, got, ok, want)
		}
	}
}

// TestTableGrowsEvenly: memory grows with the entries, in small steps, and deleting all and starting again takes no more of it.
func TestTableGrowsEvenly(t *testing.T) {
	t.Parallel()
	space := newSpace(t, Config{})
	table := NewTable[uint64, uint64](space, Hash64)
	const count, slotBytes = 400_000, 24
	for round := range uint64(2) {
		for i := range uint64(count) {
			before := space.Bytes()
			table.Put(i, i*3+round)
			if grown := space.Bytes() - before; grown > segmentBytes {
				t.Fatalf("round %d: entry %d took %d bytes at once", round, i, grown)
			}
			if i >= 100_000 && i%50_000 == 0 && round == 0 {
				if fill := float64(i*slotBytes) / float64(space.Bytes()); fill < 0.4 || fill > 0.85 {
					t.Errorf("at %d entries the table is %.0f %% full", i, fill*100)
				}
			}
		}
		full := space.Bytes()
		for i := range uint64(count) {
			if v, ok := table.Get(i); !ok || v != i*3+round {
				t.Fatalf("round %d: key %d is %d %v", round, i, v, ok)
			}
			table.Delete(i)
		}
		if table.Len() != 0 || round == 1 && space.Bytes() != full {
			t.Errorf("round %d: %d entries left, %d bytes after %d", round, table.Len(), space.Bytes(), full)
		}
	}
}

// TestReservationsAddUp: stages that share a space reserve one after the other, and all of it is there.
func TestReservationsAddUp(t *testing.T) {
	t.Parallel()
	space := newSpace(t, Config{})
	const stages, count = 16, 20_000
	var slabs []*Slab[record]
	var tables []*Table[uint64, uint64]
	for range stages {
		slabs, tables = append(slabs, NewSlab[record](space)), append(tables, NewTable[uint64, uint64](space, Hash64))
	}
	for round := range 4 {
		for range stages {
			if err := space.Reserve(count * (24 + 16)); err != nil {
				t.Fatal(err)
			}
		}
		mapped := space.mapped
		for stage := range stages {
			for i := range count {
				slabs[stage].Append(record{})
				tables[stage].Put(uint64(round*count+i), 1)
			}
		}
		if space.mapped != mapped {
			t.Errorf("round %d: the space grew from %d to %d bytes although all was reserved", round, mapped, space.mapped)
		}
		if err := space.Trim(); err != nil || space.promised != 0 {
			t.Errorf("round %d: after Trim %d bytes are promised, %v", round, space.promised, err)
		}
	}
}

func TestHash64IsOneToOneAndSpreads(t *testing.T) {
	t.Parallel()
	rng := newSeed(t)
	for range 200 {
		x := rng.Uint64()
		h := Hash64(x)
		for bit := range 64 {
			if changed := onesCount(h ^ Hash64(x^1<<bit)); changed < 8 || changed > 56 {
				t.Errorf("bit %d of %#x changes %d bits of the hash", bit, x, changed)
			}
		}
	}
}

func onesCount(x uint64) (n int) {
	for ; x != 0; x &= x - 1 {
		n++
	}
	return n
}
