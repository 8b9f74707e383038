package kafka

import (
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// pool keeps the memory of fetched records for the next fetches. Records give theirs back when the batch that they are part of is done
// with, so that a line under load fetches into memory that it knows. It may be used by several goroutines.
type pool struct {
	bytesMax int

	mu      sync.Mutex // guards the following
	bytes   [][]byte
	size    int // of bytes
	longest int // text lately, so that a new slice need not grow
	records [][]kgo.Record
}

// pooledBatches is for how many full batches' bytes memory is kept: as many as are on their way at the same time.
const pooledBatches = 4

// pooledMax is how many slices are kept, of which those of bytes hold no more than bytesMax together. More is left to the garbage collector.
const pooledMax = 1024

// expanded is how many times as long as the compressed bytes the text is guessed to be. What was too short grows, and is kept grown.
const expanded = 6

// GetDecompressBytes gives memory for a fetched batch of records.
func (p *pool) GetDecompressBytes(compressed []byte, _ kgo.CompressionCodecType) []byte {
	p.mu.Lock()
	b, ok := pop(&p.bytes)
	p.size -= cap(b)
	longest := p.longest
	p.mu.Unlock()
	if !ok {
		b = make([]byte, 0, max(expanded*len(compressed), longest))
	}
	return b
}

// longestFades is how slowly the longest text is forgotten.
const longestFades = 64

// PutDecompressBytes takes it back.
func (p *pool) PutDecompressBytes(b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.longest = max(cap(b), p.longest-p.longest/longestFades)
	if len(p.bytes) < pooledMax && p.size+cap(b) <= p.bytesMax {
		p.bytes, p.size = append(p.bytes, b), p.size+cap(b)
	}
}

// GetRecords gives memory for so many records.
func (p *pool) GetRecords(n int) []kgo.Record {
	p.mu.Lock()
	r, _ := pop(&p.records)
	p.mu.Unlock()
	if cap(r) < n {
		return make([]kgo.Record, n)
	}
	return r[:n]
}

// PutRecords takes it back.
func (p *pool) PutRecords(r []kgo.Record) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.records) < pooledMax {
		p.records = append(p.records, r)
	}
}

// pop takes the slice that was put last, whose memory is the nearest.
func pop[T any](list *[][]T) (last []T, ok bool) {
	n := len(*list)
	if n == 0 {
		return nil, false
	}
	last, (*list)[n-1] = (*list)[n-1], nil
	*list = (*list)[:n-1]
	return last, true
}

// taken are the records of a batch, which are given back with it.
type taken []*kgo.Record

// recycle gives their memory back, and the list to be used again. Nothing may use the records any more, nor what aliases them.
func (t taken) recycle() []*kgo.Record {
	for _, r := range t {
		r.Recycle()
	}
	clear(t)
	return t[:0]
}
