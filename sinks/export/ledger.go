package export

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
	"github.com/google/uuid"

	"github.com/seamline/seamline/schemas"
)

// Snapshot is a standing list: what it holds does not change any more.
type Snapshot struct {
	List
	Number   uint64    // from 1 within the list
	ID       uuid.UUID // of its changes in the ledger
	First    uint64    // sequence of its first change
	Sequence uint64    // of its last; First-1 where it has none
	People   uint64
	Adds     uint64
	Removes  uint64
	MinSize  int
	IsSmall  bool   // fewer people than MinSize would have been on it: it is empty, and nobody is to see it
	SHA256   string // of its CSV
	Time     time.Time
	Batch    uint64 // that memberships are as of
}

// Ops of the ledger.
const (
	opAdd    = "add"
	opRemove = "remove"
)

// ledgerBlock is how many rows a block of the ledger has.
const ledgerBlock = 20_000

// writing are settings of inserts: the ledger counts only what export_snapshots names, so that rows that came twice or in part do no harm.
var writing = []ch.Setting{{Key: "async_insert", Value: "0"}, {Key: "insert_deduplicate", Value: "0"}, {Key: "deduplicate_insert", Value: "disable"},
	{Key: "optimize_on_insert", Value: "0"}, {Key: "exclude_materialize_skip_indexes_on_insert", Value: "by_profile_id"}}

// ledger reads and writes the tables of exports.
type ledger struct {
	dial     Dial
	database string
}

// ledgerRows are the columns of an insert into export_changes.
type ledgerRows struct {
	audience, platform, op *proto.ColLowCardinality[string]
	sequence, batch        proto.ColUInt64
	snapshot, profile      proto.ColUUID
	kinds                  *proto.ColArr[string]
	keys                   *proto.ColArr[string]
	texts                  *proto.ColStr
	names                  []string // of the row that is added
	time                   proto.ColDateTime64
}

func newLedgerRows() *ledgerRows {
	r := &ledgerRows{audience: new(proto.ColStr).LowCardinality(), platform: new(proto.ColStr).LowCardinality(), op: new(proto.ColStr).LowCardinality(),
		texts: new(proto.ColStr)}
	r.kinds = proto.NewArray[string](new(proto.ColStr).LowCardinality())
	r.keys = proto.NewArray[string](r.texts)
	r.time.WithPrecision(proto.PrecisionMilli)
	return r
}

func (r *ledgerRows) input() proto.Input {
	return proto.Input{{Name: "audience", Data: r.audience}, {Name: "platform", Data: r.platform}, {Name: "sequence", Data: &r.sequence}, {Name: "snapshot", Data: &r.snapshot},
		{Name: "op", Data: r.op}, {Name: "profile_id", Data: &r.profile}, {Name: "key_kinds", Data: r.kinds}, {Name: "keys", Data: r.keys}, {Name: "time", Data: &r.time}, {Name: "_batch", Data: &r.batch}}
}

// add appends a change.
func (r *ledgerRows) add(s *Snapshot, sequence uint64, op string, id schemas.ProfileID, record []byte) {
	r.audience.Append(s.Audience)
	r.platform.Append(s.Platform)
	r.sequence.Append(sequence)
	r.snapshot.Append(s.ID)
	r.op.Append(op)
	r.profile.Append(uuid.UUID(id))
	r.names = r.names[:0]
	keys(record, func(k kind, value []byte) {
		r.names = append(r.names, k.String())
		r.texts.AppendBytes(value)
	})
	r.kinds.Append(r.names)
	r.keys.Offsets.Append(uint64(r.texts.Rows()))
	r.time.Append(s.Time)
	r.batch.Append(s.Batch)
}

