// Package timers keeps the time of the line. Score and audience say when a profile must be looked at again although no event arrives;
// here that is remembered, and given back when the clock reaches it, earliest first.
// It never asks the wall clock: the line moves the clock by what batches carry.
package timers

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"unsafe"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seamline/seamline/pipeline/slab"
	"github.com/seamline/seamline/schemas"
)

// Queue is the stage that keeps the clock, and the next time at which each profile must be looked at.
type Queue struct {
	clock   schemas.Time // never moves backwards
	moment  schemas.Time // clock of the last moment, which never moves backwards either
	armed   *slab.Slab[timer]
	count   int      // profiles that are armed
	heap    heap     // may hold entries that armed no longer confirms
	unsaved []uint32 // profiles whose timer changed since the last Save
	space   *slab.Space
	waiting prometheus.Gauge
}

// timer is what is known of a profile.
type timer struct {
	due     schemas.Time // 0 for never
	unsaved bool         // changed since the last Save
	kept    bool         // found on the heap while that is tidied
}

// New makes an empty queue, whose memory is in the space; a nil space is anonymous memory.
func New(space *slab.Space, reg prometheus.Registerer) *Queue {
	q := &Queue{armed: slab.NewSlab[timer](space), heap: heap{entries: slab.NewSlab[entry](space)}, space: space,
		waiting: prometheus.NewGauge(prometheus.GaugeOpts{Name: "seamline_audience_timers", Help: "Profiles that wait for a time to pass."})}
	reg.MustRegister(q.waiting)
	return q
}

// Name is the stage's stable name.
func (q *Queue) Name() string { return "timers" }

// Now is the clock's reading.
func (q *Queue) Now() schemas.Time { return q.clock }

// Advance moves the clock to t, if that is later.
func (q *Queue) Advance(t schemas.Time) { q.clock = max(q.clock, t) }

// Due tells whether a timer falls due up to t.
func (q *Queue) Due(t schemas.Time) bool {
	q.skipReplaced()
	return q.heap.count > 0 && q.heap.at(0).due <= t
}

// Next gives the earliest timer that is due, of several the one of the smallest profile, and forgets it. A timer that was armed for
// a time before the last moment is given as of that moment.
func (q *Queue) Next() (schemas.Touch, bool) {
	if !q.Due(q.clock) {
		return schemas.Touch{}, false
	}
	e := q.heap.pop()
	q.set(e.profile, 0)
	t := schemas.Touch{Profile: e.profile, Due: max(e.due, q.moment), Changed: schemas.FieldsClock}
	if e.due == called {
		t.Changed = 0
	}
	return t, true
}

// skipReplaced takes entries out that stand first and were replaced.
func (q *Queue) skipReplaced() {
	for q.heap.count > 0 {
		if e := q.heap.at(0); q.armed.At(e.profile).due == e.due {
			return
		}
		q.heap.pop()
	}
}

// called is when a profile is due that was called: before any timer.
const called = 1

// Call makes a profile due at once, to be looked at as a whole, whatever timer it has.
func (q *Queue) Call(profile uint32) { q.arm(profile, called) }

// eventBytes is what an event may add to the state: it may touch a new profile and arm timers.
const eventBytes = int64(unsafe.Sizeof(timer{}) + 2*unsafe.Sizeof(entry{}))

// Begin makes sure that there is room for what the batch adds. It fails with slab.ErrFull where there is none.
func (q *Queue) Begin(b *schemas.Batch) error {
	if err := q.space.Reserve(int64(len(b.Events)) * eventBytes); err != nil {
		return fmt.Errorf("timers of %d events: %w", len(b.Events), err)
	}
	return nil
}

// Step gives every touched profile the earliest of the timers that were asked for it, or none. Where only a part of a profile was looked
// at, the timer that it has stands beside those. Step sorts the moment's timers.
func (q *Queue) Step(_ *schemas.Batch, m *schemas.Moment) error {
	q.moment = max(q.moment, m.Clock)
	slices.SortFunc(m.Timers, compareTimers)
	for _, t := range m.Touched {
		at, _ := slices.BinarySearchFunc(m.Timers, schemas.Touch{Profile: t.Profile}, compareTimers)
		var due schemas.Time
		if at < len(m.Timers) && m.Timers[at].Profile == t.Profile {
			due = m.Timers[at].Due
		}
		if t.Changed != 0 {
			due = schemas.Earlier(due, q.due(t.Profile))
		}
		q.arm(t.Profile, due)
	}
	return nil
}

