package clickhouse

import (
	"github.com/ClickHouse/ch-go/proto"
	"github.com/cespare/xxhash/v2"
)

// words is a column of LowCardinality(String). Words that were seen keep a slot over batches, so that a known word costs a
// look-up and no allocation; the dictionary of a block holds only the words of the block.
type words struct {
	slots map[string]uint32
	known []string // by slot
	keys  []uint32 // by slot: the word's key in this block, plus 1; 0 where the block has not seen it
	used  []uint32 // slots by key
	rows  []uint32 // keys

	last     string // of known, for runs of the same word
	lastKey  uint32
	recent   [recentMax]uint32 // slots of words that were added lately, plus 1, by recentPlace
	dict     texts
	narrow8  []uint8
	narrow16 []uint16
}

// wordsMax bounds the words that a column remembers between blocks.
const wordsMax = 1 << 16

// recentMax is how many words are found without a look-up.
const recentMax = 64

// recentPlace is where a word is remembered. Two words may have the same place: then the later one has it.
func recentPlace(s string) int {
	n := len(s)
	if n == 0 {
		return 0
	}
	return (int(s[0])*31 + int(s[n-1])*7 + int(s[n/2]) + n) % recentMax
}

func (c *words) add(s string) {
	if s == c.last && len(c.used) > 0 {
		c.rows = append(c.rows, c.lastKey)
		return
	}
	place := recentPlace(s)
	slot := c.recent[place] - 1
	if slot >= uint32(len(c.known)) || c.known[slot] != s {
		slot = c.slot(s)
		c.recent[place] = slot + 1
	}
	if c.keys[slot] == 0 {
		c.used = append(c.used, slot)
		c.keys[slot] = uint32(len(c.used))
		c.dict.add(c.known[slot])
	}
	c.last, c.lastKey = c.known[slot], c.keys[slot]-1
	c.rows = append(c.rows, c.lastKey)
}

// slot looks a word up, and remembers it where it is new.
func (c *words) slot(s string) uint32 {
	slot, ok := c.slots[s]
	if !ok {
		if c.slots == nil {
			c.slots = map[string]uint32{}
		}
		slot = uint32(len(c.known))
		s = string([]byte(s)) // events alias the bytes of their record
		c.slots[s] = slot
		c.known, c.keys = append(c.known, s), append(c.keys, 0)
	}
	return slot
}

// Type is the type's name in ClickHouse.
func (c *words) Type() proto.ColumnType { return typeWord }

// Rows counts the values.
func (c *words) Rows() int { return len(c.rows) }

// Reset forgets the values and keeps the memory, unless too many words were seen.
func (c *words) Reset() {
	for _, slot := range c.used {
		c.keys[slot] = 0
	}
	c.used, c.rows, c.last = c.used[:0], c.rows[:0], ""
	c.dict.Reset()
	if len(c.known) > wordsMax {
		clear(c.slots)
		clear(c.known)
		c.known, c.keys = c.known[:0], c.keys[:0]
		c.recent = [recentMax]uint32{}
	}
}

func (c *words) reserve(rows int) { c.rows = reserved(c.rows, rows) }

// Versions and flags of the wire form.
const (
	lowKeysVersion = 1
	lowKeys8       = 0
	lowKeys16      = 1
	lowKeys32      = 2
	lowFlags       = 1<<9 | 1<<10 // the block brings its own dictionary
)

// EncodeState writes the version of the wire form.
func (c *words) EncodeState(b *proto.Buffer) { b.PutInt64(lowKeysVersion) }

// EncodeColumn appends the wire form to a buffer: the dictionary, and the keys in as few bytes as they need.
func (c *words) EncodeColumn(b *proto.Buffer) {
	if len(c.rows) == 0 {
		return
	}
	head := func(width int64) {
		b.PutInt64(lowFlags | width)
		b.PutInt64(int64(c.dict.count))
		b.PutRaw(c.dict.bytes)
		b.PutInt64(int64(len(c.rows)))
	}
	switch {
	case len(c.used) <= 1<<8:
		head(lowKeys8)
		c.narrow8 = c.narrow8[:0]
		for _, k := range c.rows {
			c.narrow8 = append(c.narrow8, uint8(k))
		}
		b.PutRaw(c.narrow8)
	case len(c.used) <= 1<<16:
		head(lowKeys16)
		c.narrow16 = c.narrow16[:0]
		for _, k := range c.rows {
			c.narrow16 = append(c.narrow16, uint16(k))
		}
		b.PutRaw((&fixed[uint16]{rows: c.narrow16}).bytes())
	default:
		head(lowKeys32)
		b.PutRaw((&fixed[uint32]{rows: c.rows}).bytes())
	}
}

// WriteColumn writes the wire form.
func (c *words) WriteColumn(w *proto.Writer) { w.ChainBuffer(c.EncodeColumn) }

func (c *words) hash(d *xxhash.Digest) {
	d.Write(c.dict.bytes)
	d.Write((&fixed[uint32]{rows: c.rows}).bytes())
}

// names is a column of LowCardinality(String) over an enumeration: its values are their own keys.
type names struct {
	all  texts
	rows []uint8
}

func newNames(all []string) names {
	var n names
	for _, name := range all {
		n.all.add(name)
	}
	return n
}

func (c *names) add(v uint8) { c.rows = append(c.rows, v) }

// Type is the type's name in ClickHouse.
func (c *names) Type() proto.ColumnType { return typeWord }

// Rows counts the values.
func (c *names) Rows() int { return len(c.rows) }

// Reset forgets the values and keeps the memory.
func (c *names) Reset() { c.rows = c.rows[:0] }

func (c *names) reserve(rows int) { c.rows = reserved(c.rows, rows) }

// EncodeState writes the version of the wire form.
func (c *names) EncodeState(b *proto.Buffer) { b.PutInt64(lowKeysVersion) }

// EncodeColumn appends the wire form to a buffer.
func (c *names) EncodeColumn(b *proto.Buffer) {
	if len(c.rows) == 0 {
		return
	}
	b.PutInt64(lowFlags | lowKeys8)
	b.PutInt64(int64(c.all.count))
	b.PutRaw(c.all.bytes)
	b.PutInt64(int64(len(c.rows)))
	b.PutRaw(c.rows)
}

// WriteColumn writes the wire form.
func (c *names) WriteColumn(w *proto.Writer) { w.ChainBuffer(c.EncodeColumn) }

func (c *names) hash(d *xxhash.Digest) { d.Write(c.rows) }
