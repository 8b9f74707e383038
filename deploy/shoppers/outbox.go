package shoppers

import (
	"bytes"
	"time"
)

const (
	arenaBytes   = 256 << 10
	lateLeast    = 2 * 60_000 // milliseconds; less is not called late
	resendMax    = 6 * 3_600_000
	farAway      = 15 * 60_000 // a record that waits longer gets memory of its own
	schemaID     = 1001        // in the frame of a schema registry client
	frameLength  = 5
	lateSpread   = 0.5 // share of late records that are late for minutes
	lateSpreadHr = 0.85
)

// parcel is what goes with the bytes in the scratch writer.
type parcel struct {
	topic   string
	key     []byte
	at      int64 // when it is sent, in milliseconds
	events  int   // accepted events inside
	late    bool  // already decided, the times inside say so
	timed   bool  // has sentAt and receivedAt inside, so a resend may have others
	headers []Header
}

// post queues the record in the scratch writer, perhaps late, perhaps twice.
func (g *Generator) post(p parcel, r *rng) {
	if p.topic != TopicClickstream && r.chance(g.cfg.LateShare) {
		p.at += lateness(r)
		p.late = true
	}
	if p.late {
		g.book.late += uint64(p.events)
	}
	record := Record{Topic: p.topic, Time: time.UnixMilli(p.at).UTC(), Headers: p.headers}
	wrapping := r.float()
	framed := wrapping < g.cfg.FramedShare
	lone := p.late && p.topic != TopicClickstream || p.at-g.clock > farAway
	record.Value = g.carve(g.w.b, framed, lone)
	record.Key = g.carve(p.key, false, lone)
	switch {
	case framed:
		g.book.framed++
	case wrapping < g.cfg.FramedShare+g.cfg.CloudEventShare:
		record.Headers = append(cloudEventHeaders(p.topic, r.next(), p.at), record.Headers...)
		g.book.cloudEvents++
	}
	g.enqueue(record, p.at)
	if r.chance(g.cfg.DuplicateShare) {
		g.resend(record, p, r)
	}
	if r.chance(g.cfg.MalformedShare) {
		g.spoil(p.at, r)
	}
}

// resend queues the record again: the same bytes, or the same events with later sending times.
func (g *Generator) resend(record Record, p parcel, r *rng) {
	delay := r.between(1000, resendMax)
	record.Value = append([]byte(nil), record.Value...)
	record.Key = append([]byte(nil), record.Key...)
	record.Time = record.Time.Add(time.Duration(delay) * time.Millisecond)
	if p.timed && r.chance(0.5) {
		postpone(record.Value, `"sentAt":"`, delay)
		postpone(record.Value, `"receivedAt":"`, delay)
	}
	g.book.duplicates += uint64(p.events)
	g.book.resent++
	g.enqueue(record, p.at+delay)
}

// postpone moves every time that follows mark.
func postpone(value []byte, mark string, delay int64) {
	for {
		i := bytes.Index(value, []byte(mark))
		if i < 0 {
			return
		}
		value = value[i+len(mark):]
		var scratch [isoLength]byte
		at, err := time.Parse("2006-01-02T15:04:05.000Z", string(value[:isoLength]))
		if err != nil {
			panic("shoppers: " + mark + " is not followed by a time of ours: " + err.Error())
		}
		copy(value, appendISO(scratch[:0], at.UnixMilli()+delay))
	}
}

func (g *Generator) enqueue(record Record, at int64) {
	g.order++
	g.outbox.push(task{at: at, order: g.order, ref: g.records.put(record), kind: taskSend})
}

// lateness draws how much later than usual a record is sent.
func lateness(r *rng) int64 {
	kind := r.float()
	switch {
	case kind < lateSpread:
		return r.between(lateLeast, 3_600_000)
	case kind < lateSpreadHr:
		return r.between(3_600_000, 86_400_000)
	}
	return r.between(86_400_000, lateMax.Milliseconds())
}

// carve copies b to memory that nothing writes again. Records that wait long get memory of their own,
// so that they do not hold a whole arena.
func (g *Generator) carve(b []byte, framed, lone bool) []byte {
	n := len(b)
	if framed {
		n += frameLength
	}
	var out []byte
	if lone || n > arenaBytes/8 {
		out = make([]byte, 0, n)
	} else {
		if cap(g.arena)-len(g.arena) < n {
			g.arena = make([]byte, 0, arenaBytes)
		}
		from := len(g.arena)
		g.arena = g.arena[:from+n]
		out = g.arena[from:from:len(g.arena)]
	}
	if framed {
		out = append(out, 0, schemaID>>24, schemaID>>16&0xff, schemaID>>8&0xff, schemaID&0xff)
	}
	return append(out, b...)
}

// cloudEventHeaders are the headers of the binary mode of the Kafka binding.
func cloudEventHeaders(topic string, seed uint64, at int64) []Header {
	return []Header{
		{"ce_specversion", []byte("1.0")},
		{"ce_id", appendUUID(nil, seed)},
		{"ce_source", []byte("/shop/" + topic)},
		{"ce_type", []byte("com.example.shop." + topic + ".v1")},
		{"ce_time", appendISO(nil, at)},
		{"content-type", []byte("application/json")},
	}
}
