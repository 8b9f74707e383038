package clickhouse

import (
	"encoding/binary"
	"fmt"
	"slices"
	"unsafe"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/cespare/xxhash/v2"

	"github.com/seamline/seamline/schemas"
)

// column is one column of a block. It keeps its memory from batch to batch, and allocates nothing once it is warm.
type column interface {
	proto.ColInput
	Reset()
	// reserve makes room for so many rows at once, which is cheaper than to grow row by row.
	reserve(rows int)
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
type fixed[T bool | uint8 | uint16 | uint32 | uint64 | int8 | int32 | int64 | float32 | float64 | [16]byte | [32]byte] struct {
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

func (c *fixed[T]) reserve(rows int) { c.rows = reserved(c.rows, rows) }

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
	usual int // bytes of a row in the blocks before
}

func (c *texts) add(s string) {
	c.count++
	at := len(c.bytes)
	if len(s) >= 0x80 {
		c.bytes = append(binary.AppendUvarint(c.bytes, uint64(len(s))), s...)
		return
	}
	if cap(c.bytes)-at <= len(s) {
		c.bytes = slices.Grow(c.bytes, max(len(s)+1, at)) // to twice the size
	}
	to := c.bytes[:at+1+len(s)]
	to[at] = byte(len(s))
	copy(to[at+1:], s)
	c.bytes = to
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
func (c *texts) Reset() {
	if c.count > 0 {
		c.usual = len(c.bytes) / c.count
	}
	c.bytes, c.count = c.bytes[:0], 0
}

func (c *texts) reserve(rows int) { c.bytes = reserved(c.bytes, rows*c.usual) }

// reserved gives a slice room for so many elements more. Unlike slices.Grow it copies those that are there, and not all that there was room
// for.
func reserved[T any](s []T, n int) []T {
	if cap(s)-len(s) >= n {
		return s
	}
	return append(make([]T, 0, len(s)+n), s...)
}

// EncodeColumn appends the wire form to a buffer.
func (c *texts) EncodeColumn(b *proto.Buffer) { b.PutRaw(c.bytes) }

// WriteColumn writes the wire form without a copy.
func (c *texts) WriteColumn(w *proto.Writer) { w.ChainWrite(c.bytes) }

func (c *texts) hash(d *xxhash.Digest) { d.Write(c.bytes) }

// jsons is a column of JSON objects, sent as text.
type jsons struct{ texts }

// EncodeState says that the objects come as text.
func (c *jsons) EncodeState(b *proto.Buffer) { b.PutUInt64(proto.JSONStringSerializationVersion) }

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

func (c *array) reserve(rows int) { c.ends.reserve(rows) }

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

func (c *dictionary) reserve(rows int) { c.ends.reserve(rows) }

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
