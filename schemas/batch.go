package schemas

import (
	"context"
	"fmt"
)

// Touch is a profile that must be looked at again.
type Touch struct {
	Profile uint32
	Due     Time   // the timer that fell due, where only time touched the profile; 0 where an event or a merge did
	Changed Fields // all that may be other than when it was looked at last; 0 where nothing is known of that, and everything may
}

// Moment is one step of the fold: an event, or a timer that fell due before the next event. Its fields are filled from left to right,
// and its memory is used again for the next moment.
type Moment struct {
	Clock    Time      // what time it is for windows and timers; never goes back
	Event    *Event    // nil where only time passes
	Touched  []Touch   // profiles to look at, each once, merged-away ones first; filled by stitch, or with the timer that fell due
	Profiles []Profile // filled by score, in the order of Touched; without State, and with nothing but the index where nobody reads what changed
	Moved    bool      // identifiers or pieces of history came to a profile or left one; filled by stitch
	Timers   []Touch   // filled by score and audience: when a profile must be looked at although no event arrives
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
	Now     Time    // the one reading of the wall clock, or the fixed --now
	Fixed   bool    // Now is fixed, and time passes by event time only
	Latest  Time    // events up to here are possible, however old their record is; 0: the record's time alone counts
	Advance Time    // at the end of the batch the clock moves at least to here; 0 for nowhere
	Rewind  bool    // the records were read before, and only what was never accepted counts
	Intent  *Intent // of a batch that is replayed; nil for a new one
	Written bool    // every sink has the batch already: only state is made of it
	Ranges  []Range
	Records []Record // in canonical order: record time, then topic, partition, offset
	Release func()   // gives the memory of what the records alias back; nil for nothing to give back

	// Filled by decode.
	Events  []*Event // in canonical order
	Rejects []Reject
	Dropped []DroppedElement
	Arenas  []*Decoded // the memory behind Events, one per worker; kept from batch to batch

	// Filled by stitch.
	IDs          []uint64 // the memory behind the events' IdentifierIDs
	Decisions    []Decision
	Identifiers  []IdentifierRow // new or changed
	Contacts     []ContactRow    // told for the first time, or other than before; of one key the last counts
	Aliases      []Alias         // made, changed or, where a profile resolves to itself, taken back
	Attributions []Attribution
	Touched      []Touch // every profile that a moment of the batch touched, once, in order of index

	// Filled by score.
	Profiles       []Profile      // in the order of Touched
	StageChanges   []StageChange  // of journeys, in the order in which they happened
	Models         []Model        // fitted anew
	SessionAliases []SessionAlias // made
	Accounts       []Account      // changed, in the order of their first appearance

	// Filled by audience.
	Audiences   []Audience // how all of them are defined, where that changed
	Memberships []Membership
	Changes     []AudienceChange

	Took []StageTook // appended by the line
}

// Reset empties the batch for reuse and keeps its memory, but gives that of its records back.
func (b *Batch) Reset() {
	if b.Release != nil {
		b.Release()
	}
	clear(b.Records)
	clear(b.Rejects)
	clear(b.Events)
	clear(b.Decisions)
	clear(b.Identifiers)
	clear(b.Contacts)
	clear(b.Profiles)
	clear(b.Models)
	clear(b.Accounts)
	for _, a := range b.Arenas {
		a.Reset()
	}
	*b = Batch{
		Ranges: b.Ranges[:0], Records: b.Records[:0], Events: b.Events[:0], Rejects: b.Rejects[:0], Dropped: b.Dropped[:0],
		Arenas: b.Arenas, IDs: b.IDs[:0],
		Decisions: b.Decisions[:0], Identifiers: b.Identifiers[:0], Contacts: b.Contacts[:0], Aliases: b.Aliases[:0], Attributions: b.Attributions[:0], Touched: b.Touched[:0],
		Profiles: b.Profiles[:0], StageChanges: b.StageChanges[:0], Models: b.Models[:0], SessionAliases: b.SessionAliases[:0], Accounts: b.Accounts[:0], Audiences: b.Audiences[:0], Memberships: b.Memberships[:0], Changes: b.Changes[:0], Took: b.Took[:0],
	}
}

// Item gives a list of one item that lives as long as the batch, for an event that has none.
func (b *Batch) Item(it Item) []Item {
	if len(b.Arenas) == 0 {
		return []Item{it}
	}
	return b.Arenas[0].item(it)
}

// Empty tells whether nothing was read and nothing fell due, so that there is nothing to write or to remember.
func (b *Batch) Empty() bool { return len(b.Ranges) == 0 && len(b.Touched) == 0 }

// CheckDecoded panics where an event breaks the promise of the decoders: an id, a time, a type, a channel and a source.
func (b *Batch) CheckDecoded() {
	for _, e := range b.Events {
		if e.Command.Kind != CommandNone && e.ID != "" && e.Time != 0 && e.Record != nil {
			continue
		}
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

// Folder is a stage that takes a batch moment by moment, in step with the other folders of the line: what one moment changed is known
// to all of them before the next. So no result depends on where batches are cut. Apply comes last and closes the batch: it fills the
// rows of what the batch changed.
type Folder interface {
	Stage
	// Begin comes before the batch's first moment, for what is cheaper done for all events together.
	Begin(b *Batch) error
	Step(b *Batch, m *Moment) error
}

// Preparer is a stage that can do a part of its work for an event as soon as that is decoded, while its bytes are near. Prepare depends on
// nothing but the event and settings, and may be called from several goroutines. An event that was not prepared is none the worse.
type Preparer interface {
	Stage
	Prepare(e *Event)
}

// Clock is the folder that keeps the time and the timers.
type Clock interface {
	Folder
	// Advance moves the clock to t, if that is later.
	Advance(t Time)
	// Next gives the clock's reading at the earliest timer that is due, and the profile that it touches; false where none is due.
	Next() (Touch, bool)
	// Due tells whether a timer falls due up to t.
	Due(t Time) bool
	// Now is the clock's reading.
	Now() Time
}

// Sink makes a batch durable in one place. Write returns nil when it is durable; writing the same batch again is harmless.
// An error is worth a retry unless it wraps ErrFatal.
type Sink interface {
	Name() string
	Write(ctx context.Context, b *Batch) error
}

// Planner is a sink that tells before it writes what it is going to write, so that a replay can be held against it.
type Planner interface {
	Sink
	Plan(b *Batch) []Block
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
