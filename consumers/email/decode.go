// Package email reads what providers report about messages: SendGrid, Mailgun, Postmark, Amazon SES, Brevo, Customer.io, Segment calls.
// Canonical events come out, one per report and recipient, or a reject or drop per report that cannot or must not be used.
// It never keeps state, never asks the clock, and never puts contact data into properties.
package email

import (
	"errors"
	"flag"
	"fmt"
	"sync"
	"time"

	"github.com/seamline/seamline/consumers/field"
	"github.com/seamline/seamline/schemas"
)

// Config holds the settings of the email feed.
type Config struct {
	// BrevoTimeZone is the IANA name of the time zone of the Brevo account, for its payloads without ts_epoch.
	BrevoTimeZone string
}

// DefaultConfig gives the settings that hold when nothing is said.
func DefaultConfig() Config { return Config{BrevoTimeZone: "UTC"} }

// Flags adds the settings to fs.
func (c *Config) Flags(fs *flag.FlagSet) {
	fs.StringVar(&c.BrevoTimeZone, "decode.email.brevo-time-zone", c.BrevoTimeZone,
		"time zone of the Brevo account, such as Europe/Paris; it holds for Brevo's events without ts_epoch")
}

// Validate finds settings that cannot work.
func (c *Config) Validate() error {
	if c.BrevoTimeZone == "" || c.BrevoTimeZone == "Local" {
		return errors.New("decode.email.brevo-time-zone must name a time zone")
	}
	if _, err := time.LoadLocation(c.BrevoTimeZone); err != nil {
		return fmt.Errorf("decode.email.brevo-time-zone: %w", err)
	}
	return nil
}

// Decoder reads the email feed. It may be used by several goroutines.
type Decoder struct {
	calls     schemas.Decoder
	brevoZone *time.Location
	scratches sync.Pool
}

// New gives a decoder for a Config that Validate accepts. E-mail events in the form of Segment calls are handed to calls; where calls is
// nil, they are of unknown format.
func New(cfg Config, calls schemas.Decoder) *Decoder {
	zone, err := time.LoadLocation(cfg.BrevoTimeZone)
	if err != nil {
		zone = time.UTC // Validate has seen to it
	}
	return &Decoder{calls: calls, brevoZone: zone, scratches: sync.Pool{New: func() any { return new(scratch) }}}
}

// Name gives "email".
func (d *Decoder) Name() string { return "email" }

// scratch is the memory of one Decode.
type scratch struct {
	decoder    *Decoder
	record     *schemas.Record
	out        *schemas.Decoded
	members    []member
	used       int // members that hold something
	report     report
	properties field.Properties
	recipients []recipient
	text       []byte
}

// Decode appends the events, rejects and drops of one record to out. The record must be well-formed as a whole; beyond that, each report
// of an array stands for itself.
func (d *Decoder) Decode(r *schemas.Record, value []byte, out *schemas.Decoded) {
	s := d.scratches.Get().(*scratch)
	defer d.scratches.Put(s)
	s.decoder, s.record, s.out = d, r, out
	s.read(value)
	// What is pooled must not keep the record alive.
	s.decoder, s.record, s.out = nil, nil, nil
	s.report = report{}
	clear(s.members[:s.used])
	s.used = 0
	clear(s.recipients[:cap(s.recipients)])
}

// read tells the shapes of a record apart. SendGrid sends arrays, and collectors make them of any reports; each report in one stands for
// itself.
func (s *scratch) read(value []byte) {
	switch field.Root(value, s.out, notJSON) {
	case field.KindObject:
		s.object(value)
	case field.KindArray:
		elements := field.ElementsOf(value, sourceSendGrid, s.out)
		for elements.Next() {
			s.object(elements.Raw)
		}
	}
}

// notJSON is the detail of a reject.
const notJSON = "not JSON"

// object reads one report.
func (s *scratch) object(raw []byte) {
	marks, ok := s.collect(raw)
	if !ok {
		s.out.Reject(schemas.ReasonMalformed, notJSON)
		return
	}
	s.report = report{}
	s.properties.Begin(s.out)
	s.recipients = s.recipients[:0]
	switch marks.shape() {
	case shapeSendGrid:
		s.finish(s.readSendGrid())
	case shapeMailgun:
		s.finish(s.readMailgun())
	case shapePostmark:
		s.finish(s.readPostmark())
	case shapeSNS:
		s.readSNS()
	case shapeSES:
		s.readSES("", field.Time{})
	case shapeBrevo:
		s.finish(s.readBrevo())
	case shapeCustomerIO:
		s.finish(s.readCustomerIO())
	case shapeCall:
		s.call(raw)
	default:
		s.out.Reject(schemas.ReasonUnknownFormat, "no known provider's report")
	}
}

// call hands an object to the decoder of Segment calls.
func (s *scratch) call(raw []byte) {
	if s.decoder.calls == nil {
		s.out.Reject(schemas.ReasonUnknownFormat, "a Segment call, which nobody reads here")
		return
	}
	s.decoder.calls.Decode(s.record, raw, s.out)
}
