// Package decode turns a batch's records into events. It takes envelopes off, hands each record to its feed's decoder, and refuses
// what cannot be right: broken bytes, impossible times, card numbers, oversize. Every record ends as events, drops or rejects.
// It never calls out, and one bad record never stops or delays another.
package decode

import (
	"flag"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seamline/seamline/consumers/field"
	"github.com/seamline/seamline/schemas"
)

// Config are the limits of what is accepted.
type Config struct {
	BytesMax int           // of a record's value
	Earliest string        // RFC 3339: events before it are refused
	Future   time.Duration // how far after the batch's clock an event may lie
}

// DefaultConfig has the defaults of every setting.
func DefaultConfig() Config {
	return Config{BytesMax: 1 << 20, Earliest: "1980-01-01T00:00:00Z", Future: 24 * time.Hour}
}

// Flags registers every setting.
func (c *Config) Flags(fs *flag.FlagSet) {
	fs.IntVar(&c.BytesMax, "decode.bytes-max", c.BytesMax, "largest record value that is read, in bytes; larger ones are dead letters")
	fs.StringVar(&c.Earliest, "decode.time.earliest", c.Earliest, "events that happened before this time are dead letters")
	fs.DurationVar(&c.Future, "decode.time.future", c.Future, "events that lie further in the future than this are dead letters")
}

// Validate finds settings that cannot work.
func (c *Config) Validate() error {
	if c.BytesMax < 1024 {
		return fmt.Errorf("decode.bytes-max must be at least 1024")
	}
	if _, err := time.Parse(time.RFC3339, c.Earliest); err != nil {
		return fmt.Errorf("decode.time.earliest: %w", err)
	}
	if c.Future < 0 {
		return fmt.Errorf("decode.time.future must not be negative")
	}
	return nil
}

// chunkRecordsMin is the smallest share of a batch that is worth a goroutine of its own.
const chunkRecordsMin = 256

// Stage is the decode stage.
type Stage struct {
	cfg      Config
	earliest schemas.Time
	decoders map[schemas.Feed]schemas.Decoder
	metrics  *metrics
}

// New makes the stage with one decoder per feed.
func New(cfg Config, decoders map[schemas.Feed]schemas.Decoder, reg prometheus.Registerer) *Stage {
	earliest, _ := time.Parse(time.RFC3339, cfg.Earliest) // Validate has seen to it
	return &Stage{cfg: cfg, earliest: schemas.TimeOf(earliest), decoders: decoders, metrics: newMetrics(reg, decoders)}
}

// Name is the stage's stable name.
func (s *Stage) Name() string { return "decode" }

// Apply fills Events, Rejects and Dropped, in the order of the records.
func (s *Stage) Apply(b *schemas.Batch) error {
	workers := min(runtime.GOMAXPROCS(0), (len(b.Records)+chunkRecordsMin-1)/chunkRecordsMin)
	for len(b.Arenas) < workers {
		b.Arenas = append(b.Arenas, &schemas.Decoded{})
	}
	var group sync.WaitGroup
	for w := range workers {
		from, to := w*len(b.Records)/workers, (w+1)*len(b.Records)/workers
		out := b.Arenas[w]
		out.Reset()
		out.Grow(room(b.Records[from:to]))
		group.Go(func() {
			for i := from; i < to; i++ {
				s.decode(&b.Records[i], b.Latest, out)
			}
		})
	}
	group.Wait()
	for _, out := range b.Arenas[:workers] {
		for i := range out.Events {
			// The stage marks refused events by taking their type away.
			if e := &out.Events[i]; e.Type != schemas.TypeUnknown {
				b.Events = append(b.Events, e)
				s.metrics.event(e.Source)
			}
		}
		b.Rejects = append(b.Rejects, out.Rejects...)
		b.Dropped = append(b.Dropped, out.Dropped...)
	}
	for i := range b.Rejects {
		s.metrics.reject(b.Rejects[i].Record.Feed, b.Rejects[i].Reason)
	}
	for _, d := range b.Dropped {
		s.metrics.drop(d.Source, d.Drop)
	}
	return nil
}

// room guesses how many events and how much built text the records hold: one event each and a few for batches, and a third of the
// bytes.
func room(records []schemas.Record) (events, textBytes int) {
	for i := range records {
		textBytes += len(records[i].Value) / 3
	}
	return len(records) + len(records)/2, textBytes
}

// decode reads one record.
func (s *Stage) decode(r *schemas.Record, possible schemas.Time, out *schemas.Decoded) {
	out.Begin(r)
	if len(r.Value) > s.cfg.BytesMax {
		out.Reject(schemas.ReasonOversize, fmt.Sprintf("%d bytes, the limit is %d", len(r.Value), s.cfg.BytesMax))
		out.Rejects[len(out.Rejects)-1].Value = field.MaskCards(r.Value)
		return
	}
	if field.HoldsCard(r.Value, out) {
		out.Reject(schemas.ReasonCardNumber, "an unmasked card number; its digits are masked here")
		out.Rejects[len(out.Rejects)-1].Value = field.MaskCards(r.Value)
		return
	}
	value, err := unwrap(r)
	if err != nil {
		out.Reject(schemas.ReasonMalformed, err.Error())
		return
	}
	first := len(out.Events)
	s.decoders[r.Feed].Decode(r, value, out)
	// Not the clock's reading: a rebuild, which comes later, must refuse the same events.
	latest := max(possible, r.Time) + schemas.Span(s.cfg.Future)
	for i := first; i < len(out.Events); i++ {
		e := &out.Events[i]
		if e.Received == 0 {
			e.Received = r.Time
		}
		if e.Time >= s.earliest && e.Time <= latest {
			continue
		}
		out.Element = e.Element
		out.Reject(schemas.ReasonImpossibleTime, fmt.Sprintf("event time %s is outside %s to %s", e.Time, s.earliest, latest))
		e.Type = schemas.TypeUnknown
	}
}
