package kafka

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/pierrec/lz4/v4"
	"github.com/twmb/franz-go/pkg/kgo"
)

// packed writes a text as a frame of LZ4.
func packed(t testing.TB, text []byte, options ...lz4.Option) []byte {
	t.Helper()
	var out bytes.Buffer
	w := lz4.NewWriter(&out)
	if err := w.Apply(options...); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// words is a text that can be compressed.
func words(rng *rand.Rand, size int) []byte {
	var text []byte
	for len(text) < size {
		text = fmt.Appendf(text, `{"event":"Product Viewed","sku":"sku-%d","noise":%d}`, rng.IntN(50), rng.Uint64())
	}
	return text[:size]
}

// noise is one that cannot.
func noise(rng *rand.Rand, size int) []byte {
	text := make([]byte, size)
	for i := range text {
		text[i] = byte(rng.Uint32())
	}
	return text
}

func TestDecompress(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 1))
	p := newPool(1000, 64<<20)
	d := newDecompressor(p)
	for _, size := range []int{0, 1, 100, 70_000, 300_000, 5 << 20} {
		for _, text := range [][]byte{words(rng, size), noise(rng, size), bytes.Repeat([]byte{7}, size)} {
			for _, options := range [][]lz4.Option{
				nil,
				{lz4.BlockSizeOption(lz4.Block64Kb), lz4.ChecksumOption(false)},
				{lz4.BlockSizeOption(lz4.Block256Kb), lz4.SizeOption(uint64(size))},
				{lz4.BlockSizeOption(lz4.Block64Kb), lz4.BlockChecksumOption(true)}, // left to the client
			} {
				got, err := d.Decompress(packed(t, text, options...), kgo.CodecLz4)
				if err != nil || !bytes.Equal(got, text) {
					t.Fatalf("%d bytes: %d came back, %v", size, len(got), err)
				}
				p.PutDecompressBytes(got[:cap(got)])
			}
		}
	}
	if _, ok := blocksOf(packed(t, words(rng, 1000))); !ok {
		t.Error("the usual frame is left to the client")
	}
	snappy := []byte{3, 8, 'a', 'b', 'c'}
	if got, err := d.Decompress(snappy, kgo.CodecSnappy); err != nil || string(got) != "abc" {
		t.Errorf("another codec: %q, %v", got, err)
	}
}

// TestDecompressDamaged: damaged frames are errors, whatever is wrong with them.
func TestDecompressDamaged(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(2, 2))
	d := newDecompressor(newPool(1000, 1<<20))
	whole := packed(t, words(rng, 100_000), lz4.BlockSizeOption(lz4.Block64Kb), lz4.ChecksumOption(false))
	for n := range len(whole) - 4 {
		if n%97 == 0 || n < 40 {
			if _, err := d.Decompress(whole[:n], kgo.CodecLz4); err == nil && n > 0 {
				t.Errorf("the first %d bytes are a frame", n)
			}
		}
	}
	for range 3000 {
		damaged := bytes.Clone(whole)
		damaged[rng.IntN(len(damaged))] ^= byte(1 + rng.IntN(255))
		_, _ = d.Decompress(damaged, kgo.CodecLz4) // may be another text, and must not panic
	}
}

func BenchmarkDecompress(b *testing.B) {
	rng := rand.New(rand.NewPCG(3, 3))
	p := newPool(1000, 64<<20)
	text := words(rng, 1<<20)
	src := packed(b, text)
	for name, d := range map[string]kgo.Decompressor{"blocks": newDecompressor(p), "client": kgo.DefaultDecompressor(p)} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				got, err := d.Decompress(src, kgo.CodecLz4)
				if err != nil {
					b.Fatal(err)
				}
				p.PutDecompressBytes(got[:cap(got)])
			}
		})
	}
}
