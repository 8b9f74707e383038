package clickhouse

import (
	"fmt"
	"strings"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/cespare/xxhash/v2"

	"github.com/seamline/seamline/schemas"
)

// table turns its part of a batch into blocks.
type table interface {
	name() string
	// fill gives the blocks with rows, one per partition. They are valid until the next call.
	fill(b *schemas.Batch) []*block
	// makePlain leaves the digests out.
	makePlain()
}

// block is the columns of one INSERT into one partition of one table.
type block struct {
	table     string
	statement string
	columns   []column
	input     proto.Input

	key       string   // the columns of the table's sorting key
	partition string   // the partition's id; empty where the table has one partition only
	ordinal   int      // which piece of the partition; 0 where it is whole, as it always is but in a test build
	where     string   // the condition that the partition's rows meet; empty where the table has one partition only
	digest    uint64   // of the content; 0 where isPlain
	keyed     distinct // fingerprints of the rows' keys; empty for tables that do not give them
	isKeyed   bool     // no two rows have the same key; false where that is not known
	isPlain   bool     // nobody asks for the digest
	measured  column   // holds what differs when the batch is replayed, so that the digest leaves it out; nil for none
}

// keys are the columns of the sorting keys: what is one row under FINAL.
var keys = map[string]string{
	"events":           "event_time, source, event_id",
	"profiles":         "profile_id",
	"identifiers":      "identifier_id",
	"order_lines":      "order_id, store_id, line_id",
	"identity_log":     "position",
	"dead_letters":     "topic, partition, offset, element",
	"audiences":        "audience",
	"audience_members": "audience, profile_id",
	"audience_changes": "audience, sequence",
	"profile_aliases":  "alias_id",
	"leaf_profiles":    "leaf",
	"journey_changes":  "profile_id, time, to_stage",
	"models":           "name, version",
	"session_aliases":  "session_id",
	"accounts":         "id",
	"catalog":          "sku, store_id",
	"stock":            "sku, store_id",
	"consents":         "time, source, event_id, purpose",
	"survey_answers":   "time, source, event_id",
	"contacts":         "identifier_id, kind, time",
	"contacts_clear":   "identifier_id, kind, time",
	"commits":          "pipeline, batch",
	"state_backups":    "pipeline, generation, batch, part",
	"squash_points":    "epoch, step",
	"export_changes":   "audience, platform, sequence, snapshot",
	"export_snapshots": "audience, platform, number",
}

// named is a column and its name.
type named struct {
	name   string
	column column
}

func newBlock(database, table string, columns ...named) block {
	b := block{table: table, key: keys[table]}
	list := make([]string, len(columns))
	for i, c := range columns {
		list[i] = c.name
		b.columns = append(b.columns, c.column)
		b.input = append(b.input, proto.InputColumn{Name: c.name, Data: c.column})
	}
	b.statement = fmt.Sprintf("INSERT INTO %s.%s (%s) VALUES", database, table, strings.Join(list, ", "))
	return b
}

func (b *block) name() string { return b.table }

func (b *block) makePlain() { b.isPlain = true }

func (b *block) rows() int { return b.columns[0].Rows() }

func (b *block) reset() {
	for _, c := range b.columns {
		c.Reset()
	}
	b.keyed.reset()
	b.isKeyed = false
}

// reserve makes room for so many rows.
func (b *block) reserve(rows int) {
	for _, c := range b.columns {
		c.reserve(rows)
	}
}

// filled gives the block as the only one of its table, or nothing when it has no rows.
func (b *block) filled() []*block {
	if b.rows() == 0 {
		return nil
	}
	b.isKeyed = b.rows() == 1 || len(b.keyed.prints) == b.rows() && b.keyed.differ()
	b.seal()
	return []*block{b}
}

// seal checks the block and takes its digest.
func (b *block) seal() {
	var d xxhash.Digest
	d.Reset()
	for i, c := range b.columns {
		if c.Rows() != b.rows() {
			panic(fmt.Sprintf("clickhouse: column %s of %s has %d rows of %d", b.input[i].Name, b.table, c.Rows(), b.rows()))
		}
		if c != b.measured && !b.isPlain {
			c.hash(&d)
		}
	}
	b.digest = d.Sum64()
}

// token names the block's content for ClickHouse's insert deduplication. The digest is part of it, so that a line that starts
// over with the same batch numbers never has its rows mistaken for older ones.
func (b *block) token(pipeline string, batch uint64, attempt int) string {
	token := fmt.Sprintf("%s/%s/%d/%s/%016x/a%d", pipeline, b.table, batch, b.partition, b.digest, attempt)
	if b.ordinal > 0 {
		token += fmt.Sprintf("/%d", b.ordinal)
	}
	return token
}

// Columns by type.
func times() fixed[int64]                        { return fixed[int64]{kind: typeTime} }
func decimals() fixed[int64]                     { return fixed[int64]{kind: typeDecimal} }
func int32s() fixed[int32]                       { return fixed[int32]{kind: proto.ColumnTypeInt32} }
func int64s() fixed[int64]                       { return fixed[int64]{kind: proto.ColumnTypeInt64} }
func uint8s() fixed[uint8]                       { return fixed[uint8]{kind: proto.ColumnTypeUInt8} }
func uint16s() fixed[uint16]                     { return fixed[uint16]{kind: proto.ColumnTypeUInt16} }
func uint32s() fixed[uint32]                     { return fixed[uint32]{kind: proto.ColumnTypeUInt32} }
func uint64s() fixed[uint64]                     { return fixed[uint64]{kind: proto.ColumnTypeUInt64} }
func int8s() fixed[int8]                         { return fixed[int8]{kind: proto.ColumnTypeInt8} }
func float32s() fixed[float32]                   { return fixed[float32]{kind: proto.ColumnTypeFloat32} }
func float64s() fixed[float64]                   { return fixed[float64]{kind: proto.ColumnTypeFloat64} }
func bools() fixed[bool]                         { return fixed[bool]{kind: proto.ColumnTypeBool} }
func ids() uuids                                 { return uuids{fixed[[16]byte]{kind: proto.ColumnTypeUUID}} }
func hashes() fixed[[32]byte]                    { return fixed[[32]byte]{kind: "FixedString(32)"} }
func bytes16(t proto.ColumnType) fixed[[16]byte] { return fixed[[16]byte]{kind: t} }
