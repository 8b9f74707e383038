// Package memory keeps what a line wrote in memory, for tests of the line. Batches come in and their rows stay readable.
// A failure may be injected before or after the rows are kept. It never forgets a row.
package memory

import (
	"context"
	"sync"

	"github.com/seamline/seamline/schemas"
)

// Event is one event as a sink saw it.
type Event struct {
	ID        string
	Source    string
	Type      schemas.Type
	ProfileID schemas.ProfileID
	Revenue   schemas.Decimal
	Topic     string
	Partition int32
	Offset    int64
	Batch     uint64
}

// Sink keeps rows.
type Sink struct {
	// Fail is asked before and after the rows of a batch are kept; an error from it is what Write returns. Nil never fails.
	Fail func(b *schemas.Batch, kept bool) error

	mu          sync.Mutex // guards the rows below
	Events      []Event
	Rejects     []schemas.Reject
	Dropped     []schemas.DroppedElement
	Decisions   []schemas.Decision
	Profiles    map[schemas.ProfileID]schemas.Profile
	Changes     []schemas.AudienceChange
	Identifiers map[uint64]schemas.IdentifierRow
	Aliases     map[schemas.ProfileID]schemas.Alias
	Batches     []uint64
}

// New makes an empty sink.
func New() *Sink {
	return &Sink{Profiles: map[schemas.ProfileID]schemas.Profile{}, Identifiers: map[uint64]schemas.IdentifierRow{},
		Aliases: map[schemas.ProfileID]schemas.Alias{}}
}

// Name is the sink's stable name.
func (s *Sink) Name() string { return "memory" }

// Write keeps the rows of a batch.
func (s *Sink) Write(_ context.Context, b *schemas.Batch) error {
	if s.Fail != nil {
		if err := s.Fail(b, false); err != nil {
			return err
		}
	}
	s.keep(b)
	if s.Fail != nil {
		return s.Fail(b, true)
	}
	return nil
}

func (s *Sink) keep(b *schemas.Batch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Batches = append(s.Batches, b.Number)
	for _, e := range b.Events {
		s.Events = append(s.Events, Event{ID: string([]byte(e.ID)), Source: e.Source, Type: e.Type, ProfileID: e.ProfileID, Revenue: e.Revenue,
			Topic: e.Record.Topic, Partition: e.Record.Partition, Offset: e.Record.Offset, Batch: b.Number})
	}
	s.Rejects = append(s.Rejects, b.Rejects...)
	s.Dropped = append(s.Dropped, b.Dropped...)
	s.Decisions = append(s.Decisions, b.Decisions...)
	for _, p := range b.Profiles {
		s.Profiles[p.ID] = p
	}
	s.Changes = append(s.Changes, b.Changes...)
	for _, i := range b.Identifiers {
		s.Identifiers[i.ID] = i
	}
	for _, a := range b.Aliases {
		s.Aliases[a.AliasID] = a
	}
}

// Read calls f while no batch is being written.
func (s *Sink) Read(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}
