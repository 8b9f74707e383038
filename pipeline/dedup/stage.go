// Package dedup takes out events whose producer's event id was seen within the window: webhooks are sent again, apps resend.
// Events come in, first sights of them go out. The window is measured in record time, so that a replay decides the same.
// It never compares contents: an event id is the producer's word.
package dedup

import (
	"flag"
	"fmt"
	"time"

	"github.com/dchest/siphash"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/seamline/seamline/pipeline/slab"
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

// memoryMin is room for some thousands of ids.
const memoryMin = 1 << 20

// Validate finds settings that cannot work.
func (c *Config) Validate() error {
	if c.Window < time.Minute {
		return fmt.Errorf("dedup.window must be at least a minute")
	}
	if c.Memory < memoryMin {
		return fmt.Errorf("dedup.memory must be at least %d", memoryMin)
	}
	return nil
}

// Keys of the fingerprint. They are part of the stored format.
const fingerprintKey0, fingerprintKey1 = 0x7365616d6c696e65, 0x6576656e742d6964

// Stage is the dedup stage. It takes whole batches, but decides event by event: where a batch ends makes no difference.
type Stage struct {
	window     schemas.Time
	span       schemas.Time // of a bucket
	memory     *memory
	floorSaved uint32 // floor at the last Save
	recut      bool   // the stored ids are in buckets of another span
	space      *slab.Space
	scratch    []byte
	metrics    *metrics
}

// New makes an empty stage, whose memory is in the space; a nil space is anonymous memory.
func New(cfg Config, space *slab.Space, reg prometheus.Registerer) *Stage {
	window := schemas.Span(cfg.Window)
	span, buckets := spanOf(window)
	return &Stage{window: window, span: span, memory: newMemory(cfg.Memory, buckets, space), floorSaved: 1, space: space, metrics: newMetrics(reg)}
}

// Name is the stage's stable name.
func (s *Stage) Name() string { return "dedup" }

// Apply takes duplicates out of Events and counts them in Dropped.
func (s *Stage) Apply(b *schemas.Batch) error {
	if err := s.space.Reserve(reserve(len(b.Events))); err != nil {
		return fmt.Errorf("ids of %d events: %w", len(b.Events), err)
	}
	kept := b.Events[:0]
	for _, e := range b.Events {
		if s.first(e) {
			kept = append(kept, e)
			continue
		}
		b.Dropped = append(b.Dropped, schemas.DroppedElement{Source: e.Source, Drop: schemas.DropDuplicate})
		s.metrics.duplicates.WithLabelValues(e.Source).Inc()
	}
	s.tidy(len(b.Events))
	clear(b.Events[len(kept):])
	b.Events = kept
	return nil
}

// Prepare gives an event its fingerprint.
func (s *Stage) Prepare(e *schemas.Event) {
	var text [256]byte // most ids are shorter
	e.Print[0], e.Print[1] = siphash.Hash128(fingerprintKey0, fingerprintKey1, append(append(append(text[:0], e.Source...), 0), e.ID...))
}

// first tells whether an event is seen for the first time within the window, and remembers it. The window ends with the newest record
// up to this event. What comes from before the window is remembered as if from its beginning, so that its copies are known as well.
func (s *Stage) first(e *schemas.Event) bool {
	if e.Print == [2]uint64{} {
		s.Prepare(e)
	}
	id, bucket := fingerprint{e.Print[0], e.Print[1]}, bucketOf(e.Record.Time, s.span)
	s.memory.reach(bucket)
	if s.memory.known(id) {
		return false
	}
	if early := s.memory.add(id, bucket); early > 0 {
		s.metrics.early.Add(float64(early))
	}
	return true
}

// Forgotten ids are taken out of memory a few at a time, so that no batch waits for all of a long pause. At least twice as many as can
// have come are taken out, so that they do not pile up.
const (
	pagesPerBatch   = 1000
	pagesPerEventIn = pageIDs / 2
)

// tidy takes forgotten ids out.
func (s *Stage) tidy(events int) {
	m := s.memory
	for n := pagesPerBatch + events/pagesPerEventIn; n > 0 && m.dead != 0; n-- {
		m.takeOut()
	}
	s.metrics.ids.Set(float64(m.live))
	s.metrics.bytes.Set(float64(m.seen.Len()*slotBytes + m.pages.Len()*pageBytes))
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
