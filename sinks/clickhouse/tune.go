package clickhouse

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/seamline/seamline/schemas/tables"
)

// tuned are settings that make it cheap to write the tables: a new part is a few files rather than some for every column, each of which
// would have to be flushed, and parts are merged rather more at a time than now and then.
var tuned = []struct{ name, value string }{
	{"min_level_for_wide_part", "1"},
	{"merge_selector_base", "10"},
}

// tune gives the tables these settings. One that a table has already stays, so that an operator may choose otherwise, and one that the
// server does not know is left out.
func (m *migrator) tune(ctx context.Context) error {
	known := map[string]bool{}
	for _, k := range tuned {
		var n uint64
		if err := m.conn.QueryRow(ctx, "SELECT count() FROM system.merge_tree_settings WHERE name = "+quote(k.name)).Scan(&n); err != nil {
			return fmt.Errorf("look for the setting %s: %w", k.name, err)
		}
		known[k.name] = n > 0
	}
	for _, table := range slices.Sorted(maps.Keys(keys)) {
		var engine string
		query := "SELECT engine_full FROM system.tables WHERE database = " + quote(m.cfg.Database) + " AND name = " + quote(table)
		if err := m.conn.QueryRow(ctx, query).Scan(&engine); err != nil {
			return fmt.Errorf("read the settings of %s: %w", table, err)
		}
		change := tuneChange(engine, known)
		if change == "" {
			continue
		}
		if err := m.exec(ctx, tables.Statement{Name: "tuning of " + table, SQL: "ALTER TABLE {database}." + table + m.onCluster() + " " + change}); err != nil {
			return err
		}
		m.log.Debug("tuned a table for cheap writing", "table", table, "change", change)
	}
	return nil
}

// tuneChange gives what an ALTER has to do to a table with this engine; nothing where it is as it should be.
func tuneChange(engine string, known map[string]bool) string {
	_, settings, _ := strings.Cut(engine, " SETTINGS ")
	has := strings.Split(settings, ", ")
	var missing []string
	for _, k := range tuned {
		isSet := slices.ContainsFunc(has, func(s string) bool { return strings.HasPrefix(s, k.name+" = ") })
		if known[k.name] && !isSet {
			missing = append(missing, k.name+" = "+k.value)
		}
	}
	if len(missing) == 0 {
		return ""
	}
	return "MODIFY SETTING " + strings.Join(missing, ", ")
}
