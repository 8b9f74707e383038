// Package survey reads answers to surveys: Seamline survey JSON, and Segment's Survey Answered.
// Answers come out as canonical events, or a reject per record that cannot be used.
// It never keeps state, never asks the clock, and never keeps a comment that may hold contact data.
package survey

import (
	"cmp"
	"flag"
	"sync"

	"github.com/seamline/seamline/consumers/field"
	"github.com/seamline/seamline/schemas"
)

// Config holds the settings of the survey feed.
type Config struct {
	// Comments keeps what people wrote, unless it may hold contact data. A name in it cannot be told from any other word.
	Comments bool
}

// DefaultConfig gives the settings that hold when nothing is said.
func DefaultConfig() Config { return Config{Comments: true} }

// Flags adds the settings to fs.
func (c *Config) Flags(fs *flag.FlagSet) {
	fs.BoolVar(&c.Comments, "survey.comments", c.Comments,
		"keep comments of Seamline survey answers of up to 200 characters without @ and with no more than 6 digits; longer ones are never kept")
}

// Validate finds settings that cannot work.
func (c *Config) Validate() error { return nil }

// sourceSeamline is the kind of producer of all but calls.
const sourceSeamline = "seamline"

// Decoder reads the survey feed. It may be used by several goroutines.
type Decoder struct {
	config    Config
	calls     schemas.Decoder
	scratches sync.Pool
}

// New gives a decoder. Segment calls are handed to calls; where calls is nil, they are of unknown format.
func New(cfg Config, calls schemas.Decoder) *Decoder {
	return &Decoder{config: cfg, calls: calls, scratches: sync.Pool{New: func() any { return new(scratch) }}}
}

// Name gives "survey".
func (d *Decoder) Name() string { return "survey" }

// scratch is the memory of one Decode.
type scratch struct {
	decoder    *Decoder
	record     *schemas.Record
	out        *schemas.Decoded
	answer     answer
	properties field.Properties
}

// answer is one Seamline survey JSON as it was read.
type answer struct {
	customer field.Customer
	time     field.Time
	survey   string
	id       string
	kind     string
	score    field.Decimal
	given    bool // a score is, of whatever kind
	comment  string
	channel  string
	store    string
	order    string
	country  string
	isCall   bool // it is a Segment call instead, or a batch of them
}

// Decode appends the events and rejects of one record to out. The record must be well-formed as a whole; beyond that, each element of an
// array stands for itself.
func (d *Decoder) Decode(r *schemas.Record, value []byte, out *schemas.Decoded) {
	s := d.scratches.Get().(*scratch)
	defer d.scratches.Put(s)
	s.decoder, s.record, s.out = d, r, out
	switch field.Root(value, out, notJSON) {
	case field.KindObject:
		s.object(value)
	case field.KindArray:
		elements := field.ElementsOf(value, sourceSeamline, out)
		for elements.Next() {
			s.object(elements.Raw)
		}
	}
	// What is pooled must not keep the record alive.
	s.decoder, s.record, s.out = nil, nil, nil
	s.answer = answer{}
}

// notJSON is the detail of a reject.
const notJSON = "not JSON"

// object reads one object.
func (s *scratch) object(raw []byte) {
	s.answer = answer{}
	s.properties.Begin(s.out)
	r := field.NewReader(raw, s.out)
	for r.Object(); r.Next(); {
		s.answer.read(&r, &s.properties)
	}
	switch {
	case !r.Done():
		s.out.Reject(schemas.ReasonMalformed, notJSON)
	case !s.answer.isCall:
		s.finish(raw)
	case s.decoder.calls == nil:
		s.out.Reject(schemas.ReasonUnknownFormat, "a Segment call, which nobody reads here")
	default:
		s.decoder.calls.Decode(s.record, raw, s.out)
	}
}

