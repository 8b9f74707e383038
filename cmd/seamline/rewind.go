package main

import (
	"context"
	"fmt"
	"time"

	"github.com/seamline/seamline/schemas"
	"github.com/seamline/seamline/sinks/clickhouse"
)

// rewind says what is to be read once more.
type rewind struct {
	topic string
	at    time.Time
}

// acceptedTables is what rewound asks the tables.
type acceptedTables interface {
	Accepted(ctx context.Context, ranges []schemas.Range, before uint64, f func(topic string, partition int32, offset int64, element int, isRefused bool)) error
	AcceptedIDs(ctx context.Context, events []*schemas.Event, before uint64, f func(source, id string)) error
	AcceptedCommands(ctx context.Context, ids []string, before uint64, f func(id string)) error
}

var _ acceptedTables = (*clickhouse.Sink)(nil)

// rewound takes what was processed before out of a batch of records that are read once more. It is the one stage that asks the tables,
// and only then: no state remembers events for as long as a topic keeps records. It looks only at rows of earlier batches, so that a
// replay decides the same.
type rewound struct{ tables acceptedTables }

// Name is the stage's stable name.
func (*rewound) Name() string { return "rewind" }

// position names one element of one record.
type position struct {
	topic     string
	partition int32
	offset    int64
	element   int
}

// Apply drops events and rejects of which there are rows.
func (s *rewound) Apply(b *schemas.Batch) error {
	if !b.Rewind {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), rewoundWaitMax)
	defer cancel()
	accepted, refused := map[position]bool{}, map[position]bool{}
	err := s.tables.Accepted(ctx, b.Ranges, b.Number, func(topic string, partition int32, offset int64, element int, isRefused bool) {
		if isRefused {
			refused[position{topic, partition, offset, element}] = true
		} else {
			accepted[position{topic, partition, offset, element}] = true
		}
	})
	if err != nil {
		return fmt.Errorf("look for what was processed before: %w", err)
	}
	at := func(r *schemas.Record, element int) position {
		return position{r.Topic, r.Partition, r.Offset, element}
	}
	rejects := b.Rejects[:0]
	for _, r := range b.Rejects {
		if !refused[at(r.Record, r.Element)] {
			rejects = append(rejects, r)
		}
	}
	b.Rejects = rejects
	kept := b.Events[:0]
	for _, e := range b.Events {
		here := at(e.Record, e.Element)
		// A command has no row of its own: what is neither refused nor accepted was a command.
		if isCommand := e.Command.Kind != schemas.CommandNone; isCommand && refused[here] || !isCommand && !accepted[here] {
			kept = append(kept, e)
		}
	}
	known, err := s.known(ctx, kept, b.Number)
	if err != nil {
		return fmt.Errorf("look for what was processed before: %w", err)
	}
	b.Events = kept[:0]
	for _, e := range kept {
		if !known[nameOf(e)] {
			b.Events = append(b.Events, e)
		}
	}
	return nil
}

// eventName tells events apart, and events from commands.
type eventName struct {
	isCommand  bool
	source, id string
}

func nameOf(e *schemas.Event) eventName {
	return eventName{e.Command.Kind != schemas.CommandNone, e.Source, e.ID}
}

// known gives the events of which a copy was accepted: it may have come with another record, longer ago than the window of dedup.
func (s *rewound) known(ctx context.Context, found []*schemas.Event, before uint64) (map[eventName]bool, error) {
	known := map[eventName]bool{}
	var events []*schemas.Event
	var commands []string
	sources := map[string]string{} // of commands, by id
	for _, e := range found {
		if e.Command.Kind == schemas.CommandNone {
			events = append(events, e)
			continue
		}
		commands, sources[e.ID] = append(commands, e.ID), e.Source
	}
	if err := s.tables.AcceptedIDs(ctx, events, before, func(source, id string) { known[eventName{false, source, id}] = true }); err != nil {
		return nil, err
	}
	err := s.tables.AcceptedCommands(ctx, commands, before, func(id string) { known[eventName{true, sources[id], id}] = true })
	return known, err
}

// rewoundWaitMax bounds the questions of one batch.
const rewoundWaitMax = 5 * time.Minute
