// Package dedup takes out events whose producer's event id was seen within the window: webhooks are sent again, apps resend.
// Events come in, first sights of them go out. The window is measured in record time, so that a replay decides the same.
// It never compares contents: an event id is the producer's word.
package dedup

import (
	"encoding/binary"
	"flag"
	"fmt"
	"slices"
	"time"

	"github.com/dchest/siphash"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/seamline/seamline/schemas"
)

// Config is how long and how much is remembered.
type Config struct {
	Window time.Duration
	Memory int // bytes
}

// DefaultConfig has the defaults of every setting.
func DefaultConfig() Config { return Config{Window: 7 * 24 * time.Hour, Memory: 1 << 30} }

// Flags registers every setting.
func (c *Config) Flags(fs *flag.FlagSet) {
	fs.DurationVar(&c.Window, "dedup.window", c.Window, "how long an event id is remembered, by record time")
	fs.IntVar(&c.Memory, "dedup.memory", c.Memory, "bytes of memory for event ids; when full, the oldest are forgotten early and counted")
}

// Validate finds settings that cannot work.
func (c *Config) Validate() error {
	if c.Window < time.Minute {
		return fmt.Errorf("dedup.window must be at least a minute")
	}
	if c.Memory < 4*tableSlotsMin*entryBytes {
		return fmt.Errorf("dedup.memory must be at least %d", 4*tableSlotsMin*entryBytes)
	}
	return nil
}

// bucketsPerWindow is into how many spans the window is cut: ids are forgotten a span at a time.
const bucketsPerWindow = 28

// Keys of the fingerprint. They are part of the stored format.
const fingerprintKey0, fingerprintKey1 = 0x7365616d6c696e65, 0x6576656e742d6964

// Stage is the dedup stage.
type Stage struct {
	span    schemas.Time // of a bucket
	max     int          // entries
	seen    table
	floor   uint32 // buckets below it are forgotten
	newest  uint32
	counts  map[uint32]int // entries per bucket
	fresh   []entry        // added since the last Save
	dropped uint32         // buckets below it are to be deleted at the next Save
	scratch []byte
	metrics *metrics
}

// New makes an empty stage.
func New(cfg Config, reg prometheus.Registerer) *Stage {
	s := &Stage{span: schemas.Span(cfg.Window) / bucketsPerWindow, counts: map[uint32]int{}, metrics: newMetrics(reg)}
	// A rebuild holds the old and the new table for a moment, and a table is between 3/8 and 3/4 full.
	slots := tableSlotsMin
	for slots*2*entryBytes*3/2 <= cfg.Memory {
		slots *= 2
	}
	s.max = slots / 4 * 3
	s.seen.rebuild(0, 0)
	return s
}

// Name is the stage's stable name.
func (s *Stage) Name() string { return "dedup" }

// Apply takes duplicates out of Events and counts them in Dropped.
func (s *Stage) Apply(b *schemas.Batch) error {
	kept := b.Events[:0]
	for _, e := range b.Events {
		if s.first(e) {
			kept = append(kept, e)
			continue
		}
		b.Dropped = append(b.Dropped, schemas.DroppedElement{Source: e.Source, Drop: schemas.DropDuplicate})
		s.metrics.duplicates.WithLabelValues(e.Source).Inc()
	}
	clear(b.Events[len(kept):])
	b.Events = kept
	s.forget()
	s.metrics.ids.Set(float64(s.seen.count))
	s.metrics.bytes.Set(float64(len(s.seen.slots) * entryBytes))
	return nil
}

// first tells whether an event is seen for the first time within the window, and remembers it.
func (s *Stage) first(e *schemas.Event) bool {
	s.scratch = append(append(append(s.scratch[:0], e.Source...), 0), e.ID...)
	hi, lo := siphash.Hash128(fingerprintKey0, fingerprintKey1, s.scratch)
	bucket := uint32(max(0, e.Record.Time)/s.span) + 1
	slot := s.seen.find(hi, lo)
	if slot.bucket != 0 {
		if slot.bucket+bucketsPerWindow >= bucket {
			return false
		}
		// Older than the window: seen anew.
		s.counts[slot.bucket]--
		slot.bucket = bucket
	} else {
		s.seen.add(entry{hi: hi, lo: lo, bucket: bucket})
	}
	s.counts[bucket]++
	s.newest = max(s.newest, bucket)
	s.fresh = append(s.fresh, entry{hi: hi, lo: lo, bucket: bucket})
	return true
}

