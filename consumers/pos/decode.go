// Package pos reads what tills send: Seamline receipts, Square, Shopify and Lightspeed X-Series webhooks, ARTS POSLog XML.
// Orders, refunds and voids come out as canonical events, or a reject per receipt that cannot be used.
// It never keeps state, never asks the clock, and never gives out card numbers or puts contact data into properties.
package pos

import (
	"flag"
	"fmt"
	"sync"

	"github.com/seamline/seamline/consumers/field"
	"github.com/seamline/seamline/schemas"
)

// Config holds the settings of the pos feed.
type Config struct {
	// Currency is the ISO 4217 code of receipts that name none, as those of Lightspeed; empty where they stay without one.
	Currency string
}

// DefaultConfig gives the settings that hold when nothing is said.
func DefaultConfig() Config { return Config{} }

// Flags adds the settings to fs.
func (c *Config) Flags(fs *flag.FlagSet) {
	fs.StringVar(&c.Currency, "decode.pos.currency", c.Currency, "ISO 4217 currency of receipts that name none, such as those of Lightspeed")
}

// Validate finds settings that cannot work.
func (c *Config) Validate() error {
	if c.Currency != "" && field.Currency(c.Currency) == "" {
		return fmt.Errorf("decode.pos.currency must be a code of three letters")
	}
	return nil
}

// Kinds of producer.
const (
	sourceSeamline   = "seamline"
	sourceSquare     = "square"
	sourceShopify    = "shopify"
	sourceLightspeed = "lightspeed"
	sourcePOSLog     = "poslog"
)

// Decoder reads the pos feed. It may be used by several goroutines.
type Decoder struct {
	currency  string
	scratches sync.Pool
}

// New gives a decoder.
func New(config Config) *Decoder {
	return &Decoder{currency: field.Currency(config.Currency), scratches: sync.Pool{New: func() any { return new(scratch) }}}
}

// Name gives "pos".
func (d *Decoder) Name() string { return "pos" }

// scratch is the memory of one Decode.
type scratch struct {
	currency   string
	record     *schemas.Record
	out        *schemas.Decoded
	receipt    receipt
	square     squareOrder
	shopify    shopifyRefund
	properties field.Properties
	text       []byte
}

// Decode appends the events and rejects of one record to out. The record must be well-formed as a whole; beyond that, each receipt of
// an array or a POSLog stands for itself.
func (d *Decoder) Decode(r *schemas.Record, value []byte, out *schemas.Decoded) {
	s := d.scratches.Get().(*scratch)
	defer d.scratches.Put(s)
	s.currency, s.record, s.out = d.currency, r, out
	s.read(value)
	// What is pooled must not keep the record alive.
	s.record, s.out = nil, nil
	s.receipt.forget()
	s.square, s.shopify = squareOrder{}, shopifyRefund{}
}

// read tells the encodings of a record apart.
func (s *scratch) read(value []byte) {
	value = field.Unmarked(value)
	reader := field.NewReader(value, s.out)
	switch reader.Kind() {
	case field.KindObject, field.KindArray, field.KindString:
		s.json(value)
		return
	}
	switch {
	case startsXML(value):
		s.poslog(value)
	case formEncoded(value):
		s.form(value)
	default:
		s.json(value)
	}
}

// json reads one object, or an array of objects, each by itself.
func (s *scratch) json(value []byte) {
	switch field.Root(value, s.out, notJSON) {
	case field.KindObject:
		if s.firstKey(value) == "receipt_id" {
			s.seamline(value) // which needs no look at the whole first
			return
		}
		kind, ok := s.shapeOf(value)
		if !ok {
			s.out.Reject(schemas.ReasonMalformed, notJSON)
			return
		}
		s.object(kind, value)
	case field.KindArray:
		elements := field.ElementsOf(value, sourceSeamline, s.out)
		for elements.Next() {
			kind, _ := s.shapeOf(elements.Raw)
			s.object(kind, elements.Raw)
		}
	}
}

// notJSON is the detail of a reject.
const notJSON = "neither JSON nor XML"

// object reads one well-formed object of a shape.
func (s *scratch) object(kind shape, raw []byte) {
	switch kind {
	case shapeReceipt:
		s.seamline(raw)
	case shapeSquareEvent:
		s.squareEvent(raw)
	case shapeSquareOrder:
		s.squareOrder(raw)
	case shapeSquarePayment:
		s.squarePayment(raw)
	case shapeSquareRefund:
		s.squareRefund(raw)
	case shapeShopifyOrder:
		s.shopifyOrder(raw)
	case shapeShopifyRefund:
		s.shopifyRefund(raw)
	case shapeLightspeed:
		s.lightspeed(raw)
	case shapeWrapped:
		s.wrapped(raw)
	default:
		s.out.Reject(schemas.ReasonUnknownFormat, noShape)
	}
}
