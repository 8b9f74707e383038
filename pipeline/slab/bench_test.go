package slab

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

func BenchmarkTable(b *testing.B) {
	for _, count := range []int{100_000, 4_000_000} {
		table := NewTable[uint64, uint32](nil, Hash64)
		for i := range count {
			table.Put(uint64(i), uint32(i))
		}
		rng := rand.New(rand.NewPCG(1, 1))
		b.Run(fmt.Sprintf("Get/entries=%d", count), func(b *testing.B) {
			for b.Loop() {
				if _, ok := table.Get(rng.Uint64N(uint64(count))); !ok {
					b.Fatal("a key is gone")
				}
			}
		})
		b.Run(fmt.Sprintf("PutKnown/entries=%d", count), func(b *testing.B) {
			for b.Loop() {
				table.Put(rng.Uint64N(uint64(count)), 1)
			}
		})
	}
	b.Run("PutNew", func(b *testing.B) {
		table, i := NewTable[uint64, uint32](nil, Hash64), uint64(0)
		for b.Loop() {
			table.Put(i, 1)
			i++
		}
	})
}

func BenchmarkSlabAt(b *testing.B) {
	s := NewSlab[record](nil)
	const count = 1 << 20
	s.Extend(count)
	rng, sum := rand.New(rand.NewPCG(1, 1)), uint64(0)
	for b.Loop() {
		sum += s.At(rng.Uint32N(count)).a
	}
	if sum != 0 {
		b.Fatal("a new record is not zero")
	}
}