// read reads the current member. Members without a meaning stay in the properties.
func (a *answer) read(r *field.Reader, properties *field.Properties) {
	switch r.Key {
	case "type", "event", "messageId", "context", "batch":
		a.isCall = true
		r.Skip()
	case "time", "timestamp":
		a.time = r.Time()
	case "survey_id":
		a.survey = r.Text()
	case "answer_id":
		a.id = r.Text()
	case "kind":
		a.kind = r.Text()
	case "score":
		kind := r.Kind()
		a.score, a.given = r.Decimal(), kind != field.KindNull
	case "comment":
		a.comment = r.Text()
	case "customer":
		a.customer.Read(r)
	case "channel":
		a.channel = r.Text()
	case "store_id":
		a.store = r.Text()
	case "order_id":
		a.order = r.Text()
	case "country":
		a.country = field.Country(r.Text())
	default:
		if !a.customer.ReadMember(r) {
			key := r.Key
			properties.Add(key, r.Raw())
		}
	}
}

// now is the time that the answer is of: its own, else the record's.
func (s *scratch) now() schemas.Time {
	if s.answer.time.Set {
		return s.answer.time.Value
	}
	return s.record.Time
}

// check finds the answer, and why it cannot be an event.
func (s *scratch) check() (found schemas.Answer, reason schemas.Reason, detail string) {
	a, kind := &s.answer, field.SurveyKindOf(s.answer.kind)
	switch {
	case a.survey == "" && a.kind == "" && !a.given:
		return found, schemas.ReasonUnknownFormat, "no answer to a survey"
	case a.survey == "":
		return found, schemas.ReasonMissingField, "survey_id"
	case a.kind == "":
		return found, schemas.ReasonMissingField, "kind"
	case kind == schemas.SurveyNone:
		return found, schemas.ReasonUnknownEvent, "kind is none of nps, csat"
	case !a.given:
		return found, schemas.ReasonMissingField, "score"
	case a.time.Bad || a.time.Set && a.time.Value == 0:
		return found, schemas.ReasonImpossibleTime, "the time is no time"
	case s.now() == 0:
		return found, schemas.ReasonImpossibleTime, "no time given"
	case a.customer == (field.Customer{}):
		return found, schemas.ReasonMissingIdentifier, "the customer has no user_id, loyalty_id, email, phone, device_id or anonymous_id"
	}
	score, ok := field.SurveyScore(kind, a.score)
	if !ok {
		return found, schemas.ReasonMalformed, field.SurveyScoreBad
	}
	return schemas.Answer{Survey: a.survey, Kind: kind, Score: score}, "", ""
}

// finish makes an event of the answer, or a reject.
func (s *scratch) finish(raw []byte) {
	found, reason, detail := s.check()
	if reason != "" {
		s.out.Reject(reason, detail)
		return
	}
	a := &s.answer
	e := s.out.Event()
	e.Source, e.Type, e.Time, e.Answer = sourceSeamline, schemas.TypeSurveyAnswer, s.now(), found
	e.Channel = channelOf(a)
	e.StoreID, e.OrderID, e.Country = a.store, a.order, a.country
	a.customer.Identify(e)
	s.name(e, raw)
	s.properties.AddText("survey_id", found.Survey)
	s.properties.AddText("kind", found.Kind.String())
	s.properties.AddDecimal("score", a.score.Value)
	if s.decoder.config.Comments {
		s.properties.AddText("comment", field.FreeText(a.comment))
	}
	e.Properties = s.properties.String(s.out)
}

// channelOf gives the channel that the answer names; else a store where it names one, and the web.
func channelOf(a *answer) schemas.Channel {
	named := field.Channel(a.channel)
	if named == schemas.ChannelUnknown && a.store != "" {
		named = schemas.ChannelStore
	}
	return cmp.Or(named, schemas.ChannelWeb)
}

// name gives the event its id: the answer's within its survey, or a hash.
func (s *scratch) name(e *schemas.Event, raw []byte) {
	a := &s.answer
	switch {
	case a.id != "":
		e.ID = field.IDOf(s.out, sourceSeamline, "survey", a.survey, a.id)
	case a.time.Set:
		e.ID = field.ContentID(s.out, sourceSeamline, raw)
	default:
		e.ID = field.ElementID(s.out, sourceSeamline, raw, e.Time)
	}
}