// forget drops the buckets that left the window, and the oldest ones where memory is short.
func (s *Stage) forget() {
	floor := s.floor
	if s.newest > bucketsPerWindow {
		floor = max(floor, s.newest-bucketsPerWindow)
	}
	gone := 0
	for bucket, n := range s.counts {
		if bucket < floor {
			gone += n
			delete(s.counts, bucket)
		}
	}
	left := s.seen.count - gone
	if left > s.max {
		buckets := make([]uint32, 0, len(s.counts))
		for bucket := range s.counts {
			buckets = append(buckets, bucket)
		}
		slices.Sort(buckets)
		// The newest bucket stays: forgetting what has just been seen would let duplicates in at once.
		for i := 0; i < len(buckets)-1 && left > s.max; i++ {
			left -= s.counts[buckets[i]]
			s.metrics.early.Add(float64(s.counts[buckets[i]]))
			floor = buckets[i] + 1
			delete(s.counts, buckets[i])
		}
	}
	if left < s.seen.count {
		s.seen.rebuild(left, floor)
	}
	s.floor, s.dropped = floor, floor
}

// Save writes the ids seen since the last Save and deletes the forgotten buckets.
func (s *Stage) Save(w schemas.StateWriter) error {
	var key [20]byte
	if s.dropped > 0 {
		if err := w.DeleteRange(make([]byte, 4), binary.BigEndian.AppendUint32(nil, s.dropped)); err != nil {
			return err
		}
	}
	for _, e := range s.fresh {
		binary.BigEndian.PutUint32(key[0:], e.bucket)
		binary.BigEndian.PutUint64(key[4:], e.hi)
		binary.BigEndian.PutUint64(key[12:], e.lo)
		if err := w.Put(key[:], nil); err != nil {
			return err
		}
	}
	s.fresh, s.dropped = s.fresh[:0], 0
	return nil
}

// Load reads all remembered ids. An id that was seen anew stands in two buckets; the later one counts.
func (s *Stage) Load(r schemas.StateReader) error {
	err := r.Each(func(key, _ []byte) error {
		if len(key) != 20 {
			return fmt.Errorf("event id key of %d bytes", len(key))
		}
		e := entry{bucket: binary.BigEndian.Uint32(key), hi: binary.BigEndian.Uint64(key[4:]), lo: binary.BigEndian.Uint64(key[12:])}
		if slot := s.seen.find(e.hi, e.lo); slot.bucket != 0 {
			s.counts[slot.bucket]--
			slot.bucket = e.bucket
		} else {
			s.seen.add(e)
		}
		s.counts[e.bucket]++
		s.newest = max(s.newest, e.bucket)
		return nil
	})
	s.forget()
	return err
}

type metrics struct {
	duplicates *prometheus.CounterVec
	ids, bytes prometheus.Gauge
	early      prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		duplicates: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "seamline_dedup_duplicates_total",
			Help: "Events dropped since their id was seen within the window."}, []string{"source"}),
		ids:   prometheus.NewGauge(prometheus.GaugeOpts{Name: "seamline_dedup_ids", Help: "Event ids remembered."}),
		bytes: prometheus.NewGauge(prometheus.GaugeOpts{Name: "seamline_dedup_bytes", Help: "Memory of the remembered event ids."}),
		early: prometheus.NewCounter(prometheus.CounterOpts{Name: "seamline_dedup_forgotten_early_total",
			Help: "Event ids forgotten before their window ended, since memory was short."}),
	}
	reg.MustRegister(m.duplicates, m.ids, m.bytes, m.early)
	return m
}
