package kafka

import (
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seamline/seamline/schemas"
)

// cut moves pending records into b in canonical order: a merge of the partitions by record time, then topic, partition and
// offset. Exactly takes just the ranges, which may be none; otherwise all that is pending is taken.
func (g *Gatherer) cut(b *schemas.Batch, exactly bool, ranges []schemas.Range) {
	var heads []*part
	take := func(p *part, to int64) {
		from := p.next
		for p.taken = 0; p.taken < len(p.records) && p.records[p.taken].Offset < to; p.taken++ {
		}
		p.next = max(p.next, to)
		if p.next > from {
			b.Ranges = append(b.Ranges, schemas.Range{Topic: p.topic, Partition: p.partition, From: from, To: p.next})
		}
		if p.taken > 0 {
			heads = append(heads, p)
		}
	}
	if !exactly {
		for _, p := range g.parts {
			take(p, p.fetched)
		}
	}
	for _, r := range ranges {
		take(g.index[topicPartition{r.Topic, r.Partition}], r.To)
	}
	b.Records = g.merge(b.Records, heads)
	for _, p := range g.parts {
		g.metrics.lag(p.topic, p.partition, max(0, p.high-p.next))
	}
}

// merge appends the taken records of heads to records, smallest time first, and forgets them.
func (g *Gatherer) merge(records []schemas.Record, heads []*part) []schemas.Record {
	h := make([]cursor, 0, len(heads))
	for _, p := range heads {
		h = append(h, cursor{part: p})
	}
	for i := len(h)/2 - 1; i >= 0; i-- {
		sink(h, i)
	}
	for len(h) > 0 {
		c := &h[0]
		r := c.part.records[c.at]
		if !r.Attrs.IsControl() {
			records = append(records, g.record(r))
		}
		g.pending--
		g.bytes -= len(r.Value)
		if c.at++; c.at == c.part.taken {
			h[0] = h[len(h)-1]
			h = h[:len(h)-1]
		}
		sink(h, 0)
	}
	for _, p := range heads {
		rest := copy(p.records, p.records[p.taken:])
		clear(p.records[rest:])
		p.records, p.taken = p.records[:rest], 0
	}
	return records
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

// cursor walks the taken records of one partition.
type cursor struct {
	part *part
	at   int
}

func (c *cursor) before(d *cursor) bool {
	a, b := c.part.records[c.at], d.part.records[d.at]
	if ta, tb := a.Timestamp.UnixMilli(), b.Timestamp.UnixMilli(); ta != tb {
		return ta < tb
	}
	if a.Topic != b.Topic {
		return a.Topic < b.Topic
	}
	return a.Partition < b.Partition
}

// sink restores the heap order below i.
func sink(h []cursor, i int) {
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(h); child++ {
			if h[child].before(&h[least]) {
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
