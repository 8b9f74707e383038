// Package catalog reads what shops sell: items of Google Merchant feeds as JSON and TSV, local stock rows, Square inventory counts.
// Changes of price and stock come out as canonical events that name nobody, or a reject per row that cannot be used.
// It never keeps state, never asks the clock, and never guesses a price that a row does not name.
package catalog

import (
	"bytes"
	"flag"
	"fmt"
	"sync"

	"github.com/seamline/seamline/consumers/field"
	"github.com/seamline/seamline/schemas"
)

// Config holds the settings of the catalog feed.
type Config struct {
	// Currency is the ISO 4217 code of prices that name none; empty where they stay without one.
	Currency string
}

// DefaultConfig gives the settings that hold when nothing is said.
func DefaultConfig() Config { return Config{} }

// Flags adds the settings to fs.
func (c *Config) Flags(fs *flag.FlagSet) {
	fs.StringVar(&c.Currency, "catalog.currency", c.Currency, "ISO 4217 currency of catalog prices that name none")
}

// Validate finds settings that cannot work.
func (c *Config) Validate() error {
	if c.Currency != "" && field.Currency(c.Currency) == "" {
		return fmt.Errorf("catalog.currency must be a code of three letters")
	}
	return nil
}

// Kinds of producer.
const (
	sourceMerchant = "merchant"
	sourceSeamline = "seamline"
	sourceSquare   = "square"
)

// Decoder reads the catalog feed. It may be used by several goroutines.
type Decoder struct {
	currency  string
	scratches sync.Pool
}

// New gives a decoder.
func New(config Config) *Decoder {
	return &Decoder{currency: field.Currency(config.Currency), scratches: sync.Pool{New: func() any { return new(scratch) }}}
}

// Name gives "catalog".
func (d *Decoder) Name() string { return "catalog" }

// scratch is the memory of one Decode.
type scratch struct {
	currency   string
	received   schemas.Time // the record's
	out        *schemas.Decoded
	row        row
	columns    []column // of a table
	properties field.Properties
	text       []byte
}

// Decode appends the events and rejects of one record to out. The record must be well-formed as a whole; beyond that, each row stands
// for itself.
func (d *Decoder) Decode(r *schemas.Record, value []byte, out *schemas.Decoded) {
	s := d.scratches.Get().(*scratch)
	defer d.scratches.Put(s)
	s.currency, s.received, s.out = d.currency, r.Time, out
	s.read(value)
	// What is pooled must not keep the record alive.
	s.out = nil
	s.row = row{}
	clear(s.columns[:cap(s.columns)])
}

// read tells a table from JSON.
func (s *scratch) read(value []byte) {
	value = field.Unmarked(value)
	reader := field.NewReader(value, s.out)
	if kind := reader.Kind(); kind != field.KindObject && kind != field.KindArray && bytes.IndexByte(value, '\t') >= 0 {
		s.table(value)
		return
	}
	switch field.Root(value, s.out, notCatalog) {
	case field.KindObject:
		what, ok := s.shapeOf(value)
		if !ok {
			s.out.Reject(schemas.ReasonMalformed, notCatalog)
			return
		}
		s.object(what, value)
	case field.KindArray:
		s.rows(value)
	}
}

// notCatalog is the detail of a reject.
const notCatalog = "neither JSON nor a table with tabs"

// rows reads the objects of a well-formed array, each by itself.
func (s *scratch) rows(array []byte) {
	elements := field.ElementsOf(array, sourceMerchant, s.out)
	for elements.Next() {
		what, _ := s.shapeOf(elements.Raw)
		if what.kind == shapeList || what.kind == shapeSquareEvent {
			s.out.Reject(schemas.ReasonUnknownFormat, noShape) // lists do not stand in lists
			continue
		}
		s.object(what, elements.Raw)
	}
}

// object reads one well-formed object of a shape.
func (s *scratch) object(what shape, raw []byte) {
	switch what.kind {
	case shapeItem:
		s.item(raw)
	case shapeCount:
		s.squareCount(raw)
	case shapeList:
		s.rows(what.list)
	case shapeSquareEvent:
		s.squareEvent(what.list)
	default:
		s.out.Reject(schemas.ReasonUnknownFormat, noShape)
	}
}

// noShape is the detail of a reject.
const noShape = "no known catalog's item, stock row or count"
