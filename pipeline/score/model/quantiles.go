package model

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"
)

// Sketch counts whole numbers (days, orders, minor units of money) in bins whose width grows with the number: those up to 127 have a bin
// each, larger ones 64 bins per doubling, so quantiles are off by less than 1.6 % of their value. Below zero is the mirror image. Bins come
// from the bits of the number alone, so counts add exactly, in any order, and what was added can be taken back (the bins are those of
// HdrHistogram, Tene; the idea of exact merging is DDSketch's: Masson, Rim, Lee, VLDB 2019).
type Sketch struct {
	counts []int64 // of the bins from first on
	first  int32
	total  int64
}

const (
	sketchBits = 6 // of a number that its bin keeps, after the leading one
	sketchStep = 1 << sketchBits
	sketchForm = 1 // of the bytes
)

// binOf gives the bin of a number; bins are in the order of their numbers.
func binOf(v int64) int32 {
	if v < 0 {
		return -1 - binOf(-1-v)
	}
	length := bits.Len64(uint64(v))
	if length <= sketchBits+1 {
		return int32(v)
	}
	shift := length - sketchBits - 1
	return int32(shift)*sketchStep + int32(v>>shift)
}

// binTop gives the largest number of a bin.
func binTop(bin int32) int64 {
	if bin < 0 {
		return -1 - binLow(-1-bin)
	}
	return binLow(bin+1) - 1
}

// binLow gives the smallest number of a bin that is not negative.
func binLow(bin int32) int64 {
	if bin < 2*sketchStep {
		return int64(bin)
	}
	shift := bin/sketchStep - 1
	if low := int64(bin-shift*sketchStep) << shift; low > 0 {
		return low
	}
	return math.MinInt64 // one past the largest number, in two's complement
}

// Add counts a number n times; n below zero takes it back.
func (s *Sketch) Add(v, n int64) {
	if n != 0 {
		s.add(binOf(v), n)
	}
}

func (s *Sketch) add(bin int32, n int64) {
	switch at := int(bin - s.first); {
	case len(s.counts) == 0:
		s.first, s.counts = bin, append(s.counts, 0)
	case at < 0:
		s.counts = slices.Insert(s.counts, 0, make([]int64, -at)...)
		s.first = bin
	case at >= len(s.counts):
		s.counts = append(s.counts, make([]int64, at+1-len(s.counts))...)
	}
	s.counts[bin-s.first] += n
	s.total += n
}

// Merge adds all that another sketch counted.
func (s *Sketch) Merge(o *Sketch) {
	for i, n := range o.counts {
		if n != 0 {
			s.add(o.first+int32(i), n)
		}
	}
}

// Count is how many numbers are counted.
func (s *Sketch) Count() int64 { return s.total }

// Reset forgets everything and keeps the memory.
func (s *Sketch) Reset() { s.counts, s.first, s.total = s.counts[:0], 0, 0 }

// Quantile gives the largest number of the bin that holds the ceil(q n)-th smallest one; 0 where nothing is counted.
func (s *Sketch) Quantile(q float64) int64 {
	if s.total <= 0 {
		return 0
	}
	rank := min(s.total, max(1, int64(math.Ceil(q*float64(s.total)))))
	below := int64(0)
	for i, n := range s.counts {
		if below += n; below >= rank {
			return binTop(s.first + int32(i))
		}
	}
	return 0
}

// Fifths are the four cut points of quintiles.
type Fifths [4]int64

// Fifths gives the cut points at 20, 40, 60 and 80 %, by whole-number ranks.
func (s *Sketch) Fifths() (f Fifths) {
	below, next := int64(0), 0
	for i, n := range s.counts {
		below += n
		for next < len(f) && below > 0 && below*5 >= s.total*int64(next+1) {
			f[next] = binTop(s.first + int32(i))
			next++
		}
	}
	return f
}

// Of gives the fifth of a number, 1 for the lowest to 5. Fifths are closed on the right: a number that equals a cut point is in the lower
// one, and all numbers of one bin are in the same.
func (f Fifths) Of(v int64) uint8 {
	fifth := uint8(1)
	for _, cut := range f {
		if v > cut {
			fifth++
		}
	}
	return fifth
}

var errSketch = errors.New("not the bytes of a sketch")

// Append writes the sketch: equal counts are equal bytes, however they came about.
func (s *Sketch) Append(to []byte) []byte {
	to = append(to, sketchForm)
	last := int32(0)
	filled := 0
	for _, n := range s.counts {
		if n != 0 {
			filled++
		}
	}
	to = binary.AppendUvarint(to, uint64(filled))
	for i, n := range s.counts {
		if n != 0 {
			bin := s.first + int32(i)
			to = binary.AppendVarint(to, int64(bin-last))
			to = binary.AppendVarint(to, n)
			last = bin
		}
	}
	return to
}

// Read replaces the sketch by one that Append wrote, and gives the bytes after it.
func (s *Sketch) Read(from []byte) ([]byte, error) {
	s.Reset()
	if len(from) == 0 || from[0] != sketchForm {
		return nil, fmt.Errorf("%w: form", errSketch)
	}
	filled, size := binary.Uvarint(from[1:])
	if size <= 0 {
		return nil, fmt.Errorf("%w: length", errSketch)
	}
	from = from[1+size:]
	lowest, highest := int64(binOf(math.MinInt64)), int64(binOf(math.MaxInt64))
	last := int64(0)
	for i := range filled {
		step, a := binary.Varint(from)
		if a <= 0 || (i > 0 && step <= 0) || step < lowest || step > highest-lowest || last+step < lowest || last+step > highest {
			return nil, fmt.Errorf("%w: bin %d", errSketch, i)
		}
		n, b := binary.Varint(from[a:])
		if b <= 0 || n == 0 {
			return nil, fmt.Errorf("%w: count %d", errSketch, i)
		}
		last, from = last+step, from[a+b:]
		s.add(int32(last), n)
	}
	return from, nil
}
