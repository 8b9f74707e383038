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

// adjust gives the tables the settings of tuned, and flushes their rows to disk at once or not. A tuned setting that a table has already
// stays, so that an operator may choose otherwise, and one that the server does not know is left out.
func (m *migrator) adjust(ctx context.Context) error {
	engines, err := m.engines(ctx)
	if err != nil {
		return err
	}
	known, err := m.knownSettings(ctx)
	if err != nil {
		return err
	}
	for _, table := range slices.Sorted(maps.Keys(engines)) {
		changes := []string{tuneChange(tuned(table), engines[table], known)}
		if m.cfg.Cluster == "" { // rows of a cluster are on other replicas as well
			changes = joinChanges(changes[0], flushChange(engines[table], m.cfg.Fsync))
		}
		for _, change := range changes {
			if change == "" {
				continue
			}
			if err := m.exec(ctx, tables.Statement{Name: "settings of " + table, SQL: "ALTER TABLE {database}." + table + m.onCluster() + " " + change}); err != nil {
				return err
			}
			m.log.Debug("changed the settings of a table", "table", table, "change", change)
		}
	}
	return nil
}

// engines gives the engines of all tables, with their settings.
func (m *migrator) engines(ctx context.Context) (map[string]string, error) {
	rows, err := m.conn.Query(ctx, "SELECT name, engine_full FROM system.tables WHERE database = "+quote(m.cfg.Database))
	if err != nil {
		return nil, fmt.Errorf("read the settings of the tables: %w", err)
	}
	defer rows.Close()
	engines := map[string]string{}
	for rows.Next() {
		var name, engine string
		if err := rows.Scan(&name, &engine); err != nil {
			return nil, fmt.Errorf("read the settings of the tables: %w", err)
		}
		if _, isOurs := keys[name]; isOurs || name == "schema_migrations" {
			engines[name] = engine
		}
	}
	return engines, rows.Err()
}

// knownSettings tells which settings of tables the server knows.
func (m *migrator) knownSettings(ctx context.Context) (map[string]bool, error) {
	rows, err := m.conn.Query(ctx, "SELECT name FROM system.merge_tree_settings")
	if err != nil {
		return nil, fmt.Errorf("read which settings tables can have: %w", err)
	}
	defer rows.Close()
	known := map[string]bool{}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, fmt.Errorf("read which settings tables can have: %w", err)
		}
		known[name] = true
	}
	return known, rows.Err()
}

// joinChanges makes one change of two where that is possible.
func joinChanges(a, b string) []string {
	if rest, found := strings.CutPrefix(b, modifySetting); found && strings.HasPrefix(a, modifySetting) {
		return []string{a + ", " + rest}
	}
	return []string{a, b}
}

const modifySetting = "MODIFY SETTING "

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
	return modifySetting + strings.Join(missing, ", ")
}
