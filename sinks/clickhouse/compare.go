package clickhouse

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	driver "github.com/ClickHouse/clickhouse-go/v2"
)

// examplesMax is how many rows of each kind a Difference names.
const examplesMax = 20

// Difference is how one table differs between two databases.
type Difference struct {
	Table     string
	Rows      uint64 // that are equal
	LiveOnly  uint64
	OtherOnly uint64
	Changed   uint64    // same key, other content
	Examples  []Example // up to twenty of each kind, sorted by kind and key
}

// IsNone tells whether the table is the same in both databases.
func (d *Difference) IsNone() bool { return d.LiveOnly == 0 && d.OtherOnly == 0 && d.Changed == 0 }

// Kind is how a row differs.
type Kind string

// The kinds of differences.
const (
	KindLiveOnly  Kind = "live only"
	KindOtherOnly Kind = "other only"
	KindChanged   Kind = "changed"
)

// Example is one row that differs.
type Example struct {
	Kind    Kind
	Key     string          // columns of the key with their values
	Columns []ChangedColumn // those that differ; empty for rows that only one database has
}

// ChangedColumn is one column of a row that differs.
type ChangedColumn struct{ Name, Live, Other string }

// bookkeeping are columns that tell how and when a row was written, not what it says, by table or for all.
var bookkeeping = map[string][]string{"": {"_batch", "_version", "version", "processed_time"}, "dead_letters": {"time"}}

// apart are tables about batches, state, squashing and exports, which no comparison is about.
var apart = []string{"commits", "state_backups", "squash_points", "export_changes", "export_snapshots"}

// personPlace stands in an expression for the person that a row belongs to now. Rows of squashedTables are compared by that person, since
// one database may have been squashed.
const personPlace = "{person}"

// Compare tells for every table how two databases of one server differ, by key and as FINAL shows them: such as that of a live run and
// that of a rebuild. It leaves out which batch wrote a row and when, and the tables about batches. The work is done by the server, so
// that both databases must be on the one that live names; other's address must be the same.
func Compare(ctx context.Context, live, other Config) ([]Difference, error) {
	if err := errors.Join(live.Validate(), other.Validate()); err != nil {
		return nil, err
	}
	if live.Addr != other.Addr {
		return nil, fmt.Errorf("compare databases: one is at %s and the other at %s, but only databases of one server can be compared", live.Addr, other.Addr)
	}
	conn, err := live.open()
	if err != nil {
		return nil, fmt.Errorf("compare databases: %w", err)
	}
	defer conn.Close()
	var all []Difference
	for _, table := range slices.Sorted(maps.Keys(keys)) {
		if slices.Contains(apart, table) {
			continue
		}
		d, err := compareTable(ctx, conn, comparison{table: table, live: live.Database, other: other.Database})
		if err != nil {
			return nil, fmt.Errorf("compare %s: %w", table, err)
		}
		all = append(all, d)
	}
	return all, nil
}

// comparison is one table of two databases.
type comparison struct {
	table, live, other string
	columns            []string // what is compared, without the key
}

// compareTable counts first, and looks at rows only where there is a difference.
func compareTable(ctx context.Context, conn driver.Conn, c comparison) (Difference, error) {
	d := Difference{Table: c.table}
	if err := c.readColumns(ctx, conn); err != nil {
		return d, err
	}
	var kinds [3][]uint64 // hashes of the keys of examples
	err := conn.QueryRow(ctx, c.count()).Scan(&d.Rows, &d.LiveOnly, &d.OtherOnly, &d.Changed, &kinds[0], &kinds[1], &kinds[2])
	if err != nil {
		return d, err
	}
	for i, kind := range []Kind{KindLiveOnly, KindOtherOnly, KindChanged} {
		if len(kinds[i]) == 0 {
			continue
		}
		examples, err := c.examples(ctx, conn, kind, kinds[i])
		if err != nil {
			return d, err
		}
		d.Examples = append(d.Examples, examples...)
	}
	return d, nil
}

