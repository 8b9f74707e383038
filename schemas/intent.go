package schemas

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc64"
	"strconv"
)

// IntentFormat is the version of the encoding of an Intent that this build writes.
const IntentFormat = 2

// ErrDamaged says that stored bytes are not what was written.
var ErrDamaged = errors.New("damaged")

// Intent is what a batch consists of, written durably before any sink sees it: replaying it gives the same rows.
type Intent struct {
	Format  int     `json:"format"`
	Batch   uint64  `json:"batch"`
	Now     Time    `json:"now_ms"`
	Fixed   bool    `json:"fixed,omitempty"`
	Latest  Time    `json:"latest_ms,omitempty"`
	Advance Time    `json:"advance_ms,omitempty"`
	Rewind  bool    `json:"rewind,omitempty"`
	Rules   string  `json:"rules"` // digest of the settings that results depend on
	Ranges  []Range `json:"ranges"`
	Blocks  []Block `json:"blocks,omitempty"` // what is written, in the order of sinks, tables and partitions
}

// Block is what a batch writes to one partition of one table, in one piece.
type Block struct {
	Table     string `json:"table"`
	Partition string `json:"partition,omitempty"`
	Rows      int    `json:"rows"`
	Digest    uint64 `json:"digest,string"` // of the content
}

// IntentOf gives the intent of a batch.
func IntentOf(b *Batch, rules string, blocks []Block) Intent {
	return Intent{Format: IntentFormat, Batch: b.Number, Now: b.Now, Fixed: b.Fixed, Latest: b.Latest, Advance: b.Advance, Rewind: b.Rewind,
		Rules: rules, Ranges: b.Ranges, Blocks: blocks}
}

// Stamp fills in the batch what the intent fixes, but for its number, ranges and records.
func (i *Intent) Stamp(b *Batch) {
	b.Now, b.Fixed, b.Latest, b.Advance, b.Rewind = i.Now, i.Fixed, i.Latest, i.Advance, i.Rewind
}

var intentSums = crc64.MakeTable(crc64.ECMA)

// intentSumBytes is the length of the checksum behind an encoded intent: a blank and 16 hexadecimal digits.
const intentSumBytes = 17

// Encode gives the intent as a line of JSON with a checksum behind it.
func (i *Intent) Encode() ([]byte, error) {
	text, err := json.Marshal(i)
	if err != nil {
		return nil, fmt.Errorf("encode intent of batch %d: %w", i.Batch, err)
	}
	return fmt.Appendf(text, " %016x", crc64.Checksum(text, intentSums)), nil
}

// DecodeIntent reads what Encode wrote. It fails with ErrDamaged where the checksum does not fit, and names a newer format.
func DecodeIntent(text []byte) (Intent, error) {
	var i Intent
	end := len(text) - intentSumBytes
	if end < 0 {
		return i, fmt.Errorf("read intent: %d bytes: %w", len(text), ErrDamaged)
	}
	if sum, err := strconv.ParseUint(string(text[end+1:]), 16, 64); err != nil || text[end] != ' ' || sum != crc64.Checksum(text[:end], intentSums) {
		return i, fmt.Errorf("read intent: its checksum does not fit: %w", ErrDamaged)
	}
	if err := json.Unmarshal(text[:end], &i); err != nil {
		return i, fmt.Errorf("read intent: %w: %w", ErrDamaged, err)
	}
	if i.Format > IntentFormat {
		return i, fmt.Errorf("read intent of batch %d: it has format %d and this build reads up to %d: use the build that wrote it", i.Batch, i.Format, IntentFormat)
	}
	return i, nil
}

// StatePart is a piece of a copy of the state. A generation begins with a base, the state as a whole, and goes on with deltas, each of
// which leads from one checkpoint to a later one.
type StatePart struct {
	Generation uint64 // batch of the base
	After      uint64 // batch of the checkpoint that a delta goes on from; 0 for the base
	Batch      uint64 // batch of the checkpoint that the part leads to; Generation for parts of the base
	Part       uint32 // from 0
	Parts      uint32
	Data       []byte // at most 8 MiB
	Format     int
}
