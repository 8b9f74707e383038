package model

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestSketchBins(t *testing.T) {
	t.Parallel()
	rng := newSeed(t)
	values := []int64{0, 1, -1, 127, 128, 129, -128, -129, 255, 256, math.MaxInt64, math.MinInt64, math.MaxInt64 - 1, math.MinInt64 + 1}
	for range 20_000 {
		values = append(values, anyValue(rng))
	}
	slices.Sort(values)
	before := int32(math.MinInt32)
	for _, v := range values {
		bin := binOf(v)
		top := binTop(bin)
		if bin < before || top < v || binOf(top) != bin || top < math.MaxInt64 && binOf(top+1) != bin+1 {
			t.Fatalf("%d is in bin %d after %d, whose top is %d in bin %d", v, bin, before, top, binOf(top))
		}
		if off := (float64(top) - float64(v)) / math.Abs(float64(v)); v != 0 && off > 1./64 {
			t.Fatalf("%d is taken for %d, off by %v", v, top, off)
		}
		before = bin
	}
}

// anyValue draws numbers of all sizes and both signs.
func anyValue(rng *rand.Rand) int64 {
	v := int64(rng.Uint64() >> (1 + rng.IntN(63)))
	if rng.IntN(3) == 0 {
		v = -v
	}
	return v
}

// TestSketchAlgebra: parts add in any order, what was added can be taken back, and equal counts are equal bytes.
func TestSketchAlgebra(t *testing.T) {
	t.Parallel()
	rng := newSeed(t)
	for range 50 {
		var whole, gone Sketch
		parts := make([]Sketch, 4)
		for range 300 {
			v, n := anyValue(rng), int64(1+rng.IntN(3))
			whole.Add(v, n)
			parts[rng.IntN(len(parts))].Add(v, n)
			passing := anyValue(rng)
			whole.Add(passing, 2)
			gone.Add(passing, -2)
		}
		whole.Merge(&gone)
		rng.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
		var sum Sketch
		for i := range parts {
			sum.Merge(&parts[i])
		}
		want := whole.Append(nil)
		if got := sum.Append(nil); !bytes.Equal(got, want) || sum.Count() != whole.Count() {
			t.Fatal("the sum of the parts is not the whole")
		}
		var read Sketch
		rest, err := read.Read(append(slices.Clone(want), 7, 7))
		if err != nil || len(rest) != 2 || !bytes.Equal(read.Append(nil), want) || read.Fifths() != whole.Fifths() || read.Count() != whole.Count() {
			t.Fatalf("read something else: %v", err)
		}
	}
}

// TestSketchQuantiles compares with the sorted numbers.
func TestSketchQuantiles(t *testing.T) {
	t.Parallel()
	rng := newSeed(t)
	for range 30 {
		var s Sketch
		var values []int64
		for range 1 + rng.IntN(2000) {
			v := int64(math.Exp(rng.NormFloat64()*2 + 6))
			values = append(values, v)
			s.Add(v, 1)
		}
		slices.Sort(values)
		fifths, before := s.Fifths(), int64(math.MinInt64)
		for _, q := range []float64{0, .01, .2, .4, .5, .6, .8, .99, 1} {
			got, want := s.Quantile(q), values[max(0, int(math.Ceil(q*float64(len(values))))-1)]
			if got < want || float64(got) > float64(want)*(1+1./64) || got < before {
				t.Fatalf("quantile %v of %d numbers is %d, want %d; before %d", q, len(values), got, want, before)
			}
			before = got
		}
		counts := [6]int{}
		for _, v := range values {
			counts[fifths.Of(v)]++
		}
		for i, q := range []float64{.2, .4, .6, .8} {
			if fifths[i] != s.Quantile(q) {
				t.Fatalf("cut %d is %d, quantile %d", i, fifths[i], s.Quantile(q))
			}
			below := 0
			for _, n := range counts[:i+2] {
				below += n
			}
			if float64(below) < q*float64(len(values))-1e-6 {
				t.Fatalf("%d of %d are in the lowest %d fifths", below, len(values), i+1)
			}
		}
	}
}

func TestFifths(t *testing.T) {
	t.Parallel()
	var s Sketch
	if f := s.Fifths(); f != (Fifths{}) || s.Quantile(.5) != 0 {
		t.Errorf("nothing gives %v", f)
	}
	for v := int64(1); v <= 10; v++ {
		s.Add(v, 1)
	}
	f := s.Fifths()
	if f != (Fifths{2, 4, 6, 8}) {
		t.Errorf("cuts of 1..10 are %v", f)
	}
	for v, want := range []uint8{1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 5} {
		if got := f.Of(int64(v)); got != want {
			t.Errorf("%d is in fifth %d, want %d: a cut belongs to the lower one", v, got, want)
		}
	}
	s.Reset()
	s.Add(3, 1000)
	if f := s.Fifths(); f != (Fifths{3, 3, 3, 3}) || f.Of(3) != 1 || f.Of(4) != 5 {
		t.Errorf("cuts of one number are %v", f)
	}
}

func TestSketchRefuses(t *testing.T) {
	t.Parallel()
	var s Sketch
	s.Add(5, 2)
	s.Add(500, 2)
	good := s.Append(nil)
	for n := range good {
		if _, err := s.Read(good[:n]); err == nil {
			t.Errorf("read the first %d of %d bytes", n, len(good))
		}
	}
	f := func(bytes ...byte) {
		t.Helper()
		if _, err := s.Read(bytes); err == nil {
			t.Errorf("read %v", bytes)
		}
	}
	f(2, 0)
	f(1, 1, 2, 0)                                        // a count of 0
	f(1, 2, 2, 2, 0, 2)                                  // a bin twice
	f(1, 1, 0xff, 0xff, 0xff, 0x7f, 2)                   // a bin beyond the last
	f(1, 2, 2, 2, 0xfe, 0xff, 0xff, 0xff, 0xff, 0x1f, 2) // a step beyond
}

func BenchmarkSketchAdd(b *testing.B) {
	var s Sketch
	b.ReportAllocs()
	v := int64(1)
	for b.Loop() {
		s.Add(v&0xfffff, 1)
		v = v*6364136223846793005 + 1442695040888963407
	}
}