// readColumns finds out what there is to compare, which must be the same in both databases.
func (c *comparison) readColumns(ctx context.Context, conn driver.Conn) error {
	var lists [2][]string
	for i, database := range []string{c.live, c.other} {
		if err := conn.QueryRow(ctx, "SELECT arraySort(groupArray(name || ' ' || type)) FROM system.columns WHERE database = ? AND table = ? AND default_kind != 'ALIAS'",
			database, c.table).Scan(&lists[i]); err != nil {
			return err
		}
		if len(lists[i]) == 0 {
			return fmt.Errorf("database %s has no such table", database)
		}
	}
	if !slices.Equal(lists[0], lists[1]) {
		return fmt.Errorf("databases %s and %s have other columns: migrate both with the same build", c.live, c.other)
	}
	key := strings.Split(keys[c.table], ", ")
	for _, column := range lists[0] {
		name, kind, _ := strings.Cut(column, " ")
		if slices.Contains(key, name) || slices.Contains(bookkeeping[""], name) || slices.Contains(bookkeeping[c.table], name) {
			continue
		}
		switch {
		case kind == "JSON":
			name = "toString(" + name + ")"
		case name == "profile_id" && slices.Contains(squashedTables, c.table):
			name = personPlace
		}
		c.columns = append(c.columns, name)
	}
	return nil
}

// keyHash stands for the key of an example. Where rows are counted, a second hash makes sure that no two keys are taken for one.
func (c *comparison) keyHash() string { return "sipHash64(" + keys[c.table] + ")" }

// count is the query that counts. Each row is read once, as two hashes.
func (c *comparison) count() string {
	content := "cityHash64(" + strings.Join(c.columns, ", ") + ")"
	side := func(database, live string) string {
		return fmt.Sprintf("SELECT %s AS k, cityHash64(%s) AS k2, %s AS h, %s AS live FROM %s.%s FINAL",
			c.keyHash(), keys[c.table], strings.ReplaceAll(content, personPlace, resolve(database)), live, database, c.table)
	}
	sample := fmt.Sprintf("groupArraySortedIf(%d)", examplesMax)
	return fmt.Sprintf(`SELECT countIf(kind = 0), countIf(kind = 1), countIf(kind = 2), countIf(kind = 3), %[1]s(k, kind = 1), %[1]s(k, kind = 2), %[1]s(k, kind = 3)
FROM (SELECT k, multiIf(max(live) != min(live), if(min(h) = max(h), 0, 3), max(live) = 1, 1, 2) AS kind FROM (%[2]s UNION ALL %[3]s) GROUP BY k, k2)
SETTINGS max_bytes_before_external_group_by = %[4]d`, sample, side(c.live, "1"), side(c.other, "0"), groupBytesMax)
}

// groupBytesMax is how much memory the server may use for a table before it goes on with files.
const groupBytesMax = 2 << 30

// examples reads rows by the hashes of their keys.
func (c *comparison) examples(ctx context.Context, conn driver.Conn, kind Kind, hashes []uint64) ([]Example, error) {
	found := map[string]*Example{}
	values := map[string][]string{}
	for _, database := range []string{c.live, c.other} {
		if kind == KindLiveOnly && database == c.other || kind == KindOtherOnly && database == c.live {
			continue
		}
		rows, err := conn.Query(ctx, fmt.Sprintf("SELECT %s, [%s] FROM %s.%s FINAL WHERE %s IN (?)", c.keyText(), strings.ReplaceAll(c.texts(), personPlace, resolve(database)), database, c.table, c.keyHash()), hashes)
		if err != nil {
			return nil, err
		}
		for rows.Next() {
			var key string
			var row []string
			if err := rows.Scan(&key, &row); err != nil {
				return nil, errors.Join(err, rows.Close())
			}
			if found[key] == nil {
				found[key] = &Example{Kind: kind, Key: key}
			} else {
				found[key].Columns = c.changed(values[key], row)
			}
			values[key] = row
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return nil, err
		}
	}
	var all []Example
	for _, e := range found {
		all = append(all, *e)
	}
	slices.SortFunc(all, func(a, b Example) int { return cmp.Compare(a.Key, b.Key) })
	return all[:min(len(all), examplesMax)], nil
}

// keyText is an expression such as event_time=…, source=….
func (c *comparison) keyText() string {
	var parts []string
	for _, k := range strings.Split(keys[c.table], ", ") {
		parts = append(parts, fmt.Sprintf("'%s=', toString(%s)", k, k))
	}
	return "concat(" + strings.Join(parts, ", ', ', ") + ")"
}

// texts are expressions of the columns as people read them.
func (c *comparison) texts() string {
	var parts []string
	for _, column := range c.columns {
		parts = append(parts, "CAST(toString("+column+") AS String)")
	}
	return strings.Join(parts, ", ")
}

// changed names the columns that differ.
func (c *comparison) changed(live, other []string) []ChangedColumn {
	var all []ChangedColumn
	for i, column := range c.columns {
		if live[i] != other[i] {
			name := strings.TrimSuffix(strings.TrimPrefix(column, "toString("), ")")
			if name == personPlace {
				name = "profile_id"
			}
			all = append(all, ChangedColumn{Name: name, Live: live[i], Other: other[i]})
		}
	}
	return all
}
