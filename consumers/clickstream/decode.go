// Package clickstream reads web and app behaviour: calls of the Segment and RudderStack specs, alone, in a batch object or in an array.
// Canonical events come out, or a reject per call that cannot be used.
// It never keeps state, never asks the clock, and never puts contact data into properties.
package clickstream

import (
	"flag"
	"sync"

	"github.com/seamline/seamline/consumers/field"
	"github.com/seamline/seamline/schemas"
)

// Config holds the settings of the clickstream feed.
type Config struct {
	// CorrectSkew takes the client's clock error out of event times; see clock.go. Without it, the client's time stands.
	CorrectSkew bool

	// Categories tells which purposes the categories of consent tools stand for; nil for the well-known ones. The setting is consent's.
	Categories *field.Categories
	// ConsentFeed reads every call that carries consent as the news of it, whatever else it says: so calls are read on the feed of
	// consent. It is no setting.
	ConsentFeed bool
}

// DefaultConfig gives the settings that hold when nothing is said.
func DefaultConfig() Config { return Config{CorrectSkew: true} }

// Flags adds the settings to fs.
func (c *Config) Flags(fs *flag.FlagSet) {
	fs.BoolVar(&c.CorrectSkew, "decode.clickstream.correct-skew", c.CorrectSkew,
		"correct event times by the difference between the sender's and the receiver's clock")
}

// Decoder reads the clickstream feed. It may be used by several goroutines.
type Decoder struct {
	config    Config
	scratches sync.Pool
}

// New gives a decoder.
func New(config Config) *Decoder {
	if config.Categories == nil {
		config.Categories = field.DefaultCategories()
	}
	return &Decoder{config: config, scratches: sync.Pool{New: func() any { return new(scratch) }}}
}

// Name gives "clickstream".
func (d *Decoder) Name() string { return "clickstream" }

// scratch is the memory of one Decode.
type scratch struct {
	config     Config
	record     *schemas.Record
	out        *schemas.Decoded
	batch      batch
	batched    bool // the record is a batch object
	call       call // empty where none is being read
	facts      facts
	properties field.Properties
	early      early
	text       []byte
}

// batch is what the calls of a batch object have in common; it is empty for other records.
type batch struct {
	context  context
	channel  string
	sent     field.Time
	received field.Time
}

func (b *batch) reset() {
	externalIDs := b.context.externalIDs[:0]
	*b = batch{}
	b.context.externalIDs = externalIDs
}

// fill takes what a batch object says itself.
func (b *batch) fill(c *call) {
	b.context.copy(&c.context)
	b.sent, b.received, b.channel = c.sent, c.received, c.channel
}

// Decode appends the events and rejects of one record to out. The record must be well-formed as a whole; beyond that, each call of
// a batch or array stands for itself.
func (d *Decoder) Decode(r *schemas.Record, value []byte, out *schemas.Decoded) {
	s := d.scratches.Get().(*scratch)
	defer d.scratches.Put(s)
	s.config, s.record, s.out = d.config, r, out
	s.read(value)
	// What is pooled must not keep the record alive, and the next one starts with an empty call.
	s.record, s.out = nil, nil
	s.clear()
	if s.batched {
		s.batch.reset()
		s.batched = false
	}
}

// clear ends a call.
func (s *scratch) clear() {
	s.call.reset()
	s.facts, s.early = facts{}, early{}
}

// read tells the shapes of a record apart.
func (s *scratch) read(value []byte) {
	switch field.Root(value, s.out, notJSON) {
	case field.KindObject:
		reader := field.NewReader(value, s.out)
		calls := s.readCall(&reader)
		if !reader.Done() {
			s.out.Reject(schemas.ReasonMalformed, notJSON)
			return
		}
		if calls != nil && (s.call.kind == "" || s.call.kind == "batch") {
			s.batch.fill(&s.call)
			s.batched = true
			s.calls(calls)
			return
		}
		s.finish(value)
	case field.KindArray:
		s.calls(value)
	}
}

// notJSON is the detail of a reject.
const notJSON = "not JSON"

// calls reads the calls of a well-formed array, each by itself.
func (s *scratch) calls(array []byte) {
	elements := field.ElementsOf(array, sourceSegment, s.out)
	for elements.Next() {
		s.clear()
		if s.batched {
			s.call.inherit(&s.batch)
		}
		reader := field.NewReader(elements.Raw, s.out)
		s.readCall(&reader)
		s.finish(elements.Raw)
	}
}
