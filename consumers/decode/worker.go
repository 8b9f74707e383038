package decode

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/seamline/seamline/consumers/field"
	"github.com/seamline/seamline/schemas"
)

// Bounds of a chunk, the records that a worker takes at once. Chunks are small beside a batch, so that all workers are done at nearly
// the same time, whatever else the machine does.
const (
	chunkRecordsMax = 512
	chunkBytesMax   = 512 << 10
)

// chunk is a share of a batch's records, and what was made of them.
type chunk struct {
	from, to int // records
	worker   int
	begin    marks
	end      marks
}

// marks are positions in what a worker has decoded.
type marks struct{ events, rejects, dropped int }

// worker decodes chunks into memory of its own.
type worker struct {
	stage   *Stage
	out     *schemas.Decoded
	feed    schemas.Feed
	decoder schemas.Decoder // of feed
	refused int             // events that were taken back by taking their type away
	source  string
	events  int            // of source, not yet in sources
	sources map[string]int // events by kind of producer
}

// Apply fills Events, Rejects and Dropped, in the order of the records.
func (s *Stage) Apply(b *schemas.Batch) error {
	s.split(b.Records)
	workers := min(runtime.GOMAXPROCS(0), len(s.chunks))
	s.hire(b, workers)
	var next atomic.Int64
	var group sync.WaitGroup
	for i := range workers {
		group.Go(func() {
			for range shareMax(len(s.chunks), workers) {
				c := int(next.Add(1) - 1)
				if c >= len(s.chunks) {
					return
				}
				s.chunks[c].worker = i
				s.workers[i].take(b, &s.chunks[c])
			}
		})
	}
	group.Wait()
	s.collect(b)
	for i := range s.workers[:workers] {
		s.workers[i].dismiss(s.metrics)
	}
	for i := range b.Rejects {
		s.metrics.reject(b.Rejects[i].Record.Feed, b.Rejects[i].Reason)
	}
	for _, d := range b.Dropped {
		s.metrics.drop(d.Source, d.Drop)
	}
	return nil
}

// shareMax bounds how many of the chunks one of the workers takes: a quarter more than its share, so that each has room for what it may
// take however the machine runs them.
func shareMax(chunks, workers int) int {
	share := (chunks + workers - 1) / workers
	return share + (share+3)/4
}

// split cuts the records into chunks.
func (s *Stage) split(records []schemas.Record) {
	s.chunks = s.chunks[:0]
	from, size := 0, 0
	for i := range records {
		size += len(records[i].Value)
		if i+1-from == chunkRecordsMax || size >= chunkBytesMax || i+1 == len(records) {
			s.chunks = append(s.chunks, chunk{from: from, to: i + 1})
			from, size = i+1, 0
		}
	}
}

// hire readies so many workers, each with room for its share of the batch.
func (s *Stage) hire(b *schemas.Batch, workers int) {
	for len(b.Arenas) < workers {
		b.Arenas = append(b.Arenas, &schemas.Decoded{})
	}
	for len(s.workers) < workers {
		s.workers = append(s.workers, worker{stage: s, sources: map[string]int{}})
	}
	events := len(b.Records) + len(b.Records)/2 // one each, and a few for batches
	for i := range workers {
		b.Arenas[i].Reset()
		b.Arenas[i].Grow(events / workers)
		s.workers[i].out = b.Arenas[i]
	}
}

// collect puts what the workers made into the batch, in the order of the chunks.
func (s *Stage) collect(b *schemas.Batch) {
	for i := range s.chunks {
		c := &s.chunks[i]
		w := &s.workers[c.worker]
		events := w.out.Events[c.begin.events:c.end.events]
		for j := range events {
			// Most workers refuse none, and need not look.
			if w.refused == 0 || events[j].Type != schemas.TypeUnknown {
				b.Events = append(b.Events, &events[j])
			}
		}
		b.Rejects = append(b.Rejects, w.out.Rejects[c.begin.rejects:c.end.rejects]...)
		b.Dropped = append(b.Dropped, w.out.Dropped[c.begin.dropped:c.end.dropped]...)
	}
}

// take decodes a chunk.
func (w *worker) take(b *schemas.Batch, c *chunk) {
	c.begin = w.marks()
	for i := c.from; i < c.to; i++ {
		w.decode(&b.Records[i], b.Latest)
	}
	c.end = w.marks()
}

func (w *worker) marks() marks {
	return marks{len(w.out.Events), len(w.out.Rejects), len(w.out.Dropped)}
}

// decode reads one record.
func (w *worker) decode(r *schemas.Record, possible schemas.Time) {
	s, out := w.stage, w.out
	out.Begin(r)
	if len(r.Value) > s.cfg.BytesMax {
		out.Reject(schemas.ReasonOversize, fmt.Sprintf("%d bytes, the limit is %d", len(r.Value), s.cfg.BytesMax))
		out.Rejects[len(out.Rejects)-1].Value = field.MaskCards(r.Value)
		return
	}
	if field.HoldsCard(r.Value, out) {
		out.Reject(schemas.ReasonCardNumber, "an unmasked card number; its digits are masked here")
		out.Rejects[len(out.Rejects)-1].Value = field.MaskCards(r.Value)
		return
	}
	value, err := unwrap(r)
	if err != nil {
		out.Reject(schemas.ReasonMalformed, err.Error())
		return
	}
	first := len(out.Events)
	if r.Feed != w.feed {
		w.feed, w.decoder = r.Feed, s.decoders[r.Feed]
	}
	w.decoder.Decode(r, value, out)
	// Not the clock's reading: a rebuild, which comes later, must refuse the same events.
	latest := max(possible, r.Time) + schemas.Span(s.cfg.Future)
	for i := first; i < len(out.Events); i++ {
		e := &out.Events[i]
		if e.Received == 0 {
			e.Received = r.Time
		}
		if e.Time >= s.earliest && e.Time <= latest {
			w.count(e.Source)
			for _, p := range s.preparers {
				p.Prepare(e)
			}
			continue
		}
		w.refused++
		out.Element = e.Element
		out.Reject(schemas.ReasonImpossibleTime, fmt.Sprintf("event time %s is outside %s to %s", e.Time, s.earliest, latest))
		e.Type = schemas.TypeUnknown
	}
}

// count counts an event of a kind of producer; most come one after the other.
func (w *worker) count(source string) {
	if source != w.source {
		w.sources[w.source] += w.events
		w.source, w.events = source, 0
	}
	w.events++
}

// dismiss adds the worker's counts to the metrics, and lets go of the batch.
func (w *worker) dismiss(m *metrics) {
	w.count("")
	for source, events := range w.sources {
		if events > 0 {
			m.event(source, events)
		}
	}
	clear(w.sources)
	w.out, w.refused, w.source, w.events = nil, 0, "", 0
}
