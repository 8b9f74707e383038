package clickhouse

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/seamline/seamline/schemas/tables"
)

// flushSettings make a table flush rows, and what it merges them into, to disk before it says that they are there. Without them a power
// cut takes rows of up to twenty seconds, which the engine believes to be written.
var flushSettings = []string{"fsync_after_insert", "fsync_part_directory", "min_rows_to_fsync_after_merge"}

// flush gives the tables these settings, or takes them off, where they are otherwise. Tables of a cluster are left as they are: their
// rows are on other replicas as well.
func (m *migrator) flush(ctx context.Context) error {
	if m.cfg.Cluster != "" {
		return nil
	}
	for _, table := range append(slices.Sorted(maps.Keys(keys)), "schema_migrations") {
		var engine string
		query := "SELECT engine_full FROM system.tables WHERE database = " + quote(m.cfg.Database) + " AND name = " + quote(table)
		if err := m.conn.QueryRow(ctx, query).Scan(&engine); err != nil {
			return fmt.Errorf("read the settings of %s: %w", table, err)
		}
		change := flushChange(engine, m.cfg.Fsync)
		if change == "" {
			continue
		}
		if err := m.exec(ctx, tables.Statement{Name: "flushing of " + table, SQL: "ALTER TABLE {database}." + table + " " + change}); err != nil {
			return err
		}
		m.log.Debug("changed whether rows are flushed to disk at once", "table", table, "fsync", m.cfg.Fsync)
	}
	return nil
}

// flushChange gives what an ALTER has to do to a table with this engine; nothing where it is as it should be.
func flushChange(engine string, isOn bool) string {
	_, settings, _ := strings.Cut(engine, " SETTINGS ")
	has := strings.Split(settings, ", ")
	var on, off []string
	for _, name := range flushSettings {
		if !slices.Contains(has, name+" = 1") {
			on = append(on, name+" = 1")
		}
		if slices.ContainsFunc(has, func(s string) bool { return strings.HasPrefix(s, name+" = ") }) {
			off = append(off, name)
		}
	}
	switch {
	case isOn && len(on) > 0:
		return "MODIFY SETTING " + strings.Join(on, ", ")
	case !isOn && len(off) > 0:
		return "RESET SETTING " + strings.Join(off, ", ")
	}
	return ""
}
