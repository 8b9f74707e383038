package schemas

import (
	"context"
	"fmt"
)

// Touch is a profile that a batch must fold again.
type Touch struct {
	Profile uint32
	Due     Time // the timer that fell due, where only time touched the profile; 0 where an event or a merge did
}

// StageTook is how long one stage took for a batch, in nanoseconds.
type StageTook struct {
	Stage string
	Nanos int64
}

// Batch walks the line once, and its fields are filled from left to right: each stage writes its own and reads the rest.
type Batch struct {
	// Filled by gather.
	Number  uint64
	Now     Time // the one reading of the wall clock, or the fixed --now
	Fixed   bool // Now is fixed, and time passes by event time only
	Advance Time // where Now is fixed, the clock moves at least to here; 0 for nowhere
	Ranges  []Range
	Records []Record // in canonical order: record time, then topic, partition, offset

	// Filled by decode.
	Events  []*Event // in canonical order
	Rejects []Reject
	Dropped []DroppedElement
	Arenas  []*Decoded // the memory behind Events, one per worker; kept from batch to batch

	// Filled by the timers stage: what time it is for windows and timers. Now, or the latest event time so far where Now is fixed.
	Clock Time

	// Filled by stitch.
	Decisions   []Decision
	Identifiers []IdentifierRow // new or changed
	Aliases     []Alias
	Touched     []Touch // each profile once, in order of index; due timers are added by the timers stage

	// Filled by score.
	Profiles []Profile // in the order of Touched

	// Filled by score and audience: when a profile must be looked at again although no event arrives.
	Timers []Touch

	// Filled by audience.
	Memberships []Membership
	Changes     []AudienceChange

	Took []StageTook // appended by the line
}

// Reset empties the batch for reuse and keeps its memory.
func (b *Batch) Reset() {
	*b = Batch{
		Ranges: b.Ranges[:0], Records: b.Records[:0], Events: b.Events[:0], Rejects: b.Rejects[:0], Dropped: b.Dropped[:0],
		Arenas:    b.Arenas,
		Decisions: b.Decisions[:0], Identifiers: b.Identifiers[:0], Aliases: b.Aliases[:0], Touched: b.Touched[:0],
		Profiles: b.Profiles[:0], Timers: b.Timers[:0], Memberships: b.Memberships[:0], Changes: b.Changes[:0], Took: b.Took[:0],
	}
}

// Empty tells whether nothing was read and nothing fell due, so that there is nothing to write or to remember.
func (b *Batch) Empty() bool { return len(b.Ranges) == 0 && len(b.Touched) == 0 }

// CheckDecoded panics where an event breaks the promise of the decoders: an id, a time, a type, a channel and a source.
func (b *Batch) CheckDecoded() {
	for _, e := range b.Events {
		if e.ID == "" || e.Time == 0 || e.Type == TypeUnknown || e.Channel == ChannelUnknown || e.Source == "" || e.Record == nil {
			panic(fmt.Sprintf("decode: incomplete event %q of source %q, type %q", e.ID, e.Source, e.Type))
		}
	}
}

// CheckStitched panics where an event has a profile index without an id, or the other way round.
func (b *Batch) CheckStitched() {
	for _, e := range b.Events {
		if (e.Profile == 0) != e.ProfileID.IsZero() {
			panic(fmt.Sprintf("stitch: event %q has profile %d and id %s", e.ID, e.Profile, e.ProfileID))
		}
	}
}

// Stage is one stage of the line. Apply uses the CPU and the stage's own state: no network and no clock. It may fan out and
// joins before it returns; the result does not depend on how many cores there were.
type Stage interface {
	Name() string
	Apply(b *Batch) error
}

// Sink makes a batch durable in one place. Write returns nil when it is durable; writing the same batch again is harmless.
// An error is worth a retry unless it wraps ErrFatal.
type Sink interface {
	Name() string
	Write(ctx context.Context, b *Batch) error
}

// Keeper is a stage with state. Save writes what changed since the last Save; Load reads all of it, before the first Apply.
type Keeper interface {
	Stage
	Save(w StateWriter) error
	Load(r StateReader) error
}

// StateWriter takes changed entries of one stage. Key and value are copied.
type StateWriter interface {
	Put(key, value []byte) error
	Delete(key []byte) error
	// DeleteRange deletes all keys from from up to, and without, to.
	DeleteRange(from, to []byte) error
}

// StateReader walks all entries of one stage in the order of their keys. Key and value are valid during the call only.
type StateReader interface {
	Each(f func(key, value []byte) error) error
}

// ErrFatal marks an error that no retry mends: the line stops.
var ErrFatal = fatalError{}

type fatalError struct{}

func (fatalError) Error() string { return "fatal" }
