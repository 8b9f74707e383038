package kafka

import (
	"math/bits"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// pool keeps the memory of fetched records for the next fetches. Records give theirs back when the batch that they are part of is done
// with, so that a line under load fetches into memory that it knows. It may be used by several goroutines.
type pool struct {
	bytesMax, recordsMax int // that are kept; more is left to the garbage collector

	mu        sync.Mutex // guards the following
	bytes     classes[byte]
	records   classes[kgo.Record]
	expansion int // how many sixteenths of the compressed bytes the text takes, lately and with something to spare
}

// pooledBatches is for how many full batches memory is kept: as many as are on their way at the same time.
const pooledBatches = 3

// expansionFirst is what is guessed before anything was fetched. What was too short grows.
const expansionFirst = 6 * 16

func newPool(recordsMax, bytesMax int) *pool {
	return &pool{recordsMax: pooledBatches * recordsMax, bytesMax: pooledBatches * bytesMax, expansion: expansionFirst}
}

// GetDecompressBytes gives memory for a fetched batch of records.
func (p *pool) GetDecompressBytes(compressed []byte, _ kgo.CompressionCodecType) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.bytes.get(len(compressed)/16*p.expansion + 1)
}

// expanded learns how long the text of compressed bytes was.
func (p *pool) expanded(compressed, text int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	seen := 16 * (text + text/8) / max(1, compressed)
	p.expansion += (seen - p.expansion) / 8
}

// PutDecompressBytes takes memory back.
func (p *pool) PutDecompressBytes(b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bytes.put(b, p.bytesMax)
}

// GetRecords gives memory for so many records.
func (p *pool) GetRecords(n int) []kgo.Record {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.records.get(n)[:n]
}

// PutRecords takes it back.
func (p *pool) PutRecords(r []kgo.Record) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.records.put(r, p.recordsMax)
}

// classes keeps slices by the power of two that they have room for, so that little never takes the place of much.
type classes[T any] struct {
	free [bits.UintSize][][]T
	held int // the room of all
}

// get gives an empty slice with room for n elements, the one that was put last, whose memory is the nearest, or a new one.
func (c *classes[T]) get(n int) []T {
	class := bits.Len(uint(max(1, n) - 1))
	s, ok := pop(&c.free[class])
	if !ok {
		return make([]T, 0, 1<<class)
	}
	c.held -= cap(s)
	return s[:0]
}

// put keeps a slice unless more than most are held then.
func (c *classes[T]) put(s []T, most int) {
	if cap(s) > 0 && c.held+cap(s) <= most {
		class := bits.Len(uint(cap(s))) - 1
		c.free[class] = append(c.free[class], s)
		c.held += cap(s)
	}
}

// pop takes the slice that was put last.
func pop[T any](list *[][]T) (last []T, ok bool) {
	n := len(*list)
	if n == 0 {
		return nil, false
	}
	last, (*list)[n-1] = (*list)[n-1], nil
	*list = (*list)[:n-1]
	return last, true
}

// lists keeps the memory of lists of records. It may be used by several goroutines.
type lists struct {
	mu   sync.Mutex // guards the following
	free [][]*kgo.Record
}

func (l *lists) take() []*kgo.Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	list, _ := pop(&l.free)
	return list
}

func (l *lists) put(list []*kgo.Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.free = append(l.free, list)
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
