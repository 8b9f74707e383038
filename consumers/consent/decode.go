// Package consent reads what people allow and ask for: Seamline consent JSON, Google consent mode, IAB TCF strings, Segment calls.
// Updates of consent by purpose and requests for access or erasure come out, or a reject per record that cannot be used.
// It never keeps state, never asks the clock, and never takes silence for an answer.
package consent

import (
	"flag"
	"fmt"
	"sync"

	"github.com/seamline/seamline/consumers/field"
	"github.com/seamline/seamline/schemas"
)

// Config holds the settings of the consent feed.
type Config struct {
	// Categories changes which purposes the categories of consent tools stand for, as field.NewCategories reads it.
	Categories string
}

// DefaultConfig gives the settings that hold when nothing is said.
func DefaultConfig() Config { return Config{} }

// Flags adds the settings to fs.
func (c *Config) Flags(fs *flag.FlagSet) {
	fs.StringVar(&c.Categories, "consent.categories", c.Categories,
		"categories of consent tools beside the well-known ones, and the purposes that they stand for, such as Offers=email_marketing+sms_marketing,Functional=")
}

// Validate finds settings that cannot work.
func (c *Config) Validate() error {
	if _, err := field.NewCategories(c.Categories); err != nil {
		return fmt.Errorf("consent.categories: %w", err)
	}
	return nil
}

// Table gives the purposes by category, for a Config that Validate accepts.
func (c *Config) Table() *field.Categories {
	table, err := field.NewCategories(c.Categories)
	if err != nil {
		return field.DefaultCategories() // Validate has seen to it
	}
	return table
}

// sourceSeamline is the kind of producer of all but calls.
const sourceSeamline = "seamline"

// Decoder reads the consent feed. It may be used by several goroutines.
type Decoder struct {
	calls      schemas.Decoder
	categories *field.Categories
	scratches  sync.Pool
}

// New gives a decoder for a Config that Validate accepts. Segment calls are handed to calls; where calls is nil, they are of unknown format.
func New(cfg Config, calls schemas.Decoder) *Decoder {
	return &Decoder{calls: calls, categories: cfg.Table(), scratches: sync.Pool{New: func() any { return new(scratch) }}}
}

// Name gives "consent".
func (d *Decoder) Name() string { return "consent" }

// scratch is the memory of one Decode.
type scratch struct {
	decoder    *Decoder
	record     *schemas.Record
	out        *schemas.Decoded
	form       form
	others     []byte // answers about purposes that Seamline does not know
	properties field.Properties
	text       []byte
}

// Decode appends the events and rejects of one record to out. The record must be well-formed as a whole; beyond that, each element of an
// array stands for itself.
func (d *Decoder) Decode(r *schemas.Record, value []byte, out *schemas.Decoded) {
	s := d.scratches.Get().(*scratch)
	defer d.scratches.Put(s)
	s.decoder, s.record, s.out = d, r, out
	s.read(value)
	// What is pooled must not keep the record alive.
	s.decoder, s.record, s.out = nil, nil, nil
	s.form = form{}
}

// read reads one object, or an array of objects, each by itself.
func (s *scratch) read(value []byte) {
	switch field.Root(value, s.out, notJSON) {
	case field.KindObject:
		s.object(value)
	case field.KindArray:
		elements := field.ElementsOf(value, sourceSeamline, s.out)
		for elements.Next() {
			s.object(elements.Raw)
		}
	}
}

// notJSON is the detail of a reject.
const notJSON = "not JSON"

// object reads one object.
func (s *scratch) object(raw []byte) {
	isCall, ok := s.shapeOf(raw)
	switch {
	case !ok:
		s.out.Reject(schemas.ReasonMalformed, notJSON)
	case !isCall:
		s.answers(raw)
	case s.decoder.calls == nil:
		s.out.Reject(schemas.ReasonUnknownFormat, "a Segment call, which nobody reads here")
	default:
		s.decoder.calls.Decode(s.record, raw, s.out)
	}
}

// shapeOf tells whether an object is a Segment call or a batch of them, and whether it is well-formed and nothing but that object.
func (s *scratch) shapeOf(raw []byte) (isCall, ok bool) {
	r := field.NewReader(raw, s.out)
	for r.Object(); r.Next(); {
		switch r.Key {
		case "type", "event", "messageId", "context":
			isCall = true
		case "batch":
			isCall = isCall || r.Kind() == field.KindArray
		}
		r.Skip()
	}
	return isCall, r.Done()
}
