// Package timers keeps the time of the line. Score and audience say when a profile must be looked at again although no event arrives;
// here that is remembered, and given back when the clock reaches it, earliest first.
// It never asks the wall clock: the line moves the clock by what batches carry.
package timers

import (
	"cmp"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seamline/seamline/schemas"
)

// Queue is the stage that keeps the clock, and the next time at which each profile must be looked at.
type Queue struct {
	clock   schemas.Time // never moves backwards
	moment  schemas.Time // clock of the last moment, which never moves backwards either
	due     map[uint32]schemas.Time
	heap    heap // may hold entries that due no longer confirms
	unsaved map[uint32]struct{}
	waiting prometheus.Gauge
}

// New makes an empty queue.
func New(reg prometheus.Registerer) *Queue {
	q := &Queue{due: map[uint32]schemas.Time{}, unsaved: map[uint32]struct{}{},
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
	return len(q.heap) > 0 && q.heap[0].due <= t
}

// Next gives the earliest timer that is due, of several the one of the smallest profile, and forgets it. A timer that was armed for
// a time before the last moment is given as of that moment.
func (q *Queue) Next() (schemas.Touch, bool) {
	if !q.Due(q.clock) {
		return schemas.Touch{}, false
	}
	e := q.heap.pop()
	q.set(e.profile, 0)
	return schemas.Touch{Profile: e.profile, Due: max(e.due, q.moment)}, true
}

// skipReplaced takes entries out that stand first and that due does not confirm.
func (q *Queue) skipReplaced() {
	for len(q.heap) > 0 && q.due[q.heap[0].profile] != q.heap[0].due {
		q.heap.pop()
	}
}

// Call makes a profile due at once, whatever timer it has.
func (q *Queue) Call(profile uint32) {
	q.set(profile, max(1, q.clock))
	q.heap.push(entry{due: max(1, q.clock), profile: profile})
}

// Begin has nothing to prepare.
func (q *Queue) Begin(*schemas.Batch) error { return nil }

// Step gives every touched profile the earliest of the timers that were asked for it, or none. It sorts the moment's timers.
func (q *Queue) Step(_ *schemas.Batch, m *schemas.Moment) error {
	q.moment = max(q.moment, m.Clock)
	slices.SortFunc(m.Timers, compareTimers)
	for _, t := range m.Touched {
		at, _ := slices.BinarySearchFunc(m.Timers, schemas.Touch{Profile: t.Profile}, compareTimers)
		var due schemas.Time
		if at < len(m.Timers) && m.Timers[at].Profile == t.Profile {
			due = m.Timers[at].Due
		}
		if due == q.due[t.Profile] {
			continue
		}
		q.set(t.Profile, due)
		if due != 0 {
			q.heap.push(entry{due: due, profile: t.Profile})
		}
	}
	return nil
}

// compareTimers orders timers by profile, then time.
func compareTimers(a, b schemas.Touch) int {
	if a.Profile != b.Profile {
		return cmp.Compare(a.Profile, b.Profile)
	}
	return cmp.Compare(a.Due, b.Due)
}

// set remembers when a profile is due; 0 for never.
func (q *Queue) set(profile uint32, due schemas.Time) {
	if due == 0 {
		delete(q.due, profile)
	} else {
		q.due[profile] = due
	}
	q.unsaved[profile] = struct{}{}
}

// heapSlack is how many entries of the heap may be out of date before it is made anew, beside as many as are not.
const heapSlack = 1024

// Apply closes the batch. What it tidies up, nobody can tell.
func (q *Queue) Apply(*schemas.Batch) error {
	if len(q.heap) > 2*len(q.due)+heapSlack {
		q.rebuild()
	}
	q.waiting.Set(float64(len(q.due)))
	return nil
}

// rebuild leaves out entries that were replaced.
func (q *Queue) rebuild() {
	q.heap = q.heap[:0]
	for profile, due := range q.due {
		q.heap = append(q.heap, entry{due: due, profile: profile})
	}
	q.heap.order()
}

var (
	keyClock = []byte{'a'}
	errEntry = errors.New("an entry of the timer state has the wrong size")
)

const keyTimer = 'b'

// Save writes the clock and the timers that changed since the last Save.
func (q *Queue) Save(w schemas.StateWriter) error {
	clock := binary.BigEndian.AppendUint64(nil, uint64(q.clock))
	if err := w.Put(keyClock, binary.BigEndian.AppendUint64(clock, uint64(q.moment))); err != nil {
		return err
	}
	list := make([]uint32, 0, len(q.unsaved))
	for p := range q.unsaved {
		list = append(list, p)
	}
	slices.Sort(list)
	for _, p := range list {
		key := binary.BigEndian.AppendUint32([]byte{keyTimer}, p)
		due, ok := q.due[p]
		var err error
		if ok {
			err = w.Put(key, binary.BigEndian.AppendUint64(nil, uint64(due)))
		} else {
			err = w.Delete(key)
		}
		if err != nil {
			return err
		}
	}
	clear(q.unsaved)
	return nil
}

// Load reads the clock and all timers.
func (q *Queue) Load(r schemas.StateReader) error {
	err := r.Each(func(key, v []byte) error {
		switch {
		case key[0] == keyClock[0] && len(key) == 1 && len(v) == 16:
			q.clock, q.moment = schemas.Time(binary.BigEndian.Uint64(v)), schemas.Time(binary.BigEndian.Uint64(v[8:]))
		case key[0] == keyTimer && len(key) == 5 && len(v) == 8:
			q.due[binary.BigEndian.Uint32(key[1:])] = schemas.Time(binary.BigEndian.Uint64(v))
		default:
			return errEntry
		}
		return nil
	})
	q.rebuild()
	return err
}
