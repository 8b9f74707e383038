package clickhouse

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/cespare/xxhash/v2"

	"github.com/seamline/seamline/schemas"
)

// column is one column of a block. It keeps its memory from batch to batch, and allocates nothing once it is warm.
type column interface {
	proto.ColInput
	Reset()
	// hash adds the content, so that equal blocks have equal tokens.
	hash(d *xxhash.Digest)
}

// Types of columns.
const (
	typeTime    proto.ColumnType = "DateTime64(3, 'UTC')"
	typeDecimal proto.ColumnType = "Decimal(18, 4)"
	typeWord    proto.ColumnType = "LowCardinality(String)"
)

// fixed is a column of values of one size, which stand in memory as they go over the wire. ClickHouse is little endian, as is
// every machine that this package is built for; Open checks it.
type fixed[T bool | uint8 | uint16 | uint32 | uint64 | int32 | int64 | [16]byte] struct {
	kind proto.ColumnType
	rows []T
}

func (c *fixed[T]) add(v T) { c.rows = append(c.rows, v) }

func (c *fixed[T]) bytes() []byte {
	var one T
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(c.rows))), len(c.rows)*int(unsafe.Sizeof(one)))
}

// Type is the type's name in ClickHouse.
func (c *fixed[T]) Type() proto.ColumnType { return c.kind }

// Rows counts the values.
func (c *fixed[T]) Rows() int { return len(c.rows) }

// Reset forgets the values and keeps the memory.
func (c *fixed[T]) Reset() { c.rows = c.rows[:0] }

// EncodeColumn appends the wire form to a buffer.
func (c *fixed[T]) EncodeColumn(b *proto.Buffer) { b.PutRaw(c.bytes()) }

// WriteColumn writes the wire form without a copy.
func (c *fixed[T]) WriteColumn(w *proto.Writer) { w.ChainWrite(c.bytes()) }

func (c *fixed[T]) hash(d *xxhash.Digest) { d.Write(c.bytes()) }

// uuids is a column of UUIDs. On the wire, each half stands with its bytes reversed.
type uuids struct{ fixed[[16]byte] }

func (c *uuids) addID(id schemas.ProfileID) {
	var v [16]byte
	binary.LittleEndian.PutUint64(v[:8], binary.BigEndian.Uint64(id[:8]))
	binary.LittleEndian.PutUint64(v[8:], binary.BigEndian.Uint64(id[8:]))
	c.rows = append(c.rows, v)
}

// texts is a column of strings, kept in wire form: each with its length before it.
type texts struct {
	kind  proto.ColumnType // String; JSON in the other form
	bytes []byte
	count int
}

func (c *texts) add(s string) {
	if len(s) < 0x80 {
		c.bytes = append(c.bytes, byte(len(s)))
	} else {
		c.bytes = binary.AppendUvarint(c.bytes, uint64(len(s)))
	}
	c.bytes = append(c.bytes, s...)
	c.count++
}

func (c *texts) addBytes(s []byte) {
	c.bytes = append(binary.AppendUvarint(c.bytes, uint64(len(s))), s...)
	c.count++
}

// Type is the type's name in ClickHouse.
func (c *texts) Type() proto.ColumnType {
	if c.kind == "" {
		return proto.ColumnTypeString
	}
	return c.kind
}

// Rows counts the values.
func (c *texts) Rows() int { return c.count }

// Reset forgets the values and keeps the memory.
func (c *texts) Reset() { c.bytes, c.count = c.bytes[:0], 0 }

// EncodeColumn appends the wire form to a buffer.
func (c *texts) EncodeColumn(b *proto.Buffer) { b.PutRaw(c.bytes) }

// WriteColumn writes the wire form without a copy.
func (c *texts) WriteColumn(w *proto.Writer) { w.ChainWrite(c.bytes) }

func (c *texts) hash(d *xxhash.Digest) { d.Write(c.bytes) }

// jsons is a column of JSON objects, sent as text.
type jsons struct{ texts }

// EncodeState says that the objects come as text.
func (c *jsons) EncodeState(b *proto.Buffer) { b.PutUInt64(proto.JSONStringSerializationVersion) }

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
	dict     texts
	narrow8  []uint8
	narrow16 []uint16
}

// wordsMax bounds the words that a column remembers between blocks.
const wordsMax = 1 << 16

func (c *words) add(s string) {
	if s == c.last && len(c.used) > 0 {
		c.rows = append(c.rows, c.lastKey)
		return
	}
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
	if c.keys[slot] == 0 {
		c.used = append(c.used, slot)
		c.keys[slot] = uint32(len(c.used))
		c.dict.add(c.known[slot])
	}
	c.last, c.lastKey = c.known[slot], c.keys[slot]-1
	c.rows = append(c.rows, c.lastKey)
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
	}
}

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

// array is a column of Array(T). What is added to its items belongs to the row that end ends.
type array struct {
	ends  fixed[uint64]
	items column
}

func (c *array) end() { c.ends.add(uint64(c.items.Rows())) }

// Type is the type's name in ClickHouse.
func (c *array) Type() proto.ColumnType { return "Array(" + c.items.Type() + ")" }

// Rows counts the arrays.
func (c *array) Rows() int { return c.ends.Rows() }

// Reset forgets the values and keeps the memory.
func (c *array) Reset() {
	c.ends.Reset()
	c.items.Reset()
}

// EncodeState passes on to the items.
func (c *array) EncodeState(b *proto.Buffer) { encodeState(c.items, b) }

// EncodeColumn appends the wire form to a buffer.
func (c *array) EncodeColumn(b *proto.Buffer) {
	c.ends.EncodeColumn(b)
	c.items.EncodeColumn(b)
}

// WriteColumn writes the wire form.
func (c *array) WriteColumn(w *proto.Writer) {
	c.ends.WriteColumn(w)
	c.items.WriteColumn(w)
}

func (c *array) hash(d *xxhash.Digest) {
	c.ends.hash(d)
	c.items.hash(d)
}

// dictionary is a column of Map(LowCardinality(String), T).
type dictionary struct {
	ends   fixed[uint64]
	keys   column
	values column
}

func (c *dictionary) end() { c.ends.add(uint64(c.keys.Rows())) }

// Type is the type's name in ClickHouse.
func (c *dictionary) Type() proto.ColumnType {
	return proto.ColumnType(fmt.Sprintf("Map(%s, %s)", c.keys.Type(), c.values.Type()))
}

// Rows counts the maps.
func (c *dictionary) Rows() int { return c.ends.Rows() }

// Reset forgets the values and keeps the memory.
func (c *dictionary) Reset() {
	c.ends.Reset()
	c.keys.Reset()
	c.values.Reset()
}

// EncodeState passes on to keys and values.
func (c *dictionary) EncodeState(b *proto.Buffer) {
	encodeState(c.keys, b)
	encodeState(c.values, b)
}

// EncodeColumn appends the wire form to a buffer.
func (c *dictionary) EncodeColumn(b *proto.Buffer) {
	c.ends.EncodeColumn(b)
	c.keys.EncodeColumn(b)
	c.values.EncodeColumn(b)
}

// WriteColumn writes the wire form.
func (c *dictionary) WriteColumn(w *proto.Writer) {
	c.ends.WriteColumn(w)
	c.keys.WriteColumn(w)
	c.values.WriteColumn(w)
}

func (c *dictionary) hash(d *xxhash.Digest) {
	c.ends.hash(d)
	c.keys.hash(d)
	c.values.hash(d)
}

func encodeState(c column, b *proto.Buffer) {
	if s, ok := c.(proto.StateEncoder); ok {
		s.EncodeState(b)
	}
}
