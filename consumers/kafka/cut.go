package kafka

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seamline/seamline/schemas"
	"github.com/seamline/seamline/schemas/fault"
)

// fill takes records in canonical order until the batch is full, its first record has waited long enough, or a tick has passed
// without any. Canonical order is a merge of all partitions by record time, then topic, partition and offset: the next record is the
// smallest of the partitions' next ones, so a partition of which nothing is here yet is waited for, unless it is at its end. Where a
// batch is cut makes no difference to that order.
func (g *Gatherer) fill(ctx context.Context, b *schemas.Batch) error {
	start := g.opt.Now()
	deadline, counting := start.Add(g.cfg.Tick), false
	for bytes := 0; ; {
		blocked := g.take(b, &bytes)
		if len(b.Records) >= g.most || bytes >= g.cfg.BytesMax {
			g.most = min(2*g.most, g.cfg.RecordsMax)
			break
		}
		if g.caughtUp() {
			break
		}
		now := g.opt.Now()
		if !counting && (blocked || len(b.Records) > 0) {
			deadline, counting = now.Add(g.cfg.Wait), true
		}
		if !now.Before(deadline) && (!blocked || len(b.Records) > 0) {
			break
		}
		if err := g.poll(ctx, maxTime(deadline, now.Add(blockedPoll))); err != nil {
			return err
		}
	}
	if g.isMixed {
		g.sort(b.Records)
	}
	g.finish(b)
	return nil
}

// firstRecords is about how many records the first full batch has; each later one may have twice as many as the one before, up to the
// setting. So after a start the sinks have something to do soon, while the stages have the next batch.
const firstRecords = 10_000

// growth is by how much memory for records grows, up to what a batch may have.
const growth = 4

// blockedPoll is how long a poll lasts while records wait for those of another partition.
const blockedPoll = 50 * time.Millisecond

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// take moves records into b for as long as it is known which is the next, and tells whether others wait for a partition's records.
func (g *Gatherer) take(b *schemas.Batch, bytes *int) (blocked bool) {
	heads := make([]*part, 0, len(g.parts))
	missing := false
	for _, p := range g.parts {
		switch {
		case p.waiting():
			heads = append(heads, p)
			p.missed = time.Time{}
		case !g.dispensable(p):
			missing = true
		}
	}
	if missing && !fault.Off(fault.Canonical) {
		g.miss(len(heads) > 0)
		return len(heads) > 0
	}
	for i := len(heads)/2 - 1; i >= 0; i-- {
		sink(heads, i)
	}
	for len(heads) > 0 && len(b.Records) < g.most && *bytes < g.cfg.BytesMax {
		p := heads[0]
		*bytes += g.takeOne(b, p)
		if !p.waiting() {
			if !g.dispensable(p) && !fault.Off(fault.Canonical) {
				return len(heads) > 1
			}
			heads[0] = heads[len(heads)-1]
			heads = heads[:len(heads)-1]
		}
		sink(heads, 0)
	}
	return false
}

// dispensable tells whether the order of the others' records does not depend on a partition of which nothing is here.
func (g *Gatherer) dispensable(p *part) bool { return p.exhausted() || p.left }

// miss notes for which partitions the others wait. A live line stops waiting after kafka.order.wait: then an order that a rebuild
// would give is not kept, rather than that one broker stops all.
func (g *Gatherer) miss(waiting bool) {
	if !waiting || g.opt.UntilCaughtUp || g.opt.Until != nil {
		return
	}
	now := g.opt.Now()
	for _, p := range g.parts {
		if p.waiting() || p.exhausted() || p.left {
			continue
		}
		g.resume(p)
		if p.missed.IsZero() {
			p.missed = now
		}
		if now.Sub(p.missed) >= g.cfg.OrderWait {
			p.left, p.missed = true, time.Time{}
			g.metrics.disordered.Inc()
			g.opt.Log.Warn("a partition's records do not come; going on without waiting for them", "topic", p.topic, "partition", p.partition,
				"offset", p.fetched, "waited_ms", g.cfg.OrderWait.Milliseconds())
		}
	}
}

// takeOne moves a partition's next record into b and gives its size.
func (g *Gatherer) takeOne(b *schemas.Batch, p *part) int {
	r := p.records[p.taken]
	p.reached = max(p.reached, schemas.Time(r.Timestamp.UnixMilli()))
	if !r.Attrs.IsControl() {
		if n := len(b.Records); n == cap(b.Records) { // fewer copies than by growing as append does
			b.Records = slices.Grow(b.Records, max(0, min(growth*n, g.most)-n))
		}
		b.Records, g.taken = append(b.Records, g.record(r)), append(g.taken, r)
		here := rank{p.reached, p}
		g.isMixed = g.isMixed || len(g.ranks) > 0 && here.compare(g.ranks[len(g.ranks)-1]) < 0
		g.ranks = append(g.ranks, here)
	}
	p.records[p.taken] = nil
	p.taken++
	p.next = r.Offset + 1
	p.bytes -= len(r.Value)
	if p.taken == len(p.records) {
		p.records, p.taken = p.records[:0], 0
	}
	if p.paused && p.bytes < g.cfg.BytesMax/len(g.parts)/2 && len(p.records)-p.taken < g.cfg.RecordsMax/2+1 {
		g.resume(p)
	}
	return len(r.Value)
}

