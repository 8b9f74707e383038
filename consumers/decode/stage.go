// Package decode turns a batch's records into events. It takes envelopes off, hands each record to its feed's decoder, and refuses
// what cannot be right: broken bytes, impossible times, card numbers, oversize. Every record ends as events, drops or rejects.
// It never calls out, and one bad record never stops or delays another.
package decode

import (
	"flag"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

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

// Stage is the decode stage.
type Stage struct {
	cfg      Config
	earliest schemas.Time
	decoders map[schemas.Feed]schemas.Decoder
	metrics  *metrics

	preparers []schemas.Preparer

	workers []worker // kept from batch to batch
	chunks  []chunk
}

// New makes the stage with one decoder per feed.
func New(cfg Config, decoders map[schemas.Feed]schemas.Decoder, reg prometheus.Registerer) *Stage {
	earliest, _ := time.Parse(time.RFC3339, cfg.Earliest) // Validate has seen to it
	return &Stage{cfg: cfg, earliest: schemas.TimeOf(earliest), decoders: decoders, metrics: newMetrics(reg, decoders)}
}

// PrepareFor has every event prepared for later stages by the worker that decoded it.
func (s *Stage) PrepareFor(stages ...schemas.Preparer) { s.preparers = stages }

// Name is the stage's stable name.
func (s *Stage) Name() string { return "decode" }
