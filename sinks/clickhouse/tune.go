package clickhouse

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/seamline/seamline/schemas/tables"
)

// setting is one of a table.
type setting struct{ name, value string }

// tuned are settings that make it cheap to write a table: a new part is a few files rather than some for every column, each of which
// would have to be flushed. Parts are merged many at a time, so that a row is rewritten less often; those of events, which follow one
// another in time, cost a query little. Merges do not reckon how many different values each column has.
func tuned(table string) []setting {
	base := "10"
	if table == "events" {
		base = "16"
	}
	return []setting{{"min_level_for_wide_part", "1"}, {"merge_selector_base", base}, {"auto_statistics_types", "'basic'"}}
}

// tune gives the tables these settings. One that a table has already stays, so that an operator may choose otherwise, and one that the
// server does not know is left out.
func (m *migrator) tune(ctx context.Context) error {
	known := map[string]bool{}
	for _, k := range tuned("") {
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
		change := tuneChange(tuned(table), engine, known)
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
func tuneChange(wanted []setting, engine string, known map[string]bool) string {
	_, settings, _ := strings.Cut(engine, " SETTINGS ")
	has := strings.Split(settings, ", ")
	var missing []string
	for _, k := range wanted {
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