// write appends the changes of snapshots to the ledger, where nobody sees them before commit: of each list removals first, so that a key that
// moved from one person to another stays on the list.
func (l *ledger) write(ctx context.Context, changed []*making) error {
	client, err := l.dial(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	source := &changeSource{}
	for _, m := range changed {
		source.files = append(source.files, changeFile{m.made, opRemove, filepath.Join(m.dir, nameRemoves)}, changeFile{m.made, opAdd, filepath.Join(m.dir, nameAdds)})
	}
	defer source.close()
	rows := newLedgerRows()
	input := rows.input()
	fill := func(context.Context) error {
		input.Reset()
		for range ledgerBlock {
			err := source.next()
			if err == io.EOF && rows.sequence.Rows() > 0 {
				return nil
			}
			if err != nil {
				return err
			}
			rows.add(source.of, source.sequence, source.op, source.at.id, source.at.record)
		}
		return nil
	}
	if err := fill(ctx); err == io.EOF {
		return nil
	} else if err != nil {
		return err
	}
	err = client.Do(ctx, ch.Query{Body: fmt.Sprintf("INSERT INTO %s.export_changes (audience, platform, sequence, snapshot, op, profile_id, key_kinds, keys, time, _batch) VALUES", l.database),
		Input: input, OnInput: fill, Settings: writing})
	if err != nil {
		return fmt.Errorf("write changes of lists: %w", err)
	}
	return l.verify(ctx, changed)
}

// verify makes sure that the server has every change of the snapshots once.
func (l *ledger) verify(ctx context.Context, changed []*making) error {
	want, ids := uint64(0), make([]string, len(changed))
	lists := make([]List, len(changed))
	for i, m := range changed {
		want, ids[i], lists[i] = want+m.made.Adds+m.made.Removes, m.made.ID.String(), m.List
	}
	n, err := one(ctx, l.dial, fmt.Sprintf("SELECT sum(u) AS n FROM (SELECT uniqExact(sequence) AS u FROM %s.export_changes WHERE %s AND snapshot IN (%s) GROUP BY snapshot)", l.database, among(lists), quoteAll(ids)))
	if err != nil {
		return fmt.Errorf("verify changes of lists: %w", err)
	}
	if n != want {
		return fmt.Errorf("ClickHouse has %d changes of %d lists and should have %d", n, len(changed), want)
	}
	return nil
}

// among is a condition on rows of some lists.
func among(lists []List) string {
	pairs := make([]string, len(lists))
	for i, l := range lists {
		pairs[i] = "(" + quote(l.Audience) + "," + quote(l.Platform) + ")"
	}
	return "(audience, platform) IN (" + strings.Join(pairs, ",") + ")"
}

// where is a condition on rows of a list.
func (l List) where() string {
	return "audience = " + quote(l.Audience) + " AND platform = " + quote(l.Platform)
}

// errOvertaken means that somebody else makes the same list.
var errOvertaken = errors.New("another process makes the same list; only one may, see docs/exports.md")

// commit makes snapshots the standing ones. Their changes count from then on.
func (l *ledger) commit(ctx context.Context, changed []*making) error {
	lists, made := make([]List, len(changed)), map[List]*Snapshot{}
	rows := make([]string, len(changed))
	for i, m := range changed {
		s := m.made
		lists[i], made[m.List] = m.List, s
		rows[i] = fmt.Sprintf("(%s, %s, %d, '%s', %d, %d, %d, %d, %d, %d, %t, '%s', fromUnixTimestamp64Milli(%d, 'UTC'), %d)", quote(s.Audience), quote(s.Platform), s.Number, s.ID,
			s.First, s.Sequence, s.People, s.Adds, s.Removes, s.MinSize, s.IsSmall, s.SHA256, s.Time.UnixMilli(), s.Batch)
	}
	newest, err := l.newest(ctx, lists)
	if err != nil {
		return err
	}
	for _, s := range newest {
		if s.Number >= made[s.List].Number {
			return fmt.Errorf("%s: %w", s.List, errOvertaken)
		}
	}
	const types = "audience String, platform String, number UInt64, snapshot UUID, first UInt64, sequence UInt64, people UInt64, adds UInt64, removes UInt64, min_size UInt32, small Bool, sha256 String, time DateTime64(3), _batch UInt64"
	sql := fmt.Sprintf("INSERT INTO %s.export_snapshots (audience, platform, number, snapshot, first, sequence, people, adds, removes, min_size, small, sha256, time, _batch) SELECT * FROM values('%s', %s)",
		l.database, types, strings.Join(rows, ", "))
	client, err := l.dial(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.Do(ctx, ch.Query{Body: sql, Settings: writing}); err != nil {
		return fmt.Errorf("commit lists: %w", err)
	}
	if newest, err = l.newest(ctx, lists); err != nil {
		return err
	}
	if len(newest) != len(changed) {
		return fmt.Errorf("%d of %d lists were committed", len(newest), len(changed))
	}
	for _, s := range newest {
		if s.ID != made[s.List].ID {
			return fmt.Errorf("%s: %w", s.List, errOvertaken)
		}
	}
	return nil
}

// newest gives the standing snapshots of lists, or of all for none.
func (l *ledger) newest(ctx context.Context, of []List) ([]*Snapshot, error) {
	where := "1"
	if len(of) > 0 {
		where = among(of)
	}
	var audience, platform, sum proto.ColStr
	var number, first, sequence, people, adds, removes, minSize, batch proto.ColUInt64
	var id proto.ColUUID
	var small proto.ColUInt8
	var at proto.ColInt64
	sql := fmt.Sprintf(`SELECT CAST(audience AS String) AS a, CAST(platform AS String) AS p, number AS n, snapshot AS i, first AS f, sequence AS s, people AS pe, adds AS ad, removes AS re,
		toUInt64(min_size) AS mi, toUInt8(small) AS sm, sha256 AS h, toUnixTimestamp64Milli(time) AS t, _batch AS b
		FROM %s.export_snapshots FINAL WHERE %s ORDER BY audience, platform, number DESC LIMIT 1 BY audience, platform`, l.database, where)
	var found []*Snapshot
	err := each(ctx, l.dial, sql, proto.Results{{Name: "a", Data: &audience}, {Name: "p", Data: &platform}, {Name: "n", Data: &number}, {Name: "i", Data: &id}, {Name: "f", Data: &first},
		{Name: "s", Data: &sequence}, {Name: "pe", Data: &people}, {Name: "ad", Data: &adds}, {Name: "re", Data: &removes}, {Name: "mi", Data: &minSize}, {Name: "sm", Data: &small},
		{Name: "h", Data: &sum}, {Name: "t", Data: &at}, {Name: "b", Data: &batch}}, func(row int) error {
		found = append(found, &Snapshot{List: List{audience.Row(row), platform.Row(row)}, Number: number.Row(row), ID: id.Row(row), First: first.Row(row), Sequence: sequence.Row(row),
			People: people.Row(row), Adds: adds.Row(row), Removes: removes.Row(row), MinSize: int(minSize.Row(row)), IsSmall: small.Row(row) == 1, SHA256: sum.Row(row),
			Time: time.UnixMilli(at.Row(row)).UTC(), Batch: batch.Row(row)})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read standing lists: %w", err)
	}
	return found, nil
}

// counted is a condition on changes: that a snapshot was committed which has them, between two sequences.
func (l *ledger) counted(of List, after, upTo uint64) string {
	return fmt.Sprintf("%s AND sequence > %d AND sequence <= %d AND snapshot IN (SELECT snapshot FROM %s.export_snapshots FINAL WHERE %s AND sequence > %d AND first <= %d)",
		of.where(), after, upTo, l.database, of.where(), after, upTo)
}

// fold makes the state of a snapshot from the ledger alone.
func (l *ledger) fold(ctx context.Context, s *Snapshot, into *recordWriter) error {
	var id proto.ColUUID
	var op proto.ColUInt8
	var sequence proto.ColUInt64
	kinds, values := proto.NewArray[string](new(proto.ColStr)), proto.NewArray[string](new(proto.ColStr))
	sql := fmt.Sprintf("SELECT profile_id AS p, toUInt8(CAST(op AS String) = 'add') AS o, sequence AS s, CAST(key_kinds AS Array(String)) AS k, keys AS v FROM %s.export_changes WHERE %s ORDER BY p, s",
		l.database, l.counted(s.List, 0, s.Sequence))
	var last schemas.ProfileID
	var record []byte
	isOn, isAny := false, false
	flush := func() error {
		if !isOn {
			return nil
		}
		return into.add(last, record)
	}
	err := each(ctx, l.dial, sql, proto.Results{{Name: "p", Data: &id}, {Name: "o", Data: &op}, {Name: "s", Data: &sequence}, {Name: "k", Data: kinds}, {Name: "v", Data: values}}, func(row int) error {
		who := schemas.ProfileID(id.Row(row))
		if isAny && who != last {
			if err := flush(); err != nil {
				return err
			}
		}
		last, isAny, isOn = who, true, op.Row(row) == 1
		var err error
		record, err = appendRecord(record[:0], kinds.Row(row), values.Row(row))
		return err
	})
	if err == nil {
		err = flush()
	}
	if err != nil {
		return fmt.Errorf("fold the ledger of %s: %w", s.List, err)
	}
	return nil
}

// changeFile is a file of records that are changes of a snapshot.
type changeFile struct {
	of   *Snapshot
	op   string
	path string
}

// changeSource gives the records of files one after the other, with their sequences.
type changeSource struct {
	files    []changeFile
	at       *recordReader // nil before the first record of a file
	of       *Snapshot
	op       string
	sequence uint64
}

// next moves to the next record, and gives io.EOF behind the last.
func (c *changeSource) next() (err error) {
	for {
		if c.at != nil {
			err = c.at.next()
		} else if len(c.files) == 0 {
			return io.EOF
		} else {
			if c.of != c.files[0].of {
				c.of, c.sequence = c.files[0].of, c.files[0].of.First-1
			}
			c.op = c.files[0].op
			c.at, err = openRecords(c.files[0].path)
		}
		if err != nil {
			return err
		}
		if c.at.has {
			c.sequence++
			return nil
		}
		c.at.close()
		c.at, c.files = nil, c.files[1:]
	}
}

func (c *changeSource) close() {
	if c.at != nil {
		c.at.close()
	}
}

// checksum is the hex form that stands in tables and file names.
func checksum(sum []byte) string { return hex.EncodeToString(sum) }