// rank is where a record stands in the canonical order of its batch: a merge gives a record whose time lies before that of an earlier one
// of its partition at once after that.
type rank struct {
	reached schemas.Time // the largest time of what was taken from the partition for the batch, up to this record
	part    *part
}

func (r rank) compare(q rank) int {
	return cmp.Or(cmp.Compare(r.reached, q.reached), cmp.Compare(r.part.topic, q.part.topic), cmp.Compare(r.part.partition, q.part.partition))
}

// sort brings the records of the batch into canonical order. They are not in it where a record came after others were taken that it
// stands before: they were thought to be all. A replay, which has all from the start, could not know in which order they came.
func (g *Gatherer) sort(records []schemas.Record) {
	order := make([]int, len(records))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return g.ranks[i].compare(g.ranks[j]) })
	came := slices.Clone(records)
	for i, k := range order {
		records[i] = came[k]
	}
}

// finish notes the ranges that the batch consists of.
func (g *Gatherer) finish(b *schemas.Batch) {
	for _, p := range g.parts {
		if p.taken > 0 {
			rest := copy(p.records, p.records[p.taken:])
			clear(p.records[rest:])
			p.records, p.taken = p.records[:rest], 0
		}
		if p.next > p.from {
			p.noted = true
			b.Ranges = append(b.Ranges, schemas.Range{Topic: p.topic, Partition: p.partition, From: p.from, To: p.next})
		}
		g.metrics.lag(p.topic, p.partition, max(0, p.high-p.next))
	}
	if len(b.Ranges) > 0 && b.Intent == nil {
		g.noteEmpty(b)
	}
}

// noteEmpty puts partitions of which nothing was ever read among the ranges, once: else records that come to them and go again while
// nobody looks would be missed by nobody.
func (g *Gatherer) noteEmpty(b *schemas.Batch) {
	for _, p := range g.parts {
		if !p.noted {
			p.noted = true
			b.Ranges = append(b.Ranges, schemas.Range{Topic: p.topic, Partition: p.partition, From: p.next, To: p.next})
		}
	}
}

// again fills b with exactly the ranges of its intent, in the order in which they were taken first.
func (g *Gatherer) again(ctx context.Context, b *schemas.Batch) error {
	ranges := b.Intent.Ranges
	if b.Rewind {
		return g.read(ctx, b, ranges)
	}
	if err := g.fetchAll(ctx, ranges); err != nil {
		return err
	}
	var heads []*part
	limits := map[*part]int64{}
	for _, r := range ranges {
		p := g.index[topicPartition{r.Topic, r.Partition}]
		p.noted = true
		if p.next > r.From && !slices.ContainsFunc(g.opt.Start, func(at schemas.Range) bool { return at.Topic == r.Topic && at.Partition == r.Partition }) {
			return fmt.Errorf("%w: topic %s partition %d starts at offset %d, and the next to process is %d", ErrGap, r.Topic, r.Partition, p.next, r.From)
		}
		if p.next != r.From {
			return fmt.Errorf("%w: batch %d begins at offset %d of topic %s partition %d, and the state is at %d", schemas.ErrDamaged,
				b.Intent.Batch, r.From, r.Topic, r.Partition, p.next)
		}
		limits[p] = r.To
		heads = append(heads, p)
	}
	left := func(p *part) bool { return p.taken < len(p.records) && p.records[p.taken].Offset < limits[p] }
	g.merge(b, slices.DeleteFunc(heads, func(p *part) bool { return !left(p) }), left)
	for p, to := range limits {
		p.next = max(p.next, to)
	}
	g.finish(b)
	b.Ranges = append(b.Ranges[:0], ranges...)
	return nil
}

// merge takes everything that is left of heads, smallest first.
func (g *Gatherer) merge(b *schemas.Batch, heads []*part, left func(*part) bool) {
	for i := len(heads)/2 - 1; i >= 0; i-- {
		sink(heads, i)
	}
	for len(heads) > 0 {
		p := heads[0]
		g.takeOne(b, p)
		if !left(p) {
			heads[0] = heads[len(heads)-1]
			heads = heads[:len(heads)-1]
		}
		sink(heads, 0)
	}
}

func (g *Gatherer) record(r *kgo.Record) schemas.Record {
	out := schemas.Record{Topic: r.Topic, Feed: g.feeds[r.Topic], Partition: r.Partition, Offset: r.Offset,
		Time: schemas.Time(r.Timestamp.UnixMilli()), Key: r.Key, Value: r.Value}
	if len(r.Headers) > 0 {
		out.Headers = make([]schemas.Header, len(r.Headers))
		for i, h := range r.Headers {
			out.Headers[i] = schemas.Header{Key: h.Key, Value: h.Value}
		}
	}
	g.metrics.record(out.Feed, len(r.Value))
	return out
}

// before tells which of two partitions' next records comes first.
func (p *part) before(q *part) bool {
	a, b := p.records[p.taken], q.records[q.taken]
	if ta, tb := a.Timestamp.UnixMilli(), b.Timestamp.UnixMilli(); ta != tb {
		return ta < tb
	}
	if a.Topic != b.Topic {
		return a.Topic < b.Topic
	}
	return a.Partition < b.Partition
}

// sink restores the heap order below i.
func sink(h []*part, i int) {
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(h); child++ {
			if h[child].before(h[least]) {
				least = child
			}
		}
		if least == i {
			return
		}
		h[i], h[least] = h[least], h[i]
		i = least
	}
}
