package clickhouse

import (
	"sync"

	"github.com/seamline/seamline/schemas"
)

// plansMax is how many batches are held in columns at the same time: one that is sent, and those that were planned meanwhile.
const plansMax = 3

// plan is the columns of one batch, filled and waiting to be sent. Its memory is used again for a later batch.
type plan struct {
	tables  []table // all but commits
	commits *commitTable
	spare   *halves // for builds that may cut blocks in two

	batch  *schemas.Batch // nil where the plan is free
	number uint64
	age    uint64 // grows with each plan
	isBusy bool   // being filled or sent

	blocks  [][]*block // by table
	summary []schemas.Block
}

// plans are the batches that were planned and not yet written.
type plans struct {
	make func() *plan

	mu  sync.Mutex // guards the following
	all []*plan
	age uint64
}

// Plan fills the blocks of a batch and tells what they are: tables in a fixed order, with the partitions of each sorted. Write sends
// these blocks. The row of commits is part of it, without what was measured, since it holds the ranges and the counts of what was
// read: a replay that reads other records is found out even where no other table shows it.
func (s *Sink) Plan(b *schemas.Batch) []schemas.Block {
	p := s.plans.place(b)
	defer s.plans.release(p, b)
	p.fill(b)
	return append([]schemas.Block(nil), p.summary...)
}

// place gives a plan for a batch, to be filled: the one that it has, or an idle one.
func (s *plans) place(b *schemas.Batch) *plan {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.find(b)
	if p == nil {
		p = s.idle()
	}
	s.age++
	p.batch, p.number, p.age, p.isBusy = nil, 0, s.age, true
	return p
}

// idle gives a free plan, a new one, or that of the batch that waits longest, which is planned again when it is written. It needs the lock.
func (s *plans) idle() *plan {
	var oldest *plan
	for _, p := range s.all {
		switch {
		case p.isBusy:
		case p.batch == nil:
			return p
		case oldest == nil || p.age < oldest.age:
			oldest = p
		}
	}
	if oldest == nil || len(s.all) < plansMax {
		oldest = s.make()
		s.all = append(s.all, oldest)
	}
	return oldest
}

// take gives the plan of a batch for sending; nil where it has none.
func (s *plans) take(b *schemas.Batch) *plan {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.find(b)
	if p != nil {
		p.isBusy = true
	}
	return p
}

// find needs the lock.
func (s *plans) find(b *schemas.Batch) *plan {
	for _, p := range s.all {
		if p.batch == b && p.number == b.Number && !p.isBusy {
			return p
		}
	}
	return nil
}

// release lets go of a plan. It stays that of b, unless b is nil.
func (s *plans) release(p *plan, b *schemas.Batch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.isBusy, p.batch = false, b
	if b != nil {
		p.number = b.Number
	}
}

// makePlain leaves the digests out of all tables.
func (p *plan) makePlain() {
	p.commits.makePlain()
	for _, t := range p.tables {
		t.makePlain()
	}
}

// fill fills the columns of every table side by side.
func (p *plan) fill(b *schemas.Batch) {
	p.blocks = append(p.blocks[:0], make([][]*block, len(p.tables))...)
	var tables sync.WaitGroup
	for i, t := range p.tables {
		tables.Go(func() { p.blocks[i] = t.fill(b) })
	}
	tables.Wait()
	p.summary = p.summary[:0]
	for _, blocks := range append(p.blocks, p.commits.fill(b)) {
		for _, k := range blocks {
			p.summary = append(p.summary, schemas.Block{Table: k.table, Partition: k.partition, Rows: k.rows(), Digest: k.digest})
		}
	}
	if p.spare != nil {
		p.blocks = p.spare.cut(p.blocks, b)
	}
}
