// Package timers makes time pass. It sets the batch's clock, and calls the profiles whose time has come although no event arrived.
// Score and audience say when a profile must be looked at again; here it is remembered, and touched when that time is reached.
// It never asks the wall clock: the batch carries its one reading.
package timers

import (
	"encoding/binary"
	"errors"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seamline/seamline/schemas"
)

// Queue remembers the next time at which each profile must be looked at. It stands in the line twice: Due calls, Arm remembers.
type Queue struct {
	clock   schemas.Time // never moves backwards
	due     map[uint32]schemas.Time
	heap    []entry // may hold entries that due no longer confirms
	unsaved map[uint32]struct{}
	waiting prometheus.Gauge
}

type entry struct {
	due     schemas.Time
	profile uint32
}

func (e entry) before(f entry) bool { return e.due < f.due || e.due == f.due && e.profile < f.profile }

// New makes an empty queue.
func New(reg prometheus.Registerer) *Queue {
	q := &Queue{due: map[uint32]schemas.Time{}, unsaved: map[uint32]struct{}{},
		waiting: prometheus.NewGauge(prometheus.GaugeOpts{Name: "seamline_audience_timers", Help: "Profiles that wait for a time to pass."})}
	reg.MustRegister(q.waiting)
	return q
}

// Due is the stage that sets the clock and adds profiles whose timer is due to Touched.
type Due struct{ q *Queue }

// Due gives the stage that goes between stitch and score.
func (q *Queue) Due() *Due { return &Due{q} }

// Name is the stage's stable name.
func (d *Due) Name() string { return "due" }

// Apply sets Clock and merges due profiles into Touched.
func (d *Due) Apply(b *schemas.Batch) error {
	q := d.q
	q.advance(b)
	var fired []schemas.Touch
	for len(q.heap) > 0 && q.heap[0].due <= b.Clock {
		e := q.heap[0]
		q.pop()
		if q.due[e.profile] == e.due {
			delete(q.due, e.profile)
			q.unsaved[e.profile] = struct{}{}
			fired = append(fired, schemas.Touch{Profile: e.profile, Due: e.due})
		}
	}
	if len(fired) == 0 {
		return nil
	}
	b.Touched = append(b.Touched, fired...)
	// An event's touch stands before a timer's of the same profile, and is the one kept.
	slices.SortFunc(b.Touched, func(a, c schemas.Touch) int {
		if a.Profile != c.Profile {
			return int(int64(a.Profile) - int64(c.Profile))
		}
		return int(max(-1, min(1, a.Due-c.Due)))
	})
	b.Touched = slices.CompactFunc(b.Touched, func(a, c schemas.Touch) bool { return a.Profile == c.Profile })
	return nil
}

// Call makes a profile due at once, whatever timer it has.
func (q *Queue) Call(profile uint32) {
	q.due[profile] = q.clock
	q.push(entry{due: q.clock, profile: profile})
	q.unsaved[profile] = struct{}{}
}

// advance moves the clock: to the wall clock's reading, or to the latest event where that is fixed.
func (q *Queue) advance(b *schemas.Batch) {
	if !b.Fixed {
		q.clock = max(q.clock, b.Now)
	} else {
		for _, e := range b.Events {
			q.clock = max(q.clock, e.Time)
		}
		q.clock = max(q.clock, b.Advance)
	}
	b.Clock = q.clock
}

// Arm is the stage that remembers the timers that score and audience asked for.
type Arm struct{ q *Queue }

// Arm gives the stage that goes behind all that ask for timers.
func (q *Queue) Arm() *Arm { return &Arm{q} }

// Name is the stage's stable name.
func (a *Arm) Name() string { return "timers" }

// Apply gives every touched profile the earliest of the timers asked for, or none.
func (a *Arm) Apply(b *schemas.Batch) error {
	q := a.q
	wanted := make(map[uint32]schemas.Time, len(b.Timers))
	for _, t := range b.Timers {
		if at, ok := wanted[t.Profile]; !ok || t.Due < at {
			wanted[t.Profile] = t.Due
		}
	}
	for _, t := range b.Touched {
		at, ok := wanted[t.Profile]
		old, had := q.due[t.Profile]
		switch {
		case ok && (!had || old != at):
			q.due[t.Profile] = at
			q.push(entry{due: at, profile: t.Profile})
		case !ok && had:
			delete(q.due, t.Profile)
		default:
			continue
		}
		q.unsaved[t.Profile] = struct{}{}
	}
	if len(q.heap) > 2*len(q.due)+1024 {
		q.compact()
	}
	q.waiting.Set(float64(len(q.due)))
	return nil
}

// compact drops entries that were replaced.
func (q *Queue) compact() {
	q.heap = q.heap[:0]
	for profile, due := range q.due {
		q.heap = append(q.heap, entry{due: due, profile: profile})
	}
	// A sorted slice is a heap, and the same one in every run.
	slices.SortFunc(q.heap, func(a, b entry) int {
		if a.before(b) {
			return -1
		}
		return 1
	})
}

func (q *Queue) push(e entry) {
	q.heap = append(q.heap, e)
	for i := len(q.heap) - 1; i > 0; {
		parent := (i - 1) / 2
		if !q.heap[i].before(q.heap[parent]) {
			return
		}
		q.heap[i], q.heap[parent] = q.heap[parent], q.heap[i]
		i = parent
	}
}

func (q *Queue) pop() {
	last := len(q.heap) - 1
	q.heap[0] = q.heap[last]
	q.heap = q.heap[:last]
	for i := 0; ; {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < last; child++ {
			if q.heap[child].before(q.heap[least]) {
				least = child
			}
		}
		if least == i {
			return
		}
		q.heap[i], q.heap[least] = q.heap[least], q.heap[i]
		i = least
	}
}

var (
	keyClock = []byte{'a'}
	errEntry = errors.New("an entry of the timer state has the wrong size")
)

// Save writes the clock and the timers that changed since the last Save.
func (a *Arm) Save(w schemas.StateWriter) error {
	q := a.q
	if err := w.Put(keyClock, binary.BigEndian.AppendUint64(nil, uint64(q.clock))); err != nil {
		return err
	}
	for p := range q.unsaved {
		key := binary.BigEndian.AppendUint32([]byte{'b'}, p)
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
func (a *Arm) Load(r schemas.StateReader) error {
	q := a.q
	err := r.Each(func(key, v []byte) error {
		if len(v) != 8 {
			return errEntry
		}
		at := schemas.Time(binary.BigEndian.Uint64(v))
		if key[0] == keyClock[0] {
			q.clock = at
			return nil
		}
		q.due[binary.BigEndian.Uint32(key[1:])] = at
		return nil
	})
	q.compact()
	return err
}
