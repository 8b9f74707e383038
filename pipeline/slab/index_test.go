package slab

import (
	"math/rand/v2"
	"testing"
)

// TestIndexAgainstMap: an index says what a map says, also about prints that share their hash, and keeps its memory small.
func TestIndexAgainstMap(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	space, err := NewSpace(Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer space.Close()
	x, want := NewIndex(space), map[Print]uint32{}
	var prints []Print
	if got := x.Get(Print{1, 1}); got != 0 {
		t.Errorf("an empty index gives %d", got)
	}
	const count = 300_000
	for i := range uint32(count) {
		p := Print{rng.Uint64(), rng.Uint32()}
		if i%7 == 0 && i > 0 { // the same hash, another check
			p.Hash = prints[rng.IntN(len(prints))].Hash
		}
		if i%11 == 0 && i > 0 { // a new value for a known print
			p = prints[rng.IntN(len(prints))]
		}
		prints = append(prints, p)
		x.Put(p, i+1)
		want[p] = i + 1
	}
	for range 1000 {
		prints = append(prints, Print{rng.Uint64(), 0})
	}
	got := make([]uint32, len(prints))
	x.GetAll(prints, got)
	for i, p := range prints {
		if got[i] != want[p] || x.Get(p) != want[p] {
			t.Fatalf("print %d has value %d and %d, want %d", i, got[i], x.Get(p), want[p])
		}
	}
	if x.Len() != len(want) {
		t.Errorf("%d entries, want %d", x.Len(), len(want))
	}
	if bytes := float64(space.Bytes()) / float64(len(want)); bytes > 32 {
		t.Errorf("an entry takes %.1f bytes", bytes)
	}
}

func BenchmarkIndex(b *testing.B) {
	for _, count := range []int{100_000, 10_000_000} {
		space, err := NewSpace(Config{})
		if err != nil {
			b.Fatal(err)
		}
		x := NewIndex(space)
		of := func(i int) Print { return Print{Hash64(uint64(i) + 1), uint32(i)} }
		for i := range count {
			x.Put(of(i), uint32(i)+1)
		}
		rng := rand.New(rand.NewPCG(1, 1))
		prints, values := make([]Print, 4096), make([]uint32, 4096)
		name := map[bool]string{true: "large", false: "small"}[count > 1_000_000]
		b.Run("GetAll/"+name, func(b *testing.B) {
			for range b.N {
				b.StopTimer()
				for i := range prints {
					prints[i] = of(rng.IntN(count))
				}
				b.StartTimer()
				x.GetAll(prints, values)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(prints)), "ns/print")
			b.ReportMetric(float64(space.Bytes())/float64(count), "B/entry")
		})
		b.Run("Get/"+name, func(b *testing.B) {
			for b.Loop() {
				if x.Get(of(rng.IntN(count))) == 0 {
					b.Fatal("a print is gone")
				}
			}
		})
		if err := space.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