// due gives when a profile is due; 0 for never.
func (q *Queue) due(profile uint32) schemas.Time {
	if int(profile) >= q.armed.Len() {
		return 0
	}
	return q.armed.At(profile).due
}

// compareTimers orders timers by profile, then time.
func compareTimers(a, b schemas.Touch) int {
	if a.Profile != b.Profile {
		return cmp.Compare(a.Profile, b.Profile)
	}
	return cmp.Compare(a.Due, b.Due)
}

// arm sets when a profile is due; 0 for never.
func (q *Queue) arm(profile uint32, due schemas.Time) {
	if q.set(profile, due) && due != 0 {
		q.heap.push(entry{due: due, profile: profile})
	}
}

// set remembers when a profile is due, without putting it on the heap. It tells whether that is new.
func (q *Queue) set(profile uint32, due schemas.Time) bool {
	q.armed.Extend(int(profile) + 1)
	t := q.armed.At(profile)
	if t.due == due {
		return false
	}
	switch {
	case t.due == 0:
		q.count++
	case due == 0:
		q.count--
	}
	t.due = due
	if !t.unsaved {
		t.unsaved = true
		q.unsaved = append(q.unsaved, profile)
	}
	return true
}

// heapSlack is how many entries of the heap may be out of date before they are taken out, beside as many as are not.
const heapSlack = 1024

// Apply closes the batch. What it tidies up, nobody can tell.
func (q *Queue) Apply(*schemas.Batch) error {
	if q.heap.count > 2*q.count+heapSlack {
		q.tidy()
	}
	q.waiting.Set(float64(q.count))
	return nil
}

// tidy leaves one entry of every timer on the heap.
func (q *Queue) tidy() {
	q.heap.keep(func(e entry) bool {
		t := q.armed.At(e.profile)
		if t.due != e.due || t.kept {
			return false
		}
		t.kept = true
		return true
	})
	for i := range q.heap.count {
		q.armed.At(q.heap.at(i).profile).kept = false
	}
}

var (
	keyClock = []byte{'a'}
	errEntry = errors.New("an entry of the timer state has the wrong size")
)

const keyTimer = 'b'

// Save writes the clock and the timers that changed since the last Save. Where it fails, the next Save writes all of them again.
func (q *Queue) Save(w schemas.StateWriter) error {
	clock := binary.BigEndian.AppendUint64(nil, uint64(q.clock))
	if err := w.Put(keyClock, binary.BigEndian.AppendUint64(clock, uint64(q.moment))); err != nil {
		return err
	}
	slices.Sort(q.unsaved)
	var key, value []byte
	for _, p := range q.unsaved {
		t := q.armed.At(p)
		key = binary.BigEndian.AppendUint32(append(key[:0], keyTimer), p)
		var err error
		if t.due != 0 {
			value = binary.BigEndian.AppendUint64(value[:0], uint64(t.due))
			err = w.Put(key, value)
		} else {
			err = w.Delete(key)
		}
		if err != nil {
			return err
		}
	}
	for _, p := range q.unsaved {
		q.armed.At(p).unsaved = false
	}
	q.unsaved = q.unsaved[:0]
	return nil
}

// loadEntries is after how many entries Load keeps the ceiling of memory and makes room for as many more.
const loadEntries = 1 << 13

// Load reads the clock and all timers.
func (q *Queue) Load(r schemas.StateReader) error {
	n := 0
	err := r.Each(func(key, v []byte) error {
		if n%loadEntries == 0 {
			if err := errors.Join(q.space.Trim(), q.space.Reserve(loadEntries*eventBytes)); err != nil {
				return err
			}
		}
		n++
		return q.load(key, v)
	})
	q.tidy()
	return err
}

func (q *Queue) load(key, v []byte) error {
	switch {
	case key[0] == keyClock[0] && len(key) == 1 && len(v) == 16:
		q.clock, q.moment = schemas.Time(binary.BigEndian.Uint64(v)), schemas.Time(binary.BigEndian.Uint64(v[8:]))
	case key[0] == keyTimer && len(key) == 5 && len(v) == 8:
		p, due := binary.BigEndian.Uint32(key[1:]), schemas.Time(binary.BigEndian.Uint64(v))
		q.armed.Extend(int(p) + 1)
		if t := q.armed.At(p); t.due != 0 || due == 0 {
			return errEntry
		}
		q.armed.At(p).due = due
		q.count++
		q.heap.append(entry{due: due, profile: p})
	default:
		return errEntry
	}
	return nil
}
